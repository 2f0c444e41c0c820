//! Folders of durable files: who holds one, how much space is left, names and lengths made durable.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::{OpenFile, OpenMode, sys};
use crate::aligned::AlignedBuf;
use crate::device::PathError;

/// Name of the lock file in a locked folder; its content is the holder's pid in decimal and a newline.
pub const LOCK_FILE: &str = "lock";

/// One process's hold on a folder. The operating system frees it with the process, however that ends.
#[derive(Debug)]
pub struct FolderLock {
    _file: File,
    path: PathBuf,
}

/// Why a folder could not be locked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process holds it.
    #[error("{} is in use by pid {}", folder.display(), pid.map_or("?".to_string(), |p| p.to_string()))]
    InUse {
        /// The folder.
        folder: PathBuf,
        /// The holder, if the lock file names one.
        pid: Option<u32>,
    },
    /// The lock file cannot be made or locked.
    #[error(transparent)]
    Path(#[from] PathError),
}

impl FolderLock {
    /// Takes the folder for this process, or says who has it. The folder must exist.
    ///
    /// # Errors
    /// [`LockError::InUse`]; or the lock file cannot be written (read-only or foreign folder).
    pub fn acquire(folder: &Path) -> Result<Self, LockError> {
        let path = folder.join(LOCK_FILE);
        let fail = |what| {
            let path = path.clone();
            move |e| PathError::new(&path, what, e)
        };
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(fail("open lock file"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                // Best effort: the holder may be writing its number just now.
                let _ = file.read_to_string(&mut text);
                return Err(LockError::InUse { folder: folder.to_path_buf(), pid: text.trim().parse().ok() });
            }
            Err(TryLockError::Error(e)) => return Err(fail("lock")(e).into()),
        }
        file.set_len(0)
            .and_then(|()| file.seek(SeekFrom::Start(0)))
            .and_then(|_| writeln!(file, "{}", std::process::id()))
            .map_err(fail("write lock file"))?;
        Ok(Self { _file: file, path })
    }

    /// The lock file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Space of the file system that holds a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Bytes in all.
    pub total: u64,
    /// Bytes this process may still use.
    pub available: u64,
}

/// How much space there is where `path` lies.
///
/// # Errors
/// The operating system's.
pub fn free_space(path: &Path) -> Result<Space, PathError> {
    let (total, available) = sys::statvfs(path).map_err(|e| PathError::new(path, "statvfs", e))?;
    Ok(Space { total, available })
}

/// Makes the names in a folder durable (after creating, renaming or removing files in it).
///
/// # Errors
/// The operating system's.
pub fn sync_dir(folder: &Path) -> Result<(), PathError> {
    File::open(folder).and_then(|d| d.sync_all()).map_err(|e| PathError::new(folder, "sync folder", e))
}

const ZEROES_BYTES: usize = 1 << 20;

/// Extends `file` to `len` bytes of written zeroes and syncs it, so that later durable writes change nothing but
/// data. Keeps what is there. On the calling thread.
///
/// # Errors
/// No space, or the operating system's; the file may then be of any length up to `len`.
pub fn preallocate(file: &OpenFile, len: u64) -> Result<(), PathError> {
    let mut at = file.len()?;
    if at >= len {
        return Ok(());
    }
    // Reserving first gives few large extents; a file system that cannot is written all the same.
    let reserved = sys::fallocate(file.fd(), at, len - at, false);
    if reserved == -libc::ENOSPC || reserved == -libc::EDQUOT {
        let source = std::io::Error::from_raw_os_error(-reserved);
        return Err(PathError::new(file.path(), "preallocate", source));
    }
    let zeroes = AlignedBuf::zeroed(ZEROES_BYTES);
    while at < len {
        let chunk = (len - at).min(ZEROES_BYTES as u64);
        let chunk = usize::try_from(chunk).expect("invariant: at most a mebibyte");
        let count = sys::pwrite(file.fd(), &zeroes[..chunk], at, false);
        match count {
            i32::MIN..=0 if count == -libc::EINTR => {}
            i32::MIN..=0 => {
                let source = std::io::Error::from_raw_os_error(if count == 0 { libc::EIO } else { -count });
                return Err(PathError::new(file.path(), "preallocate", source));
            }
            _ => at += u64::from(count.unsigned_abs()),
        }
    }
    file.sync_blocking()
}

/// Replaces `path` by a file with `bytes`, durably: after a crash the old content is there or the new one, whole.
///
/// # Errors
/// The operating system's; the old content then still stands.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), PathError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".new");
    let fresh = folder.join(name);
    let file = OpenFile::open(&fresh, OpenMode::BUFFERED)?;
    file.set_len(0)?;
    file.write_blocking(0, &AlignedBuf::from(bytes))?;
    file.sync_blocking()?;
    std::fs::rename(&fresh, path).map_err(|e| PathError::new(path, "rename", e))?;
    sync_dir(folder)
}
