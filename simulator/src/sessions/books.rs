//! What clients know: the fate of every transfer, and the history of every list. It outlives the processes they talk to.
//!
//! ```text
//!   Begun ──► Committing ──► Known(LSN) ──► Acked(LSN)          the client's OK: never lost (I1)
//!     │            └── its process died ──► found by an audit, or never
//!     └──► Dead: rolled back, or its process died before COMMIT  never seen (I21)
//! ```

use engine::Isolation;
use protocol::Lsn;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What is known of a transfer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fate {
    /// Under way.
    Begun,
    /// COMMIT was sent.
    Committing,
    /// Its commit record has this LSN.
    Known(Lsn),
    /// The client has its OK.
    Acked(Lsn),
    /// An audit found it after its process had died.
    Found,
    /// Never committed.
    Dead,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Book {
    /// Every transfer.
    pub(super) transfers: BTreeMap<i64, Fate>,
    /// List-append, one JSON line per event, as Elle reads it.
    history: String,
    events: u64,
    processes: u64,
    values: u64,
    /// Commits whose clients got their OK since the director last asked.
    acked: Vec<Lsn>,
    /// What must not be.
    wrong: Option<String>,
    /// No client begins anything any more.
    stop: bool,
    /// The accounts are there, durably.
    pub(super) opened: bool,
    /// The last audit is through.
    pub(super) closed: bool,
    /// Audits after openings, and at sampled CPLs.
    pub(super) audits: u64,
    pub(super) sums: u64,
    pub(super) lists_committed: u64,
}

/// The one book of a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Books {
    /// The level of every session.
    pub(super) level: Isolation,
    book: Arc<Mutex<Book>>,
}

/// Transfers that must be there, and those of which nobody knows.
pub(crate) struct Expected {
    pub(crate) must: BTreeSet<i64>,
    pub(crate) may: BTreeSet<i64>,
}

impl Books {
    /// Empty, for sessions at this level.
    pub(crate) fn new(level: Isolation) -> Books {
        Books { level, book: Arc::default() }
    }

    pub(super) fn open(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something is wrong; the first is told.
    pub(super) fn wrong(&self, why: String) {
        self.open().wrong.get_or_insert(why);
    }

    /// What the director wants to know after every call: commits answered, and what is wrong.
    pub(crate) fn news(&self) -> (Vec<Lsn>, Option<String>) {
        let mut book = self.open();
        (std::mem::take(&mut book.acked), book.wrong.take())
    }

    /// From now on clients rest.
    pub(crate) fn stop(&self) {
        self.open().stop = true;
    }

    /// The next process makes the last audit.
    pub(crate) fn close(&self) {
        self.open().closed = false;
    }

    /// True once clients rest.
    pub(crate) fn stopped(&self) -> bool {
        self.open().stop
    }

    /// True once the last audit is through.
    pub(crate) fn closed(&self) -> bool {
        self.open().closed
    }

    /// True once the accounts are there.
    pub(super) fn opened(&self) -> bool {
        self.open().opened
    }

    /// Audits, and list transactions committed.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let book = self.open();
        (book.audits, book.lists_committed)
    }

    /// A new transfer.
    pub(super) fn begin(&self) -> i64 {
        let mut book = self.open();
        let id = book.transfers.len() as i64 + 1;
        book.transfers.insert(id, Fate::Begun);
        id
    }

    pub(super) fn set(&self, id: i64, fate: Fate) {
        let mut book = self.open();
        book.transfers.insert(id, fate);
        if let Fate::Acked(lsn) = fate {
            book.acked.push(lsn);
        }
    }

    /// A commit of something else than a transfer was answered.
    pub(super) fn answered(&self, lsn: Lsn) {
        if lsn != Lsn::ZERO {
            self.open().acked.push(lsn);
        }
    }

    /// What an audit of a process that has just opened must find.
    pub(super) fn expected(&self) -> Expected {
        let book = self.open();
        let those = |wanted: fn(Fate) -> bool| {
            book.transfers.iter().filter(|(_, fate)| wanted(**fate)).map(|(id, _)| *id).collect()
        };
        Expected {
            must: those(|fate| matches!(fate, Fate::Acked(_) | Fate::Found)),
            may: those(|fate| matches!(fate, Fate::Known(_) | Fate::Committing)),
        }
    }

    /// What a crash with VDL at `cpl` must leave; `durable` tells whether the history holds a commit.
    pub(super) fn expected_at(&self, cpl: Lsn, durable: impl Fn(Lsn) -> bool) -> Expected {
        let book = self.open();
        let mut expected = Expected { must: BTreeSet::new(), may: BTreeSet::new() };
        for (id, fate) in &book.transfers {
            match fate {
                Fate::Known(lsn) | Fate::Acked(lsn) if *lsn <= cpl && durable(*lsn) => {
                    expected.must.insert(*id);
                }
                // Found: at or below the CPL it opened from, which lies below any asked for later.
                Fate::Found => {
                    expected.must.insert(*id);
                }
                Fate::Committing => {
                    expected.may.insert(*id);
                }
                _ => {}
            }
        }
        expected
    }

    /// An audit found exactly these: what was unknown is known.
    pub(super) fn settle(&self, found: &BTreeSet<i64>) {
        let mut book = self.open();
        book.audits += 1;
        for (id, fate) in &mut book.transfers {
            if *fate == Fate::Committing && found.contains(id) {
                *fate = Fate::Found;
            }
        }
    }

    /// A client with a name of its own for every process it talks to.
    pub(super) fn process(&self) -> u64 {
        let mut book = self.open();
        book.processes += 1;
        book.processes
    }

    /// A value never written before, and the key it goes to: keys move on, so that lists stay short.
    pub(super) fn value(&self, dice: u64) -> (u64, u64) {
        let key = self.key(dice);
        let mut book = self.open();
        book.values += 1;
        (key, book.values)
    }

    /// One of the keys in play.
    pub(super) fn key(&self, dice: u64) -> u64 {
        const KEYS: u64 = 4;
        const LIFE: u64 = 40;
        self.open().values / (LIFE * KEYS) * KEYS + dice % KEYS
    }

    /// An event of the history.
    pub(super) fn event(&self, kind: &str, process: u64, value: &str) {
        let mut book = self.open();
        let index = book.events;
        book.events += 1;
        let line =
            format!("{{\"index\":{index},\"type\":\"{kind}\",\"process\":{process},\"value\":[{value}]}}");
        let _ = writeln!(book.history, "{line}");
    }

    /// The history.
    pub(super) fn history(&self) -> String {
        self.open().history.clone()
    }
}
