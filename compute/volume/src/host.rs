//! The storage thread: six nodes, their disks and the device queue, driven by one loop.
//!
//! ```text
//!        ┌───────────────────────────────────────────────────────────────────────┐
//!        ▼                                                                       │
//!   take the link's messages ─► accept ─► pump (one log write per node) ─► disks ─► poll: one kernel entry
//!        ▲                        ▲                    │                            │ completions
//!        │                        └── gossip ◄─────────┤                            │
//!        └── next batch ◄── driver ◄── acks, images ◄──┘◄───────────────────────────┘
//! ```
//!
//! The writer's batches, the six log writes they become, the acknowledgements and the next batch all pass through this
//! one thread, so a commit costs one hand-over to it and one away from it. Nothing here blocks but the device queue's
//! wait (and the rare creation of a file). Whatever a node needs much time for it cuts into small steps itself.
//!
//! Invariants
//! 1. A node's events are handed to it one at a time, in the order they came; all at hand are accepted before it pumps.
//! 2. A lost folder fails its node for good; what comes back in its place is a new node with a new identity and new
//!    disk tags, so nothing of the old one's work can reach it.
//! 3. Turns are bounded: at most [`ROUNDS`] of messages between two polls.
//! 4. If this thread panics the process aborts: half a storage step must not live on.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use std::time::Duration;

use bytes::Bytes;
use cache_nvme::device::{Completion, Device, IoChoice, Wait};
use cache_nvme::file::{Space, free_space};
use driver::Driver;
use protocol::contract::LinkReceiver;
use protocol::env::Env;
use protocol::geometry::COPIES;
use protocol::message::{Envelope, Message, Peer};
use protocol::{SegmentId, VolumeId};
use storage_node::disk::{Disk, list_files, tag_of};
use storage_node::held::Batch;
use storage_node::{Action, Event, Node, NodeConfig, Phase, Settings};

use crate::folders::{NodeFolder, node_path, renew};
use crate::link::{Command, Link, Taken, weight};
use crate::opening::read_folders;
use crate::status::{Facts, NodeFacts, NodeSegment};

/// Rounds of messages between two polls of the device.
const ROUNDS: usize = 4;
/// Folders and free space are looked at so often.
const LOOK_US: u64 = 1_000_000;
/// Log writes a commit does not wait for: a quorum is four of six.
const SLOWEST: u32 = 2;
/// Longest wait for several log writes at once; readers and new messages wait no longer than that.
const QUORUM_WAIT_US: u64 = 500;
/// Batches remembered as decoded: those of one turn, mostly one or two.
const DECODED: usize = 8;
/// The device is polled at least so often.
const IDLE_US: u64 = 200_000;

/// One node with its folder.
struct Host {
    folder: NodeFolder,
    node: Node,
    disk: Disk,
    /// Its folder was deleted under it; waits to be made anew.
    gone: bool,
    wake_us: u64,
}

/// Everything the storage thread owns.
pub(crate) struct Hosts {
    data: PathBuf,
    volume: VolumeId,
    settings: Settings,
    env: Arc<dyn Env>,
    link: Arc<Link>,
    driver: Arc<Driver>,
    device: Box<dyn Device>,
    hosts: Vec<Host>,
    /// Disks of lost folders with operations still in flight.
    dying: Vec<Disk>,
    next_tag: u32,
    local: VecDeque<Envelope>,
    /// Batches decoded last, with the bytes they were decoded from.
    decoded: VecDeque<(Bytes, Batch)>,
    actions: Vec<Action>,
    repairs: BTreeMap<SegmentId, (u64, u64)>,
    look_us: u64,
    /// The device is nearly full, and that was said.
    full: bool,
    stop: bool,
    /// Who waits for the nodes to settle.
    settling: Option<Sender<()>>,
}

/// What the storage thread is made of.
pub(crate) struct Parts {
    pub(crate) id: VolumeId,
    pub(crate) nodes: Vec<NodeFolder>,
    pub(crate) env: Arc<dyn Env>,
    pub(crate) link: Arc<Link>,
    pub(crate) driver: Arc<Driver>,
}

impl Hosts {
    /// Six nodes that have read their folders.
    pub(crate) fn new(
        data: PathBuf,
        settings: Settings,
        parts: Parts,
        device: Box<dyn Device>,
        io: IoChoice,
    ) -> std::io::Result<Self> {
        let Parts { id: volume, nodes: folders, env, link, driver } = parts;
        let mut hosts = Self {
            data,
            volume,
            settings,
            env,
            link,
            driver,
            device,
            hosts: Vec::with_capacity(COPIES),
            dying: Vec::new(),
            next_tag: 0,
            local: VecDeque::new(),
            decoded: VecDeque::new(),
            actions: Vec::new(),
            repairs: BTreeMap::new(),
            look_us: 0,
            full: false,
            stop: false,
            settling: None,
        };
        for folder in folders {
            let host = hosts.start(folder)?;
            hosts.hosts.push(host);
        }
        let nodes = hosts.hosts.iter_mut().map(|h| (&mut h.node, h.folder.path.clone()));
        read_folders(&*hosts.env, io, nodes)?;
        hosts.link.listen(hosts.device.waker());
        Ok(hosts)
    }

    fn start(&mut self, folder: NodeFolder) -> std::io::Result<Host> {
        self.next_tag += 1;
        let disk = Disk::new(&folder.path, self.next_tag)?;
        let config =
            NodeConfig { volume: self.volume, node: folder.identity.node, settings: self.settings.clone() };
        Ok(Host { folder, node: Node::new(config), disk, gone: false, wake_us: 0 })
    }

    /// The loop. Returns after [`Command::Stop`], or when the device queue itself breaks.
    pub(crate) fn run(mut self) -> std::io::Result<()> {
        let abort = AbortOnPanic;
        let now = self.env.now_us();
        (0..self.hosts.len()).for_each(|index| self.pump(now, index));
        let mut taken = Taken::default();
        let mut done = Vec::new();
        while !self.stop {
            for _ in 0..ROUNDS {
                self.link.take(&mut taken);
                if taken.is_empty() && self.local.is_empty() {
                    break;
                }
                self.turn(&mut taken);
            }
            let now = self.env.now_us();
            self.tick(now);
            let wait = self.wait(now);
            self.device.poll(wait, &mut done)?;
            self.complete(&mut done);
        }
        for host in &mut self.hosts {
            host.disk.close(&mut *self.device);
        }
        std::mem::forget(abort);
        Ok(())
    }

    /// A node that takes a lost one's place starts while the others serve.
    fn open_node(&mut self, now: u64, index: usize) -> std::io::Result<()> {
        let files = list_files(&self.hosts[index].folder.path)?;
        self.accept(now, index, Event::Open { files });
        self.pump(now, index);
        Ok(())
    }

    /// Messages at hand, then one pump for every node.
    fn turn(&mut self, taken: &mut Taken) {
        let now = self.env.now_us();
        for command in taken.commands.drain(..) {
            match command {
                Command::Stop => self.stop = true,
                Command::Settle(reply) => {
                    self.settling = Some(reply);
                    (0..COPIES).for_each(|index| self.accept(now, index, Event::Settle));
                }
                // The asker may have given up waiting.
                Command::Facts(reply) => drop(reply.send(self.facts())),
            }
        }
        for index in 0..COPIES {
            for envelope in taken.messages[index].drain(..) {
                let event = self.decode(envelope);
                self.accept(now, index, event);
            }
        }
        for _ in 0..self.local.len() {
            let Some(envelope) = self.local.pop_front() else { break };
            if let Peer::Segment(to) = envelope.to {
                self.accept(now, to.position as usize, Event::Message(envelope));
            }
        }
        for index in 0..COPIES {
            self.pump(now, index);
        }
    }

    /// The six copies of a batch are the same bytes in the same place: they are decoded and checked once.
    fn decode(&mut self, envelope: Envelope) -> Event {
        let Message::Append(append) = &envelope.message else { return Event::Message(envelope) };
        if append.frames.is_empty() {
            return Event::Message(envelope);
        }
        // The memory holds the bytes, so nothing else can come to lie in their place.
        let same = |(bytes, _): &&(Bytes, Batch)| {
            bytes.as_ptr() == append.frames.as_ptr() && bytes.len() == append.frames.len()
        };
        let known = self.decoded.iter().find(same).map(|(_, batch)| batch.clone());
        let batch = known.unwrap_or_else(|| {
            let batch = Batch::decode(&append.frames);
            if self.decoded.len() >= DECODED {
                self.decoded.pop_front();
            }
            self.decoded.push_back((append.frames.clone(), batch.clone()));
            batch
        });
        Event::Shared(envelope, batch)
    }

    fn accept(&mut self, now: u64, index: usize, event: Event) {
        let Some(host) = self.hosts.get_mut(index).filter(|h| !h.gone) else { return };
        let mut actions = std::mem::take(&mut self.actions);
        host.node.accept(now, event, &mut actions);
        self.carry_out(now, index, actions);
    }

    fn pump(&mut self, now: u64, index: usize) {
        let Some(host) = self.hosts.get_mut(index).filter(|h| !h.gone) else { return };
        let mut actions = std::mem::take(&mut self.actions);
        host.node.pump(now, &mut actions);
        host.wake_us = host.node.next_wake_us();
        self.carry_out(now, index, actions);
    }

    fn carry_out(&mut self, now: u64, index: usize, mut actions: Vec<Action>) {
        for action in actions.drain(..) {
            match action {
                Action::Send(envelope) => self.deliver(envelope),
                Action::Disk { token, file, op } => {
                    self.hosts[index].disk.submit(&mut *self.device, token, file, op);
                }
            }
        }
        self.actions = actions;
        // What ended without the device (an absent file, a deletion) is told at once; that may ask for more.
        let ended = self.hosts[index].disk.ended();
        for (token, result) in ended {
            self.accept(now, index, Event::Done { token, result });
        }
    }

    fn deliver(&mut self, envelope: Envelope) {
        match (&envelope.from, &envelope.to) {
            (_, Peer::Compute(_)) => self.driver.deliver(envelope),
            (Peer::Segment(from), Peer::Segment(_)) => {
                let bytes = weight(&envelope.message);
                if bytes > 0 && matches!(envelope.message, Message::LogSlice(_) | Message::PageBatch(_)) {
                    let sent = self.repairs.entry(*from).or_default();
                    sent.0 += 1;
                    sent.1 += bytes as u64;
                }
                self.local.push_back(envelope);
            }
            (Peer::Compute(_), Peer::Segment(_)) => self.local.push_back(envelope),
        }
    }

    fn tick(&mut self, now: u64) {
        for index in 0..self.hosts.len() {
            if self.hosts[index].wake_us <= now {
                self.accept(now, index, Event::Tick);
                self.pump(now, index);
            }
        }
        if self.driver.next_wake_us() <= now {
            self.driver.tick();
        }
        if self.settling.is_some()
            && self.hosts.iter().all(|h| h.gone || h.node.settled())
            && let Some(reply) = self.settling.take()
        {
            // The one who waits may have given up.
            let _ = reply.send(());
        }
        if self.look_us <= now {
            self.look_us = now + LOOK_US;
            self.look(now);
        }
    }

    fn wait(&self, now: u64) -> Wait {
        if !self.local.is_empty() {
            return Wait::Now;
        }
        let nodes = self.hosts.iter().filter(|h| !h.gone).map(|h| h.wake_us).min().unwrap_or(u64::MAX);
        let at = nodes.min(self.driver.next_wake_us()).min(self.look_us).min(now + IDLE_US);
        if at <= now {
            return Wait::Now;
        }
        let log: u32 = self.hosts.iter().map(|h| h.disk.log_writes_in_flight()).sum();
        if log > SLOWEST + 1 && self.hosts.iter().all(|h| h.node.reads_under_way() == 0) {
            // Nothing is at quorum before all but the slowest two are done: one wake-up for them, not one for each.
            let at_most = Duration::from_micros((at - now).min(QUORUM_WAIT_US));
            return Wait::Several { at_least: log - SLOWEST, at_most };
        }
        Wait::AtMost(Duration::from_micros(at - now))
    }

    fn complete(&mut self, done: &mut Vec<Completion>) {
        if done.is_empty() {
            return;
        }
        let now = self.env.now_us();
        let mut touched = [false; COPIES];
        for completion in done.drain(..) {
            let tag = tag_of(completion.token);
            if let Some(index) = self.hosts.iter().position(|h| h.disk.tag() == tag) {
                let host = &mut self.hosts[index];
                if let Some((token, result)) = host.disk.completed(&mut *self.device, completion) {
                    self.accept(now, index, Event::Done { token, result });
                    touched[index] = true;
                }
            } else if let Some(disk) = self.dying.iter_mut().find(|d| d.tag() == tag) {
                disk.completed(&mut *self.device, completion);
            }
        }
        self.dying.retain(|disk| disk.pending() > 0);
        for index in (0..COPIES).filter(|&i| touched[i]) {
            self.pump(now, index);
        }
    }

    /// Once a second: free space, and whether the folders are still there.
    fn look(&mut self, now: u64) {
        if let Ok(space) = free_space(&self.data) {
            self.say_if_full(space);
            for index in 0..self.hosts.len() {
                self.accept(now, index, Event::Space { free: space.available, total: space.total });
            }
        }
        for index in 0..self.hosts.len() {
            if self.hosts[index].gone {
                self.replace(now, index);
            } else if !self.hosts[index].folder.is_there() {
                let host = &mut self.hosts[index];
                tracing::error!(folder = %host.folder.path.display(), "the node folder is gone; its node has failed");
                host.gone = true;
                host.disk.close(&mut *self.device);
            }
        }
    }

    /// Writes stall below the reserve (the nodes decide that by themselves); the operator gets one line each way.
    fn say_if_full(&mut self, space: Space) {
        let reserve = space.total / 1000 * self.settings.reserve_per_mille;
        let full = space.available < reserve;
        if full && !self.full {
            tracing::error!(
                free_mib = space.available >> 20,
                reserve_mib = reserve >> 20,
                "the disk is nearly full: writes wait, reads go on"
            );
        } else if self.full && !full {
            tracing::info!(free_mib = space.available >> 20, "the disk has room again: writes go on");
        }
        self.full = full;
    }

    /// A blank node in place of a lost one, once the old folder is wholly gone.
    fn replace(&mut self, now: u64, index: usize) {
        let mut random = || u128::from(self.env.random()) << 64 | u128::from(self.env.random());
        let folder = match renew(&self.data, self.volume, index as u8, &mut random) {
            Ok(Some(folder)) => folder,
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(%error, "a lost node folder cannot be made anew yet");
                return;
            }
        };
        let path = node_path(&self.data, index as u8);
        let started = self.start(folder).and_then(|host| {
            let old = std::mem::replace(&mut self.hosts[index], host);
            self.dying.extend(Some(old.disk).filter(|d| d.pending() > 0));
            self.open_node(now, index)
        });
        match started {
            Ok(()) => {
                tracing::warn!(folder = %path.display(), "a blank node takes the place of the lost one")
            }
            Err(error) => tracing::error!(folder = %path.display(), %error, "the new node cannot start"),
        }
    }

    fn facts(&self) -> Facts {
        let counters = self.device.counters();
        Facts {
            nodes: self.hosts.iter().map(|host| node_facts(host, self.full)).collect(),
            repairs: self.repairs.iter().map(|(id, (messages, bytes))| (*id, *messages, *bytes)).collect(),
            device_syscalls: counters.syscalls.load(Ordering::Relaxed),
            device_wakeups: counters.wakeups.load(Ordering::Relaxed),
        }
    }
}

fn node_facts(host: &Host, full: bool) -> NodeFacts {
    let metrics = host.node.metrics();
    let failed = match host.node.phase() {
        Phase::Failed(why) => Some(why.clone()),
        _ if host.gone => Some("the folder is gone".to_string()),
        Phase::Starting | Phase::Serving => None,
    };
    let segments = host.node.segments().into_iter().filter_map(|id| {
        let state = host.node.inspect(id)?;
        Some(NodeSegment {
            id,
            incarnation: state.incarnation,
            role: state.role,
            epoch: state.epoch,
            scl: state.scl,
            page_point: state.page_point,
        })
    });
    NodeFacts {
        folder: host.folder.path.display().to_string(),
        failed,
        starting: *host.node.phase() == Phase::Starting,
        segments: segments.collect(),
        log_writes: metrics.log_writes,
        log_syncs: host.disk.log_syncs(),
        held_log_bytes: metrics.log_held_bytes,
        held_record_bytes: metrics.record_held_bytes,
        uncoalesced: metrics.uncoalesced_bytes,
        log_memory: metrics.log_memory_bytes,
        rounds: metrics.rounds,
        log_bytes: metrics.log_bytes,
        page_slots: metrics.page_slots,
        index: metrics.index_bytes,
        index_bound: metrics.index_bound_bytes,
        page_reads: metrics.page_reads,
        page_writes: metrics.page_writes,
        rot: metrics.rot,
        healed: metrics.healed,
        longest_chain: metrics.longest_chain,
        full,
    }
}

/// Invariant 4.
struct AbortOnPanic;

impl Drop for AbortOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("sextant: the storage thread has panicked; aborting");
            std::process::abort();
        }
    }
}
