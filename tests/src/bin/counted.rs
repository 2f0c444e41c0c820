//! The product with a counting allocator: the same command line, the same code, every allocation counted.
//!
//! Whoever connects to the Unix socket that `COUNTED_SOCKET` names is told how many allocations the process has made so far (all threads;
//! growing an allocation counts as one).

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use std::alloc::System;
use std::io::Write;
use std::os::unix::net::UnixListener;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() -> ExitCode {
    let Some(socket) = std::env::var_os("COUNTED_SOCKET") else {
        eprintln!("counted: COUNTED_SOCKET names no socket");
        return ExitCode::from(2);
    };
    let listener = match UnixListener::bind(&socket) {
        Ok(listener) => listener,
        Err(problem) => {
            eprintln!("counted: {}: {problem}", socket.display());
            return ExitCode::FAILURE;
        }
    };
    std::thread::spawn(move || {
        for mut asker in listener.incoming().flatten() {
            let now = ALLOCATOR.stats();
            // Whoever hung up does not want to know.
            let _ = asker.write_all(format!("{}", now.allocations + now.reallocations).as_bytes());
        }
    });
    match sextant::cli::parse(std::env::args_os(), std::env::vars()) {
        Ok(invocation) => sextant::start::run(invocation),
        Err(code) => code,
    }
}
