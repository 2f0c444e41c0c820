//! The part of the ring that speaks to the kernel: slots that own what the kernel works on.
//!
//! Invariants
//! 1. `slots[i]` is occupied from the push of an entry with `user_data = i` until its completion was reaped; the task
//!    in it owns the buffer and an open file, so pointers and descriptors in the entry stay valid for that time.
//! 2. `bell_value` is written by the kernel only while `bell_armed`; it is never read.
//! 3. Dropping waits until every slot is empty and the bell is not armed; if the kernel refuses to wait, slots, bell
//!    and ring are leaked rather than freed under its feet.
#![allow(unsafe_code)]

use std::fs::File;
use std::io::{self, Write};
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;

use io_uring::{IoUring, cqueue, opcode, squeue, types};

use crate::device::{DeviceCounters, FileId, Wait, bump};
use crate::file::fallocate_mode;
use crate::progress::{Request, Task};

/// Operations in the kernel at once.
const SLOTS: usize = 256;
/// Room in the submission queue: every slot and the bell.
const ENTRIES: u32 = 512;
/// Size of the registered-file table; files beyond it are named by descriptor.
const FIXED_FILES: u32 = 256;
/// `user_data` of the read of the bell.
const BELL: u64 = u64::MAX;

/// The kernel's answer to a task's request.
pub(super) struct Answer {
    pub(super) task: Task,
    pub(super) request: Request,
    pub(super) raw: i32,
}

pub(super) struct Kernel {
    ring: ManuallyDrop<IoUring>,
    slots: ManuallyDrop<Vec<Option<(Task, Request)>>>,
    free: Vec<u32>,
    fixed: Vec<bool>,
    bell: ManuallyDrop<File>,
    bell_value: ManuallyDrop<Box<[u8; 8]>>,
    bell_armed: bool,
    counters: Arc<DeviceCounters>,
    /// SINGLE_ISSUER: only the thread that made the ring may use it.
    _owner_thread: PhantomData<*mut ()>,
}

impl Kernel {
    pub(super) fn new(bell: File, counters: Arc<DeviceCounters>) -> io::Result<Self> {
        let modern = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_taskrun_flag()
            .setup_submit_all()
            .build(ENTRIES);
        let ring = match modern {
            // Kernels before 6.1 do not know the flags above; the ring works without them.
            Err(e) if e.raw_os_error() == Some(libc::EINVAL) => IoUring::new(ENTRIES)?,
            other => other?,
        };
        if !ring.params().is_feature_ext_arg() || !ring.params().is_feature_nodrop() {
            return Err(io::Error::from_raw_os_error(libc::ENOSYS));
        }
        let fixed = match ring.submitter().register_files_sparse(FIXED_FILES) {
            Ok(()) => vec![false; FIXED_FILES as usize],
            Err(_) => Vec::new(),
        };
        let slots = (0..SLOTS).map(|_| None).collect();
        Ok(Self {
            ring: ManuallyDrop::new(ring),
            slots: ManuallyDrop::new(slots),
            free: (0..SLOTS as u32).rev().collect(),
            fixed,
            bell: ManuallyDrop::new(bell),
            bell_value: ManuallyDrop::new(Box::new([0; 8])),
            bell_armed: false,
            counters,
            _owner_thread: PhantomData,
        })
    }

    pub(super) fn register_file(&mut self, id: FileId, fd: RawFd) {
        if let Some(fixed) = self.fixed.get_mut(id.0 as usize) {
            *fixed = self.ring.submitter().register_files_update(id.0, &[fd]).is_ok();
        }
    }

    pub(super) fn unregister_file(&mut self, id: FileId) {
        if let Some(fixed) = self.fixed.get_mut(id.0 as usize)
            && std::mem::take(fixed)
        {
            // A failure leaves the table's own reference to the file; it is replaced when the slot is used again.
            let _ = self.ring.submitter().register_files_update(id.0, &[-1]);
        }
    }

    pub(super) fn has_room(&self) -> bool {
        !self.free.is_empty()
    }

    /// Puts a task's next request into the submission queue. Call only with room.
    pub(super) fn start(&mut self, mut task: Task) {
        let slot = self.free.pop().expect("invariant: start is called with room");
        let request = task.request();
        let registered = self.fixed.get(task.id.0 as usize).copied().unwrap_or(false);
        let number = if registered { task.id.0.cast_signed() } else { task.file.fd() };
        let mut entry = entry(types::Fd(number), request, &mut task);
        if registered {
            // The number is then an index into the table of registered files.
            entry = entry.flags(squeue::Flags::FIXED_FILE);
        }
        let place = &mut self.slots[slot as usize];
        assert!(place.is_none(), "slot {slot} is used twice");
        *place = Some((task, request));
        self.push(entry.user_data(u64::from(slot)));
    }

    fn push(&mut self, entry: squeue::Entry) {
        // SAFETY: the pointers in `entry` lead into a buffer owned by an occupied slot (invariant 1: a heap block that
        // does not move with the task) or into `bell_value` (invariant 2).
        let pushed = unsafe { self.ring.submission().push(&entry) };
        pushed.expect("invariant: the queue holds every slot and the bell");
    }

    /// Lays a read of the eventfd into the ring, unless one lies there.
    pub(super) fn arm_bell(&mut self) {
        if !self.bell_armed {
            self.bell_armed = true;
            let fd = types::Fd(self.bell.as_raw_fd());
            let read = opcode::Read::new(fd, self.bell_value.as_mut_ptr(), 8).build().user_data(BELL);
            self.push(read);
        }
    }

    /// Hands queued entries to the kernel without sleeping; no call if there is neither an entry nor deferred work.
    pub(super) fn submit(&mut self) -> io::Result<()> {
        let queue = self.ring.submission();
        if queue.is_empty() && !queue.taskrun() && !queue.cq_overflow() {
            return Ok(());
        }
        drop(queue);
        bump(&self.counters.syscalls, 1);
        tolerate(self.ring.submit())
    }

    /// Hands queued entries to the kernel and sleeps until a completion or the end of `wait`.
    pub(super) fn submit_and_wait(&mut self, wait: Wait) -> io::Result<()> {
        bump(&self.counters.syscalls, 1);
        match wait {
            Wait::AtMost(time) => self.enter(1, time),
            Wait::Several { at_least, at_most } => self.enter(at_least.max(1) as usize, at_most),
            Wait::Now | Wait::Forever => tolerate(self.ring.submit_and_wait(1)),
        }
    }

    fn enter(&mut self, completions: usize, time: std::time::Duration) -> io::Result<()> {
        let limit = types::Timespec::from(time);
        let args = types::SubmitArgs::new().timespec(&limit);
        tolerate(self.ring.submitter().submit_with_args(completions, &args))
    }

    /// Takes all completions there are.
    pub(super) fn reap(&mut self, answers: &mut Vec<Answer>) {
        let mut cancelled_bell = false;
        for cqe in self.ring.completion() {
            let cqe: cqueue::Entry = cqe;
            if cqe.user_data() == BELL {
                cancelled_bell = true;
                continue;
            }
            let slot = u32::try_from(cqe.user_data()).expect("invariant: the kernel returns our user_data");
            let taken = self.slots[slot as usize].take();
            let (task, request) = taken.expect("invariant: one completion per occupied slot");
            self.free.push(slot);
            answers.push(Answer { task, request, raw: cqe.result() });
        }
        if cancelled_bell {
            self.bell_armed = false;
        }
    }

    fn in_kernel(&self) -> bool {
        self.bell_armed || self.free.len() < SLOTS
    }
}

/// Interrupted, timed out, or momentarily short of memory: the queue is intact and the next entry goes on.
fn tolerate(entered: io::Result<usize>) -> io::Result<()> {
    match entered {
        Ok(_) => Ok(()),
        Err(e) => match e.raw_os_error() {
            Some(libc::EINTR | libc::ETIME | libc::EAGAIN | libc::EBUSY) => Ok(()),
            _ => Err(e),
        },
    }
}

fn entry(fd: types::Fd, request: Request, task: &mut Task) -> squeue::Entry {
    let bytes: &mut [u8] = match &mut task.buf {
        Some(buf) => buf,
        None => &mut [],
    };
    let length = |len: usize| u32::try_from(len).expect("invariant: a call moves at most a gibibyte");
    match request {
        Request::Write { offset, start, len, dsync } => {
            let flags = if dsync { libc::RWF_DSYNC } else { 0 };
            let range = &bytes[start..start + len];
            opcode::Write::new(fd, range.as_ptr(), length(len)).offset(offset).rw_flags(flags).build()
        }
        Request::Read { offset, start, len } => {
            let range = &mut bytes[start..start + len];
            opcode::Read::new(fd, range.as_mut_ptr(), length(len)).offset(offset).build()
        }
        Request::Fdatasync => opcode::Fsync::new(fd).flags(types::FsyncFlags::DATASYNC).build(),
        Request::Fsync => opcode::Fsync::new(fd).build(),
        Request::Fallocate { offset, len, punch } => {
            opcode::Fallocate::new(fd, len).offset(offset).mode(fallocate_mode(punch)).build()
        }
    }
}

impl Drop for Kernel {
    fn drop(&mut self) {
        let mut answers = Vec::new();
        if self.bell_armed && (&*self.bell).write(&1u64.to_ne_bytes()).is_err() {
            return;
        }
        while self.in_kernel() {
            if tolerate(self.ring.submit_and_wait(1)).is_err() {
                tracing::error!("the ring cannot be drained; its buffers are leaked");
                return;
            }
            self.reap(&mut answers);
        }
        // SAFETY: each field is dropped once, here, and not used again; the kernel holds nothing (invariant 3).
        unsafe {
            ManuallyDrop::drop(&mut self.ring);
            ManuallyDrop::drop(&mut self.slots);
            ManuallyDrop::drop(&mut self.bell);
            ManuallyDrop::drop(&mut self.bell_value);
        }
    }
}
