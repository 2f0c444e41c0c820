//! What an operator needs to see first: is the volume whole, who writes, what is missing, does anything wait.
//!
//! ```text
//!   writer + storage (Backing::moment) ─┐                ┌─► sextant.volume, protection_groups, segments     (tables)
//!                                       ├─► Picture ─────┼─► GET /status on the metrics port, --json         (serde)
//!   storage alone (driver::net::survey) ┘                └─► `sextant status`, a screen                      (page)
//! ```
//! One picture, made from two sides: by the compute node, which knows the log and hears every segment, or by a command that asks the storage
//! daemons, which works when no compute node runs. What the words mean stands in [`judge`] and nowhere else.

pub mod ask;
pub mod gather;
pub mod judge;
pub mod page;
pub mod survey;
pub(crate) mod tables;

use judge::{Health, State};
use serde::{Deserialize, Serialize};

/// One moment of a volume.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Picture {
    /// `writer`: a compute node's own; `storage`: what the daemons say.
    pub source: String,
    /// How the whole volume does.
    pub state: State,
    /// One line for a person: what that means, and what to do first.
    pub verdict: String,
    /// The volume's id in hexadecimal; empty: there is none.
    pub volume: String,
    /// Who writes, as far as is known.
    pub writer: Option<Writer>,
    /// Version of the newest head: epoch and seq.
    pub head: (u64, u64),
    /// Pages of one protection group; 0: unknown.
    pub pages_per_pg: u64,
    /// Everything at or below is durable and whole.
    pub vdl: u64,
    /// Every record at or below is durable; what storage says of it is no more than the VDL it was told.
    pub vcl: u64,
    /// What only the writer knows.
    pub log: Option<Log>,
    /// The storage nodes.
    pub nodes: Vec<Node>,
    /// The protection groups, in order.
    pub groups: Vec<Group>,
}

/// The writer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Writer {
    /// In words: a process, or the address it calls from.
    pub name: String,
    /// The epoch it won; 0: unknown.
    pub epoch: u64,
}

/// The writer's log, and who waits for it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Log {
    /// The last LSN given out.
    pub last_lsn: u64,
    /// LAL: how far it may run ahead of VDL, bytes.
    pub lal_bytes: u64,
    /// What is left of that, bytes.
    pub headroom_bytes: u64,
    /// Mini-transactions that wait for room.
    pub waiting: u64,
    /// For how long VDL has not moved although something waits for it, milliseconds.
    pub stalled_ms: u64,
    /// How long the lease lives, milliseconds (R8); `None` where none is needed.
    pub lease_left_ms: Option<u64>,
    /// R8's T, milliseconds.
    pub lease_ms: u64,
    /// Log held for sending, bytes.
    pub held_bytes: u64,
    /// Ranges of dead records in the head.
    pub truncations: u64,
}

/// A storage node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// Availability zone, 1 to 3.
    pub az: u8,
    /// Its position in every group; `None` while it has none.
    pub position: Option<u8>,
    /// Its folder or address.
    pub place: String,
    /// `serving`, `starting`, `failed`, `draining`, `blank`, `refuses` or `silent`.
    pub state: String,
    /// What is wrong with it; empty for nothing.
    pub problem: String,
    /// Its process, if it is one of its own.
    pub pid: Option<u32>,
    /// It takes no log because its device is nearly full.
    pub disk_nearly_full: bool,
    /// Bytes of log files.
    pub log_held_bytes: u64,
    /// Bytes of log not yet in pages.
    pub uncoalesced_bytes: u64,
    /// The longest chain of unapplied records of one page.
    pub longest_chain: u64,
    /// Bad blocks and images found since it started.
    pub rot: u64,
    /// Those of them that were healed.
    pub healed: u64,
}

/// A protection group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// Its number.
    pub pg: u32,
    /// How it does.
    pub state: State,
    /// Copies that take part.
    pub able: usize,
    /// Position whose member is being replaced.
    pub newcomer: Option<u8>,
    /// The head version that last changed its members; (0, 0): unknown.
    pub version: (u64, u64),
    /// Its last record given out, or the furthest any copy has.
    pub last_lsn: u64,
    /// Durable at four of six through here.
    pub pgcl: u64,
    /// Log held for sending, bytes.
    pub held_bytes: u64,
    /// Its six copies, those known.
    pub copies: Vec<Copy>,
}

/// One copy of a protection group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Copy {
    /// 0 to 5.
    pub position: u8,
    /// Availability zone, 1 to 3.
    pub az: u8,
    /// Folder or address of its node; empty: unknown.
    pub place: String,
    /// `full` or `tail`.
    pub role: String,
    /// The life it is, in hexadecimal.
    pub incarnation: String,
    /// The epoch it holds durably.
    pub epoch: u64,
    /// Its membership: `member`, `newcomer`, `lost`, `starting`, `failed` or `unreachable`.
    pub state: String,
    /// How it does.
    pub health: Health,
    /// End of its durable gap-free chain.
    pub scl: u64,
    /// Log of its group that it lacks, bytes.
    pub lag_bytes: u64,
    /// Durable, checked pages through here.
    pub page_point: u64,
    /// How long it has said nothing, milliseconds; 0 where nobody listens.
    pub silent_ms: u64,
    /// Smoothed answer time, microseconds; 0: unknown.
    pub latency_us: u64,
    /// Messages it sent to repair others.
    pub repair_messages: u64,
    /// Bytes in them.
    pub repair_bytes: u64,
    /// Log writes of its node.
    pub log_writes: u64,
    /// Syncs of its node's log.
    pub log_syncs: u64,
}

impl Group {
    /// The copy to look at first: the one that does worst, and of those the one furthest behind.
    #[must_use]
    pub fn worst(&self) -> Option<&Copy> {
        self.copies.iter().max_by_key(|copy| (copy.health, copy.lag_bytes))
    }
}

impl Picture {
    /// Exit code of `sextant status`.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self.state {
            State::Whole => 0,
            State::None => 1,
            State::Degraded => 3,
            State::Stalled | State::Down => 4,
        }
    }

    /// Newcomers and lost copies: repairs under way or due.
    pub fn repairs(&self) -> impl Iterator<Item = (&Group, &Copy)> {
        let copies = self.groups.iter().flat_map(|group| group.copies.iter().map(move |copy| (group, copy)));
        copies.filter(|(_, copy)| matches!(copy.health, Health::Repairing | Health::Lost))
    }

    /// Nodes whose device failed or has no room.
    pub fn bad_devices(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(|node| node.state == "failed" || node.disk_nearly_full)
    }
}
