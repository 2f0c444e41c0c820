//! Undo space that nobody uses, and getting more.
//!
//! ```text
//!   volume ──claim──> free pages ──divide──> free parts of pages ──> a lane's page ──> one unit to each transaction of the lane
//!                        ^   ^                    │   ^
//!                        │   └── all parts free ──┘   │
//!                        └────────── purge ───────────┘
//! ```
//!
//! Undo pages belong to one owner on the volume and are never given back to it while the engine runs: what purge frees goes to the lists
//! here and to the next transaction. Sessions are spread over lanes, so that those at work at once do not all want the latch of one page.
//! After an opening the lists are rebuilt from the units' headers, in the background (`history::rebuild`).
//!
//! Invariant: a bit in a mask, here or in a lane, is a unit that belongs to no transaction; no bit stands in two places.

use crate::error::Result;
use crate::format::unit::{Class, OFF_FIRST, Unit, page_bytes};
use btree::{Decision, OwnerId, Space};
use parking_lot::Mutex;
use protocol::page::{PageId, PageKind};
use protocol::redo::Op;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Pages of a class being filled at once.
const LANES: usize = 16;

/// A divided page with its free units.
#[derive(Clone, Copy, Debug, Default)]
struct Parts {
    page: PageId,
    free: u32,
}

impl Parts {
    fn pop(&mut self, class: Class) -> Option<Unit> {
        let no = (self.free != 0).then(|| self.free.trailing_zeros())?;
        self.free &= self.free - 1;
        Some(Unit::new(self.page, class, no as u8))
    }
}

/// Free pages, and free parts of pages by class.
#[derive(Debug, Default)]
struct Free {
    pages: Vec<PageId>,
    parts: [BTreeMap<PageId, u32>; 2],
}

impl Free {
    fn parts(&mut self, class: Class) -> &mut BTreeMap<PageId, u32> {
        assert!(class != Class::Page, "a page is no part of one");
        &mut self.parts[class as usize - 1]
    }

    fn add(&mut self, page: PageId, class: Class, free: u32) {
        if class == Class::Page {
            self.pages.push(page);
            return;
        }
        let mask = self.parts(class).entry(page).or_default();
        assert!(*mask & free == 0, "undo space: given back twice: {page:?} {class:?} {mask:b} {free:b}");
        *mask |= free;
        if *mask == class.all() {
            self.parts(class).remove(&page);
            self.pages.push(page);
        }
    }
}

/// Free undo space.
#[derive(Debug, Default)]
pub(crate) struct UndoSpace {
    free: Mutex<Free>,
    lanes: [[Mutex<Parts>; LANES]; 2],
    /// Pages claimed since the opening, until the lists are rebuilt.
    fresh: Mutex<Option<BTreeSet<PageId>>>,
    total: AtomicU64,
}

impl UndoSpace {
    /// A unit to use; its content is of no meaning until it is initialised by its first record.
    pub(crate) async fn take(&self, space: &Arc<Space>, class: Class, session: u32) -> Result<Unit> {
        if class == Class::Page {
            return Ok(Unit::new(self.take_page(space).await?, class, 0));
        }
        let lane = &self.lanes[class as usize - 1][session as usize % LANES];
        loop {
            if let Some(unit) = lane.lock().pop(class) {
                return Ok(unit);
            }
            let known = self.free.lock().parts(class).pop_first();
            let (page, free) = match known {
                Some(known) => known,
                None => (self.divide(space, class).await?, class.all()),
            };
            let mut lane = lane.lock();
            if lane.free == 0 {
                *lane = Parts { page, free };
            } else {
                // Somebody else of this lane was faster.
                self.free.lock().add(page, class, free);
            }
        }
    }

    /// Makes a free page one of parts, all free.
    async fn divide(&self, space: &Arc<Space>, class: Class) -> Result<PageId> {
        let page = self.take_page(space).await?;
        let pin = space.pool().pin(page).await?;
        space
            .change(&[&pin], 256, |mtr| {
                let no = mtr.page_no(&pin);
                mtr.run(no, Op::Init { kind: PageKind::Undo });
                mtr.run(no, Op::Write { offset: OFF_FIRST, bytes: &page_bytes(class) });
                Decision::Done(())
            })
            .await?;
        Ok(page)
    }

    async fn take_page(&self, space: &Arc<Space>) -> Result<PageId> {
        if let Some(page) = self.free.lock().pages.pop() {
            return Ok(page);
        }
        let reserved = space.reserve_page(OwnerId::UNDO).await?;
        let [a, b] = reserved.pins();
        let changed = space
            .change(&[a, b], 512, |mtr| {
                let no = reserved.claim(mtr, PageKind::Undo);
                let page = mtr.page_id(no);
                // Known as fresh before anybody can find it on the volume.
                if let Some(fresh) = self.fresh.lock().as_mut() {
                    fresh.insert(page);
                }
                Decision::Done(page)
            })
            .await?;
        self.total.fetch_add(1, Ordering::Relaxed);
        Ok(changed.value)
    }

    /// Units that no transaction and no reader needs any more.
    pub(crate) fn give_back(&self, units: impl IntoIterator<Item = Unit>) {
        let mut free = self.free.lock();
        for unit in units {
            free.add(unit.page(), unit.class(), 1 << unit.no());
        }
    }

    /// At an opening: what is claimed from here on is not for the rebuild to judge.
    pub(crate) fn opened() -> UndoSpace {
        UndoSpace { fresh: Mutex::new(Some(BTreeSet::new())), ..UndoSpace::default() }
    }

    /// Whether a page was claimed since the opening. Until the rebuild is over no other page is used.
    pub(crate) fn is_fresh(&self, page: PageId) -> bool {
        self.fresh.lock().as_ref().is_some_and(|f| f.contains(&page))
    }

    /// After an opening: pages found on the volume, and what of them is free.
    pub(crate) fn found(&self, total: u64, free: Vec<Unit>) {
        let fresh = self.fresh.lock().take().map_or(0, |f| f.len() as u64);
        self.total.fetch_add(total.saturating_sub(fresh), Ordering::Relaxed);
        self.give_back(free);
    }

    /// Pages in all and wholly free ones, for status.
    pub(crate) fn count(&self) -> (u64, u64) {
        (self.total.load(Ordering::Relaxed), self.free.lock().pages.len() as u64)
    }
}
