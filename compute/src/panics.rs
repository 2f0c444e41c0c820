//! What a panic means, by where it happened.
//!
//! In SQL or in this crate it ends one session. In the crates that hold pages, logs and transactions it ends the process: half a
//! mini-transaction must not live on, and opening again is instant.

use std::panic::PanicHookInfo;

/// The crates whose assertions end the process, by the folder their sources stand in.
const CORES: [&str; 8] = [
    "protocol/src/",
    "quorum/src/",
    "quorum/driver/src/",
    "buffer-pool/src/",
    "btree/src/",
    "engine/src/",
    "storage-node/src/",
    "cache-nvme/src/",
];

/// True when a panic at `file` must end the process.
pub(crate) fn is_fatal(file: &str) -> bool {
    CORES.iter().any(|folder| file.starts_with(folder) || file.contains(&format!("/{folder}")))
}

/// Installs the hook that tells one from the other.
pub fn install_hook() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info: &PanicHookInfo<'_>| {
        before(info);
        if info.location().is_some_and(|at| is_fatal(at.file())) {
            eprintln!(
                "sextant: an assertion failed below SQL; the process ends so that nothing half-done lives on"
            );
            std::process::abort();
        }
    }));
}

#[cfg(test)]
mod tests {
    use super::is_fatal;

    #[test]
    fn cores_abort_and_sessions_unwind() {
        assert!(is_fatal("engine/src/undo.rs"));
        assert!(is_fatal("/home/x/sextant/btree/src/split.rs"));
        assert!(!is_fatal("engine/values/src/decimal/mod.rs"));
        assert!(!is_fatal("sql/src/exec/mod.rs"));
        assert!(!is_fatal("compute/src/connection/mod.rs"));
    }
}
