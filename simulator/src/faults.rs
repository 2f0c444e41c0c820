//! When faults strike, how they end, and the acts after the last one: heal, rest, one more crash of everything, audit.
//!
//! ```text
//!  0 ........ faults_us ........................................ faults_us + healing_us
//!   faults and load | all heals, load goes on | load stops: rest | everything crashes, opens: every page is read | end
//!                     P1 commits flow           P2, P3 six of six, I26
//! ```

use crate::compute::Compute;
use crate::director::{Director, Next};
use crate::disk::Crash;
use crate::net::Place;
use crate::plan::Class;
use crate::sessions::Books;
use protocol::head::HeadVersion;
use protocol::{Lsn, PgId, SegmentId, SegmentRole};
use storage_node::{DiskFile, Event as NodeEvent};

impl Director {
    /// Schedules the first fault of every class, and the end of faults.
    pub(crate) fn schedule_faults(&mut self) {
        for class in self.plan.classes.clone() {
            if let Some(mean) = self.mean_us(class) {
                let delay = self.rng.exponential(mean);
                self.after(delay, Next::Fault(class));
            }
        }
        if self.plan.beyond.is_some() {
            let delay = self.rng.range(400_000, 1_200_000);
            self.after(delay, Next::Strike(0));
        }
        if self.plan.drill.is_some() {
            self.after(300_000, Next::Drill(false));
        }
        self.after(self.plan.faults_us, Next::Heal);
    }

    fn mean_us(&self, class: Class) -> Option<u64> {
        let plan = &self.plan;
        Some(match class {
            Class::Loss | Class::Duplicates | Class::LongTail | Class::Zombies | Class::DeviceErrors => {
                return None;
            }
            Class::LostWrites | Class::Misdirected | Class::ClockSkew => return None,
            Class::SuperRot | Class::IndexRot => 3 * plan.rot_us,
            Class::Rivals | Class::Sleeps | Class::HandOvers => plan.writer_crash_us,
            Class::Partitions => plan.partition_us,
            Class::NodeCrashes | Class::MachineCrashes => plan.node_crash_us,
            Class::ClusterCrashes => plan.cluster_crash_us,
            Class::WriterCrashes => plan.writer_crash_us,
            Class::Rot => plan.rot_us,
            Class::LostFolders => plan.cluster_crash_us,
            Class::FullDisks | Class::AzPlusOne => plan.partition_us,
        })
    }

    /// One fault of this class, and the next one of it.
    pub(crate) fn fault(&mut self, class: Class) {
        if self.healing {
            return;
        }
        match class {
            Class::Partitions => {
                self.net.break_something(self.hosts.len(), self.computes.len(), &mut self.rng);
                let delay = self.rng.exponential(150_000);
                self.after(delay, Next::Mend);
            }
            Class::NodeCrashes | Class::MachineCrashes => {
                let node = self.rng.index(self.hosts.len());
                let crash = if class == Class::NodeCrashes { Crash::Process } else { Crash::Machine };
                let down = self.rng.exponential(120_000);
                self.crash_node(node, crash, down);
            }
            Class::ClusterCrashes => self.crash_everything(),
            Class::WriterCrashes => self.crash_writer(),
            Class::Rot => {
                let victim = self.rot_victim;
                let pages_too = self.rng.chance(5_000);
                let pick = |file: &DiskFile| match file {
                    DiskFile::Log(_) => true,
                    DiskFile::Pages(_) => pages_too,
                    _ => false,
                };
                self.hosts[victim].disk.rot(&mut self.rng, pick);
            }
            Class::LostFolders => self.lose_folder(),
            Class::FullDisks => {
                let node = self.rng.index(self.hosts.len());
                self.set_full(node, true);
                let delay = self.rng.exponential(200_000);
                self.after(delay, Next::Room(node));
            }
            Class::AzPlusOne => self.az_plus_one(),
            Class::SuperRot if self.set_whole(self.rot_victim) => {
                self.hosts[self.rot_victim].super_rot = true;
                let hits = 1 + usize::from(self.rng.chance(3_000));
                for _ in 0..hits {
                    self.hosts[self.rot_victim].disk.rot(&mut self.rng, |file| *file == DiskFile::Super);
                }
            }
            Class::IndexRot => {
                let index = |file: &DiskFile| matches!(file, DiskFile::Index(..));
                self.hosts[self.rot_victim].disk.rot(&mut self.rng, index);
            }
            Class::Rivals => self.rival(),
            Class::Sleeps => self.sleep(),
            Class::HandOvers => self.hand_over(),
            _ => {}
        }
        if let Some(mean) = self.mean_us(class) {
            let delay = self.rng.exponential(mean);
            self.after(delay, Next::Fault(class));
        }
        let groups = u64::from(self.plan.groups);
        let busy = self.rng.chance(3_000) && self.plan.beyond.is_none();
        self.busy = busy.then(|| PgId(self.rng.range(0, groups - 1) as u32));
    }

    pub(crate) fn crash_node(&mut self, node: usize, crash: Crash, down_us: u64) {
        if self.hosts[node].node.is_none() {
            return;
        }
        self.report.crashes += 1;
        self.hosts[node].crash(crash, &mut self.rng);
        self.after(down_us, Next::NodeUp(node));
    }

    fn crash_everything(&mut self) {
        let torn = |set: &[crate::host::Host]| set.iter().all(|h| h.node.is_some() && h.disk.writes_log());
        self.report.torn_six += self.hosts.chunks(6).filter(|set| torn(set)).count() as u64;
        let crash = if self.rng.chance(7_000) { Crash::Machine } else { Crash::Process };
        for node in 0..self.hosts.len() {
            let down = self.rng.range(1_000, 30_000);
            self.crash_node(node, crash, down);
        }
        for compute in &mut self.computes {
            compute.kill();
        }
        let delay = self.rng.exponential(20_000);
        self.after(delay, Next::ComputeUp);
    }

    pub(crate) fn crash_writer(&mut self) {
        let current = self.current();
        if !self.created {
            return;
        }
        if !(self.plan.has(Class::Zombies) && self.rng.chance(4_000)) {
            self.computes[current].kill();
        }
        let delay = self.rng.exponential(20_000);
        self.after(delay, Next::ComputeUp);
    }

    /// Three nodes of one set stop for a while: a zone and one more.
    fn az_plus_one(&mut self) {
        let set = self.rng.index(self.plan.sets) * 6;
        let zone = self.rng.index(3);
        let one = (zone * 2 + 2 + self.rng.index(4)) % 6;
        for position in [zone * 2, zone * 2 + 1, one] {
            let down = self.rng.range(100_000, 500_000);
            let crash = if self.rng.chance(5_000) { Crash::Machine } else { Crash::Process };
            self.crash_node(set + position, crash, down);
        }
    }

    pub(crate) fn set_full(&mut self, node: usize, full: bool) {
        self.hosts[node].full = full;
        let free = if full { 1 << 20 } else { 1 << 34 };
        self.node_step(node, NodeEvent::Space { free, total: 1 << 35 });
    }

    /// Deletes a node's folder, if no more are lost than the plan allows.
    fn lose_folder(&mut self) {
        let node = self.rng.index(self.hosts.len());
        let set = node / 6 * 6;
        let lost = (set..set + 6).filter(|n| *n != node && !self.whole(*n)).count();
        let rot_here =
            self.damaged(self.rot_victim) && self.rot_victim / 6 == node / 6 && node != self.rot_victim;
        let rots = usize::from(rot_here && self.whole(self.rot_victim));
        if !self.whole(node) || lost + rots + 1 > self.plan.lost_folders.max(1 + rots) {
            return;
        }
        let down = self.rng.exponential(60_000);
        self.delete_folder(node, down);
    }

    /// The folder is gone for good; a new one starts at its place. Whatever was ever created in the old one is asked for again: creations
    /// may come arbitrarily late, and must find that this is another folder.
    pub(crate) fn delete_folder(&mut self, node: usize, down_us: u64) {
        self.report.crashes += 1;
        self.hosts[node].wipe(&mut self.rng);
        self.after(down_us, Next::NodeUp(node));
        for create in std::mem::take(&mut self.hosts[node].creates) {
            let delay = down_us + self.rng.range(1_000, 60_000);
            self.after(delay, Next::Arrive(Place::Node(node), create));
        }
    }

    /// True when every group the open writer's head puts on this node lives there as a full-blown member. Without an open
    /// writer nobody knows, so nothing counts as whole; nor while a group is being made, which may start with four copies.
    pub(crate) fn whole(&self, node: usize) -> bool {
        let Some(log) = self.computes[self.current()].log() else { return false };
        let Some(core) = self.hosts[node].serving() else { return false };
        if log.settled() != log.head().version || log.growing() {
            return false;
        }
        log.head().groups.iter().all(|group| {
            let id = SegmentId { pg: group.pg, position: (node % 6) as u8 };
            if self.node_of(id) != node {
                return true;
            }
            let member = &group.members[usize::from(id.position)];
            let joint = group.joint.as_ref().is_some_and(|j| j.position == id.position);
            !joint && core.inspect(id).is_some_and(|s| s.incarnation == member.incarnation)
        })
    }

    /// All faults end; whoever is down starts; one writer stands.
    pub(crate) fn heal(&mut self) {
        self.healing = true;
        self.asleep.clear();
        self.busy = None;
        self.net.calm();
        for node in 0..self.hosts.len() {
            if self.hosts[node].node.is_none() {
                self.start_node(node);
            }
            if self.hosts[node].full {
                self.set_full(node, false);
            }
        }
        let current = self.current();
        for old in &mut self.computes[..current] {
            old.kill();
        }
        if self.computes[current].dead() {
            self.start_compute();
        }
        self.acked_at_heal = self.history.acked;
        self.after(self.plan.healing_us, Next::Heal);
    }

    /// The second `Heal` is the deadline.
    pub(crate) fn deadline(&mut self) {
        if self.plan.beyond.is_some() {
            // It may wait for ever; what it said until now was right.
            self.report.halts += 1;
            return self.finish();
        }
        let rest = self.rest().err().unwrap_or_default();
        let state = self.computes[self.current()].state();
        let asleep: Vec<String> = (0..self.hosts.len())
            .filter(|n| self.hosts[*n].serving().is_none())
            .map(|n| format!("node {n} {:?}", self.hosts[n].node.as_ref().map(|node| node.phase().clone())))
            .collect();
        self.fail(format!(
            "P1-P3: act {} of healing never ended: {rest}; writer {state}; not serving {asleep:?}",
            self.act
        ));
    }

    /// Moves through the acts of healing; called with every check.
    pub(crate) fn watch_healing(&mut self) {
        match self.act {
            0 if self.history.acked >= self.acked_at_heal + 8 => {
                self.writes_stopped = true;
                if let Some(books) = &self.books {
                    books.stop();
                }
                self.act = 1;
            }
            1 if self.rest().is_ok() => {
                if let Err(why) = self.check_equal() {
                    return self.fail(why);
                }
                self.act = 2;
                self.start_audit();
            }
            2 if self.computes[self.current()].log().is_some() => {
                let vdl = self.history.end();
                let current = self.current();
                if self.computes[current].log().is_some_and(|l| l.vdl() != vdl) {
                    return self.fail(format!("I1: the audit opened beside VDL {vdl}"));
                }
                for page in self.model.ids() {
                    self.computes[current].start_read(self.now_us, page);
                }
                self.after_compute(current, Vec::new());
                self.act = 3;
            }
            3 if self.computes[self.current()].log().is_some()
                && self.computes[self.current()].reading() == 0
                && self.books.as_ref().is_none_or(Books::closed) =>
            {
                self.finish();
            }
            _ => {}
        }
    }

    /// The last crash: everything at once, at rest.
    fn start_audit(&mut self) {
        for node in 0..self.hosts.len() {
            self.crash_node(node, Crash::Machine, 1_000);
        }
        let current = self.current();
        self.computes[current].kill();
        if let Some(books) = &self.books {
            books.close();
        }
        self.after(2_000, Next::ComputeUp);
    }

    /// P2, P3: nothing is under way and all six of every group hold everything.
    ///
    /// # Errors
    /// What is missing.
    pub(crate) fn rest(&self) -> Result<(), String> {
        let writer: &Compute = &self.computes[self.current()];
        let Some(log) = writer.log() else { return Err("no writer is open".to_owned()) };
        if log.vdl() != self.history.end() || (log.last_lsn() != log.vdl() && log.last_lsn() != log.ceiling())
        {
            return Err(format!("VDL {} behind {}", log.vdl(), log.last_lsn()));
        }
        if log.settled() != log.head().version || writer.reading() > 0 {
            return Err(format!("head {:?} is not settled, or reads are under way", log.head().version));
        }
        for group in &log.head().groups {
            if let Some(joint) = &group.joint {
                return Err(format!(
                    "{} is still being joined by {:?}",
                    group.pg, joint.newcomer.incarnation
                ));
            }
            let last = self.history.last_of(group.pg, Lsn::MAX);
            for (position, member) in group.members.iter().enumerate() {
                let id = SegmentId { pg: group.pg, position: position as u8 };
                let state = self.hosts[self.node_of(id)].serving().and_then(|n| n.inspect(id));
                let Some(state) = state else { return Err(format!("{id} is not there")) };
                let head = state.head.as_ref().map_or(HeadVersion::default(), |h| h.version);
                if state.incarnation != member.incarnation || state.scl != last || head != log.head().version
                {
                    return Err(format!(
                        "{id} of node {} stands at {} of {last}, head {head:?}",
                        self.node_of(id),
                        state.scl
                    ));
                }
            }
        }
        Ok(())
    }

    /// I26: full copies that hold pages through the same LSN, and all logs, agree (with the history, so with one another).
    fn check_equal(&self) -> Result<(), String> {
        for (node, host) in self.hosts.iter().enumerate() {
            let Some(core) = host.serving() else { continue };
            for id in core.segments() {
                for record in core.records(id) {
                    let known = self.history.at(record.lsn).map(protocol::Record::crc);
                    if known != Some(record.crc()) && !self.damaged(node) {
                        return Err(format!(
                            "I26: node {node} {id} holds {record:?}, unknown to the history"
                        ));
                    }
                }
            }
        }
        Ok(())
    }

    /// Full members of a group.
    #[must_use]
    pub fn full_members(&self, pg: PgId) -> Vec<SegmentId> {
        let Some(log) = self.computes[self.current()].log() else { return Vec::new() };
        let Some(group) = log.head().group(pg) else { return Vec::new() };
        (0..6_u8)
            .filter(|p| group.members[usize::from(*p)].role == SegmentRole::Full)
            .map(|position| SegmentId { pg, position })
            .collect()
    }
}
