//! spine-6: golden scripts: the redo records of twenty SQL statements, and the quorum's pictures with an idle protection group.
//!
//! The sabotage flips one byte in a copy of the golden file.

use crate::{Order, Outcome};
use tests::product::cargo;

pub(crate) fn show(order: &Order) -> Outcome {
    let sabotage = order.sabotage;
    test("tests", &["--test", "golden_redo"], sabotage)?;
    test("quorum", &["pictures"], false)
}

/// Runs tests of a package; with `flip` they read their golden file with one byte changed.
pub(crate) fn test(package: &str, args: &[&str], flip: bool) -> Outcome {
    let mut command = cargo();
    command.args(["test", "--locked", "--quiet", "-p", package]).args(args);
    command.args(if args.contains(&"--") { &[][..] } else { &["--", "--nocapture"][..] });
    if flip {
        command.env("TESTS_FLIP_GOLDEN", "1");
    }
    let output = command.output().map_err(|e| format!("cargo: {e}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    for line in text.lines().filter(|l| !l.trim().is_empty() && !l.starts_with("running 0")) {
        println!("{line}");
    }
    if !text.contains("test result: ok. ")
        || !text.lines().any(|l| l.starts_with("running ") && !l.starts_with("running 0"))
    {
        return Err(format!("{package} {}: tests failed, or none ran", args.join(" ")));
    }
    if output.status.success() {
        Ok(())
    } else {
        Err(format!("{package} {}: {}", args.join(" "), output.status))
    }
}
