//! What one seed will do: sizes, rates, and which classes of faults it draws (swarm testing).
//!
//! A seed switches each class on or off and draws its rates, so that some seeds are calm but for one thing, and some have everything.
//! The atlas never exceeds what the design promises to survive: one node's disk rots or lies at a time, at most two folders are lost
//! at a time, and rot and lost folders do not meet in one seed with more than one folder. Where a disk lies (a write that was
//! acknowledged is not there, and nothing shows it), no group opens with three copies: that would be one fault more.
//!
//! Seeds go round the [`Mode`]s: what a rule is needed for must happen often, not once in thousands of seeds.

use crate::beyond::Beyond;
use crate::rng::Rng;
use engine::Isolation;

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
    /// One node's disk drops writes it acknowledged.
    LostWrites,
    /// One node's disk writes to another place of the same file.
    Misdirected,
    /// One slot, or both, of one node's superblock change.
    SuperRot,
    /// Bytes of one node's page index change.
    IndexRot,
    /// Every machine's clock is off, and fast or slow by up to rho.
    ClockSkew,
    /// Several processes stand for election, and stand again when they lost.
    Rivals,
    /// The writer's machine sleeps for a while: its processes with it.
    Sleeps,
    /// The writer hands over in good order.
    HandOvers,
}

impl Class {
    /// Every class.
    pub const ALL: [Class; 22] = [
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
        Class::LostWrites,
        Class::Misdirected,
        Class::SuperRot,
        Class::IndexRot,
        Class::ClockSkew,
        Class::Rivals,
        Class::Sleeps,
        Class::HandOvers,
    ];

    /// Classes that damage the disk of the one victim.
    pub const DAMAGE: [Class; 5] =
        [Class::Rot, Class::LostWrites, Class::Misdirected, Class::SuperRot, Class::IndexRot];
}

/// What a seed is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// One writer at a time, as the locks of folders keep it; every fault of disks and links.
    Locks,
    /// Rivals stand for election all the time; nodes promise nothing, nobody reads (R7 alone).
    Elections,
    /// Promises of a few tens of milliseconds, clocks at their bounds, sleeping machines, hand-overs, statements at every writer (R8).
    Leases,
    /// Many protection groups, openings that die half-way (R9, R10).
    Growth,
    /// Everything.
    Mixed,
    /// A real engine and its trees in every process: bank, lists, crashes of writers, machines and everything (I19-I24).
    Engine,
    /// Faults beyond the promise: it may halt, and may not lie ([`Beyond`]).
    Halt,
}

impl Mode {
    /// Seeds go round these.
    pub const ALL: [Mode; 7] =
        [Mode::Locks, Mode::Elections, Mode::Leases, Mode::Growth, Mode::Mixed, Mode::Engine, Mode::Halt];

    /// The modes of ten seeds that follow one another: a seed keeps its mode for ever.
    const ROUND: [Mode; 10] = [
        Mode::Locks,
        Mode::Elections,
        Mode::Leases,
        Mode::Growth,
        Mode::Mixed,
        Mode::Halt,
        Mode::Engine,
        Mode::Leases,
        Mode::Growth,
        Mode::Mixed,
    ];

    /// The mode of a seed.
    #[must_use]
    pub fn of(seed: u64) -> Mode {
        Mode::ROUND[(seed % Mode::ROUND.len() as u64) as usize]
    }

    /// As it is chosen by hand.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Mode::Locks => "locks",
            Mode::Elections => "leases-off",
            Mode::Leases => "lease-stress",
            Mode::Growth => "growth-stress",
            Mode::Mixed => "mixed",
            Mode::Engine => "engine",
            Mode::Halt => "halt",
        }
    }

    /// The mode of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Mode> {
        Mode::ALL.into_iter().find(|mode| mode.name() == name)
    }

    /// Drops and adds classes.
    fn shape(self, classes: &mut Vec<Class>, rng: &mut Rng) {
        let rivalry = [Class::Rivals, Class::Sleeps, Class::HandOvers];
        match self {
            Mode::Locks => classes.retain(|c| !rivalry.contains(c)),
            Mode::Elections => {
                classes.retain(|c| *c != Class::HandOvers && *c != Class::Sleeps);
                classes.push(Class::Rivals);
            }
            Mode::Leases => {
                let heavy = [Class::ClusterCrashes, Class::AzPlusOne, Class::FullDisks, Class::DeviceErrors];
                let mild = |rng: &mut Rng| rng.chance(3_000);
                classes.retain(|c| {
                    !heavy.contains(c)
                        && (!Class::DAMAGE.contains(c) && *c != Class::LostFolders || mild(rng))
                });
                classes.extend([Class::Rivals, Class::ClockSkew]);
            }
            Mode::Growth => classes.extend([Class::WriterCrashes, Class::Rivals]),
            Mode::Engine => {
                // Without leases one process at a time reads; with them they may meet.
                let meeting = [Class::Rivals, Class::Sleeps, Class::HandOvers, Class::Zombies];
                let leases = rng.chance(5_000);
                let rare = [Class::AzPlusOne, Class::FullDisks, Class::DeviceErrors];
                let mild = rng.chance(3_000);
                classes.retain(|c| (leases || !meeting.contains(c)) && (mild || !rare.contains(c)));
                if leases {
                    classes.push(Class::ClockSkew);
                }
                classes.push(Class::WriterCrashes);
            }
            Mode::Halt => {
                // What strikes is chosen apart; around it only what says nothing about what was acknowledged.
                let around =
                    [Class::Loss, Class::Duplicates, Class::LongTail, Class::Partitions, Class::NodeCrashes];
                classes.retain(|c| around.contains(c));
                classes.push(Class::WriterCrashes);
            }
            Mode::Mixed => {}
        }
    }
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
    /// Processes work through a buffer pool with fewer frames than there are pages.
    pub pooled: bool,
    /// What strikes beyond the promise.
    pub beyond: Option<Beyond>,
    /// Processes run a real engine, with sessions at this level.
    pub sessions: Option<Isolation>,
    /// Chances in 10,000 that a fresh engine opens what a crash would leave, at every look of the checkers.
    pub examine: u64,
    /// T of R8 in milliseconds; 0 when locks stand for elections and leases, as in the embedded cluster.
    pub lease_ms: u64,
    /// A node may have acknowledged what it does not hold, without a trace: no group opens with three copies.
    pub lies: bool,
    /// A scripted disaster that chance would need thousands of seeds for.
    pub drill: Option<Drill>,
}

impl Plan {
    /// What `seed` draws.
    #[must_use]
    pub fn draw(seed: u64) -> Plan {
        Plan::draw_in(Mode::of(seed), seed)
    }

    /// What `seed` draws in this mode.
    #[must_use]
    pub fn draw_in(mode: Mode, seed: u64) -> Plan {
        let rng = &mut Rng::new(seed ^ 0xA11_5EED);
        let mut classes: Vec<Class> = Class::ALL.into_iter().filter(|_| rng.chance(4_500)).collect();
        mode.shape(&mut classes, rng);
        if rng.chance(8_000) && !classes.contains(&Class::WriterCrashes) {
            classes.push(Class::WriterCrashes);
        }
        let drills = matches!(mode, Mode::Locks | Mode::Mixed);
        let drill = match rng.range(0, if drills { 29 } else { 999 }) {
            0 | 1 => Some(Drill::Rot(rng.range(6, 11) as usize)),
            2 => Some(Drill::Folders(rng.range(0, 11) as usize)),
            3 => Some(Drill::Three(rng.range(6, 11) as usize)),
            _ => None,
        };
        if drill.is_some() {
            classes.retain(|c| matches!(c, Class::Loss | Class::Duplicates | Class::Rot | Class::ClockSkew));
            if matches!(drill, Some(Drill::Rot(_))) {
                classes.push(Class::Rot);
            } else {
                classes.retain(|c| *c != Class::Rot);
            }
        }
        let sets = if drill.is_some() { 2 } else { 1 + usize::from(rng.chance(4_000)) };
        let rots = Class::DAMAGE.iter().any(|c| classes.contains(c));
        let lies = classes.contains(&Class::LostWrites) || classes.contains(&Class::SuperRot);
        let growth = mode == Mode::Growth && drill.is_none();
        let lease_ms = match mode {
            Mode::Leases => rng.range(30, 150),
            Mode::Mixed if rng.chance(6_000) => rng.range(60, 600),
            _ => 0,
        };
        classes.sort_unstable();
        classes.dedup();
        let plan = Plan {
            seed,
            classes,
            faults_us: 2_000_000,
            healing_us: 4_000_000,
            sets,
            pages_per_pg: if growth { rng.range(1, 3) } else { rng.range(2, 12) },
            groups: if growth { 8 } else { rng.range(2, 4) as u32 },
            lal_bytes: rng.range(6_000, 120_000),
            mtr_us: rng.range(1_500, 9_000),
            read_us: rng.range(4_000, 30_000),
            loss: rng.range(10, 1_500),
            duplicates: rng.range(10, 1_000),
            long_tail: rng.range(10, 300),
            delay_us: if mode == Mode::Leases { rng.range(100, 2_500) } else { rng.range(200, 6_000) },
            sync_us: rng.range(100, 3_000),
            node_crash_us: rng.range(60_000, 900_000),
            writer_crash_us: rng.range(60_000, 800_000),
            cluster_crash_us: rng.range(200_000, 1_500_000),
            partition_us: rng.range(200_000, 1_000_000),
            rot_us: rng.range(40_000, 500_000),
            lost_folders: if rots { 1 } else { rng.range(1, 2) as usize },
            half_openings: drill.is_none()
                && Rng::new(seed ^ 0x4A1F).chance(if growth { 4_000 } else { 1_000 }),
            pooled: false,
            beyond: None,
            sessions: None,
            examine: 0,
            lease_ms,
            lies,
            drill,
        };
        // Dice of its own: other seeds stay what they were.
        let dice = &mut Rng::new(seed ^ 0x9001);
        let plan = match mode {
            Mode::Locks | Mode::Mixed if plan.drill.is_none() && dice.chance(3_000) => {
                let mtr_us = dice.range(400, 2_000);
                Plan { pooled: true, pages_per_pg: dice.range(60, 120), groups: 3, mtr_us, ..plan }
            }
            _ => plan,
        };
        if mode == Mode::Halt {
            let dice = &mut Rng::new(seed ^ 0x4A17);
            let beyond = Beyond::draw(dice);
            // An old folder says nothing of what it lacks: with three copies it would be one fault too many to notice.
            let lies = beyond == Beyond::OldFolder;
            let (beyond, mtr_us) = (Some(beyond), dice.range(1_000, 4_000));
            return Plan {
                beyond,
                lies,
                mtr_us,
                drill: None,
                healing_us: 2_500_000,
                half_openings: false,
                ..plan
            };
        }
        if mode == Mode::Engine {
            return plan.with_sessions(&mut Rng::new(seed ^ 0xE9_617E));
        }
        match drill {
            Some(_) => {
                Plan { loss: plan.loss.min(100), mtr_us: plan.mtr_us.min(3_000), rot_us: 1_000_000, ..plan }
            }
            None => plan,
        }
    }

    /// The same faults, less often, around processes with real engines.
    fn with_sessions(self, dice: &mut Rng) -> Plan {
        let levels = [Isolation::ReadCommitted, Isolation::RepeatableRead, Isolation::Serializable];
        let meet = self.has(Class::ClockSkew);
        Plan {
            sessions: Some(levels[dice.index(levels.len())]),
            examine: 250,
            drill: None,
            healing_us: 10_000_000,
            pages_per_pg: dice.range(300, 1_500),
            groups: 64,
            lal_bytes: dice.range(200_000, 1_500_000),
            loss: self.loss.min(500),
            delay_us: dice.range(200, 2_500),
            sync_us: dice.range(100, 1_500),
            writer_crash_us: dice.range(250_000, 900_000),
            cluster_crash_us: dice.range(500_000, 2_000_000),
            lease_ms: if meet { dice.range(60, 400) } else { 0 },
            half_openings: dice.chance(1_000),
            ..self
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
            pooled: false,
            beyond: None,
            sessions: None,
            lal_bytes: 100_000,
            lease_ms: 0,
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

    /// The same plan with these classes alone, and no scripted disaster.
    #[must_use]
    pub fn with_only(&self, classes: &[Class]) -> Plan {
        let mut plan = Plan { classes: classes.to_vec(), drill: None, half_openings: false, ..self.clone() };
        plan.classes.sort_unstable();
        plan.classes.dedup();
        plan.lies = plan.has(Class::LostWrites) || plan.has(Class::SuperRot);
        if Class::DAMAGE.iter().any(|class| plan.has(*class)) {
            plan.lost_folders = 1;
        }
        plan
    }

    /// The same plan without one class.
    #[must_use]
    pub fn without(&self, class: Class) -> Plan {
        let mut plan = self.clone();
        plan.classes.retain(|c| *c != class);
        plan
    }
}
