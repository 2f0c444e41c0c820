//! `sextant certs` and what stands on it: daemons and compute nodes that show one another certificates of one authority, and who is not
//! let in.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use tests::fleet::{Fleet, NODES};
use tests::product::product;
use tests::scratch::Scratch;

/// `sextant certs WORDS`; what it printed, or its one line of refusal.
fn certs(words: &[&str]) -> Result<String, String> {
    let output = Command::new(product()).arg("certs").args(words).output().expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_string();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

fn path(folder: &Path) -> &str {
    folder.to_str().expect("a plain path")
}

/// An authority with its compute node and operator, and a folder for the daemons.
fn new_fleet_certs(dir: &Path) -> (String, String) {
    let (authority, storage) = (dir.join("authority"), dir.join("storage"));
    certs(&["init", "--dir", path(&authority)]).expect("an authority");
    certs(&["node", "--dir", path(&authority), "--out", path(&storage)]).expect("a storage node's");
    (path(&authority).to_string(), path(&storage).to_string())
}

#[test]
fn a_fleet_with_certificates_serves_its_own_and_nobody_else() {
    let scratch = Scratch::new("certs-fleet").expect("a scratch folder");
    let (authority, storage) = new_fleet_certs(scratch.path());
    let mut fleet = Fleet::start(scratch.path(), &["--certs", &storage]).expect("six daemons");
    let create =
        |certs: &str| fleet.volume(&["create", "--certs", certs, "--pages-per-pg", "128"]).expect("runs");
    // Another fleet's authority, and no certificate at all: the daemons stay blank.
    let (stranger, _) = new_fleet_certs(&scratch.path().join("stranger"));
    let (ok, _, said) = create(&stranger);
    assert!(!ok && said.trim().lines().count() == 1, "a stranger made a volume: {said}");
    let (ok, _, _) = fleet.volume(&["create", "--pages-per-pg", "128"]).expect("runs");
    assert!(!ok, "a caller without a certificate made a volume");
    let (ok, out, err) = create(&authority);
    assert!(ok, "{out}{err}");
    let status = |certs: &str| fleet.volume(&["status", "--certs", certs]).expect("runs").0;
    assert!(status(&authority), "the operator sees a whole volume");
    assert!(!status(&stranger));
    let launch =
        |name: &str, certs: &str| fleet.compute(&scratch.path().join(name)).args(&["--sextant-certs", certs]);
    // A replica's certificate under the compute node's name: its role is in the certificate, and it may not append.
    let replica = scratch.path().join("replica");
    certs(&["node", "--dir", &authority, "--role", "replica", "--out", path(&replica)]).expect("a replica's");
    for (from, to) in [("replica.pem", "compute.pem"), ("replica-key.pem", "compute-key.pem")] {
        std::fs::rename(replica.join(from), replica.join(to)).expect("renamed");
    }
    let refused = launch("replica-data", path(&replica)).start().expect_err("a replica appended");
    assert!(!refused.is_empty());
    let server = launch("c", &authority).start().expect("a compute node");
    let mut sql = server.connect().expect("it answers");
    sql.query("CREATE DATABASE d").expect("created");
    sql.query("CREATE TABLE d.t (a INT PRIMARY KEY)").expect("created");
    // Every certificate anew; the holders take theirs one after the other, while rows go in.
    let renewed = certs(&["rotate", "--dir", &authority, "--out", &storage]).expect("renewed");
    assert!(renewed.contains("renewed storage"), "{renewed}");
    let renewed = certs(&["rotate", "--dir", &authority, "--out", &authority]).expect("renewed");
    assert!(renewed.contains("renewed compute, operator"), "{renewed}");
    for node in 0..NODES {
        fleet.terminate(node).expect("it ends in order");
        sql.query(&format!("INSERT INTO d.t VALUES ({})", 2 * node)).expect("five are enough");
        fleet.start_node(node).expect("it starts with its new certificate");
        sql.query(&format!("INSERT INTO d.t VALUES ({})", 2 * node + 1)).expect("inserted");
    }
    drop(sql);
    assert!(server.terminate().expect("it ends").success());
    let again = fleet.compute(&scratch.path().join("c")).args(&["--sextant-certs", &authority]);
    let server = again.start().expect("with its new certificate");
    let mut sql = server.connect().expect("it answers");
    assert_eq!(sql.query("SELECT COUNT(*) FROM d.t").expect("counted").text()[0][0], "12");
}

#[test]
fn certificates_are_made_once_and_keys_are_private() {
    let scratch = Scratch::new("certs-made").expect("a scratch folder");
    let (authority, storage) = new_fleet_certs(scratch.path());
    let refused = certs(&["init", "--dir", &authority]).expect_err("a second authority in one folder");
    assert!(refused.contains("there is an authority already") && refused.lines().count() == 1, "{refused}");
    for (folder, files) in [
        (&authority, &["authority-key.pem", "compute-key.pem", "operator-key.pem"][..]),
        (&storage, &["storage-key.pem"]),
    ] {
        for file in files {
            let mode = std::fs::metadata(Path::new(folder).join(file)).expect(file).permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{file}");
        }
    }
    assert!(!Path::new(&storage).join("authority-key.pem").exists(), "no host needs the authority's key");
    let nothing = scratch.path().join("nothing");
    std::fs::create_dir(&nothing).expect("made");
    let refused =
        certs(&["rotate", "--dir", &authority, "--out", path(&nothing)]).expect_err("nothing there");
    assert!(refused.contains("no certificate of a role is there"), "{refused}");
    let missing = scratch.path().join("missing");
    let refused =
        certs(&["node", "--dir", path(&missing), "--out", path(&nothing)]).expect_err("no authority");
    assert!(refused.contains("authority.pem"), "{refused}");
    let before = std::fs::read(Path::new(&storage).join("storage.pem")).expect("read");
    certs(&["rotate", "--dir", &authority, "--out", &storage]).expect("renewed");
    assert_ne!(std::fs::read(Path::new(&storage).join("storage.pem")).expect("read"), before);
}

#[test]
fn a_fleet_takes_another_authority_without_a_restart_of_any_daemon() {
    let scratch = Scratch::new("certs-authority").expect("a scratch folder");
    let (old, storage) = new_fleet_certs(scratch.path());
    let (new, new_storage) = new_fleet_certs(&scratch.path().join("next"));
    let fleet = Fleet::start(scratch.path(), &["--certs", &storage]).expect("six daemons");
    let (ok, out, err) = fleet.volume(&["create", "--certs", &old, "--pages-per-pg", "128"]).expect("runs");
    assert!(ok, "{out}{err}");
    let launch = fleet.compute(&scratch.path().join("c")).args(&["--sextant-certs", &old]);
    let server = launch.start().expect("a compute node");
    let mut sql = server.connect().expect("it answers");
    sql.query("CREATE DATABASE d").expect("created");
    let copy = |from: &str, to: &str, names: &[&str]| {
        for name in names {
            std::fs::copy(Path::new(from).join(name), Path::new(to).join(name)).expect("copied");
        }
    };
    let read = |folder: &str| std::fs::read_to_string(Path::new(folder).join("authority.pem")).expect("read");
    let whole = |certs: &str| fleet.volume(&["status", "--certs", certs]).expect("runs").0;
    let until = |what: &str, done: &dyn Fn() -> bool| {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while !done() {
            assert!(std::time::Instant::now() < deadline, "not within a minute: {what}");
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
    };
    assert!(whole(&old) && !whole(&new));
    // One: everybody trusts both. Two: everybody shows certificates of the new one. Three: nobody trusts the old one any more.
    let second = read(&new);
    let both = read(&old) + &second;
    for folder in [&storage, &old, &new] {
        std::fs::write(Path::new(folder).join("authority.pem"), &both).expect("written");
    }
    until("the daemons know the new authority", &|| whole(&new));
    assert!(whole(&old));
    copy(&new_storage, &storage, &["storage.pem", "storage-key.pem"]);
    let stranger = scratch.path().join("stranger");
    std::fs::create_dir(&stranger).expect("made");
    copy(&old, path(&stranger), &["operator.pem", "operator-key.pem"]);
    std::fs::write(Path::new(&storage).join("authority.pem"), &second).expect("written");
    std::fs::write(stranger.join("authority.pem"), &both).expect("written");
    until("the old authority's certificates open nothing", &|| !whole(path(&stranger)));
    assert!(whole(&new));
    // Streams that stand go on; the compute node takes its new certificate when it calls again.
    sql.query("CREATE TABLE d.t (a INT PRIMARY KEY)").expect("created");
    copy(&new, &old, &["compute.pem", "compute-key.pem", "operator.pem", "operator-key.pem"]);
    drop(sql);
    server.kill9();
    let server = launch.start().expect("with the new authority's certificate");
    let mut sql = server.connect().expect("it answers");
    sql.query("INSERT INTO d.t VALUES (1)").expect("inserted");
}
