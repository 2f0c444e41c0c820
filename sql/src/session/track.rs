//! What clients that track their session are told with an OK: that something changed, and how its transaction stands.
//!
//! The transaction's state is MySQL's eight characters:
//! ```text
//!   T or I   explicit, implicit (autocommit off)         W  wrote           L  tables are locked (never here)
//!     r w    tables without transactions (never here)    s  a statement whose rows are not determined
//!       R    read                                        S  a result set was sent
//! ```
//! Its characteristics are the statements that would start it again. Source: "Server Tracking of Client Session State", recorded answers.

use super::Session;
use crate::ast::Isolation;
use crate::plan::{BodyPlan, Plan, QueryPlan, Source};

/// How much of the transaction is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum TransactionInfo {
    #[default]
    Off,
    State,
    Characteristics,
}

impl TransactionInfo {
    pub(crate) fn named(text: &str) -> TransactionInfo {
        match text {
            "STATE" => TransactionInfo::State,
            "CHARACTERISTICS" => TransactionInfo::Characteristics,
            _ => TransactionInfo::Off,
        }
    }
}

const NO_TRANSACTION: &str = "________";

/// What has happened since the client was told last.
#[derive(Debug)]
pub(crate) struct Tracker {
    changed: bool,
    read: bool,
    wrote: bool,
    undetermined: bool,
    sent_rows: bool,
    /// SET TRANSACTION for one transaction, START TRANSACTION with its options.
    one_shot: String,
    started: String,
    told_state: String,
    told_characteristics: Option<String>,
}

impl Default for Tracker {
    fn default() -> Self {
        Tracker {
            changed: false,
            read: false,
            wrote: false,
            undetermined: false,
            sent_rows: false,
            one_shot: String::new(),
            started: String::new(),
            told_state: NO_TRANSACTION.to_owned(),
            told_characteristics: None,
        }
    }
}

impl Tracker {
    /// Something in the session has changed: a variable, the schema, a prepared statement.
    pub(crate) fn changed(&mut self) {
        self.changed = true;
    }

    /// A statement over rows runs.
    pub(crate) fn runs(&mut self, plan: &Plan) {
        match plan {
            Plan::Query(query, into) => {
                self.sent_rows |= into.is_empty();
                self.reads(query);
            }
            _ => self.wrote = true,
        }
    }

    fn reads(&mut self, query: &QueryPlan) {
        match &query.body {
            BodyPlan::Select(select) => {
                if !matches!(select.source, Source::One { .. }) {
                    self.read = true;
                    self.undetermined |= select.limit.is_some();
                }
            }
            BodyPlan::Set { left, right, .. } => {
                self.reads(left);
                self.reads(right);
            }
            BodyPlan::Nested { query, .. } | BodyPlan::Convert { query, .. } => self.reads(query),
            BodyPlan::Values { .. } => {}
        }
    }

    /// SET TRANSACTION for the next one.
    pub(crate) fn next_transaction(&mut self, isolation: Option<Isolation>, read_only: Option<bool>) {
        let level = isolation.map(|level| match level {
            Isolation::ReadUncommitted => "ISOLATION LEVEL READ UNCOMMITTED",
            Isolation::ReadCommitted => "ISOLATION LEVEL READ COMMITTED",
            Isolation::RepeatableRead => "ISOLATION LEVEL REPEATABLE READ",
            Isolation::Serializable => "ISOLATION LEVEL SERIALIZABLE",
        });
        let access = read_only.map(|only| if only { "READ ONLY" } else { "READ WRITE" });
        for what in level.into_iter().chain(access) {
            let blank = if self.one_shot.is_empty() { "" } else { " " };
            self.one_shot.push_str(&format!("{blank}SET TRANSACTION {what};"));
        }
    }

    /// START TRANSACTION.
    pub(crate) fn begins(&mut self, read_only: Option<bool>, snapshot: bool) {
        self.forget_accesses();
        self.read = snapshot;
        let access = read_only.map(|only| if only { "READ ONLY" } else { "READ WRITE" });
        let options: Vec<_> =
            snapshot.then_some("WITH CONSISTENT SNAPSHOT").into_iter().chain(access).collect();
        let blank = if options.is_empty() { "" } else { " " };
        self.started = format!("START TRANSACTION{blank}{};", options.join(", "));
    }

    fn forget_accesses(&mut self) {
        (self.read, self.wrote, self.undetermined, self.sent_rows) = (false, false, false, false);
        self.started.clear();
    }

    fn state(&self, kind: char) -> String {
        let mark = |on: bool, letter: char| if on { letter } else { '_' };
        [
            kind,
            '_',
            mark(self.read, 'R'),
            '_',
            mark(self.wrote, 'W'),
            mark(self.undetermined, 's'),
            mark(self.sent_rows, 'S'),
            '_',
        ]
        .into_iter()
        .collect()
    }
}

/// What one OK says of it.
#[derive(Debug, Default)]
pub(super) struct Tracked {
    pub(super) changed: bool,
    pub(super) state: Option<String>,
    pub(super) characteristics: Option<String>,
}

impl Session {
    /// What has changed since the last answer, as far as the client wants to know.
    pub(super) fn tracked(&mut self) -> Tracked {
        let (in_transaction, explicit) = (self.in_transaction(), self.explicit);
        let waiting = self.next_isolation.is_some() || self.next_read_only.is_some();
        let settings = &self.context.settings;
        let tracker = &mut self.tracker;
        let changed = std::mem::take(&mut tracker.changed) && settings.track_state_change;
        if !in_transaction {
            tracker.forget_accesses();
            if !waiting {
                tracker.one_shot.clear();
            }
        }
        let info = settings.track_transaction;
        if info == TransactionInfo::Off {
            tracker.told_characteristics = None;
            return Tracked { changed, ..Tracked::default() };
        }
        let state = match (explicit, in_transaction) {
            (true, _) => tracker.state('T'),
            (_, true) => tracker.state('I'),
            _ => NO_TRANSACTION.to_owned(),
        };
        let mut tracked = Tracked { changed, ..Tracked::default() };
        if state != tracker.told_state {
            tracker.told_state.clone_from(&state);
            tracked.state = Some(state);
        }
        if info == TransactionInfo::Characteristics {
            let parts = [tracker.one_shot.as_str(), tracker.started.as_str()];
            let text = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
            if tracker.told_characteristics.as_deref() != Some(&text) {
                tracker.told_characteristics = Some(text.clone());
                tracked.characteristics = Some(text);
            }
        }
        tracked
    }
}
