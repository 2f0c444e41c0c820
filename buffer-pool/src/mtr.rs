//! Mini-transactions: page changes that are seen, and become durable, whole.
//!
//! ```text
//! reserve credit (may wait, holds nothing) -> latch pages in one order -> run operations, one OpsBuf per page
//!    -> append: one contiguous LSN range under the log's own lock -> stamp pages -> release
//! ```
//!
//! Everything from the first latch to the release is one synchronous stretch of code. Latch order (the caller's duty,
//! `btree` keeps it): tree pages from the leaf up and left to right, then all other pages by rising id.

use crate::counters::{MtrKind, bump};
use crate::error::PoolError;
use crate::guard::ExclusiveGuard;
use crate::pin::PinnedPage;
use crate::pool::BufferPool;
use protocol::contract::{Credit, MtrRecord};
use protocol::redo::{self, Op, OpsBuf};
use protocol::{Lsn, PAGE_BYTES, PageId};
use smallvec::SmallVec;
use std::cell::RefCell;
use std::sync::atomic::Ordering;

/// Pages one mini-transaction may change.
pub const MAX_MTR_PAGES: usize = 64;
/// Redo one mini-transaction may write, headers included.
pub const MAX_MTR_BYTES: usize = 1024 * 1024;
/// Beyond this an operation buffer is not kept for reuse.
const KEEP_OPS_BYTES: usize = 4096;
/// Writers tell storage the read floor once in so many mini-transactions.
const RELEASE_EVERY: u64 = 64;

thread_local! {
    // Operation buffers of finished mini-transactions, so that a warm thread allocates none.
    static SPARE: RefCell<Vec<OpsBuf>> = const { RefCell::new(Vec::new()) };
}

/// A page within its mini-transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PageNo(u8);

struct Part<'p> {
    guard: ExclusiveGuard<'p>,
    ops: OpsBuf,
}

/// What a finished mini-transaction was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Finished {
    /// The CPL; zero when nothing was changed.
    pub lsn: Lsn,
    /// Pages noted by [`Mtr::note_freed`].
    pub freed: Vec<PageId>,
}

/// One mini-transaction. Dropping it after a change without [`Mtr::finish`] poisons the pool.
pub struct Mtr<'p> {
    pool: &'p BufferPool,
    kind: MtrKind,
    credit: Option<Credit>,
    parts: SmallVec<[Part<'p>; 4]>,
    /// Parts in the order of their first operation: the order of records.
    order: SmallVec<[u8; 16]>,
    commit: Option<u8>,
    freed: Vec<PageId>,
}

impl BufferPool {
    /// Room in the log for a mini-transaction of at most `bytes` (record headers included); waits for LAL.
    ///
    /// # Errors
    /// When the log takes nothing any more; the pool is then poisoned.
    pub async fn reserve(&self, bytes: usize) -> Result<Credit, PoolError> {
        self.check()?;
        // The first record of an opening is longer by its link.
        let bytes = bytes as u64 + 8;
        let credit = match self.log.try_reserve(bytes) {
            Ok(Some(credit)) => return Ok(credit),
            Ok(None) => {
                bump(&self.counters.credit_waits);
                self.log.reserve(bytes).await
            }
            Err(error) => Err(error),
        };
        credit.map_err(|error| {
            self.poison(error.clone().into());
            error.into()
        })
    }

    /// Begins a mini-transaction with room reserved before.
    #[must_use]
    pub fn begin(&self, kind: MtrKind, credit: Credit) -> Mtr<'_> {
        Mtr {
            pool: self,
            kind,
            credit: Some(credit),
            parts: SmallVec::new(),
            order: SmallVec::new(),
            commit: None,
            freed: Vec::new(),
        }
    }
}

impl<'p> Mtr<'p> {
    /// Takes over a latched page.
    ///
    /// # Panics
    /// Past 64 pages.
    pub fn adopt(&mut self, guard: ExclusiveGuard<'p>) -> PageNo {
        let count = self.parts.len();
        assert!(count < MAX_MTR_PAGES, "mini-transaction of more than {MAX_MTR_PAGES} pages");
        let ops = SPARE.with_borrow_mut(Vec::pop).unwrap_or_default();
        self.parts.push(Part { guard, ops });
        PageNo(count as u8)
    }

    /// Latches a pinned page; the pin outlives the mini-transaction.
    ///
    /// # Errors
    /// When the pool is poisoned.
    pub fn latch(&mut self, page: &'p PinnedPage) -> Result<PageNo, PoolError> {
        Ok(self.adopt(page.exclusive()?))
    }

    /// The number of a page latched before.
    ///
    /// # Panics
    /// When it is not part of this mini-transaction.
    #[must_use]
    pub fn page_no(&self, page: &PinnedPage) -> PageNo {
        let id = page.page_id();
        self.find(id).unwrap_or_else(|| panic!("page {id} is not part of this mini-transaction"))
    }

    /// The number of a page, if it is latched here.
    #[must_use]
    pub fn find(&self, page: PageId) -> Option<PageNo> {
        self.parts.iter().position(|p| p.guard.page_id() == page).map(|at| PageNo(at as u8))
    }

    /// The page's id.
    #[must_use]
    pub fn page_id(&self, page: PageNo) -> PageId {
        self.parts[usize::from(page.0)].guard.page_id()
    }

    /// The page's bytes as they are now, changes of this mini-transaction included.
    #[must_use]
    pub fn page(&self, page: PageNo) -> &[u8; PAGE_BYTES] {
        self.parts[usize::from(page.0)].guard.bytes()
    }

    /// Runs one operation on a page and gathers it for the page's record. Of a write only the stretch that differs from the page
    /// is logged, and nothing when none does.
    ///
    /// # Panics
    /// When the operation reaches outside the page body.
    pub fn run(&mut self, page: PageNo, op: Op<'_>) {
        let part = &mut self.parts[usize::from(page.0)];
        let op = match op {
            Op::Write { offset, bytes } => match differing(part.guard.bytes(), offset, bytes) {
                Some(op) => op,
                None => return,
            },
            op => op,
        };
        if part.ops.is_empty() {
            self.order.push(page.0);
        }
        part.ops.push(op);
        redo::run_one(part.guard.bytes_mut(), &op);
    }

    /// True once something was changed.
    #[must_use]
    pub fn is_changed(&self) -> bool {
        !self.order.is_empty()
    }

    /// Marks this mini-transaction as the commit of a transaction; the record of `page` becomes its last.
    pub fn commit_at(&mut self, page: PageNo) {
        self.commit = Some(page.0);
    }

    /// Notes a page given back; [`Finished`] returns it with the LSN.
    pub fn note_freed(&mut self, page: PageId) {
        self.freed.push(page);
    }

    /// Appends, stamps and releases. Nothing changed: releases only.
    ///
    /// # Errors
    /// When the log takes nothing any more; the pool is then poisoned.
    ///
    /// # Panics
    /// Past 1 MiB, or when more was written than reserved.
    pub fn finish(mut self) -> Result<Finished, PoolError> {
        let freed = std::mem::take(&mut self.freed);
        if self.order.is_empty() {
            return Ok(Finished { lsn: Lsn::ZERO, freed });
        }
        if let Some(last) = self.commit {
            assert!(self.order.contains(&last), "the commit record's page was not changed");
            self.order.retain(|no| *no != last);
            self.order.push(last);
        }
        let mut bytes = 0;
        let mut records: SmallVec<[MtrRecord<'_>; 4]> = SmallVec::new();
        for &no in &self.order {
            let part = &self.parts[usize::from(no)];
            bytes += protocol::record::frame_len(part.ops.bytes(), false);
            records.push(MtrRecord {
                page: part.guard.page_id(),
                prev_page: protocol::page::lsn(part.guard.bytes()),
                ops: &part.ops,
                lsn: Lsn::ZERO,
            });
        }
        assert!(bytes <= MAX_MTR_BYTES, "mini-transaction of {bytes} bytes, at most {MAX_MTR_BYTES}");
        let credit = self.credit.take().expect("invariant: the credit is taken here only");
        let lsn = match self.pool.log.append(credit, &mut records, self.commit.is_some()) {
            Ok(lsn) => lsn,
            Err(error) => {
                drop(records);
                self.order.clear();
                // Poisoned before the latches are released: nobody sees these pages again.
                self.pool.poison(error.clone().into());
                return Err(error.into());
            }
        };
        let mut lsns = [Lsn::ZERO; MAX_MTR_PAGES];
        for (at, record) in records.iter().enumerate() {
            lsns[at] = record.lsn;
        }
        drop(records);
        for (at, lsn) in lsns.iter().enumerate().take(self.order.len()) {
            let part = &mut self.parts[usize::from(self.order[at])];
            stamp(self.pool, part, *lsn);
        }
        self.order.clear();
        let counters = &self.pool.counters;
        let count = counters.mtrs[self.kind as usize].fetch_add(1, Ordering::Relaxed);
        counters.redo_bytes[self.kind as usize].fetch_add(bytes as u64, Ordering::Relaxed);
        let pool = self.pool;
        drop(self);
        if count.is_multiple_of(RELEASE_EVERY) {
            pool.points.release(pool.log.as_ref());
        }
        Ok(Finished { lsn, freed })
    }
}

/// The part of a write that changes anything. A write outside the page is left as it is, for `OpsBuf` to refuse.
fn differing<'b>(page: &[u8; PAGE_BYTES], offset: u16, bytes: &'b [u8]) -> Option<Op<'b>> {
    let at = usize::from(offset);
    let Some(old) = page.get(at..at + bytes.len()) else { return Some(Op::Write { offset, bytes }) };
    let first = old.iter().zip(bytes).position(|(old, new)| old != new)?;
    let last = old.iter().zip(bytes).rposition(|(old, new)| old != new).unwrap_or(first);
    Some(Op::Write { offset: offset + first as u16, bytes: &bytes[first..=last] })
}

fn stamp(pool: &BufferPool, part: &mut Part<'_>, lsn: Lsn) {
    redo::stamp(part.guard.bytes_mut(), part.ops.bytes(), lsn)
        .expect("invariant: operations encoded by OpsBuf decode");
    let frame = part.guard.frame();
    frame.lsn.store(lsn.0, Ordering::Release);
    frame.fresh.store(false, Ordering::Relaxed);
    if !frame.dirtied.swap(true, Ordering::Relaxed)
        && let Some(victim) = &pool.victim
    {
        victim.dirtied(part.guard.page_id());
    }
}

impl Drop for Mtr<'_> {
    fn drop(&mut self) {
        if !self.order.is_empty() {
            self.pool.poison(PoolError::Torn);
        }
        SPARE.with_borrow_mut(|spare| {
            for part in self.parts.drain(..) {
                let Part { guard, mut ops } = part;
                drop(guard);
                if spare.len() < 16 && ops.bytes().len() <= KEEP_OPS_BYTES {
                    ops.clear();
                    spare.push(ops);
                }
            }
        });
    }
}
