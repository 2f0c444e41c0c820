//! What a SQL value is, so that the engine (row codec, keys) and sql (expressions) agree on it.
//!
//! A pure crate at the bottom of the house: no clock, no I/O, no other crate of ours. Two of its outputs are disk formats and frozen:
//! the cells of a row ([`cell`], docs/formats/values.md) and the memcomparable keys of an index ([`key`], docs/formats/key.md).
//! Everything else follows MySQL 9.7: where a rule was unclear, the running server was asked, and its answer stands under `tests/golden`.
//!
//! ```text
//!   client text ──parse──> Value ──store(ColumnType, SqlMode)──> Value of the column's type ──encode_cell──> row bytes
//!                            │  ^                                   │
//!            arithmetic, compare, like, case                        └──encode_key──> index bytes (memcmp = ORDER BY)
//! ```
//!
//! Invariants
//! 1. A `Value` does not know its column: charset, collation, length, scale and sign come from the [`ColumnType`] beside it.
//! 2. Text is always valid UTF-8 (utf8mb4); transcoding happens at the wire.
//! 3. `decode_cell(encode_cell(v)) == v` for every value that [`convert::store`] lets through, and nothing panics on foreign bytes.
//! 4. `memcmp` of two keys equals the comparison of their values under the part's collation, for ascending and descending parts.

pub mod arithmetic;
pub mod cell;
pub mod collation;
pub mod compare;
pub mod condition;
pub mod convert;
pub mod decimal;
pub mod double;
pub mod json;
pub mod key;
pub mod labels;
pub mod like;
pub mod mode;
pub mod temporal;
pub mod types;
mod value;

pub use cell::{decode_cell, encode_cell};
pub use collation::Collation;
pub use condition::{Condition, Level, Site};
pub use convert::store::{Stored, store};
pub use decimal::Decimal;
pub use key::{KeyPart, encode_key};
pub use labels::{Choice, Labels};
pub use mode::SqlMode;
pub use temporal::{Date, DateTime, Time, Timestamp, Year, Zone};
pub use types::{ColumnType, TypeKind};
pub use value::{Bits, Blob, Text, Value};
