//! The running writer: LSNs under LAL, batches to six copies per group, and the numbers that rise with their answers.
//!
//! ```text
//!  append -> [group 0 | group 1 | ..] -> Append x 6 -> Acked: SCL of each -> PGCL of each group
//!                                                                              |
//!  reserve <-- max(VDL, ceiling) + LAL <-- VDL = highest CPL <= VCL <-- VCL <--+
//! ```
//!
//! The hot path ([`WriterLog::try_reserve`], [`WriterLog::append`]) is a plain call under the caller's log mutex and sends nothing;
//! [`WriterLog::poll_send`] sends what is due. When log leaves: a batch that a commit or anybody else waits for leaves at
//! once, unless one of its group is still short of quorum: then it fills until that one is through. So the batch size
//! follows the load, without a group-commit timer; the linger of records nobody waits for only lets a row's
//! mini-transaction travel with the commit behind it.

mod acks;
mod change;
mod confirm;
mod copy;
mod facts;
mod group;
mod grow;
mod lease;
mod list;
mod place;
mod points;
mod send;

use crate::nonce::Nonces;
use crate::settings::Settings;
use crate::{Actions, Event, Notice};
use change::Changes;
use confirm::Confirming;
pub use facts::{GroupView, VolumeView};
use group::Group;
pub use lease::life_us;
use list::Pruning;
pub use place::Order;
use protocol::contract::{LogError, MtrRecord};
use protocol::head::{Head, HeadVersion};
use protocol::message::{Envelope, Message, Peer};
use protocol::record::{OPENING_HEADER_BYTES, RECORD_HEADER_BYTES, RecordHeader, frame_len};
use protocol::{Incarnation, Lsn, PgId, RecordFlags, SegmentId, SegmentRole, VolumeEpoch, WriterId, mutant};
use std::collections::VecDeque;

/// What an opening hands over: everything at or below `vdl` is at four of six of every group under `head` (R4).
#[derive(Clone, Debug)]
pub struct Start {
    /// The epoch won.
    pub epoch: VolumeEpoch,
    /// The nonce it was won with.
    pub writer: WriterId,
    /// (epoch, 0), at quorum in group 0.
    pub head: Head,
    /// Everything at or below is durable; the rest is dead.
    pub vdl: Lsn,
    /// The ceiling of this epoch (R1): its first record lies above.
    pub ceiling: Lsn,
    /// Per group, in order: its last record at or below VDL.
    pub lasts: Vec<Lsn>,
    /// Seed of the incarnations it will create.
    pub nonce: u128,
}

/// One line of `sextant.segments`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SegmentView {
    /// Which.
    pub id: SegmentId,
    /// The life that is sent log.
    pub incarnation: Incarnation,
    /// What it stores.
    pub role: SegmentRole,
    /// False while it is a newcomer.
    pub member: bool,
    /// Highest SCL acknowledged.
    pub scl: Lsn,
    /// Durable, checked pages through here.
    pub page_point: Lsn,
    /// When it last spoke, microseconds of the caller's clock.
    pub heard_us: u64,
    /// It answered as another life and waits to be replaced.
    pub lost: bool,
    /// Smoothed answer time.
    pub latency_us: u64,
}

/// A record on its way to VCL.
#[derive(Clone, Copy, Debug)]
struct Pending {
    lsn: Lsn,
    pg: PgId,
    cpl: bool,
}

/// See the module.
#[derive(Debug)]
pub struct WriterLog {
    settings: Settings,
    epoch: VolumeEpoch,
    writer: WriterId,
    head: Head,
    /// The newest head version at quorum in group 0.
    settled: HeadVersion,
    groups: Vec<Group>,
    ceiling: Lsn,
    last: Lsn,
    /// What the first record names as the volume's previous one; `None` once it was written.
    opening: Option<Lsn>,
    reserved: u64,
    vcl: Lsn,
    vdl: Lsn,
    pending: VecDeque<Pending>,
    /// Somebody waits for everything up to here.
    urgent: Lsn,
    released: Lsn,
    ended: Option<LogError>,
    changes: Changes,
    confirming: Confirming,
    pruning: Pruning,
    /// While an opening replaces lost copies: the VDL that segments were told before it.
    unproven: Option<Lsn>,
    nonces: Nonces,
    /// The caller's clock at the last step.
    now_us: u64,
}

/// A copy that was late with a read is asked last for so long at first, and at most.
const LATE_US: u64 = 100_000;
const LATE_MAX_US: u64 = 5_000_000;

impl WriterLog {
    /// Takes over from an opening.
    #[must_use]
    pub fn start(settings: Settings, start: Start, now_us: u64) -> WriterLog {
        let Start { epoch, writer, head, vdl, ceiling, lasts, nonce } = start;
        assert_eq!(head.groups.len(), lasts.len(), "an opening reports every group of its head");
        assert!(vdl <= ceiling, "R1: ceiling {ceiling} below VDL {vdl}");
        let groups: Vec<Group> = head
            .groups
            .iter()
            .zip(&lasts)
            .map(|(members, last)| Group::new(members, *last, vdl, true, now_us))
            .collect();
        let first = if mutant!(LsnReuse) { vdl } else { ceiling };
        let mut log = WriterLog {
            settings,
            epoch,
            writer,
            settled: head.version,
            groups,
            ceiling,
            last: first,
            opening: Some(vdl),
            reserved: (OPENING_HEADER_BYTES - RECORD_HEADER_BYTES) as u64,
            vcl: vdl,
            vdl,
            pending: VecDeque::new(),
            urgent: Lsn::ZERO,
            released: vdl,
            ended: None,
            changes: Changes::default(),
            confirming: Confirming::default(),
            pruning: Pruning::default(),
            unproven: None,
            nonces: Nonces::new(nonce),
            now_us,
            head,
        };
        log.resume_joint(now_us);
        log
    }

    /// Before an opening is declared: too few copies of this group hold everything, so nothing counts until they say so, and segments
    /// are told no VDL but the one they were told before (pages and floors follow it).
    pub(crate) fn distrust(&mut self, pg: PgId, told: Lsn) {
        self.groups[pg.0 as usize].pgcl = Lsn::ZERO;
        self.unproven = Some(told);
    }

    /// Four copies of every group hold everything: from now on VDL is told.
    pub(crate) fn prove(&mut self) {
        self.unproven = None;
    }

    /// True when four members of every group have everything written so far, and no change of members is under way: what an opening
    /// that replaced lost copies waits for (R4, R12).
    pub(crate) fn whole(&self) -> bool {
        let version = self.head.version;
        let four = |group: &Group| {
            let holds = |c: &&copy::Copy| c.counts && c.head >= version && c.scl >= group.last;
            group.copies.iter().filter(holds).count() >= crate::sets::write_quorum()
        };
        self.settled >= version && !self.changing() && self.groups.iter().all(four)
    }

    /// Tells what happened; what is to be sent is added to `actions`.
    pub fn step(&mut self, now_us: u64, event: Event, actions: &mut Actions) {
        self.now_us = self.now_us.max(now_us);
        match event {
            Event::Message(Envelope { from: Peer::Segment(id), to, message })
                if to == Peer::Compute(self.writer) =>
            {
                self.on_message(now_us, id, message, actions);
            }
            Event::Order(order) => self.on_order(now_us, order),
            Event::Message(_) | Event::Tick => {}
        }
        self.drive_changes(now_us, actions);
        self.poll_send(now_us, actions);
    }

    /// Reserves `bytes` of room without waiting: `false` when LAL does not allow it now (I25). Whoever is refused waits for
    /// VDL, so everything written so far becomes urgent.
    ///
    /// # Errors
    /// [`LogError`] once nothing can be written any more.
    ///
    /// # Panics
    /// When `bytes` is more than LAL: it could never be had.
    pub fn try_reserve(&mut self, bytes: u64) -> Result<bool, LogError> {
        if let Some(error) = &self.ended {
            return Err(error.clone());
        }
        assert!(bytes <= self.settings.lal_bytes, "a mini-transaction of {bytes} bytes exceeds LAL");
        let used = self.last.0 + self.reserved;
        if used + bytes > self.limit().0 {
            self.urgent = self.urgent.max(self.last);
            return Ok(false);
        }
        self.reserved += bytes;
        Ok(true)
    }

    /// Reserved room that will not be used.
    pub fn give_back(&mut self, bytes: u64) {
        assert!(bytes <= self.reserved, "gave back {bytes} of {} reserved bytes", self.reserved);
        self.reserved -= bytes;
    }

    /// Appends one mini-transaction into room reserved before (the sum of `frame_len(ops, false)` is spent): takes a contiguous LSN
    /// range, fills every `lsn`, links the records and marks the last one CPL, and commit if asked. Returns the CPL. Sends nothing.
    ///
    /// # Errors
    /// [`LogError`]: nothing was written.
    ///
    /// # Panics
    /// When a group is not open (R10), the room was not reserved, or there are no records.
    pub fn append(
        &mut self,
        now_us: u64,
        records: &mut [MtrRecord<'_>],
        commit: bool,
    ) -> Result<Lsn, LogError> {
        if let Some(error) = &self.ended {
            return Err(error.clone());
        }
        assert!(!records.is_empty(), "a mini-transaction has records");
        let count = records.len();
        let geometry = self.head.geometry();
        let mut spent = 0;
        for (i, record) in records.iter_mut().enumerate() {
            let ops = record.ops.bytes();
            let cpl = i + 1 == count;
            let opening = self.opening.take();
            let len = frame_len(ops, opening.is_some()) as u64;
            let pg = geometry.pg_of(record.page);
            let group = &mut self.groups[pg.0 as usize];
            assert!(group.open, "R10: {pg} has no head at quorum");
            let lsn = self.last.advance(len);
            let header = RecordHeader {
                epoch: self.epoch,
                prev_pg: group.last,
                prev_page: record.prev_page,
                prev_volume: opening.unwrap_or(self.last),
                page: record.page,
                pg,
                flags: flags(cpl, commit, opening.is_some()),
            };
            group.push(now_us, lsn, &header, ops, &self.settings);
            self.pending.push_back(Pending { lsn, pg, cpl });
            self.last = lsn;
            record.lsn = lsn;
            spent += len;
        }
        let cpl = self.last;
        for record in records.iter() {
            let group = &mut self.groups[geometry.pg_of(record.page).0 as usize];
            if group.points.last() < group.last {
                group.points.push(group.last);
            }
        }
        assert!(spent <= self.reserved, "appended {spent} bytes into {} reserved", self.reserved);
        self.reserved -= spent;
        assert!(cpl <= self.limit(), "I25: LSN {cpl} above {}", self.limit());
        if commit {
            self.urgent = self.urgent.max(cpl);
        }
        Ok(cpl)
    }

    /// Somebody waits until everything at or below `lsn` is durable: it leaves without lingering.
    pub fn want_durable(&mut self, lsn: Lsn) {
        self.urgent = self.urgent.max(lsn.min(self.last));
    }

    /// I25: no LSN above this may be given out.
    fn limit(&self) -> Lsn {
        self.vdl.max(self.ceiling).advance(self.settings.lal_bytes)
    }

    /// Everything at or below is durable at quorum and whole.
    #[must_use]
    pub fn vdl(&self) -> Lsn {
        self.vdl
    }

    /// Every record at or below is durable at quorum.
    #[must_use]
    pub fn vcl(&self) -> Lsn {
        self.vcl
    }

    /// PGCL of a group of the head.
    #[must_use]
    pub fn pgcl(&self, pg: PgId) -> Option<Lsn> {
        self.groups.get(pg.0 as usize).map(|g| g.pgcl)
    }

    /// The last LSN given out, or the ceiling of the epoch before the first.
    #[must_use]
    pub fn last_lsn(&self) -> Lsn {
        self.last
    }

    /// The epoch won.
    #[must_use]
    pub fn epoch(&self) -> VolumeEpoch {
        self.epoch
    }

    /// The nonce of the attempt that won it.
    #[must_use]
    pub fn writer_id(&self) -> WriterId {
        self.writer
    }

    /// The ceiling of this epoch (R1).
    #[must_use]
    pub fn ceiling(&self) -> Lsn {
        self.ceiling
    }

    /// The head as it is being sent; what [`settled`](Self::settled) names is at quorum.
    #[must_use]
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The newest head version at quorum in group 0.
    #[must_use]
    pub fn settled(&self) -> HeadVersion {
        self.settled
    }

    /// Why the log ended, if it did.
    #[must_use]
    pub fn ended(&self) -> Option<&LogError> {
        self.ended.as_ref()
    }

    /// The group's read point for the volume's read point `at`: the group's last record at or below it, so idle groups stay
    /// readable. `None` when `at` is below what was released, or no head lists the group.
    #[must_use]
    pub fn read_point(&self, pg: PgId, at: Lsn) -> Option<Lsn> {
        let group = self.groups.get(pg.0 as usize)?;
        let point = group.points.at(at)?;
        Some(if mutant!(IdlePgUnreadable) { at } else { point })
    }

    /// No reader asks below `lsn` any more; rises only, and never above VDL.
    pub fn release_below(&mut self, lsn: Lsn) {
        self.released = self.released.max(lsn.min(self.vdl));
    }

    /// Where to read a page of `pg` as of the group's read point: full copies whose SCL covers it, nearest first, then the
    /// other full members (their SCL may be old news). Never empty for a listed group.
    #[must_use]
    pub fn route(&self, pg: PgId, point: Lsn) -> Vec<SegmentId> {
        let Some(group) = self.groups.get(pg.0 as usize) else { return Vec::new() };
        let mut full: Vec<_> =
            group.copies.iter().filter(|c| c.role == SegmentRole::Full && c.counts && !c.lost).collect();
        let late = |c: &copy::Copy| c.late_until_us > self.now_us;
        full.sort_by_key(|c| (c.scl < point, !c.takes_log(), late(c), c.latency_us, c.id));
        full.into_iter().map(|c| c.id).collect()
    }

    /// A read took `us` at this copy, for [`route`](Self::route).
    pub fn note_read_latency(&mut self, segment: SegmentId, us: u64) {
        let copy = self.groups.get_mut(segment.pg.0 as usize);
        if let Some(copy) = copy.and_then(|g| g.copies.get_mut(usize::from(segment.position))) {
            copy.note_latency(us);
            if us < LATE_US {
                copy.late_us = 0;
            }
        }
    }

    /// A read was late at this copy: it is asked last for a while, longer each time it is late again.
    pub fn note_read_late(&mut self, segment: SegmentId, now_us: u64) {
        self.now_us = self.now_us.max(now_us);
        let copy = self.groups.get_mut(segment.pg.0 as usize);
        if let Some(copy) = copy.and_then(|g| g.copies.get_mut(usize::from(segment.position)))
            && copy.late_until_us <= now_us
        {
            copy.late_us = (copy.late_us * 2).clamp(LATE_US, LATE_MAX_US);
            copy.late_until_us = now_us + copy.late_us;
        }
    }

    /// Every copy, for `sextant.segments` and the checkers.
    #[must_use]
    pub fn segments(&self) -> Vec<SegmentView> {
        let view = |c: &copy::Copy| SegmentView {
            id: c.id,
            incarnation: c.incarnation,
            role: c.role,
            member: c.counts,
            scl: c.scl,
            page_point: c.page_point,
            heard_us: c.heard_us,
            lost: c.lost,
            latency_us: c.latency_us,
        };
        self.groups.iter().flat_map(|g| g.copies.iter().map(view)).collect()
    }

    /// Bytes of log held for sending, over all groups: at most LAL and a setting per group (I27).
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.groups.iter().map(Group::held_bytes).sum()
    }

    fn end(&mut self, error: LogError, actions: &mut Actions) {
        if self.ended.is_none() {
            self.ended = Some(error.clone());
            actions.notices.push(Notice::Ended(error));
        }
    }

    fn on_message(&mut self, now_us: u64, id: SegmentId, message: Message, actions: &mut Actions) {
        match message {
            Message::Acked(acked) => self.on_acked(now_us, id, &acked, actions),
            Message::Refused(refused) => self.on_refused(id, &refused, actions),
            Message::Created(created) => self.on_created(id, &created),
            Message::State(state) => self.on_state(now_us, id, &state, actions),
            Message::Retired(retired) => self.on_retired(id, &retired, actions),
            _ => {}
        }
    }
}

fn flags(cpl: bool, commit: bool, opening: bool) -> RecordFlags {
    let mut flags = RecordFlags::default();
    if cpl {
        flags = flags.with(RecordFlags::CPL);
        if commit {
            flags = flags.with(RecordFlags::COMMIT);
        }
    }
    if opening {
        flags = flags.with(RecordFlags::OPENING);
    }
    flags
}
