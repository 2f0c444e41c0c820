//! A seed as a test: a panic of a core is a failure like any other.

use crate::director::{Director, Report};
use crate::plan::Plan;
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
