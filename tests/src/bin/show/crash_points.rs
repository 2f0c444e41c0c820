//! spine-7: a machine crash at every CPL of a recorded trace: trees whole, indexes agree, the bank's sum right.
//!
//! The sabotage plants a bug in the engine (a secondary entry is not written): the checks after a crash must see it.

use crate::{Order, Outcome};
use tests::product::director;

pub(crate) fn show(order: &Order) -> Outcome {
    let args: &[&str] = if order.sabotage {
        &["--crash-every-cpl", "--mutant", "SecondaryForgotten"]
    } else {
        &["--crash-every-cpl"]
    };
    print!("{}", director(order.sabotage, args)?);
    Ok(())
}
