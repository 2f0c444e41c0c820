//! The storage daemon: one node folder served over the network.
//!
//! The folder is the one an embedded cluster keeps for each of its six nodes (`az1/n1`, ...), so a volume moves between both ways of
//! running without a copy. The node itself is `storage_node::Node`, sans-io; this crate is its clock, its disk queue and its sockets.
//!
//! ```text
//!   main thread (tokio)                                         thread "storage"
//!   server ─accept─► hello ─► one task per stream ── Inbox ───► runtime { Node, Disk, device queue }
//!                               ▲                 (bounded)          │ acks, images          │ gossip, log slices, page copies
//!                               └──── sessions (bounded queues) ◄────┘                       ▼
//!   control (gRPC): status, adopt          http: /health, /metrics             peers: five outgoing streams (bounded queues)
//! ```
//!
//! | module | one idea |
//! |---|---|
//! | `cli`, [`config`], [`leash`] | flags, the TOML file, and how a supervised process ends |
//! | `folder` | whose the folder is; a blank one becomes a member once |
//! | `daemon` | start, adoption, drain |
//! | `runtime`, `inbox` | the storage thread and what is handed to it |
//! | `server`, `stream`, `sessions` | who calls, what they may say, where answers go |
//! | `peers` | the other five |
//! | `control`, `http`, `facts` | what operators ask |
//!
//! Invariants
//! 1. Every queue is bounded: a full inbox stops reading from sockets, a full session or peer queue drops (acknowledgements, pages and
//!    gossip all come again).
//! 2. What a stream may carry follows from its kind, and its kind from the caller's certificate: a replica's cannot append.
//! 3. While a writer's log stream is live, another process's is refused by name: one compute node per volume.
//! 4. If the storage thread ends, the process ends: a daemon that cannot store must not look alive.

mod cli;
pub mod config;
mod control;
mod daemon;
mod facts;
mod folder;
mod http;
mod inbox;
pub mod leash;
mod peers;
mod quiet;
mod runtime;
mod server;
mod sessions;
mod stream;

pub use cli::{command, run, run_matches};
