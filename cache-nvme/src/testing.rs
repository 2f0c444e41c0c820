//! Folders for this crate's tests.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A folder that goes away with its owner. Under the target folder, which lies on a disk (the system's temporary
/// folder is often a tmpfs, where direct I/O means nothing).
pub(crate) struct TempDir(PathBuf);

impl TempDir {
    pub(crate) fn new(what: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let root = std::env::current_exe().expect("own path");
        let root = root.parent().expect("a folder").join("scratch");
        let path = root.join(format!("cache-nvme-{what}-{}-{n}", std::process::id()));
        std::fs::create_dir_all(&path).expect("create a scratch folder");
        Self(path)
    }

    /// A folder in memory, where there is one: RWF_DSYNC and O_DIRECT meet another file system there.
    pub(crate) fn in_memory(what: &str) -> Option<Self> {
        let path = Path::new("/dev/shm").join(format!("cache-nvme-{what}-{}", std::process::id()));
        std::fs::create_dir_all(&path).ok()?;
        Some(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
