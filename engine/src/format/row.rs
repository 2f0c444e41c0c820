//! The value of a clustered leaf entry: one row version (docs/formats/row.md).
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 1 | format version, [`ROW_VERSION`] |
//! | 1 | 1 | flags: 1 deleted, 2 wide (offsets of 4 bytes), 4 has overflow references |
//! | 2 | 2 | schema version of the table |
//! | 4 | 8 | TxId of the transaction that wrote this version |
//! | 12 | 8 | undo pointer: what that transaction replaced |
//! | 20 | n | null bitmap, a bit per stored column of the row's format, n = columns / 8 rounded up |
//! | 20 + n | n | only with flag 4: overflow bitmap, 1 = the cell is an overflow reference of 16 bytes |
//! | .. | f | fixed part: the cells of fixed-width columns in column order; a NULL's bytes are zero |
//! | .. | 2v or 4v | end of each variable column within the variable part, in column order |
//! | .. | .. | variable part |
//!
//! Invariants:
//! 1. All columns are here, those of the key too: a row reads without its tree. One that its format lacks has the default it was added with.
//! 2. A fixed cell stands at the same place in every row of a layout (without overflow), so an update of it is a patch.
//! 3. Wide rows exist only in memory: rows with their long values put in place (`rows::batch`).

use super::{Damaged, TxId, UndoPtr, damaged, u16_at, u64_at};
use bytes::Bytes;
use smallvec::SmallVec;
use values::cell::fixed_width;
use values::{ColumnType, Value};

/// Version byte of a row.
pub(crate) const ROW_VERSION: u8 = 1;
/// Bytes before the null bitmap.
pub(crate) const ROW_HEADER_BYTES: usize = 20;
/// Bytes of an overflow reference.
pub(crate) const OVERFLOW_REF_BYTES: usize = 16;
/// A row is not longer inline; what does not fit goes to overflow chains.
pub(crate) const MAX_ROW_BYTES: usize = 4000;

pub(crate) const DELETED: u8 = 1;
const WIDE: u8 = 2;
const EXTERNAL: u8 = 4;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    Fixed { at: u32, width: u8 },
    Var { index: u16 },
}

/// Where the columns of a table lie in its rows, of whatever format (`dictionary::formats`); computed once per table definition.
///
/// A stored column lies at the same place in all formats that have it; what differs is how many there are, and so how long the parts are.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Layout {
    /// By column: the stored one that shows it.
    columns: Vec<u32>,
    /// By stored column.
    stored: Vec<StoredPlace>,
    /// The newest format last; it has all stored columns.
    formats: SmallVec<[Format; 1]>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct StoredPlace {
    place: Place,
    shown: Option<u32>,
    /// The cell in rows of formats that lack it; `None`: NULL.
    absent: Option<Bytes>,
}

/// One row format: from which version on, and the sizes of its parts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Format {
    version: u16,
    columns: usize,
    fixed_bytes: usize,
    variable: usize,
}

impl Format {
    fn bitmap_bytes(&self) -> usize {
        self.columns.div_ceil(8)
    }
}

impl Layout {
    /// Of rows of one format that store every column in order.
    pub(crate) fn new(types: impl Iterator<Item = ColumnType>) -> Layout {
        let stored = types.enumerate().map(|(i, ty)| (ty, Some(i), None));
        Layout::of(stored, std::iter::empty())
    }

    /// Of stored columns (type, the column it shows, the cell where it is absent) and row formats (version, number of stored columns).
    pub(crate) fn of(
        stored: impl Iterator<Item = (ColumnType, Option<usize>, Option<Bytes>)>,
        formats: impl Iterator<Item = (u16, u32)>,
    ) -> Layout {
        let mut layout = Layout::default();
        let mut sizes = vec![Format::default()];
        let mut now = Format::default();
        for (ty, shown, absent) in stored {
            let place = match fixed_width(&ty) {
                Some(width) => {
                    let at = now.fixed_bytes as u32;
                    now.fixed_bytes += width;
                    Place::Fixed { at, width: width as u8 }
                }
                None => {
                    now.variable += 1;
                    Place::Var { index: now.variable as u16 - 1 }
                }
            };
            if let Some(column) = shown {
                if layout.columns.len() <= column {
                    layout.columns.resize(column + 1, 0);
                }
                layout.columns[column] = layout.stored.len() as u32;
            }
            layout.stored.push(StoredPlace { place, shown: shown.map(|c| c as u32), absent });
            now.columns += 1;
            sizes.push(now);
        }
        layout.formats.extend(formats.map(|(version, n)| Format { version, ..sizes[n as usize] }));
        if layout.formats.is_empty() {
            layout.formats.push(now);
        }
        layout
    }

    fn newest(&self) -> Format {
        *self.formats.last().expect("invariant: a layout has a format")
    }

    /// The format of a row that says it is of this version.
    fn format(&self, version: u16) -> Format {
        let found = self.formats.iter().rev().find(|f| f.version <= version);
        *found.unwrap_or(&self.formats[0])
    }

    pub(crate) fn bitmap_bytes(&self) -> usize {
        self.newest().bitmap_bytes()
    }

    /// Whether a row lacks stored columns, being of an older format.
    pub(crate) fn is_older(&self, row: &[u8]) -> bool {
        self.formats.len() > 1
            && row.len() >= ROW_HEADER_BYTES
            && self.format(u16_at(row, 2)).columns < self.stored.len()
    }

    /// How many bytes longer a row gets in the newest format, at most.
    pub(crate) fn growth(&self, row: &[u8]) -> usize {
        if !self.is_older(row) {
            return 0;
        }
        let (old, new) = (self.format(u16_at(row, 2)), self.newest());
        let added = self.stored[old.columns..].iter().filter(|s| matches!(s.place, Place::Var { .. }));
        let absent = added.filter_map(|s| s.absent.as_ref()).map(Bytes::len);
        2 * (new.bitmap_bytes() - old.bitmap_bytes())
            + (new.fixed_bytes - old.fixed_bytes)
            + 2 * (new.variable - old.variable)
            + absent.sum::<usize>()
    }
}

/// The header of a row version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct RowHeader {
    pub(crate) deleted: bool,
    pub(crate) schema_version: u16,
    pub(crate) txid: TxId,
    pub(crate) undo: UndoPtr,
}

/// One cell of a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Cell<'a> {
    Null,
    Inline(&'a [u8]),
    /// An overflow reference.
    External(&'a [u8]),
}

/// The header, checked.
pub(crate) fn header(row: &[u8]) -> Result<RowHeader, Damaged> {
    if row.len() < ROW_HEADER_BYTES || row[0] != ROW_VERSION {
        return Err(damaged("row: short or of an unknown version"));
    }
    Ok(RowHeader {
        deleted: row[1] & DELETED != 0,
        schema_version: u16_at(row, 2),
        txid: TxId(u64_at(row, 4)),
        undo: UndoPtr(u64_at(row, 12)),
    })
}

/// Writes TxId and undo pointer into a row's header, and the deleted flag.
pub(crate) fn set_header(row: &mut [u8], txid: TxId, undo: UndoPtr, deleted: bool) {
    row[1] = row[1] & !DELETED | if deleted { DELETED } else { 0 };
    row[4..12].copy_from_slice(&txid.0.to_le_bytes());
    row[12..20].copy_from_slice(&undo.0.to_le_bytes());
}

/// Whether a row was changed in memory: its long values are in place.
pub(crate) fn is_wide(row: &[u8]) -> bool {
    row.get(1).is_some_and(|f| f & WIDE != 0)
}

/// Whether a row has overflow references.
pub(crate) fn has_external(row: &[u8]) -> bool {
    row.get(1).is_some_and(|f| f & EXTERNAL != 0)
}

/// A row's parts, found once.
#[derive(Clone, Copy)]
pub(crate) struct Parts<'a> {
    layout: &'a Layout,
    format: Format,
    nulls: &'a [u8],
    external: &'a [u8],
    fixed: &'a [u8],
    offsets: &'a [u8],
    variable: &'a [u8],
    wide: bool,
}

impl<'a> Parts<'a> {
    /// Finds the parts of a row; its lengths are checked, so that [`Parts::cell`] fails on damaged offsets only.
    pub(crate) fn of(layout: &'a Layout, row: &'a [u8]) -> Result<Parts<'a>, Damaged> {
        const SHORT: Damaged = damaged("row: shorter than its layout");
        let rest = row.get(ROW_HEADER_BYTES..).ok_or(SHORT)?;
        let (flags, format) = (row[1], layout.format(u16_at(row, 2)));
        let (map, wide) = (format.bitmap_bytes(), flags & WIDE != 0);
        let (nulls, rest) = rest.split_at_checked(map).ok_or(SHORT)?;
        let (external, rest) =
            rest.split_at_checked(if flags & EXTERNAL != 0 { map } else { 0 }).ok_or(SHORT)?;
        let (fixed, rest) = rest.split_at_checked(format.fixed_bytes).ok_or(SHORT)?;
        let (offsets, variable) =
            rest.split_at_checked(format.variable * if wide { 4 } else { 2 }).ok_or(SHORT)?;
        let parts = Parts { layout, format, nulls, external, fixed, offsets, variable, wide };
        if format.variable > 0 && parts.end(format.variable - 1) != variable.len() {
            return Err(damaged("row: offsets and length disagree"));
        }
        Ok(parts)
    }

    fn end(&self, index: usize) -> usize {
        if self.wide {
            let o = &self.offsets[index * 4..];
            u32::from_le_bytes([o[0], o[1], o[2], o[3]]) as usize
        } else {
            usize::from(u16_at(self.offsets, index * 2))
        }
    }

    /// One column's cell.
    pub(crate) fn cell(&self, column: usize) -> Result<Cell<'a>, Damaged> {
        let stored = self.layout.columns.get(column).ok_or(damaged("row: no such column"))?;
        self.stored(*stored as usize)
    }

    /// The cell of a stored column; what the row's format lacks is the column's default.
    fn stored(&self, column: usize) -> Result<Cell<'a>, Damaged> {
        let stored = &self.layout.stored[column];
        if column >= self.format.columns {
            return Ok(stored.absent.as_ref().map_or(Cell::Null, |cell| Cell::Inline(cell)));
        }
        if bit(self.nulls, column) {
            return Ok(Cell::Null);
        }
        match stored.place {
            Place::Fixed { at, width } => {
                Ok(Cell::Inline(&self.fixed[at as usize..at as usize + usize::from(width)]))
            }
            Place::Var { index } => {
                let index = usize::from(index);
                let start = if index == 0 { 0 } else { self.end(index - 1) };
                let bytes =
                    self.variable.get(start..self.end(index)).ok_or(damaged("row: offsets out of order"))?;
                if self.external.is_empty() || !bit(self.external, column) {
                    Ok(Cell::Inline(bytes))
                } else if bytes.len() == OVERFLOW_REF_BYTES {
                    Ok(Cell::External(bytes))
                } else {
                    Err(damaged("row: overflow reference of a wrong length"))
                }
            }
        }
    }
}

fn bit(map: &[u8], i: usize) -> bool {
    map.get(i / 8).is_some_and(|b| b >> (i % 8) & 1 == 1)
}

/// What to store in one column.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Put<'a> {
    Value(&'a Value),
    /// A cell taken from another version.
    Cell(Cell<'a>),
}

/// Encodes a row in the newest format, which `header.schema_version` must be of. What is stored of columns that are not shown any more comes from
/// `old`, whose row goes on in this one; else they are NULL.
pub(crate) fn encode<'a>(
    layout: &Layout,
    types: impl Fn(usize) -> &'a ColumnType,
    header: RowHeader,
    (column, old): (impl Fn(usize) -> Put<'a>, Option<&Parts<'a>>),
    wide: bool,
    out: &mut Vec<u8>,
) {
    let start = out.len();
    let format = layout.newest();
    let put = |i: usize| match (layout.stored[i].shown, old) {
        (Some(shown), _) => column(shown as usize),
        (None, Some(old)) => Put::Cell(old.stored(i).unwrap_or(Cell::Null)),
        (None, None) => Put::Cell(Cell::Null),
    };
    let external = (0..format.columns).any(|i| matches!(put(i), Put::Cell(Cell::External(_))));
    out.extend_from_slice(&[ROW_VERSION, 0]);
    out.extend_from_slice(&header.schema_version.to_le_bytes());
    out.extend_from_slice(&[0; 16]);
    let map = format.bitmap_bytes();
    let nulls = out.len();
    out.resize(nulls + map * (1 + usize::from(external)) + format.fixed_bytes, 0);
    let fixed = out.len() - format.fixed_bytes;
    let step = if wide { 4 } else { 2 };
    let offsets = out.len();
    out.resize(offsets + format.variable * step, 0);
    let variable = out.len();
    for (i, stored) in layout.stored.iter().enumerate() {
        let at = out.len();
        match put(i) {
            Put::Value(Value::Null) | Put::Cell(Cell::Null) => out[nulls + i / 8] |= 1 << (i % 8),
            Put::Value(value) => {
                let shown = stored.shown.expect("invariant: hidden columns are put as cells");
                values::encode_cell(value, types(shown as usize), out);
            }
            Put::Cell(Cell::Inline(bytes)) => out.extend_from_slice(bytes),
            Put::Cell(Cell::External(bytes)) => {
                out[nulls + map + i / 8] |= 1 << (i % 8);
                out.extend_from_slice(bytes);
            }
        }
        match stored.place {
            Place::Fixed { at: place, width } => {
                let len = out.len() - at;
                assert!(
                    len == 0 || len == usize::from(width),
                    "row: cell of {len} bytes in a place of {width}"
                );
                out.copy_within(at.., fixed + place as usize);
                out.truncate(at);
            }
            Place::Var { index } => {
                let end = (out.len() - variable) as u32;
                let at = offsets + usize::from(index) * step;
                out[at..at + step].copy_from_slice(&end.to_le_bytes()[..step]);
            }
        }
    }
    out[start + 1] = if wide { WIDE } else { 0 } | if external { EXTERNAL } else { 0 };
    set_header(&mut out[start..], header.txid, header.undo, header.deleted);
}

/// Overwrites one cell of a row without overflow references; false (and the row is of no use any more) when that changes its length.
pub(crate) fn patch(
    layout: &Layout,
    column: usize,
    value: &Value,
    ty: &ColumnType,
    row: &mut Vec<u8>,
) -> Result<bool, Damaged> {
    const ODD: Damaged = damaged("row: cannot be patched");
    if row.get(1).is_none_or(|f| f & (WIDE | EXTERNAL) != 0) || layout.is_older(row) {
        return Ok(false);
    }
    let format = layout.newest();
    let (nulls, map) = (ROW_HEADER_BYTES, format.bitmap_bytes());
    let fixed = nulls + map;
    let offsets = fixed + format.fixed_bytes;
    let column = *layout.columns.get(column).ok_or(ODD)? as usize;
    let place = layout.stored[column].place;
    let (at, len) = match place {
        Place::Fixed { at, width } => (fixed + at as usize, usize::from(width)),
        Place::Var { index } => {
            let index = usize::from(index);
            let end = usize::from(u16_at(row, offsets + index * 2));
            let start = if index == 0 { 0 } else { usize::from(u16_at(row, offsets + (index - 1) * 2)) };
            (offsets + format.variable * 2 + start, end.checked_sub(start).ok_or(ODD)?)
        }
    };
    let (old, bit) = (row.len(), 1 << (column % 8));
    if at + len > old {
        return Err(ODD);
    }
    if value.is_null() {
        if matches!(place, Place::Var { .. }) && len > 0 {
            return Ok(false);
        }
        row[nulls + column / 8] |= bit;
        row[at..at + len].fill(0);
        return Ok(true);
    }
    values::encode_cell(value, ty, row);
    if row.len() - old != len {
        return Ok(false);
    }
    row.copy_within(old.., at);
    row.truncate(old);
    row[nulls + column / 8] &= !bit;
    Ok(true)
}

/// The overflow references of a row, in column order. One that is zero has been freed (only in a deleted row that nobody sees).
pub(crate) fn external_refs(layout: &Layout, row: &[u8]) -> Result<Vec<[u8; 16]>, Damaged> {
    Ok(external_places(layout, row)?.into_iter().map(|(_, r)| r).collect())
}

/// The overflow references of a row with their offsets in it.
pub(crate) fn external_places(layout: &Layout, row: &[u8]) -> Result<Vec<(usize, [u8; 16])>, Damaged> {
    let mut refs = Vec::new();
    if has_external(row) {
        let parts = Parts::of(layout, row)?;
        for i in 0..parts.format.columns {
            if let Cell::External(r) = parts.stored(i)? {
                let at = r.as_ptr() as usize - row.as_ptr() as usize;
                refs.push((at, r.try_into().map_err(|_| damaged("row: overflow reference"))?));
            }
        }
    }
    Ok(refs)
}

#[cfg(test)]
mod tests;
