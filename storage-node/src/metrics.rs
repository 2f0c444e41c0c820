//! Counters of one node, as plain numbers; the host publishes them.

/// What a node has done since it was opened. All rise only, but for those called *now*.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Metrics {
    /// Messages taken.
    pub messages: u64,
    /// Records stored durably in the hot log.
    pub records: u64,
    /// Bytes of those records.
    pub record_bytes: u64,
    /// Log blocks written, each one write and one sync.
    pub log_writes: u64,
    /// Bytes of log blocks, padding included.
    pub log_bytes: u64,
    /// Superblocks written.
    pub superblock_writes: u64,
    /// Records held already when they came.
    pub duplicates: u64,
    /// Records refused because the truncation list kills them (R3).
    pub dead: u64,
    /// Records that contradict one held: same LSN, other content.
    pub conflicts: u64,
    /// Records dropped because a queue was full.
    pub dropped: u64,
    /// Copies of this node that were moved elsewhere and hold a tombstone.
    pub retired: u64,
    /// Looks at everything stored that an operator asked for and that have ended.
    pub scrub_passes: u64,
    /// Stored page versions looked at by the scrubber.
    pub scrubbed_pages: u64,
    /// Log files looked at by the scrubber.
    pub scrubbed_logs: u64,
    /// Requests refused for their epoch.
    pub stale: u64,
    /// Records taken from a peer's log slice.
    pub gossip_records: u64,
    /// Coalescing rounds finished.
    pub rounds: u64,
    /// Page versions written.
    pub page_writes: u64,
    /// Page versions dropped.
    pub page_drops: u64,
    /// Pages served.
    pub page_reads: u64,
    /// Pages refused.
    pub page_refusals: u64,
    /// Records applied to serve reads.
    pub read_applies: u64,
    /// Bad log blocks or page images found.
    pub rot: u64,
    /// Images or log healed from a peer.
    pub healed: u64,
    /// *Now*: bytes of log files held.
    pub log_held_bytes: u64,
    /// *Now*: bytes of records held in memory.
    pub record_held_bytes: u64,
    /// *Now*: bytes of memory behind the log, index and queue included; at most [`log_memory_bytes`](crate::Settings) and what
    /// one queue holds.
    pub log_memory_bytes: u64,
    /// *Now*: bytes of records waiting to be coalesced, over all full segments.
    pub uncoalesced_bytes: u64,
    /// *Now*: longest chain of unapplied records of one page.
    pub longest_chain: u64,
    /// *Now*: slots of page files in use.
    pub page_slots: u64,
    /// *Now*: bytes of memory behind the index of stored page versions, at most; it grows with the volume.
    pub index_bytes: u64,
    /// *Now*: bytes it may need at most, while a journal is written anew too ([`Settings::index_bytes`](crate::Settings::index_bytes)).
    pub index_bound_bytes: u64,
}
