//! The order of things in one commit: append, and at each segment receipt, log write, sync done, acknowledgement; then VDL, then the OK.
//! Nothing may be acknowledged before its sync is done, and nothing answered before VDL (show 5).
//!
//! Which segments are the first four is the chance of a seed; the order of things is not. So copies are named in the order in which
//! they acknowledge, and the fifth and sixth are left out: the trace is the same for every seed.

use crate::compute::Told;
use protocol::geometry::WRITE_QUORUM;
use protocol::message::{Envelope, Message, Peer};
use protocol::{Lsn, Record};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use storage_node::{DiskFile, DiskOp, Token};

/// The first commit after this much virtual time is traced: the cluster is at its ease by then.
const FROM_US: u64 = 500_000;

/// Lines shared with whoever asked for the trace.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lines(Rc<RefCell<Vec<String>>>);

impl Lines {
    /// What happened, in order.
    #[must_use]
    pub(crate) fn take(&self) -> Vec<String> {
        self.0.take()
    }

    fn push(&self, line: String) {
        self.0.borrow_mut().push(line);
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Tracer {
    lines: Lines,
    commit: Option<Lsn>,
    heard: BTreeSet<usize>,
    writes: BTreeSet<(usize, Token)>,
    wrote: BTreeSet<usize>,
    acked: BTreeSet<usize>,
    /// What each node did so far.
    done: BTreeMap<usize, Vec<&'static str>>,
    answered: bool,
}

impl Tracer {
    /// Where the lines will be.
    #[must_use]
    pub(crate) fn lines(&self) -> Lines {
        self.lines.clone()
    }

    /// A commit was appended.
    pub(crate) fn appended(&mut self, now_us: u64, lsn: Lsn) {
        if self.commit.is_none() && now_us >= FROM_US {
            self.commit = Some(lsn);
            self.lines.push("writer: append".to_owned());
        }
    }

    /// A message reaches a node.
    pub(crate) fn node_hears(&mut self, node: usize, envelope: &Envelope) {
        let (Some(commit), Message::Append(append)) = (self.commit, &envelope.message) else { return };
        let holds = Record::decode_all(&append.frames).is_ok_and(|rs| rs.iter().any(|r| r.lsn == commit));
        if holds && self.heard.insert(node) {
            self.did(node, "append received");
        }
    }

    /// A node starts a disk operation.
    pub(crate) fn issues(&mut self, node: usize, token: Token, file: DiskFile, op: &DiskOp) {
        let write = matches!((file, op), (DiskFile::Log(_), DiskOp::Write { durable: true, .. }));
        if write && self.heard.contains(&node) && self.wrote.insert(node) {
            self.writes.insert((node, token));
            self.did(node, "log write and sync begin");
        }
    }

    /// A disk operation ended.
    pub(crate) fn completes(&mut self, node: usize, token: Token) {
        if self.writes.remove(&(node, token)) {
            self.did(node, "sync done");
        }
    }

    /// A node says something.
    pub(crate) fn node_says(&mut self, node: usize, envelope: &Envelope) {
        let (Some(commit), Message::Acked(acked)) = (self.commit, &envelope.message) else { return };
        if acked.scl >= commit && matches!(envelope.to, Peer::Compute(_)) && self.acked.insert(node) {
            self.did(node, "ack");
            if self.acked.len() <= WRITE_QUORUM {
                self.lines.push(format!("copy {}: {}", self.acked.len(), self.done[&node].join(", ")));
            }
        }
    }

    fn did(&mut self, node: usize, what: &'static str) {
        self.done.entry(node).or_default().push(what);
    }

    /// The writer's process tells something. True once the commit was answered and all six acknowledged it.
    pub(crate) fn told(&mut self, fact: &Told) -> bool {
        let Some(commit) = self.commit else { return false };
        match fact {
            Told::Vdl(_, vdl) if *vdl >= commit && !self.answered => {
                self.lines.push("writer: VDL".to_owned());
            }
            Told::Committed(lsn) if *lsn == commit => {
                self.lines.push("writer: OK".to_owned());
                self.answered = true;
            }
            _ => {}
        }
        self.answered
    }
}
