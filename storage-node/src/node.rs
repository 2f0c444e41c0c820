//! One node folder: dispatch of events, and what every part of it shares.
//!
//! The parts are `impl Node` blocks by topic: `lane` (the one write in flight), `ingest` (log coming in), `fence` (grants, heads,
//! creation), `gossip`, `floor`, `coalesce`/`job` (pages), `read`, `copy` (newcomers and healing), `scrub`, `start` (opening).
//!
//! Invariants
//! 1. At most one log or superblock write is in flight, so "durable" has one order (see `lane`).
//! 2. After a failed write or sync nothing is written, acknowledged or promised any more.
//! 3. Every queue is bounded by a setting; what does not fit is dropped and comes again.

use crate::block::Owner;
use crate::cold::ColdRead;
use crate::event::{Action, DiskError, DiskFile, DiskOp, Event, Token};
use crate::held::Batch;
use crate::hotlog::HotLog;
use crate::lane::Lane;
use crate::metrics::Metrics;
use crate::read::Reads;
use crate::scrub::WholeScrub;
use crate::segment::Segment;
use crate::settings::Settings;
use crate::start::Opening;
use cache_nvme::aligned::AlignedBuf;
use protocol::geometry::{NodeId, SegmentId, VolumeId};
use protocol::head::{Head, HeadVersion};
use protocol::lsn::Lsn;
use protocol::message::{Envelope, Message, Peer, SegmentState};
use protocol::page::PageId;
use protocol::record::Record;
use std::collections::BTreeMap;

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

/// What a disk operation in flight was for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Pending {
    /// The superblock or log block in the lane.
    Lane,
    /// A log file being made.
    LogFile(u64),
    /// Part of opening the folder.
    Start,
    /// A page for a reader, by its number in the read table.
    Read(u64),
    /// A page for a peer, by its number in the copy table.
    CopyOut(u64, PageId),
    /// Part of a segment's page job.
    Job(SegmentId, JobPart),
    /// A log file for a peer, by its number in the table of cold reads.
    Cold(u64),
    /// The scrubber's look at one version.
    Scrub(SegmentId, PageId, Lsn),
    /// The scrubber's look at one log file: number, sequence numbers of its first block and of the first behind it.
    ScrubLog(u64, u64, u64),
    /// A file of a retired life being removed.
    Gone(SegmentId),
    /// Nobody waits for it (delete, punch).
    Nothing,
}

/// Which part of a page job.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum JobPart {
    /// The base images of a run of pages were read; the number of the run.
    Base(u32),
    /// A run of images was written.
    Image,
    /// The page file was synced.
    Sync,
    /// A run of images was read back: first, how many.
    Check(usize, usize),
    /// The journal batch is durable.
    Journal,
}

/// One node folder: see the crate's prose.
pub struct Node {
    pub(crate) config: NodeConfig,
    pub(crate) owner: Owner,
    pub(crate) metrics: Metrics,
    pub(crate) phase: Phase,
    pub(crate) now_us: u64,
    /// Closing in order.
    pub(crate) settling: bool,
    next_token: u64,
    pub(crate) pending: BTreeMap<Token, Pending>,
    pub(crate) opening: Option<Box<Opening>>,
    pub(crate) log: HotLog,
    pub(crate) lane: Lane,
    pub(crate) segments: BTreeMap<SegmentId, Segment>,
    /// Files of retired lives that are still being removed.
    pub(crate) deleting: BTreeMap<SegmentId, u32>,
    pub(crate) head: Option<Head>,
    pub(crate) head_durable: HeadVersion,
    /// The highest VDL told under the head held, or an older one: no record the held list leaves alive at or below it can die (R3).
    pub(crate) vdl: Lsn,
    /// The highest VDL there is evidence of, under whatever head: it is reported, and nothing else is done by it.
    pub(crate) told: Lsn,
    /// T of the durable head, milliseconds (R8).
    pub(crate) lease_ms: u64,
    pub(crate) reads: Reads,
    pub(crate) cold: BTreeMap<u64, ColdRead>,
    pub(crate) space: Option<(u64, u64)>,
    pub(crate) no_space_until_us: u64,
    pub(crate) next_gossip_us: u64,
    pub(crate) next_scrub_us: u64,
    pub(crate) next_log_scrub_us: u64,
    pub(crate) log_scrubbed: Option<u64>,
    /// The look at everything that an operator asked for.
    pub(crate) whole_scrub: Option<WholeScrub>,
    pub(crate) next_request: u64,
}

impl Node {
    /// A node that has not read its folder yet; hand it [`Event::Open`] first. After a crash make a new one.
    ///
    /// # Panics
    /// When a setting cannot work ([`Settings::check`]).
    #[must_use]
    pub fn new(config: NodeConfig) -> Node {
        config.settings.check();
        let log = HotLog::new(config.settings.log_file_bytes, 0, 1);
        Node {
            owner: Owner { volume: config.volume, node: config.node },
            config,
            metrics: Metrics::default(),
            phase: Phase::Starting,
            now_us: 0,
            settling: false,
            next_token: 1,
            pending: BTreeMap::new(),
            opening: None,
            log,
            lane: Lane::default(),
            segments: BTreeMap::new(),
            deleting: BTreeMap::new(),
            head: None,
            head_durable: HeadVersion::default(),
            vdl: Lsn::ZERO,
            told: Lsn::ZERO,
            lease_ms: 0,
            reads: Reads::default(),
            cold: BTreeMap::new(),
            space: None,
            no_space_until_us: 0,
            next_gossip_us: 0,
            next_scrub_us: 0,
            next_log_scrub_us: 0,
            log_scrubbed: None,
            whole_scrub: None,
            next_request: 1,
        }
    }

    /// [`accept`](Self::accept) and [`pump`](Self::pump).
    pub fn step(&mut self, now_us: u64, event: Event, out: &mut Vec<Action>) {
        self.accept(now_us, event, out);
        self.pump(now_us, out);
    }

    /// Takes one event without starting the log write it may call for, so that a host with several events at hand gets one
    /// write for all.
    pub fn accept(&mut self, now_us: u64, event: Event, out: &mut Vec<Action>) {
        self.now_us = self.now_us.max(now_us);
        match event {
            Event::Open { files } => self.open(&files, out),
            Event::Message(envelope) => self.message(envelope, None, out),
            Event::Shared(envelope, batch) => self.message(envelope, Some(batch), out),
            Event::Done { token, result } => self.done(token, result, out),
            Event::Tick => self.tick(out),
            Event::Scrub => self.begin_scrub(),
            Event::Settle => (self.settling, self.next_gossip_us) = (true, 0),
            Event::Space { free, total } => self.space = Some((free, total)),
        }
    }

    /// Starts what is due: one log write for everything accepted since the last one.
    pub fn pump(&mut self, now_us: u64, out: &mut Vec<Action>) {
        self.now_us = self.now_us.max(now_us);
        if self.phase == Phase::Serving {
            self.pump_lane(out);
            self.pump_reads(out);
        }
    }

    fn message(&mut self, envelope: Envelope, decoded: Option<Batch>, out: &mut Vec<Action>) {
        let Peer::Segment(id) = envelope.to else { return };
        match self.phase {
            Phase::Starting => return,
            Phase::Failed(_) => return self.refuse_failed(id, envelope.from, out),
            Phase::Serving => {}
        }
        self.metrics.messages += 1;
        let from = envelope.from;
        match envelope.message {
            Message::Append(m) => self.on_append(id, from, m, decoded, out),
            Message::Install(m) => self.on_install(id, from, m, out),
            Message::Fence(m) => self.on_fence(id, from, m, out),
            Message::Query(m) => self.on_query(id, from, &m, out),
            Message::Create(m) => self.on_create(id, from, m, out),
            Message::FetchLog(m) => self.on_fetch_log(id, from, m, out),
            Message::LogSlice(m) => self.on_log_slice(id, from, m, out),
            Message::Gossip(m) => self.on_gossip(id, from, m, out),
            Message::ReadPage(m) => self.on_read_page(id, from, m, out),
            Message::CopyPages(m) => self.on_copy_pages(id, from, m, out),
            Message::PageBatch(m) => self.on_page_batch(id, m, out),
            Message::Release(m) => self.on_release(id, &m),
            Message::Retire(m) => self.on_retire(id, from, &m, out),
            Message::Retired(_)
            | Message::Ask(_)
            | Message::Told(_)
            | Message::Acked(_)
            | Message::Refused(_)
            | Message::State(_)
            | Message::Created(_)
            | Message::PageRead(_)
            | Message::PageRefused(_) => {}
        }
    }

    fn done(&mut self, token: Token, result: Result<AlignedBuf, DiskError>, out: &mut Vec<Action>) {
        let Some(pending) = self.pending.remove(&token) else { return };
        if matches!(self.phase, Phase::Failed(_)) {
            return;
        }
        match pending {
            Pending::Start => self.start_done(token, result, out),
            Pending::Lane => self.lane_done(result, out),
            Pending::LogFile(number) => self.log_file_done(number, result),
            Pending::Read(read) => self.read_done(read, result, out),
            Pending::CopyOut(copy, page) => self.copy_out_done(copy, page, result, out),
            Pending::Cold(number) => self.cold_done(number, result, out),
            Pending::Job(segment, part) => self.job_done(segment, part, result, out),
            Pending::Scrub(segment, page, lsn) => self.scrub_done(segment, page, lsn, result, out),
            Pending::ScrubLog(number, first, next) => self.scrub_log_done(number, (first, next), result),
            Pending::Gone(segment) => self.gone(segment),
            Pending::Nothing => {}
        }
    }

    fn tick(&mut self, out: &mut Vec<Action>) {
        if self.phase != Phase::Serving {
            return;
        }
        if self.now_us >= self.next_gossip_us {
            let interval = self.config.settings.gossip_interval_us;
            self.next_gossip_us = self.now_us + if self.settling { interval / 10 } else { interval };
            self.gossip_round(out);
            self.settle_newcomers();
            self.drop_log();
            self.spill();
            if self.settling {
                self.lane.claim_now();
                if self.segments.values().any(|s| s.chain.base() > s.floor_durable) {
                    self.lane.superblock_later();
                }
            }
        }
        self.reopen_damaged();
        self.start_jobs(out);
        self.scrub_all(out);
        if self.now_us >= self.next_scrub_us {
            self.next_scrub_us = self.now_us + self.config.settings.scrub_interval_us;
            self.scrub(out);
        }
        if self.now_us >= self.next_log_scrub_us {
            self.next_log_scrub_us = self.now_us + self.config.settings.log_scrub_interval_us;
            self.scrub_log(out);
        }
    }

    /// When the next [`Event::Tick`] is due, in the host's microseconds; earlier ones do no harm. Never (`u64::MAX`) while the node is
    /// starting or has failed: the disk moves the one, nothing the other, and a host must not turn for them.
    #[must_use]
    pub fn next_wake_us(&self) -> u64 {
        if self.phase != Phase::Serving {
            return u64::MAX;
        }
        let s = &self.config.settings;
        let idle = self.lane.idle_due_us(s.idle_us).unwrap_or(u64::MAX);
        let whole = self.whole_scrub.as_ref().map_or(u64::MAX, |scrub| scrub.due_us);
        self.next_gossip_us.min(self.next_scrub_us).min(idle).min(whole).max(self.now_us)
    }

    /// Issues a disk operation.
    pub(crate) fn disk(
        &mut self,
        pending: Pending,
        file: DiskFile,
        op: DiskOp,
        out: &mut Vec<Action>,
    ) -> Token {
        let token = Token(self.next_token);
        self.next_token += 1;
        self.pending.insert(token, pending);
        out.push(Action::Disk { token, file, op });
        token
    }

    /// Sends `message` of one of this node's segments.
    pub(crate) fn send(&self, from: SegmentId, to: Peer, message: impl Into<Message>, out: &mut Vec<Action>) {
        out.push(Action::Send(Envelope { from: Peer::Segment(from), to, message: message.into() }));
    }

    /// Invariant 2: from now on nothing is written or promised.
    pub(crate) fn fail(&mut self, why: String) {
        tracing::error!(node = %self.config.node, %why, "storage node failed");
        self.phase = Phase::Failed(why);
        self.opening = None;
    }

    pub(crate) fn head_version(&self) -> HeadVersion {
        self.head.as_ref().map_or(HeadVersion::default(), |h| h.version)
    }

    pub(crate) fn request(&mut self) -> u64 {
        self.next_request += 1;
        self.next_request
    }

    /// True when no more log may be taken: device nearly full, or log at one of its bounds.
    pub(crate) fn full(&self) -> bool {
        let s = &self.config.settings;
        self.free_below(s.reserve_per_mille)
            || self.now_us < self.no_space_until_us
            || self.log.held_bytes() > s.log_max_bytes
            || self.behind()
    }

    /// True when log has come faster than pages are made from it: memory, or what a restart must read, is at its bound.
    pub(crate) fn behind(&self) -> bool {
        let s = &self.config.settings;
        let unapplied = |s: &Segment| if s.pages.is_some() { s.chain.unapplied_bytes() as u64 } else { 0 };
        self.segments.values().any(|segment| unapplied(segment) > s.uncoalesced_bytes)
            || self.memory_bytes() > s.log_memory_bytes
    }

    /// Bytes of memory behind the log: queued, linked and early records with what each costs beside its frame.
    pub(crate) fn memory_bytes(&self) -> u64 {
        let chains: usize = self.segments.values().map(|s| s.chain.memory()).sum();
        (chains + self.lane.queued_bytes) as u64
    }

    /// True when not even repair may take room.
    pub(crate) fn exhausted(&self) -> bool {
        self.free_below(self.config.settings.reserve_per_mille / 5) || self.now_us < self.no_space_until_us
    }

    fn free_below(&self, per_mille: u64) -> bool {
        self.space.is_some_and(|(free, total)| free < total / 1000 * per_mille)
    }

    /// True when a next opening would read as little as it can: all log is in pages, or nothing is answering that could be.
    #[must_use]
    pub fn settled(&self) -> bool {
        let done = |s: &Segment| {
            s.newcomer || (s.chain.base() == s.chain.scl() && s.floor_durable == s.chain.base())
        };
        self.phase != Phase::Serving
            || (self.lane.is_idle() && self.log.is_short() && self.segments.values().all(done))
    }

    /// Page reads for readers under way.
    #[must_use]
    pub fn reads_under_way(&self) -> usize {
        self.reads.under_way()
    }

    /// Where the node stands.
    #[must_use]
    pub fn phase(&self) -> &Phase {
        &self.phase
    }

    /// Counters, and gauges of this moment.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        let mut m = self.metrics.clone();
        m.log_held_bytes = self.log.held_bytes();
        m.log_memory_bytes = self.lane.queued_bytes as u64;
        for segment in self.segments.values() {
            m.record_held_bytes += segment.chain.bytes() as u64;
            m.log_memory_bytes += segment.chain.memory() as u64;
            if let Some(pages) = &segment.pages {
                m.uncoalesced_bytes += segment.chain.unapplied_bytes() as u64;
                m.longest_chain = m.longest_chain.max(segment.chain.longest() as u64);
                m.page_slots += pages.store.used_slots();
                m.index_bytes += pages.store.memory();
                m.index_bound_bytes += Settings::index_bytes(
                    pages.store.version_count() as u64,
                    u64::from(pages.store.slot_count()),
                );
            }
        }
        m
    }

    /// Who this is.
    #[must_use]
    pub fn config(&self) -> &NodeConfig {
        &self.config
    }

    /// For checkers and `sextant.segments`: the segments that live here, in order.
    #[must_use]
    pub fn segments(&self) -> Vec<SegmentId> {
        self.segments.keys().copied().collect()
    }

    /// For checkers and `sextant.segments`: what the segment would answer to a query.
    #[must_use]
    pub fn inspect(&self, segment: SegmentId) -> Option<SegmentState> {
        self.segments.get(&segment).map(|s| self.state_of(s, 0))
    }

    /// For checkers: every live record held durably, in order of LSN, gaps or not.
    pub fn records(&self, segment: SegmentId) -> impl Iterator<Item = &Record> {
        self.segments.get(&segment).into_iter().flat_map(|s| s.chain.all()).map(|r| &**r)
    }

    /// For checkers: the newest head held.
    #[must_use]
    pub fn head(&self) -> Option<&Head> {
        self.head.as_ref()
    }
}
