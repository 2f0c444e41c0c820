//! A deterministic executor in virtual time, and an engine over an in-memory volume, for tests here and in the crates above.
//!
//! Tasks run one at a time on the calling thread; which ready task is next is drawn from the seed, so a seed is an interleaving and
//! replays exactly. Time stands still while anybody can run, then jumps to the next sleeper.

use crate::{Engine, Result, Settings};
use buffer_pool::testing::{Durability, MemoryVolume};
use buffer_pool::{BufferPool, PoolConfig};
use parking_lot::Mutex;
use protocol::contract::{LogWriter, PageReader};
use protocol::env::{BoxFuture, Env};
use protocol::lsn::Lsn;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

#[derive(Default)]
struct State {
    seed: u64,
    now_us: u64,
    next: u64,
    tasks: BTreeMap<u64, BoxFuture<'static, ()>>,
    ready: Vec<u64>,
    sleepers: BTreeMap<(u64, u64), Waker>,
}

/// The executor; also the [`Env`] of what it runs. Cloning shares it.
#[derive(Clone)]
pub struct Executor {
    state: Arc<Mutex<State>>,
}

struct Token {
    state: Arc<Mutex<State>>,
    task: u64,
}

impl Wake for Token {
    fn wake(self: Arc<Self>) {
        let mut state = self.state.lock();
        if !state.ready.contains(&self.task) {
            state.ready.push(self.task);
        }
    }
}

fn draw(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *seed;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The task that `block_on` itself runs.
const MAIN: u64 = 0;

impl Executor {
    /// An executor whose interleavings come from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Executor {
        Executor { state: Arc::new(Mutex::new(State { seed, next: 1, ..State::default() })) }
    }

    /// As the environment of an engine.
    #[must_use]
    pub fn env(&self) -> Arc<dyn Env> {
        Arc::new(self.clone())
    }

    /// Runs `future` and every spawned task, until `future` is done.
    ///
    /// # Panics
    /// When nobody can run and nobody sleeps: a lost wake-up or a deadlock.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        let mut future = std::pin::pin!(future);
        self.state.lock().ready.push(MAIN);
        loop {
            let task = self.pick();
            let waker = Waker::from(Arc::new(Token { state: Arc::clone(&self.state), task }));
            let mut cx = Context::from_waker(&waker);
            if task == MAIN {
                if let Poll::Ready(value) = future.as_mut().poll(&mut cx) {
                    return value;
                }
                continue;
            }
            let Some(mut body) = self.state.lock().tasks.remove(&task) else { continue };
            if body.as_mut().poll(&mut cx).is_pending() {
                self.state.lock().tasks.insert(task, body);
            }
        }
    }

    /// The next task to run; time moves when nobody is ready.
    fn pick(&self) -> u64 {
        loop {
            let due = {
                let mut state = self.state.lock();
                if !state.ready.is_empty() {
                    let at = draw(&mut state.seed) as usize % state.ready.len();
                    return state.ready.swap_remove(at);
                }
                let ((at, _), waker) =
                    state.sleepers.pop_first().expect("nobody can run and nobody sleeps: a wake-up is lost");
                state.now_us = state.now_us.max(at);
                waker
            };
            due.wake();
        }
    }

    /// Lets every other task run until nobody is ready, then returns.
    pub async fn settle(&self) {
        for _ in 0..200 {
            yield_now().await;
        }
    }
}

/// Lets others run first.
pub async fn yield_now() {
    let mut done = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut done, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

struct Sleep {
    state: Arc<Mutex<State>>,
    at: u64,
    key: Option<(u64, u64)>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let at = self.at;
        let old = self.key;
        let key = {
            let mut state = self.state.lock();
            if state.now_us >= at {
                return Poll::Ready(());
            }
            let key = old.unwrap_or_else(|| {
                state.next += 1;
                (at, state.next)
            });
            state.sleepers.insert(key, cx.waker().clone());
            key
        };
        self.key = Some(key);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.state.lock().sleepers.remove(&key);
        }
    }
}

impl Env for Executor {
    fn now_us(&self) -> u64 {
        self.state.lock().now_us
    }

    fn wall_us(&self) -> i64 {
        1_700_000_000_000_000 + self.now_us() as i64
    }

    fn random(&self) -> u64 {
        draw(&mut self.state.lock().seed)
    }

    fn sleep(&self, us: u64) -> BoxFuture<'static, ()> {
        let at = self.now_us().saturating_add(us);
        Box::pin(Sleep { state: Arc::clone(&self.state), at, key: None })
    }

    fn spawn(&self, _name: &'static str, task: BoxFuture<'static, ()>) {
        let mut state = self.state.lock();
        state.next += 1;
        let id = state.next;
        state.tasks.insert(id, task);
        state.ready.push(id);
    }
}

/// Opens an engine over an in-memory volume with a pool of `frames` pages.
///
/// # Errors
/// Those of [`Engine::open`].
pub async fn open(volume: &Arc<MemoryVolume>, executor: &Executor, frames: usize) -> Result<Arc<Engine>> {
    open_with(volume, executor, frames, Settings::default()).await
}

/// As [`open`], with settings.
///
/// # Errors
/// Those of [`Engine::open`].
pub async fn open_with(
    volume: &Arc<MemoryVolume>,
    executor: &Executor,
    frames: usize,
    settings: Settings,
) -> Result<Arc<Engine>> {
    catch_up(volume, executor);
    let log: Arc<dyn LogWriter> = volume.clone();
    let reader: Arc<dyn PageReader> = volume.clone();
    let pool = BufferPool::new(PoolConfig { frames }, Arc::clone(&log), reader, None);
    Engine::open(pool, log, executor.env(), settings).await
}

/// How long a lagging volume takes to catch up when nothing more is written.
const CATCH_UP_US: u64 = 500;

/// A volume that lags is carried on only by later mini-transactions and by those who wait at the log itself. Sessions wait in the commit
/// queue, so somebody has to stand for time passing: as on a real volume, what was written becomes durable without anybody's doing.
fn catch_up(volume: &Arc<MemoryVolume>, executor: &Executor) {
    if !matches!(volume.durability(), Durability::Behind(_)) {
        return;
    }
    let (weak, env) = (Arc::downgrade(volume), executor.clone());
    let task = async move {
        loop {
            env.sleep(CATCH_UP_US).await;
            let Some(volume) = weak.upgrade() else { return };
            volume.advance(Lsn::MAX);
        }
    };
    executor.spawn("durability", Box::pin(task));
}
