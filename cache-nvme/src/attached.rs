//! The table of files attached to a device: dense ids, and how many operations each has pending.

use crate::device::FileId;
use crate::file::OpenFile;

#[derive(Debug)]
struct Entry {
    file: OpenFile,
    pending: u32,
}

/// Files by id; freed ids are used again.
#[derive(Debug, Default)]
pub(crate) struct Attached {
    entries: Vec<Option<Entry>>,
    free: Vec<u32>,
}

impl Attached {
    pub(crate) fn attach(&mut self, file: OpenFile) -> FileId {
        let entry = Some(Entry { file, pending: 0 });
        if let Some(id) = self.free.pop() {
            self.entries[id as usize] = entry;
            return FileId(id);
        }
        let id = u32::try_from(self.entries.len()).expect("invariant: fewer than 2^32 open files");
        self.entries.push(entry);
        FileId(id)
    }

    pub(crate) fn detach(&mut self, id: FileId) {
        let entry = self.entries[id.0 as usize].take().expect("invariant: a file is detached once");
        assert_eq!(entry.pending, 0, "{} is detached with operations pending", entry.file.path().display());
        self.free.push(id.0);
    }

    pub(crate) fn get(&self, id: FileId) -> &OpenFile {
        &self.entry(id).file
    }

    fn entry(&self, id: FileId) -> &Entry {
        let entry = self.entries.get(id.0 as usize).and_then(Option::as_ref);
        entry.expect("invariant: operations name attached files")
    }

    fn entry_mut(&mut self, id: FileId) -> &mut Entry {
        let entry = self.entries.get_mut(id.0 as usize).and_then(Option::as_mut);
        entry.expect("invariant: operations name attached files")
    }

    pub(crate) fn begin(&mut self, id: FileId) {
        self.entry_mut(id).pending += 1;
    }

    pub(crate) fn end(&mut self, id: FileId) {
        let entry = self.entry_mut(id);
        assert!(entry.pending > 0, "{} completed more operations than it began", entry.file.path().display());
        entry.pending -= 1;
    }
}
