//! Protocol messages over the network: what compute nodes and storage daemons put on a socket.
//!
//! One port serves both kinds of conversation; the first four bytes tell them apart.
//!
//! ```text
//!                           ┌─ "SXT1" ── Hello/Welcome, then sealed envelopes back to back, both ways      (stream, hello)
//!  socket ─ TLS or not ─────┤            log · reads · peers: everything that a commit or a page waits for
//!    (io, tls)              └─ "PRI " ── HTTP/2, gRPC: status and adoption, seconds apart                   (control)
//! ```
//!
//! | module | one idea |
//! |---|---|
//! | [`stream`] | envelopes of `protocol::message` in a byte stream, cut out again without copying |
//! | [`hello`] | who calls, for which volume, and who answers |
//! | [`io`] | a socket with or without TLS, and bytes put back in front of it |
//! | [`tls`] | mutual TLS: certificates name roles, not hosts |
//! | [`page`] | the metrics and health port of a process |
//! | [`control`] | the unary calls: messages, client, server |
//!
//! Why the streams are not gRPC: [decision 12](../../../docs/decisions/0012-raw-streams-grpc-control.md) has the figures.
//!
//! Invariants
//! 1. Nothing a peer says is allocated for before its length was checked against a limit.
//! 2. Arbitrary bytes give an error, never a panic; after an error the connection is closed, because its framing is lost.
//! 3. An envelope on the wire is exactly what `Envelope::encode` makes: version, length, body, CRC-32C.

pub mod control;
pub mod hello;
pub mod io;
pub mod page;
pub mod stream;
pub mod tls;
