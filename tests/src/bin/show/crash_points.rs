//! spine-7: a machine crash at every CPL of a recorded trace: trees whole, indexes agree, the bank's sum right.
//!
//! The sabotage plants a bug in the engine (a secondary entry is not written): the checks after a crash must see it.

use crate::{Order, Outcome};
use std::path::Path;
use std::process::Command;

pub(crate) fn show(order: Order) -> Outcome {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("no workspace folder")?;
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root).args([
        "run",
        "--release",
        "--locked",
        "--quiet",
        "-p",
        "simulator",
        "--bin",
        "director",
    ]);
    if order.sabotage {
        command.args(["--features", "mutants", "--", "--crash-every-cpl", "--mutant", "SecondaryForgotten"]);
    } else {
        command.args(["--", "--crash-every-cpl"]);
    }
    let output = command.output().map_err(|e| format!("cargo: {e}"))?;
    print!("{}", String::from_utf8_lossy(&output.stdout));
    if output.status.success() { Ok(()) } else { Err(format!("director: {}", output.status)) }
}
