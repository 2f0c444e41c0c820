//! Files of this machine for LOAD DATA INFILE and SELECT ... INTO OUTFILE, as far as secure_file_priv allows.
//!
//! A name counts by where it leads: links and `..` out of the folder are refused. A file that is there is never written over.

use sql::api::{FileRefused, ReadFile, WriteFile};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

/// Bytes read at a time.
const CHUNK: usize = 1 << 18;

/// Is `path` (of a file that is there, or of a folder) inside of what is allowed?
fn allowed(secure: &str, path: &Path) -> Result<(), FileRefused> {
    match secure {
        "NULL" => Err(FileRefused::NotAllowed),
        "" => Ok(()),
        folder => {
            let inside = |path: PathBuf| Some(path.starts_with(Path::new(folder).canonicalize().ok()?));
            let real = path.canonicalize().ok();
            if real.and_then(inside) == Some(true) { Ok(()) } else { Err(FileRefused::NotAllowed) }
        }
    }
}

/// Opens a file to read.
pub(crate) fn open(secure: &str, name: &str) -> Result<ReadFile, FileRefused> {
    if secure == "NULL" {
        return Err(FileRefused::NotAllowed);
    }
    let mut file = File::open(name).map_err(|problem| FileRefused::Missing(problem.to_string()))?;
    allowed(secure, Path::new(name))?;
    if file.metadata().is_ok_and(|data| !data.is_file()) {
        return Err(FileRefused::Missing("not a file".to_owned()));
    }
    Ok(Box::new(move || {
        tokio::task::block_in_place(|| {
            let mut chunk = vec![0; CHUNK];
            let read = file.read(&mut chunk).map_err(|problem| problem.to_string())?;
            chunk.truncate(read);
            Ok((read > 0).then_some(chunk))
        })
    }))
}

/// Makes a file.
pub(crate) fn create(secure: &str, name: &str) -> Result<WriteFile, FileRefused> {
    let path = Path::new(name);
    allowed(secure, path.parent().unwrap_or(Path::new("")))?;
    let mut file = match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(file) => file,
        Err(problem) if problem.kind() == ErrorKind::AlreadyExists => return Err(FileRefused::Exists),
        Err(problem) => return Err(FileRefused::Failed(problem.to_string())),
    };
    Ok(Box::new(move |bytes| {
        let written = match bytes {
            Some(bytes) => tokio::task::block_in_place(|| file.write_all(bytes)),
            None => tokio::task::block_in_place(|| file.sync_all()),
        };
        written.map_err(|problem| problem.to_string())
    }))
}
