//! The `sextant` binary: the embedded cluster by default.

use std::process::ExitCode;

fn main() -> ExitCode {
    match sextant::cli::parse(std::env::args_os(), std::env::vars()) {
        Ok(invocation) => sextant::start::run(invocation),
        Err(code) => code,
    }
}
