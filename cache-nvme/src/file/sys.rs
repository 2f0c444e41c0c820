//! The system calls that the standard library does not offer, each behind a safe function.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::fs::File;
use std::io::{Error, Result};
use std::mem::MaybeUninit;
use std::os::fd::{FromRawFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

fn last_errno() -> i32 {
    Error::last_os_error().raw_os_error().unwrap_or(libc::EIO)
}

/// pwritev2 of one buffer: a count, or a negated errno.
pub(super) fn pwrite(fd: RawFd, bytes: &[u8], offset: u64, dsync: bool) -> i32 {
    let Ok(offset) = libc::off_t::try_from(offset) else { return -libc::EFBIG };
    let iov = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let flags = if dsync { libc::RWF_DSYNC } else { 0 };
    // SAFETY: `iov` describes `bytes`, which outlives the call and is only read.
    let count = unsafe { libc::pwritev2(fd, &raw const iov, 1, offset, flags) };
    if count < 0 { -last_errno() } else { i32::try_from(count).unwrap_or(i32::MAX) }
}

/// pread: a count, or a negated errno.
pub(super) fn pread(fd: RawFd, bytes: &mut [u8], offset: u64) -> i32 {
    let Ok(offset) = libc::off_t::try_from(offset) else { return -libc::EFBIG };
    // SAFETY: the pointer and length are those of an exclusive slice that outlives the call.
    let count = unsafe { libc::pread(fd, bytes.as_mut_ptr().cast(), bytes.len(), offset) };
    if count < 0 { -last_errno() } else { i32::try_from(count).unwrap_or(i32::MAX) }
}

/// fdatasync: 0, or a negated errno.
pub(super) fn fdatasync(fd: RawFd) -> i32 {
    // SAFETY: no memory is passed.
    if unsafe { libc::fdatasync(fd) } < 0 { -last_errno() } else { 0 }
}

/// fsync: 0, or a negated errno.
pub(super) fn fsync(fd: RawFd) -> i32 {
    // SAFETY: no memory is passed.
    if unsafe { libc::fsync(fd) } < 0 { -last_errno() } else { 0 }
}

/// The mode bits of fallocate for reserving or punching.
pub(crate) const fn fallocate_mode(punch: bool) -> i32 {
    if punch { libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE } else { 0 }
}

/// fallocate: 0, or a negated errno.
pub(super) fn fallocate(fd: RawFd, offset: u64, len: u64, punch: bool) -> i32 {
    let (Ok(offset), Ok(len)) = (libc::off_t::try_from(offset), libc::off_t::try_from(len)) else {
        return -libc::EFBIG;
    };
    // SAFETY: no memory is passed.
    if unsafe { libc::fallocate(fd, fallocate_mode(punch), offset, len) } < 0 { -last_errno() } else { 0 }
}

/// (total, available to this user) bytes of the file system that holds `path`.
pub(super) fn statvfs(path: &Path) -> Result<(u64, u64)> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut stat = MaybeUninit::<libc::statvfs>::zeroed();
    // SAFETY: `path` is a NUL-terminated string and `stat` room for one statvfs, both alive over the call.
    if unsafe { libc::statvfs(path.as_ptr(), stat.as_mut_ptr()) } < 0 {
        return Err(Error::last_os_error());
    }
    // SAFETY: the call succeeded and filled it; it was zeroed before, and every bit pattern is valid.
    let stat = unsafe { stat.assume_init() };
    Ok((stat.f_blocks * stat.f_frsize, stat.f_bavail * stat.f_frsize))
}

/// CLOCK_BOOTTIME in microseconds.
pub(crate) fn boottime_us() -> u64 {
    let mut time = MaybeUninit::<libc::timespec>::zeroed();
    // SAFETY: `time` is room for one timespec, alive over the call.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, time.as_mut_ptr()) } < 0;
    assert!(!failed, "invariant: every kernel with io_uring has CLOCK_BOOTTIME");
    // SAFETY: the call succeeded and filled it; it was zeroed before, and every bit pattern is valid.
    let time = unsafe { time.assume_init() };
    time.tv_sec as u64 * 1_000_000 + time.tv_nsec as u64 / 1000
}

/// A new blocking eventfd with counter 0.
pub(crate) fn eventfd() -> Result<File> {
    // SAFETY: no memory is passed.
    let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) };
    if fd < 0 {
        return Err(Error::last_os_error());
    }
    // SAFETY: the descriptor was just created and belongs to nobody else.
    Ok(unsafe { File::from_raw_fd(fd) })
}
