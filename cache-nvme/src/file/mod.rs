//! Files of a device: opening with or without O_DIRECT, preparing folders, and the thread back-end.
//!
//! | part | what |
//! |---|---|
//! | [`OpenFile`] | an open file with what is known of it: direct or buffered, failed or not, counters |
//! | [`FolderLock`] | one process per folder, refused with the holder's pid |
//! | [`preallocate`], [`sync_dir`], [`free_space`] | space and names made durable, and how much is left |
//! | [`Threads`] | the back-end for kernels that refuse io_uring |
//!
//! Caveat: the six logs want [`preallocate`] (written zeroes), not [`crate::device::Op::Allocate`] (reserved extents):
//! the first durable write into a reserved extent must also journal that it is now written.

mod folder;
mod sys;
mod threads;

use std::fs::File;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use crate::aligned::{ALIGN, AlignedBuf};
use crate::device::{FileCounters, PathError};
pub use folder::{
    FolderLock, LOCK_FILE, LockError, Space, free_space, preallocate, sync_dir, write_atomically,
};
pub(crate) use sys::{boottime_us, eventfd, fallocate_mode};
pub(crate) use threads::Done;
pub use threads::{Threads, WORKERS};

/// How to open a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenMode {
    /// Create it if it is not there.
    pub create: bool,
    /// Open for writing too.
    pub write: bool,
    /// Bypass the page cache if the file system takes O_DIRECT.
    pub direct: bool,
}

impl OpenMode {
    /// Existing or new, for reading and writing, direct where possible: what logs and page stores use.
    pub const DIRECT: Self = Self { create: true, write: true, direct: true };
    /// Existing or new, for reading and writing, through the page cache.
    pub const BUFFERED: Self = Self { create: true, write: true, direct: false };
    /// Existing, for reading, through the page cache.
    pub const READ_ONLY: Self = Self { create: false, write: false, direct: false };
}

#[derive(Debug)]
struct State {
    file: File,
    path: PathBuf,
    direct: bool,
    failed: AtomicBool,
    dsync_refused: AtomicBool,
    /// Held over a sync of a buffered file and the note of its failure: the kernel tells a lost write to one sync only.
    sync_gate: Mutex<()>,
    counters: Arc<FileCounters>,
}

/// An open file and what is known of it. Clones share it; the file closes with the last.
#[derive(Clone, Debug)]
pub struct OpenFile {
    state: Arc<State>,
}

impl OpenFile {
    /// Opens `path`. If direct I/O is refused (tmpfs, some overlays), the file is opened buffered and says so.
    ///
    /// # Errors
    /// The file cannot be opened as asked.
    pub fn open(path: &Path, mode: OpenMode) -> Result<Self, PathError> {
        if mode.direct {
            let direct = options(mode).custom_flags(libc::O_DIRECT).open(path);
            if let Ok(file) = direct
                && direct_reads_work(&file)
            {
                return Ok(Self::wrap(file, path, true));
            }
        }
        let file = options(mode).open(path).map_err(|e| PathError::new(path, "open", e))?;
        Ok(Self::wrap(file, path, false))
    }

    fn wrap(file: File, path: &Path, direct: bool) -> Self {
        Self {
            state: Arc::new(State {
                file,
                path: path.to_path_buf(),
                direct,
                failed: AtomicBool::new(false),
                dsync_refused: AtomicBool::new(false),
                sync_gate: Mutex::new(()),
                counters: Arc::default(),
            }),
        }
    }

    /// Where it was opened.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.state.path
    }

    /// Does it bypass the page cache? Then offsets, lengths and addresses are multiples of [`ALIGN`].
    #[must_use]
    pub fn is_direct(&self) -> bool {
        self.state.direct
    }

    /// Has a write or sync failed? Then it takes no more.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.state.failed.load(Ordering::Acquire)
    }

    /// Counters of operations through a device.
    #[must_use]
    pub fn counters(&self) -> &Arc<FileCounters> {
        &self.state.counters
    }

    /// Its length in bytes.
    ///
    /// # Errors
    /// The operating system's.
    pub fn len(&self) -> Result<u64, PathError> {
        self.state.file.metadata().map(|m| m.len()).map_err(|e| PathError::new(self.path(), "stat", e))
    }

    /// Is it of length 0?
    ///
    /// # Errors
    /// The operating system's.
    pub fn is_empty(&self) -> Result<bool, PathError> {
        self.len().map(|len| len == 0)
    }

    /// Cuts or extends the file to `len` bytes, on the calling thread.
    ///
    /// # Errors
    /// The operating system's.
    pub fn set_len(&self, len: u64) -> Result<(), PathError> {
        self.state.file.set_len(len).map_err(|e| PathError::new(self.path(), "truncate", e))
    }

    /// Reads `buf.len()` bytes on the calling thread (opening and recovery, not the data path); returns how many
    /// were there before the end of the file.
    ///
    /// # Errors
    /// The operating system's.
    pub fn read_blocking(&self, offset: u64, buf: &mut AlignedBuf) -> Result<usize, PathError> {
        let mut at = 0;
        while at < buf.len() {
            match self.state.file.read_at(&mut buf[at..], offset + at as u64) {
                Ok(0) => break,
                Ok(n) => at += n,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => return Err(PathError::new(self.path(), "read", e)),
            }
            // A direct read stops at the end of the file, wherever that is; going on from an odd place is refused.
            if self.is_direct() && !at.is_multiple_of(ALIGN) {
                break;
            }
        }
        Ok(at)
    }

    /// Writes and syncs on the calling thread (creation of a file, not the data path).
    ///
    /// # Errors
    /// The operating system's; the file is failed afterwards.
    pub fn write_blocking(&self, offset: u64, buf: &AlignedBuf) -> Result<(), PathError> {
        let written = self.state.file.write_all_at(buf, offset).and_then(|()| self.state.file.sync_data());
        written.map_err(|e| {
            self.mark_failed();
            PathError::new(self.path(), "write", e)
        })
    }

    /// fsync on the calling thread: data and length.
    ///
    /// # Errors
    /// The operating system's; the file is failed afterwards.
    pub fn sync_blocking(&self) -> Result<(), PathError> {
        self.state.file.sync_all().map_err(|e| {
            self.mark_failed();
            PathError::new(self.path(), "sync", e)
        })
    }

    pub(crate) fn fd(&self) -> RawFd {
        self.state.file.as_raw_fd()
    }

    pub(crate) fn mark_failed(&self) {
        self.state.failed.store(true, Ordering::Release);
    }

    pub(crate) fn dsync_refused(&self) -> bool {
        self.state.dsync_refused.load(Ordering::Relaxed)
    }

    /// RWF_DSYNC is not known here; durable writes are followed by fdatasync from now on.
    pub(crate) fn refuse_dsync(&self) {
        self.state.dsync_refused.store(true, Ordering::Relaxed);
    }

    pub(crate) fn sync_gate(&self) -> &Mutex<()> {
        &self.state.sync_gate
    }
}

fn options(mode: OpenMode) -> std::fs::OpenOptions {
    let mut options = File::options();
    options.read(true).write(mode.write).create(mode.create && mode.write).truncate(false);
    options.custom_flags(libc::O_CLOEXEC);
    options
}

/// Some file systems take O_DIRECT when opening and refuse it (EINVAL) when reading.
fn direct_reads_work(file: &File) -> bool {
    let mut probe = AlignedBuf::zeroed(ALIGN);
    file.read_at(&mut probe, 0).is_ok()
}

#[cfg(test)]
mod tests;
