//! Page images: made from a base and records, checked when they come from a device or a peer.

use crate::held::Held;
use bytes::Bytes;
use cache_nvme::aligned::AlignedBuf;
use protocol::lsn::Lsn;
use protocol::page::{self, PAGE_BYTES, PageBuf, PageId, PageKind};
use protocol::redo::{self, RedoError};

/// Applies `records` (one page's, oldest first) to `base`, or to a blank page.
///
/// A record that starts with `init` or `discard` makes everything before it needless, so the last such one is where it begins.
///
/// # Errors
/// [`RedoError`]: a record is missing in between, or damaged.
pub fn build(page: PageId, base: Option<PageBuf>, records: &[Held]) -> Result<PageBuf, RedoError> {
    let start = records.iter().rposition(|r| r.starts_with_init());
    let mut image = match (start, base) {
        (None, Some(base)) => base,
        _ => PageBuf::blank(page),
    };
    for record in &records[start.unwrap_or(0)..] {
        redo::apply(image.bytes_mut(), record)?;
    }
    Ok(image)
}

/// True when the records alone make the page: no base image is needed.
#[must_use]
pub fn stands_alone(records: &[Held]) -> bool {
    records.iter().any(|r| r.starts_with_init())
}

/// True when the page holds nothing: storage may forget it, and a reader gets a blank one.
#[must_use]
pub fn is_discarded(image: &PageBuf) -> bool {
    page::kind(image.bytes()) == Some(PageKind::Free)
        && image.bytes()[page::PAGE_HEADER_BYTES..].iter().all(|b| *b == 0)
}

/// An image read from a device: right page, right LSN, sound.
#[must_use]
pub fn checked(bytes: &[u8], page: PageId, lsn: Lsn) -> Option<&[u8; PAGE_BYTES]> {
    let image: &[u8; PAGE_BYTES] = bytes.try_into().ok()?;
    (page::verify(image, page).is_ok() && page::lsn(image) == lsn).then_some(image)
}

/// The bytes of a device buffer, shared without copying.
#[must_use]
pub fn share(buf: AlignedBuf) -> Bytes {
    struct Owned(AlignedBuf);
    impl AsRef<[u8]> for Owned {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }
    Bytes::from_owner(Owned(buf))
}
