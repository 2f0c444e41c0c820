//! The records one segment holds in memory, and the end of their gap-free chain, the SCL.
//!
//! ```text
//!   base ─ ─ ─ ► from ──► 120 ──► 180 ──► 260      300 ──► 340        every record names the one before it in its group
//!  (dropped)  (on disk      linked       ▲ SCL  gap  ahead  ▲ highest
//!              only)
//! ```
//!
//! What is linked lies in one queue in chain order: an append that follows the end costs a push. What lies beyond a gap waits
//! in a map. A full segment finds the records of a page by walking back from the last one: each entry says how far back
//! the one before it lies, so that a record costs no allocation and no search.
//!
//! Invariants
//! 1. I4: SCL is exactly the end of the chain that starts at `base` and follows the `prev_pg` links; nothing else moves it but
//!    a truncation (R3), which removes dead records for good.
//! 2. Only records durable in the hot log are in here.
//! 3. One content per LSN: a second one is a conflict and is not taken.
//! 4. `base` and `from` are LSNs of the group's chain, or zero; every record held is above `from`, and base <= from <= SCL.

use crate::held::Held;
use bytes::Bytes;
use protocol::head::TruncationList;
use protocol::lsn::Lsn;
use protocol::page::PageId;
use protocol::record::Record;
use std::collections::hash_map::Entry as Slot;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::Bound::{Excluded, Unbounded};

/// What a held record costs beside its frame, at most: its decoded header, its places in queue and index with their slack.
pub const ENTRY_BYTES: usize = 160;

/// What a record is to a chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// Not held yet.
    New,
    /// Held, with the same epoch and checksum.
    Held,
    /// At or below what memory holds: known, and dropped or on disk.
    Old,
    /// Another content is held at this LSN.
    Conflict,
}

/// A linked record.
#[derive(Debug)]
struct Linked {
    /// Of the record; beside it, so that searches stay in the queue.
    lsn: Lsn,
    record: Held,
    /// How many places back the record before it on its page lies; zero: it is the first one linked.
    back: u32,
}

/// The last linked record of a page.
#[derive(Clone, Copy, Debug)]
struct Tip {
    last: u64,
    /// Records above the mark, counted since `stamp`.
    count: u32,
    stamp: u32,
}

/// Page ids come from the writer and are dense: one multiplication spreads them. Never iterated.
#[derive(Default)]
struct PageHasher(u64);

impl Hasher for PageHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|b| self.write_u64(u64::from(*b)));
    }
    fn write_u64(&mut self, n: u64) {
        self.0 = (self.0 ^ n).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23);
    }
}

type Tips = HashMap<PageId, Tip, BuildHasherDefault<PageHasher>>;

/// Durable records of one segment above its floor.
#[derive(Debug)]
pub struct Chain {
    base: Lsn,
    from: Lsn,
    scl: Lsn,
    linked: VecDeque<Linked>,
    /// Number of the first linked record since the chain began: positions stay valid while the front is dropped.
    first: u64,
    ahead: BTreeMap<Lsn, Held>,
    bytes: usize,
    ahead_bytes: usize,
    /// Looked up only: its order means nothing.
    tips: Option<Tips>,
    mark: Lsn,
    stamp: u32,
    unapplied: usize,
    longest: usize,
}

impl Chain {
    /// An empty chain above `base`. With `pages`, records can be found by page (full segments).
    #[must_use]
    pub fn new(base: Lsn, pages: bool) -> Chain {
        Chain {
            base,
            from: base,
            scl: base,
            linked: VecDeque::new(),
            first: 0,
            ahead: BTreeMap::new(),
            bytes: 0,
            ahead_bytes: 0,
            tips: pages.then(Tips::default),
            mark: base,
            stamp: 0,
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

    /// Log in (base, from] lies on disk only.
    #[must_use]
    pub fn from(&self) -> Lsn {
        self.from
    }

    /// The highest LSN held, gaps or not.
    #[must_use]
    pub fn highest(&self) -> Lsn {
        self.ahead.last_key_value().map_or(self.scl, |(lsn, _)| *lsn)
    }

    /// Bytes of frames held in memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes of memory behind it, at most: frames, and what each record costs beside its frame.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.bytes + self.len() * ENTRY_BYTES
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

    /// Records held in memory.
    #[must_use]
    pub fn len(&self) -> usize {
        self.linked.len() + self.ahead.len()
    }

    /// True when nothing is held in memory.
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
        if lsn >= self.scl { self.linked.len() } else { self.linked.partition_point(|l| l.lsn <= lsn) }
    }

    /// What `record` is to this chain.
    #[must_use]
    pub fn standing(&self, record: &Record) -> Standing {
        if record.lsn <= self.from {
            return Standing::Old;
        }
        let held = if record.lsn > self.scl {
            self.ahead.get(&record.lsn)
        } else {
            let at = self.linked.partition_point(|l| l.lsn < record.lsn);
            self.linked.get(at).map(|l| &l.record).filter(|r| r.lsn == record.lsn)
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
    pub fn insert(&mut self, record: impl Into<Held>) -> bool {
        let record = record.into();
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

    fn link(&mut self, record: Held) {
        assert!(
            record.prev_pg == self.scl && record.lsn > self.scl,
            "chain invariant 1: {record:?} linked behind {:?}",
            self.scl
        );
        let number = self.first + self.linked.len() as u64;
        let unapplied = record.lsn > self.mark;
        let mut back = 0;
        if let Some(tips) = &mut self.tips {
            let count = u32::from(unapplied);
            match tips.entry(record.page) {
                Slot::Occupied(mut slot) => {
                    let tip = slot.get_mut();
                    back = u32::try_from(number - tip.last).unwrap_or(0);
                    let before = if tip.stamp == self.stamp { tip.count } else { 0 };
                    *tip = Tip { last: number, count: before + count, stamp: self.stamp };
                    self.longest = self.longest.max(tip.count as usize);
                }
                Slot::Vacant(slot) => {
                    slot.insert(Tip { last: number, count, stamp: self.stamp });
                    self.longest = self.longest.max(count as usize);
                }
            }
        }
        self.unapplied += if unapplied { record.len() } else { 0 };
        self.scl = record.lsn;
        self.linked.push_back(Linked { lsn: record.lsn, record, back });
    }

    /// Pages are complete through `point`: chains of unapplied records are counted from there.
    pub fn set_mark(&mut self, point: Lsn) {
        let at = self.above(point);
        (self.mark, self.unapplied, self.longest) = (point, 0, 0);
        self.stamp = self.stamp.wrapping_add(1);
        for linked in self.linked.range(at..) {
            self.unapplied += linked.record.len();
            let Some(tip) = self.tips.as_mut().and_then(|t| t.get_mut(&linked.record.page)) else { continue };
            let before = if tip.stamp == self.stamp { tip.count } else { 0 };
            (tip.count, tip.stamp) = (before + 1, self.stamp);
            self.longest = self.longest.max(tip.count as usize);
        }
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
        if let Some(first_dead) = self.linked.iter().position(|l| list.kills(&l.record)) {
            // What followed a dead record is off the chain; should any of it live, it waits beyond the gap.
            while self.linked.len() > first_dead {
                let Some(linked) = self.linked.pop_back() else { break };
                self.unindex_last(&linked);
                self.ahead_bytes += linked.record.len();
                self.ahead.insert(linked.record.lsn, linked.record);
            }
            self.scl = self.linked.back().map_or(self.from, |l| l.lsn);
            self.set_mark(self.mark);
        }
        self.ahead.retain(|_, r| !list.kills(r));
        let ahead_bytes = self.ahead.values().map(|r| r.len()).sum();
        let gone = before - self.len();
        self.bytes = self.linked.iter().map(|l| l.record.len()).sum::<usize>() + ahead_bytes;
        self.ahead_bytes = ahead_bytes;
        self.advance();
        gone
    }

    /// The last linked record has left the queue, from its end.
    fn unindex_last(&mut self, linked: &Linked) {
        let number = self.first + self.linked.len() as u64;
        let Some(tips) = &mut self.tips else { return };
        let page = linked.record.page;
        match number.checked_sub(u64::from(linked.back)).filter(|_| linked.back > 0) {
            Some(last) if last >= self.first => {
                if let Some(tip) = tips.get_mut(&page) {
                    tip.last = last;
                }
            }
            _ => {
                tips.remove(&page);
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
        self.base = base;
        self.leave_memory(base);
    }

    /// What is at or below `through`, an LSN of the chain that pages or peers need no memory for, lies on disk only.
    pub fn spill_through(&mut self, through: Lsn) {
        assert!(through <= self.scl, "chain invariant 4: spilling through {through:?} beyond {:?}", self.scl);
        self.leave_memory(through);
    }

    /// Some of what lies on disk only is damaged there: the chain ends at its base until peers have sent it again. What memory holds
    /// waits beyond the gap.
    pub fn reopen(&mut self) {
        while let Some(linked) = self.linked.pop_back() {
            self.ahead_bytes += linked.record.len();
            self.ahead.insert(linked.record.lsn, linked.record);
        }
        if let Some(tips) = &mut self.tips {
            tips.clear();
        }
        (self.from, self.scl, self.mark) = (self.base, self.base, self.mark.max(self.base));
        (self.unapplied, self.longest) = (0, 0);
        self.advance();
    }

    fn leave_memory(&mut self, through: Lsn) {
        if through <= self.from {
            return;
        }
        let count = self.above(through);
        let first = self.first;
        for (n, linked) in self.linked.drain(..count).enumerate() {
            let len = linked.record.len();
            self.bytes -= len;
            self.unapplied -= if linked.record.lsn > self.mark { len } else { 0 };
            if let Some(tips) = &mut self.tips
                && let Slot::Occupied(slot) = tips.entry(linked.record.page)
                && slot.get().last == first + n as u64
            {
                slot.remove();
            }
        }
        self.first += count as u64;
        if self.linked.capacity() > 1024 && self.linked.len() < self.linked.capacity() / 4 {
            self.linked.shrink_to(self.linked.len() * 2);
        }
        self.mark = self.mark.max(through);
        while let Some(entry) = self.ahead.first_entry()
            && *entry.key() <= through
        {
            let record = entry.remove();
            self.bytes -= record.len();
            self.ahead_bytes -= record.len();
        }
        self.from = through;
        self.scl = self.scl.max(through);
        self.advance();
    }

    /// The last LSN of the chain at or below `at`, as far as memory knows it; below that, the last one dropped or spilled.
    #[must_use]
    pub fn point_at(&self, at: Lsn) -> Lsn {
        let known = if at < self.from { self.base } else { self.from };
        self.above(at).checked_sub(1).map_or(known, |i| self.linked[i].lsn)
    }

    /// The record that makes memory fit `bytes` once everything through it has left, looking no further than `limit`.
    #[must_use]
    pub fn spill_point(&self, bytes: usize, limit: Lsn) -> Option<Lsn> {
        let mut excess = self.memory().checked_sub(bytes).filter(|e| *e > 0)?;
        let mut point = None;
        for linked in self.linked.iter().take_while(|l| l.record.lsn <= limit) {
            point = Some(linked.record.lsn);
            excess = excess.saturating_sub(linked.record.len() + ENTRY_BYTES);
            if excess == 0 {
                break;
            }
        }
        point
    }

    /// Chain records in (after, through], oldest first; nothing above the SCL, nothing that left memory.
    pub fn range(&self, after: Lsn, through: Lsn) -> impl Iterator<Item = &Held> {
        let from = self.above(after);
        let to = self.above(through).max(from);
        self.linked.range(from..to).map(|l| &l.record)
    }

    /// Every record in memory, gaps or not.
    pub fn all(&self) -> impl Iterator<Item = &Held> {
        self.linked.iter().map(|l| &l.record).chain(self.ahead.values())
    }

    /// How far one round from `after` goes, and its pages in order: to `limit`, or as far as so many pages reach.
    #[must_use]
    pub fn extent(&self, after: Lsn, limit: Lsn, max_pages: usize) -> (Lsn, Vec<PageId>) {
        let from = self.above(after);
        let to = self.above(limit).max(from);
        let (mut found, mut target) = (Vec::new(), after);
        for (n, linked) in self.linked.range(from..to).enumerate() {
            // The first record of its page in the range: the one before it lies below, or is gone.
            if linked.back == 0 || linked.back as usize > n {
                if found.len() >= max_pages {
                    break;
                }
                found.push(linked.record.page);
            }
            target = linked.lsn;
        }
        found.sort_unstable();
        (target, found)
    }

    /// Chain records of one page in (after, through], oldest first.
    #[must_use]
    pub fn of_page(&self, page: PageId, after: Lsn, through: Lsn) -> Vec<Held> {
        let Some(tip) = self.tips.as_ref().and_then(|t| t.get(&page)) else { return Vec::new() };
        let mut found = Vec::new();
        let mut at = tip.last.checked_sub(self.first);
        while let Some(linked) = at.and_then(|i| self.linked.get(i as usize))
            && linked.lsn > after
        {
            if linked.lsn <= through {
                found.push(linked.record.clone());
            }
            at = at.filter(|_| linked.back > 0).and_then(|i| i.checked_sub(u64::from(linked.back)));
        }
        found.reverse();
        found
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
