//! The metrics and health port of a storage node: `GET /metrics` in Prometheus text, `GET /health`.
//!
//! Figures are read when somebody asks. Just enough HTTP: one request per connection, at most 4 KiB, five seconds of patience.
//! `/health` is 200 while the node serves or waits to be adopted, and 503 with one word otherwise.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::daemon::Daemon;
use crate::facts::Facts;

const REQUEST_LIMIT: usize = 4096;
const PATIENCE: Duration = Duration::from_secs(5);

/// Answers until the task is dropped.
pub(crate) async fn serve(listener: TcpListener, daemon: Arc<Daemon>) {
    loop {
        match listener.accept().await {
            Ok((socket, _)) => {
                let daemon = Arc::clone(&daemon);
                tokio::spawn(async move {
                    let _ = tokio::time::timeout(PATIENCE, answer(socket, &daemon)).await;
                });
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn answer(mut socket: TcpStream, daemon: &Daemon) -> std::io::Result<()> {
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") && request.len() < REQUEST_LIMIT {
        if socket.read_buf(&mut request).await? == 0 {
            break;
        }
    }
    let line = request.split(|b| *b == b'\r').next().unwrap_or_default();
    let target = line.strip_prefix(b"GET ").and_then(|rest| rest.split(|b| *b == b' ').next());
    let facts = daemon.facts().await;
    let phase = daemon.phase(&facts);
    let healthy = matches!(phase, "serving" | "blank");
    let (status, kind, body) = match target {
        Some(b"/metrics") => {
            ("200 OK", "text/plain; version=0.0.4; charset=utf-8", page(phase, facts.as_ref()))
        }
        Some(b"/health") if healthy => ("200 OK", "text/plain", format!("{phase}\n")),
        Some(b"/health") => ("503 Service Unavailable", "text/plain", format!("{phase}\n")),
        Some(_) => ("404 Not Found", "text/plain", "try /metrics or /health\n".to_string()),
        None => ("400 Bad Request", "text/plain", "only GET\n".to_string()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    socket.write_all((head + &body).as_bytes()).await?;
    socket.shutdown().await
}

type Figure = fn(&protocol::message::SegmentState) -> u64;

/// Counters of the node, and one line per segment for what an operator compares between nodes.
fn page(phase: &str, facts: Option<&Facts>) -> String {
    let mut text = String::new();
    let mut gauge = |name: &str, labels: &str, value: u64, first: bool| {
        // Writing to a string does not fail.
        if first {
            let _ = writeln!(text, "# TYPE sextant_storage_{name} gauge");
        }
        let _ = writeln!(text, "sextant_storage_{name}{labels} {value}");
    };
    gauge("up", "", u64::from(phase == "serving"), true);
    let Some(facts) = facts else { return text };
    for (name, value) in &facts.metrics {
        gauge(name, "", *value, true);
    }
    let per_segment: [(&str, Figure); 5] = [
        ("segment_scl", |s| s.scl.0),
        ("segment_claim", |s| s.claim.0),
        ("segment_page_point", |s| s.page_point.0),
        ("segment_vdl", |s| s.vdl.0),
        ("segment_epoch", |s| s.epoch.0),
    ];
    for (name, of) in per_segment {
        for (n, (id, state)) in facts.segments.iter().enumerate() {
            let labels = format!("{{pg=\"{}\",position=\"{}\"}}", id.pg, id.position);
            gauge(name, &labels, of(state), n == 0);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_names_its_kinds_once() {
        let facts =
            Facts { phase: "serving", metrics: vec![("log_writes", 3), ("rot", 0)], ..Facts::default() };
        let text = page("serving", Some(&facts));
        assert_eq!(
            text,
            "# TYPE sextant_storage_up gauge\nsextant_storage_up 1\n# TYPE sextant_storage_log_writes gauge\n\
             sextant_storage_log_writes 3\n# TYPE sextant_storage_rot gauge\nsextant_storage_rot 0\n"
        );
        assert!(page("failed", None).contains("sextant_storage_up 0"));
    }
}
