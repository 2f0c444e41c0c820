//! The MySQL client/server protocol: bytes in, messages out.
//!
//! Why our own: the servers' libraries at hand write one packet per system call, accept unknown commands, or read freed
//! memory when two packets arrive in one read. This crate owns no socket, no TLS, no clock and no SQL: it turns bytes into
//! borrowed messages and appends answers to one buffer that the caller sends with one write.
//!
//! ```text
//!   socket -> read buffer -> frame::Decoder -> payload -> handshake::ClientHello | Command   (borrowed, no copy)
//!   socket <- out: BytesMut <---------------- Responder: ok / err / eof / columns / rows     (appended, one write)
//! ```
//!
//! Invariants:
//! 1. No input, however malformed, panics or makes the crate reserve memory that was not received: lengths are compared with
//!    the cap in force (a small one before authentication) before anything is kept.
//! 2. A message never depends on how its bytes were cut into reads, and requests that arrive together are separate messages.
//! 3. The encoder appends to the caller's buffer; a row allocates nothing. A row that is not finished leaves no trace.
//! 4. Every packet of an answer carries the next sequence number after the request's last packet (modulo 256).
//!
//! Sources: MySQL's source documentation, "Client/Server Protocol" (pages Connection Phase, Command Phase, Binary Protocol
//! Resultset, Caching SHA-256 information, Session State Information), and answers recorded from MySQL 9.7.

pub mod auth;
pub mod collation;
mod command;
pub mod compressed;
mod constants;
mod error;
pub mod frame;
pub mod handshake;
mod params;
mod read;
mod response;
mod row;
pub mod sha_crypt;
mod write;

pub use command::{Attribute, ChangeUser, Command, Execute};
pub use constants::{Capabilities, ColumnFlags, ColumnType, Status};
pub use error::WireError;
pub use params::{DateTime, Param, ParamType, Time};
pub use response::{Column, OkPacket, Responder, SessionChange};
pub use row::{Format, RowWriter};

#[cfg(test)]
mod tests;
