//! The unary calls: what a storage node is (status), and becoming a member of a volume (adoption).
//!
//! gRPC by tonic and prost, with the messages written by hand instead of generated, so that no protoc is needed;
//! `proto/control.proto` says the same for clients in other languages. Everything that a commit or a page waits for goes over
//! streams ([`crate::stream`]); these calls are for openings and operators.

mod client;
mod server;

pub use client::ControlClient;
pub use server::{Answer, Control, serve};
pub use tonic::{Code, Status};

use prost::Message;
use protocol::head::{HEAD_VERSION, Head};

/// Longest request a daemon reads.
pub const MAX_REQUEST_BYTES: usize = 64 << 10;
/// Longest answer a caller reads: a few hundred bytes per segment.
pub const MAX_REPLY_BYTES: usize = 16 << 20;

pub(crate) const STATUS: &str = "/sextant.storage.v1.Control/Status";
pub(crate) const ADOPT: &str = "/sextant.storage.v1.Control/Adopt";
pub(crate) const OPERATE: &str = "/sextant.storage.v1.Control/Operate";
pub(crate) const SCRUB: &str = "/sextant.storage.v1.Control/Scrub";

/// Asks what a node is.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct StatusRequest {}

/// What a node is.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct StatusReply {
    /// The daemon's version.
    #[prost(string, tag = "1")]
    pub version: String,
    /// Its volume, 16 bytes big-endian; empty for a blank node.
    #[prost(bytes = "vec", tag = "2")]
    pub volume: Vec<u8>,
    /// Its node id, 16 bytes big-endian; empty for a blank node.
    #[prost(bytes = "vec", tag = "3")]
    pub node: Vec<u8>,
    /// Its availability zone, 1 to 3; 0 when a blank node was started without one.
    #[prost(uint32, tag = "4")]
    pub az: u32,
    /// Its position in every protection group, 0 to 5.
    #[prost(uint32, tag = "5")]
    pub position: u32,
    /// `blank`, `starting`, `serving`, `draining` or `failed`.
    #[prost(string, tag = "6")]
    pub phase: String,
    /// Why it failed.
    #[prost(string, tag = "7")]
    pub problem: String,
    /// Its folder on its host.
    #[prost(string, tag = "8")]
    pub folder: String,
    /// The segments that live here.
    #[prost(message, repeated, tag = "9")]
    pub segments: Vec<SegmentStatus>,
    /// Names and values of its counters.
    #[prost(message, repeated, tag = "10")]
    pub metrics: Vec<Metric>,
    /// Version of the newest head it holds: epoch.
    #[prost(uint64, tag = "11")]
    pub head_epoch: u64,
    /// Version of the newest head it holds: changes within the epoch.
    #[prost(uint64, tag = "12")]
    pub head_seq: u64,
    /// The compute node whose log stream is live here, as `nonce at address`; empty for none.
    #[prost(string, tag = "13")]
    pub writer: String,
    /// Process id.
    #[prost(uint32, tag = "14")]
    pub pid: u32,
    /// True once it holds a head: before, its volume was never created in full.
    #[prost(bool, tag = "15")]
    pub head_known: bool,
    /// The newest head it holds, sealed as in `docs/formats/head.md`: the volume map, whose addresses lead to every node; empty without one.
    #[prost(bytes = "vec", tag = "16")]
    pub head: Vec<u8>,
}

impl StatusReply {
    /// The head it told, if it is one.
    #[must_use]
    pub fn map(&self) -> Option<Head> {
        let sealed = bytes::Bytes::copy_from_slice(&self.head);
        protocol::wire::unseal(HEAD_VERSION, &sealed).ok().filter(|head: &Head| head.check().is_ok())
    }
}

/// One segment of a node.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct SegmentStatus {
    /// Protection group.
    #[prost(uint32, tag = "1")]
    pub pg: u32,
    /// Position in it.
    #[prost(uint32, tag = "2")]
    pub position: u32,
    /// Its life, 16 bytes big-endian.
    #[prost(bytes = "vec", tag = "3")]
    pub incarnation: Vec<u8>,
    /// Log and pages, or log only.
    #[prost(bool, tag = "4")]
    pub full: bool,
    /// The highest epoch granted.
    #[prost(uint64, tag = "5")]
    pub epoch: u64,
    /// End of the durable gap-free chain.
    #[prost(uint64, tag = "6")]
    pub scl: u64,
    /// What it once acknowledged (R5).
    #[prost(uint64, tag = "7")]
    pub claim: u64,
    /// Durable, checked pages through here.
    #[prost(uint64, tag = "8")]
    pub page_point: u64,
    /// The highest VDL it was told.
    #[prost(uint64, tag = "9")]
    pub vdl: u64,
    /// Log at or below is gone.
    #[prost(uint64, tag = "10")]
    pub floor: u64,
    /// Messages sent to repair others.
    #[prost(uint64, tag = "11")]
    pub repair_messages: u64,
    /// Bytes in them.
    #[prost(uint64, tag = "12")]
    pub repair_bytes: u64,
}

/// A counter.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Metric {
    /// Its name without prefix.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Its value.
    #[prost(uint64, tag = "2")]
    pub value: u64,
}

/// Makes a blank node a member of a volume. Repeating it is harmless; a node of another volume refuses.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct AdoptRequest {
    /// The volume, 16 bytes big-endian.
    #[prost(bytes = "vec", tag = "1")]
    pub volume: Vec<u8>,
    /// The position it is to take, 0 to 5; it fixes the availability zone.
    #[prost(uint32, tag = "2")]
    pub position: u32,
}

/// It is a member now.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct AdoptReply {
    /// Its node id, 16 bytes big-endian.
    #[prost(bytes = "vec", tag = "1")]
    pub node: Vec<u8>,
}

/// An order for the writer whose log stream is live at the node that is asked (`protocol::order`).
#[derive(Clone, PartialEq, Eq, Message)]
pub struct OperateRequest {
    /// A sealed `Order`.
    #[prost(bytes = "vec", tag = "1")]
    pub order: Vec<u8>,
}

/// The writer's answer.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct OperateReply {
    /// A sealed `Report`.
    #[prost(bytes = "vec", tag = "1")]
    pub report: Vec<u8>,
}

/// Starts a look at everything the node stores; `StatusReply.metrics` tells how far it is and what it found.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ScrubRequest {}

/// It was started, or was under way.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ScrubReply {
    /// Looks finished so far: this one has ended when the counter `scrub_passes` is higher.
    #[prost(uint64, tag = "1")]
    pub passes: u64,
}

/// 16 bytes as a number; empty is zero, another length is none.
#[must_use]
pub fn id128(bytes: &[u8]) -> Option<u128> {
    match bytes.len() {
        0 => Some(0),
        16 => bytes.try_into().ok().map(u128::from_be_bytes),
        _ => None,
    }
}

/// A number as 16 bytes.
#[must_use]
pub fn bytes128(id: u128) -> Vec<u8> {
    id.to_be_bytes().to_vec()
}
