//! Group 0 as the arbiter: whom a segment would grant (R7), and what it promises to the writer it granted (R8).
//!
//! ```text
//!   Append(e, w) = prom ──► promise (w, now + T) ──► Acked{promised_ms: T}      until then no grant to another id
//!   process starts ───────► silent for T: an earlier life may have promised just before it died
//!   Release(e, w) ────────► promise void, and never again for (e, w)
//! ```
//!
//! Invariants
//! 1. While a promise stands, or in the silence after a start, nobody is granted but whom the durable grant names (R7, R8 d).
//! 2. A promise is given only to the grant in memory: from the moment another one is taken, the older writer gets none (R6).
//! 3. The clock is that of this machine and runs while it sleeps; promises compare only with it (R8 b, e).
//!
//! Where the locks of all node folders decide who writes (the embedded cluster), promises are switched off by a setting.

use crate::event::Action;
use crate::node::Node;
use crate::segment::Segment;
use protocol::geometry::{PgId, SegmentId, WriterId};
use protocol::lsn::VolumeEpoch;
use protocol::message::{Acked, Append, Peer, RefusedReason, Release};
use protocol::mutant;

/// A promise in force.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Promise {
    /// To whom.
    pub(crate) to: WriterId,
    /// Until when, of this node's clock.
    pub(crate) until_us: u64,
}

impl Node {
    fn arbitrates(&self, id: SegmentId) -> bool {
        id.pg == PgId(0) && self.config.settings.promises
    }

    /// Invariant 1: whether `writer` may be granted a later epoch now.
    pub(crate) fn may_grant(&self, segment: &Segment, writer: WriterId) -> Result<(), RefusedReason> {
        if !self.arbitrates(segment.id) {
            return Ok(());
        }
        let promised = segment.promise.is_some_and(|p| p.to != writer && self.now_us < p.until_us);
        let silent = self.now_us < segment.silent_until_us && segment.grant_durable.writer != writer;
        if promised || silent { Err(RefusedReason::Promised) } else { Ok(()) }
    }

    /// For checkers and status: whether this segment would grant a later epoch to `candidate` now. `None`: no such segment here.
    #[must_use]
    pub fn would_grant(&self, id: SegmentId, candidate: WriterId) -> Option<bool> {
        self.segments.get(&id).map(|segment| self.may_grant(segment, candidate).is_ok())
    }

    /// The answer to a candidate that asks before it stands.
    pub(crate) fn votes(&self, segment: &Segment, candidate: Option<WriterId>) -> bool {
        candidate.is_some_and(|writer| self.may_grant(segment, writer).is_ok())
    }

    /// R8(d): what an earlier life of this process promised, nobody here knows.
    pub(crate) fn begin_silence(&mut self) {
        let lease_us = self.lease_ms * 1000;
        let silence_us = match () {
            () if mutant!(RestartGrants) => 0,
            () if mutant!(RestartHalf) => lease_us / 2,
            () => lease_us,
        };
        let until_us = self.now_us + silence_us;
        self.segments.values_mut().for_each(|segment| segment.silent_until_us = until_us);
    }

    /// Invariant 2: promises T to the writer whose message is being answered. Milliseconds; 0 when it is not the one granted.
    pub(crate) fn promise(&mut self, id: SegmentId, epoch: VolumeEpoch, writer: WriterId) -> u64 {
        if !self.arbitrates(id) {
            return 0;
        }
        let (now_us, lease_ms) = (self.now_us, self.lease_ms);
        let Some(segment) = self.segments.get_mut(&id) else { return 0 };
        let granted = segment.grant.epoch == epoch && segment.grant.writer == writer;
        if !granted || segment.released == Some(writer) {
            return 0;
        }
        segment.promise = Some(Promise { to: writer, until_us: now_us + lease_ms * 1000 });
        lease_ms
    }

    /// R8(h).
    pub(crate) fn on_release(&mut self, id: SegmentId, m: &Release) {
        let Some(segment) = self.segments.get_mut(&id) else { return };
        if segment.grant.epoch == m.epoch && segment.grant.writer == m.writer {
            segment.released = Some(m.writer);
            segment.promise = None;
        }
    }

    /// Planted bugs: a heartbeat of a writer that is being, or has been, superseded is promised something.
    pub(crate) fn promises_wrongly(
        &self,
        id: SegmentId,
        from: Peer,
        m: &Append,
        out: &mut Vec<Action>,
    ) -> bool {
        let Some(segment) = self.segments.get(&id).filter(|_| self.arbitrates(id)) else { return false };
        let durable = &segment.grant_durable;
        let during = mutant!(PromiseDuringGrant) && *durable != segment.grant && m.epoch == durable.epoch;
        let stale = mutant!(PromiseToStale) && m.epoch < segment.epoch(self.head.as_ref());
        if !(during || stale) || !m.frames.is_empty() {
            return false;
        }
        let acked = Acked {
            epoch: m.epoch,
            incarnation: segment.incarnation,
            sequence: m.sequence,
            sent_us: m.sent_us,
            scl: segment.scl(),
            head_version: m.head_version,
            page_point: segment.page_point().unwrap_or_default(),
            full: false,
            promised_ms: self.lease_ms,
        };
        self.send(id, from, acked, out);
        true
    }
}
