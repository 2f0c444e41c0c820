//! What is known about an expression's value before it is computed: enough for conversions and for MySQL's column metadata.

use values::{Collation, ColumnType, TypeKind};

/// Who decides the collation of a comparison: the lower number wins (MySQL's coercibility).
pub(crate) mod derivation {
    /// COLLATE clause.
    pub(crate) const EXPLICIT: u8 = 0;
    /// A column.
    pub(crate) const IMPLICIT: u8 = 2;
    /// VERSION(), USER() and the like.
    pub(crate) const SYSTEM: u8 = 3;
    /// A literal, a parameter.
    pub(crate) const COERCIBLE: u8 = 4;
    /// A number or temporal as text.
    pub(crate) const NUMERIC: u8 = 5;
    /// NULL
    pub(crate) const IGNORABLE: u8 = 6;

    /// As error 1267 has it.
    pub(crate) fn name(derivation: u8) -> &'static str {
        match derivation {
            EXPLICIT => "EXPLICIT",
            1 => "NONE",
            IMPLICIT => "IMPLICIT",
            SYSTEM => "SYSCONST",
            COERCIBLE => "COERCIBLE",
            NUMERIC => "NUMERIC",
            _ => "IGNORABLE",
        }
    }
}

/// How a value behaves in arithmetic and comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Null,
    Int,
    Decimal,
    Real,
    Text,
    Date,
    Time,
    /// DATETIME and TIMESTAMP.
    DateTime,
}

/// The type of an expression.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Ty {
    /// Kind, sign, scale, collation. For DECIMAL `length` is the precision; for strings the length in characters (bytes if binary).
    pub(crate) col: ColumnType,
    /// Greatest width in characters, as metadata reports it (times the character's bytes for text).
    pub(crate) width: u32,
    pub(crate) nullable: bool,
    pub(crate) derivation: u8,
    /// The NULL literal.
    pub(crate) null: bool,
    /// A hexadecimal or bit literal: a number in numeric context.
    pub(crate) hex: bool,
}

impl Ty {
    /// Width of a DOUBLE that an expression computes; a column's is 22.
    pub(crate) const COMPUTED_DOUBLE: u32 = 23;

    pub(crate) fn of(col: ColumnType, nullable: bool) -> Ty {
        let derivation = if col.is_character() || col.is_binary() || col.is_choice() {
            derivation::COERCIBLE
        } else {
            derivation::NUMERIC
        };
        Ty { col, width: display_width(&col), nullable, derivation, null: false, hex: false }
    }

    /// BIGINT of this width.
    pub(crate) fn int(width: u32) -> Ty {
        Ty { width, ..Ty::of(ColumnType::integer(TypeKind::BigInt, false), true) }
    }

    pub(crate) fn uint(width: u32) -> Ty {
        Ty { width, ..Ty::of(ColumnType::integer(TypeKind::BigInt, true), true) }
    }

    /// A truth value: width 1.
    pub(crate) fn bool(nullable: bool) -> Ty {
        Ty { nullable, ..Ty::int(1) }
    }

    pub(crate) fn double() -> Ty {
        Ty::of(ColumnType::double(), true)
    }

    pub(crate) fn decimal(precision: u32, scale: u32, unsigned: bool) -> Ty {
        let scale = scale.min(30);
        let precision = precision.clamp(1, 65).max(scale);
        Ty::of(ColumnType::decimal(precision as u8, scale as u8, unsigned), true)
    }

    /// Text of at most `chars` characters.
    pub(crate) fn text(chars: u32, collation: Collation, derivation: u8) -> Ty {
        let col = if collation == Collation::BINARY {
            ColumnType::binary(TypeKind::VarBinary, chars)
        } else {
            ColumnType::varchar(chars, collation)
        };
        Ty { derivation, ..Ty::of(col, true) }
    }

    pub(crate) fn null() -> Ty {
        Ty {
            null: true,
            width: 0,
            derivation: derivation::IGNORABLE,
            ..Ty::of(ColumnType::binary(TypeKind::VarBinary, 0), true)
        }
    }

    pub(crate) fn temporal(kind: TypeKind, fsp: u8) -> Ty {
        Ty::of(ColumnType::temporal(kind, fsp), true)
    }

    pub(crate) fn not_null(self) -> Ty {
        Ty { nullable: false, ..self }
    }

    pub(crate) fn or_null(self, nullable: bool) -> Ty {
        Ty { nullable, ..self }
    }

    pub(crate) fn with_derivation(self, derivation: u8) -> Ty {
        Ty { derivation, ..self }
    }

    pub(crate) fn collation(&self) -> Collation {
        self.col.collation
    }

    pub(crate) fn is_text(&self) -> bool {
        self.class() == Class::Text
    }

    pub(crate) fn class(&self) -> Class {
        use TypeKind::*;
        if self.null {
            return Class::Null;
        }
        match self.col.kind {
            TinyInt | SmallInt | MediumInt | Int | BigInt | Year | Bit => Class::Int,
            Decimal => Class::Decimal,
            Float | Double => Class::Real,
            Date => Class::Date,
            Time => Class::Time,
            DateTime | Timestamp => Class::DateTime,
            _ => Class::Text,
        }
    }

    /// The class in arithmetic: text is a double, a temporal is its digits.
    pub(crate) fn number_class(&self) -> Class {
        match self.class() {
            Class::Null => Class::Int,
            Class::Text if self.hex => Class::Int,
            Class::Text => Class::Real,
            Class::Date => Class::Int,
            Class::Time | Class::DateTime if self.col.scale == 0 => Class::Int,
            Class::Time | Class::DateTime => Class::Decimal,
            class => class,
        }
    }

    /// Digits in front of the point, for the precision of decimal results.
    pub(crate) fn integer_digits(&self) -> u32 {
        match self.class() {
            Class::Decimal => self.col.length - u32::from(self.col.scale),
            Class::Int => self.width.saturating_sub(u32::from(!self.col.unsigned)).max(1),
            Class::Date => 8,
            Class::DateTime => 14,
            Class::Time => 7,
            _ => self.width,
        }
    }

    /// Digits behind the point.
    pub(crate) fn scale(&self) -> u32 {
        match self.class() {
            Class::Decimal | Class::Time | Class::DateTime => u32::from(self.col.scale),
            _ => 0,
        }
    }
}

/// The greatest width in characters of a value of type `ty`, as MySQL's metadata says.
pub(crate) fn display_width(ty: &ColumnType) -> u32 {
    use TypeKind::*;
    let unsigned = ty.unsigned;
    match ty.kind {
        TinyInt if ty.length == 1 && !unsigned => 1,
        TinyInt => 4 - u32::from(unsigned),
        SmallInt => 6 - u32::from(unsigned),
        MediumInt => 9 - u32::from(unsigned),
        Int => 11 - u32::from(unsigned),
        BigInt => 20,
        Decimal => ty.length + u32::from(ty.scale > 0) + u32::from(!unsigned),
        Float => {
            if ty.length > 0 {
                ty.length
            } else {
                12
            }
        }
        Double => {
            if ty.length > 0 {
                ty.length
            } else {
                22
            }
        }
        Date => 10,
        Time => 10 + fraction(ty.scale),
        DateTime | Timestamp => 19 + fraction(ty.scale),
        Year => 4,
        Enum => ty.labels.words().iter().map(|w| chars(w)).max().unwrap_or(0),
        Set => {
            let words = ty.labels.words();
            words.iter().map(|w| chars(w) + 1).sum::<u32>().saturating_sub(1)
        }
        _ => ty.length,
    }
}

fn chars(word: &str) -> u32 {
    word.chars().count() as u32
}

fn fraction(fsp: u8) -> u32 {
    if fsp == 0 { 0 } else { u32::from(fsp) + 1 }
}
