//! A compute process: it opens the volume, writes mini-transactions, reads pages, and dies.
//!
//! It keeps what a buffer pool would: the LSN of every page it changed. What it acknowledges to its clients, and what it reads,
//! goes to the oracle through [`Told`].

mod reads;

use crate::clock::Clock;
use crate::oracle::PageModel;
use crate::plan::{Class, Plan};
use crate::pool::Pool;
use crate::rng::Rng;
use crate::sessions::{Books, Sessions};
use crate::statement::Statements;
use bytes::Bytes;
use protocol::contract::{LogError, MtrRecord};
use protocol::geometry::COPIES;
use protocol::message::Envelope;
use protocol::mutant;
use protocol::page::PageKind;
use protocol::record::frame_len;
use protocol::redo::{Op, OpsBuf};
use protocol::{Head, Lsn, NodeId, PageId, PgId, VolumeEpoch, VolumeId, WriterId};
use quorum::{
    Actions, Creator, Event, NewVolume, Notice, Outcome, RecoverSettings, Recoverer, Settings, WriterLog,
};
use std::collections::{BTreeMap, VecDeque};

/// What a process tells the world, in order.
#[derive(Debug)]
pub(crate) enum Told {
    /// The volume was created.
    Created,
    /// Open for writing.
    Opened {
        /// The epoch.
        epoch: VolumeEpoch,
        /// The VDL chosen.
        vdl: Lsn,
        /// The head installed.
        head: Box<Head>,
    },
    /// VDL of an open writer rose.
    Vdl(VolumeEpoch, Lsn),
    /// A client got its OK.
    Committed(Lsn),
    /// Halted: acknowledged log cannot be shown.
    Halted(String),
    /// A page arrived: page, the volume's read point, image.
    Read(PageId, Lsn, Bytes),
    /// A segment forgot a version that was in use.
    Forgotten(PageId, Lsn),
    /// A read took this long without an answer; who was asked, and what they said last.
    ReadStuck(PageId, Lsn, u64, String),
    /// A copy was replaced by a newcomer.
    Replaced,
    /// The engine, its trees or what clients saw is wrong.
    Wrong(String),
    /// A page left the pool above VDL.
    LeftEarly {
        /// The page.
        page: PageId,
        /// Its LSN.
        lsn: Lsn,
        /// VDL at that moment.
        vdl: Lsn,
    },
    /// A statement was answered from this view; it must see this commit.
    Answered {
        /// The last commit that had been acknowledged when the client sent it.
        must_see: Lsn,
        /// VDL it was answered from.
        view: Lsn,
    },
}

enum Stage {
    Waiting { until_us: u64, create: bool },
    Creating(Creator),
    Opening(Box<Recoverer>),
    Open(Box<WriterLog>),
    Dead,
}

/// See the module.
pub(crate) struct Compute {
    /// The nonce of the present attempt.
    pub(crate) writer: WriterId,
    volume: VolumeId,
    /// The folders of group 0, should it create the volume.
    nodes: [NodeId; COPIES],
    stage: Stage,
    pub(crate) actions: Actions,
    page_lsns: BTreeMap<PageId, Lsn>,
    pages: u64,
    pub(crate) commits: VecDeque<Lsn>,
    reads: BTreeMap<u64, reads::Read>,
    next_read: u64,
    lal_bytes: u64,
    groups: u32,
    lease_ms: u64,
    lies: bool,
    clock: Clock,
    /// Planted bug: how long its clock stood still.
    slept_us: u64,
    pub(crate) statements: Statements,
    /// It works through a buffer pool, or remembers the LSN of every page.
    pooled: bool,
    pub(crate) pool: Option<Pool>,
    /// It runs a real engine; the book of its clients.
    books: Option<Books>,
    pub(crate) sessions: Option<Sessions>,
}

impl Compute {
    /// A process that first creates the volume, or opens the one that is there.
    pub(crate) fn start(
        plan: &Plan,
        volume: VolumeId,
        nodes: [NodeId; COPIES],
        books: Option<Books>,
        create: bool,
        now_us: u64,
        rng: &mut Rng,
    ) -> Compute {
        Compute {
            writer: WriterId(rng.nonce()),
            volume,
            nodes,
            stage: Stage::Waiting { until_us: now_us, create },
            actions: Actions::default(),
            page_lsns: BTreeMap::new(),
            pages: plan.pages_per_pg,
            commits: VecDeque::new(),
            reads: BTreeMap::new(),
            next_read: 0,
            lal_bytes: plan.lal_bytes,
            groups: plan.groups,
            lease_ms: plan.lease_ms,
            lies: plan.lies,
            clock: if plan.has(Class::ClockSkew) { Clock::skewed(rng) } else { Clock::default() },
            slept_us: 0,
            statements: Statements::default(),
            pooled: plan.pooled,
            pool: None,
            books,
            sessions: None,
        }
    }

    /// The settings of the write path in simulations: small and impatient.
    #[must_use]
    pub(crate) fn settings(&self) -> Settings {
        // An engine writes whole pages now and then.
        let larger = if self.books.is_some() { 4 } else { 0 };
        Settings {
            lal_bytes: self.lal_bytes,
            window_bytes: 16 << 10 << larger,
            batch_bytes: 4 << 10 << larger,
            send_bytes: 1 << 10,
            keep_bytes: 8 << 10 << larger,
            retransmit_us: 30_000,
            degraded_us: if self.lies { 3_600_000_000 } else { 100_000 },
            heartbeat_us: if self.lease_ms > 0 { self.lease_ms * 1000 / 6 } else { 100_000 },
            prune_us: 100_000,
            ..Settings::default()
        }
    }

    /// The process is gone; nothing of it answers any more.
    pub(crate) fn kill(&mut self) {
        self.stage = Stage::Dead;
        self.pool = None;
        self.sessions = None;
    }

    /// The open log, for as long as it takes; [`take_log_back`](Self::take_log_back) follows.
    pub(crate) fn lend_log(&mut self) -> Option<Box<WriterLog>> {
        self.log()?;
        match std::mem::replace(&mut self.stage, Stage::Dead) {
            Stage::Open(log) => Some(log),
            _ => None,
        }
    }

    pub(crate) fn take_log_back(&mut self, log: Box<WriterLog>) {
        self.stage = Stage::Open(log);
    }

    /// The writer's log while it is open.
    #[must_use]
    pub(crate) fn log(&self) -> Option<&WriterLog> {
        match &self.stage {
            Stage::Open(log) => Some(log),
            _ => None,
        }
    }

    /// True once the process is dead.
    #[must_use]
    pub(crate) fn dead(&self) -> bool {
        matches!(self.stage, Stage::Dead)
    }

    /// The lowest volume read point in use.
    #[must_use]
    pub(crate) fn lowest_read(&self) -> Option<Lsn> {
        self.reads.values().map(|r| r.at).min()
    }

    /// What the process waits for, when it is not open.
    #[must_use]
    pub(crate) fn state(&self) -> String {
        match &self.stage {
            Stage::Waiting { .. } => "waits to stand".to_owned(),
            Stage::Creating(creator) => format!("creates, waits for {:?}", creator.waiting()),
            Stage::Opening(recoverer) => {
                format!("{:?} {}, missing {:?}", recoverer.epoch(), recoverer.doing(), recoverer.missing())
            }
            Stage::Open(log) => format!(
                "open {:?} vdl {} vcl {} last {} pending reads {} segments {:#?}",
                log.epoch(),
                log.vdl(),
                log.vcl(),
                log.last_lsn(),
                self.reads.len(),
                log.segments()
            ),
            Stage::Dead => "dead".to_owned(),
        }
    }

    /// One event: a message, or time.
    pub(crate) fn step(
        &mut self,
        now_us: u64,
        message: Option<Envelope>,
        rng: &mut Rng,
        told: &mut Vec<Told>,
    ) {
        if let Stage::Waiting { until_us, create } = self.stage
            && now_us >= until_us
        {
            self.stand(create, rng);
        }
        let message = match message {
            Some(envelope) => match self.on_read_answer(now_us, envelope, told) {
                Some(envelope) => Event::Message(envelope),
                None => Event::Tick,
            },
            None => Event::Tick,
        };
        match &mut self.stage {
            Stage::Waiting { .. } | Stage::Dead => {}
            Stage::Creating(creator) => {
                if creator.step(now_us, message, &mut self.actions).is_some() {
                    told.push(Told::Created);
                    self.stage = Stage::Waiting { until_us: now_us, create: false };
                }
            }
            Stage::Opening(recoverer) => {
                if let Some(outcome) = recoverer.step(now_us, message, &mut self.actions) {
                    self.ended(now_us, outcome, rng, told);
                }
            }
            Stage::Open(log) => log.step(now_us, message, &mut self.actions),
        }
        self.notices(now_us, told);
        self.drive_pool(now_us, told);
        self.drive_sessions(now_us, told);
        self.drive_reads(now_us, told);
        self.drive_statements(now_us, told);
    }

    fn stand(&mut self, create: bool, rng: &mut Rng) {
        self.writer = WriterId(if mutant!(HostIdAsWriter) { 7 } else { rng.nonce() });
        self.stage = if create {
            Stage::Creating(Creator::new(NewVolume {
                volume: self.volume,
                pages_per_pg: self.pages,
                lease_ms: self.lease_ms.max(1),
                nodes: self.nodes,
                writer: self.writer,
                ask_us: 20_000,
            }))
        } else {
            Stage::Opening(Box::new(Recoverer::new(RecoverSettings {
                settings: self.settings(),
                volume: Some(self.volume),
                writer: self.writer,
                nonce: rng.nonce(),
            })))
        };
    }

    fn ended(&mut self, now_us: u64, outcome: Outcome, rng: &mut Rng, told: &mut Vec<Told>) {
        let pause = if mutant!(NoBackoff) { 1 } else { rng.exponential(60_000) };
        self.stage = Stage::Waiting { until_us: now_us + pause, create: false };
        match outcome {
            Outcome::Opened(log) => {
                let (epoch, vdl, head) = (log.epoch(), log.vdl(), Box::new(log.head().clone()));
                told.push(Told::Opened { epoch, vdl, head });
                self.pool = self.pooled.then(|| Pool::new(&log));
                let leases = self.lease_ms > 0;
                self.sessions =
                    self.books.as_ref().map(|books| Sessions::new(&log, leases, books, rng.bits(), now_us));
                self.stage = Stage::Open(log);
            }
            // It stands again after the pause.
            Outcome::Superseded { .. } | Outcome::NoVolume | Outcome::Refused { .. } => {}
            Outcome::Halted { pg, claimed, shown } => {
                told.push(Told::Halted(format!("{pg} claims {claimed}, shows {shown}")));
            }
        }
    }

    fn notices(&mut self, now_us: u64, told: &mut Vec<Told>) {
        let Stage::Open(log) = &mut self.stage else { return };
        for notice in self.actions.notices.drain(..) {
            match notice {
                Notice::Vdl(vdl) => {
                    told.push(Told::Vdl(log.epoch(), vdl));
                    while self.commits.front().is_some_and(|lsn| *lsn <= vdl) {
                        if let Some(lsn) = self.commits.pop_front() {
                            told.push(Told::Committed(lsn));
                        }
                    }
                }
                Notice::Replaced(_) => told.push(Told::Replaced),
                Notice::GroupOpened(_)
                | Notice::Replacing(_)
                | Notice::Retired(..)
                | Notice::Confirmed(_)
                | Notice::Ended(_) => {}
            }
        }
        if log.ended().is_some() {
            // A fenced writer is finished; its process may stand again.
            let until_us = now_us + 50_000;
            self.stage = Stage::Waiting { until_us, create: false };
            self.commits.clear();
            self.reads.clear();
            self.pool = None;
            self.sessions = None;
        }
    }

    /// What its clock shows at this virtual time.
    fn clock_us(&self, now_us: u64) -> u64 {
        self.clock.at(now_us) - if mutant!(LeaseInstant) { self.slept_us } else { 0 }
    }

    /// The virtual time at which its clock shows `local_us`.
    #[must_use]
    pub(crate) fn real_us(&self, local_us: u64) -> u64 {
        self.clock.when(local_us)
    }

    /// Its machine sleeps for so long from now on.
    pub(crate) fn slept(&mut self, us: u64) {
        self.slept_us += us;
    }

    /// One event at this virtual time.
    pub(crate) fn step_at(
        &mut self,
        now_us: u64,
        message: Option<Envelope>,
        rng: &mut Rng,
        told: &mut Vec<Told>,
    ) {
        self.step(self.clock_us(now_us), message, rng, told);
    }

    /// A statement is read from its socket at this virtual time.
    pub(crate) fn statement_at(&mut self, now_us: u64, must_see: Lsn, told: &mut Vec<Told>) {
        self.statement(self.clock_us(now_us), must_see, told);
    }

    /// R8(h): it answers no statement any more, and once nothing it wrote is short of quorum it gives its promises back.
    pub(crate) fn hand_over(&mut self) {
        if let Stage::Open(log) = &mut self.stage
            && (log.vdl() == log.last_lsn() || log.last_lsn() == log.ceiling())
        {
            log.hand_over(&mut self.actions);
        }
    }

    /// It opened: a real process would read these pages first.
    pub(crate) fn learn(&mut self, model: &PageModel) {
        self.page_lsns = model.ids().into_iter().map(|id| (id, model.lsn(id))).collect();
    }

    /// Takes what is to be sent.
    pub(crate) fn sends(&mut self) -> Vec<Envelope> {
        std::mem::take(&mut self.actions.sends)
    }

    /// When it wants to be woken.
    #[must_use]
    pub(crate) fn wake_us(&self, now_us: u64) -> u64 {
        let local_us = self.clock_us(now_us);
        let reads = if self.reads.is_empty() { u64::MAX } else { local_us + reads::HEDGE_US / 2 };
        let wake = match &self.stage {
            Stage::Waiting { until_us, .. } => *until_us,
            Stage::Creating(_) => local_us + 10_000,
            Stage::Opening(recoverer) => recoverer.next_wake_us(local_us),
            Stage::Open(log) => {
                let sessions = self.sessions.as_ref().map_or(u64::MAX, Sessions::next_wake_us);
                log.next_wake_us().min(reads).min(sessions)
            }
            Stage::Dead => return u64::MAX,
        };
        let slept_us = if mutant!(LeaseInstant) { self.slept_us } else { 0 };
        self.clock.when(wake.saturating_add(slept_us)).max(now_us + 1)
    }

    /// Writes one mini-transaction of one to four records over random pages, of all groups or, in idle phases, of one.
    /// Returns the commit's LSN if it was one.
    pub(crate) fn write(
        &mut self,
        now_us: u64,
        rng: &mut Rng,
        busy: Option<PgId>,
        told: &mut Vec<Told>,
    ) -> Option<Lsn> {
        let now_us = self.clock_us(now_us);
        let (groups, per_group) = (self.groups, self.pages);
        let Stage::Open(log) = &mut self.stage else { return None };
        let count = if rng.chance(3_000) { rng.range(2, 5) } else { 1 };
        let mut pages = Vec::new();
        for _ in 0..count {
            let pg = busy.map_or_else(|| rng.range(0, u64::from(groups) - 1), |pg| u64::from(pg.0));
            if log.ensure_group(PgId(pg as u32)) != Ok(true) {
                continue;
            }
            let page = PageId(pg * per_group + rng.range(0, per_group - 1));
            if !pages.contains(&page) {
                pages.push(page);
            }
        }
        if pages.is_empty() {
            return None;
        }
        if let Some(pool) = &mut self.pool {
            pool.begin(pages, rng);
            self.drive_pool(now_us, told);
            return None;
        }
        let ops: Vec<(PageId, Lsn, OpsBuf)> = pages
            .into_iter()
            .map(|page| {
                let prev = self.page_lsns.get(&page).copied().unwrap_or(Lsn::ZERO);
                (page, prev, random_ops(prev == Lsn::ZERO, rng))
            })
            .collect();
        let bytes: u64 = ops.iter().map(|(_, _, ops)| frame_len(ops.bytes(), false) as u64).sum();
        if log.try_reserve(bytes) != Ok(true) {
            log.poll_send(now_us, &mut self.actions);
            return None;
        }
        let mut records: Vec<MtrRecord<'_>> = ops
            .iter()
            .map(|(page, prev, ops)| MtrRecord { page: *page, prev_page: *prev, ops, lsn: Lsn::ZERO })
            .collect();
        let commit = rng.chance(5_000);
        let appended: Result<Lsn, LogError> = log.append(now_us, &mut records, commit);
        let cpl = appended.ok()?;
        for record in &records {
            self.page_lsns.insert(record.page, record.lsn);
        }
        if commit {
            self.commits.push_back(cpl);
        }
        log.poll_send(now_us, &mut self.actions);
        commit.then_some(cpl)
    }
}

fn random_ops(first: bool, rng: &mut Rng) -> OpsBuf {
    let mut ops = OpsBuf::new();
    if first {
        ops.push(Op::Init { kind: PageKind::Tree });
    }
    let len = rng.range(1, 60) as usize;
    let bytes: Vec<u8> = (0..len).map(|_| rng.bits() as u8).collect();
    let offset = rng.range(32, 16_384 - 128) as u16;
    ops.push(Op::Write { offset, bytes: &bytes });
    if rng.chance(2_000) {
        ops.push(Op::StampLsn { offset: if offset < 8_000 { offset + 100 } else { offset - 100 } });
    }
    ops
}
