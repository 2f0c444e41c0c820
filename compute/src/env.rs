//! `protocol::env::Env` on tokio: the only place where the compute node's cores meet a clock, randomness and a runtime.

use cache_nvme::clock::BootClock;
use protocol::env::{BoxFuture, Env};
use std::time::{Duration, SystemTime};
use tokio::runtime::Handle;

/// The real surroundings of a compute node.
#[derive(Debug)]
pub struct TokioEnv {
    handle: Handle,
    /// R8(e): the lease is kept by it.
    clock: BootClock,
}

impl TokioEnv {
    /// Surroundings that run their tasks on `handle`'s runtime.
    pub fn new(handle: Handle) -> Self {
        Self { handle, clock: BootClock::start() }
    }
}

impl Env for TokioEnv {
    fn now_us(&self) -> u64 {
        self.clock.now_us()
    }

    fn wall_us(&self) -> i64 {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        since.map_or_else(|before| -(before.duration().as_micros() as i64), |after| after.as_micros() as i64)
    }

    fn random(&self) -> u64 {
        let mut bytes = [0; 8];
        crate::security::random_bytes(&mut bytes)
            .expect("invariant: the system's random source does not fail once it has started");
        u64::from_le_bytes(bytes)
    }

    fn sleep(&self, us: u64) -> BoxFuture<'static, ()> {
        // The timer needs the runtime's context when it is made; callers may stand on any thread.
        let _context = self.handle.enter();
        Box::pin(tokio::time::sleep(Duration::from_micros(us)))
    }

    fn spawn(&self, _name: &'static str, task: BoxFuture<'static, ()>) {
        self.handle.spawn(task);
    }
}
