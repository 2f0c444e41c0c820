//! MySQL's SQL: parse, bind, plan, execute.
//!
//! ```text
//!   text ─lex─> tokens ─parse─> ast ─bind─> typed expressions ─plan─> access path ─exec─> rows ─> ResultSink (compute)
//!                                                 │                      │
//!                                          dictionary (engine)      Txn, Scan (engine)
//! ```
//! This crate knows rows: no pages, no sockets, no runtime. Its futures are plain and `Send`; time comes from `protocol::env::Env`.
//!
//! 1. What MySQL has and this server has not is refused with 1235 and named; nothing is silently ignored.
//! 2. A statement is atomic: an error undoes what it wrote, a deadlock the whole transaction.
//! 3. A result that depends on a commit is sent when that commit is durable.

mod account;
pub mod api;
mod ast;
mod bind;
pub mod error;
mod exec;
mod expr;
mod function;
mod information;
mod lex;
mod parse;
mod performance;
mod plan;
mod session;
mod show;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod variable;
mod view;

pub use account::Account;
pub use error::{Result, SqlError};
pub use session::{KillHandle, Server, Session};
