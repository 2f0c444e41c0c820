//! The adapter: executes a node's [`DiskOp`]s on the real files of its folder, through a shared device queue.
//!
//! ```text
//!   Node ─Action::Disk{token, file, op}─► Disk::submit ─► Device (one for all nodes of this process)
//!     ▲                                                      │
//!     └──Event::Done{token, result}─◄── Disk::completed ◄────┘
//! ```
//!
//! Invariants
//! 1. Each submitted operation ends exactly once: in what [`Disk::completed`] returns, or in [`Disk::ended`] when it
//!    needed no device.
//! 2. A file's name is durable before the first write to it completes: creation syncs the folder.
//! 3. [`DiskOp::Allocate`] is a chain of small device operations (reserve, zeroes, sync, sync of the folder), so that
//!    no other node waits for it; if it fails, the half-made file is removed.
//! 4. A file removed with operations in flight keeps its descriptor until they end.
//!
//! Device tokens carry the adapter's tag in their upper half, so that completions find their way back to it.

mod folder;

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};

use cache_nvme::aligned::AlignedBuf;
use cache_nvme::device::{Completion, Device, Durability, FileId, IoError, IoErrorKind, Op, OpKind};
use cache_nvme::file::{OpenFile, OpenMode};

use crate::event::{DiskError, DiskFile, DiskOp, Token};
pub use folder::{list_files, parse_name};

/// Zeroes are written in pieces of so many bytes.
const ZEROES_BYTES: usize = 1 << 20;

/// What ended: hand it to the node as [`Event::Done`](crate::Event::Done).
pub type Ended = (Token, Result<AlignedBuf, DiskError>);

#[derive(Debug)]
struct Open {
    id: FileId,
    pending: u32,
    removed: bool,
    log: bool,
}

/// Where an allocation stands.
#[derive(Debug, Clone, Copy)]
enum Chain {
    Reserve,
    Zeroes { written: u64 },
    Sync,
    SyncFolder,
}

#[derive(Debug)]
enum Work {
    Plain,
    Allocate { file: DiskFile, len: u64, chain: Chain },
}

#[derive(Debug)]
struct InFlight {
    token: Token,
    id: FileId,
    work: Work,
}

/// The files of one node folder.
#[derive(Debug)]
pub struct Disk {
    folder: PathBuf,
    tag: u32,
    files: BTreeMap<DiskFile, FileId>,
    open: HashMap<FileId, Open>,
    in_flight: HashMap<u32, InFlight>,
    next: u32,
    ended: Vec<Ended>,
    /// Log writes that were durable on completion, and syncs of log files: what a commit waits for.
    log_syncs: u64,
    /// Durable log writes in flight.
    log_writes: u32,
}

/// The tag in a device token.
#[must_use]
pub const fn tag_of(device_token: u64) -> u32 {
    (device_token >> 32) as u32
}

impl Disk {
    /// The adapter of a node folder, which must exist; makes `log/` and `pages/` in it. `tag` tells its device tokens
    /// from those of other users of the device; never use one twice.
    ///
    /// # Errors
    /// The folders cannot be made.
    pub fn new(folder: &Path, tag: u32) -> io::Result<Self> {
        folder::prepare(folder)?;
        Ok(Self {
            folder: folder.to_path_buf(),
            tag,
            files: BTreeMap::new(),
            open: HashMap::new(),
            in_flight: HashMap::new(),
            next: 0,
            ended: Vec::new(),
            log_syncs: 0,
            log_writes: 0,
        })
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The tag.
    #[must_use]
    pub const fn tag(&self) -> u32 {
        self.tag
    }

    /// Device operations in flight.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.in_flight.len()
    }

    /// Durable writes to and syncs of log files, completed.
    #[must_use]
    pub const fn log_syncs(&self) -> u64 {
        self.log_syncs
    }

    /// Durable writes to log files in flight: what commits wait for.
    #[must_use]
    pub const fn log_writes_in_flight(&self) -> u32 {
        self.log_writes
    }

    /// Starts one operation. What needs no device ends at once; take it with [`ended`](Self::ended).
    pub fn submit(&mut self, device: &mut dyn Device, token: Token, file: DiskFile, op: DiskOp) {
        if let Err(error) = self.try_submit(device, token, file, op) {
            tracing::error!(folder = %self.folder.display(), %file, %error, "a file cannot be used");
            let full =
                error.kind() == io::ErrorKind::StorageFull || error.kind() == io::ErrorKind::QuotaExceeded;
            self.ended.push((token, Err(if full { DiskError::NoSpace } else { DiskError::Failed })));
        }
    }

    fn try_submit(
        &mut self,
        device: &mut dyn Device,
        token: Token,
        file: DiskFile,
        op: DiskOp,
    ) -> io::Result<()> {
        match op {
            DiskOp::Read { offset, len } => match self.existing(device, file)? {
                Some(id) => {
                    let buf = AlignedBuf::unspecified(len);
                    self.push(device, token, id, Work::Plain, Op::Read { file: id, offset, buf });
                }
                None => self.ended.push((token, Ok(AlignedBuf::new()))),
            },
            DiskOp::Write { offset, bytes, durable } => {
                let id = match self.existing(device, file)? {
                    Some(id) => id,
                    None => self.create(device, file)?,
                };
                let durability = if durable { Durability::Sync } else { Durability::Later };
                let write = Op::Write { file: id, offset, buf: bytes, durability };
                self.push(device, token, id, Work::Plain, write);
            }
            DiskOp::Sync => match self.existing(device, file)? {
                Some(id) => self.push(device, token, id, Work::Plain, Op::Sync { file: id }),
                None => self.ended.push((token, Ok(AlignedBuf::new()))),
            },
            DiskOp::Allocate { len } => {
                self.remove(device, file)?;
                let id = self.open_file(device, file)?;
                let work = Work::Allocate { file, len, chain: Chain::Reserve };
                self.push(device, token, id, work, Op::Allocate { file: id, offset: 0, len });
            }
            DiskOp::Punch { offset, len } => match self.existing(device, file)? {
                Some(id) => self.push(device, token, id, Work::Plain, Op::Punch { file: id, offset, len }),
                None => self.ended.push((token, Ok(AlignedBuf::new()))),
            },
            DiskOp::Delete => {
                self.remove(device, file)?;
                self.ended.push((token, Ok(AlignedBuf::new())));
            }
        }
        Ok(())
    }

    /// Operations that ended without the device since the last call.
    pub fn ended(&mut self) -> Vec<Ended> {
        std::mem::take(&mut self.ended)
    }

    /// Takes a completion with this adapter's tag; `None` while a chain goes on.
    pub fn completed(&mut self, device: &mut dyn Device, completion: Completion) -> Option<Ended> {
        let local = completion.token as u32;
        let InFlight { token, id, work } = self.in_flight.remove(&local)?;
        let of_log = self.open.get(&id).is_some_and(|open| open.log);
        self.log_writes -= u32::from(of_log && completion.kind == OpKind::DurableWrite);
        self.log_syncs += u64::from(of_log && completion.result.is_ok() && completion.kind.is_durable());
        self.finish_one(device, id);
        match work {
            Work::Plain => Some((token, outcome(completion))),
            Work::Allocate { file, len, chain } => self.go_on(device, token, file, len, chain, completion),
        }
    }

    /// The next step of an allocation.
    fn go_on(
        &mut self,
        device: &mut dyn Device,
        token: Token,
        file: DiskFile,
        len: u64,
        chain: Chain,
        completion: Completion,
    ) -> Option<Ended> {
        let refused = matches!(completion.result, Err(IoError { kind: IoErrorKind::Unsupported, .. }));
        let failed = completion.result.as_ref().err().filter(|_| !refused).map(|e| error_of(*e));
        if let Some(error) = failed {
            let _ = self.remove(device, file);
            return Some((token, Err(error)));
        }
        let Some(&id) = self.files.get(&file) else {
            // Deleted meanwhile: nothing is left to do, and nothing was promised.
            return Some((token, Err(DiskError::Failed)));
        };
        let (chain, id, op) = match chain {
            Chain::Reserve => (Chain::Zeroes { written: 0 }, id, zeroes(id, 0, len, AlignedBuf::new())),
            Chain::Zeroes { written } => {
                let buf = completion.buf.unwrap_or_default();
                let written = written + buf.len() as u64;
                if written < len {
                    (Chain::Zeroes { written }, id, zeroes(id, written, len, buf))
                } else {
                    (Chain::Sync, id, Op::SyncAll { file: id })
                }
            }
            Chain::Sync => match self.open_folder_of(device, file) {
                Ok(folder) => (Chain::SyncFolder, folder, Op::SyncAll { file: folder }),
                Err(error) => {
                    tracing::error!(folder = %self.folder.display(), %error, "a folder cannot be synced");
                    return Some((token, Err(DiskError::Failed)));
                }
            },
            Chain::SyncFolder => return Some((token, Ok(AlignedBuf::new()))),
        };
        self.push(device, token, id, Work::Allocate { file, len, chain }, op);
        None
    }

    fn push(&mut self, device: &mut dyn Device, token: Token, id: FileId, work: Work, op: Op) {
        self.next = self.next.wrapping_add(1);
        let taken = self.in_flight.insert(self.next, InFlight { token, id, work });
        assert!(taken.is_none(), "2^32 operations in flight");
        if let Some(open) = self.open.get_mut(&id) {
            open.pending += 1;
            self.log_writes += u32::from(open.log && op.kind() == OpKind::DurableWrite);
        }
        device.push(u64::from(self.tag) << 32 | u64::from(self.next), op);
    }

    fn finish_one(&mut self, device: &mut dyn Device, id: FileId) {
        let Some(open) = self.open.get_mut(&id) else { return };
        open.pending -= 1;
        if open.removed && open.pending == 0 {
            self.open.remove(&id);
            device.detach(id);
        }
    }

    fn path(&self, file: DiskFile) -> PathBuf {
        self.folder.join(file.to_string())
    }

    /// The open file, opened if it exists.
    fn existing(&mut self, device: &mut dyn Device, file: DiskFile) -> io::Result<Option<FileId>> {
        if let Some(&id) = self.files.get(&file) {
            return Ok(Some(id));
        }
        if !self.path(file).try_exists()? {
            return Ok(None);
        }
        self.open_file(device, file).map(Some)
    }

    fn create(&mut self, device: &mut dyn Device, file: DiskFile) -> io::Result<FileId> {
        let id = self.open_file(device, file)?;
        folder::sync_parent(&self.path(file))?;
        Ok(id)
    }

    fn open_file(&mut self, device: &mut dyn Device, file: DiskFile) -> io::Result<FileId> {
        let opened = OpenFile::open(&self.path(file), OpenMode::DIRECT).map_err(|e| e.source)?;
        let id = self.attach(device, opened, false, matches!(file, DiskFile::Log(_)));
        self.files.insert(file, id);
        Ok(id)
    }

    fn open_folder_of(&mut self, device: &mut dyn Device, file: DiskFile) -> io::Result<FileId> {
        let path = self.path(file);
        let folder = path.parent().unwrap_or(&self.folder);
        let opened = OpenFile::open(folder, OpenMode::READ_ONLY).map_err(|e| e.source)?;
        // Closed as soon as its one sync has ended.
        Ok(self.attach(device, opened, true, false))
    }

    fn attach(&mut self, device: &mut dyn Device, file: OpenFile, removed: bool, log: bool) -> FileId {
        let id = device.attach(file);
        self.open.insert(id, Open { id, pending: 0, removed, log });
        id
    }

    fn remove(&mut self, device: &mut dyn Device, file: DiskFile) -> io::Result<()> {
        if let Some(id) = self.files.remove(&file) {
            self.retire(device, id);
        }
        match std::fs::remove_file(self.path(file)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        }
    }

    /// Closes a file now, or when its last operation ends.
    fn retire(&mut self, device: &mut dyn Device, id: FileId) {
        let Some(open) = self.open.get_mut(&id) else { return };
        open.removed = true;
        if open.pending == 0 {
            let id = open.id;
            self.open.remove(&id);
            device.detach(id);
        }
    }

    /// Closes all files; those with operations in flight when these end, so go on handing completions to it until
    /// [`pending`](Self::pending) is 0.
    pub fn close(&mut self, device: &mut dyn Device) {
        for id in std::mem::take(&mut self.files).into_values() {
            self.retire(device, id);
        }
    }
}

fn zeroes(file: FileId, offset: u64, len: u64, mut buf: AlignedBuf) -> Op {
    let piece = (len - offset).min(ZEROES_BYTES as u64);
    buf.resize(usize::try_from(piece).expect("invariant: at most a mebibyte"));
    Op::Write { file, offset, buf, durability: Durability::Later }
}

fn error_of(error: IoError) -> DiskError {
    match error.kind {
        IoErrorKind::Failed | IoErrorKind::Unsupported => DiskError::Failed,
        IoErrorKind::NoSpace => DiskError::NoSpace,
        IoErrorKind::Unreadable => DiskError::Unreadable,
    }
}

fn outcome(completion: Completion) -> Result<AlignedBuf, DiskError> {
    match completion.result {
        Ok(_) if completion.kind == OpKind::Read => Ok(completion.buf.unwrap_or_default()),
        Ok(_) => Ok(AlignedBuf::new()),
        // A hole that cannot be punched is only space not given back.
        Err(IoError { kind: IoErrorKind::Unsupported, op: OpKind::Punch, .. }) => Ok(AlignedBuf::new()),
        Err(error) => Err(error_of(error)),
    }
}

#[cfg(test)]
mod tests;
