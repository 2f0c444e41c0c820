//! Directed links between nodes and compute processes: delay, loss, repetition, cuts of zones, clogged links.
//!
//! Every message crosses as bytes: what cannot be encoded and decoded does not exist.

use crate::plan::{Class, Plan};
use crate::rng::Rng;
use std::collections::BTreeSet;

/// An end of a link.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Place {
    /// A storage node by index.
    Node(usize),
    /// A compute process by index.
    Compute(usize),
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Net {
    delay_us: u64,
    loss: u64,
    duplicates: u64,
    long_tail: u64,
    cut_zones: [bool; 3],
    clogged: BTreeSet<(Place, Place)>,
    /// The zone of the compute processes.
    home: u8,
}

impl Net {
    /// The links of a plan, all whole.
    #[must_use]
    pub(crate) fn new(plan: &Plan, rng: &mut Rng) -> Net {
        let rate = |class, rate| if plan.has(class) { rate } else { 0 };
        Net {
            delay_us: plan.delay_us,
            loss: rate(Class::Loss, plan.loss),
            duplicates: rate(Class::Duplicates, plan.duplicates),
            long_tail: rate(Class::LongTail, plan.long_tail),
            cut_zones: [false; 3],
            clogged: BTreeSet::new(),
            home: rng.range(0, 2) as u8,
        }
    }

    fn zone(&self, place: Place) -> u8 {
        match place {
            Place::Node(index) => (index % 6 / 2) as u8,
            Place::Compute(_) => self.home,
        }
    }

    /// Delays after which copies of one message arrive: none when it is lost.
    pub(crate) fn route(&self, from: Place, to: Place, rng: &mut Rng) -> Vec<u64> {
        let (a, b) = (self.zone(from), self.zone(to));
        let cut = a != b && (self.cut_zones[usize::from(a)] || self.cut_zones[usize::from(b)]);
        if cut || self.clogged.contains(&(from, to)) || rng.chance(self.loss) {
            return Vec::new();
        }
        let copies = 1 + usize::from(rng.chance(self.duplicates));
        (0..copies)
            .map(|_| {
                let ordinary = rng.range(50, self.delay_us);
                if rng.chance(self.long_tail) { ordinary + rng.range(20_000, 400_000) } else { ordinary }
            })
            .collect()
    }

    /// Cuts a zone off, or clogs one direction of some links.
    pub(crate) fn break_something(&mut self, nodes: usize, computes: usize, rng: &mut Rng) {
        if rng.chance(5_000) {
            self.cut_zones[rng.index(3)] = true;
            return;
        }
        for _ in 0..rng.range(1, 6) {
            let node = Place::Node(rng.index(nodes));
            let other = if rng.chance(6_000) {
                Place::Compute(computes.saturating_sub(1))
            } else {
                Place::Node(rng.index(nodes))
            };
            self.clogged.insert(if rng.chance(5_000) { (node, other) } else { (other, node) });
        }
    }

    /// Nothing passes between these two, in either direction.
    pub(crate) fn clog(&mut self, a: Place, b: Place) {
        self.clogged.insert((a, b));
        self.clogged.insert((b, a));
    }

    /// All links are whole again.
    pub(crate) fn mend(&mut self) {
        self.cut_zones = [false; 3];
        self.clogged.clear();
    }

    /// From now on nothing is lost, repeated or late.
    pub(crate) fn calm(&mut self) {
        self.mend();
        (self.loss, self.duplicates, self.long_tail) = (0, 0, 0);
        self.delay_us = self.delay_us.min(1_000);
    }
}
