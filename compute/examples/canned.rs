//! A server whose every answer is canned: what the wire alone costs, the ceiling of any figure beside it.
//!
//! `cargo run --release -p sextant --example canned -- 127.0.0.1:3399`, then any client; prepared selects answer one row of one CHAR.

use sextant::backend::{Account, Backend, Kill, Session};
use sextant::config::{Flags, load};
use sextant::security::RsaDoor;
use sextant::server::{Counters, Registry, Shared, listen};
use sql::api::{Cell, ColumnMeta, ConnectInfo, Done, PreparedInfo, ResultSink, RowSource, SinkClosed};
use sql::error::SqlError;
use std::sync::Arc;
use values::Value;

struct Canned;
struct Row;
struct NoKill;
struct One(u32, Arc<[ColumnMeta]>);

impl Kill for NoKill {
    fn kill_query(&self) {}
    fn kill_connection(&self) {}
}

impl RowSource for Row {
    fn cell(&self, _: usize) -> Cell<'_> {
        Cell::Bytes((&[b'x'; 119][..]).into())
    }
}

fn column() -> ColumnMeta {
    let (table, name): (Arc<str>, Arc<str>) = ("sbtest1".into(), "c".into());
    let schema = "sbtest".into();
    let org_name = name.clone();
    ColumnMeta {
        schema,
        org_table: table.clone(),
        table,
        name,
        org_name,
        collation: 255,
        length: 480,
        type_code: 254,
        flags: 1,
        decimals: 0,
        encoded: None,
    }
}

impl Backend for Canned {
    type Session = One;

    async fn account(&self, user: &str, host: &str) -> Result<Option<Account>, SqlError> {
        let plugin = "caching_sha2_password".to_string();
        Ok(Some(Account {
            user: user.into(),
            host: host.into(),
            plugin,
            stored: Vec::new(),
            locked: false,
            admin: true,
            needs_tls: false,
            expired: false,
        }))
    }

    async fn connect(self: &Arc<Self>, _: ConnectInfo) -> Result<One, SqlError> {
        Ok(One(0, vec![column()].into()))
    }
}

impl One {
    fn answer(&self, sink: &mut dyn ResultSink) {
        sink.columns(&self.1);
        sink.row(&Row);
        sink.end(&Done { status: 2, ..Done::default() });
    }
}

impl Session for One {
    async fn query(&mut self, text: &[u8], sink: &mut dyn ResultSink) -> Result<(), SinkClosed> {
        if text.first().is_some_and(|b| b.eq_ignore_ascii_case(&b's')) {
            self.answer(sink);
        } else {
            sink.ok(&Done { status: 2, ..Done::default() });
        }
        Ok(())
    }

    async fn prepare(&mut self, text: &[u8]) -> Result<PreparedInfo, SqlError> {
        self.0 += 1;
        let params = text.iter().filter(|b| **b == b'?').map(|_| column()).collect();
        let columns = if text.starts_with(b"SELECT") { vec![column()] } else { Vec::new() };
        Ok(PreparedInfo { id: self.0, params, columns, warnings: 0 })
    }

    async fn execute(&mut self, _: u32, _: &[Value], sink: &mut dyn ResultSink) -> Result<(), SinkClosed> {
        self.answer(sink);
        Ok(())
    }

    fn text_param(&self, text: &[u8]) -> Value {
        Value::bytes(text)
    }

    fn close_statement(&mut self, _: u32) {}

    async fn init_db(&mut self, _: &[u8]) -> Result<(), SqlError> {
        Ok(())
    }

    async fn field_list(&mut self, _: &[u8], _: &[u8]) -> Result<Vec<ColumnMeta>, SqlError> {
        Ok(Vec::new())
    }

    async fn reset(&mut self) -> Result<(), SqlError> {
        Ok(())
    }

    async fn change_user(&mut self, _: ConnectInfo) -> Result<(), SqlError> {
        Ok(())
    }

    fn set_multi_statements(&mut self, _: bool) {}

    fn status(&self) -> u16 {
        2
    }

    fn schema(&self) -> Option<String> {
        None
    }

    fn settle(&mut self) -> Done {
        Done { status: 2, ..Done::default() }
    }

    fn wait_timeout_s(&self) -> u64 {
        28800
    }

    fn kill_handle(&self) -> Arc<dyn Kill> {
        Arc::new(NoKill)
    }

    async fn close(self) {}
}

fn main() {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3399".to_string());
    let address = address.parse().expect("ADDRESS:PORT");
    let settings = load(&Flags::default(), std::iter::empty()).expect("defaults are good");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("threads");
    runtime.block_on(async {
        let registry = Arc::new(Registry::new());
        let rsa = RsaDoor::new(std::env::temp_dir());
        let shared =
            Shared::new(settings, Arc::new(Canned), None, rsa, registry, Arc::new(Counters::default()));
        shared.serve(listen(address).expect("the port is free"), None).await;
    });
}
