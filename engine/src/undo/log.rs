//! One transaction's chain of undo units, while it runs.
//!
//! ```text
//!   slot ──> first unit <──> unit <──> last unit      position: the end of the last record
//!            commit LSN (0 until the commit record stamps it)
//! ```
//!
//! Invariants:
//! 1. The first record's mini-transaction also makes the first unit's header and the slot, so a slot never names a unit that is not the
//!    transaction's. Further units are linked in a mini-transaction of their own before they are used.
//! 2. `position` moves only forward: records undone by a statement rollback stay where they are, flagged.

use crate::engine::Engine;
use crate::error::Result;
use crate::format::slots::{Slot, SlotState};
use crate::format::unit::{AT_NEXT, AT_USED, Class, HEADER_BYTES, OFF_FIRST, UndoHeader, Unit};
use crate::format::{TxId, UndoPtr};
use crate::txn::slots::SlotNo;
use btree::Decision;
use buffer_pool::{Mtr, PageNo, PinnedPage};
use protocol::lsn::Lsn;
use protocol::page::{PAGE_BYTES, PageKind};
use protocol::redo::Op;
use smallvec::SmallVec;

/// Redo that [`UndoLog::write`] adds to a mini-transaction beside the record's own bytes: three page headers and the headers of both units.
pub(crate) const WRITE_LOG_BYTES: usize = 512;

/// The units of a chain, first to last. Nearly every transaction has one.
pub(crate) type UndoUnits = SmallVec<[Unit; 2]>;

/// A place in the chain: everything up to it was written before.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Mark {
    pub(crate) unit: Unit,
    pub(crate) used: u16,
}

/// The chain of one transaction.
#[derive(Debug)]
pub(crate) struct UndoLog {
    pub(crate) txid: TxId,
    pub(crate) slot: SlotNo,
    /// All units, first to last. One entry per 16 KiB of undo, two more at the start.
    pub(crate) units: UndoUnits,
    session: u32,
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
    /// A chain that has its slot and its first unit, both only in memory. `session` spreads units over pages.
    pub(crate) fn new(txid: TxId, slot: SlotNo, first: Unit, session: u32) -> UndoLog {
        UndoLog {
            txid,
            slot,
            units: UndoUnits::from_slice(&[first]),
            session,
            used: first.records(),
            begun: false,
            needs_purge: false,
            bytes: 0,
            records: 0,
        }
    }

    fn last(&self) -> Unit {
        *self.units.last().expect("invariant: an undo chain has a first unit")
    }

    /// Where the chain ends now.
    pub(crate) fn mark(&self) -> Mark {
        if self.begun { Mark { unit: self.last(), used: self.used } } else { Mark::default() }
    }

    /// Makes sure that a record of `bytes` fits, and pins what writing it needs.
    pub(crate) async fn room(&mut self, core: &Engine, bytes: usize) -> Result<UndoPins> {
        let most = PAGE_BYTES - usize::from(OFF_FIRST + HEADER_BYTES);
        assert!(bytes <= most, "undo record of {bytes} bytes, a page holds {most}");
        if usize::from(self.used) + bytes > usize::from(self.last().end()) {
            self.extend(core, bytes).await?;
        }
        let page = core.pool.pin(self.last().page()).await?;
        let table = if self.begun { None } else { Some(core.pool.pin(core.slots.page(self.slot)).await?) };
        Ok(UndoPins { page, table })
    }

    /// Links a new last unit; before the first record, takes a larger first one.
    async fn extend(&mut self, core: &Engine, bytes: usize) -> Result<()> {
        let class = Class::after(self.begun.then(|| self.last().class()), bytes);
        let unit = core.undo.take(&core.space, class, self.session).await?;
        if !self.begun {
            core.undo.give_back(std::mem::replace(&mut self.units, UndoUnits::from_slice(&[unit])));
            self.used = unit.records();
            return Ok(());
        }
        let last = self.last();
        let (old, new) = (core.pool.pin(last.page()).await?, core.pool.pin(unit.page()).await?);
        core.space
            .change(&[&old, &new], 512, |mtr| {
                let (old, new) = (mtr.page_no(&old), mtr.page_no(&new));
                mtr.run(old, Op::Write { offset: last.base() + AT_NEXT, bytes: &unit.0.to_le_bytes() });
                self.begin_unit(mtr, new, unit, last, unit.records());
                Decision::Done(())
            })
            .await?;
        self.units.push(unit);
        self.used = unit.records();
        Ok(())
    }

    /// Writes the header of a unit. Of what it held before nothing stays valid; a part of a page was given out with others in use.
    fn begin_unit(&self, mtr: &mut Mtr<'_>, page: PageNo, unit: Unit, previous: Unit, used: u16) {
        if unit.class() == Class::Page {
            mtr.run(page, Op::Init { kind: PageKind::Undo });
        }
        let header = UndoHeader {
            used,
            slot: (self.slot.page, self.slot.slot),
            txid: self.txid,
            first: if previous == Unit::NONE { unit } else { self.units[0] },
            previous,
            next: Unit::NONE,
            commit: Lsn::ZERO,
        };
        // In two, because most often the links are as they were, and only what differs costs redo.
        let header = header.encode(unit.class());
        let (head, links) = header.split_at(16);
        mtr.run(page, Op::Write { offset: unit.base(), bytes: head });
        mtr.run(page, Op::Write { offset: unit.base() + 16, bytes: links });
    }

    /// Where the next record will lie.
    pub(crate) fn next_ptr(&self) -> UndoPtr {
        UndoPtr::new(self.last().page(), self.used)
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
                first_undo: self.units[0],
                epoch: core.epoch,
            };
            let table = mtr.page_no(table);
            let offset = crate::format::slots::offset(self.slot.slot);
            // In two: between the TxId's bytes that differ and the unit's there are many that do not.
            let slot = slot.encode();
            let (head, place) = slot.split_at(16);
            mtr.run(table, Op::Write { offset, bytes: head });
            mtr.run(table, Op::Write { offset: offset + 16, bytes: place });
            self.begin_unit(mtr, page, self.units[0], Unit::NONE, used);
        } else {
            let offset = self.last().base() + AT_USED;
            mtr.run(page, Op::Write { offset, bytes: &used.to_le_bytes() });
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
