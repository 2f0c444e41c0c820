//! Reads without a clock (`sextant_read_confirm = quorum`, R8): a read waits until three of group 0 have confirmed, after it arrived, that they
//! hold this writer's grant and no later one.
//!
//! ```text
//!   reads arrive   a b    c d e           f
//!   rounds         [1 ────────] [2 ──────────] [3 ..      one in flight; c, d, e arrived while 1 flew: they are answered by 2
//!                   6 heartbeats, numbered; 3 acknowledgements of those numbers or later ones that promise something
//! ```
//! A rival needs four grants of group 0; three that did not grant it when they were asked, after the read arrived, are proof that it had not
//! been elected when the read arrived. Nothing here compares times: not the promise's life, not the clock of either end.
//!
//! Invariants
//! 1. A ticket is answered by a round that was sent after the ticket was drawn.
//! 2. Only members count, and only an answer that echoes a transmission of the round or a later one and promises something: a node that
//!    took another grant promises nothing from that moment on, in memory (R6).
//! 3. While a member is replaced, three of the other five are three in both sets (R12).

use super::WriterLog;
use super::lease::PROMISES;
use crate::{Actions, Notice};
use bytes::Bytes;
use protocol::geometry::COPIES;
use protocol::message::Acked;

/// Rounds asked, in flight, answered.
#[derive(Debug, Default)]
pub(super) struct Confirming {
    /// The highest ticket drawn.
    asked: u64,
    round: Option<Round>,
    /// The highest ticket answered.
    done: u64,
}

#[derive(Debug)]
struct Round {
    ticket: u64,
    /// By position: the first transmission of the round.
    first: [u64; COPIES],
    confirmed: [bool; COPIES],
    sent_us: u64,
}

impl WriterLog {
    /// A read has arrived: the ticket it waits for, by [`Notice::Confirmed`]. Step the log, or let it send, so that the round leaves.
    pub fn draw_ticket(&mut self) -> u64 {
        let confirming = &mut self.confirming;
        let flying = confirming.round.as_ref().map_or(confirming.done, |round| round.ticket);
        confirming.asked = confirming.asked.max(flying + 1);
        confirming.asked
    }

    /// The highest ticket answered.
    #[must_use]
    pub fn confirmed(&self) -> u64 {
        self.confirming.done
    }

    /// Sends the round that is due: the first time, or again to those that have not answered.
    pub(super) fn drive_confirming(&mut self, now_us: u64, actions: &mut Actions) {
        let ask_us = self.settings.ask_us;
        let fresh = self.confirming.round.is_none();
        if fresh && self.confirming.asked <= self.confirming.done {
            return;
        }
        if self.confirming.round.as_ref().is_some_and(|round| now_us < round.sent_us + ask_us) {
            return;
        }
        let members = self.groups[0].copies.len();
        for position in 0..members {
            let copy = &self.groups[0].copies[position];
            let answered = self.confirming.round.as_ref().is_some_and(|round| round.confirmed[position]);
            if copy.counts && !copy.lost && !answered {
                self.send(now_us, 0, position, Bytes::new(), actions);
            }
        }
        let copies = &self.groups[0].copies;
        let ticket = self.confirming.asked;
        let round = self.confirming.round.get_or_insert_with(|| Round {
            ticket,
            // Those that were not sent anything now are asked by a later transmission.
            first: std::array::from_fn(|position| {
                let copy = &copies[position];
                if copy.counts && !copy.lost { copy.sequence } else { copy.sequence + 1 }
            }),
            confirmed: [false; COPIES],
            sent_us: now_us,
        });
        round.sent_us = now_us;
    }

    /// An acknowledgement of group 0.
    pub(super) fn note_confirmation(
        &mut self,
        now_us: u64,
        position: usize,
        acked: &Acked,
        actions: &mut Actions,
    ) {
        let Some(round) = &mut self.confirming.round else { return };
        if acked.promised_ms == 0 || acked.sequence < round.first[position] {
            return;
        }
        round.confirmed[position] = true;
        let counts = |position: usize| self.groups[0].copies.get(position).is_some_and(|copy| copy.counts);
        let confirmed = (0..COPIES).filter(|p| round.confirmed[*p] && counts(*p)).count();
        if confirmed >= PROMISES {
            self.confirming.done = round.ticket;
            self.confirming.round = None;
            actions.notices.push(Notice::Confirmed(self.confirming.done));
            self.drive_confirming(now_us, actions);
        }
    }

    /// When a round is to be sent again.
    pub(super) fn confirming_wake_us(&self) -> Option<u64> {
        self.confirming.round.as_ref().map(|round| round.sent_us + self.settings.ask_us)
    }
}
