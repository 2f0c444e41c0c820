//! The head: one value in protection group 0 that says what the volume is (R2, R9).
//!
//! Version (epoch, seq); it holds the truncation list, the list of protection groups, the membership of each, and the lease
//! time. A recoverer adopts the highest version in *any* reply, never a cache, never a vote. A higher version
//! replaces a lower one whole.

use crate::geometry::{AzId, COPIES, Geometry, Incarnation, NodeId, PgId, SegmentRole, VolumeId};
use crate::lsn::{Lsn, VolumeEpoch};
use crate::record::Record;
use crate::wire::{Input, Wire, WireError};
use crate::wire_struct;

/// Version byte of a stored head.
pub const HEAD_VERSION: u8 = 1;

/// (epoch, seq): a recoverer writes (its epoch, 0), the running writer changes it with (its epoch, seq + 1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct HeadVersion {
    /// Epoch of the writer that made this head.
    pub epoch: VolumeEpoch,
    /// Changes within that epoch.
    pub seq: u64,
}

impl Wire for HeadVersion {
    fn put(&self, out: &mut Vec<u8>) {
        self.epoch.put(out);
        self.seq.put(out);
    }
    fn get(input: &mut Input) -> Result<Self, WireError> {
        Ok(HeadVersion { epoch: Wire::get(input)?, seq: Wire::get(input)? })
    }
}

wire_struct! {
    /// One entry of the truncation list: records of an epoch before `epoch` in (lo, hi] are dead (R3).
    pub struct Truncation {
        /// The epoch that opened.
        pub epoch: VolumeEpoch,
        /// The VDL it chose.
        pub lo: Lsn,
        /// The ceiling: the highest LSN an older writer could have used.
        pub hi: Lsn,
    }
}

wire_struct! {
    /// Every opening that may still have dead records somewhere.
    pub struct TruncationList {
        /// Entries in order of epoch.
        pub entries: Vec<Truncation>,
    }
}

impl TruncationList {
    /// R3: a record is dead iff an entry has a later epoch and covers its LSN.
    #[must_use]
    pub fn is_dead(&self, epoch: VolumeEpoch, lsn: Lsn) -> bool {
        self.entries.iter().any(|t| epoch < t.epoch && t.lo < lsn && lsn <= t.hi)
    }

    /// [`is_dead`](Self::is_dead) of a record.
    #[must_use]
    pub fn kills(&self, record: &Record) -> bool {
        self.is_dead(record.epoch, record.lsn)
    }

    /// The highest ceiling of any opening.
    #[must_use]
    pub fn ceiling(&self) -> Lsn {
        self.entries.iter().map(|t| t.hi).max().unwrap_or(Lsn::ZERO)
    }
}

wire_struct! {
    /// One copy of a protection group.
    pub struct Member {
        /// The life of the segment that counts; another incarnation at this position counts in no quorum.
        pub incarnation: Incarnation,
        /// The node that holds it.
        pub node: NodeId,
        /// Its availability zone.
        pub az: AzId,
        /// Where to reach it; empty for a segment in this process.
        pub address: String,
        /// Whether it stores pages.
        pub role: SegmentRole,
    }
}

wire_struct! {
    /// A member being replaced: until the joint head is superseded, quorums need both sets (R12).
    pub struct Joint {
        /// Position in the group.
        pub position: u8,
        /// The newcomer; it counts nothing until it has everything up to `from`.
        pub newcomer: Member,
        /// The VDL when the joint head was sent: what the newcomer must copy.
        pub from: Lsn,
    }
}

wire_struct! {
    /// The six copies of one protection group, by position.
    pub struct PgMembers {
        /// The group.
        pub pg: PgId,
        /// The head version that last changed these members.
        pub version: HeadVersion,
        /// Exactly six, by position.
        pub members: Vec<Member>,
        /// The replacement under way, at most one.
        pub joint: Option<Joint>,
    }
}

wire_struct! {
    /// The one value that says what the volume is.
    pub struct Head {
        /// The volume.
        pub volume: VolumeId,
        /// Version of this value.
        pub version: HeadVersion,
        /// Pages in one protection group; fixed at creation.
        pub pages_per_pg: u64,
        /// Lease time T in milliseconds (R8).
        pub lease_ms: u64,
        /// Dead ranges.
        pub truncations: TruncationList,
        /// Protection groups, in order of id.
        pub groups: Vec<PgMembers>,
    }
}

impl Head {
    /// How pages map to groups.
    #[must_use]
    pub fn geometry(&self) -> Geometry {
        Geometry { pages_per_pg: self.pages_per_pg }
    }

    /// The members of a group, if the head lists it. Stale records of a group no head lists are void (R10).
    #[must_use]
    pub fn group(&self, pg: PgId) -> Option<&PgMembers> {
        self.groups.iter().find(|g| g.pg == pg)
    }

    /// What a decoded head must satisfy before anyone uses it.
    ///
    /// # Errors
    /// [`WireError::Unknown`] naming what is off.
    pub fn check(&self) -> Result<(), WireError> {
        if self.pages_per_pg == 0 {
            return Err(WireError::Unknown { what: "pages per protection group", value: 0 });
        }
        for (i, group) in self.groups.iter().enumerate() {
            if group.pg.0 as usize != i || group.members.len() != COPIES {
                return Err(WireError::Unknown { what: "protection group", value: u64::from(group.pg.0) });
            }
        }
        Ok(())
    }
}

wire_struct! {
    /// `prom` of R7.
    pub struct Grant {
        /// The highest epoch granted or fenced.
        pub epoch: VolumeEpoch,
        /// Who holds it.
        pub writer: crate::geometry::WriterId,
    }
}
