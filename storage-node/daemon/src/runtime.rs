//! The storage thread: one node, its disk and the device queue, driven by one loop.
//!
//! ```text
//!        ┌──────────────────────────────────────────────────────────────────────┐
//!        ▼                                                                      │ completions
//!   take the inbox ─► accept all ─► pump (one log write for all of them) ─► disk ─► poll: one kernel entry
//!                                     │
//!                                     └─► acks and images to sessions, gossip and copies to peers, then one bell each
//! ```
//!
//! The same loop as the embedded volume's (`compute/volume/src/host.rs`), for one node and with sockets on the other side.
//!
//! Invariants
//! 1. Events are handed to the node one at a time in the order they came; all at hand are accepted before it pumps.
//! 2. Turns are bounded: at most [`ROUNDS`] of messages between two polls.
//! 3. If this thread panics the process aborts: half a storage step must not live on.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use cache_nvme::clock::BootClock;
use cache_nvme::device::{self, Completion, Device, IoChoice, Wait};
use cache_nvme::file::free_space;
use protocol::SegmentId;
use protocol::head::Head;
use protocol::message::{Envelope, Message, Peer};
use storage_node::disk::{Disk, list_files};
use storage_node::identity::Identity;
use storage_node::{Action, Event, Node, NodeConfig, Phase, Settings};

use crate::facts::Facts;
use crate::folder;
use crate::inbox::{Command, Inbox, weight};
use crate::peers::Peers;
use crate::sessions::Sessions;

/// Rounds of messages between two polls of the device.
const ROUNDS: usize = 4;
/// The folder and its free space are looked at so often.
const LOOK_US: u64 = 1_000_000;
/// The device is polled at least so often.
const IDLE_US: u64 = 200_000;
/// How long a stopping node waits for its device.
const DRAIN: Duration = Duration::from_secs(5);

/// What a storage thread is made of.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) folder: PathBuf,
    pub(crate) identity: Identity,
    pub(crate) settings: Settings,
    pub(crate) io: IoChoice,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) peers: Arc<Peers>,
}

struct Runtime {
    parts: Parts,
    /// R8(e): promises are kept by it.
    clock: BootClock,
    node: Node,
    disk: Disk,
    device: Box<dyn Device>,
    actions: Vec<Action>,
    repairs: BTreeMap<SegmentId, (u64, u64)>,
    wake_us: u64,
    look_us: u64,
    full: bool,
    stop: bool,
}

/// Runs a node on the calling thread until [`Command::Stop`]. `started` is told once the device queue stands.
///
/// # Errors
/// One line: the files or the device queue cannot be used, or the folder went away.
pub(crate) fn run(parts: Parts, started: impl FnOnce(&'static str)) -> Result<(), String> {
    let folder = parts.folder.clone();
    let named = |problem: std::io::Error| format!("{}: {problem}", folder.display());
    let device = device::open(parts.io).map_err(named)?;
    let disk = Disk::new(&parts.folder, 1).map_err(named)?;
    let Identity { volume, node, .. } = parts.identity;
    let node = Node::new(NodeConfig { volume, node, settings: parts.settings.clone() });
    parts.inbox.listen(device.waker());
    started(device.backend().name());
    let mut runtime = Runtime {
        parts,
        clock: BootClock::start(),
        node,
        disk,
        device,
        actions: Vec::new(),
        repairs: BTreeMap::new(),
        wake_us: 0,
        look_us: 0,
        full: false,
        stop: false,
    };
    let abort = AbortOnPanic;
    let ended = runtime.drive();
    std::mem::forget(abort);
    ended
}

impl Runtime {
    fn now_us(&self) -> u64 {
        self.clock.now_us()
    }

    fn drive(&mut self) -> Result<(), String> {
        let folder = self.parts.folder.clone();
        let named = |problem: std::io::Error| format!("{}: {problem}", folder.display());
        let files = list_files(&folder).map_err(named)?;
        let now = self.now_us();
        self.accept(now, Event::Open { files });
        self.pump(now);
        let (mut messages, mut commands, mut done) = (Vec::new(), Vec::new(), Vec::new());
        while !self.stop {
            for _ in 0..ROUNDS {
                self.parts.inbox.take(&mut messages, &mut commands);
                if messages.is_empty() && commands.is_empty() {
                    break;
                }
                self.turn(&mut messages, &mut commands);
            }
            let now = self.now_us();
            self.tick(now)?;
            let wait = self.wait(now);
            self.device.poll(wait, &mut done).map_err(named)?;
            self.complete(&mut done);
            self.ring();
        }
        self.finish().map_err(named)
    }

    fn turn(&mut self, messages: &mut Vec<Envelope>, commands: &mut Vec<Command>) {
        let now = self.now_us();
        for command in commands.drain(..) {
            match command {
                Command::Stop => self.stop = true,
                Command::Scrub => self.accept(now, Event::Scrub),
                // The asker may have given up waiting.
                Command::Facts(reply) => drop(reply.send(self.facts())),
            }
        }
        for envelope in messages.drain(..) {
            self.accept(now, Event::Message(envelope));
        }
        self.pump(now);
    }

    /// Everything acknowledged is durable already; this only lets the device come to rest.
    fn finish(&mut self) -> std::io::Result<()> {
        let mut done = Vec::new();
        let deadline = Instant::now() + DRAIN;
        while self.disk.pending() > 0 && Instant::now() < deadline {
            self.device.poll(Wait::AtMost(Duration::from_millis(100)), &mut done)?;
            self.complete(&mut done);
            self.ring();
        }
        self.disk.close(&mut *self.device);
        Ok(())
    }

    fn accept(&mut self, now: u64, event: Event) {
        let mut actions = std::mem::take(&mut self.actions);
        self.node.accept(now, event, &mut actions);
        self.carry_out(now, actions);
    }

    fn pump(&mut self, now: u64) {
        let mut actions = std::mem::take(&mut self.actions);
        self.node.pump(now, &mut actions);
        self.wake_us = self.node.next_wake_us();
        self.carry_out(now, actions);
    }

    fn carry_out(&mut self, now: u64, mut actions: Vec<Action>) {
        for action in actions.drain(..) {
            match action {
                Action::Send(envelope) => self.deliver(envelope),
                Action::Disk { token, file, op } => self.disk.submit(&mut *self.device, token, file, op),
            }
        }
        self.actions = actions;
        // What ended without the device (an absent file, a deletion) is told at once; that may ask for more.
        for (token, result) in self.disk.ended() {
            self.accept(now, Event::Done { token, result });
        }
    }

    fn deliver(&mut self, envelope: Envelope) {
        match (&envelope.from, &envelope.to) {
            (_, Peer::Compute(_)) => self.parts.sessions.deliver(envelope),
            (Peer::Segment(from), Peer::Segment(to)) => {
                let bytes = weight(&envelope.message);
                if bytes > 0 && matches!(envelope.message, Message::LogSlice(_) | Message::PageBatch(_)) {
                    let sent = self.repairs.entry(*from).or_default();
                    sent.0 += 1;
                    sent.1 += bytes as u64;
                }
                let told = matches!(envelope.message, Message::Gossip(_));
                let places = self.node.head().map_or_else(Places::default, |head| places(head, *to, told));
                self.parts.peers.send(to.position, places, envelope);
            }
            (Peer::Compute(_), Peer::Segment(_)) => {}
        }
    }

    /// Wakes the tasks of all streams that were given something.
    fn ring(&self) {
        self.parts.sessions.ring();
        self.parts.peers.ring();
    }

    fn tick(&mut self, now: u64) -> Result<(), String> {
        if self.wake_us <= now {
            self.accept(now, Event::Tick);
            self.pump(now);
        }
        if self.look_us <= now {
            self.look_us = now + LOOK_US;
            self.look(now)?;
        }
        Ok(())
    }

    fn wait(&self, now: u64) -> Wait {
        let at = self.wake_us.min(self.look_us).min(now + IDLE_US);
        if at <= now { Wait::Now } else { Wait::AtMost(Duration::from_micros(at - now)) }
    }

    fn complete(&mut self, done: &mut Vec<Completion>) {
        if done.is_empty() {
            return;
        }
        let now = self.now_us();
        for completion in done.drain(..) {
            if let Some((token, result)) = self.disk.completed(&mut *self.device, completion) {
                self.accept(now, Event::Done { token, result });
            }
        }
        self.pump(now);
    }

    /// Once a second: is the folder still there, and has it room?
    fn look(&mut self, now: u64) -> Result<(), String> {
        if !folder::is_there(&self.parts.folder, &self.parts.identity) {
            return Err(format!("{}: the node folder is gone", self.parts.folder.display()));
        }
        let Ok(space) = free_space(&self.parts.folder) else { return Ok(()) };
        let reserve = space.total / 1000 * self.parts.settings.reserve_per_mille;
        let full = space.available < reserve;
        let (free_mib, reserve_mib) = (space.available >> 20, reserve >> 20);
        if full && !self.full {
            tracing::error!(free_mib, reserve_mib, "the disk is nearly full: writes wait, reads go on");
        } else if self.full && !full {
            tracing::info!(free_mib, "the disk has room again: writes go on");
        }
        self.full = full;
        self.accept(now, Event::Space { free: space.available, total: space.total });
        Ok(())
    }

    fn facts(&self) -> Facts {
        let m = self.node.metrics();
        let device = self.device.counters();
        let (phase, problem) = match self.node.phase() {
            Phase::Starting => ("starting", String::new()),
            Phase::Serving => ("serving", String::new()),
            Phase::Failed(why) => ("failed", why.clone()),
        };
        let segments = self.node.segments().into_iter();
        Facts {
            phase,
            problem,
            segments: segments.filter_map(|id| Some((id, self.node.inspect(id)?))).collect(),
            repairs: self.repairs.iter().map(|(id, (messages, bytes))| (*id, *messages, *bytes)).collect(),
            head: self.node.head().cloned(),
            metrics: vec![
                ("messages", m.messages),
                ("records", m.records),
                ("record_bytes", m.record_bytes),
                ("log_writes", m.log_writes),
                ("log_bytes", m.log_bytes),
                ("log_syncs", self.disk.log_syncs()),
                ("superblock_writes", m.superblock_writes),
                ("duplicates", m.duplicates),
                ("dead_records", m.dead),
                ("conflicts", m.conflicts),
                ("dropped_records", m.dropped),
                ("stale_requests", m.stale),
                ("gossip_records", m.gossip_records),
                ("coalesce_rounds", m.rounds),
                ("page_writes", m.page_writes),
                ("page_drops", m.page_drops),
                ("page_reads", m.page_reads),
                ("page_refusals", m.page_refusals),
                ("read_applies", m.read_applies),
                ("retired_segments", m.retired),
                ("scrub_passes", m.scrub_passes),
                ("scrub_running", u64::from(self.node.is_scrubbing())),
                ("scrubbed_pages", m.scrubbed_pages),
                ("scrubbed_log_files", m.scrubbed_logs),
                ("rot", m.rot),
                ("healed", m.healed),
                ("log_held_bytes", m.log_held_bytes),
                ("record_held_bytes", m.record_held_bytes),
                ("uncoalesced_bytes", m.uncoalesced_bytes),
                ("longest_chain", m.longest_chain),
                ("page_slots", m.page_slots),
                ("log_memory_bytes", m.log_memory_bytes),
                ("index_bytes", m.index_bytes),
                ("memory_bound_bytes", self.parts.settings.memory_bytes() + m.index_bound_bytes),
                ("segments", self.node.segments().len() as u64),
                ("disk_nearly_full", u64::from(self.full)),
                ("device_syscalls", device.syscalls.load(Ordering::Relaxed)),
                ("device_wakeups", device.wakeups.load(Ordering::Relaxed)),
            ],
        }
    }
}

/// Invariant 3.
struct AbortOnPanic;

impl Drop for AbortOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("sextant storage: the storage thread has panicked; aborting");
            std::process::abort();
        }
    }
}

/// Where a message to a copy goes: at most two addresses.
type Places<'a> = [Option<&'a str>; 2];

/// While a copy is on its way to another node, the newcomer must learn how far the others are, and so must the one that is leaving, which may
/// stay after all; answers and questions are the newcomer's affair.
fn places(head: &Head, to: SegmentId, told: bool) -> Places<'_> {
    let home = head.home(to).map(|m| m.address.as_str());
    let member =
        head.group(to.pg).and_then(|g| g.members.get(usize::from(to.position))).map(|m| m.address.as_str());
    [home, member.filter(|at| told && Some(*at) != home)].map(|at| at.filter(|at| !at.is_empty()))
}
