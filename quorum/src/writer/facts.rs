//! What the writer knows of its volume at one moment, for those who look at it: `sextant.volume`, `sextant.protection_groups`.

use super::WriterLog;
use protocol::head::HeadVersion;
use protocol::{Lsn, PgId, VolumeEpoch, VolumeId};

/// One moment of a volume.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VolumeView {
    /// The volume.
    pub volume: VolumeId,
    /// The epoch this writer won.
    pub epoch: VolumeEpoch,
    /// The head as it is being sent.
    pub head: HeadVersion,
    /// The newest head at quorum in group 0.
    pub settled: HeadVersion,
    /// Ranges of dead records the head lists (R2).
    pub truncations: usize,
    /// Pages of one protection group.
    pub pages_per_pg: u64,
    /// R8's T, milliseconds.
    pub lease_ms: u64,
    /// Everything at or below is durable and whole.
    pub vdl: Lsn,
    /// Every record at or below is at quorum.
    pub vcl: Lsn,
    /// The last LSN given out.
    pub last: Lsn,
    /// I25: no LSN above this may be given out.
    pub limit: Lsn,
    /// Bytes of room promised to mini-transactions and not yet written.
    pub reserved: u64,
    /// LAL, bytes.
    pub lal_bytes: u64,
    /// Bytes of log held for sending.
    pub held_bytes: u64,
    /// In order.
    pub groups: Vec<GroupView>,
}

/// One protection group as its writer sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupView {
    /// Which.
    pub pg: PgId,
    /// Records may be written to it (R10).
    pub open: bool,
    /// The head version that last changed its members.
    pub version: HeadVersion,
    /// Position whose member is being replaced (R12).
    pub joint: Option<u8>,
    /// Its last record given out.
    pub last: Lsn,
    /// Durable at four of six through here.
    pub pgcl: Lsn,
    /// Bytes of its log held for sending.
    pub held_bytes: u64,
}

impl VolumeView {
    /// Bytes that may still be written before everybody waits for VDL.
    #[must_use]
    pub fn headroom(&self) -> u64 {
        self.limit.0.saturating_sub(self.last.0).saturating_sub(self.reserved)
    }
}

impl WriterLog {
    /// This moment.
    #[must_use]
    pub fn view(&self) -> VolumeView {
        let group = |(group, members): (&super::group::Group, &protocol::head::PgMembers)| GroupView {
            pg: group.pg,
            open: group.open,
            version: members.version,
            joint: members.joint.as_ref().map(|joint| joint.position),
            last: group.last,
            pgcl: group.pgcl,
            held_bytes: group.held_bytes() as u64,
        };
        VolumeView {
            volume: self.head.volume,
            epoch: self.epoch,
            head: self.head.version,
            settled: self.settled,
            truncations: self.head.truncations.entries.len(),
            pages_per_pg: self.head.pages_per_pg,
            lease_ms: self.head.lease_ms,
            vdl: self.vdl,
            vcl: self.vcl,
            last: self.last,
            limit: self.limit(),
            reserved: self.reserved,
            lal_bytes: self.settings.lal_bytes,
            held_bytes: self.held_bytes() as u64,
            groups: self.groups.iter().zip(&self.head.groups).map(group).collect(),
        }
    }
}
