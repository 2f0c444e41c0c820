//! A seed as a test: a panic of a core is a failure like any other.

use crate::director::{Director, Report};
use crate::plan::{Mode, Plan};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs one plan. An assertion that fails in a core ends the run as its failure.
#[must_use]
pub fn run(plan: &Plan) -> Report {
    let director = Director::new(plan.clone());
    match catch_unwind(AssertUnwindSafe(|| director.run())) {
        Ok(report) => report,
        Err(panic) => {
            let text = panic
                .downcast_ref::<String>()
                .cloned()
                .or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()))
                .unwrap_or_else(|| "a core panicked".to_owned());
            Report { failure: Some(format!("assertion: {text}")), ..Report::default() }
        }
    }
}

/// Runs one plan on a thread of its own: what hashes by chance does so with another seed there, and the trace must not show it.
#[must_use]
pub fn run_elsewhere(plan: &Plan) -> Report {
    let plan = plan.clone();
    // The run itself starts no thread; this one is only a place with other keys.
    let ended = std::thread::Builder::new().name("double".into()).spawn(move || run(&plan)).map(|t| t.join());
    match ended {
        Ok(Ok(report)) => report,
        _ => Report { failure: Some("no thread for the second run".into()), ..Report::default() },
    }
}

/// Modes and seeds that once failed, with what they found; `seeds.txt`.
pub fn regressions() -> impl Iterator<Item = (Mode, u64, &'static str)> {
    let lines = include_str!("../seeds.txt").lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| {
        let (mode, line) = line.split_once(' ')?;
        let (seed, found) = line.split_once(' ')?;
        Some((Mode::named(mode)?, seed.parse().ok()?, found.trim()))
    })
}

/// Switches classes of faults off while the run still fails; what is left is what the failure needs.
#[must_use]
pub fn shrink(plan: &Plan) -> Plan {
    let mut smallest = plan.clone();
    loop {
        let candidate = smallest
            .classes
            .iter()
            .map(|class| smallest.without(*class))
            .find(|candidate| run(candidate).failure.is_some());
        match candidate {
            Some(candidate) => smallest = candidate,
            None => return smallest,
        }
    }
}
