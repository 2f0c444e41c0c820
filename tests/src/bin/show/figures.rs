//! spine-8: first figures beside other servers in one interleaved run, and the counters that are ceilings.
//!
//! The figures (throughput, latency, server CPU per query) are printed and never judged: machines have moods. What is judged are counts, which
//! hold on any machine. Endpoints are given by address, whatever they are: `show spine-8 ours mysql=HOST:PORT/PID mariadb=HOST:PORT/PID`.
//!
//! The sabotage takes the plan of the prepared statement away, adds a round trip to each request, and counts one commit where there are two: the
//! ceilings must break.

use crate::{Order, Outcome, counters};
use std::process::Command;
use tests::child;
use tests::product::build;
use tests::scratch::Scratch;
use tests::server::Launch;

const PEERS: [&str; 2] = ["mysql", "mariadb"];
const WORKLOADS: &str = "oltp_point_select,oltp_read_only,oltp_read_write,oltp_write_only,oltp_update_index,oltp_update_non_index,oltp_insert,select_random_ranges";

pub(crate) fn show(order: &Order) -> Outcome {
    if !order.sabotage {
        figures(order)?;
    }
    counters::show(order)
}

/// One interleaved run of bench's own runner over all endpoints.
fn figures(order: &Order) -> Outcome {
    if Command::new("sysbench").arg("--version").output().is_err() {
        println!("figures: not measured, sysbench is not installed (Debian package sysbench)");
        return Ok(());
    }
    let given: Vec<&str> = order.endpoints.iter().map(String::as_str).collect();
    for peer in PEERS {
        if !given.iter().any(|e| e.starts_with(&format!("{peer}="))) {
            println!("not given: {peer} (give it as {peer}=HOST:PORT/PID)");
        }
    }
    let runner = build("bench", "side-by-side", false)?;
    let scratch = Scratch::new("figures").map_err(|e| e.to_string())?;
    let server = if given.is_empty() || given.contains(&"ours") {
        let binary = build("sextant", "sextant", false)?;
        Some(Launch::new(&binary, &scratch.path().join("data")).start()?)
    } else {
        None
    };
    // Ratios are to the first endpoint: a peer, if there is one.
    let mut endpoints: Vec<String> =
        given.iter().filter(|e| **e != "ours").map(|e| (*e).to_string()).collect();
    endpoints.extend(server.as_ref().map(|s| format!("ours={}/{}", s.address, s.pid())));
    let (rounds, seconds) = (order.rounds.unwrap_or(3), order.seconds.unwrap_or(3));
    println!(
        "bench: side-by-side {} --rounds {rounds} --seconds {seconds} --workloads {WORKLOADS}",
        endpoints.join(" ")
    );
    let mut command = child::command(&runner);
    command
        .args(&endpoints)
        .args(["--rounds", &rounds.to_string(), "--seconds", &seconds.to_string()])
        .args(["--workloads", WORKLOADS])
        .stdout(std::process::Stdio::piped());
    let (status, out, _) = child::Helper::start(command)?.output()?;
    println!("{out}");
    if let Some(server) = server {
        println!("most memory ours held: {} MiB", server.peak_kib() >> 10);
        server.terminate()?;
    }
    if status.success() { Ok(()) } else { Err(format!("side-by-side: {status}")) }
}
