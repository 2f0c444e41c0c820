//! Several processes that want to write: rivals, sleepers, hand-overs, and the clients that ask all of them.

use crate::director::{Director, Next};
use crate::disk::Lie;
use crate::plan::Class;
use protocol::Lsn;

impl Director {
    /// Processes that live.
    pub(crate) fn alive(&self) -> usize {
        self.computes.iter().filter(|c| !c.dead()).count()
    }

    /// True when this node's disk may have been damaged, or may lie.
    pub(crate) fn damaged(&self, node: usize) -> bool {
        // Beyond the promise any node may be.
        if self.plan.beyond.is_some() {
            return true;
        }
        self.rot_victim == node && Class::DAMAGE.iter().any(|class| self.plan.has(*class))
    }

    /// True when all six of a node's set hold everything they should: one may be damaged as if its folder were lost.
    pub(crate) fn set_whole(&self, node: usize) -> bool {
        let set = node / 6 * 6;
        (set..set + 6).all(|n| self.whole(n))
    }

    /// Whether the victim's device betrays the write it just ended.
    pub(crate) fn lie(&mut self, node: usize) -> Lie {
        if self.healing || node != self.rot_victim {
            return Lie::No;
        }
        let (lost, misdirected) = (self.plan.has(Class::LostWrites), self.plan.has(Class::Misdirected));
        let lie = match () {
            () if lost && self.rng.chance(60) => Lie::Lost,
            () if misdirected && self.rng.chance(40) => Lie::Misdirected,
            () => return Lie::No,
        };
        if self.set_whole(node) { lie } else { Lie::No }
    }

    /// A client sends one statement to every process that is open for writing, and another one later.
    pub(crate) fn ask(&mut self) {
        let must_see = self.acked;
        for compute in 0..self.computes.len() {
            if self.computes[compute].log().is_some() {
                let delay = self.rng.range(1, 300);
                self.after(delay, Next::Statement(compute, must_see));
            }
        }
        let delay = self.rng.exponential(4_000);
        self.after(delay, Next::Ask);
    }

    /// A process reads a statement from its socket.
    pub(crate) fn statement(&mut self, compute: usize, must_see: Lsn) {
        let mut told = Vec::new();
        self.computes[compute].statement_at(self.now_us, must_see, &mut told);
        self.after_compute(compute, told);
    }

    /// One more process stands while others live.
    pub(crate) fn rival(&mut self) {
        if self.created && self.alive() < 3 {
            self.start_compute();
        }
    }

    /// The machine of a writer sleeps.
    pub(crate) fn sleep(&mut self) {
        let compute = self.rng.index(self.computes.len());
        let us = self.rng.exponential(150_000);
        if self.computes[compute].log().is_some() {
            self.asleep.insert(compute, self.now_us + us);
            self.computes[compute].slept(us);
        }
    }

    /// The writer hands over in good order; somebody stands a moment later.
    pub(crate) fn hand_over(&mut self) {
        let current = self.current();
        let asleep = self.asleep.get(&current).is_some_and(|until| *until > self.now_us);
        if asleep || self.computes[current].log().is_none() {
            return;
        }
        self.computes[current].hand_over();
        self.after_compute(current, Vec::new());
        let delay = self.rng.range(500, 5_000);
        self.after(delay, Next::ComputeUp);
    }
}
