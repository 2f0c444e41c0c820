//! Pages of the transaction table (docs/formats/transaction-table.md).
//!
//! Offsets from the start of the page:
//!
//! | offset | size | field |
//! |---|---|---|
//! | 32 | 1 | format version, [`TABLE_VERSION`] |
//! | 33 | 7 | reserved, zero |
//! | 40 | 8 | next page of the table, 0: none |
//! | 48 | 16 | reserved, zero |
//! | 64 | 32 each | [`SLOTS`] slots |
//!
//! A slot: state u8 (0 free, 1 active, 2 aborted), 7 reserved, TxId u64, first undo unit u64, epoch u64.
//!
//! Only ACTIVE and ABORTED transactions have a slot; commit and the end of a rollback free it. An ACTIVE slot of an older epoch counts as
//! aborted: that is the whole of crash recovery.

use super::unit::Unit;
use super::{Damaged, TxId, damaged, u64_at};
use protocol::lsn::VolumeEpoch;
use protocol::page::{PAGE_BYTES, PageId};

/// Version byte of the page body.
pub(crate) const TABLE_VERSION: u8 = 1;
pub(crate) const OFF_VERSION: u16 = 32;
pub(crate) const OFF_NEXT: u16 = 40;
const OFF_SLOTS: usize = 64;
/// Bytes of a slot.
pub(crate) const SLOT_BYTES: usize = 32;
/// Slots on a page.
pub(crate) const SLOTS: u16 = ((PAGE_BYTES - OFF_SLOTS) / SLOT_BYTES) as u16;

const _: () = assert!(OFF_SLOTS + SLOTS as usize * SLOT_BYTES <= PAGE_BYTES);

/// State of a slot in use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SlotState {
    Active = 1,
    Aborted = 2,
}

/// A slot in use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Slot {
    pub(crate) state: SlotState,
    pub(crate) txid: TxId,
    pub(crate) first_undo: Unit,
    pub(crate) epoch: VolumeEpoch,
}

/// Where slot `no` begins in its page.
pub(crate) fn offset(no: u16) -> u16 {
    assert!(no < SLOTS, "transaction table: slot {no} of {SLOTS}");
    (OFF_SLOTS + usize::from(no) * SLOT_BYTES) as u16
}

impl Slot {
    pub(crate) fn encode(&self) -> [u8; SLOT_BYTES] {
        let mut out = [0; SLOT_BYTES];
        out[0] = self.state as u8;
        out[8..16].copy_from_slice(&self.txid.0.to_le_bytes());
        out[16..24].copy_from_slice(&self.first_undo.0.to_le_bytes());
        out[24..32].copy_from_slice(&self.epoch.0.to_le_bytes());
        out
    }

    /// Slot `no` of a page; `None` when it is free.
    pub(crate) fn decode(page: &[u8; PAGE_BYTES], no: u16) -> Result<Option<Slot>, Damaged> {
        let b = &page[usize::from(offset(no))..][..SLOT_BYTES];
        let state = match b[0] {
            0 => return Ok(None),
            1 => SlotState::Active,
            2 => SlotState::Aborted,
            _ => return Err(damaged("transaction table: unknown slot state")),
        };
        Ok(Some(Slot {
            state,
            txid: TxId(u64_at(b, 8)),
            first_undo: Unit::from_link(u64_at(b, 16))?,
            epoch: VolumeEpoch(u64_at(b, 24)),
        }))
    }
}

/// The page after this one in the table, after checking its version.
pub(crate) fn next_page(page: &[u8; PAGE_BYTES]) -> Result<Option<PageId>, Damaged> {
    if page[usize::from(OFF_VERSION)] != TABLE_VERSION {
        return Err(damaged("transaction table: unknown version"));
    }
    Ok(Some(PageId(u64_at(page, usize::from(OFF_NEXT)))).filter(|p| p.0 != 0))
}
