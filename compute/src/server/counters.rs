//! Counters of the whole server, and their names in SHOW STATUS and on the metrics page.

use super::Registry;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Events that are too rare to be counted per connection.
#[derive(Debug)]
pub struct Counters {
    /// Connections that broke off, or were cut off, after login.
    pub aborted_clients: AtomicU64,
    /// Connections that did not get as far as that.
    pub aborted_connects: AtomicU64,
    /// Connections over max_connections.
    pub refused_connections: AtomicU64,
    /// Logins whose answer was held back after failures in a row.
    pub delayed_logins: AtomicU64,
    /// Error packets to logged-in clients.
    pub errors: AtomicU64,
    /// Statements that panicked.
    pub panics: AtomicU64,
    /// Prepared statements there are.
    pub prepared: AtomicU64,
    started: Instant,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            aborted_clients: AtomicU64::new(0),
            aborted_connects: AtomicU64::new(0),
            refused_connections: AtomicU64::new(0),
            delayed_logins: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            panics: AtomicU64::new(0),
            prepared: AtomicU64::new(0),
            started: Instant::now(),
        }
    }
}

impl Counters {
    /// Name and value of every figure of the connections, MySQL's names where it has them.
    pub fn status(&self, registry: &Registry) -> Vec<(&'static str, u64)> {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (now, most) = registry.counts();
        let figures = registry.figures();
        vec![
            ("Aborted_clients", get(&self.aborted_clients)),
            ("Aborted_connects", get(&self.aborted_connects)),
            ("Bytes_received", get(&figures.bytes_received)),
            ("Bytes_sent", get(&figures.bytes_sent)),
            ("Connection_errors_max_connections", get(&self.refused_connections)),
            ("Connection_control_delay_generated", get(&self.delayed_logins)),
            ("Connections", registry.accepted()),
            ("Max_used_connections", most),
            ("Prepared_stmt_count", get(&self.prepared)),
            ("Queries", get(&figures.questions)),
            ("Questions", get(&figures.questions)),
            ("Sextant_client_reads", get(&figures.reads)),
            ("Sextant_client_writes", get(&figures.writes)),
            ("Sextant_errors", get(&self.errors)),
            ("Sextant_panics", get(&self.panics)),
            ("Threads_connected", now),
            ("Threads_running", registry.running()),
            ("Uptime", self.started.elapsed().as_secs()),
        ]
    }
}
