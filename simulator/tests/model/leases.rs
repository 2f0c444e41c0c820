//! Grants and leases (R7, R8): one writer holds promises, a rival wants grants, clocks run at their bounds.
//!
//! Time is real and in ticks; a fast clock shows five quarters of it, a slow one three (rho = 1/4, so that a bound that is off by one
//! rho shows within a few ticks). A promise lasts T = 20 quarters at the node, L = T (1 - rho) / (1 + rho) = 12 at the writer.
//! A heartbeat and its answer take as long as they like, one of a writer at a time. Nodes may restart; the writer may hand over.

use crate::search;
use stateright::{Model, Property};

const NODES: usize = 3;
/// Grants that elect.
const ELECTS: usize = 2;
const HORIZON: u8 = 4;
/// Heartbeats and answers on their way at once.
const FLYING: usize = 1;
const T: u8 = 20;
const FAST: u8 = 5;
const SLOW: u8 = 3;

/// Wrong variants of R7 and R8.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Wrong {
    Nothing,
    GrantsAtOne,
    NoPromise,
    LeaseAtOne,
    LifeFromReply,
    LifeIsT,
    LifeOneRho,
    RestartGrants,
    EarlyRelease,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
struct Node {
    /// Granted to the rival.
    granted: bool,
    /// Its clock at which the promise to the writer ends.
    promised: u8,
    /// Its clock until which it grants nothing after a restart.
    silent: u8,
    /// The writer handed over here: it is promised nothing again.
    released: bool,
    /// A heartbeat on its way: when it was sent.
    beat: Option<u8>,
    /// An answer on its way: when the heartbeat was sent.
    answer: Option<u8>,
    /// At the writer: from when this node's newest promise lives.
    lives_from: Option<u8>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct State {
    now: u8,
    node_rate: u8,
    writer_rate: u8,
    nodes: [Node; NODES],
    /// The writer answers no statement any more.
    stopped: bool,
    restarted: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Action {
    Tick,
    Beat(usize),
    Promise(usize),
    Hear(usize),
    Grant(usize),
    Restart(usize),
    Stop,
    Release(usize),
}

struct Leases(Wrong);

impl Leases {
    fn life(&self) -> u8 {
        match self.0 {
            Wrong::LifeIsT => T,
            Wrong::LifeOneRho => 15,
            _ => 12,
        }
    }

    fn leased(&self, state: &State) -> bool {
        let clock = state.now * state.writer_rate;
        let lives = |n: &&Node| n.lives_from.is_some_and(|at| clock < at * state.writer_rate + self.life());
        let needed = if self.0 == Wrong::LeaseAtOne { 1 } else { NODES + 1 - ELECTS };
        state.nodes.iter().filter(lives).count() >= needed
    }

    /// The same situation in one form: what ran out is gone, and nodes are alike.
    fn canonical(&self, mut state: State) -> State {
        let (clock, writers) = (state.now * state.node_rate, state.now * state.writer_rate);
        for node in &mut state.nodes {
            node.promised = if clock < node.promised { node.promised } else { 0 };
            node.silent = if clock < node.silent { node.silent } else { 0 };
            node.lives_from = node.lives_from.filter(|at| writers < at * state.writer_rate + self.life());
        }
        state.nodes.sort_unstable();
        state
    }

    fn elected(&self, state: &State) -> bool {
        let needed = if self.0 == Wrong::GrantsAtOne { 1 } else { ELECTS };
        state.nodes.iter().filter(|n| n.granted).count() >= needed
    }
}

impl Model for Leases {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let rates = [(FAST, FAST), (FAST, SLOW), (SLOW, FAST), (SLOW, SLOW)];
        let state = |(node_rate, writer_rate)| State {
            now: 0,
            node_rate,
            writer_rate,
            nodes: [Node::default(); NODES],
            stopped: false,
            restarted: false,
        };
        rates.into_iter().map(state).collect()
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.now < HORIZON {
            actions.push(Action::Tick);
        }
        let flying = state.nodes.iter().filter(|n| n.beat.is_some() || n.answer.is_some()).count();
        for (at, node) in state.nodes.iter().enumerate() {
            if flying < FLYING && node.beat.is_none() && node.answer.is_none() && !state.stopped {
                actions.push(Action::Beat(at));
            }
            actions.extend(node.beat.map(|_| Action::Promise(at)));
            actions.extend(node.answer.map(|_| Action::Hear(at)));
            if !node.granted {
                actions.push(Action::Grant(at));
            }
            if !state.restarted {
                actions.push(Action::Restart(at));
            }
            if (state.stopped || self.0 == Wrong::EarlyRelease) && !node.released {
                actions.push(Action::Release(at));
            }
        }
        if !state.stopped {
            actions.push(Action::Stop);
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        let clock = state.now * state.node_rate;
        match action {
            Action::Tick => next.now += 1,
            Action::Beat(at) => next.nodes[at].beat = Some(state.now),
            Action::Promise(at) => {
                let node = &mut next.nodes[at];
                let sent = node.beat.take()?;
                // R7: a rival that was granted has replaced the writer here. R8(h): so has a hand-over.
                if !node.granted && !node.released {
                    node.promised = clock + T;
                    node.answer = Some(sent);
                }
            }
            Action::Hear(at) => {
                let sent = next.nodes[at].answer.take()?;
                let from = if self.0 == Wrong::LifeFromReply { state.now } else { sent };
                next.nodes[at].lives_from = next.nodes[at].lives_from.max(Some(from));
            }
            Action::Grant(at) => {
                let node = &mut next.nodes[at];
                let kept = clock < node.promised && self.0 != Wrong::NoPromise;
                if kept || clock < node.silent {
                    return None;
                }
                node.granted = true;
            }
            Action::Restart(at) => {
                let node = &mut next.nodes[at];
                // What was promised lived in memory; the grant is on disk.
                (node.promised, node.beat) = (0, None);
                node.silent = if self.0 == Wrong::RestartGrants { 0 } else { clock + T };
                next.restarted = true;
            }
            Action::Stop => next.stopped = true,
            Action::Release(at) => (next.nodes[at].released, next.nodes[at].promised) = (true, 0),
        }
        Some(self.canonical(next))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("never two who answer", |model: &Leases, state| {
                !(model.leased(state) && !state.stopped && model.elected(state))
            }),
            Property::sometimes("a lease", |model: &Leases, state| model.leased(state)),
            Property::sometimes("a rival elected", |model: &Leases, state| model.elected(state)),
        ]
    }
}

#[test]
fn a_lease_and_an_election_never_meet() {
    let states = search(Leases(Wrong::Nothing)).unwrap();
    println!("leases: {states} states");
    assert!(states > 10_000, "only {states} states: the bounds leave nothing to happen");
}

#[test]
fn every_wrong_lease_has_a_road_to_a_stale_answer() {
    for wrong in [
        Wrong::GrantsAtOne,
        Wrong::NoPromise,
        Wrong::LeaseAtOne,
        Wrong::LifeFromReply,
        Wrong::LifeIsT,
        Wrong::LifeOneRho,
        Wrong::RestartGrants,
        Wrong::EarlyRelease,
    ] {
        let (property, steps) = search(Leases(wrong)).expect_err(&format!("{wrong:?} is not caught"));
        println!("{wrong:?}: {property}, {steps} steps");
    }
}
