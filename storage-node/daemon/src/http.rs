//! The metrics and health port of a storage node: `GET /metrics` in Prometheus text, `GET /health`.
//!
//! Served by [`protocol_grpc::page`]; figures are read when somebody asks. `/health` is 200 while the node serves or waits to be adopted, and 503 with one word otherwise.

use std::fmt::Write as _;
use std::sync::Arc;

use protocol_grpc::page::{self, Asked, Page};
use tokio::net::TcpListener;

use crate::daemon::Daemon;
use crate::facts::Facts;

const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Answers until the task is dropped.
pub(crate) async fn serve(listener: TcpListener, daemon: Arc<Daemon>) {
    page::serve(listener, move |asked| answer(Arc::clone(&daemon), asked)).await;
}

async fn answer(daemon: Arc<Daemon>, asked: Asked) -> Page {
    let facts = daemon.facts().await;
    let phase = daemon.phase(&facts);
    match asked {
        Asked::Metrics => Page::metrics(TEXT_FORMAT, figures(phase, facts.as_ref())),
        Asked::Health => Page::health(matches!(phase, "serving" | "blank"), phase),
        // It is asked over gRPC, with a certificate.
        Asked::Status => Page::missing(),
    }
}

type Figure = fn(&protocol::message::SegmentState) -> u64;

/// Counters of the node, and one line per segment for what an operator compares between nodes.
fn figures(phase: &str, facts: Option<&Facts>) -> String {
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
        let text = figures("serving", Some(&facts));
        assert_eq!(
            text,
            "# TYPE sextant_storage_up gauge\nsextant_storage_up 1\n# TYPE sextant_storage_log_writes gauge\n\
             sextant_storage_log_writes 3\n# TYPE sextant_storage_rot gauge\nsextant_storage_rot 0\n"
        );
        assert!(figures("failed", None).contains("sextant_storage_up 0"));
    }
}
