//! Executors: plans over the engine's rows.
//!
//! 1. No row is held across a wait but in memory that the query's budget has paid for.
//! 2. Rows go out as they are found unless GROUP BY, DISTINCT or an ORDER BY that no index serves asks otherwise.
//! 3. Writers collect the rows they will change before they change the first (no row is met twice).
//! 4. Every 256 rows the executor yields, and looks at KILL and the deadline.

pub(crate) mod alter;
mod alter_constraint;
pub(crate) mod change;
pub(crate) mod change_join;
mod choice;
pub(crate) mod constraint;
pub(crate) mod cursor;
pub(crate) mod ddl;
pub(crate) mod default_expr;
pub(crate) mod foreign;
pub(crate) mod group;
pub(crate) mod insert;
pub(crate) mod join;
pub(crate) mod keys;
pub(crate) mod memory;
pub(crate) mod named_lock;
pub(crate) mod output;
pub(crate) mod query;
pub(crate) mod rules;
pub(crate) mod select;
pub(crate) mod sort_key;
pub(crate) mod store;
pub(crate) mod sub;
pub(crate) mod text_file;
pub(crate) mod virtual_rows;
pub(crate) mod window;

use crate::error::Result;
use crate::expr::Eval;
use crate::session::context::Context;
use engine::{Engine, KillSwitch, Txn};
use memory::Memory;
use protocol::env::Env;
use std::borrow::Cow;
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use values::Value;

/// Rows between two looks at KILL.
pub(crate) const CHECK_EVERY: u32 = 256;

/// One statement's execution.
pub(crate) struct Run<'a> {
    pub(crate) engine: &'a Arc<Engine>,
    pub(crate) env: &'a dyn Env,
    pub(crate) txn: &'a mut Txn,
    pub(crate) kill: &'a KillSwitch,
    pub(crate) context: &'a mut Context,
    /// The statement's parameters, and behind them the slots of its plan.
    pub(crate) params: Cow<'a, [Value]>,
    /// What is known of the plan's subqueries.
    pub(crate) subs: Vec<sub::SubState>,
    /// Rows of common table expressions.
    pub(crate) ctes: HashMap<usize, query::Rows>,
    pub(crate) memory: Memory,
    pub(crate) scratch: &'a mut cursor::Scratch,
    /// Rows that the engine gave to cursors.
    pub(crate) examined: u64,
    /// Rows since the last look at KILL.
    pub(crate) ticks: u32,
}

impl Run<'_> {
    /// An evaluation without a row.
    pub(crate) fn constant(&mut self) -> Eval<'_> {
        Eval::constant(&self.params, self.context)
    }

    /// Makes room for a plan's slots and subqueries.
    pub(crate) fn make_room(&mut self, (slots, subs): (usize, usize)) {
        if slots > 0 {
            let length = self.params.len() + slots;
            self.params.to_mut().resize(length, Value::Null);
        }
        self.subs.resize_with(subs, sub::SubState::default);
    }

    /// Fills a slot.
    pub(crate) fn put(&mut self, slot: usize, value: Value) {
        self.params.to_mut()[slot] = value;
    }

    /// Counts a row; every 256 it yields to other tasks and looks at KILL and the deadline.
    pub(crate) async fn tick(&mut self) -> Result<()> {
        self.ticks += 1;
        if self.ticks >= CHECK_EVERY {
            self.ticks = 0;
            yield_now().await;
            self.kill.check(self.env.now_us())?;
        }
        Ok(())
    }
}

/// Lets other tasks of this worker run.
fn yield_now() -> impl Future<Output = ()> + Send {
    struct Yield(bool);
    impl Future for Yield {
        type Output = ();
        fn poll(mut self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<()> {
            if self.0 {
                return Poll::Ready(());
            }
            self.0 = true;
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    }
    Yield(false)
}
