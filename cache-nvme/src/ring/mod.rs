//! The device back-end on io_uring: one ring, one owner thread, many files, one kernel entry per batch.
//!
//! ```text
//!   push ─► waiting ─poll─► kernel slots (at most 256) ─► io_uring_enter ─► completions ─► done
//!              ▲                                                               │ short, interrupted
//!              └───────────────────────────────────────────────────────────────┘
//!   Waker::wake ─► eventfd ◄─ a read of it always lies in the ring while the owner sleeps
//! ```
//!
//! Settings: SINGLE_ISSUER and DEFER_TASKRUN (completions run only when the owner enters, so a batch of six log syncs
//! costs few interruptions), registered files. No SQPOLL (a spinning kernel thread costs more CPU than it saves on few
//! cores) and no IOPOLL (the devices here do not poll).
//!
//! Invariants
//! 1. A task in a kernel slot owns its buffer and its file; neither is touched or freed before its completion
//!    (`kernel` keeps this, also while dropping).
//! 2. Durable operations on one *buffered* file run one at a time, for the reason given in `file::threads`.

mod kernel;

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;

use crate::attached::Attached;
use crate::device::{Backend, Completion, Device, DeviceCounters, FileId, IoError, Op, Wait, bump};
use crate::file::OpenFile;
use crate::progress::{Next, Task};
use crate::wake::{Bell, Waker};
use kernel::{Answer, Kernel};

/// The io_uring back-end.
pub struct Ring {
    kernel: Kernel,
    files: Attached,
    waiting: VecDeque<Task>,
    settled: Vec<Completion>,
    /// Buffered files with a durable operation under way, and those that wait for it (invariant 2).
    gates: BTreeMap<FileId, VecDeque<Task>>,
    answers: Vec<Answer>,
    pending: usize,
    waker: Waker,
    counters: Arc<DeviceCounters>,
}

impl Ring {
    /// Makes a ring owned by the calling thread.
    ///
    /// # Errors
    /// The kernel has no io_uring, or forbids it (EPERM in many containers), or is too old.
    pub fn new() -> io::Result<Self> {
        let counters = Arc::new(DeviceCounters::default());
        let bell = crate::file::eventfd()?;
        let kernel = Kernel::new(bell.try_clone()?, Arc::clone(&counters))?;
        let waker = Waker::new(Bell::EventFd(bell), Arc::clone(&counters));
        Ok(Self {
            kernel,
            files: Attached::default(),
            waiting: VecDeque::new(),
            settled: Vec::new(),
            gates: BTreeMap::new(),
            answers: Vec::new(),
            pending: 0,
            waker,
            counters,
        })
    }

    /// Moves waiting tasks into kernel slots, in order, while there are any free.
    fn start_waiting(&mut self) {
        while self.kernel.has_room() {
            let Some(task) = self.waiting.pop_front() else { return };
            match task.settled_early() {
                Some(result) => self.settle(task, result),
                None => self.kernel.start(task),
            }
        }
    }

    fn settle(&mut self, task: Task, result: Result<usize, IoError>) {
        if is_gated(&task)
            && let Some(queue) = self.gates.get_mut(&task.id)
        {
            match queue.pop_front() {
                Some(next) => self.waiting.push_back(next),
                None => {
                    self.gates.remove(&task.id);
                }
            }
        }
        self.settled.push(task.complete(result));
    }

    fn take_answers(&mut self) {
        self.kernel.reap(&mut self.answers);
        let mut answers = std::mem::take(&mut self.answers);
        for Answer { mut task, request, raw } in answers.drain(..) {
            match task.answer(request, raw) {
                Next::Again => self.waiting.push_front(task),
                Next::Done(result) => self.settle(task, result),
            }
        }
        self.answers = answers;
    }
}

fn is_gated(task: &Task) -> bool {
    !task.file.is_direct() && task.kind.is_durable()
}

impl Device for Ring {
    fn backend(&self) -> Backend {
        Backend::Ring
    }

    fn attach(&mut self, file: OpenFile) -> FileId {
        let fd = file.fd();
        let id = self.files.attach(file);
        self.kernel.register_file(id, fd);
        id
    }

    fn detach(&mut self, file: FileId) {
        self.files.detach(file);
        self.kernel.unregister_file(file);
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
        if is_gated(&task) {
            if let Some(queue) = self.gates.get_mut(&id) {
                queue.push_back(task);
                return;
            }
            self.gates.insert(id, VecDeque::new());
        }
        self.waiting.push_back(task);
    }

    fn poll(&mut self, wait: Wait, done: &mut Vec<Completion>) -> io::Result<()> {
        loop {
            self.start_waiting();
            let sleep = wait != Wait::Now && self.settled.is_empty() && self.waker.prepare_sleep();
            let mut called = !sleep;
            if sleep {
                self.kernel.arm_bell();
                let slept = self.kernel.submit_and_wait(wait);
                called = self.waker.called();
                self.waker.awake();
                slept?;
            } else {
                self.kernel.submit()?;
            }
            self.take_answers();
            if self.waiting.is_empty() || !self.kernel.has_room() {
                break;
            }
            // What was cut short or stood behind a gate goes down now, not at the owner's next visit; and it alone
            // does not end the owner's sleep.
            if called || !self.settled.is_empty() {
                self.start_waiting();
                self.kernel.submit()?;
                break;
            }
        }
        for completion in &self.settled {
            self.pending -= 1;
            self.files.end(completion.file);
            bump(&self.counters.completed, 1);
        }
        done.append(&mut self.settled);
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

impl Drop for Ring {
    fn drop(&mut self) {
        // What was pushed is tried, as with threads; then the kernel part waits for what it has.
        let mut done = Vec::new();
        while self.pending > 0 {
            if self.poll(Wait::Forever, &mut done).is_err() {
                return;
            }
            done.clear();
        }
    }
}
