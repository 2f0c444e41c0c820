//! What one seed will do: sizes, rates, and which classes of faults it draws (swarm testing).
//!
//! A seed switches each class on or off and draws its rates, so that some seeds are calm but for one thing, and some have everything.
//! The atlas never exceeds what the design promises to survive: one node's disk rots at a time, at most two folders are lost
//! at a time, and rot and lost folders do not meet in one seed with more than one folder. Old writers do not live on where folders
//! are lost: `Create` names a life and no folder, so an old writer could begin a listed life anew in an empty one; the locks of
//! the folders exclude that.

use crate::rng::Rng;

/// Classes of faults a seed may have; shrinking switches them off one by one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Class {
    /// Messages are lost.
    Loss,
    /// Messages come twice.
    Duplicates,
    /// Some messages take very long.
    LongTail,
    /// Whole availability zones are cut off, or single links clog.
    Partitions,
    /// Node processes die and come back.
    NodeCrashes,
    /// The machines of nodes die: what was not synced is lost by chance.
    MachineCrashes,
    /// All nodes and the writer die at once.
    ClusterCrashes,
    /// The writer's process dies.
    WriterCrashes,
    /// An old writer lives on beside the new one.
    Zombies,
    /// Bytes of one node's disk change.
    Rot,
    /// Folders are deleted.
    LostFolders,
    /// Writes and syncs fail.
    DeviceErrors,
    /// Devices fill up.
    FullDisks,
    /// Three of six nodes of a set are down at once.
    AzPlusOne,
}

impl Class {
    /// Every class.
    pub const ALL: [Class; 14] = [
        Class::Loss,
        Class::Duplicates,
        Class::LongTail,
        Class::Partitions,
        Class::NodeCrashes,
        Class::MachineCrashes,
        Class::ClusterCrashes,
        Class::WriterCrashes,
        Class::Zombies,
        Class::Rot,
        Class::LostFolders,
        Class::DeviceErrors,
        Class::FullDisks,
        Class::AzPlusOne,
    ];
}

/// Scripted disasters (`drill`): log is brought to exactly four copies, then the writer dies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Drill {
    /// Three of the four stop; the fourth, this node of a set that does not hold group 0, comes back with a rotten block. The
    /// opening sees three copies: two never had the log, one cannot show it. Only its claim keeps it (R5, R6).
    Rot(usize),
    /// This node and another of the four stop; the folders of the other two are deleted. Two empty folders and two copies that never
    /// had the log answer: only four lives that the head names may open (R5).
    Folders(usize),
    /// The folders of this node's zone and one more of a set that does not hold group 0 are deleted. The three that are left hold
    /// everything; the elected writer replaces the lost copies before it opens (R12, R13).
    Three(usize),
}

impl Drill {
    /// The node it is about.
    #[must_use]
    pub fn node(self) -> usize {
        match self {
            Drill::Rot(node) | Drill::Folders(node) | Drill::Three(node) => node,
        }
    }
}

/// Everything a run needs to know; the same plan runs the same way for ever.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// Seed of the run's chances.
    pub seed: u64,
    /// Classes switched on.
    pub classes: Vec<Class>,
    /// Length of the phase with faults, virtual microseconds.
    pub faults_us: u64,
    /// Length of the phase without.
    pub healing_us: u64,
    /// Sets of six nodes: with two, groups alternate between them and fail independently.
    pub sets: usize,
    /// Pages of one protection group.
    pub pages_per_pg: u64,
    /// Protection groups in the end.
    pub groups: u32,
    /// LAL, bytes.
    pub lal_bytes: u64,
    /// Mean time between mini-transactions.
    pub mtr_us: u64,
    /// Mean time between page reads.
    pub read_us: u64,
    /// Loss in 10,000.
    pub loss: u64,
    /// Duplicates in 10,000.
    pub duplicates: u64,
    /// Long delays in 10,000.
    pub long_tail: u64,
    /// Longest ordinary delay of a message.
    pub delay_us: u64,
    /// Mean time of a log write with sync.
    pub sync_us: u64,
    /// Mean time between crashes of a node.
    pub node_crash_us: u64,
    /// Mean time between deaths of the writer.
    pub writer_crash_us: u64,
    /// Mean time between deaths of everything.
    pub cluster_crash_us: u64,
    /// Mean time between partitions.
    pub partition_us: u64,
    /// Mean time between rotten sectors.
    pub rot_us: u64,
    /// Folders lost at a time.
    pub lost_folders: usize,
    /// Openings die after the first few messages of their repair: their list is at a minority when the next one comes.
    pub half_openings: bool,
    /// T of R8 in milliseconds; 0 when locks stand for elections and leases, as in the embedded cluster.
    pub lease_ms: u64,
    /// A scripted disaster that chance would need thousands of seeds for.
    pub drill: Option<Drill>,
}

impl Plan {
    /// What `seed` draws.
    #[must_use]
    pub fn draw(seed: u64) -> Plan {
        let rng = &mut Rng::new(seed ^ 0xA11_5EED);
        let mut classes: Vec<Class> = Class::ALL.into_iter().filter(|_| rng.chance(4_500)).collect();
        if rng.chance(8_000) && !classes.contains(&Class::WriterCrashes) {
            classes.push(Class::WriterCrashes);
        }
        let drill = match rng.range(0, 59) {
            0 | 1 => Some(Drill::Rot(rng.range(6, 11) as usize)),
            2 => Some(Drill::Folders(rng.range(0, 11) as usize)),
            3 => Some(Drill::Three(rng.range(6, 11) as usize)),
            _ => None,
        };
        if drill.is_some() {
            classes.retain(|c| matches!(c, Class::Loss | Class::Duplicates | Class::Rot));
            if matches!(drill, Some(Drill::Rot(_))) {
                classes.push(Class::Rot);
            } else {
                classes.retain(|c| *c != Class::Rot);
            }
        }
        let sets = if drill.is_some() { 2 } else { 1 + usize::from(rng.chance(4_000)) };
        let rots = classes.contains(&Class::Rot);
        if classes.contains(&Class::LostFolders) {
            classes.retain(|c| *c != Class::Zombies);
        }
        classes.sort_unstable();
        classes.dedup();
        let plan = Plan {
            seed,
            classes,
            faults_us: 2_000_000,
            healing_us: 4_000_000,
            sets,
            pages_per_pg: rng.range(2, 12),
            groups: rng.range(2, 4) as u32,
            lal_bytes: rng.range(6_000, 120_000),
            mtr_us: rng.range(1_500, 9_000),
            read_us: rng.range(4_000, 30_000),
            loss: rng.range(10, 1_500),
            duplicates: rng.range(10, 1_000),
            long_tail: rng.range(10, 300),
            delay_us: rng.range(200, 6_000),
            sync_us: rng.range(100, 3_000),
            node_crash_us: rng.range(60_000, 900_000),
            writer_crash_us: rng.range(60_000, 800_000),
            cluster_crash_us: rng.range(200_000, 1_500_000),
            partition_us: rng.range(200_000, 1_000_000),
            rot_us: rng.range(40_000, 500_000),
            lost_folders: if rots { 1 } else { rng.range(1, 2) as usize },
            half_openings: drill.is_none() && Rng::new(seed ^ 0x4A1F).chance(1_000),
            lease_ms: 0,
            drill,
        };
        match drill {
            Some(_) => {
                Plan { loss: plan.loss.min(100), mtr_us: plan.mtr_us.min(3_000), rot_us: 1_000_000, ..plan }
            }
            None => plan,
        }
    }

    /// Nothing goes wrong: one group, no faults; for the order of things in one commit.
    #[must_use]
    pub fn calm(seed: u64) -> Plan {
        let plan = Plan::draw(seed);
        Plan {
            classes: Vec::new(),
            sets: 1,
            groups: 1,
            drill: None,
            half_openings: false,
            lal_bytes: 100_000,
            delay_us: 300,
            mtr_us: 20_000,
            read_us: 1_000_000,
            ..plan
        }
    }

    /// True when the class is switched on.
    #[must_use]
    pub fn has(&self, class: Class) -> bool {
        self.classes.contains(&class)
    }

    /// The same plan without one class.
    #[must_use]
    pub fn without(&self, class: Class) -> Plan {
        let mut plan = self.clone();
        plan.classes.retain(|c| *c != class);
        plan
    }
}
