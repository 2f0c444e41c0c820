//! Redo operations and the one way a page changes.
//!
//! An operation is physical: it names bytes of one page, so storage never learns what a B-tree is. Encoded form
//! (little-endian), in the order they run:
//!
//! | tag | operation | fields after the tag |
//! |---|---|---|
//! | 1 | init | kind u8: header kept, body zeroed, kind set |
//! | 2 | write | offset u16, length u16, bytes |
//! | 3 | move | from u16, to u16, length u16: overlapping allowed, as memmove |
//! | 4 | fill | offset u16, length u16, byte u8 |
//! | 5 | stamp LSN | offset u16: the record's own LSN, 8 bytes |
//! | 6 | discard | none: body zeroed, kind free; storage may forget the page |
//!
//! Invariants:
//! 1. Operations touch the body only: `PAGE_HEADER_BYTES <= offset` and `offset + length <= PAGE_BYTES`.
//! 2. [`run`] leaves `stamp LSN` undone; [`stamp`] does it together with the page LSN, once the LSN is known.
//!    So a stamped place must not be written by a later operation of the same record (asserted by [`OpsBuf`]).
//! 3. After an error the page is to be thrown away.

use crate::lsn::Lsn;
use crate::page::{self, PAGE_BYTES, PAGE_HEADER_BYTES, PageKind};
use crate::record::Record;

/// One operation on one page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Op<'a> {
    /// Zero the body and set the kind.
    Init {
        /// The new kind.
        kind: PageKind,
    },
    /// Overwrite bytes.
    Write {
        /// First byte.
        offset: u16,
        /// New content, 1..=65535 bytes that fit the body.
        bytes: &'a [u8],
    },
    /// Copy bytes within the page; source and target may overlap.
    Move {
        /// First byte of the source.
        from: u16,
        /// First byte of the target.
        to: u16,
        /// Bytes to copy.
        len: u16,
    },
    /// Set bytes to one value.
    Fill {
        /// First byte.
        offset: u16,
        /// Bytes to set.
        len: u16,
        /// The value.
        byte: u8,
    },
    /// Write the record's own LSN (this is how a commit record marks its transaction committed).
    StampLsn {
        /// First of eight bytes.
        offset: u16,
    },
    /// The page holds nothing any more; storage may forget it.
    Discard,
}

/// What is wrong with an operation or its place.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RedoError {
    /// The bytes end inside an operation.
    #[error("redo: operations end early at byte {at}")]
    Short {
        /// Position within the operations.
        at: usize,
    },
    /// No operation has this tag.
    #[error("redo: unknown operation tag {tag}")]
    Tag {
        /// The tag found.
        tag: u8,
    },
    /// An operation reaches outside the page body.
    #[error("redo: bytes {offset}+{len} lie outside the page body")]
    Range {
        /// First byte.
        offset: usize,
        /// Length.
        len: usize,
    },
    /// The record does not follow the page's last record.
    #[error("redo: page {page} stands at {found}, the record follows {expected}")]
    BackLink {
        /// The page.
        page: page::PageId,
        /// The page's LSN.
        found: Lsn,
        /// The record's previous LSN of the page.
        expected: Lsn,
    },
    /// The record is of another page.
    #[error("redo: record of page {record} applied to page {page}")]
    OtherPage {
        /// The page in memory.
        page: page::PageId,
        /// The page the record names.
        record: page::PageId,
    },
}

/// Encoded operations of one record, with the first invariant checked as they are added.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct OpsBuf {
    bytes: Vec<u8>,
    stamps: [u16; 4],
    stamp_count: u8,
}

impl OpsBuf {
    /// No operations yet.
    #[must_use]
    pub fn new() -> OpsBuf {
        OpsBuf::default()
    }

    /// Forgets all operations, keeping the allocation.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.stamp_count = 0;
    }

    /// True when nothing was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The encoded operations.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Encodes one operation.
    ///
    /// # Panics
    /// When the operation reaches outside the body, or overwrites a place stamped before.
    pub fn push(&mut self, op: Op<'_>) {
        let (offset, len) = target(&op);
        assert!(in_body(offset, len), "redo invariant 1: operation {op:?} outside the body");
        for &at in &self.stamps[..usize::from(self.stamp_count)] {
            let at = usize::from(at);
            assert!(
                offset + len <= at || at + 8 <= offset,
                "redo invariant 2: {op:?} overwrites the stamp at {at}"
            );
        }
        match op {
            Op::Init { kind } => self.bytes.extend_from_slice(&[1, kind as u8]),
            Op::Write { offset, bytes } => {
                let len = u16::try_from(bytes.len()).expect("invariant: a page is shorter than 64 KiB");
                self.bytes.push(2);
                self.bytes.extend_from_slice(&offset.to_le_bytes());
                self.bytes.extend_from_slice(&len.to_le_bytes());
                self.bytes.extend_from_slice(bytes);
            }
            Op::Move { from, to, len } => {
                assert!(
                    in_body(usize::from(from), usize::from(len)),
                    "redo invariant 1: {op:?} reads outside the body"
                );
                self.bytes.push(3);
                self.bytes.extend_from_slice(&from.to_le_bytes());
                self.bytes.extend_from_slice(&to.to_le_bytes());
                self.bytes.extend_from_slice(&len.to_le_bytes());
            }
            Op::Fill { offset, len, byte } => {
                self.bytes.push(4);
                self.bytes.extend_from_slice(&offset.to_le_bytes());
                self.bytes.extend_from_slice(&len.to_le_bytes());
                self.bytes.push(byte);
            }
            Op::StampLsn { offset } => {
                assert!(usize::from(self.stamp_count) < self.stamps.len(), "at most 4 stamps a record");
                self.stamps[usize::from(self.stamp_count)] = offset;
                self.stamp_count += 1;
                self.bytes.push(5);
                self.bytes.extend_from_slice(&offset.to_le_bytes());
            }
            Op::Discard => self.bytes.push(6),
        }
    }
}

/// The bytes an operation changes: first and length.
fn target(op: &Op<'_>) -> (usize, usize) {
    match *op {
        Op::Init { .. } | Op::Discard => (PAGE_HEADER_BYTES, PAGE_BYTES - PAGE_HEADER_BYTES),
        Op::Write { offset, bytes } => (usize::from(offset), bytes.len()),
        Op::Move { to, len, .. } => (usize::from(to), usize::from(len)),
        Op::Fill { offset, len, .. } => (usize::from(offset), usize::from(len)),
        Op::StampLsn { offset } => (usize::from(offset), 8),
    }
}

fn in_body(offset: usize, len: usize) -> bool {
    offset >= PAGE_HEADER_BYTES && offset + len <= PAGE_BYTES
}

/// Walks encoded operations.
#[derive(Clone, Debug)]
pub struct Ops<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Ops<'a> {
    /// Operations as [`OpsBuf`] or a record carries them.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Ops<'a> {
        Ops { bytes, at: 0 }
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], RedoError> {
        let end = self.at.checked_add(len).ok_or(RedoError::Short { at: self.at })?;
        let part = self.bytes.get(self.at..end).ok_or(RedoError::Short { at: self.at })?;
        self.at = end;
        Ok(part)
    }

    fn u8(&mut self) -> Result<u8, RedoError> {
        Ok(self.take(1)?[0])
    }

    fn u16(&mut self) -> Result<u16, RedoError> {
        let b = self.take(2)?;
        Ok(u16::from_le_bytes([b[0], b[1]]))
    }

    fn decode(&mut self) -> Result<Op<'a>, RedoError> {
        let tag = self.u8()?;
        let op = match tag {
            1 => {
                let byte = self.u8()?;
                Op::Init { kind: PageKind::from_byte(byte).ok_or(RedoError::Tag { tag: byte })? }
            }
            2 => {
                let offset = self.u16()?;
                let len = usize::from(self.u16()?);
                Op::Write { offset, bytes: self.take(len)? }
            }
            3 => Op::Move { from: self.u16()?, to: self.u16()?, len: self.u16()? },
            4 => Op::Fill { offset: self.u16()?, len: self.u16()?, byte: self.u8()? },
            5 => Op::StampLsn { offset: self.u16()? },
            6 => Op::Discard,
            _ => return Err(RedoError::Tag { tag }),
        };
        let (offset, len) = target(&op);
        if !in_body(offset, len) {
            return Err(RedoError::Range { offset, len });
        }
        if let Op::Move { from, len, .. } = op
            && !in_body(usize::from(from), usize::from(len))
        {
            return Err(RedoError::Range { offset: usize::from(from), len: usize::from(len) });
        }
        Ok(op)
    }
}

impl<'a> Iterator for Ops<'a> {
    type Item = Result<Op<'a>, RedoError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.bytes.len() {
            return None;
        }
        let op = self.decode();
        if op.is_err() {
            self.at = self.bytes.len();
        }
        Some(op)
    }
}

/// Runs one operation; `stamp LSN` is left for [`stamp`].
///
/// # Panics
/// When a hand-made operation reaches outside the body; decoded ones never do.
pub fn run_one(page: &mut [u8; PAGE_BYTES], op: &Op<'_>) {
    match *op {
        Op::Init { kind } => {
            page[PAGE_HEADER_BYTES..].fill(0);
            page::set_kind(page, kind);
        }
        Op::Write { offset, bytes } => {
            let at = usize::from(offset);
            page[at..at + bytes.len()].copy_from_slice(bytes);
        }
        Op::Move { from, to, len } => {
            let from = usize::from(from);
            page.copy_within(from..from + usize::from(len), usize::from(to));
        }
        Op::Fill { offset, len, byte } => {
            let at = usize::from(offset);
            page[at..at + usize::from(len)].fill(byte);
        }
        Op::StampLsn { .. } => {}
        Op::Discard => {
            page[PAGE_HEADER_BYTES..].fill(0);
            page::set_kind(page, PageKind::Free);
        }
    }
}

/// Runs encoded operations in order.
///
/// # Errors
/// The first operation that does not decode; the page is then to be thrown away.
pub fn run(page: &mut [u8; PAGE_BYTES], ops: &[u8]) -> Result<(), RedoError> {
    for op in Ops::new(ops) {
        run_one(page, &op?);
    }
    Ok(())
}

/// Writes `lsn` into the page header and every place the operations stamp.
///
/// # Errors
/// As [`run`].
pub fn stamp(page: &mut [u8; PAGE_BYTES], ops: &[u8], lsn: Lsn) -> Result<(), RedoError> {
    for op in Ops::new(ops) {
        if let Op::StampLsn { offset } = op? {
            let at = usize::from(offset);
            page[at..at + 8].copy_from_slice(&lsn.0.to_le_bytes());
        }
    }
    page::set_lsn(page, lsn);
    Ok(())
}

/// Applies a record as storage and replicas do: back-link check, [`run`], [`stamp`].
///
/// A record that starts with `init` or `discard` does not depend on what was there. So it may be applied to a blank page
/// whatever LSN it follows (the first after a forgotten discard), and to any older page when it names no predecessor
/// (`prev_page` zero: a page number given out again, whose last life the writer did not read).
///
/// # Errors
/// [`RedoError::BackLink`] when a record is missing in between, and those of [`run`].
pub fn apply(page: &mut [u8; PAGE_BYTES], record: &Record) -> Result<(), RedoError> {
    if page::id(page) != record.page {
        return Err(RedoError::OtherPage { page: page::id(page), record: record.page });
    }
    let found = page::lsn(page);
    let afresh = (found == Lsn::ZERO || (record.prev_page == Lsn::ZERO && found < record.lsn))
        && record.starts_with_init();
    if found != record.prev_page && !afresh {
        return Err(RedoError::BackLink { page: record.page, found, expected: record.prev_page });
    }
    run(page, record.ops())?;
    stamp(page, record.ops(), record.lsn)
}
