//! When a read is late: measured, not guessed; and how many second requests that may cost.
//!
//! ```text
//!   answers of a group ─► histogram, older ones fading ─► 98th percentile ─► patience of its next read (at least 1 ms)
//!   every read earns 1/20 of a hedge ─► purse ─► a late read spends one; with an empty purse it waits as long as before anything was measured
//! ```
//! Invariants
//! 1. Reads sent / asked is at most 1.05 plus a constant, but for reads that waited [`UNMEASURED_US`]: those are in trouble, and asking elsewhere ends it.
//! 2. Bounded: one histogram for each group, 4 bytes for each of its buckets.

use protocol::PgId;

/// Patience before anything was measured, and without a purse.
pub(crate) const UNMEASURED_US: u64 = 10_000;
/// No read is late before: what is shorter is the scheduler's doing, not the device's.
const LEAST_US: u64 = 1_000;
/// Answers before a percentile is believed.
const ENOUGH: u32 = 64;
/// Answers after which older ones count half.
const FADE: u32 = 2048;
/// Answers in a hundred that are on time.
const ON_TIME: u32 = 98;
/// Reads that earn one hedge.
const EARN: u32 = 20;
/// Hedges that may be saved.
const PURSE: u32 = 8 * EARN;
/// Two buckets for each power of two, up to 2^31 us.
const BUCKETS: usize = 64;

#[derive(Clone, Debug)]
struct Histogram {
    counts: [u32; BUCKETS],
    total: u32,
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram { counts: [0; BUCKETS], total: 0 }
    }
}

fn bucket(us: u64) -> usize {
    let us = us.max(1);
    let power = us.ilog2() as usize;
    let half = power > 0 && us >> (power - 1) & 1 == 1;
    (2 * power + usize::from(half)).min(BUCKETS - 1)
}

/// The end of a bucket, exclusive.
fn end_us(bucket: usize) -> u64 {
    let base = 1u64 << (bucket / 2);
    if bucket.is_multiple_of(2) { base + (base / 2).max(1) } else { 2 * base }
}

impl Histogram {
    fn note(&mut self, us: u64) {
        if self.total >= FADE {
            self.counts.iter_mut().for_each(|count| *count /= 2);
            self.total = self.counts.iter().sum();
        }
        self.counts[bucket(us)] += 1;
        self.total += 1;
    }

    fn percentile_us(&self) -> Option<u64> {
        if self.total < ENOUGH {
            return None;
        }
        let wanted = u64::from(self.total) * u64::from(ON_TIME);
        let mut seen = 0;
        let at = self.counts.iter().position(|count| {
            seen += u64::from(*count) * 100;
            seen >= wanted
        });
        at.map(end_us)
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    groups: Vec<Histogram>,
    purse: u32,
}

impl Pace {
    /// A segment of this group took so long to answer.
    pub(crate) fn note(&mut self, pg: PgId, us: u64) {
        let pg = pg.0 as usize;
        while self.groups.len() <= pg {
            self.groups.push(Histogram::default());
        }
        self.groups[pg].note(us);
    }

    /// A read begins: how long its first segment has.
    pub(crate) fn patience_us(&mut self, pg: PgId) -> u64 {
        self.purse = (self.purse + 1).min(PURSE);
        let measured = self.groups.get(pg.0 as usize).and_then(Histogram::percentile_us);
        measured.map_or(UNMEASURED_US, |us| us.clamp(LEAST_US, UNMEASURED_US))
    }

    /// A read is late after `waited_us`: may a second segment be asked now? Otherwise in so many microseconds.
    pub(crate) fn spend(&mut self, waited_us: u64) -> Result<(), u64> {
        if self.purse >= EARN {
            self.purse -= EARN;
            return Ok(());
        }
        if waited_us >= UNMEASURED_US { Ok(()) } else { Err(UNMEASURED_US - waited_us) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_percentile_follows_what_is_measured_within_its_bucket() {
        for us in [1, 2, 3, 5, 100, 1_500, 70_000, 3_000_000_000] {
            assert!(end_us(bucket(us)) > us.min(1 << 31), "{us} lies below the end of its bucket");
        }
        let mut pace = Pace::default();
        assert_eq!(pace.patience_us(PgId(1)), UNMEASURED_US);
        for n in 0..1000 {
            pace.note(PgId(1), if n % 100 == 0 { 50_000 } else { 1_800 });
        }
        let patience = pace.patience_us(PgId(1));
        assert!((1_800..=3_000).contains(&patience), "{patience}");
        assert_eq!(pace.patience_us(PgId(0)), UNMEASURED_US, "another group is another matter");
        // The device becomes slower as a whole: nobody is late for long.
        (0..8000).for_each(|_| pace.note(PgId(1), 6_000));
        assert!(pace.patience_us(PgId(1)) >= 6_000);
        (0..8000).for_each(|_| pace.note(PgId(1), 60));
        assert_eq!(pace.patience_us(PgId(1)), LEAST_US);
    }

    #[test]
    fn one_read_in_twenty_is_hedged_early_and_one_in_trouble_always() {
        let mut pace = Pace::default();
        let mut early = 0;
        for _ in 0..10_000 {
            pace.patience_us(PgId(0));
            early += u32::from(pace.spend(LEAST_US).is_ok());
        }
        assert!(early <= 10_000 / EARN, "{early}");
        assert!(early >= 10_000 / EARN - 2, "{early}");
        assert_eq!(pace.spend(UNMEASURED_US), Ok(()));
        while pace.spend(0).is_ok() {}
        assert_eq!(pace.spend(4_000), Err(UNMEASURED_US - 4_000));
    }
}
