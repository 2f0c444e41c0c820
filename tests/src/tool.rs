//! Programs of the system that some tests need: present, or the test skips itself with a printed reason.
//!
//! Where `TESTS_REQUIRE_CLIENTS` is set (`.ci/run` installs the programs and sets it), a missing one fails the test instead.

use std::path::PathBuf;

/// The path of `program`, or `None` after printing why the test skips.
///
/// # Panics
/// When it is missing and clients are required.
#[must_use]
pub fn find(program: &str, package: &str) -> Option<PathBuf> {
    let dirs = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&dirs).map(|dir| dir.join(program)).find(|path| path.is_file());
    if found.is_none() {
        let reason = format!("skipped: {program} is not installed (Debian package {package})");
        assert!(std::env::var_os("TESTS_REQUIRE_CLIENTS").is_none(), "{reason}");
        eprintln!("{reason}");
    }
    found
}

/// Words that run a command with mounts of its own (`unshare`), or `None` after printing why the test skips: containers may forbid it.
#[must_use]
pub fn private_mounts() -> Option<&'static [&'static str]> {
    let words: &[&str] = &["unshare", "--user", "--map-root-user", "--mount"];
    let tried = std::process::Command::new(words[0])
        .args(&words[1..])
        .args(["mount", "-t", "tmpfs", "tmpfs", "/mnt"])
        .output();
    if tried.is_ok_and(|output| output.status.success()) {
        return Some(words);
    }
    eprintln!("skipped: mount namespaces cannot be made here (unshare --user --mount)");
    None
}
