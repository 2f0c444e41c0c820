//! The numbers of the write path, with the reason for each default.

/// Sizes in bytes, times in microseconds. Not settings of the product: the driver fills them in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// LAL: how far the log may run ahead of VDL (system.md: 10,000,000).
    pub lal_bytes: u64,
    /// At most so much unacknowledged log in flight to one segment; past it that segment's batches wait, the other five go on.
    pub window_bytes: usize,
    /// A batch is closed at this size (a single larger record still fits).
    pub batch_bytes: usize,
    /// Unsent log of this size leaves although nobody waits for it.
    pub send_bytes: usize,
    /// Batches of one group that may be short of quorum at a time; the next fills meanwhile.
    pub flights: usize,
    /// Records nobody waits for leave after this long: a row's mini-transaction travels with the commit that follows it.
    pub linger_us: u64,
    /// A segment that heard nothing for this long gets a heartbeat (R8: T / 6).
    pub heartbeat_us: u64,
    /// A segment that has no room is asked so often whether it has again.
    pub full_us: u64,
    /// Log unacknowledged for this long is sent again, from what the segment's SCL lacks.
    pub retransmit_us: u64,
    /// Log at or below VDL kept per group for segments that lag; beyond it gossip fills them.
    pub keep_bytes: usize,
    /// While opening, an unanswered request is sent again after this long.
    pub ask_us: u64,
    /// While opening, how long to wait for the last ones once a quorum has answered.
    pub grace_us: u64,
    /// While opening, how long to wait for a fourth copy of a group other than 0 before three with claims are enough (R6), and how
    /// long for one that is gone before it is replaced (R12): such an opening leaves no copy to spare.
    pub degraded_us: u64,
    /// While there are entries to drop from the truncation list, its members are asked this often.
    pub prune_us: u64,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            lal_bytes: 10_000_000,
            window_bytes: 4 << 20,
            batch_bytes: 256 << 10,
            send_bytes: 64 << 10,
            flights: 1,
            linger_us: 2_000,
            heartbeat_us: 100_000,
            full_us: 5_000,
            retransmit_us: 50_000,
            keep_bytes: 4 << 20,
            ask_us: 20_000,
            grace_us: 100_000,
            degraded_us: 1_000_000,
            prune_us: 5_000_000,
        }
    }
}
