//! Whole-system tests: tidy rules, golden scripts, clusters, crashes, MySQL clients.
//!
//! The crate is a small library (a client, a server process under test) and the tests and shows that use it. What a
//! show prints is for people; what decides is its last line, `verdict: holds` or `verdict: FAILS`, and its exit code.

pub mod child;
pub mod client;
pub mod compatibility;
pub mod cost;
pub mod dev;
pub mod differ;
pub mod facts;
pub mod fleet;
pub mod fuzz;
pub mod history;
pub mod oracle;
pub mod product;
pub mod scratch;
pub mod server;
pub mod sessions;
pub mod tool;
