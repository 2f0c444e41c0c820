//! One segment as the writer sees it: how far it has come, what is in flight to it, how fast it answers.

use protocol::head::HeadVersion;
use protocol::{Incarnation, Lsn, SegmentId, SegmentRole};

/// What the writer knows of the life that is to hold one copy.
#[derive(Clone, Debug)]
pub(crate) struct Copy {
    pub(crate) id: SegmentId,
    pub(crate) incarnation: Incarnation,
    pub(crate) role: SegmentRole,
    /// False for a newcomer until the head that makes it a member is at quorum (R12).
    pub(crate) counts: bool,
    /// Highest SCL acknowledged.
    pub(crate) scl: Lsn,
    /// The head it holds durably.
    pub(crate) head: HeadVersion,
    /// The newest head it was sent.
    pub(crate) head_sent: HeadVersion,
    pub(crate) page_point: Lsn,
    /// Number of the next batch to send.
    pub(crate) next: u64,
    /// When it last acknowledged something new, or was last sent something while nothing was in flight.
    pub(crate) progress_us: u64,
    pub(crate) sent_us: u64,
    pub(crate) heard_us: u64,
    /// Retransmissions since it last said anything: from the third on it only gets heartbeats.
    pub(crate) silent: u32,
    /// It said that it cannot store more.
    pub(crate) full: bool,
    /// It answered as another life, or not at all since it was created.
    pub(crate) lost: bool,
    pub(crate) sequence: u64,
    /// R8: until when, of the writer's clock, it is known to grant nobody else.
    pub(crate) promised_until_us: u64,
    /// It was late with a read: until then it is asked last ...
    pub(crate) late_until_us: u64,
    /// ... and for twice as long when it is late again.
    pub(crate) late_us: u64,
    /// Smoothed answer time; what "nearest" means.
    pub(crate) latency_us: u64,
}

/// Retransmissions without an answer before a segment is only sent heartbeats.
const SUSPECT: u32 = 3;

impl Copy {
    pub(crate) fn new(id: SegmentId, incarnation: Incarnation, role: SegmentRole, now_us: u64) -> Copy {
        Copy {
            id,
            incarnation,
            role,
            counts: true,
            scl: Lsn::ZERO,
            head: HeadVersion::default(),
            head_sent: HeadVersion::default(),
            page_point: Lsn::ZERO,
            next: 0,
            progress_us: now_us,
            sent_us: 0,
            heard_us: 0,
            silent: 0,
            full: false,
            lost: false,
            sequence: 0,
            promised_until_us: 0,
            late_until_us: 0,
            late_us: 0,
            latency_us: 0,
        }
    }

    /// True while log may be sent: it answers, and has room.
    pub(crate) fn takes_log(&self) -> bool {
        !self.lost && !self.full && self.silent < SUSPECT
    }

    /// Folds one measured round trip in; a fresh copy starts from its first.
    pub(crate) fn note_latency(&mut self, us: u64) {
        self.latency_us = if self.latency_us == 0 { us } else { (self.latency_us * 7 + us) / 8 };
    }

    /// It spoke: whatever it said, it is there.
    pub(crate) fn heard(&mut self, now_us: u64) {
        self.heard_us = now_us;
        self.silent = 0;
    }
}
