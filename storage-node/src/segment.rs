//! One copy of a protection group, as one node holds it.

use crate::chain::Chain;
use crate::grant::Promise;
use crate::pages::Pages;
use crate::superblock::SegmentEntry;
use protocol::geometry::{Incarnation, SegmentId, SegmentRole, WriterId};
use protocol::head::{Grant, Head, HeadVersion};
use protocol::lsn::{Lsn, VolumeEpoch};
use std::collections::{BTreeMap, BTreeSet};

/// What a peer last said of itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct PeerView {
    pub(crate) position: u8,
    pub(crate) scl: Lsn,
    pub(crate) floor: Lsn,
    pub(crate) page_point: Option<Lsn>,
    pub(crate) head_version: HeadVersion,
    pub(crate) at_us: u64,
}

/// One segment.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) id: SegmentId,
    pub(crate) incarnation: Incarnation,
    pub(crate) role: SegmentRole,
    /// `prom` in memory: nothing older is acknowledged from the moment it is set (R6).
    pub(crate) grant: Grant,
    /// `prom` as the superblock holds it.
    pub(crate) grant_durable: Grant,
    pub(crate) chain: Chain,
    /// R5, what an earlier life or an earlier moment proved; [`claim`](Self::claim) is what counts.
    pub(crate) claimed: Lsn,
    /// The claim the last durable superblock states.
    pub(crate) claim_stored: Lsn,
    pub(crate) floor_durable: Lsn,
    pub(crate) pgmrpl: Lsn,
    pub(crate) doubtful: bool,
    pub(crate) newcomer: bool,
    /// How many records are queued or in the log write in flight ...
    pub(crate) staged: usize,
    /// ... and those of them that do not follow the reach.
    pub(crate) early: BTreeSet<Lsn>,
    /// Where the chain will end once what is staged is durable.
    pub(crate) reach: Lsn,
    pub(crate) peers: BTreeMap<Incarnation, PeerView>,
    /// Where the chain ended when it was last seen to stand still behind a peer, and since when: a gap has an age, log on its
    /// way has not.
    pub(crate) behind: Option<(Lsn, u64)>,
    /// When log was last asked for, and of whom.
    pub(crate) asked_us: Option<u64>,
    pub(crate) asked: u8,
    /// A slice said there is more; ask again when it is stored.
    pub(crate) more_from: Option<u8>,
    /// Log on disk only was found damaged: the chain is to be reopened as soon as no page job rests on it.
    pub(crate) cold_rot: bool,
    /// Page store of a full segment.
    pub(crate) pages: Option<Pages>,
    /// R8: who was promised what.
    pub(crate) promise: Option<Promise>,
    /// R8(h): the writer that handed over; it is promised nothing again.
    pub(crate) released: Option<WriterId>,
    /// R8(d): until then nobody but the durable grant is granted.
    pub(crate) silent_until_us: u64,
}

impl Segment {
    pub(crate) fn new(entry: &SegmentEntry, store: Option<Pages>) -> Segment {
        Segment {
            id: entry.id,
            incarnation: entry.incarnation,
            role: entry.role,
            grant: entry.grant.clone(),
            grant_durable: entry.grant.clone(),
            chain: Chain::new(entry.floor, entry.role == SegmentRole::Full),
            claimed: entry.claim,
            claim_stored: entry.claim,
            floor_durable: entry.floor,
            pgmrpl: entry.pgmrpl,
            doubtful: entry.doubtful,
            newcomer: entry.newcomer,
            staged: 0,
            early: BTreeSet::new(),
            reach: Lsn::ZERO,
            peers: BTreeMap::new(),
            behind: None,
            asked_us: None,
            asked: 0,
            more_from: None,
            cold_rot: false,
            pages: store,
            promise: None,
            released: None,
            silent_until_us: 0,
        }
    }

    /// The SCL this segment stands for: nothing while it is a newcomer (R5, R12).
    pub(crate) fn scl(&self) -> Lsn {
        if self.newcomer { Lsn::ZERO } else { self.chain.scl() }
    }

    /// R5: what it may have acknowledged. Above [`scl`](Self::scl) only after rot.
    pub(crate) fn claim(&self) -> Lsn {
        if self.newcomer { Lsn::ZERO } else { self.claimed.max(self.chain.scl()) }
    }

    /// Through which LSN it holds durable, checked pages, as told to others: nothing while pages are being copied.
    pub(crate) fn page_point(&self) -> Option<Lsn> {
        let pages = self.pages.as_ref()?;
        Some(if self.newcomer || pages.copying() { Lsn::ZERO } else { pages.store.page_point })
    }

    /// The epoch below which nothing is taken: a head is a winner's message too (R7).
    pub(crate) fn epoch(&self, head: Option<&Head>) -> VolumeEpoch {
        self.grant.epoch.max(head.map_or(VolumeEpoch::NONE, |h| h.version.epoch))
    }

    pub(crate) fn entry(&self) -> SegmentEntry {
        SegmentEntry {
            id: self.id,
            incarnation: self.incarnation,
            role: self.role,
            grant: self.grant.clone(),
            claim: self.claim(),
            floor: self.chain.base(),
            pgmrpl: self.pgmrpl,
            doubtful: self.doubtful,
            newcomer: self.newcomer,
        }
    }

    /// After the chain moved: what it proves replaces what was claimed, once it reaches there.
    pub(crate) fn settle_claim(&mut self) {
        if self.chain.scl() >= self.claimed {
            self.claimed = self.chain.scl();
        }
    }
}
