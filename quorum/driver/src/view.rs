//! One moment of an open volume, as an operator wants to see it: the writer's numbers, its view of every segment, and whether writes move.

use std::sync::atomic::Ordering;

use protocol::contract::LogWriter;
use quorum::{SegmentView, VolumeView};

use crate::log::OpenVolume;

/// See the module.
#[derive(Clone, Debug)]
pub struct LogView {
    /// The environment's clock when it was taken, microseconds; that of [`SegmentView::heard_us`].
    pub now_us: u64,
    /// The writer's numbers.
    pub volume: VolumeView,
    /// Its view of every segment.
    pub segments: Vec<SegmentView>,
    /// Mini-transactions that wait for room in the log (LAL).
    pub room_waiters: usize,
    /// For how long something written has waited for VDL to move; 0 while nothing waits. A quorum that is there answers within
    /// milliseconds.
    pub stalled_us: u64,
    /// The lease's remaining life (R8); 0 where there is none.
    pub lease_left_us: u64,
}

impl OpenVolume {
    /// This moment. Takes the log's mutex once.
    #[must_use]
    pub fn view(&self) -> LogView {
        let shared = &self.shared;
        let now_us = shared.env.now_us();
        let lease_left_us = self.lease().left_us();
        let core = shared.core.lock();
        let (volume, segments, room_waiters) = (core.log.view(), core.log.segments(), core.room.len());
        drop(core);
        // Not the core's last LSN: that is the ceiling of the epoch before the first record.
        let waits = self.last_lsn() > volume.vdl || room_waiters > 0;
        let since_us = now_us.saturating_sub(shared.moved_us.load(Ordering::Relaxed));
        let stalled_us = if waits { since_us } else { 0 };
        LogView { now_us, volume, segments, room_waiters, stalled_us, lease_left_us }
    }
}
