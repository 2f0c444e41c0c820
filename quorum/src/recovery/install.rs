//! The last phase: the list and the repair, durable at four of six of every group before anything is served (R1, R2, R4).

use super::seat::Assembly;
use super::{Outcome, Phase, Recoverer, install_quorum};
use crate::Actions;
use crate::writer::{Start, WriterLog};
use bytes::{Bytes, BytesMut};
use protocol::head::{Head, HeadVersion, Truncation};
use protocol::message::{Acked, Fence, Install};
use protocol::{Lsn, PgId, Record, SegmentId, mutant};

/// Bytes of log in one install.
const INSTALL_BYTES: usize = 1 << 20;

/// What was decided.
#[derive(Clone, Debug)]
pub(super) struct Opening {
    pub(super) head: Head,
    vdl: Lsn,
    ceiling: Lsn,
}

impl Recoverer {
    pub(super) fn begin_installing(&mut self, adopted: &Head, vdl: Lsn) {
        assert!(vdl >= self.start, "I3: VDL {} was told, {vdl} chosen", self.start);
        let earlier = if mutant!(CeilingFromVdl) { Lsn::ZERO } else { adopted.truncations.ceiling() };
        let ceiling = vdl.max(earlier).advance(self.config.settings.lal_bytes);
        let mut head = adopted.clone();
        let seq = if adopted.version.epoch == self.epoch { adopted.version.seq + 1 } else { 0 };
        head.version = HeadVersion { epoch: self.epoch, seq };
        let gone = self.nothing_held_below(adopted);
        // An opening that made no progress is covered by this one: what it killed, this one kills.
        let covered = |t: &Truncation| t.lo >= vdl && t.hi <= ceiling;
        let unheld = |t: &Truncation| t.hi < vdl && t.hi < gone;
        head.truncations.entries.retain(|t| !unheld(t) && !covered(t));
        head.truncations.entries.push(Truncation { epoch: self.epoch, lo: vdl, hi: ceiling });
        for group in &mut self.groups {
            let kept = group.chain.partition_point(|r| r.lsn <= vdl);
            group.chain.truncate(kept);
            group.last = group.end();
            for seat in &mut group.seats {
                seat.asked_us = None;
                seat.installed = None;
            }
        }
        self.opening = Some(Opening { head, vdl, ceiling });
        self.phase = Phase::Installing;
    }

    /// R2: an entry may go once every member of every group says that it holds no log at or below its ceiling; who is silent holds.
    fn nothing_held_below(&self, head: &Head) -> Lsn {
        let mut lowest = Lsn::MAX;
        for group in &self.groups {
            let Some(members) = head.group(group.pg) else { return Lsn::ZERO };
            for seat in &group.seats {
                match &seat.state {
                    Some(state) if Assembly::counted(head, members, seat) => {
                        lowest = lowest.min(state.oldest)
                    }
                    _ => return Lsn::ZERO,
                }
            }
        }
        lowest
    }

    pub(super) fn drive_installing(&mut self, now_us: u64, actions: &mut Actions) -> Option<Outcome> {
        let opening = self.opening.clone()?;
        let short = self.short(&opening);
        if short.is_empty() {
            return Some(Outcome::Opened(Box::new(self.start(now_us, opening))));
        }
        if self.may_repair(now_us, &short) {
            let mut log = self.start(now_us, opening);
            short.iter().for_each(|pg| log.distrust(*pg, self.start));
            self.repairing = Some(Box::new(log));
            self.phase = Phase::Repairing;
            return self.drive_repair(now_us, crate::Event::Tick, actions);
        }
        for group in 0..self.groups.len() {
            for position in 0..self.groups[group].seats.len() {
                self.install(now_us, group, position, &opening, actions);
            }
        }
        None
    }

    /// Groups that do not yet hold the repair at four of six.
    fn short(&self, opening: &Opening) -> Vec<PgId> {
        let short = self.groups.iter().filter(|group| {
            let Some(members) = opening.head.group(group.pg) else { return true };
            let votes = group.votes(members, |seat| match seat.installed {
                Some(scl) => scl >= group.last || mutant!(ServeBeforeRepair),
                None => {
                    let held = seat.state.as_ref().map_or(Lsn::ZERO, |s| s.scl);
                    mutant!(HeadNotAwaited) && seat.granted && held >= group.last
                }
            });
            !votes.hold(install_quorum())
        });
        short.map(|group| group.pg).collect()
    }

    /// Sends one seat the head and what it lacks; again when its answer was late or left something to send.
    fn install(
        &mut self,
        now_us: u64,
        group: usize,
        position: usize,
        opening: &Opening,
        actions: &mut Actions,
    ) {
        let ask_us = self.config.settings.ask_us;
        let assembly = &mut self.groups[group];
        let Some(members) = opening.head.group(assembly.pg) else { return };
        let seat = &mut assembly.seats[position];
        let done = seat.installed.is_some_and(|scl| scl >= assembly.last);
        if done || seat.asked_us.is_some_and(|at| now_us < at + ask_us) {
            return;
        }
        seat.asked_us = Some(now_us);
        let told = seat.state.as_ref().filter(|_| seat.granted).map_or(Lsn::ZERO, |s| s.scl);
        let held = seat.installed.unwrap_or(told);
        let incarnation = seat.life().unwrap_or(members.members[position].incarnation);
        let id = seat.id;
        let frames = if mutant!(ServeBeforeRepair) { Bytes::new() } else { lacking(&assembly.chain, held) };
        self.sequence += 1;
        let install = Install {
            epoch: self.epoch,
            writer: self.writer,
            incarnation,
            sequence: self.sequence,
            head: opening.head.clone(),
            frames,
        };
        self.say(id, install.into(), actions);
        if !self.groups[group].seats[position].granted {
            // A late one: its answer tells which life it is, and then it may count.
            let membership = opening.head.version;
            self.say(id, Fence { epoch: self.epoch, writer: self.writer, membership }.into(), actions);
        }
    }

    pub(super) fn on_acked(&mut self, now_us: u64, id: SegmentId, acked: &Acked) {
        if acked.epoch != self.epoch {
            return;
        }
        let installing = self.opening.as_ref().map(|o| o.head.version);
        let pause = self.config.settings.ask_us;
        let Some(seat) = self.seat(id) else { return };
        match installing {
            Some(version) if acked.head_version >= version => {
                if seat.life().is_some_and(|life| life != acked.incarnation) {
                    return;
                }
                seat.spoke = Some(acked.incarnation);
                let progress = seat.installed.is_none_or(|scl| acked.scl > scl);
                seat.installed = Some(seat.installed.unwrap_or(Lsn::ZERO).max(acked.scl));
                if progress {
                    seat.asked_us = Some(now_us.saturating_sub(pause));
                }
            }
            // It took the adopted head: its state is asked for again, at once.
            None => {
                seat.granted = false;
                seat.asked_us = None;
            }
            Some(_) => {}
        }
    }

    fn start(&mut self, now_us: u64, opening: Opening) -> WriterLog {
        let start = Start {
            epoch: self.epoch,
            writer: self.writer,
            head: opening.head,
            vdl: opening.vdl,
            ceiling: opening.ceiling,
            lasts: self.groups.iter().map(|g| g.last).collect(),
            nonce: self.config.nonce,
        };
        WriterLog::start(self.config.settings.clone(), start, now_us)
    }
}

/// Frames of the chain above `held`, as many as fit one install.
fn lacking(chain: &[Record], held: Lsn) -> Bytes {
    let mut frames = BytesMut::new();
    for record in chain.iter().filter(|r| r.lsn > held) {
        if !frames.is_empty() && frames.len() + record.len() > INSTALL_BYTES {
            break;
        }
        frames.extend_from_slice(record.frame());
    }
    frames.freeze()
}
