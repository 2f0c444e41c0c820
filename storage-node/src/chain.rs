//! The records one segment holds, and the end of their gap-free chain, the SCL.
//!
//! ```text
//!   base ──► 120 ──► 180 ──► 260      300 ──► 340        every record names the one before it in its group
//!  (dropped)               ▲ SCL   gap               ▲ highest
//! ```
//!
//! Invariants
//! 1. I4: SCL is exactly the end of the chain that starts at `base` and follows the `prev_pg` links; nothing else moves it but
//!    a truncation (R3), which removes dead records for good.
//! 2. Only records durable in the hot log are in here.
//! 3. One content per LSN: a second one is a conflict and is not taken.
//! 4. `base` is an LSN of the group's chain, or zero; every record held is above it.

use bytes::Bytes;
use protocol::head::TruncationList;
use protocol::lsn::Lsn;
use protocol::page::PageId;
use protocol::record::Record;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Included, Unbounded};

/// What a record is to a chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// Not held yet.
    New,
    /// Held, with the same epoch and checksum.
    Held,
    /// At or below the base: known and dropped.
    Old,
    /// Another content is held at this LSN.
    Conflict,
}

/// Durable records of one segment above its floor.
#[derive(Debug)]
pub struct Chain {
    base: Lsn,
    scl: Lsn,
    records: BTreeMap<Lsn, Record>,
    bytes: usize,
    by_page: Option<BTreeMap<PageId, Vec<Lsn>>>,
    mark: Lsn,
    longest: usize,
    unapplied: usize,
    beyond: usize,
}

impl Chain {
    /// An empty chain above `base`. With `pages`, records can be found by page (full segments).
    #[must_use]
    pub fn new(base: Lsn, pages: bool) -> Chain {
        let by_page = pages.then(BTreeMap::new);
        Chain {
            base,
            scl: base,
            records: BTreeMap::new(),
            bytes: 0,
            by_page,
            mark: base,
            longest: 0,
            unapplied: 0,
            beyond: 0,
        }
    }

    /// Pages are complete through `point`: chains of unapplied records are counted from there.
    pub fn set_mark(&mut self, point: Lsn) {
        self.mark = point;
        self.longest = 0;
        self.count();
    }

    /// Counts anew what lies above the mark, and beyond a gap.
    fn count(&mut self) {
        let bytes = |from: Lsn| self.records.range((Excluded(from), Unbounded)).map(|(_, r)| r.len()).sum();
        (self.unapplied, self.beyond) = (bytes(self.mark), bytes(self.scl));
    }

    /// Bytes of records above the mark: what restart and coalescing have to do.
    #[must_use]
    pub fn unapplied_bytes(&self) -> usize {
        self.unapplied
    }

    /// Bytes of records held beyond a gap.
    #[must_use]
    pub fn beyond_gap_bytes(&self) -> usize {
        self.beyond
    }

    /// The longest chain of unapplied records any page has grown since the mark was set.
    #[must_use]
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// End of the gap-free chain.
    #[must_use]
    pub fn scl(&self) -> Lsn {
        if protocol::mutant!(SclIsMax) {
            return self.highest();
        }
        self.scl
    }

    /// Log at or below is dropped.
    #[must_use]
    pub fn base(&self) -> Lsn {
        self.base
    }

    /// The highest LSN held, gaps or not.
    #[must_use]
    pub fn highest(&self) -> Lsn {
        self.records.last_key_value().map_or(self.base, |(lsn, _)| *lsn)
    }

    /// Bytes of frames held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Records held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// True when nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// True when something is held beyond a gap.
    #[must_use]
    pub fn has_gap(&self) -> bool {
        self.highest() > self.scl
    }

    /// What `record` is to this chain.
    #[must_use]
    pub fn standing(&self, record: &Record) -> Standing {
        if record.lsn <= self.base {
            return Standing::Old;
        }
        match self.records.get(&record.lsn) {
            None => Standing::New,
            Some(held) if held.epoch == record.epoch && held.crc() == record.crc() => Standing::Held,
            Some(_) => Standing::Conflict,
        }
    }

    /// Takes a record that is durable in the log; anything but [`Standing::New`] changes nothing. True when it was taken.
    pub fn insert(&mut self, record: Record) -> bool {
        if self.standing(&record) != Standing::New {
            return false;
        }
        self.bytes += record.len();
        self.unapplied += if record.lsn > self.mark { record.len() } else { 0 };
        self.beyond += if record.lsn > self.scl { record.len() } else { 0 };
        if let Some(by_page) = &mut self.by_page {
            let lsns = by_page.entry(record.page).or_default();
            let at = lsns.partition_point(|l| *l < record.lsn);
            lsns.insert(at, record.lsn);
            let mark = self.mark;
            self.longest = self.longest.max(lsns.len() - lsns.partition_point(|l| *l <= mark));
        }
        let follows = record.prev_pg == self.scl && record.lsn > self.scl;
        self.records.insert(record.lsn, record);
        if follows {
            self.advance();
        }
        true
    }

    fn advance(&mut self) {
        let before = self.scl;
        let mut scl = self.scl;
        for (lsn, record) in self.records.range((Excluded(scl), Unbounded)) {
            if record.prev_pg != scl {
                break;
            }
            scl = *lsn;
            self.beyond -= record.len();
        }
        assert!(scl >= before, "chain invariant 1: SCL falls from {before:?} to {scl:?} by a new record");
        self.scl = scl;
    }

    /// Where the chain would end if it reached `from`: what is held beyond a gap may have been acknowledged too.
    #[must_use]
    pub fn continued_from(&self, from: Lsn) -> Lsn {
        let mut end = from;
        for (lsn, record) in self.records.range((Excluded(from), Unbounded)) {
            if record.prev_pg != end {
                break;
            }
            end = *lsn;
        }
        end
    }

    /// R3: removes every record the list kills and finds the SCL anew. Returns how many went.
    pub fn truncate(&mut self, list: &TruncationList) -> usize {
        let dead: Vec<Lsn> = self.records.values().filter(|r| list.kills(r)).map(|r| r.lsn).collect();
        for lsn in &dead {
            self.remove(*lsn);
        }
        if !dead.is_empty() {
            self.scl = self.base;
            self.count();
            self.advance();
        }
        dead.len()
    }

    fn remove(&mut self, lsn: Lsn) {
        let Some(record) = self.records.remove(&lsn) else { return };
        self.bytes -= record.len();
        if let Some(by_page) = &mut self.by_page
            && let Some(lsns) = by_page.get_mut(&record.page)
        {
            lsns.retain(|l| *l != lsn);
            if lsns.is_empty() {
                by_page.remove(&record.page);
            }
        }
    }

    /// Forgets everything at or below `through`, which lies on the chain: pages hold it everywhere (R11).
    pub fn drop_through(&mut self, through: Lsn) {
        assert!(
            through <= self.scl(),
            "R11: dropping log through {through:?} beyond the chain's end {:?}",
            self.scl
        );
        self.restart_at(through);
    }

    /// Starts the chain anew at `base`: what is at or below is gone here, whatever was held.
    pub fn restart_at(&mut self, base: Lsn) {
        if base <= self.base {
            return;
        }
        let keep = self.records.split_off(&base.advance(1));
        let gone = std::mem::replace(&mut self.records, keep);
        self.bytes -= gone.values().map(Record::len).sum::<usize>();
        if let Some(by_page) = &mut self.by_page {
            let pages: BTreeSet<PageId> = gone.values().map(|r| r.page).collect();
            for page in pages {
                let Some(lsns) = by_page.get_mut(&page) else { continue };
                lsns.drain(..lsns.partition_point(|l| *l <= base));
                if lsns.is_empty() {
                    by_page.remove(&page);
                }
            }
        }
        self.base = base;
        self.scl = self.scl.max(base);
        self.mark = self.mark.max(base);
        self.count();
        self.advance();
    }

    /// The last LSN of the chain at or below `at` (the base when nothing else is).
    #[must_use]
    pub fn point_at(&self, at: Lsn) -> Lsn {
        let at = at.min(self.scl);
        if at <= self.base {
            return self.base;
        }
        self.records.range((Excluded(self.base), Included(at))).next_back().map_or(self.base, |(lsn, _)| *lsn)
    }

    /// Chain records in (after, through], oldest first, gaps left out: nothing above the SCL.
    pub fn range(&self, after: Lsn, through: Lsn) -> impl Iterator<Item = &Record> {
        let through = through.min(self.scl());
        let after = after.max(self.base).min(through);
        self.records
            .range((Excluded(after), Included(through.max(Lsn(after.0 + 1)))))
            .map(|(_, r)| r)
            .filter(move |r| r.lsn <= through)
    }

    /// Every record held, gaps or not.
    pub fn all(&self) -> impl Iterator<Item = &Record> {
        self.records.values()
    }

    /// Pages with records in (after, through], in order of id.
    pub fn pages_in(&self, after: Lsn, through: Lsn) -> impl Iterator<Item = PageId> {
        let touched = move |lsns: &Vec<Lsn>| {
            lsns.get(lsns.partition_point(|l| *l <= after)).is_some_and(|next| *next <= through)
        };
        self.by_page.iter().flatten().filter(move |(_, lsns)| touched(lsns)).map(|(page, _)| *page)
    }

    /// Records of one page in (after, through], oldest first.
    #[must_use]
    pub fn of_page(&self, page: PageId, after: Lsn, through: Lsn) -> Vec<Record> {
        let Some(lsns) = self.by_page.as_ref().and_then(|p| p.get(&page)) else { return Vec::new() };
        let from = lsns.partition_point(|l| *l <= after);
        let wanted = lsns[from..].iter().take_while(|l| **l <= through);
        wanted.filter_map(|l| self.records.get(l)).cloned().collect()
    }

    /// Frames of the chain in (after, through], at most `max_bytes` but at least one; true when that is all there is.
    #[must_use]
    pub fn slice(&self, after: Lsn, through: Lsn, max_bytes: usize) -> (Bytes, bool) {
        let mut frames = Vec::new();
        for record in self.range(after, through) {
            if !frames.is_empty() && frames.len() + record.len() > max_bytes {
                return (Bytes::from(frames), false);
            }
            frames.extend_from_slice(record.frame());
        }
        (Bytes::from(frames), true)
    }
}
