//! One protection group at the writer: its log not yet everywhere, its six copies, its PGCL.
//!
//! ```text
//!  append --> open frames --seal--> batch 7 | batch 8 | batch 9       kept until all six have it, or VDL
//!                                      ^ next of a slow copy ^ next of a fast one    passed it and room is short
//! ```
//! Records are encoded once, into the open frames; every copy is sent the same shared bytes.

use super::copy::Copy;
use super::points::ReadPoints;
use crate::sets::{Votes, write_quorum};
use crate::settings::Settings;
use bytes::Bytes;
use protocol::head::PgMembers;
use protocol::record::{self, RecordHeader};
use protocol::{Lsn, PgId, SegmentId};
use std::collections::VecDeque;

/// Log of one group that left together.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    /// LSN of its last record.
    pub(crate) last: Lsn,
    pub(crate) frames: Bytes,
}

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) pg: PgId,
    /// The head that lists it is at quorum (R10).
    pub(crate) open: bool,
    /// By position, of the lives that are sent log: a newcomer stands in the place of the life it replaces.
    pub(crate) copies: Vec<Copy>,
    pub(crate) points: ReadPoints,
    /// Last record handed to `append`.
    pub(crate) last: Lsn,
    pub(crate) pgcl: Lsn,
    filling: Vec<u8>,
    filling_first: Lsn,
    filling_since_us: u64,
    batches: VecDeque<Batch>,
    first_number: u64,
    kept_bytes: usize,
}

impl Group {
    /// `last` is the group's last record at or below `vdl`, durable at quorum.
    pub(crate) fn new(members: &PgMembers, last: Lsn, vdl: Lsn, open: bool, now_us: u64) -> Group {
        let copies = members
            .members
            .iter()
            .enumerate()
            .map(|(position, member)| {
                let id = SegmentId { pg: members.pg, position: position as u8 };
                Copy::new(id, member.incarnation, member.role, now_us)
            })
            .collect();
        Group {
            pg: members.pg,
            open,
            copies,
            points: ReadPoints::new(last, vdl),
            last,
            pgcl: last,
            filling: Vec::new(),
            filling_first: Lsn::ZERO,
            filling_since_us: 0,
            batches: VecDeque::new(),
            first_number: 0,
            kept_bytes: 0,
        }
    }

    /// Encodes one record behind the open frames. The caller allocated `lsn`.
    pub(crate) fn push(
        &mut self,
        now_us: u64,
        lsn: Lsn,
        header: &RecordHeader,
        ops: &[u8],
        settings: &Settings,
    ) {
        if !self.filling.is_empty() && self.filling.len() + ops.len() > settings.batch_bytes {
            self.seal();
        }
        if self.filling.is_empty() {
            self.filling_first = lsn;
            self.filling_since_us = now_us;
        }
        record::encode(&mut self.filling, lsn, header, ops);
        self.last = lsn;
    }

    /// Closes the open frames: from now on they are one batch for all six.
    pub(crate) fn seal(&mut self) {
        if self.filling.is_empty() {
            return;
        }
        // Exactly as large as it is: the segments hold it for as long as they hold any record of it.
        let frames = Bytes::copy_from_slice(&self.filling);
        self.filling.clear();
        self.kept_bytes += frames.len();
        self.batches.push_back(Batch { last: self.last, frames });
    }

    /// True when open frames should leave: somebody waits for `urgent`, or they are many, or old; and fewer than
    /// `flights` batches are short of quorum, unless they fill a batch.
    pub(crate) fn due(&self, now_us: u64, urgent: Lsn, settings: &Settings) -> bool {
        if self.filling.is_empty() {
            return false;
        }
        if self.filling.len() >= settings.batch_bytes {
            return true;
        }
        let wanted = self.filling_first <= urgent
            || self.filling.len() >= settings.send_bytes
            || now_us >= self.filling_since_us + settings.linger_us;
        wanted && self.flying() < settings.flights
    }

    /// When the open frames become due by age.
    pub(crate) fn lingers_until(&self, settings: &Settings) -> Option<u64> {
        (!self.filling.is_empty() && self.flying() < settings.flights)
            .then_some(self.filling_since_us + settings.linger_us)
    }

    /// Batches short of quorum.
    fn flying(&self) -> usize {
        self.batches.iter().rev().take_while(|b| b.last > self.pgcl).count()
    }

    /// Number of the first kept batch that reaches above `scl`.
    pub(crate) fn after(&self, scl: Lsn) -> u64 {
        self.first_number + self.batches.partition_point(|b| b.last <= scl) as u64
    }

    /// Number of the oldest batch kept.
    pub(crate) fn oldest(&self) -> u64 {
        self.first_number
    }

    /// A kept batch.
    pub(crate) fn batch(&self, number: u64) -> Option<&Batch> {
        self.batches.get(usize::try_from(number.checked_sub(self.first_number)?).ok()?)
    }

    /// Bytes sent to a copy that its SCL does not cover.
    pub(crate) fn in_flight(&self, copy: &Copy) -> usize {
        let from = self.after(copy.scl);
        (from..copy.next).filter_map(|n| self.batch(n)).map(|b| b.frames.len()).sum()
    }

    /// PGCL: how far four of six are, in the sets that count. The newcomer's set is not asked separately: a newcomer
    /// counts in neither set before it is a member, so four of the remaining five are asked for, which holds in both.
    pub(crate) fn advance(&mut self) -> bool {
        let mut members = [Lsn::ZERO; protocol::geometry::COPIES];
        for (slot, copy) in members.iter_mut().zip(&self.copies) {
            *slot = if copy.counts { copy.scl } else { Lsn::ZERO };
        }
        let reached = Votes { members, newcomer: None }.reached(write_quorum());
        let rose = reached > self.pgcl;
        if rose {
            self.pgcl = reached;
        }
        rose
    }

    /// Drops batches that all six have, and those at or below VDL beyond what is kept for laggards.
    pub(crate) fn trim(&mut self, vdl: Lsn, settings: &Settings) {
        let everywhere = self.copies.iter().filter(|c| !c.lost).map(|c| c.scl).min().unwrap_or(Lsn::MAX);
        while let Some(batch) = self.batches.front() {
            let durable = batch.last <= vdl && batch.last <= self.pgcl;
            if !durable || (batch.last > everywhere && self.kept_bytes <= settings.keep_bytes) {
                break;
            }
            self.kept_bytes -= batch.frames.len();
            self.first_number += 1;
            self.batches.pop_front();
        }
    }

    /// Bytes held, for the bound on memory (I27).
    pub(crate) fn held_bytes(&self) -> usize {
        self.kept_bytes + self.filling.len()
    }
}
