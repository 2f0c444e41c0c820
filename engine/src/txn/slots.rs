//! Slots of the transaction table: which are free, in memory; what they say, on its pages (`format::slots`).

use crate::engine::slot_of_volume;
use crate::error::{EngineError, Result};
use crate::format::slots::{self, OFF_NEXT, OFF_VERSION, SLOTS, Slot, TABLE_VERSION};
use crate::sync::Gate;
use btree::{Decision, OwnerId, Space};
use buffer_pool::BufferPool;
use parking_lot::Mutex;
use protocol::page::{PageId, PageKind};
use protocol::redo::Op;
use std::sync::Arc;

/// A slot: the page of the table, in chain order, and the slot on it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct SlotNo {
    pub(crate) page: u16,
    pub(crate) slot: u16,
}

#[derive(Debug, Default)]
struct Free {
    pages: Vec<PageId>,
    slots: Vec<SlotNo>,
}

/// The transaction table.
#[derive(Debug, Default)]
pub(crate) struct SlotTable {
    free: Mutex<Free>,
    growing: Gate,
}

impl SlotTable {
    /// Reads the table; returns it with the slots in use.
    pub(crate) async fn open(
        pool: &Arc<BufferPool>,
        first: PageId,
    ) -> Result<(SlotTable, Vec<(SlotNo, Slot)>)> {
        let table = SlotTable::default();
        let mut used = Vec::new();
        let mut next = Some(first);
        while let Some(id) = next {
            let page_no = table.free.lock().pages.len() as u16;
            let page = pool.pin(id).await?;
            let found = page.read(|bytes| -> Result<_, crate::format::Damaged> {
                let mut found = Vec::new();
                for slot in 0..SLOTS {
                    found.push(Slot::decode(bytes, slot)?);
                }
                Ok((slots::next_page(bytes)?, found))
            })?;
            let (after, found) = found.map_err(|d| EngineError::corrupt(id, d.what))?;
            let mut free = table.free.lock();
            if free.pages.contains(&id) {
                return Err(EngineError::corrupt(id, "transaction table: its pages form a ring"));
            }
            free.pages.push(id);
            for (slot, content) in found.into_iter().enumerate().rev() {
                let no = SlotNo { page: page_no, slot: slot as u16 };
                match content {
                    Some(content) => used.push((no, content)),
                    None => free.slots.push(no),
                }
            }
            next = after;
        }
        Ok((table, used))
    }

    /// Takes a free slot; grows the table when there is none.
    pub(crate) async fn take(&self, space: &Arc<Space>) -> Result<SlotNo> {
        loop {
            if let Some(no) = self.free.lock().slots.pop() {
                return Ok(no);
            }
            let _pass = self.growing.enter().await;
            if self.free.lock().slots.is_empty() {
                self.grow(space).await?;
            }
        }
    }

    /// Gives a slot back whose freeing is in the log.
    pub(crate) fn give_back(&self, no: SlotNo) {
        self.free.lock().slots.push(no);
    }

    /// The page of a slot.
    pub(crate) fn page(&self, no: SlotNo) -> PageId {
        self.free.lock().pages[usize::from(no.page)]
    }

    /// Adds a page: made and linked in one mini-transaction.
    async fn grow(&self, space: &Arc<Space>) -> Result<()> {
        let last = self.free.lock().pages.last().copied();
        let page = make_page(space, last).await?;
        let mut free = self.free.lock();
        let page_no = free.pages.len() as u16;
        free.pages.push(page);
        free.slots.extend((0..SLOTS).rev().map(|slot| SlotNo { page: page_no, slot }));
        Ok(())
    }

    /// Slots in use, for status.
    pub(crate) fn used(&self) -> usize {
        let free = self.free.lock();
        free.pages.len() * usize::from(SLOTS) - free.slots.len()
    }
}

/// Makes a page of the table and links it after `last`, or enters it as the first on the volume page.
pub(crate) async fn make_page(space: &Arc<Space>, last: Option<PageId>) -> Result<PageId> {
    let reserved = space.reserve_page(OwnerId::TRANSACTIONS).await?;
    let before = match last {
        Some(last) => space.pool().pin(last).await?,
        None => space.volume_page().clone(),
    };
    let [a, b] = reserved.pins();
    let changed = space
        .change(&[a, b, &before], 1024, |mtr| {
            let no = reserved.claim(mtr, PageKind::Transactions);
            mtr.run(no, Op::Write { offset: OFF_VERSION, bytes: &[TABLE_VERSION] });
            let id = mtr.page_id(no);
            match last {
                Some(_) => {
                    let before = mtr.page_no(&before);
                    mtr.run(before, Op::Write { offset: OFF_NEXT, bytes: &id.0.to_le_bytes() });
                }
                None => space.set_slot(mtr, slot_of_volume::TRANSACTIONS, id.0),
            }
            Decision::Done(id)
        })
        .await?;
    Ok(changed.value)
}
