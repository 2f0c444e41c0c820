//! Reading the six node folders at the start: each by a thread of its own, over a device queue of its own.
//!
//! ```text
//!   folder 0 ─ queue ─ thread ─► node 0 reads superblock, journals, log ─┐
//!   folder 1 ─ queue ─ thread ─► node 1 ...                              ├─► the storage thread takes over, one queue for all
//!   ...                                                                  ┘
//! ```
//!
//! A node that starts reads its whole log and checks every record of it: work of the processor as much as of the disk. One
//! after the other on the storage thread that is six times as long, and on a busy machine it gets one thread's share of it.
//! While a node is starting it sends nothing and answers nothing, so nobody has to see its steps in the order of the others'.
//!
//! Invariants
//! 1. A node is pumped only after it was handed over: nothing it may write or acknowledge is begun here, but for the first
//!    superblock of an empty folder.
//! 2. Nothing is in flight on the device queue of the start when it ends: the files are opened again on the common one.

use std::io;
use std::path::{Path, PathBuf};

use cache_nvme::device::{self, IoChoice, Wait};
use protocol::env::Env;
use storage_node::disk::{Disk, list_files};
use storage_node::{Action, Event, Node, Phase};

/// The adapter of a start is alone on its device.
const TAG: u32 = 1;

/// Lets every node read its folder; returns when the last one serves or has failed.
///
/// # Errors
/// A device queue or a folder cannot be used at all. What a node finds wrong in its folder is its own matter: it fails.
pub(crate) fn read_folders<'a>(
    env: &dyn Env,
    io: IoChoice,
    nodes: impl Iterator<Item = (&'a mut Node, PathBuf)>,
) -> io::Result<()> {
    std::thread::scope(|scope| {
        let readers: Vec<_> = nodes
            .map(|(node, folder)| {
                let named = std::thread::Builder::new().name("opening".into());
                named.spawn_scoped(scope, move || read_folder(env, io, node, &folder))
            })
            .collect();
        let mut read = Ok(());
        for reader in readers {
            let ended = reader.and_then(|r| r.join().unwrap_or_else(|p| std::panic::resume_unwind(p)));
            read = read.and(ended);
        }
        read
    })
}

fn read_folder(env: &dyn Env, io: IoChoice, node: &mut Node, folder: &Path) -> io::Result<()> {
    let mut device = device::open(io)?;
    let mut disk = Disk::new(folder, TAG)?;
    let (mut actions, mut done) = (Vec::new(), Vec::new());
    node.accept(env.now_us(), Event::Open { files: list_files(folder)? }, &mut actions);
    loop {
        while !actions.is_empty() {
            for action in actions.drain(..) {
                if let Action::Disk { token, file, op } = action {
                    disk.submit(&mut *device, token, file, op);
                }
            }
            // What needed no device has ended already, and may ask for more.
            for (token, result) in disk.ended() {
                node.accept(env.now_us(), Event::Done { token, result }, &mut actions);
            }
        }
        if disk.pending() == 0 {
            break;
        }
        device.poll(Wait::Forever, &mut done)?;
        for completion in done.drain(..) {
            if let Some((token, result)) = disk.completed(&mut *device, completion) {
                node.accept(env.now_us(), Event::Done { token, result }, &mut actions);
            }
        }
    }
    disk.close(&mut *device);
    assert!(*node.phase() != Phase::Starting, "{}: the start has stopped half-way", folder.display());
    Ok(())
}
