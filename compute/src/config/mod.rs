//! Settings: what they are called, where they come from, and what they may be.
//!
//! ```text
//!   defaults  <  sextant.toml  <  SEXTANT_* environment  <  flags (--set NAME=VALUE, --data, --listen)  <  SET PERSIST
//! ```
//! A setting that MySQL has bears MySQL's name; ours begin with `sextant_`. In the environment `max_connections` is
//! `SEXTANT_MAX_CONNECTIONS`, and the prefix is not doubled: `sextant_io` is `SEXTANT_IO`.
//!
//! Invariants: (1) a name that is not in the table is an error wherever it comes from (SET PERSIST also keeps variables that only SQL knows); (2) a value is checked when it is read, and the
//! error names its place; (3) the table is the only list: `--help`, SHOW VARIABLES and the docs are made from it.

pub mod persisted;
mod source;
mod table;

pub use source::{Flags, load};
pub use table::{Kind, SETTINGS, Setting, Settings};

/// A setting that cannot be used: one line for the person who wrote it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct ConfigError {
    /// Where it stands: a file, an environment variable, a flag.
    pub place: String,
    /// What is wrong with it.
    pub problem: String,
}

#[cfg(test)]
mod tests;
