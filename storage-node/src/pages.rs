//! What a full segment keeps beside its log: the page store, its journal, and the one page job that runs at a time.

use crate::copy::CopyIn;
use crate::job::Job;
use crate::journal::{JournalTail, Replay};
use crate::store::PageStore;
use protocol::lsn::Lsn;
use protocol::page::PageId;
use std::collections::BTreeMap;

/// A damaged page waiting for a sound image from a peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Heal {
    /// LSN of the damaged version.
    pub(crate) damaged: Lsn,
    /// The request under way.
    pub(crate) request: u64,
    /// When it was asked for.
    pub(crate) asked_us: Option<u64>,
    /// How often, to ask peers in turn.
    pub(crate) attempts: u32,
}

/// Pages of a full segment.
#[derive(Debug)]
pub(crate) struct Pages {
    pub(crate) store: PageStore,
    /// The highest VDL the recovered journal names; zero otherwise.
    pub(crate) vdl: Lsn,
    pub(crate) journal: JournalTail,
    pub(crate) job: Option<Job>,
    /// All pages are being copied from a peer: a newcomer, or a store that was lost.
    pub(crate) copy: Option<CopyIn>,
    pub(crate) heal: BTreeMap<PageId, Heal>,
    pub(crate) waiting_since_us: Option<u64>,
    /// Position of the log when the last round began.
    pub(crate) round_position: u64,
    pub(crate) next_collection_us: u64,
    pub(crate) collected: Option<PageId>,
    pub(crate) collected_at: Lsn,
    pub(crate) scrubbed: Option<(PageId, Lsn)>,
}

impl Pages {
    /// An empty store; `copy`: everything must come from a peer first.
    pub(crate) fn new(copy: bool) -> Pages {
        Pages {
            store: PageStore::new(),
            vdl: Lsn::ZERO,
            journal: JournalTail { generation: 1, blocks: 0, crc: 0 },
            job: None,
            copy: copy.then(CopyIn::default),
            heal: BTreeMap::new(),
            waiting_since_us: None,
            round_position: 0,
            next_collection_us: 0,
            collected: None,
            collected_at: Lsn::ZERO,
            scrubbed: None,
        }
    }

    /// What the journals of a folder say. `log_floor`: log at or below it is gone, so the pages must reach it.
    pub(crate) fn recover(replays: [Option<Replay>; 2], log_floor: Lsn, newcomer: bool) -> Pages {
        let newest = replays.into_iter().flatten().max_by_key(|r| r.tail.generation);
        let Some(replay) = newest else { return Pages::new(newcomer || log_floor > Lsn::ZERO) };
        let mut pages = Pages::new(newcomer);
        pages.journal = replay.tail;
        for batch in &replay.batches {
            pages.store.apply(&batch.entries);
            pages.vdl = pages.vdl.max(batch.vdl);
            pages.store.page_point = pages.store.page_point.max(batch.page_point);
            pages.store.forgotten_below = pages.store.forgotten_below.max(batch.forgotten_below);
        }
        pages.store.rebuild_free();
        if replay.rot || pages.store.page_point < log_floor {
            // Something committed is lost: start over, in a generation of its own, with a peer's pages.
            pages = Pages::new(true);
            pages.journal = JournalTail { generation: replay.tail.generation + 1, blocks: 0, crc: 0 };
        }
        pages
    }

    /// True while pages are being copied: nothing is served or claimed.
    pub(crate) fn copying(&self) -> bool {
        self.copy.is_some()
    }
}
