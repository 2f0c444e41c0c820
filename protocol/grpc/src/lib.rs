//! Protocol messages over gRPC.
//!
//! The fleet's transport: `protocol::message` values carried by one bidirectional stream per
//! (compute node, storage node) for log and one for reads. Conversions only; no sockets are opened here.
//!
//! Nothing in this crate is used while every segment lives in the compute process: there the
//! `SegmentLink` of `compute::volume` hands messages over directly. The fleet issue fills this crate.
