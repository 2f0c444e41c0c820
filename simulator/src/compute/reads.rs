//! Reads of a process: one copy after the other until one answers, as the driver does.

use super::{Compute, Stage, Told};
use crate::oracle::PageModel;
use crate::rng::Rng;
use protocol::message::{Envelope, Message, PageRefusal, Peer, ReadPage};
use protocol::{Lsn, PageId, SegmentId};
use quorum::WriterLog;
use std::collections::BTreeMap;

/// A read under way.
pub(super) struct Read {
    page: PageId,
    pub(super) at: Lsn,
    point: Lsn,
    route: Vec<SegmentId>,
    refusals: BTreeMap<Peer, PageRefusal>,
    tried: usize,
    asked_us: u64,
    since_us: u64,
    complained: bool,
    /// The pool's number of it.
    pool: Option<u64>,
}

/// A read goes to the next copy after this long.
pub(super) const HEDGE_US: u64 = 25_000;
/// A read without an answer for this long is told.
const STUCK_US: u64 = 1_500_000;

impl Compute {
    /// Starts a read of a random page as of the present VDL.
    pub(crate) fn read(&mut self, now_us: u64, model: &PageModel, rng: &mut Rng) {
        let ids = model.ids();
        if self.log().is_none() || ids.is_empty() || self.reads.len() >= 8 {
            return;
        }
        let page = ids[rng.index(ids.len())];
        self.start_read(now_us, page);
    }

    /// Starts a read of `page`.
    pub(crate) fn start_read(&mut self, now_us: u64, page: PageId) {
        let now_us = self.clock_us(now_us);
        let Some(at) = self.log().map(WriterLog::vdl) else { return };
        self.add_read(now_us, page, at, None);
        self.drive_reads(now_us, &mut Vec::new());
    }

    /// The pool wants this page; its process asks with everything else.
    pub(crate) fn read_for_pool(&mut self, now_us: u64, page: PageId, at: Lsn, number: u64) {
        self.add_read(now_us, page, at, Some(number));
    }

    fn add_read(&mut self, since_us: u64, page: PageId, at: Lsn, pool: Option<u64>) {
        let Some(log) = self.log() else { return };
        let pg = log.head().geometry().pg_of(page);
        let Some(point) = log.read_point(pg, at) else { return };
        let (route, refusals) = (log.route(pg, point), BTreeMap::new());
        self.next_read += 1;
        let (tried, asked_us, complained) = (0, 0, false);
        let read = Read { page, at, point, route, refusals, tried, asked_us, since_us, complained, pool };
        self.reads.insert(self.next_read, read);
    }

    /// Reads under way.
    #[must_use]
    pub(crate) fn reading(&self) -> usize {
        self.reads.len()
    }

    pub(super) fn drive_reads(&mut self, now_us: u64, told: &mut Vec<Told>) {
        let Stage::Open(log) = &mut self.stage else { return };
        for (request, read) in &mut self.reads {
            if now_us > read.since_us + STUCK_US && !read.complained {
                read.complained = true;
                let said =
                    format!("asked {:?} for {}, refused by {:?}", read.route, read.point, read.refusals);
                told.push(Told::ReadStuck(read.page, read.at, now_us - read.since_us, said));
            }
            if now_us < read.asked_us + HEDGE_US {
                continue;
            }
            // Copies come and go while a read waits: as the driver does, plan anew.
            let pg = log.head().geometry().pg_of(read.page);
            read.route = log.route(pg, read.point);
            if read.route.is_empty() {
                continue;
            }
            let to = read.route[read.tried % read.route.len()];
            read.tried += 1;
            read.asked_us = now_us;
            let ask = ReadPage { request: *request, epoch: log.epoch(), page: read.page, at: read.point };
            let from = Peer::Compute(self.writer);
            self.actions.sends.push(Envelope { from, to: Peer::Segment(to), message: ask.into() });
        }
        let lowest = self.reads.values().map(|r| r.at).min().unwrap_or(Lsn::MAX);
        let lowest = self.pool.as_ref().map_or(lowest, |pool| lowest.min(pool.released()));
        log.release_below(lowest.min(log.vdl()));
    }

    pub(super) fn on_read_answer(
        &mut self,
        now_us: u64,
        envelope: Envelope,
        told: &mut Vec<Told>,
    ) -> Option<Envelope> {
        match envelope.message {
            Message::PageRead(answer) => {
                if let Some(read) = self.reads.remove(&answer.request) {
                    match (&self.pool, &self.sessions, read.pool) {
                        (Some(pool), _, Some(number)) => pool.answer(number, &answer.image),
                        (_, Some(sessions), Some(number)) => sessions.answer(number, &answer.image),
                        _ => {}
                    }
                    told.push(Told::Read(read.page, read.at, answer.image));
                }
            }
            Message::PageRefused(refused) => {
                if let Some(read) = self.reads.get_mut(&refused.request) {
                    read.refusals.insert(envelope.from, refused.reason);
                    read.asked_us = read.asked_us.min(now_us.saturating_sub(HEDGE_US - 3_000));
                    if refused.reason == PageRefusal::Forgotten {
                        told.push(Told::Forgotten(read.page, read.at));
                    }
                }
            }
            _ => return Some(envelope),
        }
        None
    }
}
