//! Rows in the text and in the binary format, written value by value straight into the output buffer.
//!
//! ```text
//!   text:   (lenenc text | FB)*                binary:  00 | null bitmap, from bit 2 | values that are not NULL
//! ```
//! Invariants: (1) every column gets exactly one value, asserted at [`RowWriter::finish`]; (2) a writer that is dropped unfinished (an
//! error in the middle of a row) takes its bytes back.
//!
//! Source: "Text Resultset Row", "Binary Protocol Resultset Row", "Binary Protocol Value".

use crate::write::{digits, put_lenenc_bytes, put_padded};
use crate::{ColumnType, DateTime, Responder, Time};
use bytes::{BufMut, BytesMut};

/// How rows are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// Everything as text: COM_QUERY.
    Text,
    /// By type: COM_STMT_EXECUTE.
    Binary,
}

/// One row in the making.
#[derive(Debug)]
pub struct RowWriter<'r, 'a> {
    answer: &'r mut Responder<'a>,
    format: Format,
    start: usize,
    /// Where the null bitmap begins (binary).
    bitmap: usize,
    columns: usize,
    written: usize,
    finished: bool,
}

impl<'r, 'a> RowWriter<'r, 'a> {
    pub(crate) fn begin(answer: &'r mut Responder<'a>, format: Format, columns: usize) -> Self {
        let start = answer.begin();
        let out = answer.out();
        if format == Format::Binary {
            out.put_u8(0);
        }
        let bitmap = out.len();
        if format == Format::Binary {
            out.put_bytes(0, (columns + 2).div_ceil(8));
        }
        Self { answer, format, start, bitmap, columns, written: 0, finished: false }
    }

    /// Text or binary.
    pub fn format(&self) -> Format {
        self.format
    }

    fn next(&mut self) -> &mut BytesMut {
        self.written += 1;
        self.answer.out()
    }

    /// NULL.
    pub fn null(&mut self) {
        let bit = self.written + 2;
        let (format, at) = (self.format, self.bitmap + bit / 8);
        let out = self.next();
        match format {
            Format::Text => out.put_u8(0xfb),
            Format::Binary => out[at] |= 1 << (bit % 8),
        }
    }

    /// Bytes, text, and everything that goes as text in both formats (DECIMAL, ENUM, JSON ...).
    pub fn bytes(&mut self, value: &[u8]) {
        put_lenenc_bytes(self.next(), value);
    }

    /// A signed integer of a column of type `ty`, which decides its width in the binary format.
    pub fn int(&mut self, value: i64, ty: ColumnType) {
        let format = self.format;
        let out = self.next();
        match format {
            Format::Binary => put_binary_int(out, value, ty),
            Format::Text => {
                let mut scratch = [0; 20];
                let text = digits(value.unsigned_abs(), &mut scratch);
                out.put_u8(text.len() as u8 + u8::from(value < 0));
                if value < 0 {
                    out.put_u8(b'-');
                }
                out.put_slice(text);
            }
        }
    }

    /// An unsigned integer of a column of type `ty`.
    pub fn uint(&mut self, value: u64, ty: ColumnType) {
        let format = self.format;
        let out = self.next();
        match format {
            Format::Binary => put_binary_int(out, value as i64, ty),
            Format::Text => put_lenenc_bytes(out, digits(value, &mut [0; 20])),
        }
    }

    /// A FLOAT; `text` appends its text form (at most 250 bytes) where that is wanted.
    pub fn float(&mut self, value: f32, text: impl FnOnce(&mut BytesMut)) {
        match self.format {
            Format::Binary => self.next().put_f32_le(value),
            Format::Text => self.short_text(text),
        }
    }

    /// A DOUBLE; `text` as in [`RowWriter::float`].
    pub fn double(&mut self, value: f64, text: impl FnOnce(&mut BytesMut)) {
        match self.format {
            Format::Binary => self.next().put_f64_le(value),
            Format::Text => self.short_text(text),
        }
    }

    /// Text of at most 250 bytes that `write` appends, in either format.
    ///
    /// # Panics
    /// When it is longer.
    pub fn short_text(&mut self, write: impl FnOnce(&mut BytesMut)) {
        let out = self.next();
        let at = out.len();
        out.put_u8(0);
        write(out);
        let length = out.len() - at - 1;
        assert!(length <= 250, "a short text of {length} bytes");
        out[at] = length as u8;
    }

    /// A DATE.
    pub fn date(&mut self, value: &DateTime) {
        match self.format {
            Format::Text => self.short_text(|out| put_date_text(out, value)),
            Format::Binary => put_binary_datetime(self.next(), value, true),
        }
    }

    /// A DATETIME or TIMESTAMP shown with `decimals` (0 to 6) digits of a second.
    pub fn datetime(&mut self, value: &DateTime, decimals: u8) {
        match self.format {
            Format::Binary => put_binary_datetime(self.next(), value, false),
            Format::Text => self.short_text(|out| {
                put_date_text(out, value);
                out.put_u8(b' ');
                put_clock_text(out, value.hour.into(), value.minute, value.second);
                put_fraction(out, value.micros, decimals);
            }),
        }
    }

    /// A TIME shown with `decimals` (0 to 6) digits of a second.
    pub fn time(&mut self, value: &Time, decimals: u8) {
        match self.format {
            Format::Binary => put_binary_time(self.next(), value),
            Format::Text => self.short_text(|out| {
                if value.negative {
                    out.put_u8(b'-');
                }
                let hours = value.days.saturating_mul(24).saturating_add(value.hours.into());
                put_clock_text(out, hours, value.minutes, value.seconds);
                put_fraction(out, value.micros, decimals);
            }),
        }
    }

    /// Makes the row a packet.
    ///
    /// # Panics
    /// When a column has no value, or two.
    pub fn finish(mut self) {
        assert_eq!(self.written, self.columns, "values in a row");
        self.finished = true;
        self.answer.end(self.start);
    }
}

impl Drop for RowWriter<'_, '_> {
    fn drop(&mut self) {
        if !self.finished {
            self.answer.out().truncate(self.start);
        }
    }
}

fn put_binary_int(out: &mut BytesMut, value: i64, ty: ColumnType) {
    match ty {
        ColumnType::Tiny | ColumnType::Bool => out.put_i8(value as i8),
        ColumnType::Short | ColumnType::Year => out.put_i16_le(value as i16),
        ColumnType::Long | ColumnType::Int24 => out.put_i32_le(value as i32),
        _ => out.put_i64_le(value),
    }
}

fn put_date_text(out: &mut BytesMut, value: &DateTime) {
    put_padded(out, value.year.into(), 4);
    out.put_u8(b'-');
    put_padded(out, value.month.into(), 2);
    out.put_u8(b'-');
    put_padded(out, value.day.into(), 2);
}

fn put_clock_text(out: &mut BytesMut, hours: u32, minutes: u8, seconds: u8) {
    put_padded(out, hours, 2);
    out.put_u8(b':');
    put_padded(out, minutes.into(), 2);
    out.put_u8(b':');
    put_padded(out, seconds.into(), 2);
}

fn put_fraction(out: &mut BytesMut, micros: u32, decimals: u8) {
    let decimals = u32::from(decimals.min(6));
    if decimals > 0 {
        out.put_u8(b'.');
        put_padded(out, micros / 10u32.pow(6 - decimals), decimals as usize);
    }
}

/// A zero date is empty, and parts that are zero at the end are left out.
fn put_binary_datetime(out: &mut BytesMut, v: &DateTime, date_only: bool) {
    let with_micros = !date_only && v.micros != 0;
    let with_clock = !date_only && (with_micros || (v.hour, v.minute, v.second) != (0, 0, 0));
    let with_date = with_clock || (v.year, v.month, v.day) != (0, 0, 0);
    out.put_u8(if with_micros {
        11
    } else if with_clock {
        7
    } else if with_date {
        4
    } else {
        0
    });
    if with_date {
        out.put_u16_le(v.year);
        out.put_slice(&[v.month, v.day]);
    }
    if with_clock {
        out.put_slice(&[v.hour, v.minute, v.second]);
    }
    if with_micros {
        out.put_u32_le(v.micros);
    }
}

fn put_binary_time(out: &mut BytesMut, v: &Time) {
    let with_micros = v.micros != 0;
    if !with_micros && v.days == 0 && (v.hours, v.minutes, v.seconds) == (0, 0, 0) {
        out.put_u8(0);
        return;
    }
    out.put_u8(if with_micros { 12 } else { 8 });
    out.put_u8(u8::from(v.negative));
    out.put_u32_le(v.days);
    out.put_slice(&[v.hours, v.minutes, v.seconds]);
    if with_micros {
        out.put_u32_le(v.micros);
    }
}
