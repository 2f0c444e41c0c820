//! spine-4: seeds of the director, and every planted bug caught.
//!
//! The sabotage runs the same seeds with a planted bug (three copies counted as a quorum): the run must report failing seeds.

use crate::{Order, Outcome};
use std::path::Path;
use std::process::Command;

pub(crate) fn show(order: Order) -> Outcome {
    let seeds = format!("0..{}", order.rounds.unwrap_or(2000));
    if order.sabotage {
        return director(true, &["--seeds", &seeds, "--mutant", "AckAt3"]);
    }
    director(false, &["--seeds", &seeds, "--double", "50"])?;
    director(true, &["--mutants"])
}

fn director(mutants: bool, args: &[&str]) -> Outcome {
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
    if mutants {
        command.args(["--features", "mutants"]);
    }
    println!("director {}", args.join(" "));
    let status = command.arg("--").args(args).status().map_err(|e| format!("cargo: {e}"))?;
    if status.success() { Ok(()) } else { Err(format!("director {}: {status}", args.join(" "))) }
}
