//! The hands of `quorum`: they carry its messages over a [`SegmentLink`](protocol::contract::SegmentLink), wake those
//! who wait, and give compute the two contracts it knows, `LogWriter` and `PageReader`.
//!
//! ```text
//!   mini-transaction ─append─► OpenVolume ──────────► quorum::WriterLog      (one mutex, nothing waits under it)
//!   commit queue ◄─observer──────┤  ▲ Notice::Vdl          │ sends
//!   wait_durable, reserve ◄─wait─┤  │                      ▼
//!   buffer pool ─read──► reads ──┴──┼───────────────► SegmentLink ─► six segments
//!                          ▲        └── step(Message) ◄─┐    │
//!                          └──────── page images ◄──── deliver
//! ```
//!
//! | module | what |
//! |---|---|
//! | [`open`] | [`Driver`]: runs the recoverer or the creator until there is an open volume |
//! | [`log`] | [`OpenVolume`]: `LogWriter` over the core, credit, observers |
//! | [`read`] | `PageReader`: one segment, a hedge to a second when late, verified images |
//! | `wait` | lists of those who wait |
//! | [`lease`] | may a statement be answered? (R8) |
//! | [`status`], [`view`] | counters; one moment of the volume, and whether it stalls |
//! | [`net`] | the same over sockets: a volume on storage daemons; the only module that names a runtime |
//!
//! Invariants
//! 1. Nothing is sent, woken or called back while the core's mutex is held.
//! 2. No runtime is named outside [`net`]: time and sleeps come from whoever calls [`Driver::tick`], which must happen at or soon
//!    after [`Driver::next_wake_us`]. So the director can run a whole driver in virtual time.
//! 3. An image reaches the caller only after its checksum, its id and its LSN were checked.

pub mod lease;
pub mod log;
pub mod net;
pub mod open;
mod pace;
pub mod read;
pub mod status;
#[cfg(test)]
mod tests;
pub mod view;
mod wait;

pub use lease::Lease;
pub use log::OpenVolume;
pub use open::{Driver, OpenError, Plan};
pub use view::LogView;
