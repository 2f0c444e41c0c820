//! One transaction's chain of undo pages, while it runs.
//!
//! ```text
//!   slot ──> first page <──> page <──> last page      position: the end of the last record
//!            commit LSN (0 until the commit record stamps it)
//! ```
//!
//! Invariants:
//! 1. The first record's mini-transaction also makes the first page's header and the slot, so a slot never names a page that is not the
//!    transaction's. Further pages are linked in a mini-transaction of their own before they are used.
//! 2. `position` moves only forward: records undone by a statement rollback stay where they are, flagged.

use crate::engine::Engine;
use crate::error::Result;
use crate::format::slots::{Slot, SlotState};
use crate::format::undo::{OFF_NEXT, OFF_RECORDS, OFF_USED, OFF_VERSION, UndoHeader};
use crate::format::{TxId, UndoPtr};
use crate::txn::slots::SlotNo;
use btree::Decision;
use buffer_pool::{Mtr, PinnedPage};
use protocol::lsn::Lsn;
use protocol::page::{PAGE_BYTES, PageId, PageKind};
use protocol::redo::Op;
use smallvec::SmallVec;

/// Redo that [`UndoLog::write`] adds to a mini-transaction beside the record's own bytes: three page headers and the headers of both pages.
pub(crate) const WRITE_LOG_BYTES: usize = 512;

/// The pages of a chain, first to last. Nearly every transaction has one.
pub(crate) type UndoPages = SmallVec<[PageId; 2]>;

/// A place in the chain: everything up to it was written before.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Mark {
    pub(crate) page: PageId,
    pub(crate) used: u16,
}

/// The chain of one transaction.
#[derive(Debug)]
pub(crate) struct UndoLog {
    pub(crate) txid: TxId,
    pub(crate) slot: SlotNo,
    /// All pages, first to last. One entry per 16 KiB of undo.
    pub(crate) pages: UndoPages,
    used: u16,
    /// False until the first record is in the log.
    pub(crate) begun: bool,
    /// Whether purge will find something to do: deletes, marked entries, replaced overflow chains.
    pub(crate) needs_purge: bool,
    /// Bytes of records.
    pub(crate) bytes: u64,
    /// Number of records.
    pub(crate) records: u64,
}

/// The pages a record is written to, pinned.
#[derive(Debug)]
pub(crate) struct UndoPins {
    page: PinnedPage,
    table: Option<PinnedPage>,
}

impl UndoPins {
    /// As the extra pages of a mini-transaction.
    pub(crate) fn extra(&self) -> [&PinnedPage; 2] {
        [&self.page, self.table.as_ref().unwrap_or(&self.page)]
    }

    /// How many of [`UndoPins::extra`] are distinct.
    pub(crate) fn count(&self) -> usize {
        1 + usize::from(self.table.is_some())
    }
}

impl UndoLog {
    /// A chain that has its slot and its first page, both only in memory.
    pub(crate) fn new(txid: TxId, slot: SlotNo, first: PageId) -> UndoLog {
        UndoLog {
            txid,
            slot,
            pages: UndoPages::from_slice(&[first]),
            used: OFF_RECORDS,
            begun: false,
            needs_purge: false,
            bytes: 0,
            records: 0,
        }
    }

    fn last(&self) -> PageId {
        *self.pages.last().expect("invariant: an undo chain has a first page")
    }

    /// Where the chain ends now.
    pub(crate) fn mark(&self) -> Mark {
        if self.begun { Mark { page: self.last(), used: self.used } } else { Mark::default() }
    }

    /// Makes sure that a record of `bytes` fits, and pins what writing it needs.
    pub(crate) async fn room(&mut self, core: &Engine, bytes: usize) -> Result<UndoPins> {
        assert!(bytes <= PAGE_BYTES - usize::from(OFF_RECORDS), "undo record of {bytes} bytes");
        if usize::from(self.used) + bytes > PAGE_BYTES {
            self.extend(core).await?;
        }
        let page = core.pool.pin(self.last()).await?;
        let table = if self.begun { None } else { Some(core.pool.pin(core.slots.page(self.slot)).await?) };
        Ok(UndoPins { page, table })
    }

    /// Links a new last page.
    async fn extend(&mut self, core: &Engine) -> Result<()> {
        let id = core.undo.take(&core.space).await?;
        let (old, new) = (core.pool.pin(self.last()).await?, core.pool.pin(id).await?);
        let header = self.header(OFF_RECORDS, self.last());
        core.space
            .change(&[&old, &new], 512, |mtr| {
                let (old, new) = (mtr.page_no(&old), mtr.page_no(&new));
                mtr.run(old, Op::Write { offset: OFF_NEXT, bytes: &id.0.to_le_bytes() });
                mtr.run(new, Op::Init { kind: PageKind::Undo });
                mtr.run(new, Op::Write { offset: OFF_VERSION, bytes: &header.encode() });
                Decision::Done(())
            })
            .await?;
        self.pages.push(id);
        self.used = OFF_RECORDS;
        Ok(())
    }

    fn header(&self, used: u16, previous: PageId) -> UndoHeader {
        UndoHeader {
            used,
            slot: (self.slot.page, self.slot.slot),
            txid: self.txid,
            first: self.pages[0],
            previous,
            next: PageId(0),
            commit: Lsn::ZERO,
        }
    }

    /// Where the next record will lie.
    pub(crate) fn next_ptr(&self) -> UndoPtr {
        UndoPtr::new(self.last(), self.used)
    }

    /// Writes a record into the mini-transaction that makes the change it undoes. The mini-transaction must go through: nothing is
    /// remembered before [`UndoLog::written`].
    pub(crate) fn write(&self, core: &Engine, mtr: &mut Mtr<'_>, pins: &UndoPins, record: &[u8]) {
        let page = mtr.page_no(&pins.page);
        let used = self.used + record.len() as u16;
        if let Some(table) = &pins.table {
            let slot = Slot {
                state: SlotState::Active,
                txid: self.txid,
                first_undo: self.pages[0],
                epoch: core.epoch,
            };
            let table = mtr.page_no(table);
            let offset = crate::format::slots::offset(self.slot.slot);
            mtr.run(table, Op::Write { offset, bytes: &slot.encode() });
            // Header and first record in one operation. What `init` zeroed need not be said: links and commit LSN.
            mtr.run(page, Op::Init { kind: PageKind::Undo });
            let header = self.header(used, PageId(0)).encode();
            mtr.run(page, Op::Write { offset: OFF_VERSION, bytes: &header[..24] });
        } else {
            mtr.run(page, Op::Write { offset: OFF_USED, bytes: &used.to_le_bytes() });
        }
        mtr.run(page, Op::Write { offset: self.used, bytes: record });
    }

    /// The mini-transaction of [`UndoLog::write`] is in the log.
    pub(crate) fn written(&mut self, record: &[u8]) {
        self.used += record.len() as u16;
        self.begun = true;
        self.bytes += record.len() as u64;
        self.records += 1;
    }
}
