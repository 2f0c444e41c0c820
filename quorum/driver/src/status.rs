//! Counters of one open volume; all only rise. Read by status variables and metrics.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a driver has done since it opened the volume.
#[derive(Debug, Default)]
pub struct Counters {
    /// Mini-transactions appended.
    pub appends: AtomicU64,
    /// Of them commits.
    pub commits: AtomicU64,
    /// Messages handed to the link.
    pub sends: AtomicU64,
    /// Messages the link had no room for.
    pub refused_sends: AtomicU64,
    /// Page images among them: compute never sends one, so this stays 0.
    pub pages_sent: AtomicU64,
    /// Times VDL moved.
    pub vdl_moves: AtomicU64,
    /// Reservations that had to wait: LAL (I25).
    pub room_waits: AtomicU64,
    /// Pages asked for.
    pub reads: AtomicU64,
    /// Requests for pages sent; above `reads` by hedges and retries.
    pub reads_sent: AtomicU64,
    /// Second requests because the first was late.
    pub hedges: AtomicU64,
    /// Late reads that waited longer, because second requests had been as many as they may be.
    pub hedges_withheld: AtomicU64,
    /// Requests a segment could not serve.
    pub read_refusals: AtomicU64,
    /// Images that failed verification on arrival.
    pub bad_images: AtomicU64,
}

impl Counters {
    /// Names and values, for `SHOW STATUS` and metrics.
    #[must_use]
    pub fn list(&self) -> Vec<(&'static str, u64)> {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        vec![
            ("log_appends", get(&self.appends)),
            ("log_commits", get(&self.commits)),
            ("link_sends", get(&self.sends)),
            ("link_refused_sends", get(&self.refused_sends)),
            ("pages_sent", get(&self.pages_sent)),
            ("vdl_moves", get(&self.vdl_moves)),
            ("lal_waits", get(&self.room_waits)),
            ("page_reads", get(&self.reads)),
            ("page_reads_sent", get(&self.reads_sent)),
            ("page_read_hedges", get(&self.hedges)),
            ("page_read_hedges_withheld", get(&self.hedges_withheld)),
            ("page_read_refusals", get(&self.read_refusals)),
            ("page_bad_images", get(&self.bad_images)),
        ]
    }
}

pub(crate) fn bump(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
