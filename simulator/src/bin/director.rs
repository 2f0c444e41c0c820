//! `director --seeds A..B`: runs seeds; see [`simulator::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    simulator::cli::main("director", std::env::args().skip(1))
}
