//! spine-4: seeds of the director, and every planted bug caught.
//!
//! The sabotage runs the same seeds with a planted bug (three copies counted as a quorum): the run must report failing seeds.

use crate::{Order, Outcome};
use tests::product::director;

pub(crate) fn show(order: &Order) -> Outcome {
    let seeds = format!("0..{}", order.rounds.unwrap_or(2000));
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
