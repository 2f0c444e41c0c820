//! The one write in flight: log blocks and superblocks take turns, and whoever waits for durability waits here.
//!
//! ```text
//!   queue:  r r r A r r A A ...          r = record, A = an acknowledgement that covers everything before it
//!           └── one block ──┘ write+sync ──► chain, then the As, in order
//! ```
//!
//! Invariants
//! 1. At most one log block or superblock is in flight. So a log block proves the block before it (R5), a superblock that was
//!    wanted before a record was queued is durable before that record is acknowledged (R9), and a snapshot taken when a grant's
//!    superblock is durable is a snapshot after its sync (R6).
//! 2. An acknowledgement leaves only after everything queued before it is durable, and never to an epoch below the granted one.

use crate::block::{BlockBuilder, BlockHeader, Claim, block_len};
use crate::event::{Action, DiskError, DiskFile, DiskOp};
use crate::held::Held;
use crate::node::{Node, Pending};
use crate::superblock::Superblock;
use cache_nvme::aligned::AlignedBuf;
use protocol::geometry::{Incarnation, SegmentId, WriterId};
use protocol::lsn::{Lsn, VolumeEpoch};
use protocol::message::{Acked, Created, Peer, RefusedReason, Retired, SegmentState};
use std::collections::{BTreeMap, VecDeque};

/// Records and waiters in the queue, at most (the bytes of records have their own bound).
const QUEUE_ITEMS: usize = 256 * 1024;

/// Who waits for what is queued before it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Waiter {
    pub(crate) segment: SegmentId,
    pub(crate) to: Peer,
    pub(crate) what: Wanted,
}

/// What a waiter is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Wanted {
    /// The writer is named when the answer carries a promise (R8).
    Acked {
        epoch: VolumeEpoch,
        writer: Option<WriterId>,
        sequence: u64,
        sent_us: u64,
        full: bool,
    },
    /// `early` is a planted bug: the state as it was before the sync.
    Fenced {
        epoch: VolumeEpoch,
        writer: WriterId,
        early: Option<Box<SegmentState>>,
    },
    Created {
        incarnation: Incarnation,
    },
    Retired {
        incarnation: Incarnation,
    },
}

#[derive(Debug)]
enum Item {
    Record(SegmentId, Incarnation, Held),
    Waiter(Waiter),
}

#[derive(Debug)]
enum InFlight {
    Superblock { written: Box<Superblock>, waiters: Vec<Waiter> },
    Log { records: Vec<(SegmentId, Incarnation, Held)>, file: u64, waiters: Vec<Waiter> },
}

/// The queue towards the log, and the write in flight.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    in_flight: Option<InFlight>,
    queue: VecDeque<Item>,
    pub(crate) queued_bytes: usize,
    superblock_waiters: Vec<Waiter>,
    /// Somebody waits for the superblock.
    urgent: bool,
    /// Something in it changed that nobody waits for.
    changed: bool,
    pub(crate) superblock_sequence: u64,
    last_write_us: u64,
    changed_us: Option<u64>,
    unclaimed: bool,
}

impl Lane {
    /// Wants a superblock before anything else is written or acknowledged.
    pub(crate) fn superblock_first(&mut self) {
        self.urgent = true;
    }

    /// Something in memory may rest on a superblock that is not durable yet.
    pub(crate) fn awaits_superblock(&self) -> bool {
        self.urgent || matches!(self.in_flight, Some(InFlight::Superblock { .. }))
    }

    /// Wants a superblock once nothing else is to do.
    pub(crate) fn superblock_later(&mut self) {
        self.changed = true;
    }

    pub(crate) fn after_superblock(&mut self, waiter: Waiter) {
        self.urgent = true;
        if self.superblock_waiters.len() < QUEUE_ITEMS {
            self.superblock_waiters.push(waiter);
        }
    }

    pub(crate) fn push_record(&mut self, segment: SegmentId, incarnation: Incarnation, record: Held) {
        self.queued_bytes += record.len();
        self.queue.push_back(Item::Record(segment, incarnation, record));
    }

    /// False: the queue is full, and whoever waits will ask again.
    pub(crate) fn push_waiter(&mut self, waiter: Waiter) -> bool {
        let fits = self.queue.len() < QUEUE_ITEMS;
        if fits {
            self.queue.push_back(Item::Waiter(waiter));
        }
        fits
    }

    /// Nothing is queued or in flight, and the superblock says all there is to say.
    pub(crate) fn is_idle(&self) -> bool {
        self.in_flight.is_none() && self.queue.is_empty() && !self.urgent && !self.changed && !self.unclaimed
    }

    /// Does not wait for the log to fall idle before its claims go to the superblock.
    pub(crate) fn claim_now(&mut self) {
        self.changed |= self.unclaimed;
    }

    /// When the claims of an idle log are due in the superblock.
    pub(crate) fn idle_due_us(&self, idle_us: u64) -> Option<u64> {
        (self.unclaimed && self.in_flight.is_none()).then_some(self.last_write_us + idle_us)
    }
}

impl Node {
    pub(crate) fn pump_lane(&mut self, out: &mut Vec<Action>) {
        self.make_log_file(out);
        if self.lane.in_flight.is_some() {
            return;
        }
        // Under steady load the queue is never empty; what changed must not wait for ever.
        let overdue = self.lane.changed
            && self.now_us >= *self.lane.changed_us.get_or_insert(self.now_us) + self.config.settings.idle_us;
        if self.lane.urgent || overdue {
            return self.write_superblock(out);
        }
        while let Some(Item::Waiter(_)) = self.lane.queue.front() {
            let Some(Item::Waiter(waiter)) = self.lane.queue.pop_front() else { break };
            self.release(waiter, out);
        }
        if !self.lane.queue.is_empty() {
            return self.write_block(out);
        }
        let idle = self.lane.idle_due_us(self.config.settings.idle_us).is_some_and(|due| self.now_us >= due);
        if self.lane.changed || idle {
            self.write_superblock(out);
        }
    }

    fn write_superblock(&mut self, out: &mut Vec<Action>) {
        self.lane.superblock_sequence += 1;
        let superblock = Superblock {
            sequence: self.lane.superblock_sequence,
            log_first_file: self.log.first_file,
            log_first_sequence: self.log.first_sequence(),
            log_sequence: self.log.next_sequence,
            log_position: self.log.tail,
            vdl: self.vdl,
            head: self.head.clone(),
            segments: self.segments.values().map(|s| s.entry()).collect(),
            ..Superblock::blank(self.owner.volume, self.owner.node, self.config.settings.log_file_bytes)
        };
        let Some(bytes) = superblock.encode() else {
            return self.fail("the head outgrew the superblock".into());
        };
        (self.lane.urgent, self.lane.changed, self.lane.unclaimed) = (false, false, false);
        self.lane.changed_us = None;
        self.metrics.superblock_writes += 1;
        let offset = Superblock::slot_offset(superblock.sequence);
        let waiters = std::mem::take(&mut self.lane.superblock_waiters);
        self.lane.in_flight = Some(InFlight::Superblock { written: Box::new(superblock), waiters });
        let op = DiskOp::Write { offset, bytes, durable: true };
        self.disk(Pending::Lane, DiskFile::Super, op, out);
    }

    /// How many queued items make the next block, and what it says: (items, sections, payload bytes).
    fn next_block(&self) -> (usize, BTreeMap<SegmentId, (Incarnation, usize)>, usize) {
        let mut sections: BTreeMap<SegmentId, (Incarnation, usize)> = BTreeMap::new();
        let (mut items, mut payload) = (0, 0);
        for item in &self.lane.queue {
            if let Item::Record(id, incarnation, record) = item {
                if payload > 0 && payload + record.len() > self.config.settings.log_block_bytes {
                    break;
                }
                let section = sections.entry(*id).or_insert((*incarnation, 0));
                if section.0 != *incarnation {
                    break;
                }
                section.1 += record.len();
                payload += record.len();
            }
            items += 1;
        }
        (items, sections, payload)
    }

    fn write_block(&mut self, out: &mut Vec<Action>) {
        let (items, sections, payload) = self.next_block();
        let claims = self.claims();
        let len = block_len(claims.len(), sections.len(), payload);
        let Some(place) = self.log.place(len as u64) else { return };
        let mut records = Vec::with_capacity(items);
        let mut waiters = Vec::new();
        for item in self.lane.queue.drain(..items) {
            match item {
                Item::Record(id, incarnation, record) => records.push((id, incarnation, record)),
                Item::Waiter(waiter) => waiters.push(waiter),
            }
        }
        self.lane.queued_bytes -= payload;
        // Sections lie in order of segment; within one, records keep their order.
        records.sort_by_key(|(id, _, _)| *id);
        let header = BlockHeader {
            position: place.position,
            sequence: self.log.next_sequence,
            vdl: self.vdl,
            head_version: self.head_version(),
        };
        let sizes: Vec<_> =
            sections.iter().map(|(id, (incarnation, bytes))| (*id, *incarnation, *bytes)).collect();
        let mut builder = BlockBuilder::new(&claims, &sizes);
        for (_, _, record) in &records {
            builder.frame(record.frame());
        }
        let bytes = builder.finish(self.owner, &header);
        assert_eq!(bytes.len(), len, "a log block of {} bytes where {len} were planned", bytes.len());
        self.log.advance(place, len as u64);
        self.metrics.log_writes += 1;
        self.metrics.log_bytes += len as u64;
        self.lane.last_write_us = self.now_us;
        if protocol::mutant!(AckBeforeSync) {
            let early = std::mem::take(&mut waiters);
            self.store(records.clone(), place.file);
            early.into_iter().for_each(|w| self.release(w, out));
        }
        self.lane.in_flight = Some(InFlight::Log { records, file: place.file, waiters });
        let op = DiskOp::Write { offset: place.offset, bytes, durable: true };
        self.disk(Pending::Lane, DiskFile::Log(place.file), op, out);
    }

    /// R5: SCLs that may have been acknowledged and that the last superblock does not state.
    fn claims(&self) -> Vec<Claim> {
        let changed = self.segments.values().filter(|s| s.claim() != s.claim_stored);
        let claim = |s: &crate::segment::Segment| Claim {
            segment: s.id,
            incarnation: s.incarnation,
            scl: s.claim(),
            epoch: s.grant_durable.epoch,
        };
        changed.map(claim).collect()
    }

    pub(crate) fn lane_done(&mut self, result: Result<AlignedBuf, DiskError>, out: &mut Vec<Action>) {
        let Some(done) = self.lane.in_flight.take() else { return };
        if let Err(error) = result {
            return self.fail(format!("log or superblock write: {error}"));
        }
        match done {
            InFlight::Superblock { written, waiters } => {
                self.superblock_durable(&written, out);
                self.acknowledge(waiters, out);
            }
            InFlight::Log { records, file, waiters } => {
                self.lane.last_write_us = self.now_us;
                self.lane.unclaimed = true;
                self.store(records, file);
                self.acknowledge(waiters, out);
                self.ask_for_more(out);
                self.start_jobs(out);
            }
        }
    }

    /// Answers those whose write is durable, unless a segment came to rest on what only the next superblock states (a chain that goes on
    /// behind its peers' floor): an SCL acknowledged before it would be forgotten by a crash (R5).
    fn acknowledge(&mut self, waiters: Vec<Waiter>, out: &mut Vec<Action>) {
        for waiter in waiters {
            if self.lane.urgent && !protocol::mutant!(AckAfterGrant) {
                self.lane.after_superblock(waiter);
            } else {
                self.release(waiter, out);
            }
        }
    }

    fn superblock_durable(&mut self, written: &Superblock, out: &mut Vec<Action>) {
        self.head_durable = written.head.as_ref().map_or(self.head_durable, |h| h.version);
        self.lease_ms = written.head.as_ref().map_or(self.lease_ms, |h| h.lease_ms);
        for entry in &written.segments {
            if let Some(segment) = self.segments.get_mut(&entry.id)
                && segment.incarnation == entry.incarnation
            {
                segment.grant_durable = entry.grant.clone();
                segment.floor_durable = entry.floor;
                segment.claim_stored = entry.claim;
            }
        }
        for file in self.log.take_released(written.log_first_file) {
            self.disk(Pending::Nothing, DiskFile::Log(file), DiskOp::Delete, out);
        }
    }

    /// Records are durable in `file`: into their chains, unless a list that came meanwhile kills them (R3).
    fn store(&mut self, records: Vec<(SegmentId, Incarnation, Held)>, file: u64) {
        let list = self.head.as_ref().map(|h| &h.truncations);
        let mut span: Option<(SegmentId, (Lsn, Lsn))> = None;
        for (id, incarnation, record) in records {
            // Records come in order of segment: one note for each.
            span = match span {
                Some((noted, (low, high))) if noted == id => {
                    Some((id, (low.min(record.lsn), high.max(record.lsn))))
                }
                other => {
                    other.into_iter().for_each(|(noted, span)| self.log.note(file, noted, span));
                    Some((id, (record.lsn, record.lsn)))
                }
            };
            let Some(segment) = self.segments.get_mut(&id).filter(|s| s.incarnation == incarnation) else {
                continue;
            };
            segment.staged = segment.staged.saturating_sub(1);
            segment.early.remove(&record.lsn);
            if list.is_some_and(|l| l.kills(&record)) && !protocol::mutant!(GossipIgnoresTruncation) {
                self.metrics.dead += 1;
                continue;
            }
            self.metrics.records += 1;
            self.metrics.record_bytes += record.len() as u64;
            if segment.chain.insert(record) {
                segment.settle_claim();
            }
            if segment.staged == 0 {
                // What was queued and did not come to be (R3) must not stand for what is held.
                segment.reach = segment.chain.scl();
            }
        }
        span.into_iter().for_each(|(noted, span)| self.log.note(file, noted, span));
    }

    /// What `waiter` waited for is durable: tell it, unless a later grant came between (R6).
    fn release(&mut self, waiter: Waiter, out: &mut Vec<Action>) {
        let Waiter { segment: id, to, what } = waiter;
        if let Wanted::Retired { incarnation } = what {
            let retired = Retired { node: self.owner.node, incarnation };
            return self.send(id, to, retired, out);
        }
        let Some(segment) = self.segments.get(&id) else { return };
        match what {
            Wanted::Acked { epoch, writer, sequence, sent_us, full } => {
                let late = protocol::mutant!(AckAfterGrant) && epoch >= segment.grant_durable.epoch;
                if epoch < segment.epoch(self.head.as_ref()) && !late && !protocol::mutant!(NoEpochCheck) {
                    return self.refuse(id, to, RefusedReason::StaleEpoch, out);
                }
                let promised_ms = writer.map_or(0, |writer| self.promise(id, epoch, writer));
                let Some(segment) = self.segments.get(&id) else { return };
                let acked = Acked {
                    epoch: segment.grant_durable.epoch,
                    incarnation: segment.incarnation,
                    sequence,
                    sent_us,
                    scl: segment.scl(),
                    head_version: self.head_durable,
                    page_point: segment.page_point().unwrap_or_default(),
                    full,
                    promised_ms,
                };
                self.send(id, to, acked, out);
            }
            Wanted::Fenced { epoch, writer, early } => {
                if segment.grant.epoch != epoch || segment.grant.writer != writer {
                    return self.refuse(id, to, RefusedReason::StaleEpoch, out);
                }
                let state = early.map_or_else(|| self.state_of(segment, 0), |early| *early);
                self.send(id, to, state, out);
            }
            Wanted::Created { incarnation } => {
                let created = Created { node: self.owner.node, incarnation };
                self.send(id, to, created, out);
            }
            Wanted::Retired { .. } => {}
        }
    }

    fn make_log_file(&mut self, out: &mut Vec<Action>) {
        if self.now_us < self.no_space_until_us {
            return;
        }
        if let Some(number) = self.log.wanted() {
            self.log.allocating = Some(number);
            let len = self.config.settings.log_file_bytes;
            self.disk(Pending::LogFile(number), DiskFile::Log(number), DiskOp::Allocate { len }, out);
        }
    }

    pub(crate) fn log_file_done(&mut self, number: u64, result: Result<AlignedBuf, DiskError>) {
        self.log.allocating = None;
        match result {
            Ok(_) => self.log.add_ready(number),
            Err(DiskError::NoSpace) => self.no_space_until_us = self.now_us + self.config.settings.idle_us,
            Err(error) => self.fail(format!("making a log file: {error}")),
        }
    }
}
