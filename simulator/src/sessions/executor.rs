//! The tasks of one simulated process, and its surroundings: time from its machine's clock, chance from its seed.
//!
//! Tasks run one at a time when the process is called; which ready task is next is drawn from the seed, so a seed is an interleaving.
//! Between two calls nothing runs: a sleeper is woken by the first call at or after its time, which the director makes for it.

use crate::rng::Rng;
use protocol::env::{BoxFuture, Env};
use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// A call polls so often at most: a task that only yields must not stop the world.
const POLLS: usize = 3_000;

struct State {
    dice: Rng,
    now_us: u64,
    next: u64,
    /// `None` while it is polled.
    tasks: BTreeMap<u64, Option<BoxFuture<'static, ()>>>,
    ready: Vec<u64>,
    sleepers: BTreeMap<(u64, u64), Waker>,
    /// The process is dead: what is spawned now never runs.
    over: bool,
}

/// See the module. Cloning shares it.
#[derive(Clone)]
pub(crate) struct Tasks {
    state: Arc<Mutex<State>>,
}

struct Token {
    state: Arc<Mutex<State>>,
    task: u64,
}

fn held(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Wake for Token {
    fn wake(self: Arc<Self>) {
        let mut state = held(&self.state);
        if !state.ready.contains(&self.task) {
            state.ready.push(self.task);
        }
    }
}

impl Tasks {
    /// No task yet; interleavings and random bits come from `seed`.
    pub(crate) fn new(seed: u64, now_us: u64) -> Tasks {
        let (tasks, ready, sleepers) = (BTreeMap::new(), Vec::new(), BTreeMap::new());
        let state = State { dice: Rng::new(seed), now_us, next: 0, tasks, ready, sleepers, over: false };
        Tasks { state: Arc::new(Mutex::new(state)) }
    }

    /// As the environment of an engine.
    pub(crate) fn env(&self) -> Arc<dyn Env> {
        Arc::new(self.clone())
    }

    /// It is `now_us`; runs whoever can until nobody can, or for as long as a call may take.
    pub(crate) fn run(&self, now_us: u64) {
        held(&self.state).now_us = now_us;
        self.wake_sleepers();
        for _ in 0..POLLS {
            let Some((task, mut body)) = self.pick() else { return };
            let waker = Waker::from(Arc::new(Token { state: Arc::clone(&self.state), task }));
            let pending = body.as_mut().poll(&mut Context::from_waker(&waker)).is_pending();
            // Ended tasks are dropped outside: what they hold may wake and spawn.
            let ended = {
                let mut state = held(&self.state);
                match pending {
                    true => {
                        state.tasks.insert(task, Some(body));
                        None
                    }
                    false => {
                        state.tasks.remove(&task);
                        Some(body)
                    }
                }
            };
            drop(ended);
        }
    }

    fn wake_sleepers(&self) {
        let due: Vec<Waker> = {
            let mut state = held(&self.state);
            let now_us = state.now_us;
            let later = state.sleepers.split_off(&(now_us + 1, 0));
            std::mem::replace(&mut state.sleepers, later).into_values().collect()
        };
        due.into_iter().for_each(Waker::wake);
    }

    fn pick(&self) -> Option<(u64, BoxFuture<'static, ()>)> {
        let mut state = held(&self.state);
        while !state.ready.is_empty() {
            let count = state.ready.len();
            let at = state.dice.index(count);
            let task = state.ready.swap_remove(at);
            if let Some(body) = state.tasks.get_mut(&task).and_then(Option::take) {
                return Some((task, body));
            }
        }
        None
    }

    /// When it wants to be called: the next sleeper, or soon when a call was cut short.
    pub(crate) fn next_wake_us(&self) -> u64 {
        let state = held(&self.state);
        if !state.ready.is_empty() {
            return state.now_us + 50;
        }
        state.sleepers.keys().next().map_or(u64::MAX, |(at, _)| *at)
    }

    /// The process dies: every task is dropped where it stands, in order.
    pub(crate) fn end(&self) {
        loop {
            let (tasks, sleepers) = {
                let mut state = held(&self.state);
                state.over = true;
                (std::mem::take(&mut state.tasks), std::mem::take(&mut state.sleepers))
            };
            if tasks.is_empty() && sleepers.is_empty() {
                return;
            }
            tasks.into_values().for_each(drop);
        }
    }
}

/// Lets others run first.
pub(crate) async fn yield_now() {
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
        let (at, old) = (self.at, self.key);
        let key = {
            let mut state = held(&self.state);
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
            let waker = held(&self.state).sleepers.remove(&key);
            drop(waker);
        }
    }
}

impl Env for Tasks {
    fn now_us(&self) -> u64 {
        held(&self.state).now_us
    }

    fn wall_us(&self) -> i64 {
        1_700_000_000_000_000 + self.now_us() as i64
    }

    fn random(&self) -> u64 {
        held(&self.state).dice.bits()
    }

    fn sleep(&self, us: u64) -> BoxFuture<'static, ()> {
        let at = self.now_us().saturating_add(us);
        Box::pin(Sleep { state: Arc::clone(&self.state), at, key: None })
    }

    fn spawn(&self, _name: &'static str, task: BoxFuture<'static, ()>) {
        let late = {
            let mut state = held(&self.state);
            if state.over {
                Some(task)
            } else {
                state.next += 1;
                let id = state.next;
                state.tasks.insert(id, Some(task));
                state.ready.push(id);
                None
            }
        };
        drop(late);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn a_sleeper_wakes_in_its_time_and_a_dead_process_runs_nothing() {
        let tasks = Tasks::new(1, 0);
        let count = Arc::new(AtomicU64::new(0));
        let (env, counted) = (tasks.clone(), Arc::clone(&count));
        tasks.spawn(
            "counter",
            Box::pin(async move {
                loop {
                    env.sleep(100).await;
                    counted.fetch_add(1, Ordering::Relaxed);
                }
            }),
        );
        for now_us in [0, 99, 100, 150, 200] {
            tasks.run(now_us);
        }
        assert_eq!((count.load(Ordering::Relaxed), tasks.next_wake_us()), (2, 300));
        tasks.end();
        tasks.run(1_000);
        assert_eq!((count.load(Ordering::Relaxed), tasks.next_wake_us()), (2, u64::MAX));
    }
}
