//! Where the daemons of `sextant dev` listen: six ports in a row, or free ones that stay theirs.
//!
//! A daemon that died comes back at the address it had. A port that the kernel hands out to outgoing connections could be taken meanwhile
//! (by a caller that knocks at this very port, even), so free ones are drawn below that range; who is beaten to one draws again.

use super::child::{Running, Spec};
use std::net::TcpListener;

/// From a storage port to its metrics port, as from 3380 to 9380.
const METRICS_OFFSET: u16 = 6000;
/// Free ports are drawn from here up to where the kernel's own begin.
const FIRST_FREE: u16 = 10_000;
/// Where the kernel's own begin if it does not say.
const FIRST_OUTGOING: u16 = 32_768;
/// Draws, or starts at drawn ports, before it is given up.
const TRIES: usize = 20;

/// Starts a daemon where it is to listen: port `first + node`, or at a free one if `first` is 0. `spec` makes its command of both ports.
///
/// # Errors
/// One line.
pub(super) async fn settle(
    first: u16,
    node: usize,
    spec: impl Fn(u16, u16) -> Spec,
) -> Result<(Spec, Running), String> {
    if first > 0 {
        let port = first + node as u16;
        let spec = spec(port, port.checked_add(METRICS_OFFSET).unwrap_or(0));
        let running = spec.start().await?;
        return Ok((spec, running));
    }
    let mut last = String::new();
    for _ in 0..TRIES {
        let spec = spec(free()?, free()?);
        match spec.start().await {
            Ok(running) => return Ok((spec, running)),
            Err(problem) if problem.contains("in use by another process") && problem.contains("port") => {
                last = problem;
            }
            Err(problem) => return Err(problem),
        }
    }
    Err(last)
}

/// A port that is free now and that no outgoing connection will be given.
fn free() -> Result<u16, String> {
    let text = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let outgoing = text.split_whitespace().next().and_then(|low| low.parse().ok()).unwrap_or(FIRST_OUTGOING);
    let range = outgoing.max(FIRST_FREE + 1_000) - FIRST_FREE;
    for _ in 0..TRIES * 10 {
        let mut random = [0; 2];
        crate::security::random_bytes(&mut random).map_err(|e| format!("no randomness: {e}"))?;
        let port = FIRST_FREE + u16::from_le_bytes(random) % range;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    Err("no free port on loopback".to_string())
}
