//! The device back-end for kernels that refuse io_uring: a few threads, one call each at a time.
//!
//! ```text
//!   owner: push ─► waiting ─poll─► jobs (Mutex + Condvar) ─► worker: pwritev2 / pread / fdatasync
//!          done ◄──────────────── Done (Mutex + Condvar) ◄──┘
//! ```
//!
//! Invariant: durable operations on one *buffered* file run one at a time, and a failure is noted before the next
//! begins: the kernel reports a lost write to a single sync, so two at once could see one error and one false success.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use parking_lot::{Condvar, Mutex};

use super::{OpenFile, sys};
use crate::attached::Attached;
use crate::device::{Backend, Completion, Device, DeviceCounters, FileId, Op, Wait, bump};
use crate::progress::{Next, Request, Task};
use crate::wake::{Bell, Waker};

/// Worker threads of a device: six logs at once, and two for reads.
pub const WORKERS: usize = 8;

#[derive(Default)]
struct Jobs {
    queue: VecDeque<Task>,
    closed: bool,
}

struct Work {
    jobs: Mutex<Jobs>,
    more: Condvar,
    counters: Arc<DeviceCounters>,
}

/// Completions on their way from the workers to the owner.
#[derive(Default)]
pub(crate) struct Done {
    list: Mutex<Vec<Completion>>,
    some: Condvar,
}

impl Done {
    /// Ends the owner's sleep. The lock closes the gap between its last look and its sleep.
    pub(crate) fn ring(&self) {
        let _list = self.list.lock();
        self.some.notify_one();
    }
}

/// The thread back-end.
pub struct Threads {
    files: Attached,
    waiting: Vec<Task>,
    settled: Vec<Completion>,
    pending: usize,
    work: Arc<Work>,
    done: Arc<Done>,
    waker: Waker,
    workers: Vec<JoinHandle<()>>,
    counters: Arc<DeviceCounters>,
}

impl Threads {
    /// Starts `workers` threads.
    ///
    /// # Errors
    /// A thread cannot be started.
    pub fn new(workers: usize) -> io::Result<Self> {
        let counters = Arc::new(DeviceCounters::default());
        let work = Arc::new(Work {
            jobs: Mutex::new(Jobs::default()),
            more: Condvar::new(),
            counters: Arc::clone(&counters),
        });
        let done = Arc::new(Done::default());
        let waker = Waker::new(Bell::Condvar(Arc::clone(&done)), Arc::clone(&counters));
        let mut device = Self {
            files: Attached::default(),
            waiting: Vec::new(),
            settled: Vec::new(),
            pending: 0,
            work,
            done,
            waker,
            workers: Vec::new(),
            counters,
        };
        for n in 0..workers.max(1) {
            let (work, done) = (Arc::clone(&device.work), Arc::clone(&device.done));
            let thread = std::thread::Builder::new().name(format!("disk-{n}"));
            device.workers.push(thread.spawn(move || worker(&work, &done))?);
        }
        Ok(device)
    }

    fn hand_over(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let count = self.waiting.len();
        self.work.jobs.lock().queue.extend(self.waiting.drain(..));
        if count == 1 {
            self.work.more.notify_one();
        } else {
            self.work.more.notify_all();
        }
    }
}

impl Device for Threads {
    fn backend(&self) -> Backend {
        Backend::Threads
    }

    fn attach(&mut self, file: OpenFile) -> FileId {
        self.files.attach(file)
    }

    fn detach(&mut self, file: FileId) {
        self.files.detach(file);
    }

    fn file(&self, file: FileId) -> &OpenFile {
        self.files.get(file)
    }

    fn push(&mut self, token: u64, op: Op) {
        let id = op.file();
        let task = Task::new(token, self.files.get(id).clone(), op);
        bump(&self.counters.pushed, 1);
        self.pending += 1;
        self.files.begin(id);
        match task.settled_early() {
            Some(result) => self.settled.push(task.complete(result)),
            None => self.waiting.push(task),
        }
    }

    fn poll(&mut self, wait: Wait, done: &mut Vec<Completion>) -> io::Result<()> {
        self.hand_over();
        let first = done.len();
        done.append(&mut self.settled);
        let may_sleep = wait != Wait::Now && done.len() == first && self.waker.prepare_sleep();
        {
            let mut list = self.done.list.lock();
            if may_sleep {
                let deadline = match wait {
                    Wait::AtMost(time) | Wait::Several { at_most: time, .. } => {
                        Instant::now().checked_add(time)
                    }
                    Wait::Now | Wait::Forever => None,
                };
                while list.is_empty() && !self.waker.called() {
                    match deadline {
                        None => self.done.some.wait(&mut list),
                        Some(at) if self.done.some.wait_until(&mut list, at).timed_out() => break,
                        Some(_) => {}
                    }
                }
                self.waker.awake();
            }
            done.append(&mut list);
        }
        for completion in &done[first..] {
            self.pending -= 1;
            self.files.end(completion.file);
            bump(&self.counters.completed, 1);
        }
        Ok(())
    }

    fn waker(&self) -> Waker {
        self.waker.clone()
    }

    fn pending(&self) -> usize {
        self.pending
    }

    fn counters(&self) -> Arc<DeviceCounters> {
        Arc::clone(&self.counters)
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.hand_over();
        self.work.jobs.lock().closed = true;
        self.work.more.notify_all();
        for worker in self.workers.drain(..) {
            if worker.join().is_err() {
                tracing::error!("a disk thread has panicked");
            }
        }
    }
}

fn worker(work: &Work, done: &Done) {
    loop {
        let task = {
            let mut jobs = work.jobs.lock();
            loop {
                if let Some(task) = jobs.queue.pop_front() {
                    break task;
                }
                if jobs.closed {
                    return;
                }
                work.more.wait(&mut jobs);
            }
        };
        let completion = run(task, &work.counters);
        let mut list = done.list.lock();
        list.push(completion);
        if list.len() == 1 {
            done.some.notify_one();
        }
    }
}

fn run(mut task: Task, counters: &DeviceCounters) -> Completion {
    let file = task.file.clone();
    let _gate = (task.kind.is_durable() && !file.is_direct()).then(|| file.sync_gate().lock());
    if let Some(result) = task.settled_early() {
        return task.complete(result);
    }
    loop {
        let request = task.request();
        bump(&counters.syscalls, 1);
        let raw = call(&file, request, &mut task);
        if let Next::Done(result) = task.answer(request, raw) {
            return task.complete(result);
        }
    }
}

fn call(file: &OpenFile, request: Request, task: &mut Task) -> i32 {
    let bytes: &mut [u8] = match &mut task.buf {
        Some(buf) => buf,
        None => &mut [],
    };
    match request {
        Request::Write { offset, start, len, dsync } => {
            sys::pwrite(file.fd(), &bytes[start..start + len], offset, dsync)
        }
        Request::Read { offset, start, len } => sys::pread(file.fd(), &mut bytes[start..start + len], offset),
        Request::Fdatasync => sys::fdatasync(file.fd()),
        Request::Fsync => sys::fsync(file.fd()),
        Request::Fallocate { offset, len, punch } => sys::fallocate(file.fd(), offset, len, punch),
    }
}
