//! Checkers of elections and leases that do not wait for a stale answer: a promise that left is kept whatever crashes (R8), nobody
//! wins with less than four grants (R7), and while a statement is answered no rival could be elected.
//!
//! Promises are remembered here by the clock of the machine that gave them, across its crashes; the node forgets them.

use crate::director::Director;
use protocol::geometry::WRITE_QUORUM;
use protocol::message::{Acked, Envelope, Install, Message, SegmentState};
use protocol::{Incarnation, PgId, SegmentId, WriterId};
use std::collections::{BTreeMap, BTreeSet};

/// A promise as the world heard it.
#[derive(Clone, Copy, Debug)]
struct Promised {
    life: Incarnation,
    to: WriterId,
    /// Of the node's clock.
    until_us: u64,
}

/// What elections are judged by.
#[derive(Debug, Default)]
pub(crate) struct Elections {
    /// Positions of group 0 whose vote reached each candidate.
    votes: BTreeMap<WriterId, BTreeSet<u8>>,
    /// Positions of group 0 that granted each candidate.
    grants: BTreeMap<WriterId, BTreeSet<u8>>,
    /// Candidates that were elected: they install.
    winners: BTreeSet<WriterId>,
    /// Candidates that began to install their own head.
    installing: BTreeSet<WriterId>,
    /// By node of group 0: the last promise that left.
    promised: BTreeMap<usize, Promised>,
    /// By node: candidates whose last fence came with an older membership than the node held.
    outdated: BTreeSet<(usize, WriterId)>,
}

impl Elections {
    /// This candidate installs its own head.
    pub(crate) fn installs(&mut self, writer: WriterId) {
        self.installing.insert(writer);
    }

    /// True once it does.
    pub(crate) fn installing(&self, writer: WriterId) -> bool {
        self.installing.contains(&writer)
    }

    /// True when this candidate was elected.
    pub(crate) fn won(&self, writer: WriterId) -> bool {
        self.winners.contains(&writer)
    }
}

impl Director {
    /// A message of a candidate or a writer is about to reach a node of group 0.
    pub(crate) fn reaches_arbiter(&mut self, node: usize, envelope: &Envelope) {
        match &envelope.message {
            Message::Fence(fence) if node < 6 => {
                let id = SegmentId { pg: PgId(0), position: node as u8 };
                let held = self.hosts[node].serving().and_then(|n| n.inspect(id));
                let ours = held.as_ref().is_some_and(|s| (s.epoch, s.writer) == (fence.epoch, fence.writer));
                let version = held.and_then(|s| s.head).and_then(|h| h.group(PgId(0)).map(|g| g.version));
                if version.is_some_and(|version| version > fence.membership) && !ours {
                    self.elections.outdated.insert((node, fence.writer));
                } else {
                    self.elections.outdated.remove(&(node, fence.writer));
                }
            }
            Message::Release(release)
                if self.elections.promised.get(&node).is_some_and(|p| p.to == release.writer) =>
            {
                self.elections.promised.remove(&node);
            }
            _ => {}
        }
    }

    /// An acknowledgement of group 0 leaves with a promise.
    pub(crate) fn saw_promise(&mut self, node: usize, to: WriterId, acked: &Acked) {
        if acked.promised_ms > 0 {
            let until_us = self.hosts[node].clock.at(self.now_us) + acked.promised_ms * 1000;
            self.elections.promised.insert(node, Promised { life: acked.incarnation, to, until_us });
        }
    }

    /// R8, R12: a grant of group 0 leaves.
    pub(crate) fn check_election(&mut self, node: usize, id: SegmentId, state: &SegmentState) {
        if id.pg != PgId(0) {
            return;
        }
        let (writer, now_us) = (state.writer, self.hosts[node].clock.at(self.now_us));
        self.elections.grants.entry(writer).or_default().insert(id.position);
        if self.elections.won(writer) {
            return;
        }
        if let Some(Promised { life, to, until_us }) = self.elections.promised.get(&node).copied()
            && life == state.incarnation
            && to != writer
            && now_us < until_us
        {
            let left_us = until_us - now_us;
            return self
                .fail(format!("R8: node {node} grants {writer}, and promised {to} {left_us} us more"));
        }
        if self.elections.outdated.contains(&(node, writer)) {
            self.fail(format!("R12: node {node} grants {writer}, whose membership is older than its own"));
        }
    }

    /// A vote reaches a candidate.
    pub(crate) fn saw_vote(&mut self, candidate: WriterId, position: u8) {
        self.elections.votes.entry(candidate).or_default().insert(position);
    }

    /// R7: whoever asks for grants has asked for votes before, and had four.
    pub(crate) fn check_candidate(&mut self, candidate: WriterId) {
        let votes = self.elections.votes.get(&candidate).map_or(0, BTreeSet::len);
        if votes < WRITE_QUORUM {
            self.fail(format!("R7: {candidate} stands with {votes} votes"));
        }
    }

    /// R7: whoever installs was granted by four.
    pub(crate) fn check_winner(&mut self, install: &Install) {
        let granted = self.elections.grants.get(&install.writer).map_or(0, BTreeSet::len);
        self.elections.winners.insert(install.writer);
        if install.head.version.epoch == install.epoch && granted < WRITE_QUORUM {
            let (epoch, writer) = (install.epoch, install.writer);
            self.fail(format!("R7: {writer} installs its list for {epoch:?} with {granted} grants"));
        }
    }

    /// R8(b): whatever both clocks do, the lease ends before the promises it rests on.
    fn check_life(&mut self, compute: usize) {
        let process = &self.computes[compute];
        let Some(log) = process.log() else { return };
        let until = process.real_us(log.leased_until_us());
        let writer = process.writer;
        let live = |(node, p): &(&usize, &Promised)| {
            p.to == writer && self.hosts[**node].clock.when(p.until_us) >= until
        };
        let live = self.elections.promised.iter().filter(live).count();
        if live < 3 {
            self.fail(format!("R8: {writer} is leased until {until} us, and {live} promises last as long"));
        }
    }

    /// R8: while `compute` answers, fewer than four segments of group 0 may grant, or have granted, somebody else.
    pub(crate) fn check_lease(&mut self, compute: usize) {
        self.check_life(compute);
        let Some(log) = self.computes[compute].log() else { return };
        let epoch = log.epoch();
        let stranger = WriterId(1);
        let free = (0..6_u8).filter(|position| {
            let id = SegmentId { pg: PgId(0), position: *position };
            let Some(core) = self.hosts[usize::from(*position)].serving() else { return false };
            let Some(grants) = core.would_grant(id, stranger) else { return false };
            grants || core.inspect(id).is_some_and(|s| s.epoch > epoch)
        });
        let free = free.count();
        if free >= WRITE_QUORUM {
            self.fail(format!("R8: {epoch:?} answers a statement while {free} segments may elect a rival"));
        }
    }
}
