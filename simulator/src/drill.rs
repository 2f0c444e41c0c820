//! Scripted disasters: what chance alone would need thousands of seeds for (see [`Drill`]).
//!
//! ```text
//!   positions of one set   v a b c d e
//!   deaf for 60 ms             a b           log reaches exactly four: v c d e
//!   strike                 the writer dies; of the four some stop, some come back damaged
//!   opening                sees a, b and the damaged ones; whatever it does, the log of the four must be kept
//! ```

use crate::director::{Director, Next};
use crate::disk::Crash;
use crate::net::Place;
use crate::plan::Drill;

impl Director {
    /// Begins a drill, or strikes.
    pub(crate) fn drill(&mut self, strike: bool) {
        let Some(drill) = self.plan.drill.filter(|_| !self.healing) else { return };
        let (node, current) = (drill.node(), self.current());
        let deaf = if matches!(drill, Drill::Three(_)) { 0 } else { 2 };
        let set = node / 6 * 6;
        let others: Vec<usize> = (1..6).map(|i| set + (node - set + i) % 6).collect();
        if !strike {
            let whole = (set..set + 6).all(|n| self.whole(n));
            if !whole {
                return self.after(50_000, Next::Drill(false));
            }
            for deaf in &others[..deaf] {
                self.net.clog(Place::Node(*deaf), Place::Compute(current));
                for hearing in (set..set + 6).filter(|n| !others[..2].contains(n)) {
                    self.net.clog(Place::Node(*deaf), Place::Node(hearing));
                }
            }
            return self.after(60_000, Next::Drill(true));
        }
        for compute in &mut self.computes {
            compute.kill();
        }
        match drill {
            Drill::Rot(victim) => {
                self.stop(&others[2..]);
                self.crash_node(victim, Crash::Process, 1_000);
                self.hosts[victim].disk.rot_recent(&mut self.rng);
            }
            Drill::Folders(node) => {
                self.stop(&[node, others[2]]);
                for lost in &others[3..] {
                    self.delete_folder(*lost, 1_000);
                }
            }
            Drill::Three(node) => {
                // A zone and one more: one full copy at least is left.
                let (position, third) = (node - set, self.rng.index(4));
                let zone = position / 2 * 2;
                for lost in [set + zone, set + zone + 1, set + (zone + 2 + third) % 6] {
                    self.delete_folder(lost, 1_000);
                }
            }
        }
        self.net.mend();
        self.after(5_000, Next::ComputeUp);
        self.after(900_000, Next::Drill(false));
    }

    fn stop(&mut self, nodes: &[usize]) {
        for node in nodes {
            let down = self.rng.range(400_000, 600_000);
            self.crash_node(*node, Crash::Process, down);
        }
    }
}
