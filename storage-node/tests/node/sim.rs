//! Six nodes, six disks with durable and pending sectors, a network in memory, and a writer's hand.

use cache_nvme::aligned::AlignedBuf;
use protocol::geometry::{
    AzId, COPIES, Geometry, Incarnation, NodeId, PgId, SegmentId, VolumeId, WriterId, founding_role,
};
use protocol::head::{Head, HeadVersion, Member, PgMembers, TruncationList};
use protocol::lsn::{Lsn, VolumeEpoch};
use protocol::message::{Append, Create, Envelope, Fence, Message, Peer, ReadPage};
use protocol::page::{PageBuf, PageId, PageKind};
use protocol::record::{self, Record, RecordFlags, RecordHeader};
use protocol::redo::{self, Op, OpsBuf};
use std::collections::{BTreeMap, VecDeque};
use storage_node::{
    Action, DiskError, DiskFile, DiskOp, Event, Node, NodeConfig, Phase, SECTOR_BYTES, Settings, Token,
};

/// A small deterministic generator.
pub(crate) struct Rng(pub(crate) u64);

impl Rng {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        (self.next() >> 11) % n
    }
    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

#[derive(Default, Clone)]
struct File {
    durable: Vec<u8>,
    pending: BTreeMap<u64, Vec<u8>>,
}

/// A disk: what a crash may lose is pending until a sync.
#[derive(Default, Clone)]
pub(crate) struct Disk {
    files: BTreeMap<DiskFile, File>,
    pub(crate) fail_writes: bool,
}

impl Disk {
    fn write(&mut self, file: DiskFile, offset: u64, bytes: &[u8]) {
        let f = self.files.entry(file).or_default();
        for (n, sector) in bytes.chunks(SECTOR_BYTES).enumerate() {
            f.pending.insert(offset / SECTOR_BYTES as u64 + n as u64, sector.to_vec());
        }
    }
    fn flush(f: &mut File, sectors: impl Iterator<Item = u64>) {
        for n in sectors {
            if let Some(sector) = f.pending.remove(&n) {
                let at = n as usize * SECTOR_BYTES;
                if f.durable.len() < at + SECTOR_BYTES {
                    f.durable.resize(at + SECTOR_BYTES, 0);
                }
                f.durable[at..at + SECTOR_BYTES].copy_from_slice(&sector);
            }
        }
    }
    fn begin(&mut self, file: DiskFile, op: &DiskOp) {
        if let DiskOp::Write { offset, bytes, .. } = op {
            self.write(file, *offset, bytes);
        }
    }
    fn finish(&mut self, file: DiskFile, op: &DiskOp) -> Result<AlignedBuf, DiskError> {
        match op {
            DiskOp::Read { offset, len } => return Ok(self.read(file, *offset, *len)),
            _ if self.fail_writes => return Err(DiskError::Failed),
            DiskOp::Write { offset, bytes, durable: true } => {
                let first = offset / SECTOR_BYTES as u64;
                let f = self.files.entry(file).or_default();
                Self::flush(f, first..first + (bytes.len() / SECTOR_BYTES) as u64);
            }
            DiskOp::Sync => {
                let f = self.files.entry(file).or_default();
                let all: Vec<u64> = f.pending.keys().copied().collect();
                Self::flush(f, all.into_iter());
            }
            DiskOp::Allocate { len } => {
                self.files.insert(file, File { durable: vec![0; *len as usize], pending: BTreeMap::new() });
            }
            DiskOp::Delete => {
                self.files.remove(&file);
            }
            DiskOp::Write { .. } | DiskOp::Punch { .. } => {}
        }
        Ok(AlignedBuf::new())
    }
    fn len(f: &File) -> u64 {
        let pending = f.pending.last_key_value().map_or(0, |(n, _)| (n + 1) * SECTOR_BYTES as u64);
        pending.max(f.durable.len() as u64)
    }
    fn read(&self, file: DiskFile, offset: u64, len: usize) -> AlignedBuf {
        let Some(f) = self.files.get(&file) else { return AlignedBuf::new() };
        let end = (offset + len as u64).min(Self::len(f)).max(offset);
        let mut out = AlignedBuf::zeroed((end - offset) as usize);
        for (i, sector) in out.chunks_mut(SECTOR_BYTES).enumerate() {
            let n = offset / SECTOR_BYTES as u64 + i as u64;
            let at = n as usize * SECTOR_BYTES;
            if let Some(p) = f.pending.get(&n) {
                sector.copy_from_slice(p);
            } else if at < f.durable.len() {
                sector.copy_from_slice(&f.durable[at..at + SECTOR_BYTES]);
            }
        }
        out
    }
    /// The machine dies: of what was pending, `keep` percent of the sectors survive.
    pub(crate) fn crash(&mut self, rng: &mut Rng, keep: u64) {
        for f in self.files.values_mut() {
            for (n, sector) in std::mem::take(&mut f.pending) {
                if rng.chance(keep) {
                    f.pending.insert(n, sector);
                    Self::flush(f, std::iter::once(n));
                }
            }
        }
    }
    pub(crate) fn list(&self) -> Vec<(DiskFile, u64)> {
        self.files.iter().map(|(n, f)| (*n, Self::len(f))).collect()
    }
    pub(crate) fn bytes_mut(&mut self, file: DiskFile) -> &mut Vec<u8> {
        let f = self.files.get_mut(&file).expect("the file exists");
        let all: Vec<u64> = f.pending.keys().copied().collect();
        Self::flush(f, all.into_iter());
        &mut f.durable
    }
    pub(crate) fn bytes_of(&self, matching: impl Fn(&DiskFile) -> bool) -> u64 {
        self.files.iter().filter(|(n, _)| matching(n)).map(|(_, f)| Self::len(f)).sum()
    }
}

struct Op1 {
    node: usize,
    life: u64,
    token: Token,
    file: DiskFile,
    op: DiskOp,
}

/// The cluster.
pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Option<Node>>,
    lives: Vec<u64>,
    pub(crate) disks: Vec<Disk>,
    pub(crate) now: u64,
    ops: Vec<Op1>,
    mail: VecDeque<Envelope>,
    pub(crate) inbox: Vec<Envelope>,
    pub(crate) rng: Rng,
    pub(crate) head: Head,
    pub(crate) epoch: VolumeEpoch,
    pub(crate) writer: WriterId,
    pub(crate) last: Lsn,
    pub(crate) last_pg: BTreeMap<PgId, Lsn>,
    pub(crate) last_page: BTreeMap<PageId, Lsn>,
    pub(crate) history: Vec<Record>,
    pub(crate) vdl: Lsn,
    pub(crate) pgmrpl: Lsn,
    pub(crate) settings: Settings,
    sequence: u64,
    /// Messages to these positions are lost.
    pub(crate) cut: Vec<u8>,
}

pub(crate) const VOLUME: VolumeId = VolumeId(0x51);

pub(crate) fn seg(position: u8) -> SegmentId {
    SegmentId { pg: PgId(0), position }
}

pub(crate) fn member(position: u8, life: u128) -> Member {
    Member {
        incarnation: Incarnation(1000 + u128::from(position) + life * 100),
        node: NodeId(1 + u128::from(position) + life * 100),
        az: AzId(position / 2 + 1),
        address: String::new(),
        role: founding_role(position),
    }
}

impl Cluster {
    /// Nobody promises anything: as in the embedded cluster, locks keep rivals out.
    pub(crate) fn new(seed: u64, settings: Settings) -> Cluster {
        Cluster::made(seed, Settings { promises: false, ..settings })
    }

    pub(crate) fn made(seed: u64, settings: Settings) -> Cluster {
        let version = HeadVersion { epoch: VolumeEpoch(1), seq: 0 };
        let members = (0..COPIES as u8).map(|p| member(p, 0)).collect();
        let head = Head {
            volume: VOLUME,
            version,
            pages_per_pg: Geometry::DEFAULT.pages_per_pg,
            lease_ms: 600,
            truncations: TruncationList { entries: Vec::new() },
            groups: vec![PgMembers { pg: PgId(0), version, members, joint: None }],
            former: Vec::new(),
        };
        let mut cluster = Cluster {
            nodes: (0..COPIES).map(|_| None).collect(),
            lives: vec![0; COPIES],
            disks: vec![Disk::default(); COPIES],
            now: 1,
            ops: Vec::new(),
            mail: VecDeque::new(),
            inbox: Vec::new(),
            rng: Rng(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1),
            head,
            epoch: VolumeEpoch(1),
            writer: WriterId(77),
            last: Lsn(1000),
            last_pg: BTreeMap::new(),
            last_page: BTreeMap::new(),
            history: Vec::new(),
            vdl: Lsn::ZERO,
            pgmrpl: Lsn::ZERO,
            settings,
            sequence: 0,
            cut: Vec::new(),
        };
        (0..COPIES as u8).for_each(|p| cluster.boot(p, 0));
        cluster.settle();
        for p in 0..COPIES as u8 {
            let create = Create {
                epoch: VolumeEpoch::NONE,
                writer: cluster.writer,
                volume: VOLUME,
                node: member(p, 0).node,
                incarnation: member(p, 0).incarnation,
                role: founding_role(p),
                head: None,
            };
            cluster.tell(p, create);
        }
        cluster.settle();
        let created = cluster.inbox.drain(..).filter(|e| matches!(e.message, Message::Created(_))).count();
        assert_eq!(created, COPIES);
        cluster.heartbeat();
        cluster.settle();
        cluster.inbox.clear();
        cluster
    }

    /// Starts a node over what its disk holds.
    pub(crate) fn boot(&mut self, position: u8, life: u128) {
        let n = usize::from(position);
        self.lives[n] += 1;
        let node = member(position, life).node;
        let config = NodeConfig { volume: VOLUME, node, settings: self.settings.clone() };
        self.nodes[n] = Some(Node::new(config));
        let files = self.disks[n].list();
        self.event(n, Event::Open { files });
    }

    /// The machine dies at once; pending sectors survive by chance.
    pub(crate) fn crash(&mut self, position: u8, keep: u64) {
        let n = usize::from(position);
        self.nodes[n] = None;
        self.lives[n] += 1;
        self.ops.retain(|op| op.node != n);
        self.disks[n].crash(&mut self.rng, keep);
    }

    pub(crate) fn event(&mut self, n: usize, event: Event) {
        let mut out = Vec::new();
        let Some(node) = self.nodes[n].as_mut() else { return };
        node.step(self.now, event, &mut out);
        for action in out {
            match action {
                Action::Send(envelope) => self.post(envelope),
                Action::Disk { token, file, op } => {
                    self.disks[n].begin(file, &op);
                    self.ops.push(Op1 { node: n, life: self.lives[n], token, file, op });
                }
            }
        }
    }

    pub(crate) fn post(&mut self, envelope: Envelope) {
        let bytes = bytes::Bytes::from(envelope.encode());
        let envelope = Envelope::decode(&bytes).expect("what is sent decodes");
        match envelope.to {
            Peer::Compute(_) => self.inbox.push(envelope),
            Peer::Segment(id) if self.cut.contains(&id.position) => {}
            Peer::Segment(_) => self.mail.push_back(envelope),
        }
    }

    pub(crate) fn tell(&mut self, position: u8, message: impl Into<Message>) {
        let from = Peer::Compute(self.writer);
        self.post(Envelope { from, to: Peer::Segment(seg(position)), message: message.into() });
    }

    /// Delivers one message or finishes one disk operation, in random order. False: nothing to do.
    pub(crate) fn one(&mut self) -> bool {
        let total = self.mail.len() + self.ops.len();
        if total == 0 {
            return false;
        }
        self.now += 1 + self.rng.below(50);
        if (self.rng.below(total as u64) as usize) < self.mail.len() {
            let Some(envelope) = self.mail.pop_front() else { return true };
            if let Peer::Segment(id) = envelope.to {
                self.event(usize::from(id.position), Event::Message(envelope));
            }
        } else {
            let at = self.rng.below(self.ops.len() as u64) as usize;
            let op = self.ops.swap_remove(at);
            let result = self.disks[op.node].finish(op.file, &op.op);
            if self.lives[op.node] == op.life {
                self.event(op.node, Event::Done { token: op.token, result });
            }
        }
        true
    }

    /// Until nothing is under way.
    pub(crate) fn settle(&mut self) {
        let mut steps = 0;
        while self.one() {
            steps += 1;
            assert!(steps < 2_000_000, "the cluster does not come to rest");
        }
    }

    /// Lets time pass, with ticks and everything they cause.
    pub(crate) fn run(&mut self, us: u64) {
        let end = self.now + us;
        while self.now < end {
            self.now += 10_000;
            for n in 0..self.nodes.len() {
                self.event(n, Event::Tick);
            }
            self.settle();
        }
    }

    /// The node, whatever phase it is in.
    pub(crate) fn any_node(&self, position: u8) -> &Node {
        self.nodes[usize::from(position)].as_ref().expect("the node runs")
    }

    pub(crate) fn node(&self, position: u8) -> &Node {
        let node = self.any_node(position);
        assert_eq!(*node.phase(), Phase::Serving);
        node
    }

    pub(crate) fn scl(&self, position: u8) -> Lsn {
        self.node(position).inspect(seg(position)).expect("the segment lives").scl
    }

    /// Makes records of one page each; the last is a CPL.
    pub(crate) fn write(&mut self, pages: &[(u64, Vec<Op<'_>>)]) -> Vec<Record> {
        let mut made = Vec::new();
        for (page, ops) in pages {
            let page = PageId(*page);
            let mut buf = OpsBuf::new();
            ops.iter().for_each(|op| buf.push(*op));
            let prev_pg = self.last_pg.get(&PgId(0)).copied().unwrap_or_default();
            let prev_page = self.last_page.get(&page).copied().unwrap_or_default();
            let opening = prev_pg != Lsn::ZERO && self.history.last().is_none_or(|r| r.epoch != self.epoch);
            let first = self.history.is_empty() || opening;
            let flags = if first { RecordFlags::CPL.with(RecordFlags::OPENING) } else { RecordFlags::CPL };
            let len = record::frame_len(buf.bytes(), first);
            let lsn = self.last.advance(len as u64);
            let header = RecordHeader {
                epoch: self.epoch,
                prev_pg,
                prev_page,
                prev_volume: prev_pg,
                page,
                pg: PgId(0),
                flags,
            };
            let mut frame = Vec::new();
            record::encode(&mut frame, lsn, &header, buf.bytes());
            let record = Record::decode(&bytes::Bytes::from(frame)).expect("a record just made decodes");
            self.last = lsn;
            self.last_pg.insert(PgId(0), lsn);
            self.last_page.insert(page, lsn);
            self.history.push(record.clone());
            made.push(record);
        }
        made
    }

    /// A random change of one of `pages` pages; initialises pages first, discards some.
    pub(crate) fn write_random(&mut self, pages: u64) -> Record {
        let page = self.rng.below(pages);
        let fresh = !self.last_page.contains_key(&PageId(page));
        let (offset, byte, kind) =
            (self.rng.below(15_000) as u16 + 32, self.rng.next() as u8, self.rng.below(60));
        let content = vec![byte; 1 + self.rng.below(200) as usize];
        let discarded =
            self.history.iter().rev().find(|r| r.page == PageId(page)).is_some_and(|r| r.ops() == [6]);
        let mut ops = Vec::new();
        if fresh || discarded || kind == 0 {
            ops.push(Op::Init { kind: PageKind::Tree });
        } else if kind == 1 {
            return self.write(&[(page, vec![Op::Discard])]).remove(0);
        }
        ops.push(Op::Write { offset, bytes: &content });
        if kind == 2 {
            ops.push(Op::StampLsn { offset: 16_000 });
        }
        self.write(&[(page, ops)]).remove(0)
    }

    pub(crate) fn append(&mut self, records: &[Record]) -> Append {
        self.sequence += 1;
        let mut frames = Vec::new();
        records.iter().for_each(|r| frames.extend_from_slice(r.frame()));
        Append {
            epoch: self.epoch,
            writer: self.writer,
            incarnation: Incarnation::default(),
            sequence: self.sequence,
            sent_us: self.now,
            head_version: self.head.version,
            head: Some(self.head.clone()),
            vdl: self.vdl,
            pgmrpl: self.pgmrpl,
            frames: frames.into(),
        }
    }

    /// Sends records to one segment.
    pub(crate) fn ship_to(&mut self, position: u8, records: &[Record]) {
        let incarnation = self.head.groups[0].members[usize::from(position)].incarnation;
        let append = Append { incarnation, ..self.append(records) };
        self.tell(position, append);
    }

    /// Sends records to all six.
    pub(crate) fn ship(&mut self, records: &[Record]) {
        (0..COPIES as u8).for_each(|p| self.ship_to(p, records));
    }

    pub(crate) fn heartbeat(&mut self) {
        self.ship(&[]);
    }

    /// Writes, ships and settles `count` random records; VDL follows.
    pub(crate) fn load(&mut self, count: usize, pages: u64) {
        for _ in 0..count {
            let record = self.write_random(pages);
            self.ship(&[record]);
            if self.rng.chance(30) {
                self.settle();
                self.vdl = self.last;
            }
        }
        self.settle();
        self.vdl = self.last;
        self.heartbeat();
        self.settle();
        self.inbox.clear();
    }

    pub(crate) fn fence(&mut self, position: u8, epoch: u64, writer: u128) {
        let membership = self.head.version;
        self.tell(position, Fence { epoch: VolumeEpoch(epoch), writer: WriterId(writer), membership });
    }

    /// What a page is at `at`, by straight replay.
    pub(crate) fn replay(&self, page: PageId, at: Lsn) -> PageBuf {
        let mut image = PageBuf::blank(page);
        let mut discarded = false;
        for record in self.history.iter().filter(|r| r.page == page && r.lsn <= at) {
            redo::apply(image.bytes_mut(), record).expect("the writer's records apply");
            discarded = record.ops() == [6];
        }
        let mut image = if discarded { PageBuf::blank(page) } else { image };
        protocol::page::seal(image.bytes_mut());
        image
    }

    /// Asks one segment for a page and returns its answer.
    pub(crate) fn read(&mut self, position: u8, page: PageId, at: Lsn) -> Message {
        self.settle();
        self.inbox.clear();
        let epoch = self.epoch;
        self.tell(position, ReadPage { request: 5, epoch, page, at });
        self.settle();
        assert_eq!(self.inbox.len(), 1, "one answer to a read");
        self.inbox.remove(0).message
    }

    /// Reads and compares with straight replay.
    pub(crate) fn check_page(&mut self, position: u8, page: PageId, at: Lsn) {
        match self.read(position, page, at) {
            Message::PageRead(read) => {
                let expected = self.replay(page, at);
                assert!(
                    read.image[..] == expected.bytes()[..],
                    "page {page} at {at:?} of {position} differs from replay"
                );
            }
            other => panic!("page {page} at {at:?} of {position}: {other:?}"),
        }
    }
}
