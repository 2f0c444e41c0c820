//! A fair lock that may be held across awaits (a latch may not). For slow paths: DDL, counters, reverting an aborted row.

use parking_lot::Mutex;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::{Poll, Waker};

#[derive(Debug, Default)]
struct State {
    held: bool,
    next_ticket: u64,
    queue: VecDeque<(u64, Waker)>,
}

/// One holder at a time, first come, first served.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    state: Mutex<State>,
}

/// The right to be inside; dropping it lets the next one in.
#[derive(Debug)]
pub(crate) struct Pass<'a> {
    gate: &'a Gate,
}

struct Ticket<'a> {
    gate: &'a Gate,
    number: Option<u64>,
}

impl Gate {
    /// Waits for the right to be inside.
    pub(crate) async fn enter(&self) -> Pass<'_> {
        let mut ticket = Ticket { gate: self, number: None };
        poll_fn(|cx| ticket.poll(cx.waker())).await;
        Pass { gate: self }
    }
}

impl Ticket<'_> {
    fn poll(&mut self, waker: &Waker) -> Poll<()> {
        let mut state = self.gate.state.lock();
        let first = state.queue.front().map(|(n, _)| *n);
        if !state.held && (first.is_none() || first == self.number) {
            if self.number.take().is_some() {
                state.queue.pop_front();
            }
            state.held = true;
            return Poll::Ready(());
        }
        if let Some(number) = self.number {
            if let Some(place) = state.queue.iter_mut().find(|(n, _)| *n == number) {
                place.1.clone_from(waker);
            }
        } else {
            let number = state.next_ticket;
            state.next_ticket += 1;
            state.queue.push_back((number, waker.clone()));
            self.number = Some(number);
        }
        Poll::Pending
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let Some(number) = self.number else { return };
        let next = {
            let mut state = self.gate.state.lock();
            state.queue.retain(|(n, _)| *n != number);
            if state.held { None } else { state.queue.front().map(|(_, w)| w.clone()) }
        };
        if let Some(waker) = next {
            waker.wake();
        }
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        let next = {
            let mut state = self.gate.state.lock();
            state.held = false;
            state.queue.front().map(|(_, w)| w.clone())
        };
        if let Some(waker) = next {
            waker.wake();
        }
    }
}
