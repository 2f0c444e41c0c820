//! The volume page: docs/formats/volume-page.md, encoded here and nowhere else.

use crate::error::TreeError;
use crate::space::owner::OwnerId;
use buffer_pool::Mtr;
use buffer_pool::{BufferPool, MtrKind, PageNo, PinnedPage};
use protocol::contract::Credit;
use protocol::redo::Op;
use protocol::{PAGE_BYTES, PageKind};

/// Version byte of the format.
const VOLUME_VERSION: u8 = 1;
/// Numbers the volume page keeps for the engine.
pub const SLOTS: usize = 64;

const VERSION: usize = 32;
const REGIONS: usize = 40;
const NEXT_TREE: usize = 48;
const HEADS: usize = 64;
const SLOTS_AT: usize = 192;

const _: () = assert!(HEADS + 8 * OwnerId::SYSTEM as usize == SLOTS_AT);

/// Reads the volume page.
pub(crate) struct VolumeView<'a>(pub(crate) &'a [u8; PAGE_BYTES]);

impl VolumeView<'_> {
    fn u64(&self, at: usize) -> u64 {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&self.0[at..at + 8]);
        u64::from_le_bytes(bytes)
    }

    /// Regions and next tree id, if this is a volume page this build knows.
    pub(crate) fn check(&self) -> Option<(u64, u64)> {
        let known =
            protocol::page::kind(self.0) == Some(PageKind::Volume) && self.0[VERSION] == VOLUME_VERSION;
        known.then(|| (self.u64(REGIONS), self.u64(NEXT_TREE)))
    }

    pub(crate) fn regions(&self) -> u64 {
        self.u64(REGIONS)
    }

    pub(crate) fn next_tree(&self) -> u64 {
        self.u64(NEXT_TREE)
    }

    /// Newest extent + 1 of a system owner.
    pub(crate) fn head(&self, owner: OwnerId) -> u64 {
        self.u64(head_at(owner))
    }

    pub(crate) fn slot(&self, index: usize) -> u64 {
        assert!(index < SLOTS, "slot {index} of {SLOTS}");
        self.u64(SLOTS_AT + 8 * index)
    }
}

/// Where the list of a system owner's extents begins.
pub(crate) fn head_at(owner: OwnerId) -> usize {
    assert!(owner.is_system(), "owner {} has its list in its root page", owner.0);
    HEADS + 8 * (owner.0 as usize - 1)
}

/// Writes the first volume page.
pub(crate) fn format(pool: &BufferPool, page: &PinnedPage, credit: Credit) -> Result<(), TreeError> {
    let mut mtr = pool.begin(MtrKind::Space, credit);
    let no = mtr.latch(page)?;
    mtr.run(no, Op::Init { kind: PageKind::Volume });
    mtr.run(no, Op::Write { offset: VERSION as u16, bytes: &[VOLUME_VERSION] });
    put(&mut mtr, no, NEXT_TREE, OwnerId::FIRST_TREE);
    mtr.finish()?;
    Ok(())
}

fn put(mtr: &mut Mtr<'_>, page: PageNo, at: usize, value: u64) {
    mtr.run(page, Op::Write { offset: at as u16, bytes: &value.to_le_bytes() });
}

pub(crate) fn set_slot(mtr: &mut Mtr<'_>, page: PageNo, index: usize, value: u64) {
    assert!(index < SLOTS, "slot {index} of {SLOTS}");
    put(mtr, page, SLOTS_AT + 8 * index, value);
}

pub(crate) fn set_regions(mtr: &mut Mtr<'_>, page: PageNo, regions: u64) {
    put(mtr, page, REGIONS, regions);
}

pub(crate) fn set_next_tree(mtr: &mut Mtr<'_>, page: PageNo, next: u64) {
    put(mtr, page, NEXT_TREE, next);
}

pub(crate) fn set_head(mtr: &mut Mtr<'_>, page: PageNo, owner: OwnerId, head: u64) {
    put(mtr, page, head_at(owner), head);
}
