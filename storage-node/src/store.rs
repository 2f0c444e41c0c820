//! Which page versions a full segment stores, and in which slots of its page file. Versions are never overwritten in place.
//!
//! ```text
//!   page 7:  @120 slot 3 ── @260 slot 9        read at 200 -> slot 3 + records (120, 200]
//!                             ▲ page point 260: every page is complete through here
//! ```
//!
//! Invariants
//! 1. A slot is written only while no version and no reader names it, and named only after its image is durable (and read back).
//! 2. I14: a version goes only once a newer one at or below PGMRPL exists. A *discarded* version (no slot) goes by itself once
//!    nothing below it is held any more: the page is forgotten.
//! 3. `page_point` never falls while the store is whole; every point in `points` was one, at which every page had a version
//!    that held all its records up to it.

use crate::journal::{self, Change};
use crate::versions::Versions;
use protocol::lsn::Lsn;
use protocol::page::{PAGE_BYTES, PageId};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What a stored version costs in the index: its place in the tree (32 bytes, nodes five elevenths full at worst), or in its page's list.
pub const VERSION_BYTES: u64 = 96;
/// What an entry of one of the sets beside it costs.
pub const SET_BYTES: u64 = 32;

/// One stored version of a page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Version {
    /// The page LSN of the image.
    pub lsn: Lsn,
    /// Where it lies; `None`: the page was discarded at this LSN.
    pub slot: Option<u32>,
    /// It came from a peer: what the page was before is not known here.
    pub oldest_known: bool,
}

/// The page versions of one full segment.
#[derive(Debug, Default)]
pub struct PageStore {
    versions: BTreeMap<PageId, Versions>,
    /// Versions in all.
    count: usize,
    free: BTreeSet<u32>,
    slots: u32,
    several: BTreeSet<PageId>,
    points: VecDeque<Lsn>,
    /// Every page is durable, checked and complete through here.
    pub page_point: Lsn,
    /// PGMRPL when versions were last dropped: nothing below is served.
    pub forgotten_below: Lsn,
    readers: BTreeMap<u32, u32>,
    dropped_while_read: BTreeSet<u32>,
}

impl PageStore {
    /// Nothing stored.
    #[must_use]
    pub fn new() -> PageStore {
        PageStore::default()
    }

    /// Byte offset of a slot in the page file.
    #[must_use]
    pub fn offset(slot: u32) -> u64 {
        u64::from(slot) * PAGE_BYTES as u64
    }

    /// The newest version at or below `at`.
    #[must_use]
    pub fn version_at(&self, page: PageId, at: Lsn) -> Option<Version> {
        let versions = self.versions.get(&page)?.all();
        versions[..versions.partition_point(|v| v.lsn <= at)].last().copied()
    }

    /// The newest version of all.
    #[must_use]
    pub fn newest(&self, page: PageId) -> Option<Version> {
        self.versions.get(&page)?.all().last().copied()
    }

    /// True when the page's history at `at` was lost: its oldest version came from a peer and is newer.
    #[must_use]
    pub fn lost_before(&self, page: PageId, at: Lsn) -> bool {
        let first = self.versions.get(&page).and_then(|v| v.all().first());
        first.is_some_and(|v| v.oldest_known && v.lsn > at)
    }

    /// The next `count` pages above `after` with their newest versions, discarded ones left out, and whether there are more.
    #[must_use]
    pub fn after(&self, after: Option<PageId>, count: usize) -> (Vec<(PageId, Version)>, bool) {
        let lower = after.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
        let range = self.versions.range((lower, std::ops::Bound::Unbounded));
        let mut all =
            range.filter_map(|(page, v)| v.all().last().filter(|v| v.slot.is_some()).map(|v| (*page, *v)));
        let part: Vec<_> = all.by_ref().take(count).collect();
        (part, all.next().is_none())
    }

    /// A slot nobody names.
    pub fn take_slot(&mut self) -> u32 {
        if let Some(slot) = self.free.pop_first() {
            return slot;
        }
        self.slots += 1;
        self.slots - 1
    }

    /// A slot that was taken and not named after all.
    pub fn give_back(&mut self, slot: u32) {
        assert!(self.free.insert(slot), "slot {slot} is given back twice");
    }

    /// A reader starts on a slot; it will not be reused before [`read_done`](Self::read_done).
    pub fn read_begins(&mut self, slot: u32) {
        *self.readers.entry(slot).or_default() += 1;
    }

    /// The reader is done with it.
    pub fn read_done(&mut self, slot: u32) {
        let Some(count) = self.readers.get_mut(&slot) else { return };
        *count -= 1;
        if *count == 0 {
            self.readers.remove(&slot);
            if self.dropped_while_read.remove(&slot) {
                self.give_back(slot);
            }
        }
    }

    /// What collection would drop of `page` once `new` (if any) is stored: invariant 2. `log_base`: records at or below are gone.
    #[must_use]
    pub fn droppable(&self, page: PageId, new: Option<Lsn>, pgmrpl: Lsn, log_base: Lsn) -> Vec<Version> {
        let Some(versions) = self.versions.get(&page).map(Versions::all) else { return Vec::new() };
        let lsns = versions.iter().map(|v| v.lsn).chain(new);
        let Some(keep) = lsns.filter(|lsn| *lsn <= pgmrpl).max() else { return Vec::new() };
        let old = versions.iter().filter(|v| v.lsn < keep);
        let forgotten = versions.iter().filter(|v| v.slot.is_none() && v.lsn == keep && v.lsn <= log_base);
        old.chain(forgotten).copied().collect()
    }

    /// Pages that may have something to collect, above `after`, at most `count`.
    #[must_use]
    pub fn candidates(&self, after: Option<PageId>, count: usize) -> Vec<PageId> {
        let lower = after.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
        self.several.range((lower, std::ops::Bound::Unbounded)).take(count).copied().collect()
    }

    /// Applies changes that are durable in the journal.
    pub fn apply(&mut self, entries: &[journal::Entry]) {
        for entry in entries {
            match entry.change {
                Change::Add { oldest_known } => {
                    self.add(entry.page, Version { lsn: entry.lsn, slot: entry.slot, oldest_known });
                }
                Change::Drop => self.drop_version(entry.page, entry.lsn),
            }
        }
    }

    fn add(&mut self, page: PageId, version: Version) {
        if let Some(slot) = version.slot {
            self.slots = self.slots.max(slot + 1);
            self.free.remove(&slot);
        }
        let replaced = match self.versions.entry(page) {
            Entry::Occupied(mut slot) => slot.get_mut().put(version),
            Entry::Vacant(slot) => {
                slot.insert(Versions::One(version));
                None
            }
        };
        match replaced {
            Some(old) if old.slot != version.slot => old.slot.into_iter().for_each(|slot| self.release(slot)),
            Some(_) => {}
            None => self.count += 1,
        }
        self.classify(page);
    }

    fn drop_version(&mut self, page: PageId, lsn: Lsn) {
        let Some(versions) = self.versions.get_mut(&page) else { return };
        let Some(at) = versions.all().iter().position(|v| v.lsn == lsn) else { return };
        let old = versions.all()[at];
        match versions.without(at) {
            Some(left) => *versions = left,
            None => drop(self.versions.remove(&page)),
        }
        self.count -= 1;
        if let Some(slot) = old.slot {
            self.release(slot);
        }
        self.classify(page);
    }

    fn release(&mut self, slot: u32) {
        if self.readers.contains_key(&slot) {
            self.dropped_while_read.insert(slot);
        } else {
            self.free.insert(slot);
        }
    }

    fn classify(&mut self, page: PageId) {
        let several = |v: &[Version]| v.len() > 1 || v.iter().any(|v| v.slot.is_none());
        let collectable = self.versions.get(&page).is_some_and(|v| several(v.all()));
        if collectable {
            self.several.insert(page);
        } else {
            self.several.remove(&page);
        }
    }

    /// After the journal was replayed: every slot below the highest that no version names is free.
    pub fn rebuild_free(&mut self) {
        let used: BTreeSet<u32> =
            self.versions.values().flat_map(|v| v.all()).filter_map(|v| v.slot).collect();
        self.free = (0..self.slots).filter(|s| !used.contains(s)).collect();
        self.points = VecDeque::from([self.page_point]);
    }

    /// A round made every page complete through `point`.
    pub fn advance(&mut self, point: Lsn) {
        assert!(
            point >= self.page_point,
            "store invariant 3: page point falls from {:?} to {point:?}",
            self.page_point
        );
        if point > self.page_point || self.points.is_empty() {
            self.page_point = point;
            self.points.push_back(point);
        }
    }

    /// The newest point at or below `bound`; older ones are forgotten.
    pub fn point_at(&mut self, bound: Lsn) -> Option<Lsn> {
        while self.points.len() > 1 && self.points[1] <= bound {
            self.points.pop_front();
        }
        self.points.front().copied().filter(|p| *p <= bound)
    }

    /// The newest point at or below `bound`; nothing is forgotten.
    #[must_use]
    pub fn point_below(&self, bound: Lsn) -> Option<Lsn> {
        self.points.iter().rev().find(|p| **p <= bound).copied()
    }

    /// Everything stored, for a new journal generation.
    #[must_use]
    pub fn snapshot(&self) -> Vec<journal::Entry> {
        let all = self.versions.iter().flat_map(|(page, v)| v.all().iter().map(move |v| (*page, *v)));
        all.map(|(page, v)| journal::Entry {
            page,
            lsn: v.lsn,
            slot: v.slot,
            change: Change::Add { oldest_known: v.oldest_known },
        })
        .collect()
    }

    /// Bytes of memory behind the index of stored versions, at most: [`VERSION_BYTES`] for each, [`SET_BYTES`] for each page with
    /// something to collect and each slot that is free or being read.
    #[must_use]
    pub fn memory(&self) -> u64 {
        let sets = self.several.len() + self.free.len() + self.readers.len() + self.dropped_while_read.len();
        self.count as u64 * VERSION_BYTES + sets as u64 * SET_BYTES
    }

    /// Versions stored.
    #[must_use]
    pub fn version_count(&self) -> usize {
        self.count
    }

    /// Pages stored.
    #[must_use]
    pub fn page_count(&self) -> usize {
        self.versions.len()
    }

    /// Slots of the page file, free ones included.
    #[must_use]
    pub fn slot_count(&self) -> u32 {
        self.slots
    }

    /// Slots in use.
    #[must_use]
    pub fn used_slots(&self) -> u64 {
        u64::from(self.slots) - self.free.len() as u64
    }

    /// The version after (page, lsn) in order, wrapping to none: the scrubber's walk.
    #[must_use]
    pub fn next_version(&self, after: Option<(PageId, Lsn)>) -> Option<(PageId, Version)> {
        let stored = |v: &&Version| v.slot.is_some();
        if let Some((page, lsn)) = after {
            let same =
                self.versions.get(&page).and_then(|v| v.all().iter().filter(stored).find(|v| v.lsn > lsn));
            if let Some(version) = same {
                return Some((page, *version));
            }
        }
        let lower = after.map_or(std::ops::Bound::Unbounded, |(page, _)| std::ops::Bound::Excluded(page));
        let mut later = self.versions.range((lower, std::ops::Bound::Unbounded));
        later.find_map(|(page, v)| v.all().iter().find(stored).map(|v| (*page, *v)))
    }
}
