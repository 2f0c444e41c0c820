//! The head: one value in protection group 0 that says what the volume is (R2, R9).
//!
//! Version (epoch, seq); it holds the truncation list, the list of protection groups, the membership of each, and the lease
//! time. A recoverer adopts the highest version in *any* reply, never a cache, never a vote. A higher version
//! replaces a lower one whole.

use crate::geometry::{AzId, COPIES, Geometry, Incarnation, NodeId, PgId, SegmentId, SegmentRole, VolumeId};
use crate::lsn::{Lsn, VolumeEpoch};
use crate::record::Record;
use crate::wire::{Input, Wire, WireError};
use crate::wire_struct;

/// Version byte of a stored head.
pub const HEAD_VERSION: u8 = 2;

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
    /// A life that was a member and is not known to hold a tombstone yet (R12): until it does, its node is in the volume map, because
    /// enough of such lives together would still elect a writer of the past.
    pub struct Former {
        /// Where it was a member.
        pub segment: SegmentId,
        /// The life.
        pub incarnation: Incarnation,
        /// The node that holds it.
        pub node: NodeId,
        /// Where to reach that; empty for a node in this process.
        pub address: String,
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
        /// Lives that were replaced and have not been seen to hold a tombstone.
        pub former: Vec<Former>,
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

    /// Who is sent what is meant for this copy: while it is being replaced the newcomer, because only its answers count any more.
    #[must_use]
    pub fn home(&self, id: SegmentId) -> Option<&Member> {
        let group = self.group(id.pg)?;
        let joint = group.joint.as_ref().filter(|joint| joint.position == id.position);
        joint.map(|joint| &joint.newcomer).or_else(|| group.members.get(usize::from(id.position)))
    }

    /// True when the copy lived in that folder and lives elsewhere, or is on its way: what comes from there is old news (R12).
    #[must_use]
    pub fn left(&self, id: SegmentId, node: NodeId) -> bool {
        let Some(group) = self.group(id.pg) else { return false };
        let home = self.home(id).is_some_and(|member| member.node == node);
        let member = group.members.get(usize::from(id.position)).is_some_and(|m| m.node == node);
        !home && (member || self.former.iter().any(|f| f.segment == id && f.node == node))
    }

    /// True when this life counts, or will once it has everything.
    #[must_use]
    pub fn names(&self, pg: PgId, incarnation: Incarnation) -> bool {
        let Some(group) = self.group(pg) else { return false };
        group
            .members
            .iter()
            .chain(group.joint.iter().map(|j| &j.newcomer))
            .any(|m| m.incarnation == incarnation)
    }

    /// Every address the volume map knows, each once: members, newcomers, and lives that wait for their tombstone (R9).
    #[must_use]
    pub fn addresses(&self) -> Vec<(AzId, &str)> {
        let members =
            self.groups.iter().flat_map(|g| g.members.iter().chain(g.joint.iter().map(|j| &j.newcomer)));
        let former =
            self.former.iter().map(|f| (crate::geometry::az_of(f.segment.position), f.address.as_str()));
        let mut found: Vec<(AzId, &str)> = Vec::new();
        for (az, address) in members.map(|m| (m.az, m.address.as_str())).chain(former) {
            if !address.is_empty() && !found.iter().any(|(_, known)| *known == address) {
                found.push((az, address));
            }
        }
        found
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
