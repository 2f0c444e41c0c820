//! The 16 KiB page: header, checksum, buffer.
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 4 | CRC-32C of bytes 4.., set when an image leaves memory |
//! | 4 | 1 | format version, [`PAGE_VERSION`] |
//! | 5 | 1 | kind, [`PageKind`] |
//! | 6 | 2 | reserved, zero |
//! | 8 | 8 | page id |
//! | 16 | 8 | LSN of the last record applied |
//! | 24 | 8 | reserved, zero |
//! | 32 | 16352 | body, of the kind's own format |
//!
//! Integers are little-endian. Redo operations may touch the body only (offset >= [`PAGE_HEADER_BYTES`]);
//! the header belongs to `redo` itself.

use crate::lsn::Lsn;
use std::fmt;

/// Bytes in a page.
pub const PAGE_BYTES: usize = 16 * 1024;
/// Bytes of the header every kind shares.
pub const PAGE_HEADER_BYTES: usize = 32;
/// Version byte of the page header.
pub const PAGE_VERSION: u8 = 1;

const OFF_CRC: usize = 0;
const OFF_VERSION: usize = 4;
const OFF_KIND: usize = 5;
const OFF_ID: usize = 8;
const OFF_LSN: usize = 16;

const _: () = assert!(OFF_LSN + 8 <= PAGE_HEADER_BYTES && PAGE_HEADER_BYTES.is_multiple_of(8));

/// A page's number within the volume. Ids are given out by the free-space map and name a place, not a life.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PageId(pub u64);

impl fmt::Debug for PageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p{}", self.0)
    }
}

impl fmt::Display for PageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What the body of a page holds. Storage does not interpret it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum PageKind {
    /// Never initialised, or discarded.
    Free = 0,
    /// The volume's root page: where everything else is found.
    Volume = 1,
    /// Free-space map.
    Space = 2,
    /// B-link tree page.
    Tree = 3,
    /// Overflow chain of a long value.
    Overflow = 4,
    /// Undo log.
    Undo = 5,
    /// Transaction table.
    Transactions = 6,
}

impl PageKind {
    /// The kind a header byte names.
    #[must_use]
    pub fn from_byte(byte: u8) -> Option<PageKind> {
        Some(match byte {
            0 => PageKind::Free,
            1 => PageKind::Volume,
            2 => PageKind::Space,
            3 => PageKind::Tree,
            4 => PageKind::Overflow,
            5 => PageKind::Undo,
            6 => PageKind::Transactions,
            _ => return None,
        })
    }
}

/// Why an image is not the page it should be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PageError {
    /// The checksum does not hold.
    #[error("page {page}: checksum {found:08x}, computed {computed:08x}")]
    Checksum {
        /// The page asked for.
        page: PageId,
        /// Checksum in the header.
        found: u32,
        /// Checksum of the bytes.
        computed: u32,
    },
    /// The header names another page.
    #[error("page {page}: the image is of page {found}")]
    WrongPage {
        /// The page asked for.
        page: PageId,
        /// The page found.
        found: PageId,
    },
    /// Written by a version this build does not know, or an unknown kind.
    #[error("page {page}: unknown version {version} or kind {kind}")]
    Unknown {
        /// The page asked for.
        page: PageId,
        /// Version byte found.
        version: u8,
        /// Kind byte found.
        kind: u8,
    },
}

/// An owned page image in memory.
#[derive(Clone, PartialEq, Eq)]
pub struct PageBuf(Box<[u8; PAGE_BYTES]>);

impl Default for PageBuf {
    fn default() -> Self {
        PageBuf(Box::new([0; PAGE_BYTES]))
    }
}

impl fmt::Debug for PageBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PageBuf({:?} {:?})", id(self.bytes()), lsn(self.bytes()))
    }
}

impl PageBuf {
    /// A page that was never written: all zero but for its id and version, LSN zero, kind [`PageKind::Free`].
    #[must_use]
    pub fn blank(page: PageId) -> PageBuf {
        let mut buf = PageBuf::default();
        format_header(buf.bytes_mut(), page);
        buf
    }

    /// A copy of `bytes`; `None` when they are not exactly one page long. Nothing is verified.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<PageBuf> {
        let array: &[u8; PAGE_BYTES] = bytes.try_into().ok()?;
        Some(PageBuf(Box::new(*array)))
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8; PAGE_BYTES] {
        &self.0
    }

    /// The bytes, to change. Only `redo` and image transfer may.
    pub fn bytes_mut(&mut self) -> &mut [u8; PAGE_BYTES] {
        &mut self.0
    }
}

/// Writes id and version into a zeroed page.
pub fn format_header(page: &mut [u8; PAGE_BYTES], page_id: PageId) {
    page[OFF_VERSION] = PAGE_VERSION;
    page[OFF_ID..OFF_ID + 8].copy_from_slice(&page_id.0.to_le_bytes());
}

/// The page id in the header.
#[must_use]
pub fn id(page: &[u8; PAGE_BYTES]) -> PageId {
    PageId(u64_at(page, OFF_ID))
}

/// The LSN of the last record applied.
#[must_use]
pub fn lsn(page: &[u8; PAGE_BYTES]) -> Lsn {
    Lsn(u64_at(page, OFF_LSN))
}

/// Sets the LSN of the last record applied; `redo::stamp` is its only caller in product code.
pub(crate) fn set_lsn(page: &mut [u8; PAGE_BYTES], lsn: Lsn) {
    page[OFF_LSN..OFF_LSN + 8].copy_from_slice(&lsn.0.to_le_bytes());
}

/// The kind byte, undecoded.
#[must_use]
pub fn kind(page: &[u8; PAGE_BYTES]) -> Option<PageKind> {
    PageKind::from_byte(page[OFF_KIND])
}

pub(crate) fn set_kind(page: &mut [u8; PAGE_BYTES], kind: PageKind) {
    page[OFF_KIND] = kind as u8;
}

/// Sets the checksum; call it when an image leaves memory.
pub fn seal(page: &mut [u8; PAGE_BYTES]) {
    let crc = crc32c::crc32c(&page[4..]);
    page[OFF_CRC..OFF_CRC + 4].copy_from_slice(&crc.to_le_bytes());
}

/// Checks a sealed image: checksum, version, kind, id. Call it when an image enters memory.
///
/// # Errors
/// The first thing that is wrong, by [`PageError`].
pub fn verify(page: &[u8; PAGE_BYTES], expected: PageId) -> Result<(), PageError> {
    let found = u32::from_le_bytes([page[0], page[1], page[2], page[3]]);
    let computed = crc32c::crc32c(&page[4..]);
    if found != computed {
        return Err(PageError::Checksum { page: expected, found, computed });
    }
    if page[OFF_VERSION] != PAGE_VERSION || kind(page).is_none() {
        return Err(PageError::Unknown { page: expected, version: page[OFF_VERSION], kind: page[OFF_KIND] });
    }
    if id(page) != expected {
        return Err(PageError::WrongPage { page: expected, found: id(page) });
    }
    Ok(())
}

fn u64_at(page: &[u8; PAGE_BYTES], at: usize) -> u64 {
    let mut b = [0; 8];
    b.copy_from_slice(&page[at..at + 8]);
    u64::from_le_bytes(b)
}
