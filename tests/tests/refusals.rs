//! What the product refuses: one clear line on standard error, a non-zero exit, and nothing damaged. Disks that are full: disk_full.rs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tests::product::product;
use tests::scratch::Scratch;
use tests::server::Launch;

/// Runs the product with arguments that make it end by itself.
fn ends(args: &[&str]) -> Output {
    Command::new(product()).args(args).output().expect("the product starts")
}

/// A refusal: a failure, one line on standard error, which it returns.
fn refused(args: &[&str]) -> String {
    let output = ends(args);
    let text = String::from_utf8_lossy(&output.stderr).trim().to_string();
    assert!(!output.status.success(), "it started with {args:?}");
    assert_eq!(text.lines().count(), 1, "not one line: {text:?}");
    assert!(!text.contains("panicked"), "{text}");
    text
}

fn path(data: &Path) -> &str {
    data.to_str().expect("a scratch path is UTF-8")
}

/// Every file below a folder with a checksum of its bytes.
fn contents(dir: &Path) -> Vec<(PathBuf, u64, u64)> {
    let mut found = Vec::new();
    let mut dirs = vec![dir.to_path_buf()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).expect("readable").flatten() {
            if entry.path().is_dir() {
                dirs.push(entry.path());
            } else {
                let bytes = fs::read(entry.path()).expect("readable");
                let sum = bytes
                    .iter()
                    .fold(0xcbf2_9ce4_8422_2325u64, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x100_0000_01b3));
                found.push((entry.path(), bytes.len() as u64, sum));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn a_busy_port_is_one_line() {
    let scratch = Scratch::new("port").expect("a scratch folder");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address").to_string();
    let line = refused(&["--data", path(&scratch.path().join("data")), "--listen", &address]);
    assert!(line.contains(&address), "{line}");
}

#[test]
fn a_folder_in_use_names_its_holder() {
    let scratch = Scratch::new("use").expect("a scratch folder");
    let data = scratch.path().join("data");
    let server = Launch::new(&product(), &data).start().expect("it starts");
    let line = refused(&["--data", path(&data), "--listen", "127.0.0.1:0"]);
    assert!(line.contains(&server.pid().to_string()), "{line}");
    server.connect().expect("the holder still answers");
}

#[test]
fn a_folder_that_cannot_be_made_is_one_line() {
    let line = refused(&["--data", "/dev/null/data", "--listen", "127.0.0.1:0"]);
    assert!(line.contains("/dev/null/data"), "{line}");
}

/// A volume with a few rows, stopped.
fn volume(scratch: &Scratch) -> PathBuf {
    let data = scratch.path().join("data");
    let server = Launch::new(&product(), &data).start().expect("it starts");
    let mut sql = server.connect().expect("it answers");
    sql.query("CREATE DATABASE d").expect("created");
    sql.query("CREATE TABLE d.t (id INT PRIMARY KEY)").expect("created");
    sql.query("INSERT INTO d.t VALUES (1), (2), (3)").expect("inserted");
    server.terminate().expect("it ends");
    data
}

/// Nothing but lock files, which name who tried last, differs.
fn assert_untouched(before: &[(PathBuf, u64, u64)], data: &Path) {
    let after = contents(data);
    let lock =
        |path: &Path| path.to_string_lossy().contains("lock") || path.to_string_lossy().ends_with("pid");
    let changed: Vec<_> = after.iter().filter(|f| !before.contains(f) && !lock(&f.0)).collect();
    assert!(changed.is_empty(), "changed or made: {changed:?}");
    let gone: Vec<_> = before.iter().filter(|f| !after.iter().any(|a| a.0 == f.0) && !lock(&f.0)).collect();
    assert!(gone.is_empty(), "gone: {gone:?}");
}

fn assert_serves(data: &Path) {
    let server = Launch::new(&product(), data).start().expect("it starts again");
    let rows = server.connect().expect("it answers").query("SELECT COUNT(*) FROM d.t").expect("counted");
    assert_eq!(rows.text(), [["3"]]);
}

#[test]
fn another_format_is_refused_by_name_and_left_alone() {
    let scratch = Scratch::new("format").expect("a scratch folder");
    let data = volume(&scratch);
    let identity = data.join("az2/n1/node.id");
    let good = fs::read(&identity).expect("a node folder has an identity");
    let mut bytes = good.clone();
    bytes[0] = bytes[0].wrapping_add(41);
    fs::write(&identity, &bytes).expect("writable");
    let before = contents(&data);
    let line = refused(&["--data", path(&data), "--listen", "127.0.0.1:0"]);
    assert!(line.contains("az2/n1") && line.to_lowercase().contains("format"), "{line}");
    assert_untouched(&before, &data);
    fs::write(&identity, &good).expect("writable");
    assert_serves(&data);
}

#[test]
fn three_deleted_folders_are_listed_and_the_others_left_alone() {
    let scratch = Scratch::new("three").expect("a scratch folder");
    let data = volume(&scratch);
    let gone = ["az1/n2", "az2/n1", "az3/n2"];
    for folder in gone {
        fs::rename(data.join(folder), scratch.path().join(folder.replace('/', "-"))).expect("moved away");
    }
    let before = contents(&data);
    let line = refused(&["--data", path(&data), "--listen", "127.0.0.1:0"]);
    for folder in gone {
        assert!(line.contains(folder), "{folder} is not listed: {line}");
    }
    assert_untouched(&before, &data);
    for folder in gone {
        // Refusing made nothing in their place.
        fs::rename(scratch.path().join(folder.replace('/', "-")), data.join(folder)).expect("moved back");
    }
    assert_serves(&data);
}

#[test]
fn a_folder_that_cannot_be_written_is_one_line() {
    use std::os::unix::fs::PermissionsExt;
    // Root may write everywhere but where the kernel itself says no.
    let line = refused(&["--data", "/sys/kernel/sextant-data", "--listen", "127.0.0.1:0"]);
    assert!(line.contains("/sys/kernel/sextant-data"), "{line}");
    let scratch = Scratch::new("unwritable").expect("a scratch folder");
    let closed = scratch.path().join("closed");
    fs::create_dir(&closed).expect("made");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o555)).expect("closed");
    if fs::write(closed.join("probe"), "").is_ok() {
        return; // we are root: the mode says nothing
    }
    let data = closed.join("data");
    let line = refused(&["--data", path(&data), "--listen", "127.0.0.1:0"]);
    assert!(line.contains(path(&data)), "{line}");
}

#[test]
fn a_volume_that_cannot_be_written_is_one_line_and_left_alone() {
    let Some(words) = tests::tool::private_mounts() else { return };
    let scratch = Scratch::new("readonly").expect("a scratch folder");
    let data = volume(&scratch);
    let before = contents(&data);
    let script =
        format!("mount --bind '{0}' '{0}' && mount -o remount,ro,bind '{0}' && exec \"$@\"", path(&data));
    let output = Command::new(words[0])
        .args(&words[1..])
        .args(["sh", "-c", &script, "sh"])
        .arg(product())
        .args(["--data", path(&data), "--listen", "127.0.0.1:0"])
        .output()
        .expect("it starts");
    let text = String::from_utf8_lossy(&output.stderr).trim().to_string();
    assert!(!output.status.success() && text.lines().count() == 1 && text.contains(path(&data)), "{text}");
    assert_untouched(&before, &data);
    assert_serves(&data);
}

#[test]
fn an_unknown_setting_is_an_error() {
    let scratch = Scratch::new("setting").expect("a scratch folder");
    let file = scratch.path().join("sextant.toml");
    fs::write(&file, "no_such_setting = 1\n").expect("writable");
    let data = scratch.path().join("data");
    let output = Command::new(product())
        .current_dir(scratch.path())
        .args(["--data", path(&data), "--listen", "127.0.0.1:0", "--config", path(&file)])
        .output()
        .expect("the product starts");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && text.contains("no_such_setting"), "{text}");
    assert!(!data.exists(), "nothing was made before the settings were read");
}

#[test]
fn help_names_what_there_is() {
    let output = ends(&["--help"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success());
    for flag in ["--data", "--listen", "--announce", "--config"] {
        assert!(text.contains(flag), "{flag} is missing from --help:\n{text}");
    }
}
