//! The node folder: locked before anything in it is read, blank until it is adopted, then of one volume for good.
//!
//! ```text
//!   DIR/lock         the holder's pid
//!   DIR/node.id      whose it is; absent: blank                        (docs/formats/node-identity.md)
//!   DIR/peers        where the other five were last, one "position address" a line: a hint, rewritten at will
//!   DIR/superblock, log/, pages/     the node's own
//! ```
//! Invariant: a folder without `node.id` but with other files is refused, and nothing of it is touched.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use cache_nvme::file::{FolderLock, LOCK_FILE, LockError, write_atomically};
use protocol::geometry::az_of;
use protocol::{NodeId, VolumeId};
use protocol_grpc::hello::PeerAddress;
use storage_node::identity::{Identity, IdentityError};

const NODE_FILE: &str = "node.id";
const PEERS_FILE: &str = "peers";

/// Why a folder cannot be served. Each displays as the one line the operator sees.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FolderError {
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error("{}: cannot {what}: {source}", path.display())]
    Io { path: PathBuf, what: &'static str, source: io::Error },
    #[error("{}: {source}", path.display())]
    Identity { path: PathBuf, source: IdentityError },
    #[error("{} holds files but no {NODE_FILE}; it is not a Sextant node folder", path.display())]
    Foreign { path: PathBuf },
    #[error("{} belongs to az{found}, not to az{wanted} (--az)", path.display())]
    OtherAz { path: PathBuf, found: u8, wanted: u8 },
}

fn io_error(path: &Path, what: &'static str) -> impl FnOnce(io::Error) -> FolderError {
    let path = path.to_path_buf();
    move |source| FolderError::Io { path, what, source }
}

/// A folder held by this process.
#[derive(Debug)]
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
    pub(crate) identity: Option<Identity>,
    _lock: FolderLock,
}

impl Folder {
    /// Makes the folder if need be, locks it, and reads whose it is.
    pub(crate) fn claim(path: &Path, az: Option<u8>) -> Result<Folder, FolderError> {
        fs::create_dir_all(path).map_err(io_error(path, "create the folder"))?;
        let lock = FolderLock::acquire(path)?;
        let identity = read_identity(path)?;
        if identity.is_none() && !is_bare(path)? {
            return Err(FolderError::Foreign { path: path.to_path_buf() });
        }
        if let (Some(identity), Some(wanted)) = (&identity, az)
            && identity.az != wanted
        {
            return Err(FolderError::OtherAz { path: path.to_path_buf(), found: identity.az, wanted });
        }
        Ok(Folder { path: path.to_path_buf(), identity, _lock: lock })
    }

    /// Becomes a member, durably.
    pub(crate) fn adopt(
        &mut self,
        volume: VolumeId,
        node: NodeId,
        position: u8,
    ) -> Result<Identity, FolderError> {
        assert!(self.identity.is_none(), "a folder is adopted once");
        let identity = Identity { volume, node, az: az_of(position).0, member: position };
        let path = self.path.join(NODE_FILE);
        write_atomically(&path, identity.encode().as_bytes()).map_err(|e| FolderError::Io {
            path: e.path,
            what: e.what,
            source: e.source,
        })?;
        self.identity = Some(identity.clone());
        Ok(identity)
    }
}

fn read_identity(folder: &Path) -> Result<Option<Identity>, FolderError> {
    let path = folder.join(NODE_FILE);
    match fs::read(&path) {
        Ok(text) => {
            Identity::decode(&text).map(Some).map_err(|source| FolderError::Identity { path, source })
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(io_error(&path, "read")(e)),
    }
}

/// Is it still there, with this identity? A folder deleted while open is served from descriptors only.
pub(crate) fn is_there(folder: &Path, identity: &Identity) -> bool {
    matches!(read_identity(folder), Ok(Some(found)) if found == *identity)
}

/// Nothing in it but a lock, or a first file that never got its name.
fn is_bare(folder: &Path) -> Result<bool, FolderError> {
    let half_written = format!("{NODE_FILE}.new");
    for entry in fs::read_dir(folder).map_err(io_error(folder, "list"))? {
        let name = entry.map_err(io_error(folder, "list"))?.file_name();
        if name != LOCK_FILE && name != half_written.as_str() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The addresses last told; what cannot be read is no hint.
pub(crate) fn read_peers(folder: &Path) -> Vec<PeerAddress> {
    let text = fs::read_to_string(folder.join(PEERS_FILE)).unwrap_or_default();
    let line = |line: &str| {
        let (position, address) = line.split_once(' ')?;
        Some(PeerAddress { position: position.parse().ok()?, address: address.to_string() })
    };
    text.lines().filter_map(line).collect()
}

/// Remembers them for a start without a compute node. Only a hint: a failure costs gossip until somebody calls.
pub(crate) fn write_peers(folder: &Path, peers: &[PeerAddress]) -> io::Result<()> {
    let text: String = peers.iter().map(|p| format!("{} {}\n", p.position, p.address)).collect();
    let (new, path) = (folder.join("peers.new"), folder.join(PEERS_FILE));
    fs::write(&new, text)?;
    fs::rename(new, path)
}

#[cfg(test)]
#[path = "folder_tests.rs"]
mod tests;
