//! Numbers that are never given out twice, persisted in chunks: a ceiling on the volume page, numbers below it from memory.
//!
//! Invariant: a number is given out only below a ceiling whose mini-transaction precedes (in the log) every use of the number. A crash
//! loses at most one chunk.

use crate::error::Result;
use crate::sync::Gate;
use btree::{Decision, Space};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Redo of one ceiling, header included, with room to spare.
const LOG_BYTES: usize = 256;

/// One counter.
#[derive(Debug)]
pub(crate) struct Counter {
    slot: usize,
    chunk: u64,
    next: AtomicU64,
    ceiling: AtomicU64,
    raising: Gate,
}

impl Counter {
    /// A counter whose ceiling is in `slot` of the volume page; it goes on from there, at least from 1.
    pub(crate) fn open(space: &Space, slot: usize, chunk: u64) -> Result<Counter> {
        let ceiling = space.slot(slot)?.max(1);
        Ok(Counter {
            slot,
            chunk,
            next: AtomicU64::new(ceiling),
            ceiling: AtomicU64::new(ceiling),
            raising: Gate::default(),
        })
    }

    /// The next number that will be given out, if nobody is faster.
    pub(crate) fn peek(&self) -> u64 {
        self.next.load(Ordering::Acquire)
    }

    /// One number, if the ceiling allows it now.
    pub(crate) fn try_next(&self) -> Option<u64> {
        let mut number = self.next.load(Ordering::Acquire);
        while number < self.ceiling.load(Ordering::Acquire) {
            match self.next.compare_exchange_weak(number, number + 1, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Some(number),
                Err(now) => number = now,
            }
        }
        None
    }

    /// One number.
    pub(crate) async fn next(&self, space: &Arc<Space>) -> Result<u64> {
        loop {
            if let Some(number) = self.try_next() {
                return Ok(number);
            }
            self.raise(space).await?;
        }
    }

    /// Raises the ceiling by a chunk, unless somebody just did.
    pub(crate) async fn raise(&self, space: &Arc<Space>) -> Result<()> {
        let _pass = self.raising.enter().await;
        let next = self.next.load(Ordering::Acquire);
        if next < self.ceiling.load(Ordering::Acquire) {
            return Ok(());
        }
        let ceiling = next + self.chunk;
        let volume = space.volume_page();
        space
            .change(&[volume], LOG_BYTES, |mtr| {
                space.set_slot(mtr, self.slot, ceiling);
                Decision::Done(())
            })
            .await?;
        self.ceiling.store(ceiling, Ordering::Release);
        Ok(())
    }
}
