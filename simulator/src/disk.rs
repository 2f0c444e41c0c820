//! A disk that remembers what was promised: sectors, and for each what a crash may bring back.
//!
//! ```text
//!   sector 7:  A --write--> B --write--> C         undo: [A, B]   a machine crash leaves A, B or C
//!              sync issued here ^  completes ^     undo: [B]      ... then only B or C
//! ```
//! A write in flight at a crash is torn: each of its sectors is there or not. A process crash keeps what completed, because the
//! kernel has it. Deletions and punched holes may come undone. Rot changes bytes without telling anybody.

use crate::rng::Rng;
use bytes::Bytes;
use cache_nvme::aligned::AlignedBuf;
use std::collections::{BTreeMap, VecDeque};
use storage_node::{DiskError, DiskFile, DiskOp, SECTOR_BYTES, Token};

/// Whether the machine dies, or only the process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Crash {
    /// What the kernel was given stays.
    Process,
    /// What was not synced stays by chance.
    Machine,
}

/// How a device betrays the write it is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lie {
    /// Not at all.
    No,
    /// It says that it wrote, and did not.
    Lost,
    /// It wrote to another place of the same file.
    Misdirected,
}

/// Log so far behind the end of its file is inside every claim: each segment has written since.
const OLD_SECTORS: u64 = 48;

#[derive(Clone, Debug, Default)]
struct SimFile {
    len: u64,
    /// Absent sectors are zero.
    sectors: BTreeMap<u64, Bytes>,
    /// Per sector, oldest first: what it held before each write that no sync covers, and the number of that write.
    undo: BTreeMap<u64, Vec<(u64, Option<Bytes>)>>,
}

#[derive(Debug)]
struct Flying {
    file: DiskFile,
    op: DiskOp,
    /// Number of the last completed write when it was issued.
    after: u64,
}

/// See the module.
#[derive(Debug, Default)]
pub struct SimDisk {
    files: BTreeMap<DiskFile, SimFile>,
    flying: BTreeMap<Token, Flying>,
    graveyard: Vec<(DiskFile, SimFile)>,
    /// Where the last few log writes went.
    recent: VecDeque<(DiskFile, u64)>,
    writes: u64,
    failed: bool,
}

impl SimDisk {
    /// Files and their lengths, as the node is told when it opens.
    #[must_use]
    pub fn list(&self) -> Vec<(DiskFile, u64)> {
        self.files.iter().map(|(name, file)| (*name, file.len)).collect()
    }

    /// Takes an operation; it happens at [`complete`](Self::complete).
    pub fn issue(&mut self, token: Token, file: DiskFile, op: DiskOp) {
        let before = self.flying.insert(token, Flying { file, op, after: self.writes });
        assert!(before.is_none(), "token {token:?} used twice");
    }

    /// The operation happens now, or fails, or is said to have happened.
    pub fn complete(
        &mut self,
        token: Token,
        fails: bool,
        lie: Lie,
        rng: &mut Rng,
    ) -> Result<AlignedBuf, DiskError> {
        let Flying { file, op, after } =
            self.flying.remove(&token).expect("invariant: only issued operations complete");
        let is_read = matches!(op, DiskOp::Read { .. });
        if self.failed && !is_read {
            return Err(DiskError::Failed);
        }
        if fails && !is_read {
            self.failed = true;
            self.tear(file, op, rng);
            return Err(DiskError::Failed);
        }
        match op {
            DiskOp::Read { offset, len } => return Ok(self.read(file, offset, len)),
            DiskOp::Write { .. } if lie == Lie::Lost => {}
            DiskOp::Write { offset, bytes, durable } => {
                let elsewhere = self.files.get(&file).map_or(0, |f| f.len) / SECTOR_BYTES as u64;
                let offset = match lie {
                    Lie::Misdirected => rng.range(0, elsewhere.max(1) - 1) * SECTOR_BYTES as u64,
                    _ => offset,
                };
                self.write(file, offset, &Bytes::copy_from_slice(&bytes), durable, |_| true);
            }
            DiskOp::Sync => {
                if let Some(file) = self.files.get_mut(&file) {
                    file.undo.retain(|_, undo| {
                        undo.retain(|(number, _)| *number > after);
                        !undo.is_empty()
                    });
                }
            }
            DiskOp::Allocate { len } => {
                self.files.insert(file, SimFile { len, ..SimFile::default() });
            }
            DiskOp::Punch { offset, len } => self.punch(file, offset, len),
            DiskOp::Delete => {
                if let Some(old) = self.files.remove(&file) {
                    self.graveyard.push((file, old));
                }
            }
        }
        Ok(AlignedBuf::zeroed(0))
    }

    fn read(&self, file: DiskFile, offset: u64, len: usize) -> AlignedBuf {
        let Some(file) = self.files.get(&file) else { return AlignedBuf::zeroed(0) };
        let end = (offset + len as u64).min(file.len);
        let mut out = AlignedBuf::zeroed(end.saturating_sub(offset) as usize);
        let sector = SECTOR_BYTES as u64;
        for (number, bytes) in file.sectors.range(offset / sector..end.div_ceil(sector)) {
            let at = (number * sector - offset) as usize;
            let take = bytes.len().min(out.len() - at);
            out[at..at + take].copy_from_slice(&bytes[..take]);
        }
        out
    }

    fn write(
        &mut self,
        file: DiskFile,
        offset: u64,
        bytes: &Bytes,
        durable: bool,
        mut keep: impl FnMut(u64) -> bool,
    ) {
        assert!(
            offset.is_multiple_of(SECTOR_BYTES as u64) && bytes.len().is_multiple_of(SECTOR_BYTES),
            "unaligned write of {} bytes at {offset} of {file}",
            bytes.len()
        );
        self.writes += 1;
        let number = self.writes;
        if matches!(file, DiskFile::Log(_)) {
            self.recent.push_back((file, offset / SECTOR_BYTES as u64));
            if self.recent.len() > 6 {
                self.recent.pop_front();
            }
        }
        let file = self.files.entry(file).or_default();
        for part in 0..bytes.len() / SECTOR_BYTES {
            let sector = offset / SECTOR_BYTES as u64 + part as u64;
            if !keep(sector) {
                continue;
            }
            let new = bytes.slice(part * SECTOR_BYTES..(part + 1) * SECTOR_BYTES);
            let old = file.sectors.insert(sector, new);
            file.len = file.len.max((sector + 1) * SECTOR_BYTES as u64);
            if durable {
                file.undo.remove(&sector);
            } else {
                file.undo.entry(sector).or_default().push((number, old));
            }
        }
    }

    fn punch(&mut self, file: DiskFile, offset: u64, len: u64) {
        self.writes += 1;
        let number = self.writes;
        let Some(file) = self.files.get_mut(&file) else { return };
        let sector = SECTOR_BYTES as u64;
        let range = offset.div_ceil(sector)..(offset + len) / sector;
        let gone: Vec<u64> = file.sectors.range(range).map(|(n, _)| *n).collect();
        for at in gone {
            let old = file.sectors.remove(&at);
            file.undo.entry(at).or_default().push((number, old));
        }
    }

    /// An operation that was under way when everything stopped.
    fn tear(&mut self, file: DiskFile, op: DiskOp, rng: &mut Rng) {
        match op {
            DiskOp::Write { offset, bytes, durable } => {
                let (all, none) = (rng.chance(2_000), rng.chance(2_000));
                let bytes = Bytes::copy_from_slice(&bytes);
                if !none {
                    self.write(file, offset, &bytes, durable, |_| all || rng.chance(5_000));
                }
            }
            DiskOp::Allocate { len } if rng.chance(5_000) => {
                let written = rng.range(0, len / SECTOR_BYTES as u64) * SECTOR_BYTES as u64;
                self.files.insert(file, SimFile { len: written, ..SimFile::default() });
            }
            DiskOp::Punch { offset, len } if rng.chance(5_000) => self.punch(file, offset, len),
            DiskOp::Delete if rng.chance(5_000) => {
                self.files.remove(&file);
            }
            _ => {}
        }
    }

    /// The process, or the machine, stops now.
    pub fn crash(&mut self, crash: Crash, rng: &mut Rng) {
        for flying in std::mem::take(&mut self.flying).into_values() {
            self.tear(flying.file, flying.op, rng);
        }
        self.failed = false;
        if crash == Crash::Process {
            return;
        }
        for (name, file) in std::mem::take(&mut self.graveyard) {
            if rng.chance(3_000) {
                self.files.entry(name).or_insert(file);
            }
        }
        for file in self.files.values_mut() {
            for (sector, undo) in std::mem::take(&mut file.undo) {
                let kept = rng.index(undo.len() + 1);
                match undo.get(kept) {
                    None => {}
                    Some((_, Some(old))) => {
                        file.sectors.insert(sector, old.clone());
                    }
                    Some((_, None)) => {
                        file.sectors.remove(&sector);
                    }
                }
            }
        }
    }

    /// A log write is under way: a crash now tears it.
    #[must_use]
    pub fn writes_log(&self) -> bool {
        let log_write = |f: &Flying| matches!((f.file, &f.op), (DiskFile::Log(_), DiskOp::Write { .. }));
        self.flying.values().any(log_write)
    }

    /// Everything is gone: the folder was deleted.
    pub fn wipe(&mut self) {
        *self = SimDisk::default();
    }

    /// Flips one byte of a random sector of a file that `pick` accepts. Returns what was hit.
    pub fn rot(&mut self, rng: &mut Rng, pick: impl Fn(&DiskFile) -> bool) -> Option<(DiskFile, u64)> {
        let names: Vec<DiskFile> =
            self.files.iter().filter(|(n, f)| pick(n) && !f.sectors.is_empty()).map(|(n, _)| *n).collect();
        if names.is_empty() {
            return None;
        }
        let name = names[rng.index(names.len())];
        let file = self.files.get_mut(&name)?;
        let sector = *file.sectors.keys().nth(rng.index(file.sectors.len()))?;
        let mut bytes = file.sectors[&sector].to_vec();
        let used = bytes.iter().rposition(|b| *b != 0).map_or(1, |last| last + 1);
        let at = rng.index(used);
        bytes[at] ^= 1 << rng.index(8);
        file.sectors.insert(sector, Bytes::from(bytes));
        Some((name, sector))
    }

    /// Flips one byte of log far behind its end: later blocks and the superblock claim what was there (R5).
    pub fn rot_old_log(&mut self, rng: &mut Rng) {
        let newest =
            |file: &SimFile| file.sectors.iter().rfind(|(_, b)| b.iter().any(|b| *b != 0)).map(|(n, _)| *n);
        let logs: Vec<(DiskFile, u64)> = self
            .files
            .iter()
            .filter(|(name, _)| matches!(name, DiskFile::Log(_)))
            .filter_map(|(name, file)| Some((*name, newest(file)?.checked_sub(OLD_SECTORS)?)))
            .collect();
        if logs.is_empty() {
            return;
        }
        let (name, last) = logs[rng.index(logs.len())];
        let Some(file) = self.files.get_mut(&name) else { return };
        let old: Vec<u64> = file.sectors.range(..=last).map(|(n, _)| *n).collect();
        if old.is_empty() {
            return;
        }
        let sector = old[rng.index(old.len())];
        let mut bytes = file.sectors[&sector].to_vec();
        let used = bytes.iter().rposition(|b| *b != 0).map_or(1, |last| last + 1);
        bytes[rng.index(used)] ^= 1 << rng.index(8);
        file.sectors.insert(sector, Bytes::from(bytes));
    }

    /// A copy of the folder, as `cp -r` of a stopped node makes it.
    #[must_use]
    pub fn copy(&self) -> SimDisk {
        let files = self.files.iter().map(|(name, file)| {
            let (len, sectors) = (file.len, file.sectors.clone());
            (*name, SimFile { len, sectors, undo: BTreeMap::new() })
        });
        SimDisk { files: files.collect(), ..SimDisk::default() }
    }

    /// Flips one byte of a log block written a moment ago. False when there is none.
    pub fn rot_recent(&mut self, rng: &mut Rng) -> bool {
        let Some((name, sector)) = self.recent.get(rng.index(self.recent.len().max(1))).copied() else {
            return false;
        };
        let Some(bytes) = self.files.get_mut(&name).and_then(|f| f.sectors.get_mut(&sector)) else {
            return false;
        };
        let mut rotten = bytes.to_vec();
        rotten[200] ^= 0x10;
        *bytes = Bytes::from(rotten);
        true
    }

    /// Bytes in all files, holes not counted.
    #[must_use]
    pub fn used_bytes(&self) -> u64 {
        self.files.values().map(|f| f.sectors.len() as u64 * SECTOR_BYTES as u64).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(disk: &mut SimDisk, token: u64, byte: u8, durable: bool) {
        let bytes = AlignedBuf::padded(&[byte; SECTOR_BYTES]);
        disk.issue(Token(token), DiskFile::Super, DiskOp::Write { offset: 0, bytes, durable });
        disk.complete(Token(token), false, Lie::No, &mut Rng::new(1))
            .expect("invariant: this disk does not fail");
    }

    fn first(disk: &SimDisk) -> u8 {
        disk.read(DiskFile::Super, 0, SECTOR_BYTES)[0]
    }

    #[test]
    fn what_was_not_synced_is_kept_by_chance_and_what_was_synced_always() {
        let (mut kept, mut lost) = (0, 0);
        for seed in 0..64 {
            let mut disk = SimDisk::default();
            write(&mut disk, 1, 1, false);
            disk.issue(Token(2), DiskFile::Super, DiskOp::Sync);
            write(&mut disk, 3, 2, false);
            disk.complete(Token(2), false, Lie::No, &mut Rng::new(1))
                .expect("invariant: this disk does not fail");
            disk.crash(Crash::Machine, &mut Rng::new(seed));
            match first(&disk) {
                1 => lost += 1,
                2 => kept += 1,
                other => panic!("a synced sector fell back to {other}"),
            }
        }
        assert!(kept > 0 && lost > 0, "{kept} kept, {lost} lost");
    }

    #[test]
    fn a_process_crash_keeps_what_completed() {
        let mut disk = SimDisk::default();
        write(&mut disk, 1, 1, false);
        disk.crash(Crash::Process, &mut Rng::new(7));
        assert_eq!(first(&disk), 1);
    }

    #[test]
    fn a_write_in_flight_is_torn_by_sectors() {
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..64 {
            let mut disk = SimDisk::default();
            let bytes = AlignedBuf::padded(&[9; 2 * SECTOR_BYTES]);
            disk.issue(Token(1), DiskFile::Super, DiskOp::Write { offset: 0, bytes, durable: true });
            disk.crash(Crash::Machine, &mut Rng::new(seed));
            let image = disk.read(DiskFile::Super, 0, 2 * SECTOR_BYTES);
            seen.insert((image.first().copied(), image.get(SECTOR_BYTES).copied()));
        }
        assert!(seen.len() >= 4, "only {seen:?}");
    }
}
