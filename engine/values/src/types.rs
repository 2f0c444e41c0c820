//! A column's type: everything about its values that the values themselves do not carry.
//!
//! Names follow SHOW CREATE TABLE (`int unsigned`, `varchar(20)`, `datetime(6)`) and information_schema's DATA_TYPE. Lengths are in
//! characters for CHAR and VARCHAR, in bytes for the rest. A type travels in dictionary rows as the bytes of [`ColumnType::encode`]: 12, and
//! the words of an ENUM or SET behind them.

use crate::collation::Collation;
use crate::labels::Labels;
use std::fmt;

/// The type proper, without attributes. The numbers are part of the dictionary's format: append, never renumber.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
#[repr(u8)]
#[allow(missing_docs, reason = "each is MySQL's type of that name")]
pub enum TypeKind {
    TinyInt = 1,
    SmallInt = 2,
    MediumInt = 3,
    Int = 4,
    BigInt = 5,
    Decimal = 6,
    Float = 7,
    Double = 8,
    Char = 9,
    VarChar = 10,
    TinyText = 11,
    Text = 12,
    MediumText = 13,
    LongText = 14,
    Binary = 15,
    VarBinary = 16,
    TinyBlob = 17,
    Blob = 18,
    MediumBlob = 19,
    LongBlob = 20,
    Date = 21,
    Time = 22,
    DateTime = 23,
    Timestamp = 24,
    Year = 25,
    Bit = 26,
    Enum = 27,
    Set = 28,
    Json = 29,
}

use TypeKind as K;

const KINDS: [K; 29] = [
    K::TinyInt,
    K::SmallInt,
    K::MediumInt,
    K::Int,
    K::BigInt,
    K::Decimal,
    K::Float,
    K::Double,
    K::Char,
    K::VarChar,
    K::TinyText,
    K::Text,
    K::MediumText,
    K::LongText,
    K::Binary,
    K::VarBinary,
    K::TinyBlob,
    K::Blob,
    K::MediumBlob,
    K::LongBlob,
    K::Date,
    K::Time,
    K::DateTime,
    K::Timestamp,
    K::Year,
    K::Bit,
    K::Enum,
    K::Set,
    K::Json,
];

/// FLOAT and DOUBLE without `(M,D)` have this many decimals, as in MySQL's column metadata.
pub const NOT_FIXED: u8 = 31;
/// DECIMAL's largest precision, in digits.
pub const MAX_PRECISION: u8 = 65;
/// DECIMAL's largest scale, in digits.
pub const MAX_SCALE: u8 = 30;
/// Size of an encoded type in bytes.
pub const ENCODED_TYPE_LEN: usize = 12;

/// A column's type with its attributes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct ColumnType {
    /// The type proper.
    pub kind: TypeKind,
    /// CHAR, VARCHAR: characters. BINARY, VARBINARY: bytes. DECIMAL: precision. FLOAT(M,D), DOUBLE(M,D): M. TINYINT(1): 1. TEXT and BLOB:
    /// their largest length in bytes. BIT: bits. ENUM and SET: the number of their words. Otherwise 0.
    pub length: u32,
    /// DECIMAL: scale. FLOAT, DOUBLE: D or [`NOT_FIXED`]. TIME, DATETIME, TIMESTAMP: fractional digits 0 to 6. Otherwise 0.
    pub scale: u8,
    /// UNSIGNED, for the numeric types.
    pub unsigned: bool,
    /// The collation of a character type, ENUM or SET; `BINARY` for everything else.
    pub collation: Collation,
    /// The words of an ENUM or SET.
    pub labels: Labels,
}

impl ColumnType {
    /// A type without attributes: right for integers, DATE and YEAR; the other constructors set what theirs need.
    pub const fn new(kind: TypeKind) -> Self {
        Self {
            kind,
            length: 0,
            scale: 0,
            unsigned: false,
            collation: Collation::BINARY,
            labels: Labels::NONE,
        }
    }

    /// A signed or unsigned integer type.
    pub const fn integer(kind: TypeKind, unsigned: bool) -> Self {
        Self { unsigned, ..Self::new(kind) }
    }

    /// DECIMAL(precision, scale); the limits 65 and 30 are the caller's to report.
    pub const fn decimal(precision: u8, scale: u8, unsigned: bool) -> Self {
        Self { length: precision as u32, scale, unsigned, ..Self::new(K::Decimal) }
    }

    /// FLOAT without `(M,D)`.
    pub const fn float() -> Self {
        Self { scale: NOT_FIXED, ..Self::new(K::Float) }
    }

    /// DOUBLE without `(M,D)`.
    pub const fn double() -> Self {
        Self { scale: NOT_FIXED, ..Self::new(K::Double) }
    }

    /// CHAR(characters).
    pub const fn char(characters: u32, collation: Collation) -> Self {
        Self { length: characters, collation, ..Self::new(K::Char) }
    }

    /// VARCHAR(characters).
    pub const fn varchar(characters: u32, collation: Collation) -> Self {
        Self { length: characters, collation, ..Self::new(K::VarChar) }
    }

    /// TINYTEXT, TEXT, MEDIUMTEXT or LONGTEXT.
    pub const fn text(kind: TypeKind, collation: Collation) -> Self {
        Self { length: lob_length(kind), collation, ..Self::new(kind) }
    }

    /// BINARY(bytes) or VARBINARY(bytes).
    pub const fn binary(kind: TypeKind, bytes: u32) -> Self {
        Self { length: bytes, ..Self::new(kind) }
    }

    /// TINYBLOB, BLOB, MEDIUMBLOB or LONGBLOB.
    pub const fn blob(kind: TypeKind) -> Self {
        Self { length: lob_length(kind), ..Self::new(kind) }
    }

    /// TIME, DATETIME or TIMESTAMP with this many fractional digits (0 to 6).
    pub const fn temporal(kind: TypeKind, fsp: u8) -> Self {
        Self { scale: fsp, ..Self::new(kind) }
    }

    /// BIT(bits), 1 to 64.
    pub const fn bit(bits: u32) -> Self {
        Self { length: bits, unsigned: true, ..Self::new(K::Bit) }
    }

    /// JSON: in text it is utf8mb4_bin.
    pub const fn json() -> Self {
        Self { length: u32::MAX, collation: Collation::UTF8MB4_BIN, ..Self::new(K::Json) }
    }

    /// ENUM or SET of these words.
    pub fn choice(kind: TypeKind, labels: Labels, collation: Collation) -> Self {
        Self { length: labels.words().len() as u32, collation, labels, ..Self::new(kind) }
    }

    /// ENUM or SET.
    pub const fn is_choice(&self) -> bool {
        matches!(self.kind, K::Enum | K::Set)
    }

    /// Whether this is one of the integer types (YEAR is not).
    pub const fn is_integer(&self) -> bool {
        matches!(self.kind, K::TinyInt | K::SmallInt | K::MediumInt | K::Int | K::BigInt)
    }

    /// Whether this is a number of any sort (YEAR included, as in MySQL's comparisons).
    pub const fn is_numeric(&self) -> bool {
        self.is_integer() || matches!(self.kind, K::Decimal | K::Float | K::Double | K::Year | K::Bit)
    }

    /// CHAR, VARCHAR or a TEXT.
    pub const fn is_character(&self) -> bool {
        matches!(self.kind, K::Char | K::VarChar | K::TinyText | K::Text | K::MediumText | K::LongText)
    }

    /// BINARY, VARBINARY or a BLOB.
    pub const fn is_binary(&self) -> bool {
        matches!(self.kind, K::Binary | K::VarBinary | K::TinyBlob | K::Blob | K::MediumBlob | K::LongBlob)
    }

    /// A TEXT, BLOB or JSON: needs a prefix length in an index and takes no literal default.
    pub const fn is_lob(&self) -> bool {
        lob_length(self.kind) != 0
    }

    /// DATE, TIME, DATETIME or TIMESTAMP.
    pub const fn is_temporal(&self) -> bool {
        matches!(self.kind, K::Date | K::Time | K::DateTime | K::Timestamp)
    }

    /// DECIMAL's precision in digits.
    pub const fn precision(&self) -> u8 {
        self.length as u8
    }

    /// Least and largest value of an integer type.
    pub const fn integer_range(&self) -> (i128, i128) {
        let bits = match self.kind {
            K::TinyInt => 8,
            K::SmallInt => 16,
            K::MediumInt => 24,
            K::Int => 32,
            _ => 64,
        };
        if self.unsigned { (0, (1 << bits) - 1) } else { (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) }
    }

    /// The largest length of a value in bytes: what information_schema calls CHARACTER_OCTET_LENGTH, and for fixed types their cell's width.
    pub const fn max_bytes(&self) -> u64 {
        match self.kind {
            K::Char | K::VarChar => self.length as u64 * self.collation.bytes_per_char(),
            K::Binary | K::VarBinary => self.length as u64,
            _ if self.is_lob() => self.length as u64,
            _ => match crate::cell::fixed_width(self) {
                Some(width) => width as u64,
                None => 0,
            },
        }
    }

    /// `int`, `varchar`, ...: DATA_TYPE of information_schema.columns.
    pub const fn data_type(&self) -> &'static str {
        match self.kind {
            K::TinyInt => "tinyint",
            K::SmallInt => "smallint",
            K::MediumInt => "mediumint",
            K::Int => "int",
            K::BigInt => "bigint",
            K::Decimal => "decimal",
            K::Float => "float",
            K::Double => "double",
            K::Char => "char",
            K::VarChar => "varchar",
            K::TinyText => "tinytext",
            K::Text => "text",
            K::MediumText => "mediumtext",
            K::LongText => "longtext",
            K::Binary => "binary",
            K::VarBinary => "varbinary",
            K::TinyBlob => "tinyblob",
            K::Blob => "blob",
            K::MediumBlob => "mediumblob",
            K::LongBlob => "longblob",
            K::Date => "date",
            K::Time => "time",
            K::DateTime => "datetime",
            K::Timestamp => "timestamp",
            K::Year => "year",
            K::Bit => "bit",
            K::Enum => "enum",
            K::Set => "set",
            K::Json => "json",
        }
    }

    /// The type as 12 bytes: version 1, kind, flags (bit 0 unsigned), scale, length (u32 LE), collation id (u16 LE), two reserved zeros;
    /// then the words of an ENUM or SET ([`Labels::encode`]).
    pub fn encode(&self) -> Vec<u8> {
        let l = self.length.to_le_bytes();
        let c = self.collation.id().to_le_bytes();
        let mut out = vec![1, self.kind as u8, u8::from(self.unsigned), self.scale];
        out.extend_from_slice(&l);
        out.extend_from_slice(&c);
        out.extend_from_slice(&[0, 0]);
        if self.is_choice() {
            self.labels.encode(&mut out);
        }
        out
    }

    /// Reads what [`ColumnType::encode`] wrote; `None` if it is no type of this version.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (b, words) = bytes.split_first_chunk::<ENCODED_TYPE_LEN>()?;
        if b[0] != 1 || b[2] > 1 || b[10..] != [0, 0] {
            return None;
        }
        let kind = *KINDS.iter().find(|k| **k as u8 == b[1])?;
        let choice = matches!(kind, K::Enum | K::Set);
        let labels = if choice { Labels::decode(words)? } else { Labels::NONE };
        let length = u32::from_le_bytes([b[4], b[5], b[6], b[7]]);
        let consistent = if choice { length as usize == labels.words().len() } else { words.is_empty() };
        if !consistent || (kind == K::Bit && !(1..=64).contains(&length)) {
            return None;
        }
        Some(Self {
            kind,
            length,
            labels,
            scale: b[3],
            unsigned: b[2] == 1,
            collation: Collation::from_id(u16::from_le_bytes([b[8], b[9]]))?,
        })
    }
}

/// The largest length of a TEXT or BLOB in bytes, 0 for other types.
const fn lob_length(kind: TypeKind) -> u32 {
    match kind {
        K::TinyText | K::TinyBlob => 255,
        K::Text | K::Blob => 65_535,
        K::MediumText | K::MediumBlob => 16_777_215,
        K::LongText | K::LongBlob | K::Json => u32::MAX,
        _ => 0,
    }
}

/// The type as SHOW CREATE TABLE and COLUMN_TYPE print it, without charset and collation.
impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.data_type())?;
        match self.kind {
            K::Decimal => write!(f, "({},{})", self.length, self.scale)?,
            K::Float | K::Double if self.scale != NOT_FIXED => write!(f, "({},{})", self.length, self.scale)?,
            K::Char | K::VarChar | K::Binary | K::VarBinary => write!(f, "({})", self.length)?,
            K::Time | K::DateTime | K::Timestamp if self.scale > 0 => write!(f, "({})", self.scale)?,
            K::Bit => return write!(f, "({})", self.length),
            K::Enum | K::Set => {
                for (i, word) in self.labels.words().iter().enumerate() {
                    write!(f, "{}'{}'", if i == 0 { "(" } else { "," }, word.replace('\'', "''"))?;
                }
                f.write_str(")")?;
            }
            K::TinyInt if self.length == 1 && !self.unsigned => f.write_str("(1)")?,
            _ => {}
        }
        if self.unsigned { f.write_str(" unsigned") } else { Ok(()) }
    }
}
