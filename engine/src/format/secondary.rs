//! Secondary entries (docs/formats/secondary-entry.md).
//!
//! The tree's key is the index's key parts followed by the clustered key. The value:
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 1 | version in the upper four bits ([`ENTRY_VERSION`]); bit 0: marked |
//! | 1 | 2 | where the clustered key begins within the key |
//! | 3 | 8 | only when marked: TxId of the transaction whose change made this entry old |
//!
//! Invariants:
//! 1. Unmarked: the newest version of the row has this key. Marked: it has not, but an older version may.
//! 2. Purge of transaction T removes an entry only if it is marked by T. A newer version with the same key has unmarked it, and a
//!    later change has marked it with another TxId; so no look at the row is needed.
//! 3. Entries lie: only the row decides what a reader sees. An entry whose row has no such version is garbage and harms nobody.

use super::{Damaged, TxId, damaged, u16_at, u64_at};

/// Version of the entry format.
pub(crate) const ENTRY_VERSION: u8 = 1;
/// The largest value in bytes.
pub(crate) const ENTRY_BYTES: usize = 11;

/// A decoded entry value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Entry {
    /// Length of the index's own part of the key.
    pub(crate) own_bytes: u16,
    /// Who marked it.
    pub(crate) marked_by: Option<TxId>,
}

impl Entry {
    pub(crate) fn encode(self, out: &mut [u8; ENTRY_BYTES]) -> &[u8] {
        out[0] = ENTRY_VERSION << 4 | u8::from(self.marked_by.is_some());
        out[1..3].copy_from_slice(&self.own_bytes.to_le_bytes());
        match self.marked_by {
            Some(txid) => {
                out[3..].copy_from_slice(&txid.0.to_le_bytes());
                out
            }
            None => &out[..3],
        }
    }

    pub(crate) fn decode(value: &[u8]) -> Result<Entry, Damaged> {
        let whole =
            |len| if value.len() == len { Ok(()) } else { Err(damaged("secondary entry: wrong length")) };
        match value.first().copied() {
            Some(b) if b == ENTRY_VERSION << 4 => {
                whole(3)?;
                Ok(Entry { own_bytes: u16_at(value, 1), marked_by: None })
            }
            Some(b) if b == ENTRY_VERSION << 4 | 1 => {
                whole(ENTRY_BYTES)?;
                Ok(Entry { own_bytes: u16_at(value, 1), marked_by: Some(TxId(u64_at(value, 3))) })
            }
            _ => Err(damaged("secondary entry: unknown version or flags")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn entries_round_trip(own_bytes: u16, mark in prop::option::of(any::<u64>())) {
            let entry = Entry { own_bytes, marked_by: mark.map(TxId) };
            prop_assert_eq!(Entry::decode(entry.encode(&mut [0; ENTRY_BYTES])).unwrap(), entry);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..20)) {
            if let Ok(entry) = Entry::decode(&bytes) {
                let mut out = [0; ENTRY_BYTES];
                prop_assert_eq!(entry.encode(&mut out), &bytes[..]);
            }
        }
    }
}
