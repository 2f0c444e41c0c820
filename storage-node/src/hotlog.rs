//! Where log blocks go: numbered files of one size, written front to back, released whole.
//!
//! ```text
//!   position:  0 ........ F ........ 2F ....... 3F ....... 4F
//!   file:      | released | first .. | .. tail  | ahead    |
//!                         ▲ superblock: first file, its first sequence number
//! ```
//!
//! Invariants
//! 1. A block lies within one file; what is left of a file that is too short stays zero.
//! 2. A file is zero beyond the tail: what is found there after a crash is the block that was in flight.
//! 3. A file is released only when every record in it is at or below its segment's floor, and deleted only after the
//!    superblock that starts the log behind it is durable.

use protocol::geometry::SegmentId;
use protocol::lsn::Lsn;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What is known of one log file.
#[derive(Clone, Debug, Default)]
pub struct LogFile {
    /// Sequence number of its first block, once there is one.
    pub first_sequence: Option<u64>,
    /// The highest LSN of any record in it, by segment.
    pub highest: BTreeMap<SegmentId, Lsn>,
    /// The lowest.
    pub lowest: BTreeMap<SegmentId, Lsn>,
    /// It was found damaged, and what it held was written again behind it.
    pub rewritten: bool,
}

/// A place for a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// File number.
    pub file: u64,
    /// Offset in the file.
    pub offset: u64,
    /// Position in the log.
    pub position: u64,
}

/// The layout of one node's hot log.
#[derive(Debug)]
pub struct HotLog {
    file_bytes: u64,
    /// Position after the last block.
    pub tail: u64,
    /// Sequence number of the next block.
    pub next_sequence: u64,
    /// First file that still counts.
    pub first_file: u64,
    /// Files from the first on that hold blocks or are ready for them.
    pub files: BTreeMap<u64, LogFile>,
    ready: BTreeSet<u64>,
    /// The file being made, if any.
    pub allocating: Option<u64>,
}

impl HotLog {
    /// An empty log whose first block goes to file `first_file`.
    #[must_use]
    pub fn new(file_bytes: u64, first_file: u64, next_sequence: u64) -> HotLog {
        HotLog {
            file_bytes,
            tail: first_file * file_bytes,
            next_sequence,
            first_file,
            files: BTreeMap::new(),
            ready: BTreeSet::new(),
            allocating: None,
        }
    }

    /// File and offset of a position.
    #[must_use]
    pub fn at(&self, position: u64) -> (u64, u64) {
        (position / self.file_bytes, position % self.file_bytes)
    }

    /// A file of the right size, zero from the tail on, exists.
    pub fn add_ready(&mut self, file: u64) {
        self.ready.insert(file);
    }

    /// Where a block of `len` bytes goes, if its file is ready.
    #[must_use]
    pub fn place(&self, len: u64) -> Option<Place> {
        assert!(len <= self.file_bytes, "a block of {len} bytes exceeds a log file of {}", self.file_bytes);
        let (mut file, mut offset) = self.at(self.tail);
        if offset + len > self.file_bytes {
            (file, offset) = (file + 1, 0);
        }
        self.ready.contains(&file).then_some(Place {
            file,
            offset,
            position: file * self.file_bytes + offset,
        })
    }

    /// A file that should be made now: the one the tail needs, or the next once the current one is half full.
    #[must_use]
    pub fn wanted(&self) -> Option<u64> {
        let (file, offset) = self.at(self.tail);
        let want = if !self.ready.contains(&file) {
            file
        } else if offset * 2 >= self.file_bytes && !self.ready.contains(&(file + 1)) {
            file + 1
        } else {
            return None;
        };
        self.allocating.is_none().then_some(want)
    }

    /// A block was issued at `place`; the next one goes behind it.
    pub fn advance(&mut self, place: Place, len: u64) {
        assert!(place.position >= self.tail, "log tail moves back from {} to {}", self.tail, place.position);
        let sequence = self.next_sequence;
        self.files.entry(place.file).or_default().first_sequence.get_or_insert(sequence);
        self.tail = place.position + len;
        self.next_sequence += 1;
    }

    /// Records of `segment` from `lowest` to `highest` lie in `file`.
    pub fn note(&mut self, file: u64, segment: SegmentId, (lowest, highest): (Lsn, Lsn)) {
        let file = self.files.entry(file).or_default();
        let known = file.highest.entry(segment).or_default();
        *known = (*known).max(highest);
        let known = file.lowest.entry(segment).or_insert(lowest);
        *known = (*known).min(lowest);
    }

    /// Files that may hold the segment's next record above `after`, at most `count`: those that begin at or below the end of the
    /// one that ends first.
    #[must_use]
    pub fn files_with(&self, segment: SegmentId, after: Lsn, count: usize) -> VecDeque<u64> {
        let span = |f: &LogFile| Some((*f.lowest.get(&segment)?, *f.highest.get(&segment)?));
        let ahead = || {
            let spans = self.files.range(self.first_file..).filter_map(|(n, f)| Some((*n, span(f)?)));
            spans.filter(|(_, (_, highest))| *highest > after)
        };
        let Some(end) = ahead().map(|(_, (_, highest))| highest).min() else { return VecDeque::new() };
        ahead().filter(|(_, (lowest, _))| *lowest <= end).map(|(n, _)| n).take(count).collect()
    }

    /// Every file with records of `segment` above `after`, oldest first.
    pub fn files_of(&self, segment: SegmentId, after: Lsn) -> VecDeque<u64> {
        let has = |f: &LogFile| f.highest.get(&segment).is_some_and(|highest| *highest > after);
        self.files.range(self.first_file..).filter(|(_, f)| has(f)).map(|(n, _)| *n).collect()
    }

    /// Moves the first file over all files nobody needs; `needs(segment, highest)` says whether a segment still needs records up
    /// to there. True when it moved.
    pub fn release(&mut self, needs: impl Fn(SegmentId, Lsn) -> bool) -> bool {
        let (current, _) = self.at(self.tail);
        let before = self.first_file;
        while self.first_file < current {
            if let Some(file) = self.files.get(&self.first_file)
                && file.highest.iter().any(|(segment, lsn)| needs(*segment, *lsn))
            {
                break;
            }
            self.first_file += 1;
        }
        self.first_file != before
    }

    /// Files before the first one: to be deleted once the superblock says so. Forgets them.
    pub fn take_released(&mut self, durable_first: u64) -> Vec<u64> {
        let mut gone: Vec<u64> = self.ready.range(..durable_first).copied().collect();
        gone.extend(self.files.range(..durable_first).map(|(n, _)| *n).filter(|n| !self.ready.contains(n)));
        for file in &gone {
            self.ready.remove(file);
            self.files.remove(file);
        }
        gone
    }

    /// Sequence number of the first block at or after the first file.
    #[must_use]
    pub fn first_sequence(&self) -> u64 {
        let first = self.files.range(self.first_file..).find_map(|(_, f)| f.first_sequence);
        first.unwrap_or(self.next_sequence)
    }

    /// The next file after `after` that is complete (the tail lies beyond it) and undamaged as far as known, with the sequence
    /// numbers of its blocks: first, and one past the last. Starts over at the end.
    #[must_use]
    pub fn next_complete(&self, after: Option<u64>) -> Option<(u64, u64, u64)> {
        let (current, _) = self.at(self.tail);
        let complete = |from: u64| {
            let mut files = self.files.range(from.max(self.first_file)..current);
            files.find_map(|(n, f)| f.first_sequence.filter(|_| !f.rewritten).map(|first| (*n, first)))
        };
        let (number, first) = complete(after.map_or(0, |n| n + 1)).or_else(|| complete(0))?;
        let next =
            self.files.range(number + 1..).find_map(|(_, f)| f.first_sequence).unwrap_or(self.next_sequence);
        Some((number, first, next))
    }

    /// The complete and, as far as known, undamaged files that count.
    #[must_use]
    pub fn complete_files(&self) -> Vec<u64> {
        let (current, _) = self.at(self.tail);
        let files = self.files.range(self.first_file.min(current)..current);
        files.filter(|(_, f)| f.first_sequence.is_some() && !f.rewritten).map(|(n, _)| *n).collect()
    }

    /// Sequence numbers of the blocks of such a file: first, and one past the last; `None` when it is none any more.
    #[must_use]
    pub fn complete(&self, number: u64) -> Option<(u64, u64)> {
        let before = number.checked_sub(1);
        let (found, first, next) = self.next_complete(before)?;
        (found == number).then_some((first, next))
    }

    /// True when only the file being written counts.
    #[must_use]
    pub fn is_short(&self) -> bool {
        self.first_file >= self.at(self.tail).0
    }

    /// Bytes of log files that count.
    #[must_use]
    pub fn held_bytes(&self) -> u64 {
        self.tail.saturating_sub(self.first_file * self.file_bytes)
    }

    /// True when any file that counts holds a record of the segment above `floor`.
    #[must_use]
    pub fn holds_above(&self, segment: SegmentId, floor: Lsn) -> bool {
        self.files.values().any(|f| f.highest.get(&segment).is_some_and(|lsn| *lsn > floor))
    }
}
