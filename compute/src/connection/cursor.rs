//! Read-only cursors: the rows of a COM_STMT_EXECUTE that asked for one, kept until COM_STMT_FETCH takes them.
//!
//! ```text
//!   execute:  row -> tail (encoded packets) --over 1 MiB--> file, unlinked, in compute/
//!   fetch:    file -> front -> packets with fresh numbers                       then the tail
//! ```
//! As in MySQL the whole result is made at the execute, so that a cursor holds no locks and sees one state. Invariants: (1) rows leave in
//! the order they came, each once; (2) memory is at most two pieces of [`PIECE`] and one row; (3) the file is gone with the cursor, also after
//! kill -9: it has no name.

use bytes::{Buf, BytesMut};
use mysql_wire::frame::{HEADER, MAX_CHUNK};
use mysql_wire::{Capabilities, Format, Responder, RowWriter};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Rows are written to the file, and read from it, by this many bytes.
const PIECE: usize = 1 << 20;

/// The rows of one statement.
#[derive(Debug)]
pub(crate) struct Cursor {
    folder: PathBuf,
    /// Rows that were made last.
    tail: BytesMut,
    file: Option<File>,
    written: u64,
    read: u64,
    /// Rows on their way out.
    front: BytesMut,
    /// The file could not be written: the rows are not whole.
    pub(crate) failed: Option<io::Error>,
}

impl Cursor {
    /// A cursor without rows; its file, if it needs one, is made in `folder`.
    pub(crate) fn new(folder: &Path) -> Cursor {
        Cursor {
            folder: folder.to_path_buf(),
            tail: BytesMut::new(),
            file: None,
            written: 0,
            read: 0,
            front: BytesMut::new(),
            failed: None,
        }
    }

    /// Adds a row that `write` fills; true when the rows in memory should go to the file ([`Cursor::spill`]).
    pub(crate) fn push(
        &mut self,
        capabilities: Capabilities,
        columns: usize,
        write: impl FnOnce(&mut RowWriter<'_, '_>),
    ) -> bool {
        let mut out = Responder::new(&mut self.tail, 0, capabilities);
        let mut row = out.row(Format::Binary, columns);
        write(&mut row);
        row.finish();
        self.tail.len() >= PIECE
    }

    /// Writes what is in memory to the file. Blocks.
    pub(crate) fn spill(&mut self) {
        if self.failed.is_none()
            && let Err(problem) = self.try_spill()
        {
            self.failed = Some(problem);
        }
        self.tail.clear();
    }

    fn try_spill(&mut self) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(nameless(&self.folder)?),
        };
        file.write_all_at(&self.tail, self.written)?;
        self.written += self.tail.len() as u64;
        Ok(())
    }

    /// Moves the next row to `out`; false when there is none left. Blocks where the file is read.
    ///
    /// # Errors
    /// The file's.
    pub(crate) fn pop(&mut self, out: &mut Responder<'_>) -> io::Result<bool> {
        loop {
            if let Some(length) = first_row(&self.front) {
                out.renumbered(&self.front[..length]);
                self.front.advance(length);
                return Ok(true);
            }
            let left = self.written - self.read;
            if let Some(file) = self.file.as_ref().filter(|_| left > 0) {
                let start = self.front.len();
                let piece = left.min(PIECE as u64) as usize;
                self.front.resize(start + piece, 0);
                file.read_exact_at(&mut self.front[start..], self.read)?;
                self.read += piece as u64;
            } else if self.tail.is_empty() {
                return Ok(false);
            } else {
                self.front.unsplit(std::mem::take(&mut self.tail));
            }
        }
    }
}

/// Length of the packets of the first row in `bytes`, if they are all there.
fn first_row(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let header = bytes.get(at..at + HEADER)?;
        let length = u32::from_le_bytes([header[0], header[1], header[2], 0]) as usize;
        at += HEADER + length;
        if at > bytes.len() {
            return None;
        }
        if length < MAX_CHUNK {
            return Some(at);
        }
    }
}

fn nameless(folder: &Path) -> io::Result<File> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let name = format!("cursor-{}-{}.tmp", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let path = folder.join(name);
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_leave_as_they_came_from_memory_and_file() {
        let folder = std::env::temp_dir().join(format!("sextant-cursor-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let caps = Capabilities::OFFERED;
        let mut cursor = Cursor::new(&folder);
        let value = |i: usize| vec![i as u8; if i == 7 { MAX_CHUNK + 5 } else { i * 991 % 70_000 }];
        for i in 0..200 {
            if cursor.push(caps, 1, |row| row.bytes(&value(i))) {
                cursor.spill();
            }
        }
        assert!(cursor.failed.is_none() && cursor.written > 20 << 20 && !cursor.tail.is_empty());
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "the file has no name");
        for i in 0..200 {
            let (mut got, mut wanted) = (BytesMut::new(), BytesMut::new());
            assert!(cursor.pop(&mut Responder::new(&mut got, 9, caps)).unwrap());
            let mut out = Responder::new(&mut wanted, 9, caps);
            let mut row = out.row(Format::Binary, 1);
            row.bytes(&value(i));
            row.finish();
            assert!(got == wanted, "row {i}");
        }
        assert!(!cursor.pop(&mut Responder::new(&mut BytesMut::new(), 0, caps)).unwrap());
        std::fs::remove_dir_all(folder).unwrap();
    }
}
