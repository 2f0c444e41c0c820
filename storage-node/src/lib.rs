//! Storage nodes: one hot log for all segments of a node folder, a page store per full segment.
//!
//! A [`Node`] is sans-io and deterministic: the host hands it one [`Event`] at a time and executes the [`Action`]s it answers.
//! It knows redo records and pages, never rows or trees, and imports neither the quorum's nor the computer's code.
//!
//! ```text
//!   Append ─► ingest ─► lane (one log write + sync at a time) ─► chain (SCL) ─► Acked
//!                                                                   │
//!                gossip with the five others ◄──── floor ◄──────────┼──► coalesce ─► page store ─► PageRead
//! ```
//!
//! | module | one idea |
//! |---|---|
//! | `event`, `settings`, `metrics` | the surface |
//! | `node`, `lane`, `start` | dispatch; the one write in flight; opening a folder |
//! | `block`, `hotlog`, `scan` | log block format; where it goes; what a crash left of it |
//! | `superblock` | everything small that must survive |
//! | `held`, `chain`, `segment` | shared records; the gap-free chain; one copy of a protection group |
//! | `ingest`, `fence`, `gossip`, `floor` | log from the writer and from peers; grants, heads, creation; which log may go |
//! | `grant` | group 0 as the arbiter: promises, and whom they keep from being granted |
//! | `cold` | log that left memory, and how a peer still gets it |
//! | `image`, `store`, `versions`, `journal`, `pages`, `job` | page images, versions in slots, their journal, the one page job |
//! | `coalesce`, `read`, `copy`, `heal`, `scrub` | rounds and collection; readers; newcomers; damaged pages; looking for rot |
//! | `disk` | the adapter: these operations on real files |
//! | `identity` | whose a node folder is: the text file the host keeps in it |

pub mod block;
pub mod chain;
mod coalesce;
mod cold;
mod copy;
pub mod disk;
pub mod event;
mod fence;
mod floor;
mod gossip;
mod grant;
mod heal;
pub mod held;
pub mod hotlog;
pub mod identity;
pub mod image;
mod ingest;
mod job;
pub mod journal;
mod lane;
pub mod metrics;
mod node;
mod pages;
mod read;
mod retire;
pub mod scan;
mod scrub;
mod segment;
pub mod settings;
mod start;
pub mod store;
pub mod superblock;
mod versions;

pub use event::{Action, DiskError, DiskFile, DiskOp, Event, SECTOR_BYTES, Token};
pub use metrics::Metrics;
pub use node::{Node, NodeConfig, Phase};
pub use settings::Settings;
