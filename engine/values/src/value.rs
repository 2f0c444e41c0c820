//! A SQL value: 32 bytes, cheap to clone, and free of its type's attributes (invariant 1 of the crate).
//!
//! Strings up to 22 bytes live inside the value; longer ones are shared behind one counted pointer, so a clone never copies them.
//! Most keys, names and codes are short: reading such a column allocates nothing.

use crate::decimal::Decimal;
use crate::labels::Choice;
use crate::temporal::{Date, DateTime, Time, Timestamp, Year};
use std::fmt;
use std::sync::Arc;

/// A value of any SQL type, or NULL.
#[derive(Clone, Debug, Default)]
pub enum Value {
    /// SQL NULL.
    #[default]
    Null,
    /// A signed integer; also the result type of comparisons (0 and 1).
    Int(i64),
    /// BIGINT UNSIGNED and the unsigned integer columns.
    UInt(u64),
    /// FLOAT: kept in single precision, because it prints with six significant digits.
    Float(f32),
    /// DOUBLE.
    Double(f64),
    /// DECIMAL and exact literals with a point.
    Decimal(Decimal),
    /// A character string; its collation is the type's.
    Text(Text),
    /// A binary string.
    Bytes(Blob),
    /// DATE, zero dates included.
    Date(Date),
    /// TIME, -838:59:59.999999 to 838:59:59.999999.
    Time(Time),
    /// DATETIME, no time zone.
    DateTime(DateTime),
    /// TIMESTAMP: microseconds of UTC; `Timestamp::ZERO` is '0000-00-00 00:00:00'. The session's zone makes a `DateTime` of it.
    Timestamp(Timestamp),
    /// YEAR: 0 or 1901 to 2155.
    Year(Year),
    /// BIT: a number whose text is its bytes.
    Bit(Bits),
    /// JSON, in its binary form ([`crate::json`]).
    Json(Blob),
    /// ENUM, SET: text and number at once.
    Choice(Choice),
}

const _: () = assert!(size_of::<Value>() == 32, "a Value is half a cache line");

impl Value {
    /// A character value of these characters.
    pub fn text(s: &str) -> Self {
        Self::Text(Text::new(s))
    }

    /// A binary value of these bytes.
    pub fn bytes(b: &[u8]) -> Self {
        Self::Bytes(Blob::new(b))
    }

    /// SQL's truth value as an integer: 1 or 0.
    pub fn bool(b: bool) -> Self {
        Self::Int(i64::from(b))
    }

    /// Whether this is NULL.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The string's bytes, if this is a character or binary string.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Text(t) => Some(t.as_bytes()),
            Self::Bytes(b) => Some(b.as_bytes()),
            _ => None,
        }
    }

    /// Whether this is one of the temporal values (not YEAR, which MySQL treats as an integer).
    pub fn is_temporal(&self) -> bool {
        matches!(self, Self::Date(_) | Self::Time(_) | Self::DateTime(_) | Self::Timestamp(_))
    }
}

/// Exact identity: same variant, same representation (doubles by bits). SQL equality is [`crate::compare`]'s, which knows collations.
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::UInt(a), Self::UInt(b)) => a == b,
            (Self::Float(a), Self::Float(b)) => a.to_bits() == b.to_bits(),
            (Self::Double(a), Self::Double(b)) => a.to_bits() == b.to_bits(),
            (Self::Decimal(a), Self::Decimal(b)) => a == b && a.scale() == b.scale(),
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::Bytes(a), Self::Bytes(b)) => a == b,
            (Self::Date(a), Self::Date(b)) => a == b,
            (Self::Time(a), Self::Time(b)) => a == b,
            (Self::DateTime(a), Self::DateTime(b)) => a == b,
            (Self::Timestamp(a), Self::Timestamp(b)) => a == b,
            (Self::Year(a), Self::Year(b)) => a == b,
            (Self::Bit(a), Self::Bit(b)) => a == b,
            (Self::Json(a), Self::Json(b)) => a == b,
            (Self::Choice(a), Self::Choice(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for Value {}

/// A value of BIT(n).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Bits {
    number: u64,
    width: u8,
}

impl Bits {
    /// A number of at most `width` bits (1 to 64); `None` if it has more.
    pub fn new(number: u64, width: u32) -> Option<Self> {
        let fits = (1..=64).contains(&width) && (width == 64 || number >> width == 0);
        fits.then_some(Self { number, width: width as u8 })
    }

    /// The number.
    pub const fn number(self) -> u64 {
        self.number
    }

    /// The bytes that a client sees, high one first: as many as the column's bits need.
    pub fn bytes(self) -> Vec<u8> {
        self.number.to_be_bytes()[8 - usize::from(self.width).div_ceil(8)..].to_vec()
    }
}

/// Bytes kept in place up to this length.
const INLINE: usize = 22;

/// Valid UTF-8, inline when short.
#[derive(Clone)]
pub struct Text(TextRepr);

#[derive(Clone)]
enum TextRepr {
    Inline { len: u8, buf: [u8; INLINE] },
    Heap(Arc<str>),
}

impl Text {
    /// Copies `s`, into the value itself when it has at most 22 bytes.
    pub fn new(s: &str) -> Self {
        Self(match inline(s.as_bytes()) {
            Some((len, buf)) => TextRepr::Inline { len, buf },
            None => TextRepr::Heap(Arc::from(s)),
        })
    }

    /// The characters.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            TextRepr::Inline { len, buf } => std::str::from_utf8(&buf[..usize::from(*len)])
                .expect("invariant: a Text is built from a str, so its bytes are UTF-8"),
            TextRepr::Heap(s) => s,
        }
    }

    /// The characters' bytes; cheaper than `as_str` for short strings.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            TextRepr::Inline { len, buf } => &buf[..usize::from(*len)],
            TextRepr::Heap(s) => s.as_bytes(),
        }
    }

    /// Bytes of heap memory this value keeps alive, for memory budgets.
    pub fn heap_bytes(&self) -> usize {
        match &self.0 {
            TextRepr::Inline { .. } => 0,
            TextRepr::Heap(s) => s.len(),
        }
    }
}

/// Any bytes, inline when short.
#[derive(Clone)]
pub struct Blob(BlobRepr);

#[derive(Clone)]
enum BlobRepr {
    Inline { len: u8, buf: [u8; INLINE] },
    Heap(Arc<[u8]>),
}

impl Blob {
    /// Copies `b`, into the value itself when it has at most 22 bytes.
    pub fn new(b: &[u8]) -> Self {
        Self(match inline(b) {
            Some((len, buf)) => BlobRepr::Inline { len, buf },
            None => BlobRepr::Heap(Arc::from(b)),
        })
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            BlobRepr::Inline { len, buf } => &buf[..usize::from(*len)],
            BlobRepr::Heap(b) => b,
        }
    }

    /// Bytes of heap memory this value keeps alive, for memory budgets.
    pub fn heap_bytes(&self) -> usize {
        match &self.0 {
            BlobRepr::Inline { .. } => 0,
            BlobRepr::Heap(b) => b.len(),
        }
    }
}

fn inline(b: &[u8]) -> Option<(u8, [u8; INLINE])> {
    let mut buf = [0; INLINE];
    buf.get_mut(..b.len())?.copy_from_slice(b);
    Some((b.len() as u8, buf))
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}
impl Eq for Text {}
impl PartialEq for Blob {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}
impl Eq for Blob {}
impl From<&str> for Text {
    fn from(s: &str) -> Self {
        Self::new(s)
    }
}
impl From<String> for Text {
    fn from(s: String) -> Self {
        Self::new(&s)
    }
}
impl From<&[u8]> for Blob {
    fn from(b: &[u8]) -> Self {
        Self::new(b)
    }
}
impl From<Vec<u8>> for Blob {
    fn from(b: Vec<u8>) -> Self {
        Self::new(&b)
    }
}
impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}
impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.as_bytes().escape_ascii())
    }
}
