//! One operation on its way: what to ask of the kernel next, and what its answer means. Shared by both back-ends.
//!
//! A pure state machine, so every answer (short, interrupted, refused, zero) is tested without a device.
//!
//! ```text
//!   Transfer ──all bytes──► done                         (plain write, read, durable write by RWF_DSYNC)
//!      │  └──all bytes──► Flush ──ok──► done             (durable write where RWF_DSYNC is refused)
//!      ├── short, EINTR, EAGAIN: Transfer again from where it stands
//!      ├── EOPNOTSUPP on RWF_DSYNC: remember it on the file, Transfer again without
//!      └── any other error: the file is failed (a read: only this operation)
//! ```

use crate::aligned::{ALIGN, AlignedBuf};
use crate::device::{Completion, FileId, IoError, IoErrorKind, Op, OpKind, bump};
use crate::file::OpenFile;

/// Errno values told apart here (Linux).
mod errno {
    pub(super) const EINTR: i32 = libc::EINTR;
    pub(super) const EAGAIN: i32 = libc::EAGAIN;
    pub(super) const ENOSPC: i32 = libc::ENOSPC;
    pub(super) const EDQUOT: i32 = libc::EDQUOT;
    pub(super) const EOPNOTSUPP: i32 = libc::EOPNOTSUPP;
    pub(super) const ENOSYS: i32 = libc::ENOSYS;
    pub(super) const EIO: i32 = libc::EIO;
}

/// The call to make next. `start` and `len` are a range of the task's buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    Write { offset: u64, start: usize, len: usize, dsync: bool },
    Read { offset: u64, start: usize, len: usize },
    Fdatasync,
    Fsync,
    Fallocate { offset: u64, len: u64, punch: bool },
}

/// What an answer means.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Again,
    Done(Result<usize, IoError>),
}

/// Most bytes in one call; a larger transfer goes in pieces.
const MAX_CALL: usize = 1 << 30;

/// An operation and how far it has come.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) token: u64,
    pub(crate) id: FileId,
    pub(crate) file: OpenFile,
    pub(crate) kind: OpKind,
    pub(crate) buf: Option<AlignedBuf>,
    offset: u64,
    len: u64,
    moved: usize,
    flushing: bool,
    dsync: bool,
}

impl Task {
    pub(crate) fn new(token: u64, file: OpenFile, op: Op) -> Self {
        let (id, kind) = (op.file(), op.kind());
        let (offset, len, buf) = match op {
            Op::Write { offset, buf, .. } | Op::Read { offset, buf, .. } => {
                (offset, buf.len() as u64, Some(buf))
            }
            Op::Sync { .. } | Op::SyncAll { .. } => (0, 0, None),
            Op::Allocate { offset, len, .. } | Op::Punch { offset, len, .. } => (offset, len, None),
        };
        if file.is_direct() && buf.is_some() {
            let aligned = offset.is_multiple_of(ALIGN as u64) && len.is_multiple_of(ALIGN as u64);
            assert!(aligned, "direct {kind:?} of {len} bytes at {offset} is not aligned to {ALIGN}");
        }
        Self { token, id, file, kind, buf, offset, len, moved: 0, flushing: false, dsync: false }
    }

    /// Refused before it is tried (invariant 3 of `device`), or nothing to do.
    pub(crate) fn settled_early(&self) -> Option<Result<usize, IoError>> {
        if self.kind.changes_file() && self.file.has_failed() {
            return Some(Err(IoError { kind: IoErrorKind::Failed, op: self.kind, errno: 0 }));
        }
        let empty = self.buf.as_ref().is_some_and(|b| b.is_empty());
        (empty && self.kind != OpKind::DurableWrite).then_some(Ok(0))
    }

    pub(crate) fn request(&mut self) -> Request {
        if self.flushing {
            return Request::Fdatasync;
        }
        // A direct transfer cut at an odd place goes on from the block it was cut in: the same bytes again.
        let start = if self.file.is_direct() { self.moved / ALIGN * ALIGN } else { self.moved };
        let left = usize::try_from(self.len).map_or(0, |len| len - start).min(MAX_CALL);
        let offset = self.offset + start as u64;
        match self.kind {
            OpKind::DurableWrite if left == 0 => Request::Fdatasync,
            OpKind::DurableWrite => {
                self.dsync = !self.file.dsync_refused();
                Request::Write { offset, start, len: left, dsync: self.dsync }
            }
            OpKind::Write => Request::Write { offset, start, len: left, dsync: false },
            OpKind::Read => Request::Read { offset, start, len: left },
            OpKind::Sync => Request::Fdatasync,
            OpKind::SyncAll => Request::Fsync,
            OpKind::Allocate => Request::Fallocate { offset: self.offset, len: self.len, punch: false },
            OpKind::Punch => Request::Fallocate { offset: self.offset, len: self.len, punch: true },
        }
    }

    /// Takes the kernel's answer to `request`: a count, or a negated errno.
    pub(crate) fn answer(&mut self, request: Request, raw: i32) -> Next {
        if raw < 0 {
            return self.refused(request, -raw);
        }
        // A sync that reports success after another one on this file reported failure proves nothing.
        if self.kind.changes_file() && self.file.has_failed() {
            return Next::Done(Err(self.error(IoErrorKind::Failed, 0)));
        }
        match request {
            Request::Fdatasync | Request::Fsync => {
                bump(&self.file.counters().syncs, 1);
                self.finished()
            }
            Request::Fallocate { .. } => Next::Done(Ok(0)),
            Request::Write { start, .. } | Request::Read { start, .. } => {
                let count = raw.unsigned_abs() as usize;
                let before = self.moved;
                self.moved = self.moved.max(start + count);
                if self.moved as u64 >= self.len {
                    if self.kind == OpKind::DurableWrite && !self.dsync {
                        self.flushing = true;
                        return Next::Again;
                    }
                    return self.finished();
                }
                match self.kind {
                    OpKind::Read if count == 0 || self.moved == before => self.finished(),
                    OpKind::Read => Next::Again,
                    // A write that moves nothing would go round for ever.
                    _ if self.moved == before => self.fail(errno::EIO),
                    _ => Next::Again,
                }
            }
        }
    }

    fn finished(&mut self) -> Next {
        let counters = self.file.counters();
        match self.kind {
            OpKind::DurableWrite | OpKind::Write => {
                bump(&counters.writes, 1);
                bump(&counters.write_bytes, self.moved as u64);
                if self.kind == OpKind::DurableWrite {
                    bump(&counters.durable_writes, 1);
                }
            }
            OpKind::Read => {
                bump(&counters.reads, 1);
                bump(&counters.read_bytes, self.moved as u64);
            }
            OpKind::Sync | OpKind::SyncAll | OpKind::Allocate | OpKind::Punch => {}
        }
        Next::Done(Ok(self.moved))
    }

    fn refused(&mut self, request: Request, errno: i32) -> Next {
        match (request, errno) {
            // Nothing was tried: ask again. Not for a sync, whose error state an interrupted call may have consumed.
            (Request::Fdatasync | Request::Fsync, _) => self.fail(errno),
            (_, errno::EINTR | errno::EAGAIN) => Next::Again,
            (Request::Write { dsync: true, .. }, errno::EOPNOTSUPP | errno::ENOSYS) => {
                self.file.refuse_dsync();
                Next::Again
            }
            (Request::Read { .. }, _) => Next::Done(Err(self.error(IoErrorKind::Unreadable, errno))),
            (Request::Fallocate { .. }, errno::EOPNOTSUPP | errno::ENOSYS) => {
                Next::Done(Err(self.error(IoErrorKind::Unsupported, errno)))
            }
            (Request::Write { .. } | Request::Fallocate { .. }, errno::ENOSPC | errno::EDQUOT) => {
                Next::Done(Err(self.error(IoErrorKind::NoSpace, errno)))
            }
            _ => self.fail(errno),
        }
    }

    fn fail(&self, errno: i32) -> Next {
        self.file.mark_failed();
        tracing::error!(path = %self.file.path().display(), op = ?self.kind, errno, "the file has failed for good");
        Next::Done(Err(self.error(IoErrorKind::Failed, errno)))
    }

    const fn error(&self, kind: IoErrorKind, errno: i32) -> IoError {
        IoError { kind, op: self.kind, errno }
    }

    pub(crate) fn complete(self, result: Result<usize, IoError>) -> Completion {
        let mut buf = self.buf;
        if let (OpKind::Read, Ok(moved), Some(buf)) = (self.kind, &result, &mut buf) {
            buf.resize(*moved);
        }
        Completion { token: self.token, file: self.id, kind: self.kind, result, buf }
    }
}

#[cfg(test)]
#[path = "progress_tests.rs"]
mod tests;
