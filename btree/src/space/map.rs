//! Free-space maps: docs/formats/free-space-map.md, encoded here and nowhere else.

use crate::space::owner::OwnerId;
use buffer_pool::{Mtr, PageNo};
use protocol::redo::Op;
use protocol::{PAGE_BYTES, PageId, PageKind};

/// Version byte of the format.
const MAP_VERSION: u8 = 1;
/// Pages of an extent.
pub(crate) const EXTENT_PAGES: u64 = 16;
/// Extents of a region.
pub(crate) const REGION_EXTENTS: u64 = 1020;
/// Pages of a region, its map included.
const REGION_PAGES: u64 = 1 + REGION_EXTENTS * EXTENT_PAGES;

const VERSION: usize = 32;
const REGION: usize = 40;
const ENTRIES: usize = 64;
const ENTRY: usize = 16;

const _: () = assert!(ENTRIES + ENTRY * REGION_EXTENTS as usize == PAGE_BYTES);

/// The region of an extent.
pub(crate) fn region_of(extent: u64) -> u64 {
    extent / REGION_EXTENTS
}

/// The map page of a region.
pub(crate) fn region_map(region: u64) -> PageId {
    PageId(1 + region * REGION_PAGES)
}

/// The map page that describes an extent.
pub(crate) fn map_page(extent: u64) -> PageId {
    region_map(region_of(extent))
}

/// The first page of an extent.
pub(crate) fn first_page(extent: u64) -> PageId {
    PageId(map_page(extent).0 + 1 + extent % REGION_EXTENTS * EXTENT_PAGES)
}

/// The extent of a page that is neither the volume page nor a map.
pub(crate) fn extent_of(page: PageId) -> u64 {
    let at = page.0.checked_sub(1).expect("invariant: the volume page lies in no extent");
    let (region, within) = (at / REGION_PAGES, at % REGION_PAGES);
    assert!(within > 0, "page {page} is a map");
    region * REGION_EXTENTS + (within - 1) / EXTENT_PAGES
}

/// One extent's entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Entry {
    /// 0: free.
    pub(crate) owner: u64,
    /// Next older extent of the owner, + 1; 0: none.
    pub(crate) next: u32,
    /// Bit i: page i is in use.
    pub(crate) used: u16,
}

impl Entry {
    fn bytes(&self) -> [u8; ENTRY] {
        let mut bytes = [0; ENTRY];
        bytes[..8].copy_from_slice(&self.owner.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.next.to_le_bytes());
        bytes[12..14].copy_from_slice(&self.used.to_le_bytes());
        bytes
    }
}

fn entry_at(extent: u64) -> usize {
    ENTRIES + ENTRY * (extent % REGION_EXTENTS) as usize
}

/// Reads a map page.
pub(crate) struct MapView<'a>(pub(crate) &'a [u8; PAGE_BYTES]);

impl MapView<'_> {
    /// True when this is the map of `region` in a version this build knows.
    pub(crate) fn is_map_of(&self, region: u64) -> bool {
        protocol::page::kind(self.0) == Some(PageKind::Space)
            && self.0[VERSION] == MAP_VERSION
            && self.0[REGION..REGION + 8] == region.to_le_bytes()
    }

    pub(crate) fn entry(&self, extent: u64) -> Entry {
        let at = entry_at(extent);
        let mut owner = [0; 8];
        owner.copy_from_slice(&self.0[at..at + 8]);
        let mut next = [0; 4];
        next.copy_from_slice(&self.0[at + 8..at + 12]);
        Entry {
            owner: u64::from_le_bytes(owner),
            next: u32::from_le_bytes(next),
            used: u16::from_le_bytes([self.0[at + 12], self.0[at + 13]]),
        }
    }

    /// All entries of `region` with their extents.
    pub(crate) fn entries(&self, region: u64) -> impl Iterator<Item = (u64, Entry)> {
        let first = region * REGION_EXTENTS;
        (first..first + REGION_EXTENTS).map(|extent| (extent, self.entry(extent)))
    }
}

/// Writes a new map, all extents free.
pub(crate) fn format(mtr: &mut Mtr<'_>, page: PageNo, region: u64) {
    mtr.run(page, Op::Init { kind: PageKind::Space });
    mtr.run(page, Op::Write { offset: VERSION as u16, bytes: &[MAP_VERSION] });
    mtr.run(page, Op::Write { offset: REGION as u16, bytes: &region.to_le_bytes() });
}

/// Writes the entry of an extent.
pub(crate) fn set_entry(mtr: &mut Mtr<'_>, map: PageNo, extent: u64, entry: Entry) {
    mtr.run(map, Op::Write { offset: entry_at(extent) as u16, bytes: &entry.bytes() });
}

/// Marks a page used or free; returns its owner.
pub(crate) fn set_used(mtr: &mut Mtr<'_>, map: PageNo, page: PageId, used: bool) -> OwnerId {
    let extent = extent_of(page);
    let entry = MapView(mtr.page(map)).entry(extent);
    let bit = 1u16 << (page.0 - first_page(extent).0);
    assert!(entry.owner != 0, "page {page} of a free extent");
    assert!((entry.used & bit != 0) != used, "page {page} is marked used = {used} already");
    let bits = entry.used ^ bit;
    mtr.run(map, Op::Write { offset: (entry_at(extent) + 12) as u16, bytes: &bits.to_le_bytes() });
    OwnerId(entry.owner)
}
