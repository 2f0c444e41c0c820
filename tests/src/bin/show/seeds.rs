//! spine-4 and fleet-7: seeds of the director, and every planted bug caught.
//!
//! The sabotage runs the same seeds with a planted bug (three copies counted as a quorum): the run must report failing seeds.

use crate::{Order, Outcome};
use tests::product::director;

pub(crate) fn show(order: &Order) -> Outcome {
    some(order, 2_000)
}

/// The same with ten times the seeds.
pub(crate) fn fleet(order: &Order) -> Outcome {
    some(order, 20_000)
}

fn some(order: &Order, seeds: u64) -> Outcome {
    let seeds = format!("0..{}", order.rounds.unwrap_or(if order.sabotage { 200 } else { seeds }));
    if order.sabotage {
        return run(true, &["--seeds", &seeds, "--mutant", "AckAt3"]);
    }
    run(false, &["--seeds", &seeds, "--double", "50"])?;
    run(true, &["--mutants"])
}

fn run(mutants: bool, args: &[&str]) -> Outcome {
    println!("director {}", args.join(" "));
    print!("{}", director(mutants, args)?);
    Ok(())
}
