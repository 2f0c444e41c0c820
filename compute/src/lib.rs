//! The composition root: command line, settings, listener, connections, TLS, accounts, metrics, and the volume they stand on.
//!
//! ```text
//!   cli -> config -> volume (six node folders) -> engine -> sql -> server -> connection -> mysql-wire
//!                       `---------- metrics, health, SHOW STATUS ----------'
//! ```
//! Everything below is a library without a runtime; clocks, sockets, threads and files meet it here.

mod attributes;
pub mod backend;
pub mod backing;
pub mod cli;
pub mod config;
mod connection;
pub mod dev;
pub mod env;
mod files;
pub mod fleet;
pub mod host;
pub mod lease;
pub mod memory;
pub mod metrics;
pub mod node;
pub mod panics;
pub mod security;
pub mod server;
mod sql_backend;
pub mod start;
pub mod status;

/// What `version()` and the greeting say.
pub const SERVER_VERSION: &str = concat!("9.7.0-sextant-", env!("CARGO_PKG_VERSION"));
