//! The leash of a supervised process: it ends when its standard input does.
//!
//! A supervisor holds the writing end of a pipe that is the child's standard input and writes nothing. When it closes the pipe, or is gone
//! however it went (kill -9 included: the kernel closes its files), the child reads the end and stops as for SIGTERM. No signal can be
//! lost, no process id can be somebody else's by now, and no system call beyond `read` is needed.

use clap::{Arg, ArgAction};
use std::io::{ErrorKind, Read};
use tokio::sync::oneshot;

/// The flag that asks for it, without dashes.
pub const FLAG: &str = "end-with-stdin";

/// The flag for a command line.
#[must_use]
pub fn flag() -> Arg {
    let help = "stop as for SIGTERM when standard input ends: a supervisor holds the other end";
    Arg::new(FLAG).long(FLAG).action(ArgAction::SetTrue).help(help)
}

/// Completes when standard input ends. Whatever is written to it is thrown away.
///
/// # Errors
/// Those of starting the thread that waits.
pub fn released() -> std::io::Result<impl Future<Output = ()>> {
    let (tell, told) = oneshot::channel();
    let wait = move || {
        let mut stdin = std::io::stdin().lock();
        let mut scrap = [0; 64];
        loop {
            match stdin.read(&mut scrap) {
                Ok(n) if n > 0 => {}
                Err(problem) if problem.kind() == ErrorKind::Interrupted => {}
                Ok(_) | Err(_) => break,
            }
        }
        // Nobody listens any more only when the process is ending.
        let _ = tell.send(());
    };
    std::thread::Builder::new().name("leash".into()).spawn(wait)?;
    Ok(async {
        let _ = told.await;
    })
}
