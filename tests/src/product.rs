//! The executables under test, built by the cargo that runs us.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The workspace's folder.
///
/// # Panics
/// Never: the package lies in it.
#[must_use]
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("invariant: the package lies in the workspace")
}

/// The cargo that runs us, in the workspace's folder. What `cargo run` told us of our own package is not passed on: build scripts look at it,
/// and everything above them would be built again for each show.
#[must_use]
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|n| n.starts_with("CARGO_PKG_") || n.starts_with("CARGO_MANIFEST_")) {
            command.env_remove(&name);
        }
    }
    command
}

/// Runs the director; what it printed, or why it failed after printing what it found.
///
/// # Errors
/// When it does not build, or ends with a failure.
pub fn director(mutants: bool, args: &[&str]) -> Result<String, String> {
    let program = build("simulator", "director", mutants)?;
    let output = Command::new(program).current_dir(root()).args(args).output();
    let output = output.map_err(|e| format!("director: {e}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    let words = String::from_utf8_lossy(&output.stderr).trim().to_string();
    println!("{text}");
    Err(format!("director {}: {} {words}", args.join(" "), output.status))
}

/// Builds a product binary with the cargo that runs us and returns its path: `release` with or without planted bugs. Where `TESTS_RELEASE`
/// names a folder with executables built already, the one without planted bugs is taken from there; the one with planted bugs from the folder that
/// `TESTS_MUTANTS` names.
///
/// # Errors
/// When the build fails.
pub fn build(package: &str, binary: &str, mutants: bool) -> Result<PathBuf, String> {
    let given = if mutants { "TESTS_MUTANTS" } else { "TESTS_RELEASE" };
    if let Some(dir) = std::env::var_os(given) {
        let built = PathBuf::from(dir).join(binary);
        return if built.is_file() { Ok(built) } else { Err(format!("{given} has no {binary}")) };
    }
    let target = root().join(if mutants { "target/mutants" } else { "target" });
    let mut command = cargo();
    command.args(["build", "--release", "--locked", "--quiet", "-p", package, "--bin", binary]);
    command.arg("--target-dir").arg(&target);
    if mutants {
        command.args(["--features", "mutants"]);
    }
    let status = command.status().map_err(|e| format!("cargo: {e}"))?;
    if status.success() {
        Ok(target.join("release").join(binary))
    } else {
        Err(format!("building {binary}: {status}"))
    }
}

/// The product binary under test: the one `TESTS_PRODUCT` names, or one built once per process by the cargo that runs us.
///
/// # Panics
/// When it does not build.
#[must_use]
pub fn product() -> PathBuf {
    static BUILT: std::sync::OnceLock<PathBuf> = std::sync::OnceLock::new();
    BUILT
        .get_or_init(|| {
            if let Some(path) = std::env::var_os("TESTS_PRODUCT") {
                return PathBuf::from(path);
            }
            let args = ["build", "--locked", "--quiet", "-p", "sextant", "--bin", "sextant"];
            let status = cargo().args(args).status().expect("cargo runs");
            assert!(status.success(), "building the product: {status}");
            root().join("target/debug/sextant")
        })
        .clone()
}
