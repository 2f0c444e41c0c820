//! What leaves, and when: new batches, retransmissions, heartbeats.
//!
//! Per copy there is one rule: send kept batches in order from `next` while the window has room. Silence moves `next` back to what
//! the SCL lacks; a copy that stays silent only gets heartbeats, so a dead node costs six small messages a second. A copy
//! whose batches were already dropped here skips them: gossip fills the gap, and the window of the others is untouched.

use super::WriterLog;
use super::copy::Copy;
use crate::Actions;
use bytes::Bytes;
use protocol::message::{Append, Envelope, Peer};

impl WriterLog {
    /// Closes what is due and sends what the windows allow.
    pub fn poll_send(&mut self, now_us: u64, actions: &mut Actions) {
        if self.ended.is_some() {
            return;
        }
        self.drive_confirming(now_us, actions);
        for group in 0..self.groups.len() {
            let due = self.groups[group].due(now_us, self.urgent, &self.settings);
            if due {
                self.groups[group].seal();
            }
            for position in 0..self.groups[group].copies.len() {
                self.poll_copy(now_us, group, position, actions);
            }
        }
    }

    fn poll_copy(&mut self, now_us: u64, group: usize, position: usize, actions: &mut Actions) {
        let (retransmit_us, window) = (self.settings.retransmit_us, self.settings.window_bytes);
        let part = &mut self.groups[group];
        if part.copies[position].lost {
            return;
        }
        let mut flying = part.in_flight(&part.copies[position]);
        let (after, oldest) = (part.after(part.copies[position].scl), part.oldest());
        let copy = &mut part.copies[position];
        let patience = retransmit_us << copy.silent.min(3);
        if flying > 0 && now_us >= copy.progress_us + patience {
            copy.next = after;
            copy.silent += 1;
            copy.progress_us = now_us;
            flying = 0;
        }
        copy.next = copy.next.max(after).max(oldest);
        while self.groups[group].copies[position].takes_log() {
            let part = &self.groups[group];
            let Some(batch) = part.batch(part.copies[position].next) else { break };
            let frames = batch.frames.clone();
            if flying > 0 && flying + frames.len() > window {
                break;
            }
            if flying == 0 {
                self.groups[group].copies[position].progress_us = now_us;
            }
            flying += frames.len();
            self.groups[group].copies[position].next += 1;
            self.send(now_us, group, position, frames, actions);
        }
        let copy = &self.groups[group].copies[position];
        if now_us >= copy.sent_us + self.pause_us(group, copy) {
            self.send(now_us, group, position, Bytes::new(), actions);
        }
    }

    /// How long a copy may hear nothing: a new head is awaited, by group 0 and by the group it changed.
    fn pause_us(&self, group: usize, copy: &Copy) -> u64 {
        let version = self.head.version;
        let concerned = group == 0 || self.head.groups.get(group).is_some_and(|g| g.version == version);
        if copy.full && !copy.lost {
            return self.settings.full_us;
        }
        match concerned && copy.head < version && copy.takes_log() {
            true if copy.head_sent < version => 0,
            true => self.settings.ask_us,
            false => self.settings.heartbeat_us,
        }
    }

    /// One transmission; without frames it is a heartbeat. The head goes along until the copy is known to have it.
    pub(super) fn send(
        &mut self,
        now_us: u64,
        group: usize,
        position: usize,
        frames: Bytes,
        actions: &mut Actions,
    ) {
        let pgmrpl = self.pgmrpl(self.groups[group].pg);
        let version = self.head.version;
        let copy = &mut self.groups[group].copies[position];
        copy.sequence += 1;
        copy.sent_us = now_us;
        copy.head_sent = version;
        let head = (copy.head < version).then(|| self.head.clone());
        actions.sends.push(Envelope {
            from: Peer::Compute(self.writer),
            to: Peer::Segment(copy.id),
            message: Append {
                epoch: self.epoch,
                writer: self.writer,
                incarnation: copy.incarnation,
                sequence: copy.sequence,
                sent_us: now_us,
                head_version: version,
                head,
                vdl: self.unproven.unwrap_or(self.vdl),
                pgmrpl,
                frames,
            }
            .into(),
        });
    }

    /// When [`step`](Self::step) wants a tick next, microseconds of the caller's clock.
    #[must_use]
    pub fn next_wake_us(&self) -> u64 {
        let mut wake = u64::MAX;
        for (position, group) in self.groups.iter().enumerate() {
            if let Some(until) = group.lingers_until(&self.settings) {
                wake = wake.min(until);
            }
            for copy in &group.copies {
                if copy.lost {
                    continue;
                }
                wake = wake.min(copy.sent_us + self.pause_us(position, copy));
                if group.in_flight(copy) > 0 {
                    let patience = self.settings.retransmit_us << copy.silent.min(3);
                    wake = wake.min(copy.progress_us + patience);
                }
            }
        }
        wake = self.confirming_wake_us().map_or(wake, |at| wake.min(at));
        self.changes.wake_us().map_or(wake, |at| wake.min(at))
    }
}
