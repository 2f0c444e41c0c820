//! Grants, lists of dead ranges and repair (R1-R4, R6): three writers of one group, one after the other or at once.
//!
//! A record names the one before it; a copy's SCL is where that chain ends. The first writer is open; the others ask for grants, choose
//! VDL and a list from what two copies show, install both at two, and write on. Nobody knows whether an earlier one is dead.

use crate::search;
use stateright::{Model, Property};
use std::collections::{BTreeMap, BTreeSet};

const NODES: usize = 3;
const QUORUM: usize = 2;
const WRITERS: usize = 3;
/// Records each writer makes at most.
const MAKES: [usize; WRITERS] = [2, 1, 1];
const LAL: u8 = 2;

/// Wrong variants of R1-R4 and R6.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Wrong {
    Nothing,
    NoEpochCheck,
    SharedEpoch,
    AckAtOne,
    ReadsOne,
    ServesBeforeRepair,
    OldestList,
    LsnReuse,
    CeilingFromVdl,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
struct Record {
    lsn: u8,
    epoch: u8,
    prev: u8,
    /// Who made it: what tells contents apart.
    by: u8,
}

/// Records of an epoch before `epoch` in (lo, hi] are dead (R3).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
struct Dead {
    epoch: u8,
    lo: u8,
    hi: u8,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
struct Node {
    granted: u8,
    /// Whose list it holds; the first writer's is empty.
    head: u8,
    log: BTreeSet<Record>,
    /// What each writer was told last.
    acked: [u8; WRITERS],
    /// Which writers' lists were installed here.
    installed: [bool; WRITERS],
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Phase {
    Idle,
    /// Replies so far, and what they show.
    Asks {
        replies: usize,
        seen: BTreeSet<Record>,
        newest: u8,
        oldest: u8,
    },
    Installs,
    Open,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Writer {
    phase: Phase,
    list: Vec<Dead>,
    /// The chain it chose.
    repair: Vec<Record>,
    made: Vec<Record>,
    next: u8,
    vdl: u8,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct State {
    nodes: Vec<Node>,
    writers: Vec<Writer>,
    /// What was acknowledged to a client: LSN and whose content.
    durable: BTreeMap<u8, u8>,
    lost: bool,
    two: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Action {
    Make(usize),
    Append(usize, usize, usize),
    Stand(usize),
    Grant(usize, usize),
    Install(usize, usize),
}

fn chain(log: &BTreeSet<Record>) -> Vec<Record> {
    let (mut end, mut chain) = (0, Vec::new());
    while let Some(next) = log.iter().find(|r| r.prev == end && r.lsn > end) {
        end = next.lsn;
        chain.push(*next);
    }
    chain
}

fn end(chain: &[Record]) -> u8 {
    chain.last().map_or(0, |r| r.lsn)
}

fn dead(list: &[Dead], record: &Record) -> bool {
    list.iter().any(|d| record.epoch < d.epoch && d.lo < record.lsn && record.lsn <= d.hi)
}

struct Truncation(Wrong);

impl Truncation {
    fn epoch(&self, writer: usize) -> u8 {
        if self.0 == Wrong::SharedEpoch { 1 } else { writer as u8 + 1 }
    }

    /// R6: the list of `writer` replaces an older one at this copy, and what it kills goes (R3).
    fn adopt(node: &mut Node, writer: usize, list: &[Dead]) {
        if node.head < writer as u8 {
            node.head = writer as u8;
            node.log.retain(|r| !dead(list, r));
        }
    }

    /// Enough replies: the newest list, everything that lives under it, the chain of that (R2, R4).
    fn choose(&self, state: &mut State, writer: usize) {
        let Phase::Asks { seen, newest, oldest, .. } = state.writers[writer].phase.clone() else { return };
        let from = if self.0 == Wrong::OldestList { oldest } else { newest };
        let mut list = state.writers[usize::from(from)].list.clone();
        let living = seen.into_iter().filter(|r| !dead(&list, r)).collect();
        let repair = chain(&living);
        let vdl = end(&repair);
        let earlier = list.iter().map(|d| d.hi).max().filter(|_| self.0 != Wrong::CeilingFromVdl);
        let ceiling = earlier.unwrap_or(0).max(vdl) + LAL;
        list.push(Dead { epoch: self.epoch(writer), lo: vdl, hi: ceiling });
        let next = if self.0 == Wrong::LsnReuse { vdl } else { ceiling } + 1;
        let phase = Phase::Installs;
        state.writers[writer] = Writer { phase, list, repair, made: Vec::new(), next, vdl };
        if self.0 == Wrong::ServesBeforeRepair {
            self.open(state, writer);
        }
    }

    /// It serves: everything earlier writers acknowledged must be in what it chose. (One that was deposed while it opened may lack what
    /// its successor acknowledged; it will acknowledge nothing itself.)
    fn open(&self, state: &mut State, writer: usize) {
        state.writers[writer].phase = Phase::Open;
        let repair = &state.writers[writer].repair;
        let kept = |(lsn, by): (&u8, &u8)| {
            usize::from(*by) > writer || repair.iter().any(|r| r.lsn == *lsn && r.by == *by)
        };
        state.lost |= !state.durable.iter().all(kept);
        // What it chose is what it serves.
        for record in repair {
            state.two |= state.durable.insert(record.lsn, record.by).is_some_and(|by| by != record.by);
        }
    }

    fn append(&self, state: &mut State, writer: usize, node: usize, at: usize) -> Option<()> {
        let (epoch, list) = (self.epoch(writer), state.writers[writer].list.clone());
        let record = state.writers[writer].made[at];
        let held = &mut state.nodes[node];
        if epoch < held.granted && self.0 != Wrong::NoEpochCheck {
            return None;
        }
        held.granted = held.granted.max(epoch);
        Self::adopt(held, writer, &list);
        let under = usize::from(held.head);
        if !dead(&state.writers[under].list, &record) || self.0 == Wrong::NoEpochCheck {
            state.nodes[node].log.insert(record);
        }
        let other = |r: &Record| r.lsn == record.lsn && r.by != record.by;
        state.two |= state.nodes.iter().any(|n| n.log.iter().any(other));
        let log = &state.nodes[node].log;
        state.nodes[node].acked[writer] = end(&chain(log));
        let mut acked: Vec<u8> = state.nodes.iter().map(|n| n.acked[writer]).collect();
        acked.sort_unstable();
        let needed = if self.0 == Wrong::AckAtOne { 1 } else { QUORUM };
        let vdl = acked[NODES - needed];
        let writer = &mut state.writers[writer];
        writer.vdl = writer.vdl.max(vdl);
        for record in writer.made.iter().filter(|r| r.lsn <= writer.vdl) {
            state.two |= state.durable.insert(record.lsn, record.by).is_some_and(|by| by != record.by);
        }
        Some(())
    }
}

impl Model for Truncation {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let writer =
            |phase| Writer { phase, list: Vec::new(), repair: Vec::new(), made: Vec::new(), next: 1, vdl: 0 };
        let node = Node { granted: 1, ..Node::default() };
        vec![State {
            nodes: vec![node; NODES],
            writers: vec![writer(Phase::Open), writer(Phase::Idle), writer(Phase::Idle)],
            durable: BTreeMap::new(),
            lost: false,
            two: false,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for (at, writer) in state.writers.iter().enumerate() {
            let nodes = 0..NODES;
            match &writer.phase {
                Phase::Idle => actions.push(Action::Stand(at)),
                Phase::Asks { .. } => actions.extend(nodes.map(|node| Action::Grant(at, node))),
                Phase::Installs => {
                    let new = nodes.filter(|node| !state.nodes[*node].installed[at]);
                    actions.extend(new.map(|node| Action::Install(at, node)));
                }
                Phase::Open => {
                    if writer.made.len() < MAKES[at] {
                        actions.push(Action::Make(at));
                    }
                    for (number, record) in writer.made.iter().enumerate() {
                        let lack = nodes.clone().filter(|node| !state.nodes[*node].log.contains(record));
                        actions.extend(lack.map(|node| Action::Append(at, node, number)));
                    }
                    // The other copies are repaired while it serves.
                    let new = nodes.filter(|node| at > 0 && !state.nodes[*node].installed[at]);
                    actions.extend(new.map(|node| Action::Install(at, node)));
                }
            }
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        match action {
            Action::Make(at) => {
                let (epoch, writer) = (self.epoch(at), &mut next.writers[at]);
                let before = writer.made.last().or(writer.repair.last());
                let prev = before.map_or(0, |r| r.lsn);
                writer.made.push(Record { lsn: writer.next, epoch, prev, by: at as u8 });
                writer.next += 1;
            }
            Action::Append(at, node, number) => self.append(&mut next, at, node, number)?,
            Action::Stand(at) => {
                let (seen, newest, oldest) = (BTreeSet::new(), 0, u8::MAX);
                next.writers[at].phase = Phase::Asks { replies: 0, seen, newest, oldest };
            }
            Action::Grant(at, node) => {
                let held = &mut next.nodes[node];
                let again = self.0 == Wrong::SharedEpoch && held.acked[at] == 0;
                if held.granted >= self.epoch(at) && !again {
                    return None;
                }
                // Marks that this copy answered this writer, where epochs do not tell.
                held.acked[at] = u8::from(self.0 == Wrong::SharedEpoch);
                held.granted = self.epoch(at);
                let (log, head) = (held.log.clone(), held.head);
                let Phase::Asks { replies, seen, newest, oldest } = &mut next.writers[at].phase else {
                    return None;
                };
                seen.extend(log);
                (*replies, *newest, *oldest) = (*replies + 1, head.max(*newest), head.min(*oldest));
                if *replies == if self.0 == Wrong::ReadsOne { 1 } else { QUORUM } {
                    self.choose(&mut next, at);
                }
            }
            Action::Install(at, node) => {
                let (list, repair) = (next.writers[at].list.clone(), next.writers[at].repair.clone());
                let held = &mut next.nodes[node];
                if held.granted > self.epoch(at) {
                    return None;
                }
                held.granted = self.epoch(at);
                Self::adopt(held, at, &list);
                held.log.extend(repair);
                held.installed[at] = true;
                let installed = next.nodes.iter().filter(|n| n.installed[at]).count();
                if installed == QUORUM && next.writers[at].phase == Phase::Installs {
                    self.open(&mut next, at);
                }
            }
        }
        next.nodes.sort_unstable();
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("never an acknowledged record lost", |_, state: &State| !state.lost),
            Property::always("never two contents at one LSN", |_, state: &State| !state.two),
            Property::sometimes("the third writer acknowledges", |_, state: &State| {
                state.durable.values().any(|by| *by == 2)
            }),
        ]
    }
}

#[test]
fn what_was_acknowledged_survives_every_opening() {
    let states = search(Truncation(Wrong::Nothing)).unwrap();
    println!("truncation: {states} states");
    assert!(states > 10_000, "only {states} states: the bounds leave nothing to happen");
}

#[test]
fn every_wrong_opening_has_a_road_to_a_lost_record() {
    for wrong in [
        Wrong::NoEpochCheck,
        Wrong::SharedEpoch,
        Wrong::AckAtOne,
        Wrong::ReadsOne,
        Wrong::ServesBeforeRepair,
        Wrong::OldestList,
        Wrong::LsnReuse,
        Wrong::CeilingFromVdl,
    ] {
        let (property, steps) = search(Truncation(wrong)).expect_err(&format!("{wrong:?} is not caught"));
        println!("{wrong:?}: {property}, {steps} steps");
    }
}
