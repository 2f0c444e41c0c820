//! A process with a real engine: transactions of clients over trees, pool and the simulated volume.
//!
//! ```text
//!   clients: tellers, lists, sums ─► engine ─► trees ─► pool ─► [Volume] ─► WriterLog, reads ─► six segments, faults, crashes
//!       │                                                                                        │
//!       └──► Books: what they were told ◄── audits of every opening, of sampled CPLs, at rest ◄──┘
//! ```
//! The engine, its trees and its pool are the product's, over [`Env`](protocol::env::Env) and the four contracts. Clients live in the process and die with
//! it; what they know is in the [`Books`], which outlive it. Checked:
//!
//! 1. after every opening: every acknowledged transfer is there with its two ledger rows, none that never committed, every balance is what
//!    the ledger says (I1, I21, I22);
//! 2. at sampled CPLs, on pages the model makes of the history alone: the same exactly, trees whole, indexes agree (I19-I22; `frozen`);
//! 3. while it runs: one statement sees the whole sum; commits are answered at or below VDL (I1, I17);
//! 4. at the end: trees and indexes once more through the cluster, and the history of lists judged by `adya` (I24).

mod books;
mod clients;
mod executor;
mod frozen;
mod judge;
mod lists;

pub(crate) use books::{Books, Expected};
pub(crate) use executor::yield_now;
pub(crate) use judge::judge;

use crate::compute::{Compute, Told};
use crate::director::Director;
use crate::volume::Volume;
use clients::{Process, live};
use executor::Tasks;
use protocol::env::Env;
use protocol::{Lsn, VolumeEpoch};
use quorum::WriterLog;
use std::sync::Arc;

/// Frames of a process's pool: fewer than the data has pages.
const FRAMES: usize = 128;

/// The engine of an open process, and its clients.
pub(crate) struct Sessions {
    volume: Arc<Volume>,
    tasks: Tasks,
    books: Books,
}

impl Sessions {
    /// Begins to open an engine on a log that has just opened.
    pub(crate) fn new(log: &WriterLog, leases: bool, books: &Books, seed: u64, now_us: u64) -> Sessions {
        let volume = Volume::new(log, leases);
        let (pool, log) = volume.pool(FRAMES);
        let (tasks, books) = (Tasks::new(seed, now_us), books.clone());
        let process =
            Process { volume: Arc::clone(&volume), pool, log, tasks: tasks.clone(), books: books.clone() };
        tasks.spawn("process", Box::pin(live(process)));
        Sessions { volume, tasks, books }
    }

    /// When it wants to be called.
    pub(crate) fn next_wake_us(&self) -> u64 {
        self.tasks.next_wake_us()
    }

    /// A segment answered the read of this number.
    pub(crate) fn answer(&self, number: u64, image: &[u8]) {
        self.volume.answer(number, image);
    }
}

impl Drop for Sessions {
    fn drop(&mut self) {
        self.tasks.end();
        self.volume.forget();
    }
}

impl Compute {
    /// Lets the engine and its clients go on as far as they can.
    pub(crate) fn drive_sessions(&mut self, now_us: u64, told: &mut Vec<Told>) {
        let Some(sessions) = self.sessions.take() else { return };
        let Some(log) = self.lend_log() else { return };
        sessions.volume.lend(log, &mut self.actions, now_us);
        sessions.tasks.run(now_us);
        let (log, said) = sessions.volume.give_back_log(&mut self.actions);
        self.take_log_back(log);
        let (acked, wrong) = sessions.books.news();
        told.extend(acked.into_iter().map(Told::Committed));
        told.extend(wrong.map(Told::Wrong));
        self.sessions = Some(sessions);
        self.said(now_us, said, told);
    }
}

impl Director {
    /// Opens a fresh engine on what a crash at the present VDL would leave.
    pub(crate) fn examine(&mut self) {
        let Some(books) = self.books.clone() else { return };
        let (cpl, epoch) = (self.history.end(), self.ceilings.keys().next_back().copied());
        if cpl == Lsn::ZERO || !books.opened() {
            return;
        }
        let mut pages = std::collections::BTreeMap::new();
        for id in self.model.ids() {
            match self.model.image(id, cpl) {
                Ok(image) => pages.insert(id, image),
                Err(why) => return self.fail(why),
            };
        }
        let durable = |lsn| self.history.at(lsn).is_some();
        let examined = frozen::examine(pages, epoch.unwrap_or(VolumeEpoch(1)), cpl, &books, durable);
        self.report.examined += 1;
        if let Err(why) = examined {
            self.fail(format!("a crash at {cpl}: {why}"));
        }
    }
}
