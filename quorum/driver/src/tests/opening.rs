//! What an opening costs: its steps are counted, not timed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use protocol::VolumeId;
use protocol::contract::SegmentLink;
use protocol::message::Envelope;
use quorum::Settings;

use super::world::TestEnv;
use crate::open::{Driver, Plan};

/// Nobody answers; what was sent and how often the bell rang is kept.
#[derive(Default)]
struct Deaf {
    sent: Mutex<Vec<Envelope>>,
    rung: AtomicU64,
}

impl SegmentLink for Deaf {
    fn send(&self, envelope: Envelope) -> bool {
        self.sent.lock().push(envelope);
        true
    }
    fn flush(&self) {
        self.rung.fetch_add(1, Ordering::SeqCst);
    }
}

/// Regression: a step that sent nothing rang the bell that wakes the storage thread, and each turn of that thread was a step:
/// one slow opening took 484,000 of them.
#[test]
fn an_opening_is_stepped_by_time_and_answers_not_by_the_turns_of_its_host() {
    let (env, link) = (Arc::new(TestEnv::default()), Arc::new(Deaf::default()));
    env.pass(1);
    let plan = Plan::Open(VolumeId(1));
    let driver =
        Driver::new(Arc::clone(&link) as _, Arc::clone(&env) as _, Settings::default(), plan, |_| {}, |_| {});
    let now = || protocol::env::Env::now_us(&*env);
    assert!(driver.next_wake_us() <= now(), "the first step is due at once");
    driver.tick();
    assert_eq!((driver.opening_steps(), link.rung.load(Ordering::SeqCst)), (1, 1));
    assert_eq!(link.sent.lock().len(), 6, "six are asked who they are");
    // A host that turns a thousand times within two milliseconds.
    let due = driver.next_wake_us();
    assert!(due > now() + 1_000, "a step is due every few milliseconds, not at once: {due}");
    for _ in 0..1_000 {
        env.pass(1);
        assert_eq!(driver.next_wake_us(), due, "asking when does not put it off");
        if driver.next_wake_us() <= now() {
            driver.tick();
        }
    }
    assert_eq!(driver.opening_steps(), 1);
    env.pass(due - now());
    driver.tick();
    assert_eq!(driver.opening_steps(), 2);
    let asked_again = u64::from(link.sent.lock().len() > 6);
    assert_eq!(link.rung.load(Ordering::SeqCst), 1 + asked_again, "who sends nothing wakes nobody");
}
