//! May a statement be answered? Over storage daemons another compute node can be elected at any time; until then this one holds a lease.
//!
//! R8(f): every statement is checked after it was read from the socket and before anything of its answer leaves, by reading the clock. A
//! result, "0 rows affected", error 1062, a locking read: all are reads. Statements of one text were read together, so one check
//! orders them all: what they see is at least as new as the moment of the check, when nobody else could have written. The OK of a
//! commit needs no lease (R8 g): it is sent because four nodes hold it.
//!
//! Not leased, a statement waits; it has written nothing yet, so after innodb_lock_wait_timeout it ends with 1205. Where the locks of all node
//! folders exclude another writer (the embedded cluster), there is no lease and nobody asks.
//!
//! Here too: the end of a writer that was superseded (R7).

use protocol::Lsn;
use protocol::contract::{LogError, LogWriter, VdlObserver};
use protocol::env::BoxFuture;
use std::sync::{Arc, Once};

/// What connections ask before they answer.
pub trait Lease: Send + Sync {
    /// True when a statement that was read before this call may be answered.
    fn holds(&self) -> bool;
    /// Completes once it holds.
    ///
    /// # Errors
    /// It never will again.
    fn held(&self) -> BoxFuture<'_, Result<(), LogError>>;
    /// After [`held`](Self::held) has completed: may the statement that waited be answered? A lease looks at the clock again, because whoever was woken
    /// may have slept on.
    fn holds_yet(&self) -> bool {
        self.holds()
    }
}

/// `sextant_read_confirm = quorum`: every statement waits until three of protection group 0 have confirmed, after it arrived, that nobody else was
/// elected. No clock is asked, so not even one that stood still can make a read stale; it costs a round trip, shared by all that wait.
pub struct Confirmed(pub driver::Lease);

impl Lease for Confirmed {
    fn holds(&self) -> bool {
        false
    }

    fn held(&self) -> BoxFuture<'_, Result<(), LogError>> {
        self.0.confirmed()
    }

    fn holds_yet(&self) -> bool {
        // A confirmation does not age: the read is ordered at it.
        true
    }
}

impl Lease for driver::Lease {
    fn holds(&self) -> bool {
        driver::Lease::holds(self)
    }

    fn held(&self) -> BoxFuture<'_, Result<(), LogError>> {
        driver::Lease::held(self)
    }
}

/// Another compute node holds the volume: this one ends, because whatever it still answered could be stale. Everything it acknowledged is
/// durable. One line, whoever finds it out first.
pub fn superseded(why: &str) {
    static SAID: Once = Once::new();
    SAID.call_once(|| {
        eprintln!("sextant: superseded, ending: {why}");
        std::process::exit(1);
    });
}

/// A writer that a later epoch refuses is finished (R7).
struct EndWhenFenced;

impl VdlObserver for EndWhenFenced {
    fn durable(&self, _vdl: Lsn) {}

    fn ended(&self, error: &LogError) {
        if matches!(error, LogError::Fenced { .. }) {
            superseded(&error.to_string());
        }
    }
}

/// From now on this process ends when the log says that another writer has opened the volume.
pub fn end_when_fenced(log: &dyn LogWriter) {
    log.observe(Arc::new(EndWhenFenced));
}
