//! Time, randomness and tasks for code that names no runtime.
//!
//! `buffer-pool`, `btree`, `engine` and `sql` are plain futures over this trait: tokio implements it in
//! `compute`, the director implements it in virtual time. So the simulator runs whole compute nodes.

use std::future::Future;
use std::pin::Pin;

/// A boxed future; only slow paths return one.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a compute node asks of its surroundings.
pub trait Env: Send + Sync + 'static {
    /// Monotonic microseconds since an arbitrary start.
    fn now_us(&self) -> u64;

    /// Wall clock in microseconds since 1970-01-01 00:00:00 UTC, for SQL's `NOW()` only; it orders nothing.
    fn wall_us(&self) -> i64;

    /// 64 random bits.
    fn random(&self) -> u64;

    /// Completes once `us` microseconds have passed.
    fn sleep(&self, us: u64) -> BoxFuture<'static, ()>;

    /// Runs `task` beside the caller; `name` is for logs. Tasks end when they notice their owner is gone.
    fn spawn(&self, name: &'static str, task: BoxFuture<'static, ()>);
}
