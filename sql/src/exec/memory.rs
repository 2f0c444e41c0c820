//! Query memory: what sorts, groups and buffered rows may hold. Past the budget a query ends with 1038 and nothing else suffers.

use crate::error::{Result, out_of_memory};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes one query may hold.
pub(crate) const PER_QUERY: usize = 64 << 20;
/// Bytes all queries of the server may hold together.
pub(crate) const IN_ALL: usize = 256 << 20;
/// Budgets are drawn from the server in pieces of this size.
const PIECE: usize = 256 << 10;

/// The server's account.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    used: AtomicUsize,
}

impl Pool {
    /// Bytes drawn by running queries.
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}

/// One query's account; what it drew goes back when it is dropped.
#[derive(Debug)]
pub(crate) struct Memory {
    pool: Arc<Pool>,
    drawn: usize,
    used: usize,
}

impl Memory {
    pub(crate) fn new(pool: Arc<Pool>) -> Memory {
        Memory { pool, drawn: 0, used: 0 }
    }

    /// Books `bytes`.
    pub(crate) fn take(&mut self, bytes: usize) -> Result<()> {
        self.used += bytes;
        if self.used <= self.drawn {
            return Ok(());
        }
        if self.used > PER_QUERY {
            return Err(out_of_memory());
        }
        let more = (self.used - self.drawn).div_ceil(PIECE) * PIECE;
        let before = self.pool.used.fetch_add(more, Ordering::Relaxed);
        if before + more > IN_ALL {
            self.pool.used.fetch_sub(more, Ordering::Relaxed);
            return Err(out_of_memory());
        }
        self.drawn += more;
        Ok(())
    }

    /// Gives `bytes` back to this query's own budget.
    pub(crate) fn give(&mut self, bytes: usize) {
        self.used = self.used.saturating_sub(bytes);
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.pool.used.fetch_sub(self.drawn, Ordering::Relaxed);
    }
}

/// Bytes a row of values occupies.
pub(crate) fn row_bytes(values: &[values::Value]) -> usize {
    let heap: usize = values
        .iter()
        .map(|v| match v {
            values::Value::Text(t) => t.heap_bytes(),
            values::Value::Bytes(b) => b.heap_bytes(),
            _ => 0,
        })
        .sum();
    size_of_val(values) + heap + 24
}
