//! The clock of one machine: off by anything, fast or slow by at most rho (R8 b), never set, running while the machine sleeps.

use crate::rng::Rng;

/// Bound of every clock's rate, parts per million.
const RHO_PPM: i64 = 10_000;

/// See the module.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Clock {
    offset_us: u64,
    ppm: i64,
}

impl Clock {
    /// A clock of its own; often at the very bound, where wrong arithmetic shows.
    pub(crate) fn skewed(rng: &mut Rng) -> Clock {
        let ppm = match rng.range(0, 3) {
            0 => RHO_PPM,
            1 => -RHO_PPM,
            _ => rng.range(0, 2 * RHO_PPM as u64) as i64 - RHO_PPM,
        };
        Clock { offset_us: rng.range(0, 10_000_000), ppm }
    }

    /// What it shows at this virtual time.
    #[must_use]
    pub(crate) fn at(&self, now_us: u64) -> u64 {
        self.offset_us + (i128::from(now_us) * i128::from(1_000_000 + self.ppm) / 1_000_000) as u64
    }

    /// The first virtual time at which it shows `local_us` or more; never stays never.
    #[must_use]
    pub(crate) fn when(&self, local_us: u64) -> u64 {
        if local_us == u64::MAX {
            return u64::MAX;
        }
        let run = i128::from(local_us.saturating_sub(self.offset_us)) * 1_000_000;
        let rate = i128::from(1_000_000 + self.ppm);
        u64::try_from((run + rate - 1) / rate).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_wakes_when_it_shows_the_time() {
        for seed in 0..50 {
            let rng = &mut Rng::new(seed);
            let clock = Clock::skewed(rng);
            for _ in 0..50 {
                let local = clock.at(0) + rng.range(0, 5_000_000);
                let real = clock.when(local);
                assert!(clock.at(real) >= local && (real == 0 || clock.at(real - 1) < local), "{clock:?}");
            }
        }
    }
}
