//! One run: a whole cluster in one thread, in virtual time, from one plan.
//!
//! ```text
//!   heap of (time, number) --> event --> core --> actions --> bytes on links, operations on disks --> heap
//!                                                   |
//!                                                   +--> oracle and checkers: every message, every VDL, every page
//! ```
//! Everything is ordered by (virtual time, number of the event): no clock, no thread, no unordered map. So a plan replays exactly,
//! and the hash of the trace says whether it did.

use crate::check_lease::Elections;
use crate::compute::{Compute, Told};
use crate::disk::Crash;
use crate::host::Host;
use crate::net::{Net, Place};
use crate::oracle::{History, PageModel};
use crate::plan::{Class, Drill, Plan};
use crate::rng::Rng;
use crate::sessions::{Books, judge};
use crate::trace::Tracer;
use bytes::Bytes;
use protocol::head::HeadVersion;
use protocol::message::{Envelope, Message, Peer};
use protocol::{Head, Lsn, PgId, SegmentId, VolumeEpoch, VolumeId, WriterId};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use storage_node::{Action, DiskOp, Event as NodeEvent, Token};

/// What happens next.
#[derive(Debug)]
pub(crate) enum Next {
    /// Bytes arrive.
    Arrive(Place, Bytes),
    /// A disk operation of this life of a node ends.
    Disk(usize, u64, Token),
    /// A node of this life wanted to be woken.
    NodeTick(usize, u64),
    /// A compute process wanted to be woken.
    ComputeTick(usize),
    /// The process writes something, and will again.
    Write(usize),
    /// The process reads something, and will again.
    Read(usize),
    /// Clients ask every open writer something, and will again.
    Ask,
    /// A statement that must see this commit is read from its socket.
    Statement(usize, Lsn),
    /// A fault of this class, and the next one of it.
    Fault(Class),
    /// The degraded drill begins, or strikes.
    Drill(bool),
    /// A fault beyond the promise strikes, for the so-manieth time.
    Strike(u32),
    /// A node that is down starts.
    NodeUp(usize),
    /// A new compute process starts.
    ComputeUp,
    /// Links are whole again.
    Mend,
    /// A device has room again.
    Room(usize),
    /// Checkers look at everything.
    Check,
    /// From now on no faults.
    Heal,
}

/// What a run was.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// The first thing that was wrong.
    pub failure: Option<String>,
    /// Events run.
    pub events: u64,
    /// Virtual time at the end.
    pub time_us: u64,
    /// Commits answered.
    pub commits: u64,
    /// Openings.
    pub openings: u64,
    /// Pages compared.
    pub reads: u64,
    /// Crashes of nodes.
    pub crashes: u64,
    /// Crashes of everything that tore all six logs of a set in the middle of a write.
    pub torn_six: u64,
    /// Newcomers that became members.
    pub replaced: u64,
    /// Statements answered under a lease.
    pub statements: u64,
    /// Beyond the promise: nodes that refused, openings that halted, runs that never came to rest.
    pub halts: u64,
    /// Audits of the engine by processes that opened, and at rest.
    pub audits: u64,
    /// Crashes at sampled CPLs that a fresh engine opened.
    pub examined: u64,
    /// Transactions of lists committed, for the checker of histories.
    pub lists: u64,
    /// Hash of everything that happened, in order.
    pub hash: u64,
}

/// See the module.
pub struct Director {
    pub(crate) plan: Plan,
    pub(crate) rng: Rng,
    pub(crate) now_us: u64,
    heap: BinaryHeap<Reverse<(u64, u64)>>,
    waiting: BTreeMap<u64, Next>,
    number: u64,
    pub(crate) hosts: Vec<Host>,
    pub(crate) computes: Vec<Compute>,
    compute_tick_us: Vec<u64>,
    writers: BTreeMap<WriterId, usize>,
    pub(crate) net: Net,
    pub(crate) history: History,
    pub(crate) model: PageModel,
    /// The head version that first listed each group.
    pub(crate) listed: BTreeMap<PgId, HeadVersion>,
    /// The ceiling of each opening, and the newest epoch opened.
    pub(crate) ceilings: BTreeMap<VolumeEpoch, Lsn>,
    /// The epoch each writer opened with.
    pub(crate) epochs: BTreeMap<WriterId, VolumeEpoch>,
    /// The highest head in any grant that reached a candidate, until it installs its own.
    pub(crate) granted: BTreeMap<WriterId, Head>,
    /// The newest head that left a writer.
    pub(crate) newest_head: Option<Head>,
    pub(crate) created: bool,
    /// The last commit any client was told of.
    pub(crate) acked: Lsn,
    pub(crate) elections: Elections,
    /// Until when processes sleep.
    pub(crate) asleep: BTreeMap<usize, u64>,
    pub(crate) tracer: Option<Tracer>,
    /// What the clients of engines know.
    pub(crate) books: Option<Books>,
    pub(crate) healing: bool,
    pub(crate) writes_stopped: bool,
    pub(crate) act: u32,
    pub(crate) acked_at_heal: u64,
    pub(crate) rot_victim: usize,
    pub(crate) busy: Option<PgId>,
    pub(crate) report: Report,
    done: bool,
}

impl Director {
    /// A cluster of empty folders, all nodes starting, one process about to create the volume.
    #[must_use]
    pub fn new(plan: Plan) -> Director {
        let mut rng = Rng::new(plan.seed);
        let volume = VolumeId(rng.nonce());
        let hosts: Vec<Host> = (0..plan.sets * 6).map(|_| Host::new(volume, &plan, &mut rng)).collect();
        let nodes = std::array::from_fn(|position| hosts[position].id());
        let net = Net::new(&plan, &mut rng);
        let rot_victim = plan.drill.map_or_else(|| rng.index(plan.sets * 6), Drill::node);
        let books = plan.sessions.map(Books::new);
        let first = Compute::start(&plan, volume, nodes, books.clone(), true, 1_000, &mut rng);
        Director {
            rng,
            now_us: 0,
            heap: BinaryHeap::new(),
            waiting: BTreeMap::new(),
            number: 0,
            hosts,
            computes: vec![first],
            compute_tick_us: vec![u64::MAX],
            writers: BTreeMap::new(),
            net,
            history: History::default(),
            model: PageModel::default(),
            listed: BTreeMap::new(),
            ceilings: BTreeMap::new(),
            epochs: BTreeMap::new(),
            granted: BTreeMap::new(),
            newest_head: None,
            created: false,
            acked: Lsn::ZERO,
            elections: Elections::default(),
            asleep: BTreeMap::new(),
            tracer: None,
            books,
            healing: false,
            writes_stopped: false,
            act: 0,
            acked_at_heal: 0,
            rot_victim,
            busy: None,
            report: Report::default(),
            done: false,
            plan,
        }
    }

    /// Runs to the end, or to the first thing that is wrong.
    #[must_use]
    pub fn run(mut self) -> Report {
        for node in 0..self.hosts.len() {
            self.start_node(node);
        }
        self.after(1_000, Next::ComputeTick(0));
        self.after(10_000, Next::Check);
        if self.plan.lease_ms > 0 {
            self.after(10_000, Next::Ask);
        }
        self.schedule_faults();
        while !self.done && self.report.failure.is_none() {
            let Some(Reverse((at, number))) = self.heap.pop() else { break };
            let Some(next) = self.waiting.remove(&number) else { continue };
            self.now_us = at;
            self.report.events += 1;
            self.turn(next);
        }
        if let (Some(books), None) = (self.books.clone(), &self.report.failure) {
            if let Err(why) = judge(&books) {
                self.fail(why);
            }
            (self.report.audits, self.report.lists) = books.counts();
        }
        self.report.time_us = self.now_us;
        self.report.commits = self.history.acked;
        self.report
    }

    /// Traces one commit from append to OK; the lines in the order they happened.
    #[must_use]
    pub fn trace_commit(mut self) -> (Vec<String>, Report) {
        let lines = Tracer::default();
        let shared = lines.lines();
        self.tracer = Some(lines);
        let report = self.run();
        (shared.take(), report)
    }

    pub(crate) fn after(&mut self, delay_us: u64, next: Next) {
        self.number += 1;
        self.heap.push(Reverse((self.now_us + delay_us, self.number)));
        self.waiting.insert(self.number, next);
    }

    pub(crate) fn finish(&mut self) {
        self.done = true;
    }

    pub(crate) fn fail(&mut self, why: impl Into<String>) {
        if self.report.failure.is_none() {
            self.report.failure = Some(format!("{} us: {}", self.now_us, why.into()));
        }
    }

    /// Folds one fact into the hash of the trace.
    fn trace(&mut self, kind: u64, fact: u64) {
        let word = kind.rotate_left(56) ^ fact ^ self.now_us.rotate_left(20);
        self.report.hash = (self.report.hash ^ word).wrapping_mul(0x0000_0100_0000_01B3).rotate_left(5);
    }

    /// The process that `next` is for, if its machine sleeps: until when.
    fn sleeps(&self, next: &Next) -> Option<u64> {
        let compute = match next {
            Next::Arrive(Place::Compute(compute), _)
            | Next::ComputeTick(compute)
            | Next::Write(compute)
            | Next::Read(compute)
            | Next::Statement(compute, _) => compute,
            _ => return None,
        };
        self.asleep.get(compute).copied().filter(|until| *until > self.now_us)
    }

    fn turn(&mut self, next: Next) {
        if let Some(until_us) = self.sleeps(&next) {
            if let Next::ComputeTick(compute) = next {
                self.compute_tick_us[compute] = until_us;
            }
            return self.after(until_us - self.now_us, next);
        }
        match next {
            Next::Arrive(place, bytes) => self.arrive(place, &bytes),
            Next::Disk(node, life, token) => self.disk_done(node, life, token),
            Next::NodeTick(node, life) => {
                if self.hosts[node].life == life && self.hosts[node].tick_us == self.now_us {
                    self.hosts[node].tick_us = u64::MAX;
                    self.node_step(node, NodeEvent::Tick);
                }
            }
            Next::ComputeTick(compute) => {
                if self.compute_tick_us[compute] == self.now_us || self.now_us <= 1_000 {
                    self.compute_tick_us[compute] = u64::MAX;
                    self.compute_step(compute, None);
                }
            }
            Next::Write(compute) => self.write(compute),
            Next::Read(compute) => self.read(compute),
            Next::Ask => self.ask(),
            Next::Statement(compute, must_see) => self.statement(compute, must_see),
            Next::Fault(class) => self.fault(class),
            Next::Drill(strike) => self.drill(strike),
            Next::Strike(number) => self.strike(number),
            Next::NodeUp(node) => {
                if self.hosts[node].node.is_none() {
                    self.start_node(node);
                }
            }
            Next::ComputeUp => self.start_compute(),
            Next::Mend => self.net.mend(),
            Next::Room(node) => self.set_full(node, false),
            Next::Check => self.check(),
            Next::Heal if self.healing => self.deadline(),
            Next::Heal => self.heal(),
        }
    }

    fn arrive(&mut self, place: Place, bytes: &Bytes) {
        let crc = bytes
            .len()
            .checked_sub(4)
            .map_or(0, |at| bytes[at..].iter().fold(0_u64, |word, byte| word << 8 | u64::from(*byte)));
        self.trace(1, crc);
        let envelope = match Envelope::decode(bytes) {
            Ok(envelope) => envelope,
            Err(error) => return self.fail(format!("a message does not decode: {error}")),
        };
        match place {
            Place::Node(node) => {
                if let Some(tracer) = &mut self.tracer {
                    tracer.node_hears(node, &envelope);
                }
                let creates = &mut self.hosts[node].creates;
                if matches!(envelope.message, Message::Create(_)) && creates.len() < 16 {
                    creates.push(bytes.clone());
                }
                self.reaches_arbiter(node, &envelope);
                if self.hosts[node].node.is_some() {
                    self.node_step(node, NodeEvent::Message(envelope));
                }
            }
            Place::Compute(compute) => {
                self.saw_to_compute(&envelope);
                self.compute_step(compute, Some(envelope));
            }
        }
    }

    fn place(&self, peer: Peer) -> Option<Place> {
        match peer {
            Peer::Segment(id) => Some(Place::Node(self.node_of(id))),
            Peer::Compute(writer) => self.writers.get(&writer).map(|c| Place::Compute(*c)),
        }
    }

    /// Groups alternate between the sets of six nodes.
    pub(crate) fn node_of(&self, id: SegmentId) -> usize {
        id.pg.0 as usize % self.plan.sets * 6 + usize::from(id.position)
    }

    fn send(&mut self, from: Place, envelope: &Envelope) {
        let Some(to) = self.place(envelope.to) else { return };
        let bytes = Bytes::from(envelope.encode());
        for delay in self.net.route(from, to, &mut self.rng) {
            self.after(delay, Next::Arrive(to, bytes.clone()));
        }
    }

    // ---- nodes

    pub(crate) fn start_node(&mut self, node: usize) {
        let mut out = Vec::new();
        let now_us = self.now_us;
        self.hosts[node].start(now_us, &mut out);
        self.node_actions(node, out);
    }

    pub(crate) fn node_step(&mut self, node: usize, event: NodeEvent) {
        let now_us = self.hosts[node].clock.at(self.now_us);
        let mut out = Vec::new();
        if let Some(core) = &mut self.hosts[node].node {
            core.step(now_us, event, &mut out);
        }
        self.node_actions(node, out);
    }

    fn node_actions(&mut self, node: usize, out: Vec<Action>) {
        for action in out {
            match action {
                Action::Send(envelope) => {
                    self.saw_from_node(node, &envelope);
                    if let Some(tracer) = &mut self.tracer {
                        tracer.node_says(node, &envelope);
                    }
                    self.send(Place::Node(node), &envelope);
                }
                Action::Disk { token, file, op } => {
                    let mean = match op {
                        DiskOp::Read { .. } => 80,
                        DiskOp::Write { durable: false, .. } | DiskOp::Punch { .. } => 60,
                        _ => self.plan.sync_us,
                    };
                    let delay = self.rng.exponential(mean);
                    let life = self.hosts[node].life;
                    if let Some(tracer) = &mut self.tracer {
                        tracer.issues(node, token, file, &op);
                    }
                    self.hosts[node].disk.issue(token, file, op);
                    self.after(delay, Next::Disk(node, life, token));
                }
            }
        }
        let host = &mut self.hosts[node];
        let Some(core) = &host.node else { return };
        let wake = host.clock.when(core.next_wake_us());
        if wake != u64::MAX && wake.max(self.now_us + 1) < host.tick_us {
            host.tick_us = wake.max(self.now_us + 1);
            let (delay, life) = (host.tick_us - self.now_us, host.life);
            self.after(delay, Next::NodeTick(node, life));
        }
        self.watch_failure(node);
    }

    fn disk_done(&mut self, node: usize, life: u64, token: Token) {
        if self.hosts[node].life != life {
            return;
        }
        let fails = self.plan.has(Class::DeviceErrors) && !self.healing && self.rng.chance(5);
        let lie = self.lie(node);
        let result = self.hosts[node].disk.complete(token, fails, lie, &mut self.rng);
        self.hosts[node].hurt |= fails;
        self.trace(2, node as u64 ^ token.0 << 8);
        if let Some(tracer) = &mut self.tracer {
            tracer.completes(node, token);
        }
        self.node_step(node, NodeEvent::Done { token, result });
    }

    /// A process that gave up is restarted; one that gave up without a device error is wrong.
    fn watch_failure(&mut self, node: usize) {
        let Some(why) = self.hosts[node].failed().map(str::to_owned) else { return };
        if self.hosts[node].super_rot {
            // It halts rather than lies. Its folder is replaced, as an operator would.
            return self.delete_folder(node, 50_000);
        }
        if self.plan.beyond.is_some() {
            return self.gave_up(node);
        }
        if !self.hosts[node].hurt {
            return self.fail(format!("node {node} refuses to work on a sound device: {why}"));
        }
        self.hosts[node].crash(Crash::Process, &mut self.rng);
        let delay = self.rng.exponential(100_000);
        self.after(delay, Next::NodeUp(node));
    }

    // ---- compute

    pub(crate) fn start_compute(&mut self) {
        if self.healing {
            // One that was scheduled before: two writers in peace would be a fault.
            self.computes.iter_mut().for_each(Compute::kill);
        }
        let volume = VolumeId(0);
        let volume = self.hosts.first().map_or(volume, |h| h.volume());
        let create = !self.created;
        let nodes = std::array::from_fn(|position| self.hosts[position].id());
        let books = self.books.clone();
        let next = Compute::start(&self.plan, volume, nodes, books, create, self.now_us, &mut self.rng);
        self.computes.push(next);
        self.compute_tick_us.push(u64::MAX);
        let compute = self.computes.len() - 1;
        self.compute_step(compute, None);
    }

    /// The newest process.
    pub(crate) fn current(&self) -> usize {
        self.computes.len() - 1
    }

    pub(crate) fn compute_step(&mut self, compute: usize, message: Option<Envelope>) {
        if self.computes[compute].dead() {
            return;
        }
        let mut told = Vec::new();
        self.computes[compute].step_at(self.now_us, message, &mut self.rng, &mut told);
        self.after_compute(compute, told);
    }

    pub(crate) fn after_compute(&mut self, compute: usize, told: Vec<Told>) {
        let writer = self.computes[compute].writer;
        self.writers.insert(writer, compute);
        // What was sent was written before it was published.
        let mut sends = self.computes[compute].sends();
        self.die_half_open(compute, &mut sends);
        for envelope in &sends {
            self.saw_from_compute(compute, envelope);
        }
        for fact in told {
            if self.tracer.as_mut().is_some_and(|t| t.told(&fact)) {
                self.finish();
            }
            self.told(compute, fact);
        }
        for envelope in sends {
            self.send(Place::Compute(compute), &envelope);
        }
        let wake = self.computes[compute].wake_us(self.now_us);
        if wake < self.compute_tick_us[compute] {
            self.compute_tick_us[compute] = wake;
            self.after(wake - self.now_us, Next::ComputeTick(compute));
        }
        // An old process that lost its log is gone for good: the new one stands in its place. Rivals stand again.
        let stays = self.plan.has(Class::Rivals) && !self.healing && self.alive() <= 3;
        if compute != self.current() && self.computes[compute].log().is_none() && !stays {
            self.computes[compute].kill();
        }
    }

    /// A candidate that begins to install its own list dies after one or two of the messages.
    fn die_half_open(&mut self, compute: usize, sends: &mut Vec<Envelope>) {
        let installs =
            |e: &Envelope| matches!(&e.message, Message::Install(i) if i.head.version.epoch == i.epoch);
        let opening = self.computes[compute].log().is_none() && sends.iter().any(installs);
        if !self.plan.half_openings || self.healing || !opening || !self.rng.chance(5_000) {
            return;
        }
        let kept = 1 + self.rng.index(2);
        let from = self.rng.index(sends.len());
        sends.rotate_left(from);
        sends.truncate(kept);
        self.computes[compute].kill();
        let delay = self.rng.range(500, 10_000);
        self.after(delay, Next::ComputeUp);
    }

    fn write(&mut self, compute: usize) {
        if self.computes[compute].log().is_none() || self.writes_stopped {
            return;
        }
        let busy = self.busy;
        let mut told = Vec::new();
        let commit = self.computes[compute].write(self.now_us, &mut self.rng, busy, &mut told);
        if let (Some(tracer), Some(lsn)) = (&mut self.tracer, commit) {
            tracer.appended(self.now_us, lsn);
        }
        self.after_compute(compute, told);
        let delay = self.rng.exponential(self.plan.mtr_us);
        self.after(delay, Next::Write(compute));
    }

    fn read(&mut self, compute: usize) {
        if self.computes[compute].log().is_none() || compute != self.current() {
            return;
        }
        self.computes[compute].read(self.now_us, &self.model, &mut self.rng);
        self.after_compute(compute, Vec::new());
        let delay = self.rng.exponential(self.plan.read_us);
        self.after(delay, Next::Read(compute));
    }

    /// True when `message` is log of a writer.
    pub(crate) fn frames_of(message: &Message) -> Option<&Bytes> {
        match message {
            Message::Append(append) if !append.frames.is_empty() => Some(&append.frames),
            _ => None,
        }
    }
}
