//! Units of undo space, and the header that each begins with (docs/formats/undo.md).
//!
//! A unit belongs to one transaction. It is a whole page, or an equal part of a page whose class says how large the parts are: a small
//! transaction takes 512 bytes, so that thirty-two of them share a page; one that goes on takes 2 KiB, then pages.
//!
//! ```text
//!   class 0                      class 1: 512 bytes                     class 2: 2 KiB
//!   +------------------------+   +----+----+----+----+-- -+----+        +--------+--------+-- -+--------+
//!   | header | records ..    |   | h r| h r| h r| h  |    | h  |        | h rec  | h rec  |    | h      |
//!   +------------------------+   +----+----+----+----+-- -+----+        +--------+--------+-- -+--------+
//!   ^ 32                         ^ 32 ^ 512 ^ 1024                      ^ 32     ^ 2048
//! ```
//!
//! Invariants:
//! 1. The class of a page stands in its byte 33 and changes only when all its units are free (the page is then made anew).
//! 2. Which unit an offset lies in follows from the class alone, so a stale pointer finds a header, and its TxId tells.
//! 3. Space in a unit is never reused while the unit is its transaction's. A unit with another TxId was given up.

use super::{Damaged, TxId, UndoPtr, damaged, u16_at, u64_at};
use protocol::lsn::Lsn;
use protocol::page::{PAGE_BYTES, PageId};
use std::fmt;

/// Version byte of a page and of each header.
pub(crate) const UNDO_VERSION: u8 = 1;
/// Where the first unit's header begins; its first two bytes are the page's version and class.
pub(crate) const OFF_FIRST: u16 = 32;
/// Bytes of a header: records begin after it.
pub(crate) const HEADER_BYTES: u16 = 48;
/// In a header: end of the last record, next unit, commit LSN.
pub(crate) const AT_USED: u16 = 2;
pub(crate) const AT_NEXT: u16 = 32;
pub(crate) const AT_COMMIT: u16 = 40;

/// How large a unit is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Class {
    /// A page of its own.
    Page = 0,
    /// 512 bytes: what a transaction of a few small changes needs.
    Small = 1,
    /// 2 KiB: for what does not fit there.
    Medium = 2,
}

impl Class {
    fn of(byte: u8) -> Option<Class> {
        [Class::Page, Class::Small, Class::Medium].into_iter().find(|c| *c as u8 == byte)
    }

    /// Bytes of a unit.
    pub(crate) fn bytes(self) -> usize {
        match self {
            Class::Page => PAGE_BYTES,
            Class::Small => 512,
            Class::Medium => 2048,
        }
    }

    /// Units of a page as bits.
    pub(crate) fn all(self) -> u32 {
        u32::MAX >> (32 - PAGE_BYTES / self.bytes())
    }

    /// Bytes of records that fit into every unit of this class.
    fn capacity(self) -> usize {
        self.bytes() - usize::from(OFF_FIRST + HEADER_BYTES)
    }

    /// The class of the unit after one of this class (or of the first one), for a record of `bytes`.
    pub(crate) fn after(last: Option<Class>, bytes: usize) -> Class {
        let next = match last {
            None => Class::Small,
            Some(Class::Small) => Class::Medium,
            Some(Class::Medium | Class::Page) => Class::Page,
        };
        [Class::Small, Class::Medium]
            .into_iter()
            .find(|c| *c >= next && next != Class::Page && bytes <= c.capacity())
            .unwrap_or(Class::Page)
    }
}

/// A unit's place as it stands in links: page id in the lower 48 bits, number in the page in the next 8, class in the highest 8.
/// So a whole page is its page id. Zero: none.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Unit(pub(crate) u64);

impl Unit {
    pub(crate) const NONE: Unit = Unit(0);

    pub(crate) fn new(page: PageId, class: Class, no: u8) -> Unit {
        assert!(page.0 >> 48 == 0, "undo unit: page {page} needs more than 48 bits");
        Unit(page.0 | u64::from(no) << 48 | (class as u64) << 56)
    }

    /// A link read from a page.
    pub(crate) fn from_link(link: u64) -> Result<Unit, Damaged> {
        let class = Class::of((link >> 56) as u8).ok_or(damaged("undo link: unknown class"))?;
        let no = (link >> 48) as u8;
        if u32::from(no) >= class.all().count_ones() {
            return Err(damaged("undo link: no such part of a page"));
        }
        Ok(Unit(link))
    }

    pub(crate) fn page(self) -> PageId {
        PageId(self.0 & ((1 << 48) - 1))
    }

    pub(crate) fn no(self) -> u8 {
        (self.0 >> 48) as u8
    }

    pub(crate) fn class(self) -> Class {
        Class::of((self.0 >> 56) as u8).expect("invariant: links are checked when read")
    }

    /// Where its header begins.
    pub(crate) fn base(self) -> u16 {
        (usize::from(self.no()) * self.class().bytes()).max(usize::from(OFF_FIRST)) as u16
    }

    /// Where its records begin.
    pub(crate) fn records(self) -> u16 {
        self.base() + HEADER_BYTES
    }

    /// Where it ends.
    pub(crate) fn end(self) -> u16 {
        ((usize::from(self.no()) + 1) * self.class().bytes()) as u16
    }
}

impl fmt::Debug for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{:?}.{}", self.page(), self.class(), self.no())
    }
}

/// The header of a unit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct UndoHeader {
    pub(crate) used: u16,
    pub(crate) slot: (u16, u16),
    pub(crate) txid: TxId,
    /// First unit of the chain; itself on the first.
    pub(crate) first: Unit,
    pub(crate) previous: Unit,
    pub(crate) next: Unit,
    /// First unit only: zero until the commit record stamps it.
    pub(crate) commit: Lsn,
}

impl UndoHeader {
    /// The bytes of a header in a unit of `class`.
    pub(crate) fn encode(&self, class: Class) -> [u8; HEADER_BYTES as usize] {
        let mut out = [0; HEADER_BYTES as usize];
        out[..2].copy_from_slice(&page_bytes(class));
        out[2..4].copy_from_slice(&self.used.to_le_bytes());
        out[4..6].copy_from_slice(&self.slot.0.to_le_bytes());
        out[6..8].copy_from_slice(&self.slot.1.to_le_bytes());
        out[8..16].copy_from_slice(&self.txid.0.to_le_bytes());
        out[16..24].copy_from_slice(&self.first.0.to_le_bytes());
        out[24..32].copy_from_slice(&self.previous.0.to_le_bytes());
        out[32..40].copy_from_slice(&self.next.0.to_le_bytes());
        out[40..48].copy_from_slice(&self.commit.0.to_le_bytes());
        out
    }

    /// The header of a unit; `None` when the page is not divided so, or the unit was never used.
    pub(crate) fn of_unit(page: &[u8; PAGE_BYTES], unit: Unit) -> Result<Option<UndoHeader>, Damaged> {
        if class_of(page)? != Some(unit.class()) {
            return Ok(None);
        }
        let at = usize::from(unit.base());
        let b = &page[at..at + usize::from(HEADER_BYTES)];
        let txid = TxId(u64_at(b, 8));
        if b[0] != UNDO_VERSION || txid == TxId::NONE {
            return Ok(None);
        }
        Ok(Some(UndoHeader {
            used: u16_at(b, usize::from(AT_USED)),
            slot: (u16_at(b, 4), u16_at(b, 6)),
            txid,
            first: Unit::from_link(u64_at(b, 16))?,
            previous: Unit::from_link(u64_at(b, 24))?,
            next: Unit::from_link(u64_at(b, usize::from(AT_NEXT)))?,
            commit: Lsn(u64_at(b, usize::from(AT_COMMIT))),
        }))
    }

    /// The header of the unit that a record lies in, if it is the transaction's.
    pub(crate) fn of_record(
        page: &[u8; PAGE_BYTES],
        ptr: UndoPtr,
        txid: TxId,
    ) -> Result<Option<UndoHeader>, Damaged> {
        let Some(class) = class_of(page)? else { return Ok(None) };
        let no = usize::from(ptr.offset()) / class.bytes();
        if usize::from(ptr.offset()) >= PAGE_BYTES {
            return Err(damaged("undo pointer: offset outside the page"));
        }
        let header = UndoHeader::of_unit(page, Unit::new(ptr.page(), class, no as u8))?;
        Ok(header.filter(|h| h.txid == txid))
    }
}

/// Version and class, as a divided page begins.
pub(crate) fn page_bytes(class: Class) -> [u8; 2] {
    [UNDO_VERSION, class as u8]
}

/// How a page is divided; `None` when it is not an undo page, or a new one.
pub(crate) fn class_of(page: &[u8; PAGE_BYTES]) -> Result<Option<Class>, Damaged> {
    let [version, class] = [page[usize::from(OFF_FIRST)], page[usize::from(OFF_FIRST) + 1]];
    if version != UNDO_VERSION || protocol::page::kind(page) != Some(protocol::PageKind::Undo) {
        return Ok(None);
    }
    Class::of(class).map(Some).ok_or(damaged("undo page: unknown class"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_cover_a_page_and_records_find_theirs() {
        for class in [Class::Page, Class::Small, Class::Medium] {
            let mut page = [0; PAGE_BYTES];
            protocol::redo::run_one(&mut page, &protocol::redo::Op::Init { kind: protocol::PageKind::Undo });
            let units: Vec<Unit> =
                (0..class.all().count_ones()).map(|no| Unit::new(PageId(9), class, no as u8)).collect();
            assert_eq!(usize::from(units.last().unwrap().end()), PAGE_BYTES);
            for (no, unit) in units.iter().enumerate() {
                assert_eq!(Unit::from_link(unit.0).unwrap(), *unit);
                let header = UndoHeader {
                    used: unit.end(),
                    slot: (1, 2),
                    txid: TxId(no as u64 + 7),
                    first: *unit,
                    previous: Unit::NONE,
                    next: Unit::NONE,
                    commit: Lsn(5),
                };
                let at = usize::from(unit.base());
                page[at..at + 48].copy_from_slice(&header.encode(class));
                assert_eq!(UndoHeader::of_unit(&page, *unit).unwrap(), Some(header));
            }
            for (no, unit) in units.iter().enumerate() {
                for offset in [unit.records(), unit.end() - 1] {
                    let ptr = UndoPtr::new(PageId(9), offset);
                    let of = |txid| UndoHeader::of_record(&page, ptr, TxId(txid)).unwrap();
                    assert_eq!(of(no as u64 + 7).map(|h| h.first), Some(*unit));
                    assert_eq!(of(no as u64 + 8), None, "another transaction's");
                }
            }
        }
    }

    #[test]
    fn a_chain_grows_by_class_and_a_long_record_gets_what_it_needs() {
        assert_eq!(Class::after(None, 100), Class::Small);
        assert_eq!(
            Class::after(None, 433),
            Class::Medium,
            "the page header takes its part of the first unit"
        );
        assert_eq!(Class::after(Some(Class::Small), 100), Class::Medium);
        assert_eq!(Class::after(Some(Class::Small), 4000), Class::Page);
        assert_eq!(Class::after(Some(Class::Medium), 1), Class::Page);
        assert_eq!(Class::after(Some(Class::Page), 1), Class::Page);
    }

    #[test]
    fn links_of_no_unit_are_refused() {
        for link in [3 << 56, 1 << 56 | 32 << 48, 2 << 56 | 8 << 48, 1 << 48] {
            assert!(Unit::from_link(link | 4).is_err(), "{link:x}");
        }
    }
}
