//! The clock that leases and promises are kept by: it goes on while the machine sleeps (R8 e).
//!
//! Rust's `Instant` reads CLOCK_MONOTONIC, which stands still in suspend: a writer on a laptop that slept for an hour would believe
//! its promises to be a moment old. CLOCK_BOOTTIME counts that hour, and costs the same: the kernel answers it without a system call. What
//! it cannot know is a guest frozen by its host.

use crate::file::boottime_us;

/// Microseconds since it was made, from 1 on: zero is "never".
#[derive(Clone, Copy, Debug)]
pub struct BootClock {
    start_us: u64,
}

impl BootClock {
    /// A clock that starts now.
    #[must_use]
    pub fn start() -> BootClock {
        BootClock { start_us: boottime_us() }
    }

    /// Never falls.
    #[must_use]
    pub fn now_us(&self) -> u64 {
        1 + boottime_us().saturating_sub(self.start_us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    #[test]
    fn it_goes_as_fast_as_the_other_clock_and_counts_from_its_start() {
        let (clock, other) = (BootClock::start(), Instant::now());
        assert!(clock.now_us() >= 1);
        std::thread::sleep(Duration::from_millis(20));
        let (ours, theirs) = (clock.now_us(), other.elapsed().as_micros() as u64);
        // They were started and are read one after the other: a loaded machine may stand still in between.
        assert!(ours >= 20_000, "{ours} us after a sleep of 20 ms");
        let again = BootClock::start().now_us();
        assert!(again < ours + theirs, "a new clock starts anew: {again}");
        // Time since boot, which is what /proc/uptime says first.
        let text = std::fs::read_to_string("/proc/uptime").expect("the kernel says");
        let uptime: f64 = text.split(' ').next().and_then(|t| t.parse().ok()).expect("seconds");
        assert!(boottime_us() as f64 >= uptime * 1e6 - 20_000.0, "boot clock behind the uptime {uptime}");
    }
}
