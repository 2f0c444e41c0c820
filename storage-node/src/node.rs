//! One node folder.

use crate::event::{Action, Event};
use crate::metrics::Metrics;
use crate::settings::Settings;
use protocol::geometry::{NodeId, SegmentId, VolumeId};
use protocol::message::SegmentState;
use protocol::record::Record;

/// Who a node is; the host keeps it in the folder's `node.id`.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// The volume this folder belongs to.
    pub volume: VolumeId,
    /// This folder's identity.
    pub node: NodeId,
    /// Bounds.
    pub settings: Settings,
}

/// Where a node stands in its life.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Phase {
    /// Reading superblock, log and journals; messages are dropped.
    Starting,
    /// Answering.
    Serving,
    /// The device failed or the folder cannot be used; every message is refused, nothing is written any more.
    Failed(String),
}

/// One node folder: see the crate's prose.
pub struct Node {
    config: NodeConfig,
    metrics: Metrics,
    phase: Phase,
}

impl Node {
    /// A node that has not read its folder yet; hand it [`Event::Open`] first. After a crash make a new one.
    #[must_use]
    pub fn new(config: NodeConfig) -> Node {
        Node { config, metrics: Metrics::default(), phase: Phase::Starting }
    }

    /// [`accept`](Self::accept) and [`pump`](Self::pump).
    pub fn step(&mut self, now_us: u64, event: Event, out: &mut Vec<Action>) {
        self.accept(now_us, event, out);
        self.pump(now_us, out);
    }

    /// Takes one event without starting the log write it may call for, so that a host with several events at hand gets one write for all.
    pub fn accept(&mut self, _now_us: u64, _event: Event, _out: &mut Vec<Action>) {}

    /// Starts what is due: one log write for everything accepted since the last one.
    pub fn pump(&mut self, _now_us: u64, _out: &mut Vec<Action>) {}

    /// When the next [`Event::Tick`] is due, in the host's microseconds; earlier ones do no harm.
    #[must_use]
    pub fn next_wake_us(&self) -> u64 {
        0
    }

    /// Where the node stands.
    #[must_use]
    pub fn phase(&self) -> &Phase {
        &self.phase
    }

    /// Counters, and gauges of this moment.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        self.metrics.clone()
    }

    /// Who this is.
    #[must_use]
    pub fn config(&self) -> &NodeConfig {
        &self.config
    }

    /// For checkers and `sextant.segments`: the segments that live here, in order.
    #[must_use]
    pub fn segments(&self) -> Vec<SegmentId> {
        Vec::new()
    }

    /// For checkers and `sextant.segments`: what the segment would answer to a query.
    #[must_use]
    pub fn inspect(&self, _segment: SegmentId) -> Option<SegmentState> {
        None
    }

    /// For checkers: every live record held durably in memory and log, in order of LSN, gaps or not.
    pub fn records(&self, _segment: SegmentId) -> impl Iterator<Item = &Record> {
        std::iter::empty()
    }
}
