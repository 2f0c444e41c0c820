//! What the compute node stands on: six storage nodes in this process, or daemons over the network. Above this line nobody knows which.

use crate::lease::Lease;
use driver::LogView;
use protocol::contract::{LogWriter, PageReader};
use std::sync::Arc;
use std::time::Duration;
use volume::Volume;
use volume::status::{NodeStatus, SegmentFacts};

/// One moment of a volume, as its writer and its storage nodes see it.
#[derive(Clone, Debug)]
pub struct Moment {
    /// The writer's numbers.
    pub view: LogView,
    /// One line per segment, in order of groups and positions.
    pub segments: Vec<SegmentFacts>,
    /// The nodes, those that do not answer too.
    pub nodes: Vec<NodeStatus>,
    /// Statements need a lease here.
    pub leased: bool,
}

/// An open volume.
pub trait Backing: Send + Sync {
    /// The log.
    fn log(&self) -> Arc<dyn LogWriter>;
    /// The pages.
    fn reader(&self) -> Arc<dyn PageReader>;
    /// What statements ask before they are answered; `None` where locks exclude another writer.
    fn lease(&self) -> Option<Arc<dyn Lease>> {
        None
    }
    /// How storage is reached: `ring` or `threads` (in this process), `network`.
    fn backend(&self) -> &'static str;
    /// Where it is, for the lines printed at start.
    fn place(&self) -> String;
    /// The writer's numbers; asks nobody.
    fn view(&self) -> LogView;
    /// Writer, segments and nodes at one moment. Asks storage and may wait a second for a node that is silent: call it off the hot path.
    fn moment(&self) -> Moment;
    /// Names and values for status and metrics, without prefix. Asks storage.
    fn counters(&self) -> Vec<(&'static str, u64)>;
    /// Ends in order: what was appended gets this long to become durable. Blocks.
    fn close_within(&self, limit: Duration);
    /// Ends in order. Blocks.
    fn close(&self);
}

/// The embedded volume and its folder.
pub struct Embedded {
    volume: Volume,
    folder: String,
}

impl Embedded {
    /// An open volume in this folder.
    pub fn new(volume: Volume, folder: &str) -> Embedded {
        Embedded { volume, folder: folder.to_string() }
    }
}

impl Backing for Embedded {
    fn log(&self) -> Arc<dyn LogWriter> {
        self.volume.log()
    }
    fn reader(&self) -> Arc<dyn PageReader> {
        self.volume.reader()
    }
    fn backend(&self) -> &'static str {
        self.volume.backend()
    }
    fn place(&self) -> String {
        format!("six storage nodes in {} ({})", self.folder, self.volume.backend())
    }
    fn view(&self) -> LogView {
        self.volume.view()
    }
    fn moment(&self) -> Moment {
        let (view, segments, nodes) = (self.volume.view(), self.volume.segments(), self.volume.nodes());
        Moment { view, segments, nodes, leased: false }
    }
    fn counters(&self) -> Vec<(&'static str, u64)> {
        self.volume.counters()
    }
    fn close_within(&self, limit: Duration) {
        self.volume.close_within(limit);
    }
    fn close(&self) {
        self.volume.close();
    }
}
