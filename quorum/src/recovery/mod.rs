//! Opening a volume for writing: one attempt of one candidate (R1-R9).
//!
//! ```text
//!  Asking      Query group 0 --------> who is there, the newest head, the highest epoch, and whether four would grant: a
//!                                      candidate that would be refused changes nothing (R7)
//!  Fencing     Fence(e, w) ----------> group 0 elects at four of six; then every group the head lists is fenced.
//!                                      Who lacks the adopted head is given it, and fenced again
//!  Collecting  FetchLog above the ---> chain per group -> VCL -> VDL over all groups; claims are checked (R5)
//!              highest VDL told
//!  Installing  Install(head, log) ---> at four of six of every group: list and repair durable (R2, R4)
//!  Repairing   R12 for groups other than 0 of which only three copies are left (see `repair`)
//!  Opened      WriterLog
//! ```
//!
//! Invariants:
//! 1. Only answers to our own fence under the adopted head count, and only from lives that head names.
//! 2. The head adopted is the highest seen in any reply (R2, R9).
//! 3. Nothing a counted segment shows is left out, and nothing that four members can have acknowledged is truncated: a claim above
//!    what is shown waits for more copies, and halts when all six have answered.
//! 4. VDL is at least every VDL ever told to a counted segment.
//!
//! A refusal by a higher epoch finishes this attempt; the caller stands again with a new nonce after a random wait (R7).

mod choose;
mod collect;
mod fence;
mod install;
mod repair;
mod seat;

pub use choose::{Chosen, choose};

use crate::sets::{read_quorum, write_quorum};
use crate::settings::Settings;
use crate::writer::WriterLog;
use crate::{Actions, Event};
use protocol::head::Head;
use protocol::message::{Envelope, Message, Peer, Refused, RefusedReason, SegmentState};
use protocol::{Lsn, PgId, SegmentId, VolumeEpoch, VolumeId, WriterId, mutant};
use seat::Assembly;

/// One attempt.
#[derive(Clone, Debug)]
pub struct RecoverSettings {
    /// Sizes and times.
    pub settings: Settings,
    /// The volume meant, when it is known; another one at these addresses is refused.
    pub volume: Option<VolumeId>,
    /// A fresh nonce of this attempt (R7).
    pub writer: WriterId,
    /// Random seed of the incarnations the writer may create.
    pub nonce: u128,
}

/// Why a segment does not count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Why {
    /// No answer.
    Silent,
    /// Its folder is new, or holds another life than the head names.
    OtherLife,
    /// It belongs to another volume.
    ForeignVolume,
    /// It answered but did not grant yet.
    NotGranted,
}

/// A member that does not count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Missing {
    /// Which.
    pub segment: SegmentId,
    /// Why.
    pub why: Why,
}

/// How an attempt ends.
#[derive(Debug)]
pub enum Outcome {
    /// Open for writing.
    Opened(Box<WriterLog>),
    /// All six answered, and none of them knows a volume.
    NoVolume,
    /// All six of group 0 answered, and too few are members: these are gone.
    Refused {
        /// Every member of group 0 that does not count.
        missing: Vec<Missing>,
    },
    /// Somebody holds a higher epoch: this attempt is finished.
    Superseded {
        /// The higher epoch.
        epoch: VolumeEpoch,
    },
    /// R5: acknowledged log is claimed that none of six can show. Nothing was truncated.
    Halted {
        /// The group.
        pg: PgId,
        /// The highest claim.
        claimed: Lsn,
        /// What could be shown.
        shown: Lsn,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Asking,
    Fencing,
    Collecting,
    Installing,
    Repairing,
    Done,
}

/// See the module.
#[derive(Debug)]
pub struct Recoverer {
    config: RecoverSettings,
    phase: Phase,
    epoch: VolumeEpoch,
    writer: WriterId,
    /// The highest head in any reply.
    head: Option<Head>,
    groups: Vec<Assembly>,
    /// Since when the present phase could go on but waits for stragglers.
    ready_since_us: Option<u64>,
    /// Where the volume chain starts: the highest VDL told.
    start: Lsn,
    requests: u64,
    /// Rounds of fresh answers while claims were not met.
    claim_rounds: u32,
    refreshed_us: u64,
    /// The head this opening installs, its VDL and ceiling.
    opening: Option<install::Opening>,
    sequence: u64,
    /// Since when nothing but lost copies keeps the opening from its end.
    short_since_us: Option<u64>,
    /// The writer to be, while it replaces them.
    repairing: Option<Box<WriterLog>>,
}

/// The number of the question before an election.
const FIRST_QUESTION: u64 = 1;

impl Recoverer {
    /// Nothing is sent before the first step.
    #[must_use]
    pub fn new(config: RecoverSettings) -> Recoverer {
        Recoverer {
            writer: config.writer,
            config,
            phase: Phase::Asking,
            epoch: VolumeEpoch::NONE,
            head: None,
            groups: vec![Assembly::new(PgId(0))],
            ready_since_us: None,
            start: Lsn::ZERO,
            requests: FIRST_QUESTION,
            claim_rounds: 0,
            refreshed_us: 0,
            opening: None,
            sequence: 0,
            short_since_us: None,
            repairing: None,
        }
    }

    /// The epoch stood for; zero while asking.
    #[must_use]
    pub fn epoch(&self) -> VolumeEpoch {
        self.epoch
    }

    /// The highest head in any reply so far: where the copies live, for whoever carries the messages (R9).
    #[must_use]
    pub fn head(&self) -> Option<&Head> {
        match &self.repairing {
            Some(log) => Some(log.head()),
            None => self.opening.as_ref().map(|opening| &opening.head).or(self.head.as_ref()),
        }
    }

    /// What it is doing, for logs.
    #[must_use]
    pub fn doing(&self) -> &'static str {
        match self.phase {
            Phase::Asking => "asks who is there",
            Phase::Fencing => "fences older writers",
            Phase::Collecting => "reads the end of the log",
            Phase::Installing => "repairs",
            Phase::Repairing => "replaces lost copies",
            Phase::Done => "is finished",
        }
    }

    /// Tells what happened; `Some` ends the attempt.
    pub fn step(&mut self, now_us: u64, event: Event, actions: &mut Actions) -> Option<Outcome> {
        if self.phase == Phase::Done {
            return None;
        }
        if self.phase == Phase::Repairing {
            let outcome = self.drive_repair(now_us, event, actions);
            if outcome.is_some() {
                self.phase = Phase::Done;
            }
            return outcome;
        }
        let mut outcome = None;
        if let Event::Message(envelope) = event {
            let ours = envelope.to == Peer::Compute(self.config.writer);
            if let (Peer::Segment(id), true) = (envelope.from, ours) {
                outcome = self.on_message(now_us, id, envelope.message);
            }
        }
        let outcome = outcome.or_else(|| self.drive(now_us, actions));
        if outcome.is_some() {
            self.phase = Phase::Done;
        }
        outcome
    }

    /// Members of every known group that do not count yet, for the message of whoever gives up waiting.
    #[must_use]
    pub fn missing(&self) -> Vec<Missing> {
        if let Some(log) = &self.repairing {
            return Recoverer::being_replaced(log);
        }
        let mut missing = Vec::new();
        let asked = if self.phase == Phase::Asking { 1 } else { self.groups.len() };
        for group in &self.groups[..asked] {
            let members = self.head.as_ref().and_then(|h| h.group(group.pg));
            for seat in &group.seats {
                let why = match &seat.state {
                    None => Why::Silent,
                    Some(state) if self.foreign(state) => Why::ForeignVolume,
                    Some(state) => match members {
                        Some(m)
                            if m.members[usize::from(seat.id.position)].incarnation != state.incarnation =>
                        {
                            Why::OtherLife
                        }
                        Some(_) if seat.granted || self.phase == Phase::Asking => continue,
                        Some(_) => Why::NotGranted,
                        None => Why::OtherLife,
                    },
                };
                missing.push(Missing { segment: seat.id, why });
            }
        }
        missing
    }

    fn foreign(&self, state: &SegmentState) -> bool {
        state.volume.0 != 0 && self.config.volume.is_some_and(|v| v != state.volume)
    }

    fn seat(&mut self, id: SegmentId) -> Option<&mut seat::Seat> {
        self.groups.get_mut(id.pg.0 as usize)?.seats.get_mut(usize::from(id.position))
    }

    fn on_message(&mut self, now_us: u64, id: SegmentId, message: Message) -> Option<Outcome> {
        match message {
            Message::State(state) => self.on_state(id, state),
            Message::Refused(refused) => return self.on_refused(id, &refused),
            Message::LogSlice(slice) => self.on_slice(id, &slice),
            Message::Acked(acked) => self.on_acked(now_us, id, &acked),
            _ => {}
        }
        None
    }

    fn on_state(&mut self, id: SegmentId, state: SegmentState) {
        let granted = state.request == 0
            && self.phase != Phase::Asking
            && state.epoch == self.epoch
            && state.writer == self.writer;
        if state.request == 0 && !granted && !mutant!(EmptyFolderVotes) {
            return;
        }
        if let (Some(head), false) = (&state.head, self.foreign(&state))
            && head.volume == state.volume
            && head.check().is_ok()
        {
            self.adopt(head);
        }
        if self.is_elsewhere(id, &state) {
            // An old address led here: with the head it gave, the copy is asked for where it lives now (R9).
            return;
        }
        let answers = state.request == 0 || mutant!(OtherPgNotFenced) && id.pg != PgId(0);
        if let Some(seat) = self.seat(id) {
            if seat.granted && !answers {
                return;
            }
            seat.granted = answers;
            seat.state = Some(state);
        }
    }

    /// True when the copy does not live where this answer comes from: it was left, or holds a tombstone (R12). A folder that was wiped holds
    /// no head, and is not meant.
    fn is_elsewhere(&self, id: SegmentId, state: &SegmentState) -> bool {
        let Some(head) = &self.head else { return false };
        let elsewhere = head.home(id).is_some_and(|member| member.node != state.node);
        head.left(id, state.node) || (elsewhere && state.incarnation.0 == 0 && state.head.is_some())
    }

    /// Invariant 2. The list of groups may grow with it; log read under an older head is read again.
    fn adopt(&mut self, head: &Head) {
        let newer = self.head.as_ref().is_none_or(|held| head.version > held.version);
        let later_than_us = self.phase != Phase::Asking && head.version.epoch > self.epoch;
        let cached = mutant!(HeadFromCache) && self.phase != Phase::Asking;
        if !newer
            || cached
            || later_than_us
            || matches!(self.phase, Phase::Installing | Phase::Repairing | Phase::Done)
        {
            return;
        }
        while self.groups.len() < head.groups.len() {
            self.groups.push(Assembly::new(PgId(self.groups.len() as u32)));
        }
        // The head of a deposed writer may list a group that a higher one does not: it is void (R10).
        self.groups.truncate(head.groups.len());
        self.head = Some(head.clone());
        if mutant!(MajorityList) {
            self.adopt_majority();
        }
        for group in &mut self.groups {
            group.unread();
        }
        self.forget_old_places();
        if self.phase == Phase::Collecting {
            self.phase = Phase::Fencing;
        }
    }

    /// Answers of places that the adopted head says were left are no answers.
    fn forget_old_places(&mut self) {
        for group in 0..self.groups.len() {
            for position in 0..self.groups[group].seats.len() {
                let seat = &self.groups[group].seats[position];
                let old = seat.state.as_ref().is_some_and(|state| self.is_elsewhere(seat.id, state));
                if old {
                    let seat = &mut self.groups[group].seats[position];
                    seat.state = None;
                    seat.doubt();
                }
            }
        }
    }

    /// Planted bug: what most replies hold instead of the newest.
    fn adopt_majority(&mut self) {
        let held =
            || self.groups.iter().flat_map(|g| &g.seats).filter_map(|s| s.state.as_ref()?.head.as_ref());
        let count = |head: &Head| held().filter(|h| h.version == head.version).count();
        if let Some(head) = held().max_by_key(|h| count(h)) {
            self.head = Some(head.clone());
        }
    }

    fn on_refused(&mut self, id: SegmentId, refused: &Refused) -> Option<Outcome> {
        // Whoever refuses hands out the newest head it knows; with that one the fence goes on (R9, R12).
        let volume = self.head.as_ref().map(|h| h.volume);
        if let Some(head) = refused.head.as_ref().filter(|h| Some(h.volume) == volume && h.check().is_ok()) {
            self.adopt(head);
        }
        match refused.reason {
            // Promises end by themselves, and membership comes with the refusal: the fence is asked again.
            RefusedReason::Promised | RefusedReason::StaleMembership if refused.epoch <= self.epoch => None,
            RefusedReason::StaleEpoch | RefusedReason::Promised | RefusedReason::StaleMembership => {
                let later = refused.epoch >= self.epoch && self.phase != Phase::Asking;
                later.then_some(Outcome::Superseded { epoch: refused.epoch })
            }
            // It is asked again and then tells which life it is.
            RefusedReason::OtherIncarnation | RefusedReason::Failed => {
                if let Some(seat) = self.seat(id) {
                    seat.granted = false;
                    seat.fetch = None;
                }
                None
            }
        }
    }

    fn drive(&mut self, now_us: u64, actions: &mut Actions) -> Option<Outcome> {
        if self.phase == Phase::Asking
            && let Some(outcome) = self.drive_asking(now_us, actions)
        {
            return Some(outcome);
        }
        if self.phase == Phase::Fencing {
            self.drive_fencing(now_us, actions);
        }
        if self.phase == Phase::Collecting
            && let Some(outcome) = self.drive_collecting(now_us, actions)
        {
            return Some(outcome);
        }
        if self.phase == Phase::Installing {
            return self.drive_installing(now_us, actions);
        }
        None
    }

    fn say(&self, id: SegmentId, message: Message, actions: &mut Actions) {
        let (from, to) = (Peer::Compute(self.config.writer), Peer::Segment(id));
        actions.sends.push(Envelope { from, to, message });
    }

    /// When the next tick is wanted: asking again is all that time does here.
    #[must_use]
    pub fn next_wake_us(&self, now_us: u64) -> u64 {
        let soon = now_us + self.config.settings.ask_us / 2;
        self.repairing.as_ref().map_or(soon, |log| log.next_wake_us().min(soon))
    }
}

/// Copies of a group that must hold the repair before serving (R4).
fn install_quorum() -> usize {
    write_quorum()
}

/// Copies of group 0 that elect (R7).
fn grant_quorum() -> usize {
    if mutant!(GrantsAt3) { 3 } else { read_quorum() }
}

/// Copies of a group that must answer (R6).
fn fence_quorum() -> usize {
    read_quorum()
}
