//! From the groups' chains to one VDL.
//!
//! ```text
//!  start = 40 (told as VDL by some writer, so durable)
//!  pg0  50 --------- 70 -- 80c          volume chain by prev_volume: 40 50 60c 70 80c
//!  pg1        60c ---------- (90c)      85 is missing, so 90 does not count: VCL 80, VDL 80
//! ```
//! The volume chain is walked by the records' links to the volume's previous record, so a hole in any group ends it.

use protocol::{Lsn, Record, RecordFlags, mutant};
use std::collections::BTreeMap;

/// What an opening decides.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Chosen {
    /// Every record at or below is held by somebody.
    pub vcl: Lsn,
    /// The highest end of a mini-transaction at or below VCL.
    pub vdl: Lsn,
}

/// Walks from `start`, itself a durable end of a mini-transaction, over the union of all groups' live records above it.
#[must_use]
pub fn choose<'a>(start: Lsn, records: impl Iterator<Item = &'a Record>) -> Chosen {
    let next: BTreeMap<Lsn, &Record> = records.map(|r| (r.prev_volume, r)).collect();
    let (mut vcl, mut vdl) = (start, start);
    while let Some(record) = next.get(&vcl) {
        vcl = record.lsn;
        if record.flags.has(RecordFlags::CPL) || mutant!(VdlIsVcl) {
            vdl = vcl;
        }
    }
    Chosen { vcl, vdl }
}
