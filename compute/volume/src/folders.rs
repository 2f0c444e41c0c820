//! The folders of an embedded volume: where they are, whose they are, and who holds them.
//!
//! ```text
//!   DATA/compute/{lock, volume.id}                       the writer's own place
//!   DATA/az{1,2,3}/n{1,2}/{lock, node.id}                identity of each storage node; written here
//!                        {superblock, log/, pages/}      the storage node's own files
//! ```
//!
//! Invariants
//! 1. Every folder is locked before anything in it is read for use, `compute` first; locks last as long as the value.
//! 2. `node.id` is the first durable file of a node folder. A folder without one, but with other files, is refused:
//!    nothing of it is touched.
//! 3. `volume.id` is written last at a creation (until then it is called `volume.new`). So a creation that was cut
//!    short is told apart from a volume whose folders were deleted: the former is wiped and begun again, the latter never.
//! 4. A node folder that is missing gets a new node id: it is a newcomer (R5, R12), not the old one come back empty.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use cache_nvme::file::{FolderLock, LOCK_FILE, LockError, sync_dir, write_atomically};
use protocol::geometry::{COPIES, WRITE_QUORUM, az_of};
use protocol::{NodeId, VolumeId};

use crate::identity::{Identity, IdentityError};

/// File of a node folder that says whose it is.
pub const NODE_FILE: &str = "node.id";
/// File of the compute folder that names the volume.
pub const VOLUME_FILE: &str = "volume.id";
/// The same while the volume is being created.
pub const CREATING_FILE: &str = "volume.new";

/// Why the folders cannot be used. Each displays as the one line the user sees.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Another process holds a folder.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A folder or file cannot be made, read or written.
    #[error("{}: cannot {what}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// A file that says whose a folder is does not read as one.
    #[error("{}: {source}", path.display())]
    Identity {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: IdentityError,
    },
    /// A folder with files in it that is no node folder.
    #[error("{} holds files but no {NODE_FILE}; it is not a Sextant node folder", path.display())]
    Foreign {
        /// The folder.
        path: PathBuf,
    },
    /// A folder of another volume, or of another place in this one.
    #[error("{} belongs to volume {found} (az{az}, member {member}), not here", path.display())]
    Misplaced {
        /// The folder.
        path: PathBuf,
        /// The volume it names.
        found: VolumeId,
        /// The availability zone it names.
        az: u8,
        /// The position it names.
        member: u8,
    },
    /// There is no volume and none may be made.
    #[error("{} holds no volume", path.display())]
    NoVolume {
        /// The data folder.
        path: PathBuf,
    },
    /// More folders are gone than the volume can lose.
    #[error("{} of {COPIES} node folders are missing, the volume survives the loss of {}: {}",
        missing.len(), COPIES - WRITE_QUORUM, list(missing))]
    TooManyMissing {
        /// The missing ones.
        missing: Vec<PathBuf>,
    },
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", ")
}

fn io_error(path: &Path, what: &'static str) -> impl FnOnce(io::Error) -> FolderError {
    let path = path.to_path_buf();
    move |source| FolderError::Io { path, what, source }
}

/// One node folder, held.
#[derive(Debug)]
pub struct NodeFolder {
    /// Where it is.
    pub path: PathBuf,
    /// Whose it is.
    pub identity: Identity,
    /// Made by this opening, empty: the first of a new volume, or a newcomer in place of a lost one.
    pub fresh: bool,
    _lock: FolderLock,
}

impl NodeFolder {
    /// Is it still there, with this identity? A folder deleted while open is served from descriptors only.
    #[must_use]
    pub fn is_there(&self) -> bool {
        matches!(read_identity(&self.path.join(NODE_FILE)), Ok(Some(identity)) if identity == self.identity)
    }
}

/// A fresh folder in place of one that was deleted while it was held, with a new node id (invariant 4). `None` while
/// anything of the old one is left: somebody may still be deleting it.
///
/// # Errors
/// [`FolderError`].
pub fn renew(
    data: &Path,
    volume: VolumeId,
    position: u8,
    random: &mut dyn FnMut() -> u128,
) -> Result<Option<NodeFolder>, FolderError> {
    let path = node_path(data, position);
    if path.exists() && !is_bare(&path)? {
        return Ok(None);
    }
    make_folder(&path)?;
    let lock = FolderLock::acquire(&path)?;
    let identity = Identity { volume, node: NodeId(random()), az: az_of(position).0, member: position };
    write_identity(&path.join(NODE_FILE), &identity)?;
    Ok(Some(NodeFolder { path, identity, fresh: true, _lock: lock }))
}

/// All folders of a volume, held by this process.
#[derive(Debug)]
pub struct Folders {
    /// The volume.
    pub volume: VolumeId,
    /// By position in the protection group; taken by the storage thread.
    pub nodes: Vec<NodeFolder>,
    /// A new volume, to be completed by [`Folders::created`].
    pub creating: bool,
    compute: PathBuf,
    _lock: FolderLock,
}

/// The folder of a position.
#[must_use]
pub fn node_path(data: &Path, position: u8) -> PathBuf {
    data.join(format!("az{}", az_of(position).0)).join(format!("n{}", position % 2 + 1))
}

/// The writer's folder.
#[must_use]
pub fn compute_path(data: &Path) -> PathBuf {
    data.join("compute")
}

impl Folders {
    /// Locks and reads the folders under `data`; makes a new volume if there is none and `create` allows it, and fresh
    /// folders for up to two missing ones. `random` draws identities.
    ///
    /// # Errors
    /// [`FolderError`]; nothing of an existing volume was changed.
    pub fn claim(data: &Path, create: bool, random: &mut dyn FnMut() -> u128) -> Result<Self, FolderError> {
        let compute = compute_path(data);
        let any = (0..COPIES as u8).any(|p| node_path(data, p).exists()) || compute.exists();
        if !any && !create {
            return Err(FolderError::NoVolume { path: data.to_path_buf() });
        }
        make_folder(&compute)?;
        let lock = FolderLock::acquire(&compute)?;
        let creating = read_identity(&compute.join(CREATING_FILE))?;
        let known = read_identity(&compute.join(VOLUME_FILE))?;
        if let (Some(unfinished), None) = (&creating, &known) {
            wipe_unfinished(data, unfinished.volume)?;
            remove(&compute.join(CREATING_FILE))?;
        }
        let found = survey(data)?;
        let volume =
            known.as_ref().map(|k| k.volume).or_else(|| found.iter().flatten().next().map(|i| i.volume));
        check_places(data, volume, &found)?;
        let Some(volume) = volume else {
            if !create {
                return Err(FolderError::NoVolume { path: data.to_path_buf() });
            }
            return Self::make(data, compute, lock, random);
        };
        let missing: Vec<PathBuf> =
            (0..COPIES as u8).filter(|&p| found[p as usize].is_none()).map(|p| node_path(data, p)).collect();
        if missing.len() > COPIES - WRITE_QUORUM && !protocol::mutant!(EmptyFolderVotes) {
            return Err(FolderError::TooManyMissing { missing });
        }
        let nodes = hold_all(data, volume, found, random)?;
        if known.is_none() {
            write_identity(&compute.join(VOLUME_FILE), &Identity::of_volume(volume))?;
        }
        Ok(Self { volume, nodes, creating: false, compute, _lock: lock })
    }

    fn make(
        data: &Path,
        compute: PathBuf,
        lock: FolderLock,
        random: &mut dyn FnMut() -> u128,
    ) -> Result<Self, FolderError> {
        let volume = VolumeId(random());
        write_identity(&compute.join(CREATING_FILE), &Identity::of_volume(volume))?;
        let nodes = hold_all(data, volume, vec![None; COPIES], random)?;
        Ok(Self { volume, nodes, creating: true, compute, _lock: lock })
    }

    /// The new volume has its head at quorum: from now on it exists (invariant 3).
    ///
    /// # Errors
    /// The name cannot be made durable; the next start creates anew.
    pub fn created(&mut self) -> Result<(), FolderError> {
        let (from, to) = (self.compute.join(CREATING_FILE), self.compute.join(VOLUME_FILE));
        fs::rename(&from, &to).map_err(io_error(&to, "rename"))?;
        sync(&self.compute)?;
        self.creating = false;
        Ok(())
    }
}

fn make_folder(path: &Path) -> Result<(), FolderError> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = path.parent().unwrap_or(Path::new("."));
    if parent != Path::new("") && !parent.exists() {
        make_folder(parent)?;
    }
    fs::create_dir(path).map_err(io_error(path, "create the folder"))?;
    if parent == Path::new("") { Ok(()) } else { sync(parent) }
}

fn sync(folder: &Path) -> Result<(), FolderError> {
    sync_dir(folder).map_err(|e| FolderError::Io { path: e.path, what: e.what, source: e.source })
}

fn remove(file: &Path) -> Result<(), FolderError> {
    fs::remove_file(file).map_err(io_error(file, "remove"))
}

fn read_identity(path: &Path) -> Result<Option<Identity>, FolderError> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(io_error(path, "read")(e)),
    };
    let parsed = Identity::decode(&text);
    parsed.map(Some).map_err(|source| FolderError::Identity { path: path.to_path_buf(), source })
}

fn write_identity(path: &Path, identity: &Identity) -> Result<(), FolderError> {
    write_atomically(path, identity.encode().as_bytes()).map_err(|e| FolderError::Io {
        path: e.path,
        what: e.what,
        source: e.source,
    })
}

/// The identity in each node folder; `None` where the folder is missing or bare.
fn survey(data: &Path) -> Result<Vec<Option<Identity>>, FolderError> {
    let mut found = Vec::with_capacity(COPIES);
    for position in 0..COPIES as u8 {
        let path = node_path(data, position);
        let identity = read_identity(&path.join(NODE_FILE))?;
        if identity.is_none() && path.is_dir() && !is_bare(&path)? {
            return Err(FolderError::Foreign { path });
        }
        found.push(identity);
    }
    Ok(found)
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

fn check_places(
    data: &Path,
    volume: Option<VolumeId>,
    found: &[Option<Identity>],
) -> Result<(), FolderError> {
    for (position, identity) in found.iter().enumerate() {
        let Some(identity) = identity else { continue };
        let position = position as u8;
        let here = identity.member == position && identity.az == az_of(position).0;
        if !here || Some(identity.volume) != volume {
            return Err(FolderError::Misplaced {
                path: node_path(data, position),
                found: identity.volume,
                az: identity.az,
                member: identity.member,
            });
        }
    }
    Ok(())
}

fn hold_all(
    data: &Path,
    volume: VolumeId,
    found: Vec<Option<Identity>>,
    random: &mut dyn FnMut() -> u128,
) -> Result<Vec<NodeFolder>, FolderError> {
    let mut nodes = Vec::with_capacity(COPIES);
    // All locks first: a folder held by another process must not leave the others changed.
    for (position, identity) in found.into_iter().enumerate() {
        let path = node_path(data, position as u8);
        make_folder(&path)?;
        let lock = FolderLock::acquire(&path)?;
        let fresh = identity.is_none();
        let identity = identity.unwrap_or_else(|| Identity {
            volume,
            node: NodeId(random()),
            az: az_of(position as u8).0,
            member: position as u8,
        });
        nodes.push(NodeFolder { path, identity, fresh, _lock: lock });
    }
    for node in nodes.iter().filter(|n| n.fresh) {
        write_identity(&node.path.join(NODE_FILE), &node.identity)?;
    }
    Ok(nodes)
}

/// Removes what a creation that never finished has left: only folders that name its volume.
fn wipe_unfinished(data: &Path, volume: VolumeId) -> Result<(), FolderError> {
    for position in 0..COPIES as u8 {
        let path = node_path(data, position);
        let Some(identity) = read_identity(&path.join(NODE_FILE))? else { continue };
        if identity.volume == volume {
            let _lock = FolderLock::acquire(&path)?;
            fs::remove_dir_all(&path).map_err(io_error(&path, "remove the unfinished folder"))?;
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "folders_tests.rs"]
mod tests;
