//! Undo records (docs/formats/undo.md): what a change replaced. They lie in units of undo space, whose headers are [`super::unit`]'s.
//!
//! A record: length u16, then [`UndoRecord`]'s fields as encoded below, then the length again (so a chain can be walked backwards).
//! References of old overflow chains stand last, 16 bytes each; one that is zero was freed. Byte 2 is a flag byte: 1 = reverted, 2 = its old overflow chains are freed (both set in place, later); 4 = the change deleted the row.
//!
//! Invariant: a pointer to a record stays true as long as its unit is the transaction's.

use super::row::ROW_HEADER_BYTES;
use super::unit::{HEADER_BYTES, OFF_FIRST};
use super::{Damaged, Reader, TxId, UndoPtr, damaged, put_bytes, put_varint, u16_at};
use protocol::page::PAGE_BYTES;

/// No record begins before this.
const OFF_RECORDS: u16 = OFF_FIRST + HEADER_BYTES;

pub(crate) const REVERTED: u8 = 1;
pub(crate) const OVERFLOW_FREED: u8 = 2;
pub(crate) const DELETES: u8 = 4;
/// Offset of the flag byte within a record.
pub(crate) const OFF_FLAGS: u16 = 2;

/// A secondary entry that a change made old: purge removes it if it is still marked by this transaction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct OldEntry {
    pub(crate) index: u64,
    pub(crate) key: Vec<u8>,
}

/// What the change replaced.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Before {
    /// There was no row.
    Nothing,
    /// No row changed: an overflow chain was made that a version of this transaction will refer to. Rolling back frees it.
    Chain([u8; 16]),
    /// A version: its header, and its bytes after the header as a difference to the version that replaced it.
    Version {
        deleted: bool,
        schema_version: u16,
        txid: TxId,
        undo: UndoPtr,
        row_flags: u8,
        /// Bytes that both versions begin with.
        prefix: usize,
        /// Bytes that both versions end with.
        suffix: usize,
        /// What lies between in the older one.
        middle: Vec<u8>,
    },
}

/// One change of one row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct UndoRecord {
    pub(crate) flags: u8,
    /// The clustered tree of the row. Tree ids are never reused, so a truncated or dropped table's records name nothing.
    pub(crate) table: u64,
    /// Clustered key of the row.
    pub(crate) key: Vec<u8>,
    pub(crate) before: Before,
    /// Secondary entries that this change marked.
    pub(crate) old_entries: Vec<OldEntry>,
    /// Overflow references of the older version that the newer one no longer has.
    pub(crate) old_overflow: Vec<[u8; 16]>,
}

const INSERT: u8 = 1;
const CHANGE: u8 = 2;
const CHAIN: u8 = 3;
const WHAT: &str = "undo record: ends early";

/// [`Before`] as the writer of a record has it: nothing is copied.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Replaced<'a> {
    Nothing,
    Chain(&'a [u8; 16]),
    Version {
        deleted: bool,
        schema_version: u16,
        txid: TxId,
        undo: UndoPtr,
        row_flags: u8,
        prefix: usize,
        suffix: usize,
        middle: &'a [u8],
    },
}

/// Appends a record with both lengths; `entries` are index and key.
pub(crate) fn encode<'a>(
    out: &mut Vec<u8>,
    flags: u8,
    (table, key): (u64, &[u8]),
    before: Replaced<'_>,
    entries: impl ExactSizeIterator<Item = (u64, &'a [u8])>,
    old_overflow: &[[u8; 16]],
) {
    let start = out.len();
    out.extend_from_slice(&[0, 0, flags]);
    out.push(match before {
        Replaced::Nothing => INSERT,
        Replaced::Version { .. } => CHANGE,
        Replaced::Chain(_) => CHAIN,
    });
    put_varint(table, out);
    put_bytes(key, out);
    match before {
        Replaced::Nothing => {}
        Replaced::Chain(chain) => out.extend_from_slice(chain),
        Replaced::Version { deleted, schema_version, txid, undo, row_flags, prefix, suffix, middle } => {
            out.push(u8::from(deleted));
            out.push(row_flags);
            put_varint(u64::from(schema_version), out);
            put_varint(txid.0, out);
            put_varint(undo.0, out);
            put_varint(prefix as u64, out);
            put_varint(suffix as u64, out);
            put_bytes(middle, out);
        }
    }
    put_varint(entries.len() as u64, out);
    for (index, key) in entries {
        put_varint(index, out);
        put_bytes(key, out);
    }
    put_varint(old_overflow.len() as u64, out);
    for chain in old_overflow {
        out.extend_from_slice(chain);
    }
    let len = ((out.len() - start + 2) as u16).to_le_bytes();
    out[start..start + 2].copy_from_slice(&len);
    out.extend_from_slice(&len);
}

impl UndoRecord {
    /// Appends the record with both lengths.
    #[cfg(test)]
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let before = match &self.before {
            Before::Nothing => Replaced::Nothing,
            Before::Chain(chain) => Replaced::Chain(chain),
            Before::Version { deleted, schema_version, txid, undo, row_flags, prefix, suffix, middle } => {
                Replaced::Version {
                    deleted: *deleted,
                    schema_version: *schema_version,
                    txid: *txid,
                    undo: *undo,
                    row_flags: *row_flags,
                    prefix: *prefix,
                    suffix: *suffix,
                    middle,
                }
            }
        };
        let entries = self.old_entries.iter().map(|e| (e.index, e.key.as_slice()));
        encode(out, self.flags, (self.table, &self.key), before, entries, &self.old_overflow);
    }

    /// The record at `offset` of a page.
    pub(crate) fn decode(page: &[u8; PAGE_BYTES], offset: u16) -> Result<UndoRecord, Damaged> {
        let bytes = raw(page, offset)?;
        let mut r = Reader::new(&bytes[2..bytes.len() - 2], WHAT);
        let flags = r.u8()?;
        let kind = r.u8()?;
        let table = r.varint()?;
        let key = r.bytes()?.to_vec();
        let before = match kind {
            INSERT => Before::Nothing,
            CHAIN => {
                let mut chain = [0; 16];
                chain.copy_from_slice(r.take(16)?);
                Before::Chain(chain)
            }
            CHANGE => {
                let (deleted, row_flags) = (r.u8()? != 0, r.u8()?);
                Before::Version {
                    deleted,
                    schema_version: r.varint()? as u16,
                    txid: TxId(r.varint()?),
                    undo: UndoPtr(r.varint()?),
                    row_flags,
                    prefix: r.varint()? as usize,
                    suffix: r.varint()? as usize,
                    middle: r.bytes()?.to_vec(),
                }
            }
            _ => return Err(damaged("undo record: unknown kind")),
        };
        let count = r.varint()?;
        let mut old_entries = Vec::new();
        for _ in 0..count {
            old_entries.push(OldEntry { index: r.varint()?, key: r.bytes()?.to_vec() });
        }
        let count = r.varint()?;
        let mut old_overflow = Vec::new();
        for _ in 0..count {
            let mut chain = [0; 16];
            chain.copy_from_slice(r.take(16)?);
            old_overflow.push(chain);
        }
        Ok(UndoRecord { flags, table, key, before, old_entries, old_overflow })
    }
}

/// Rebuilds in `row` (a whole version) the one that the record at `offset` says was below; false when there was none. Allocates nothing
/// but what `row` grows by.
pub(crate) fn step_down(page: &[u8; PAGE_BYTES], offset: u16, row: &mut Vec<u8>) -> Result<bool, Damaged> {
    let bytes = raw(page, offset)?;
    let mut r = Reader::new(&bytes[3..bytes.len() - 2], WHAT);
    if r.u8()? != CHANGE {
        return Ok(false);
    }
    r.varint()?;
    r.bytes()?;
    let (deleted, row_flags) = (r.u8()? != 0, r.u8()?);
    let schema_version = r.varint()? as u16;
    let (txid, undo) = (TxId(r.varint()?), UndoPtr(r.varint()?));
    let (prefix, suffix) = (r.varint()?, r.varint()?);
    let body = row.len().saturating_sub(ROW_HEADER_BYTES) as u64;
    if prefix.checked_add(suffix).is_none_or(|both| both > body) {
        return Err(damaged("undo record: the difference is longer than the row"));
    }
    let (start, end) = (ROW_HEADER_BYTES + prefix as usize, row.len() - suffix as usize);
    row.splice(start..end, r.bytes()?.iter().copied());
    row[1] = row_flags;
    row[2..4].copy_from_slice(&schema_version.to_le_bytes());
    super::row::set_header(row, txid, undo, deleted);
    Ok(true)
}

/// The bytes of the record at `offset`, both lengths included and checked.
fn raw(page: &[u8; PAGE_BYTES], offset: u16) -> Result<&[u8], Damaged> {
    let at = usize::from(offset);
    if offset < OFF_RECORDS || at + 8 > PAGE_BYTES {
        return Err(damaged("undo record: offset outside the page"));
    }
    let len = usize::from(u16_at(page, at));
    let bytes = page.get(at..at + len).filter(|b| b.len() >= 8).ok_or(damaged(WHAT))?;
    if usize::from(u16_at(bytes, len - 2)) != len {
        return Err(damaged("undo record: its two lengths differ"));
    }
    Ok(bytes)
}

/// The offset of the last record that ends at `end`; `None` at `start`, where the records of the unit begin.
pub(crate) fn record_before(page: &[u8; PAGE_BYTES], start: u16, end: u16) -> Result<Option<u16>, Damaged> {
    if end <= start {
        return Ok(None);
    }
    if usize::from(end) > PAGE_BYTES {
        return Err(damaged("undo page: end outside the page"));
    }
    let len = u16_at(page, usize::from(end) - 2);
    let at = end.checked_sub(len).filter(|at| *at >= start).ok_or(damaged("undo page: bad length"))?;
    raw(page, at)?;
    Ok(Some(at))
}

/// Where the record at `offset` ends.
pub(crate) fn record_end(page: &[u8; PAGE_BYTES], offset: u16) -> Result<u16, Damaged> {
    Ok(offset + raw(page, offset)?.len() as u16)
}

/// What `older` and `newer` have in common at both ends: bytes of prefix and of suffix.
pub(crate) fn difference(older: &[u8], newer: &[u8]) -> (usize, usize) {
    let prefix = older.iter().zip(newer).take_while(|(a, b)| a == b).count();
    let (a, b) = (&older[prefix..], &newer[prefix..]);
    let suffix = a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b).count();
    (prefix, suffix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record() -> impl Strategy<Value = UndoRecord> {
        let bytes = || prop::collection::vec(any::<u8>(), 0..40);
        let before = prop_oneof![
            Just(Before::Nothing),
            any::<[u8; 16]>().prop_map(Before::Chain),
            (any::<bool>(), any::<u16>(), any::<u64>(), any::<u64>(), 0..9000_usize, 0..9000_usize, bytes())
                .prop_map(|(deleted, schema_version, txid, undo, prefix, suffix, middle)| Before::Version {
                    deleted,
                    schema_version,
                    txid: TxId(txid),
                    undo: UndoPtr(undo),
                    row_flags: 4,
                    prefix,
                    suffix,
                    middle,
                })
        ];
        let entries = prop::collection::vec((any::<u64>(), bytes()), 0..3);
        (before, any::<u64>(), bytes(), entries, prop::collection::vec(any::<[u8; 16]>(), 0..3)).prop_map(
            |(before, table, key, entries, old_overflow)| UndoRecord {
                flags: 0,
                table,
                key,
                before,
                old_entries: entries.into_iter().map(|(index, key)| OldEntry { index, key }).collect(),
                old_overflow,
            },
        )
    }

    proptest! {
        #[test]
        fn records_round_trip_and_walk_backwards(records in prop::collection::vec(record(), 1..8)) {
            let mut page = [0; PAGE_BYTES];
            let mut body = Vec::new();
            let mut starts = Vec::new();
            for record in &records {
                starts.push(OFF_RECORDS + body.len() as u16);
                record.encode(&mut body);
            }
            page[usize::from(OFF_RECORDS)..][..body.len()].copy_from_slice(&body);
            let mut end = OFF_RECORDS + body.len() as u16;
            for (start, record) in starts.iter().zip(&records).rev() {
                prop_assert_eq!(record_end(&page, *start).unwrap(), end);
                prop_assert_eq!(record_before(&page, OFF_RECORDS, end).unwrap(), Some(*start));
                prop_assert_eq!(&UndoRecord::decode(&page, *start).unwrap(), record);
                end = *start;
            }
            prop_assert_eq!(record_before(&page, OFF_RECORDS, end).unwrap(), None);
        }

        #[test]
        fn arbitrary_bytes_never_panic(noise in prop::collection::vec(any::<u8>(), 300), offset: u16) {
            let mut page = [0; PAGE_BYTES];
            page[80..380].copy_from_slice(&noise);
            let _ = UndoRecord::decode(&page, offset % 400);
            let _ = record_before(&page, OFF_RECORDS, offset);
        }

        #[test]
        fn the_difference_rebuilds_the_older(older in prop::collection::vec(0..3_u8, 0..30), newer in prop::collection::vec(0..3_u8, 0..30)) {
            let (prefix, suffix) = difference(&older, &newer);
            let mut rebuilt = newer[..prefix].to_vec();
            rebuilt.extend_from_slice(&older[prefix..older.len() - suffix]);
            rebuilt.extend_from_slice(&newer[newer.len() - suffix..]);
            prop_assert_eq!(rebuilt, older);
        }
    }
}
