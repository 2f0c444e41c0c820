//! Faults beyond the promise: the only allowed outcomes are the right answer and none (halt, refuse, wait), never a wrong one.
//!
//! ```text
//!   faults and load ...... strike ...... strike ........ heal: it comes to rest and everything is read, or it never does
//!                          folders gone, rot everywhere,    and every answer until then was right
//!                          an old folder put back
//! ```
//! Only faults that leave a trace can be held against a system: a folder that is not there, bytes whose checksum is wrong, a log that is
//! shorter than what its neighbours acknowledged. Four disks that lie without a trace, or two old folders put back together, look like a
//! healthy past to everybody; nobody can tell, and they are not here.

use crate::director::{Director, Next};
use crate::disk::Crash;
use crate::rng::Rng;
use storage_node::DiskFile;

/// See the module. A set is six nodes that hold the same groups.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Beyond {
    /// So many folders of one set are deleted at once, three to six.
    Wiped(usize),
    /// Three folders of one set are deleted, and the log and pages of those that are left rot.
    WipedAndRot,
    /// Log inside the claims, pages, page indexes and superblocks rot on every node.
    RotEverywhere,
    /// A folder is put back as it was some time ago.
    OldFolder,
}

impl Beyond {
    /// One of them.
    pub(crate) fn draw(rng: &mut Rng) -> Beyond {
        match rng.range(0, 3) {
            0 => Beyond::Wiped(rng.range(3, 6) as usize),
            1 => Beyond::WipedAndRot,
            2 => Beyond::RotEverywhere,
            _ => Beyond::OldFolder,
        }
    }
}

/// Bytes changed in one strike of rot, per node.
const HITS: usize = 6;

impl Director {
    /// Strikes, and again later where once is not all.
    pub(crate) fn strike(&mut self, number: u32) {
        let Some(beyond) = self.plan.beyond.filter(|_| !self.healing) else { return };
        let set = self.rng.index(self.plan.sets) * 6;
        match beyond {
            Beyond::Wiped(count) => drop(self.wipe_some(set, count)),
            Beyond::WipedAndRot => {
                let left = self.wipe_some(set, 3);
                left.into_iter().for_each(|node| self.rot_node(node, false));
            }
            Beyond::RotEverywhere => {
                for node in 0..self.hosts.len() {
                    self.rot_node(node, true);
                }
                if number < 8 {
                    let delay = self.rng.exponential(150_000);
                    self.after(delay, Next::Strike(number + 1));
                }
            }
            Beyond::OldFolder => {
                let node = self.rot_victim;
                if number.is_multiple_of(2) {
                    self.crash_node(node, Crash::Process, 1_000);
                    self.hosts[node].keep_folder();
                } else {
                    self.crash_node(node, Crash::Process, 1_000);
                    self.hosts[node].put_back();
                }
                if number < 5 {
                    let delay = self.rng.range(100_000, 500_000);
                    self.after(delay, Next::Strike(number + 1));
                }
            }
        }
        if self.rng.chance(5_000) {
            self.crash_writer();
        }
    }

    /// Deletes so many folders of a set; those that are left.
    fn wipe_some(&mut self, set: usize, count: usize) -> Vec<usize> {
        let mut nodes: Vec<usize> = (set..set + 6).collect();
        for _ in 0..count {
            let node = nodes.swap_remove(self.rng.index(nodes.len()));
            let down = self.rng.range(500, 50_000);
            self.delete_folder(node, down);
        }
        nodes
    }

    fn rot_node(&mut self, node: usize, heads_too: bool) {
        for _ in 0..HITS {
            let what = self.rng.range(0, if heads_too { 9 } else { 6 });
            let disk = &mut self.hosts[node].disk;
            match what {
                0..=2 => disk.rot_old_log(&mut self.rng),
                3..=6 => drop(disk.rot(&mut self.rng, |file| matches!(file, DiskFile::Pages(_)))),
                7 | 8 => drop(disk.rot(&mut self.rng, |file| matches!(file, DiskFile::Index(..)))),
                _ => drop(disk.rot(&mut self.rng, |file| *file == DiskFile::Super)),
            }
        }
    }

    /// A node gave up. Beyond the promise it may, and stays down until all heals.
    pub(crate) fn gave_up(&mut self, node: usize) {
        self.report.halts += 1;
        self.hosts[node].crash(Crash::Process, &mut self.rng);
    }
}
