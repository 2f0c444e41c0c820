//! The records one segment holds, and the end of their gap-free chain, the SCL.
//!
//! ```text
//!   base ──► 120 ──► 180 ──► 260      300 ──► 340        every record names the one before it in its group
//!  (dropped)   linked       ▲ SCL  gap  ahead  ▲ highest
//! ```
//!
//! What is linked lies in one queue in chain order: an append that follows the end costs a push. What lies beyond a gap waits
//! in a map. The pages of a full segment find their records by position in the queue.
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
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound::{Excluded, Unbounded};

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
    linked: VecDeque<Record>,
    /// Number of the first linked record since the chain began: positions stay valid while the front is dropped.
    first: u64,
    ahead: BTreeMap<Lsn, Record>,
    bytes: usize,
    ahead_bytes: usize,
    by_page: Option<BTreeMap<PageId, Vec<u64>>>,
    mark: Lsn,
    /// Number of the first linked record above the mark.
    marked: u64,
    unapplied: usize,
    longest: usize,
}

impl Chain {
    /// An empty chain above `base`. With `pages`, records can be found by page (full segments).
    #[must_use]
    pub fn new(base: Lsn, pages: bool) -> Chain {
        Chain {
            base,
            scl: base,
            linked: VecDeque::new(),
            first: 0,
            ahead: BTreeMap::new(),
            bytes: 0,
            ahead_bytes: 0,
            by_page: pages.then(BTreeMap::new),
            mark: base,
            marked: 0,
            unapplied: 0,
            longest: 0,
        }
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
        self.ahead.last_key_value().map_or(self.scl, |(lsn, _)| *lsn)
    }

    /// Bytes of frames held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes of chain records above the mark: what coalescing has to do.
    #[must_use]
    pub fn unapplied_bytes(&self) -> usize {
        self.unapplied
    }

    /// Bytes of records held beyond a gap.
    #[must_use]
    pub fn beyond_gap_bytes(&self) -> usize {
        self.ahead_bytes
    }

    /// The longest chain of unapplied records any page has grown since the mark was set.
    #[must_use]
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// Records held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.linked.len() + self.ahead.len()
    }

    /// True when nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// True when something is held beyond a gap.
    #[must_use]
    pub fn has_gap(&self) -> bool {
        !self.ahead.is_empty()
    }

    /// Position in the queue of the first linked record above `lsn`.
    fn above(&self, lsn: Lsn) -> usize {
        if lsn >= self.scl { self.linked.len() } else { self.linked.partition_point(|r| r.lsn <= lsn) }
    }

    /// What `record` is to this chain.
    #[must_use]
    pub fn standing(&self, record: &Record) -> Standing {
        if record.lsn <= self.base {
            return Standing::Old;
        }
        let held = if record.lsn > self.scl {
            self.ahead.get(&record.lsn)
        } else {
            let at = self.linked.partition_point(|r| r.lsn < record.lsn);
            self.linked.get(at).filter(|r| r.lsn == record.lsn)
        };
        match held {
            // Below the end of the chain there is no room for a record the chain does not know.
            None if record.lsn <= self.scl => Standing::Conflict,
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
        let next = self.ahead.first_key_value().is_none_or(|(lsn, _)| *lsn > record.lsn);
        if record.prev_pg == self.scl && next {
            self.link(record);
            self.advance();
        } else {
            self.ahead_bytes += record.len();
            self.ahead.insert(record.lsn, record);
        }
        true
    }

    /// Links what now follows the end.
    fn advance(&mut self) {
        while let Some(entry) = self.ahead.first_entry()
            && entry.get().prev_pg == self.scl
        {
            let record = entry.remove();
            self.ahead_bytes -= record.len();
            self.link(record);
        }
    }

    fn link(&mut self, record: Record) {
        assert!(
            record.prev_pg == self.scl && record.lsn > self.scl,
            "chain invariant 1: {record:?} linked behind {:?}",
            self.scl
        );
        let number = self.first + self.linked.len() as u64;
        if let Some(by_page) = &mut self.by_page {
            let numbers = by_page.entry(record.page).or_default();
            numbers.push(number);
            let marked = self.marked;
            let applied = if numbers[0] >= marked { 0 } else { numbers.partition_point(|n| *n < marked) };
            self.longest = self.longest.max(numbers.len() - applied);
        }
        if record.lsn > self.mark {
            self.unapplied += record.len();
        } else {
            self.marked = number + 1;
        }
        self.scl = record.lsn;
        self.linked.push_back(record);
    }

    /// Pages are complete through `point`: chains of unapplied records are counted from there.
    pub fn set_mark(&mut self, point: Lsn) {
        let at = self.above(point);
        self.mark = point;
        self.marked = self.first + at as u64;
        self.unapplied = self.linked.range(at..).map(Record::len).sum();
        self.longest = 0;
    }

    /// Where the chain would end if it reached `from`: what is held beyond a gap may have been acknowledged too.
    #[must_use]
    pub fn continued_from(&self, from: Lsn) -> Lsn {
        if from <= self.scl {
            return self.scl;
        }
        let mut end = from;
        for (lsn, record) in self.ahead.range((Excluded(from), Unbounded)) {
            if record.prev_pg != end {
                break;
            }
            end = *lsn;
        }
        end
    }

    /// R3: removes every record the list kills and finds the SCL anew. Returns how many went.
    pub fn truncate(&mut self, list: &TruncationList) -> usize {
        let before = self.len();
        if let Some(first_dead) = self.linked.iter().position(|r| list.kills(r)) {
            // What followed a dead record is off the chain; should any of it live, it waits beyond the gap.
            let tail = self.linked.split_off(first_dead);
            self.scl = self.linked.back().map_or(self.base, |r| r.lsn);
            for record in tail {
                self.unindex_last(record.page);
                self.ahead_bytes += record.len();
                self.ahead.insert(record.lsn, record);
            }
            self.set_mark(self.mark);
        }
        self.ahead.retain(|_, r| !list.kills(r));
        let ahead_bytes = self.ahead.values().map(Record::len).sum();
        let gone = before - self.len();
        self.bytes = self.linked.iter().map(Record::len).sum::<usize>() + ahead_bytes;
        self.ahead_bytes = ahead_bytes;
        self.advance();
        gone
    }

    /// The last linked records of pages leave the queue, from its end.
    fn unindex_last(&mut self, page: PageId) {
        let Some(by_page) = &mut self.by_page else { return };
        let Some(numbers) = by_page.get_mut(&page) else { return };
        numbers.pop();
        if numbers.is_empty() {
            by_page.remove(&page);
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
        let count = self.above(base);
        self.first += count as u64;
        let (mut pages, mut unapplied) = (BTreeSet::new(), 0);
        for record in self.linked.drain(..count) {
            self.bytes -= record.len();
            unapplied += if record.lsn > self.mark { record.len() } else { 0 };
            pages.insert(record.page);
        }
        self.unapplied -= unapplied;
        self.marked = self.marked.max(self.first);
        self.mark = self.mark.max(base);
        if let Some(by_page) = &mut self.by_page {
            for page in pages {
                let Some(numbers) = by_page.get_mut(&page) else { continue };
                numbers.drain(..numbers.partition_point(|n| *n < self.first));
                if numbers.is_empty() {
                    by_page.remove(&page);
                }
            }
        }
        while let Some(entry) = self.ahead.first_entry()
            && *entry.key() <= base
        {
            let record = entry.remove();
            self.bytes -= record.len();
            self.ahead_bytes -= record.len();
        }
        self.base = base;
        self.scl = self.scl.max(base);
        self.advance();
    }

    /// The last LSN of the chain at or below `at` (the base when nothing else is).
    #[must_use]
    pub fn point_at(&self, at: Lsn) -> Lsn {
        self.above(at).checked_sub(1).map_or(self.base, |i| self.linked[i].lsn)
    }

    /// Chain records in (after, through], oldest first; nothing above the SCL.
    pub fn range(&self, after: Lsn, through: Lsn) -> impl Iterator<Item = &Record> {
        let from = self.above(after);
        let to = self.above(through).max(from);
        self.linked.range(from..to)
    }

    /// Every record held, gaps or not.
    pub fn all(&self) -> impl Iterator<Item = &Record> {
        self.linked.iter().chain(self.ahead.values())
    }

    /// Pages with chain records in (after, through], in order of id.
    pub fn pages_in(&self, after: Lsn, through: Lsn) -> impl Iterator<Item = PageId> {
        let (from, to) = self.numbers(after, through);
        let touched = move |numbers: &[u64]| {
            // Mostly all of a page's records lie above, or none: look at the ends before searching.
            let at = if numbers[0] >= from { 0 } else { numbers.partition_point(|n| *n < from) };
            numbers.get(at).is_some_and(|n| *n < to)
        };
        self.by_page.iter().flatten().filter(move |(_, numbers)| touched(numbers)).map(|(page, _)| *page)
    }

    /// Numbers of the linked records in (after, through]: first, and one past the last.
    fn numbers(&self, after: Lsn, through: Lsn) -> (u64, u64) {
        (self.first + self.above(after) as u64, self.first + self.above(through) as u64)
    }

    /// Chain records of one page in (after, through], oldest first.
    #[must_use]
    pub fn of_page(&self, page: PageId, after: Lsn, through: Lsn) -> Vec<Record> {
        let Some(numbers) = self.by_page.as_ref().and_then(|p| p.get(&page)) else { return Vec::new() };
        let (from, to) = self.numbers(after, through);
        let wanted = &numbers[numbers.partition_point(|n| *n < from)..numbers.partition_point(|n| *n < to)];
        wanted.iter().map(|n| self.linked[(n - self.first) as usize].clone()).collect()
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
