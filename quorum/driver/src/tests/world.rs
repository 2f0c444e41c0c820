//! Six obedient segments in memory, a clock moved by hand, and one open volume over them.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use parking_lot::Mutex;
use protocol::contract::{LinkReceiver, LogWriter, MtrRecord, SegmentLink};
use protocol::env::{BoxFuture, Env};
use protocol::geometry::{COPIES, az_of, founding_role};
use protocol::message::{
    Acked, Created, Envelope, Message, PageRead, PageRefusal, PageRefused, Peer, SegmentState,
};
use protocol::page::{self, PageBuf};
use protocol::redo::{Op, OpsBuf, apply};
use protocol::{
    Head, HeadVersion, Incarnation, Lsn, Member, NodeId, PageId, PageKind, PgId, PgMembers, Record,
    SegmentId, SegmentRole, TruncationList, VolumeEpoch, VolumeId, WriterId,
};
use quorum::writer::Start;
use quorum::{Settings, WriterLog};

use crate::log::OpenVolume;

#[derive(Debug, Default)]
pub(super) struct TestEnv {
    now: AtomicU64,
    drawn: AtomicU64,
}

impl TestEnv {
    pub(super) fn pass(&self, us: u64) {
        self.now.fetch_add(us, Ordering::SeqCst);
    }
}

impl Env for TestEnv {
    fn now_us(&self) -> u64 {
        self.now.load(Ordering::SeqCst)
    }
    fn wall_us(&self) -> i64 {
        0
    }
    fn random(&self) -> u64 {
        self.drawn.fetch_add(1, Ordering::SeqCst).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }
    fn sleep(&self, _us: u64) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
    fn spawn(&self, _name: &'static str, _task: BoxFuture<'static, ()>) {}
}

/// What goes down waits here until the world runs.
#[derive(Default)]
pub(super) struct Wire {
    pub(super) down: Mutex<VecDeque<Envelope>>,
}

impl SegmentLink for Wire {
    fn send(&self, envelope: Envelope) -> bool {
        self.down.lock().push_back(envelope);
        true
    }
}

#[derive(Default)]
struct Segment {
    records: BTreeMap<Lsn, Record>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    Fine,
    Silent,
    RefusesReads,
    /// Its page store does not reach back so far.
    Forgot,
    SendsRot,
}

impl Mood {
    /// How it refuses a read, if it does.
    fn refusal(self) -> Option<PageRefusal> {
        match self {
            Mood::RefusesReads => Some(PageRefusal::Behind),
            Mood::Forgot => Some(PageRefusal::Forgotten),
            Mood::Fine | Mood::Silent | Mood::SendsRot => None,
        }
    }
}

pub(super) struct World {
    pub(super) env: Arc<TestEnv>,
    pub(super) wire: Arc<Wire>,
    pub(super) volume: OpenVolume,
    pub(super) moods: [Mood; COPIES],
    segments: BTreeMap<SegmentId, Segment>,
    /// Messages that reached segments, by kind of interest.
    pub(super) appends: usize,
    pub(super) reads: Vec<SegmentId>,
    /// What segments of group 0 promise with each acknowledgement.
    pub(super) promised_ms: u64,
}

/// Pages per group of the test volumes.
pub(super) const PAGES: u64 = 100;

fn first_head() -> Head {
    let members = (0..COPIES as u8)
        .map(|p| Member {
            incarnation: Incarnation(u128::from(p) + 1),
            node: NodeId(u128::from(p) + 1),
            az: az_of(p),
            address: String::new(),
            role: founding_role(p),
        })
        .collect();
    let version = HeadVersion { epoch: VolumeEpoch(1), seq: 0 };
    Head {
        volume: VolumeId(1),
        version,
        pages_per_pg: PAGES,
        lease_ms: 600,
        truncations: TruncationList { entries: Vec::new() },
        groups: vec![PgMembers { pg: PgId(0), version, members, joint: None }],
        former: Vec::new(),
    }
}

impl World {
    pub(super) fn new(lal_bytes: u64) -> World {
        let env = Arc::new(TestEnv::default());
        env.pass(1_000_000);
        let wire = Arc::new(Wire::default());
        let settings = Settings { lal_bytes, ..Settings::default() };
        let start = Start {
            epoch: VolumeEpoch(1),
            writer: WriterId(9),
            head: first_head(),
            vdl: Lsn::ZERO,
            ceiling: Lsn(lal_bytes),
            lasts: vec![Lsn::ZERO],
            nonce: 5,
        };
        let log = WriterLog::start(settings, start, env.now_us());
        let volume =
            OpenVolume::new(log, Arc::clone(&wire) as Arc<dyn SegmentLink>, Arc::clone(&env) as Arc<dyn Env>);
        World {
            env,
            wire,
            volume,
            moods: [Mood::Fine; COPIES],
            segments: BTreeMap::new(),
            appends: 0,
            reads: Vec::new(),
            promised_ms: 0,
        }
    }

    /// Delivers everything under way, and what that causes, until nothing moves.
    pub(super) fn run(&mut self) {
        loop {
            let Some(envelope) = self.wire.down.lock().pop_front() else { return };
            if let Some(answer) = self.answer(envelope) {
                self.volume.deliver(answer);
            }
        }
    }

    fn answer(&mut self, envelope: Envelope) -> Option<Envelope> {
        let Peer::Segment(id) = envelope.to else { return None };
        let mood = self.moods[id.position as usize];
        if mood == Mood::Silent {
            return None;
        }
        let segment = self.segments.entry(id).or_default();
        let message = match envelope.message {
            Message::Append(append) => {
                self.appends += usize::from(!append.frames.is_empty());
                for record in Record::decode_all(&append.frames).expect("whole frames") {
                    segment.records.insert(record.lsn, record);
                }
                Message::Acked(Acked {
                    epoch: append.epoch,
                    incarnation: append.incarnation,
                    sequence: append.sequence,
                    sent_us: append.sent_us,
                    scl: segment.records.last_key_value().map_or(Lsn::ZERO, |(lsn, _)| *lsn),
                    head_version: append.head_version,
                    page_point: Lsn::ZERO,
                    full: false,
                    promised_ms: self.promised_ms,
                })
            }
            Message::Create(create) => {
                Message::Created(Created { incarnation: create.incarnation, node: create.node })
            }
            Message::Query(query) => Message::State(blank(query.request, id)),
            Message::ReadPage(read) => {
                self.reads.push(id);
                assert_eq!(founding_role(id.position), SegmentRole::Full, "tail segments store no pages");
                let mut image = PageBuf::blank(read.page);
                for record in
                    segment.records.range(..=read.at).map(|(_, r)| r).filter(|r| r.page == read.page)
                {
                    apply(image.bytes_mut(), record).expect("a chain of records applies");
                }
                page::seal(image.bytes_mut());
                if mood == Mood::SendsRot {
                    image.bytes_mut()[5000] ^= 1;
                }
                if let Some(reason) = mood.refusal() {
                    Message::PageRefused(PageRefused {
                        request: read.request,
                        page: read.page,
                        reason,
                        scl: Lsn::ZERO,
                    })
                } else {
                    let image = Bytes::copy_from_slice(image.bytes());
                    Message::PageRead(PageRead { request: read.request, page: read.page, image })
                }
            }
            _ => return None,
        };
        Some(Envelope { from: Peer::Segment(id), to: envelope.from, message })
    }

    /// One mini-transaction that writes `fill` into a page, initialising it first if `prev` is zero.
    pub(super) fn write(&self, page: PageId, prev: Lsn, fill: u8, commit: bool) -> Lsn {
        let ops = ops(prev == Lsn::ZERO, fill);
        let credit = self.volume.try_reserve(4096).expect("a live log").expect("room");
        let mut records = [MtrRecord { page, prev_page: prev, ops: &ops, lsn: Lsn::ZERO }];
        let cpl = self.volume.append(credit, &mut records, commit).expect("appended");
        assert_eq!(records[0].lsn, cpl);
        cpl
    }
}

pub(super) fn ops(init: bool, fill: u8) -> OpsBuf {
    let mut ops = OpsBuf::new();
    if init {
        ops.push(Op::Init { kind: PageKind::Tree });
    }
    ops.push(Op::Write { offset: 100, bytes: &[fill; 64] });
    ops
}

#[derive(Default)]
pub(super) struct Count(pub(super) AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Polls once; the counter says how often it was woken since.
pub(super) fn poll<T>(future: &mut BoxFuture<'_, T>, count: &Arc<Count>) -> Poll<T> {
    let waker = Waker::from(Arc::clone(count));
    Pin::new(future).poll(&mut Context::from_waker(&waker))
}

struct Unpark(std::thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs a future on this thread; a lost wake-up shows as a panic, not as a hang.
pub(super) fn block_on<T>(mut future: BoxFuture<'_, T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let limit = std::time::Duration::from_secs(10);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return value;
        }
        let slept = std::time::Instant::now();
        std::thread::park_timeout(limit);
        assert!(slept.elapsed() < limit, "a wake-up was lost");
    }
}

/// What a folder without this segment answers.
fn blank(request: u64, id: SegmentId) -> SegmentState {
    SegmentState {
        request,
        votes: false,
        volume: VolumeId(0),
        node: NodeId(u128::from(id.position) + 1),
        incarnation: Incarnation(0),
        role: founding_role(id.position),
        epoch: VolumeEpoch(0),
        writer: WriterId(0),
        head: None,
        scl: Lsn::ZERO,
        claim: Lsn::ZERO,
        doubtful: false,
        floor: Lsn::ZERO,
        page_point: Lsn::ZERO,
        vdl: Lsn::ZERO,
        highest: Lsn::ZERO,
        oldest: Lsn::MAX,
    }
}
