//! The collation number of a login, as far as the connection needs it: which character set the client speaks.
//!
//! Sources: MySQL manual, "Connection Character Sets and Collations"; numbers from information_schema.collations of MySQL 9.7. A number that is unknown,
//! or of a set that clients cannot speak here, falls back to the server's default, as MySQL does for unknown numbers.

/// utf8mb4_0900_ai_ci, the server's default.
pub const DEFAULT_COLLATION: u16 = 255;
/// binary: numbers and bytes carry it in column definitions.
pub const BINARY_COLLATION: u16 = 63;

/// A character set a client may speak.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum ClientCharset {
    Utf8mb4,
    Utf8mb3,
    Latin1,
    Ascii,
    Binary,
}

impl ClientCharset {
    /// MySQL's name of the set.
    pub const fn name(self) -> &'static str {
        match self {
            ClientCharset::Utf8mb4 => "utf8mb4",
            ClientCharset::Utf8mb3 => "utf8mb3",
            ClientCharset::Latin1 => "latin1",
            ClientCharset::Ascii => "ascii",
            ClientCharset::Binary => "binary",
        }
    }

    /// The number of the set's default collation, which column definitions carry for results in this set.
    pub const fn default_collation(self) -> u16 {
        match self {
            ClientCharset::Utf8mb4 => DEFAULT_COLLATION,
            ClientCharset::Utf8mb3 => 33,
            ClientCharset::Latin1 => 8,
            ClientCharset::Ascii => 11,
            ClientCharset::Binary => BINARY_COLLATION,
        }
    }

    /// The most bytes one character takes: column lengths in definitions are characters times this.
    pub const fn max_bytes(self) -> u32 {
        match self {
            ClientCharset::Utf8mb4 => 4,
            ClientCharset::Utf8mb3 => 3,
            ClientCharset::Latin1 | ClientCharset::Ascii | ClientCharset::Binary => 1,
        }
    }

    /// The character set of a handshake's collation number; the default for an unknown one.
    pub const fn from_handshake(collation: u16) -> ClientCharset {
        match collation {
            33 | 76 | 83 | 192..=215 | 223 => ClientCharset::Utf8mb3,
            5 | 8 | 15 | 31 | 47 | 48 | 49 | 94 => ClientCharset::Latin1,
            11 | 65 => ClientCharset::Ascii,
            63 => ClientCharset::Binary,
            _ => ClientCharset::Utf8mb4,
        }
    }
}
