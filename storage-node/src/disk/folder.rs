//! Names in a node folder, both ways.

use std::fs;
use std::io;
use std::path::Path;

use cache_nvme::file::sync_dir;
use protocol::geometry::{PgId, SegmentId};

use crate::event::DiskFile;

/// Makes the folders that files lie in.
pub(super) fn prepare(folder: &Path) -> io::Result<()> {
    let mut made = false;
    for name in ["log", "pages"] {
        let path = folder.join(name);
        if !path.is_dir() {
            fs::create_dir(&path)?;
            made = true;
        }
    }
    if made {
        sync_dir(folder).map_err(|e| e.source)?;
    }
    Ok(())
}

pub(super) fn sync_parent(file: &Path) -> io::Result<()> {
    sync_dir(file.parent().unwrap_or(Path::new("."))).map_err(|e| e.source)
}

/// The files of a node folder with their lengths in bytes; unknown names are left out.
///
/// # Errors
/// A folder cannot be read.
pub fn list_files(folder: &Path) -> io::Result<Vec<(DiskFile, u64)>> {
    let mut files = Vec::new();
    for (prefix, path) in
        [("", folder.to_path_buf()), ("log/", folder.join("log")), ("pages/", folder.join("pages"))]
    {
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let name = entry.file_name();
            let Some(file) = name.to_str().and_then(|name| parse_name(&format!("{prefix}{name}"))) else {
                continue;
            };
            let meta = entry.metadata()?;
            if meta.is_file() {
                files.push((file, meta.len()));
            }
        }
    }
    files.sort_unstable();
    Ok(files)
}

/// The inverse of `DiskFile`'s display: the file a path within the folder names.
#[must_use]
pub fn parse_name(path: &str) -> Option<DiskFile> {
    let file = if path == "superblock" {
        DiskFile::Super
    } else if let Some(number) = path.strip_prefix("log/") {
        DiskFile::Log(u64::from_str_radix(number, 16).ok()?)
    } else {
        let (segment, kind) = path.strip_prefix("pages/")?.rsplit_once('.')?;
        let (pg, position) = segment.split_once('.')?;
        let id = SegmentId { pg: PgId(pg.parse().ok()?), position: position.parse().ok()? };
        match kind {
            "pages" => DiskFile::Pages(id),
            _ => DiskFile::Index(id, kind.strip_prefix("index")?.parse().ok()?),
        }
    };
    // Only canonical names: one name, one file.
    (file.to_string() == path).then_some(file)
}
