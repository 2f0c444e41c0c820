//! Log coming in: from the writer (append), from a recoverer (install), from peers (log slices).
//!
//! Invariants
//! 1. I8: nothing of an epoch below the granted one (or the head's) is taken or acknowledged.
//! 2. R2, R9: a message under a newer head is taken only together with that head, which becomes durable before the acknowledgement.
//! 3. R3: a record the list kills is never taken.
//! 4. What is queued is bounded; what does not fit is dropped and not covered by any acknowledgement.

use crate::chain::Standing;
use crate::copy::CopyIn;
use crate::event::Action;
use crate::held::{Batch, Held};
use crate::lane::{Waiter, Wanted};
use crate::node::Node;
use protocol::geometry::{Incarnation, SegmentId, WriterId};
use protocol::head::{Head, HeadVersion};
use protocol::lsn::{Lsn, VolumeEpoch};
use protocol::message::{Append, Install, LogSlice, Peer, Refused, RefusedReason};

/// What makes a message of the writer acceptable.
struct Claimed<'a> {
    epoch: VolumeEpoch,
    writer: WriterId,
    incarnation: Incarnation,
    head_version: HeadVersion,
    head: Option<&'a Head>,
}

impl Node {
    pub(crate) fn on_append(
        &mut self,
        id: SegmentId,
        from: Peer,
        m: Append,
        decoded: Option<Batch>,
        out: &mut Vec<Action>,
    ) {
        let claimed = Claimed {
            epoch: m.epoch,
            writer: m.writer,
            incarnation: m.incarnation,
            head_version: m.head_version,
            head: m.head.as_ref(),
        };
        if self.promises_wrongly(id, from, &m, out) {
            return;
        }
        let (epoch, writer, sequence, sent_us) = (m.epoch, Some(m.writer), m.sequence, m.sent_us);
        let wanted = |full| Wanted::Acked { epoch, writer, sequence, sent_us, full };
        match self.admit_writer(id, &claimed) {
            Ok(true) => {}
            Ok(false) => return self.answer_when_durable(id, from, wanted(false)),
            Err(reason) => return self.refuse(id, from, reason, out),
        }
        self.vdl = self.vdl.max(m.vdl);
        if let Some(segment) = self.segments.get_mut(&id) {
            segment.pgmrpl = segment.pgmrpl.max(m.pgmrpl);
        }
        // A heartbeat is told the truth too: the writer waits for it to change.
        let full = self.full();
        if !full && !m.frames.is_empty() {
            self.take_frames(id, m.epoch, &decoded.unwrap_or_else(|| Batch::decode(&m.frames)));
        }
        self.answer_when_durable(id, from, wanted(full));
    }

    pub(crate) fn on_install(&mut self, id: SegmentId, from: Peer, m: Install, out: &mut Vec<Action>) {
        let claimed = Claimed {
            epoch: m.epoch,
            writer: m.writer,
            incarnation: m.incarnation,
            head_version: m.head.version,
            head: Some(&m.head),
        };
        match self.admit_writer(id, &claimed) {
            Ok(_) => {}
            Err(reason) => return self.refuse(id, from, reason, out),
        }
        if let Some(segment) = self.segments.get_mut(&id)
            && std::mem::take(&mut segment.doubtful)
        {
            self.lane.superblock_later();
        }
        // Repair may use the reserve: it is what frees the log in the end.
        self.take_frames(id, m.epoch, &Batch::decode(&m.frames));
        let what =
            Wanted::Acked { epoch: m.epoch, writer: None, sequence: m.sequence, sent_us: 0, full: false };
        self.answer_when_durable(id, from, what);
    }

    fn answer_when_durable(&mut self, segment: SegmentId, to: Peer, what: Wanted) {
        if !self.lane.push_waiter(Waiter { segment, to, what }) {
            self.metrics.dropped += 1;
        }
    }

    /// Invariants 1 and 2. `Ok(false)`: the head is newer and did not come along, so nothing may be taken.
    fn admit_writer(&mut self, id: SegmentId, m: &Claimed<'_>) -> Result<bool, RefusedReason> {
        let held = self.head.as_ref().map(|h| h.version);
        let Some(segment) = self.segments.get(&id) else { return Err(RefusedReason::OtherIncarnation) };
        if segment.incarnation != m.incarnation {
            return Err(RefusedReason::OtherIncarnation);
        }
        if m.epoch < segment.epoch(self.head.as_ref()) && !protocol::mutant!(NoEpochCheck) {
            self.metrics.stale += 1;
            return Err(RefusedReason::StaleEpoch);
        }
        let grant = &segment.grant;
        if m.epoch > grant.epoch || (m.epoch == grant.epoch && m.writer != grant.writer) {
            self.set_grant(id, m.epoch, m.writer);
        }
        if held.is_some_and(|held| m.head_version <= held) || protocol::mutant!(StragglerIgnoresList) {
            return Ok(true);
        }
        match m.head {
            Some(head) if head.version == m.head_version => Ok(self.adopt_head(head)),
            _ => Ok(held.is_none() && m.head_version == HeadVersion::default()),
        }
    }

    /// Queues the records of `batch` that are wanted.
    fn take_frames(&mut self, id: SegmentId, epoch: VolumeEpoch, batch: &Batch) -> usize {
        let mut taken = 0;
        for record in batch.records() {
            if record.pg != id.pg || record.epoch > epoch {
                break;
            }
            taken += usize::from(self.take_record(id, record));
        }
        taken
    }

    fn take_record(&mut self, id: SegmentId, record: Held) -> bool {
        let dead = self.head.as_ref().is_some_and(|h| h.truncations.kills(&record));
        if dead && !protocol::mutant!(GossipIgnoresTruncation) {
            self.metrics.dead += 1;
            return false;
        }
        let (queued, settings) = (self.lane.queued_bytes, &self.config.settings);
        let Some(segment) = self.segments.get_mut(&id) else { return false };
        let reach = segment.reach.max(segment.chain.scl());
        let follows = record.prev_pg == reach && record.lsn > reach;
        let mut within = true;
        if !follows || segment.chain.has_gap() || !segment.early.is_empty() {
            match segment.chain.standing(&record) {
                // Between the chain's end and the reach everything is queued already.
                Standing::New if record.lsn > reach && !segment.early.contains(&record.lsn) => {}
                Standing::Conflict => {
                    self.metrics.conflicts += 1;
                    return false;
                }
                _ => {
                    self.metrics.duplicates += 1;
                    return false;
                }
            }
            within = record.prev_pg <= reach
                || segment.chain.beyond_gap_bytes() + record.len() <= settings.gap_bytes;
        }
        let fits = queued + record.len() <= settings.ingest_bytes;
        if !within || !fits {
            self.metrics.dropped += 1;
            return false;
        }
        if follows {
            segment.reach = record.lsn;
        } else {
            segment.reach = reach;
            segment.early.insert(record.lsn);
        }
        segment.staged += 1;
        let incarnation = segment.incarnation;
        self.lane.push_record(id, incarnation, record);
        true
    }

    pub(crate) fn on_log_slice(&mut self, id: SegmentId, from: Peer, m: LogSlice, out: &mut Vec<Action>) {
        let Peer::Segment(peer) = from else { return };
        if peer.pg != id.pg || !self.segments.contains_key(&id) {
            return;
        }
        if m.head_version != self.head_version() && !protocol::mutant!(GossipIgnoresTruncation) {
            // Either list may lack an entry that the other one has, or had and dropped (R2): first both hold the same head.
            return self.gossip_to(id, peer.position, false, out);
        }
        self.meet_floor(id, m.floor);
        // Repair may use the device's reserve: a gap that stays holds back everybody's floor. It may not pass the bounds of
        // memory: what is held there can be made into pages first.
        let taken = if self.exhausted() || self.behind() {
            0
        } else {
            self.take_frames(id, VolumeEpoch(u64::MAX), &Batch::decode(&m.frames))
        };
        self.metrics.gossip_records += taken as u64;
        if let Some(segment) = self.segments.get_mut(&id) {
            segment.asked_us = None;
            segment.more_from = (!m.end && taken > 0).then_some(peer.position);
        }
    }

    /// Peers have dropped what this copy lacks, because every full member holds the pages (R11): its log goes on behind their
    /// floor. A full member must hold those pages itself; if not, it copies them first.
    pub(crate) fn meet_floor(&mut self, id: SegmentId, floor: Lsn) {
        let vdl = self.vdl;
        let Some(segment) = self.segments.get_mut(&id) else { return };
        if floor <= segment.chain.scl() || floor > vdl {
            return;
        }
        if let Some(pages) = &mut segment.pages {
            if pages.copying() || pages.job.is_some() {
                return;
            }
            if pages.store.page_point < floor {
                tracing::warn!(segment = ?id, ?floor, point = ?pages.store.page_point, "log and pages are behind every peer's log");
                pages.copy = Some(CopyIn::default());
                return;
            }
            // Reads below the page point may need records that are gone.
            pages.store.forgotten_below = pages.store.forgotten_below.max(pages.store.page_point);
        }
        tracing::debug!(segment = ?id, ?floor, scl = ?segment.chain.scl(), "log goes on behind the peers' floor");
        segment.chain.restart_at(floor);
        segment.settle_claim();
        self.lane.superblock_first();
    }

    /// Says no, with the reason and what a writer needs to know.
    pub(crate) fn refuse(&mut self, id: SegmentId, to: Peer, reason: RefusedReason, out: &mut Vec<Action>) {
        let head = self.head.clone();
        let (epoch, incarnation) = match self.segments.get(&id) {
            Some(s) => (s.epoch(head.as_ref()), s.incarnation),
            None => (VolumeEpoch::NONE, Incarnation::default()),
        };
        self.send(id, to, Refused { epoch, incarnation, reason, head }, out);
    }

    pub(crate) fn refuse_failed(&mut self, id: SegmentId, to: Peer, out: &mut Vec<Action>) {
        if matches!(to, Peer::Compute(_)) {
            self.refuse(id, to, RefusedReason::Failed, out);
        }
    }
}
