//! Whoever guesses passwords waits: after a few failures in a row every further attempt at the same account is answered later and later.
//!
//! MySQL has this as a component (connection_control) with the same settings; here it is always on. Invariants: (1) a success forgets the
//! failures; (2) the table is bounded: when it is full the whole of it is forgotten, which costs a guesser's wait once.

use crate::config::Settings;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::time::Duration;

/// Accounts remembered at most.
const ACCOUNTS: usize = 10_000;

/// Failures in a row by user and host.
#[derive(Debug)]
pub(crate) struct FailedLogins {
    threshold: u64,
    least: Duration,
    most: Duration,
    failures: Mutex<HashMap<(String, String), u64>>,
}

impl FailedLogins {
    pub(crate) fn new(settings: &Settings) -> FailedLogins {
        FailedLogins {
            threshold: settings.connection_control_failed_connections_threshold,
            least: Duration::from_millis(settings.connection_control_min_connection_delay),
            most: Duration::from_millis(settings.connection_control_max_connection_delay),
            failures: Mutex::default(),
        }
    }

    /// How long the answer to an attempt as `user` from `host` is held back: a second for each failure beyond the threshold, within
    /// the two bounds.
    pub(crate) fn delay(&self, user: &str, host: &str) -> Duration {
        let failures = self.failures.lock();
        let failed = failures.get(&(user.to_string(), host.to_string())).copied().unwrap_or(0);
        if self.threshold == 0 || failed < self.threshold {
            return Duration::ZERO;
        }
        Duration::from_secs(failed - self.threshold).max(self.least).min(self.most)
    }

    /// An attempt has succeeded or failed.
    pub(crate) fn note(&self, user: &str, host: &str, succeeded: bool) {
        let mut failures = self.failures.lock();
        let name = (user.to_string(), host.to_string());
        if succeeded {
            failures.remove(&name);
            return;
        }
        if failures.len() >= ACCOUNTS && !failures.contains_key(&name) {
            failures.clear();
        }
        *failures.entry(name).or_insert(0) += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(threshold: u64) -> FailedLogins {
        FailedLogins {
            threshold,
            least: Duration::from_millis(1500),
            most: Duration::from_secs(4),
            failures: Mutex::default(),
        }
    }

    #[test]
    fn guessers_wait_longer_and_longer() {
        let logins = of(3);
        let mut waits = Vec::new();
        for _ in 0..9 {
            waits.push(logins.delay("u", "h").as_millis());
            logins.note("u", "h", false);
        }
        assert_eq!(waits, [0, 0, 0, 1500, 1500, 2000, 3000, 4000, 4000]);
        assert_eq!(logins.delay("u", "elsewhere"), Duration::ZERO);
        logins.note("u", "h", true);
        assert_eq!(logins.delay("u", "h"), Duration::ZERO);
    }

    #[test]
    fn it_can_be_off_and_is_bounded() {
        let logins = of(0);
        (0..9).for_each(|_| logins.note("u", "h", false));
        assert_eq!(logins.delay("u", "h"), Duration::ZERO);
        (0..2 * ACCOUNTS).for_each(|i| logins.note(&i.to_string(), "h", false));
        assert!(logins.failures.lock().len() <= ACCOUNTS);
    }
}
