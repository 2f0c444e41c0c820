//! The protocol's numbers: capabilities, status flags, column types and flags.
//!
//! Values are from MySQL's source documentation ("Capabilities Flags", "Column Definition Flags", "Field types",
//! "SERVER_STATUS_flags_enum"). Bit sets are thin wrappers, so that unknown bits of a newer client survive being looked at.

macro_rules! bits {
    ($(#[$doc:meta])* $name:ident : $int:ty { $($(#[$bitdoc:meta])* $bit:ident = $value:expr,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Default)]
        pub struct $name($int);
        impl $name {
            $($(#[$bitdoc])* pub const $bit: $name = $name($value);)*
            /// No bit set.
            pub const fn empty() -> Self { Self(0) }
            /// The set with exactly these bits.
            pub const fn from_bits(bits: $int) -> Self { Self(bits) }
            /// The number on the wire.
            pub const fn bits(self) -> $int { self.0 }
            /// True when every bit of `other` is in `self`.
            pub const fn has(self, other: Self) -> bool { self.0 & other.0 == other.0 }
            /// Both sets together.
            pub const fn with(self, other: Self) -> Self { Self(self.0 | other.0) }
            /// `self` without the bits of `other`.
            pub const fn without(self, other: Self) -> Self { Self(self.0 & !other.0) }
            /// The bits both sets have.
            pub const fn and(self, other: Self) -> Self { Self(self.0 & other.0) }
            /// `other`'s bits set when `on`, else as they were.
            pub const fn with_if(self, other: Self, on: bool) -> Self { if on { self.with(other) } else { self } }
        }
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($name), "({:#x})"), self.0)
            }
        }
        impl std::ops::BitOr for $name {
            type Output = $name;
            fn bitor(self, other: Self) -> Self { self.with(other) }
        }
    };
}

bits! {
    /// What a side can do; both sides use what both have. The low 32 bits are MySQL's, the high ones MariaDB's extension.
    Capabilities: u64 {
        /// Old password hashing is not wanted (always set).
        LONG_PASSWORD = 1,
        /// Affected rows count matched rows, not changed ones.
        FOUND_ROWS = 1 << 1,
        /// Column flags are two bytes.
        LONG_FLAG = 1 << 2,
        /// The login names a database.
        CONNECT_WITH_DB = 1 << 3,
        /// `db.table.column` is refused (ignored).
        NO_SCHEMA = 1 << 4,
        /// zlib compression.
        COMPRESS = 1 << 5,
        /// An ODBC client (no effect).
        ODBC = 1 << 6,
        /// LOAD DATA LOCAL.
        LOCAL_FILES = 1 << 7,
        /// Blanks before `(` of a function are ignored.
        IGNORE_SPACE = 1 << 8,
        /// The 4.1 protocol; required.
        PROTOCOL_41 = 1 << 9,
        /// wait_timeout is taken from interactive_timeout.
        INTERACTIVE = 1 << 10,
        /// The client asks for TLS.
        SSL = 1 << 11,
        /// Client library detail (no effect).
        IGNORE_SIGPIPE = 1 << 12,
        /// Status flags are understood.
        TRANSACTIONS = 1 << 13,
        /// Unused, sent by every server.
        RESERVED = 1 << 14,
        /// Twenty-byte scrambles; required.
        SECURE_CONNECTION = 1 << 15,
        /// Several statements in one COM_QUERY.
        MULTI_STATEMENTS = 1 << 16,
        /// Several result sets to one COM_QUERY.
        MULTI_RESULTS = 1 << 17,
        /// Several result sets to one COM_STMT_EXECUTE.
        PS_MULTI_RESULTS = 1 << 18,
        /// The login names an authentication plugin, and switches are understood.
        PLUGIN_AUTH = 1 << 19,
        /// The login carries attributes of the client.
        CONNECT_ATTRS = 1 << 20,
        /// The scramble's length is length-encoded.
        PLUGIN_AUTH_LENENC = 1 << 21,
        /// Expired passwords are understood.
        EXPIRED_PASSWORDS = 1 << 22,
        /// OK packets may carry session changes.
        SESSION_TRACK = 1 << 23,
        /// Result sets end with an OK packet, and no EOF follows the columns.
        DEPRECATE_EOF = 1 << 24,
        /// Result set metadata may be left out.
        OPTIONAL_METADATA = 1 << 25,
        /// zstd compression.
        ZSTD = 1 << 26,
        /// COM_QUERY and COM_STMT_EXECUTE may carry attributes.
        QUERY_ATTRIBUTES = 1 << 27,
        /// Several authentication factors (not offered).
        MULTI_FACTOR = 1 << 28,
        /// Client library detail (no effect).
        REMEMBER_OPTIONS = 1 << 31,
        /// MariaDB's: a prepared statement's metadata is sent again only when it has changed.
        CACHE_METADATA = 1 << 36,
    }
}

impl Capabilities {
    /// What this server always offers: MySQL 9.7's set without several factors. [`Capabilities::SSL`], compression and LOCAL files are added
    /// by a server that has them. LONG_PASSWORD is left out as MariaDB's servers do: that is how a client learns that the greeting
    /// carries MariaDB's extension.
    pub const OFFERED: Capabilities = Capabilities(
        (1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 6 | 1 << 8 | 1 << 9 | 1 << 10)
            | (1 << 12 | 1 << 13 | 1 << 14 | 1 << 15 | 1 << 16 | 1 << 17 | 1 << 18 | 1 << 19 | 1 << 20)
            | (1 << 21 | 1 << 22 | 1 << 23 | 1 << 24 | 1 << 25 | 1 << 27 | 1 << 31 | 1 << 36),
    );
}

bits! {
    /// The status word of OK and EOF packets.
    Status: u16 {
        /// A transaction is open.
        IN_TRANS = 1,
        /// autocommit is on.
        AUTOCOMMIT = 2,
        /// Another result follows.
        MORE_RESULTS = 8,
        /// No good index was used.
        NO_GOOD_INDEX_USED = 16,
        /// No index was used.
        NO_INDEX_USED = 32,
        /// A cursor is open for the statement.
        CURSOR_EXISTS = 64,
        /// The cursor's last row was sent.
        LAST_ROW_SENT = 128,
        /// A database was dropped.
        DB_DROPPED = 256,
        /// Backslash is an ordinary character.
        NO_BACKSLASH_ESCAPES = 512,
        /// A prepared statement's result shape changed.
        METADATA_CHANGED = 1024,
        /// The query took longer than long_query_time.
        QUERY_WAS_SLOW = 2048,
        /// The result holds OUT parameters.
        PS_OUT_PARAMS = 4096,
        /// The open transaction is read only.
        IN_TRANS_READONLY = 8192,
        /// Session changes follow in this packet.
        SESSION_STATE_CHANGED = 1 << 14,
    }
}

bits! {
    /// The flags of a column definition.
    ColumnFlags: u16 {
        /// NOT NULL.
        NOT_NULL = 1,
        /// Part of the primary key.
        PRI_KEY = 2,
        /// Part of a unique key.
        UNIQUE_KEY = 4,
        /// First column of a non-unique key.
        MULTIPLE_KEY = 8,
        /// A BLOB or TEXT.
        BLOB = 16,
        /// Unsigned.
        UNSIGNED = 32,
        /// Zero-filled.
        ZEROFILL = 64,
        /// Bytes, a temporal, or a number made by an expression.
        BINARY = 128,
        /// An ENUM.
        ENUM = 256,
        /// AUTO_INCREMENT.
        AUTO_INCREMENT = 512,
        /// A TIMESTAMP with automatic values.
        TIMESTAMP = 1024,
        /// A SET.
        SET = 2048,
        /// No default value.
        NO_DEFAULT_VALUE = 4096,
        /// ON UPDATE CURRENT_TIMESTAMP.
        ON_UPDATE_NOW = 8192,
        /// Part of some key.
        PART_KEY = 1 << 14,
        /// A number.
        NUM = 1 << 15,
    }
}

/// A column's or parameter's type on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum ColumnType {
    Decimal = 0,
    Tiny = 1,
    Short = 2,
    Long = 3,
    Float = 4,
    Double = 5,
    Null = 6,
    Timestamp = 7,
    LongLong = 8,
    Int24 = 9,
    Date = 10,
    Time = 11,
    DateTime = 12,
    Year = 13,
    VarChar = 15,
    Bit = 16,
    Bool = 244,
    Json = 245,
    NewDecimal = 246,
    Enum = 247,
    Set = 248,
    TinyBlob = 249,
    MediumBlob = 250,
    LongBlob = 251,
    Blob = 252,
    VarString = 253,
    String = 254,
    Geometry = 255,
}

impl ColumnType {
    /// The type of a wire number, if a client may send it.
    pub const fn from_wire(byte: u8) -> Option<ColumnType> {
        use ColumnType::*;
        Some(match byte {
            0 => Decimal,
            1 => Tiny,
            2 => Short,
            3 => Long,
            4 => Float,
            5 => Double,
            6 => Null,
            7 => Timestamp,
            8 => LongLong,
            9 => Int24,
            10 => Date,
            11 => Time,
            12 => DateTime,
            13 => Year,
            15 => VarChar,
            16 => Bit,
            244 => Bool,
            245 => Json,
            246 => NewDecimal,
            247 => Enum,
            248 => Set,
            249 => TinyBlob,
            250 => MediumBlob,
            251 => LongBlob,
            252 => Blob,
            253 => VarString,
            254 => String,
            255 => Geometry,
            _ => return None,
        })
    }
}
