//! The engine's disk formats: rows, secondary entries, undo pages and records, the transaction table. One module each, each with its page
//! in docs/formats and a version byte.
//!
//! Decoders take bytes of unknown content and return [`Damaged`]; they never panic. Integers are little-endian; `varint` is LEB128.

pub(crate) mod row;
pub(crate) mod secondary;
pub(crate) mod slots;
pub(crate) mod undo;
pub(crate) mod unit;

use protocol::page::PageId;
use std::fmt;

/// A writing transaction's identity, from a persisted counter. Never an order: the commit LSN is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TxId(pub u64);

impl TxId {
    /// The writer of what was there before every transaction (built by DDL); committed for every view.
    pub const NONE: TxId = TxId(0);
}

impl fmt::Debug for TxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "t{}", self.0)
    }
}

/// Where an undo record lies: page id in the upper 48 bits, offset in the page in the lower 16. Zero: none.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) struct UndoPtr(pub(crate) u64);

impl UndoPtr {
    pub(crate) const NONE: UndoPtr = UndoPtr(0);

    pub(crate) fn new(page: PageId, offset: u16) -> UndoPtr {
        assert!(page.0 >> 48 == 0, "undo pointer: page {page} needs more than 48 bits");
        UndoPtr(page.0 << 16 | u64::from(offset))
    }

    pub(crate) fn page(self) -> PageId {
        PageId(self.0 >> 16)
    }

    pub(crate) fn offset(self) -> u16 {
        self.0 as u16
    }
}

impl fmt::Debug for UndoPtr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "u{}.{}", self.0 >> 16, self.offset())
    }
}

/// Stored bytes are not of the format they must be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{what}")]
pub(crate) struct Damaged {
    pub(crate) what: &'static str,
}

pub(crate) const fn damaged(what: &'static str) -> Damaged {
    Damaged { what }
}

impl From<Damaged> for crate::EngineError {
    fn from(d: Damaged) -> Self {
        crate::EngineError::corrupt(PageId(0), d.what)
    }
}

pub(crate) fn u16_at(b: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([b[at], b[at + 1]])
}

pub(crate) fn u64_at(b: &[u8], at: usize) -> u64 {
    let mut a = [0; 8];
    a.copy_from_slice(&b[at..at + 8]);
    u64::from_le_bytes(a)
}

pub(crate) fn put_varint(mut v: u64, out: &mut Vec<u8>) {
    while v >= 0x80 {
        out.push(v as u8 | 0x80);
        v >>= 7;
    }
    out.push(v as u8);
}

/// Bytes being read front to back.
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    what: &'static str,
}

impl<'a> Reader<'a> {
    /// Reads `bytes`; `what` names them when they end early.
    pub(crate) fn new(bytes: &'a [u8], what: &'static str) -> Reader<'a> {
        Reader { bytes, what }
    }

    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8], Damaged> {
        let (head, rest) = self.bytes.split_at_checked(len).ok_or(damaged(self.what))?;
        self.bytes = rest;
        Ok(head)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Damaged> {
        Ok(self.take(1)?[0])
    }

    pub(crate) fn varint(&mut self) -> Result<u64, Damaged> {
        let mut v = 0_u64;
        for shift in (0..64).step_by(7) {
            let b = self.u8()?;
            v |= u64::from(b & 0x7f) << shift;
            if b < 0x80 {
                return Ok(v);
            }
        }
        Err(damaged(self.what))
    }

    /// A varint length and so many bytes.
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Damaged> {
        let len = usize::try_from(self.varint()?).map_err(|_| damaged(self.what))?;
        self.take(len)
    }
}

pub(crate) fn put_bytes(b: &[u8], out: &mut Vec<u8>) {
    put_varint(b.len() as u64, out);
    out.extend_from_slice(b);
}
