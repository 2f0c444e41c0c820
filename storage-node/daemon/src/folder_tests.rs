//! Blank, adopted once, held by one, never somebody else's.

use super::*;
use std::sync::atomic::{AtomicU32, Ordering};

struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Scratch {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("sextant-node-folder-{}-{n}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Scratch(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_blank_folder_is_adopted_and_remembers() {
    let dir = Scratch::new();
    let mut folder = Folder::claim(&dir.0, Some(2)).expect("blank");
    assert_eq!(folder.identity, None);
    let identity = folder.adopt(VolumeId(7), NodeId(9), 3).expect("adopted");
    assert_eq!((identity.az, identity.member), (2, 3));
    assert!(is_there(&dir.0, &identity));
    let held = Folder::claim(&dir.0, None).expect_err("held").to_string();
    assert!(held.contains(&std::process::id().to_string()), "{held}");
    drop(folder);
    assert_eq!(Folder::claim(&dir.0, None).expect("free").identity, Some(identity));
    let other = Folder::claim(&dir.0, Some(1)).expect_err("another zone").to_string();
    assert!(other.ends_with("belongs to az2, not to az1 (--az)"), "{other}");
}

#[test]
fn a_folder_of_somebody_else_is_refused_and_left_alone() {
    let dir = Scratch::new();
    fs::create_dir_all(&dir.0).expect("made");
    fs::write(dir.0.join("letters.txt"), "dear").expect("written");
    let refused = Folder::claim(&dir.0, Some(1)).expect_err("foreign").to_string();
    assert!(refused.contains("not a Sextant node folder"), "{refused}");
    assert_eq!(fs::read_to_string(dir.0.join("letters.txt")).expect("there"), "dear");
}

#[test]
fn peers_are_a_hint() {
    let dir = Scratch::new();
    fs::create_dir_all(&dir.0).expect("made");
    assert!(read_peers(&dir.0).is_empty());
    let peers = vec![PeerAddress { position: 4, address: "10.0.0.4:3380".to_string() }];
    write_peers(&dir.0, &peers).expect("written");
    assert_eq!(read_peers(&dir.0), peers);
    fs::write(dir.0.join(PEERS_FILE), "nonsense\n9x y\n").expect("written");
    assert!(read_peers(&dir.0).is_empty());
}
