//! Ending the owner's sleep from another thread, with a system call only when it really sleeps.
//!
//! ```text
//!   owner: drain inbox … prepare_sleep: AWAKE → ASLEEP (refused if NOTIFIED) … kernel wait … awake: → AWAKE
//!   other: put into inbox … wake: swap NOTIFIED; was ASLEEP → ring the bell
//! ```
//!
//! Invariant: what was put into an inbox before `wake` is seen by the owner before it next sleeps: either the swap
//! precedes `prepare_sleep`, which then refuses, or it finds ASLEEP and rings.

use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::device::{DeviceCounters, bump};

const AWAKE: u8 = 0;
const ASLEEP: u8 = 1;
const NOTIFIED: u8 = 2;

/// What makes the noise.
pub(crate) enum Bell {
    /// An eventfd that the ring is reading.
    EventFd(File),
    /// The completion list of the thread back-end.
    Condvar(Arc<crate::file::Done>),
}

pub(crate) struct Shared {
    state: AtomicU8,
    bell: Bell,
    counters: Arc<DeviceCounters>,
}

/// Wakes the owner of a device; cheap to clone and to call.
#[derive(Clone)]
pub struct Waker {
    shared: Arc<Shared>,
}

impl Waker {
    pub(crate) fn new(bell: Bell, counters: Arc<DeviceCounters>) -> Self {
        Self { shared: Arc::new(Shared { state: AtomicU8::new(AWAKE), bell, counters }) }
    }

    /// The owner's current or next sleep ends at once.
    pub fn wake(&self) {
        if self.shared.state.swap(NOTIFIED, Ordering::SeqCst) == ASLEEP {
            bump(&self.shared.counters.wakeups, 1);
            match &self.shared.bell {
                Bell::EventFd(file) => {
                    // The counter of an eventfd overflows only after 2^64 unread wake-ups; nothing to report.
                    let _ = (&*file).write(&1u64.to_ne_bytes());
                }
                Bell::Condvar(done) => done.ring(),
            }
        }
    }

    /// Called by the owner before it sleeps; false: do not sleep, somebody called.
    pub(crate) fn prepare_sleep(&self) -> bool {
        let slept = self.shared.state.compare_exchange(AWAKE, ASLEEP, Ordering::SeqCst, Ordering::SeqCst);
        if slept.is_err() {
            self.shared.state.store(AWAKE, Ordering::SeqCst);
        }
        slept.is_ok()
    }

    /// Called by the owner after a sleep that `prepare_sleep` allowed.
    pub(crate) fn awake(&self) {
        self.shared.state.store(AWAKE, Ordering::SeqCst);
    }

    /// Was the owner called since it prepared its sleep?
    pub(crate) fn called(&self) -> bool {
        self.shared.state.load(Ordering::SeqCst) == NOTIFIED
    }
}

impl std::fmt::Debug for Waker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Waker")
    }
}
