//! A process that dies is said, and started again where it was.
//!
//! The rest before a start doubles from a quarter of a second to ten seconds while it keeps dying, and is short again for one that has lived
//! for ten: a folder that cannot be served costs a line every ten seconds, and a node that was killed is back at once.

use super::child::{Running, Spec};
use super::say;
use std::time::{Duration, Instant};
use tokio::sync::watch;

const REST_MIN: Duration = Duration::from_millis(250);
const REST_MAX: Duration = Duration::from_secs(10);
/// Who has lived so long is not in a loop.
const STEADY: Duration = Duration::from_secs(10);

/// Keeps one process running until it is told to stop; then ends it in order.
pub(super) async fn keep(spec: Spec, mut running: Running, mut stop: watch::Receiver<bool>) {
    let mut rest = REST_MIN;
    loop {
        let since = Instant::now();
        let how = tokio::select! {
            how = running.ended() => how,
            () = stopped(&mut stop) => return running.end(&spec).await,
        };
        if since.elapsed() >= STEADY {
            rest = REST_MIN;
        }
        say(&format!("{} (pid {}) {how}; starting it again", spec.name, running.pid()));
        running = tokio::select! {
            again = again(&spec, &mut rest) => again,
            () = stopped(&mut stop) => return,
        };
        say(&format!("{} is back (pid {})", spec.name, running.pid()));
    }
}

async fn again(spec: &Spec, rest: &mut Duration) -> Running {
    loop {
        tokio::time::sleep(*rest).await;
        *rest = (*rest * 2).min(REST_MAX);
        match spec.start().await {
            Ok(running) => return running,
            Err(problem) => say(&format!("{problem}; trying again in {} ms", rest.as_millis())),
        }
    }
}

/// Completes when it is told to stop, or nobody is left who could tell.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}
