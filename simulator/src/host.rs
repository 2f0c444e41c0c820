//! A machine with one node folder: the node's process, its disk, and what it ever promised.

use crate::clock::Clock;
use crate::disk::{Crash, SimDisk};
use crate::plan::{Class, Plan};
use crate::rng::Rng;
use bytes::Bytes;
use protocol::head::HeadVersion;
use protocol::message::{Acked, Gossip};
use protocol::{Incarnation, Lsn, NodeId, SegmentId, VolumeEpoch, VolumeId, WriterId};
use std::collections::BTreeMap;
use storage_node::{Action, Event, Node, NodeConfig, Phase, Settings};

/// What a life of a segment acknowledged.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Promise {
    /// Highest SCL, under the head below.
    pub(crate) scl: Lsn,
    /// The newest head it said to hold.
    pub(crate) head: HeadVersion,
    /// The highest page point it told its peers: they may drop log because of it (R11).
    pub(crate) page_point: Lsn,
}

/// See the module.
pub(crate) struct Host {
    /// The process, when it runs.
    pub(crate) node: Option<Node>,
    /// Survives the process.
    pub(crate) disk: SimDisk,
    /// Counts processes; what belongs to an older one is dropped.
    pub(crate) life: u64,
    /// When the next tick is scheduled.
    pub(crate) tick_us: u64,
    /// Every acknowledgement that left, by segment and life.
    pub(crate) promises: BTreeMap<(SegmentId, Incarnation), Promise>,
    /// The highest grant it told anybody, by segment and life.
    pub(crate) grants: BTreeMap<(SegmentId, Incarnation), (VolumeEpoch, WriterId)>,
    /// Every creation sent here, encoded, since the folder was made.
    pub(crate) creates: Vec<Bytes>,
    /// A device error was injected into this life of the process.
    pub(crate) hurt: bool,
    /// Its superblock was damaged: it may refuse to start, and is replaced then.
    pub(crate) super_rot: bool,
    /// What this machine takes for the time.
    pub(crate) clock: Clock,
    /// A copy of the folder, made some time ago.
    kept: Option<SimDisk>,
    /// The device is said to be full.
    pub(crate) full: bool,
    id: NodeId,
    volume: VolumeId,
    settings: Settings,
}

/// Small bounds; an engine writes whole pages now and then.
fn sized(plan: &Plan) -> Settings {
    let small = Settings::small();
    if plan.sessions.is_none() {
        return small;
    }
    Settings { log_file_bytes: 2 << 20, log_block_bytes: 64 << 10, slice_bytes: 64 << 10, ..small }
}

impl Host {
    /// A machine with an empty folder, its process not started.
    #[must_use]
    pub(crate) fn new(volume: VolumeId, plan: &Plan, rng: &mut Rng) -> Host {
        Host {
            node: None,
            disk: SimDisk::default(),
            life: 0,
            tick_us: u64::MAX,
            promises: BTreeMap::new(),
            grants: BTreeMap::new(),
            creates: Vec::new(),
            hurt: false,
            super_rot: false,
            clock: if plan.has(Class::ClockSkew) { Clock::skewed(rng) } else { Clock::default() },
            kept: None,
            full: false,
            id: NodeId(rng.nonce()),
            volume,
            settings: Settings { promises: plan.lease_ms > 0, ..sized(plan) },
        }
    }

    /// The identity of its folder.
    #[must_use]
    pub(crate) fn id(&self) -> NodeId {
        self.id
    }

    /// Starts the process on what the disk holds.
    pub(crate) fn start(&mut self, now_us: u64, out: &mut Vec<Action>) {
        self.life += 1;
        self.tick_us = u64::MAX;
        self.hurt = false;
        let config = NodeConfig { volume: self.volume, node: self.id, settings: self.settings.clone() };
        let mut node = Node::new(config);
        node.step(self.clock.at(now_us), Event::Open { files: self.disk.list() }, out);
        self.node = Some(node);
    }

    /// The process dies, maybe with its machine.
    pub(crate) fn crash(&mut self, crash: Crash, rng: &mut Rng) {
        self.node = None;
        self.life += 1;
        self.disk.crash(crash, rng);
    }

    /// Somebody copies the folder of the stopped node.
    pub(crate) fn keep_folder(&mut self) {
        self.kept = Some(self.disk.copy());
    }

    /// Somebody puts the copy in the folder's place.
    pub(crate) fn put_back(&mut self) {
        if let Some(kept) = &self.kept {
            self.disk = kept.copy();
        }
    }

    /// The folder is deleted; what starts next is another node.
    pub(crate) fn wipe(&mut self, rng: &mut Rng) {
        self.crash(Crash::Process, rng);
        self.disk.wipe();
        self.super_rot = false;
        self.id = NodeId(rng.nonce());
    }

    /// The volume its folder belongs to.
    #[must_use]
    pub(crate) fn volume(&self) -> VolumeId {
        self.volume
    }

    /// The process, when it answers.
    #[must_use]
    pub(crate) fn serving(&self) -> Option<&Node> {
        self.node.as_ref().filter(|n| *n.phase() == Phase::Serving)
    }

    /// Why the process gave up, if it did.
    #[must_use]
    pub(crate) fn failed(&self) -> Option<&str> {
        match self.node.as_ref()?.phase() {
            Phase::Failed(why) => Some(why),
            _ => None,
        }
    }

    /// An acknowledgement leaves.
    pub(crate) fn promised(&mut self, id: SegmentId, acked: &Acked) {
        let promise = self.promises.entry((id, acked.incarnation)).or_default();
        if acked.head_version.epoch > promise.head.epoch {
            // A new list may have shortened its chain: what it said before is no promise under this one.
            promise.scl = Lsn::ZERO;
        }
        promise.head = promise.head.max(acked.head_version);
        promise.scl = promise.scl.max(acked.scl);
    }

    /// A page point leaves for the peers.
    pub(crate) fn gossiped(&mut self, id: SegmentId, gossip: &Gossip) {
        let promise = self.promises.entry((id, gossip.incarnation)).or_default();
        promise.page_point = promise.page_point.max(gossip.page_point.unwrap_or(Lsn::ZERO));
    }
}
