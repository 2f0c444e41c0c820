//! Local devices of one machine: the queue that appends, syncs and reads many files, and what a folder of files needs.
//!
//! Everything durable in Sextant (six hot logs, page stores, superblocks, later the second-level cache and temporary
//! files) goes to disk through one small contract, [`device::Device`]: the *owner* thread pushes operations, enters the
//! kernel once, and drains completions in batches. Six logs appended from one queue cost an eighth of the CPU of six
//! threads that each write and sync.
//!
//! ```text
//!   owner thread (one per device)                    other threads
//!   push, push, push ─┐                              Waker::wake()
//!                     ▼                                   │
//!            poll(wait, &mut done) ◄──────────────────────┘
//!                     │
//!        ring::Ring   │   file::Threads       the two back-ends; device::open chooses
//!        io_uring     │   pread/pwrite/fdatasync on a few threads
//!                     ▼
//!               OpenFile (O_DIRECT where the file system takes it)
//! ```
//!
//! | module | what it owns |
//! |---|---|
//! | [`device`] | the contract: operations, completions, errors, counters, the waker, the choice of back-end |
//! | [`aligned`] | 4096-aligned owned buffers and their pool |
//! | [`ring`] | io_uring: one ring, one thread, registered files |
//! | [`clock`] | the clock that goes on in suspend |
//! | [`mod@file`] | opening, preallocating, the thread back-end, folder locks, free space, directory syncs |
//!
//! The second-level page cache (a victim cache of the buffer pool on this device) will sit beside these modules as
//! `cache`, `index`, `admission`, `eviction` and `layout`; it is a later wave and nothing here stands in for it.
//!
//! `unsafe` lives in `aligned`, `ring::kernel` and `file::sys` only, each use with its SAFETY line.

pub mod aligned;
mod attached;
pub mod clock;
pub mod device;
pub mod file;
mod progress;
pub mod ring;
#[cfg(test)]
mod testing;
mod wake;
