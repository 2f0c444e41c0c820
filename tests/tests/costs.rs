//! Counters are tests: what a request and a commit cost, in counts that hold on any machine. Show spine-8 prints the same for a release build.

use std::path::Path;
use tests::cost::{self, Plant};
use tests::product::product;
use tests::tool;

fn counted() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_counted"))
}

/// One read and one write system call per request: the hot path's shape (a prepared point select, pipelining nothing).
#[test]
fn a_prepared_point_select_costs_one_read_and_one_write() {
    if tool::find("strace", "strace").is_none() {
        return;
    }
    let calls = cost::calls_per_select(&product(), 300, Plant::Nothing).expect("measured");
    assert!((1.0..1.04).contains(&calls.reads) && (1.0..1.04).contains(&calls.writes), "{calls:?}");
    let planted = cost::calls_per_select(&product(), 300, Plant::TwoTrips).expect("measured");
    assert!(planted.reads > 1.04, "a second round trip is not seen: {planted:?}");
}

#[test]
fn a_prepared_point_select_allocates_at_most_once() {
    let found = cost::allocations_per_select(counted(), 1000, Plant::Nothing).expect("measured");
    println!("{found:.2} allocations per prepared point select");
    assert!(found <= 1.0, "{found:.2} allocations per prepared point select");
    let planted = cost::allocations_per_select(counted(), 1000, Plant::PlanLost).expect("measured");
    assert!(planted > 2.0, "a lost plan is not seen: {planted:.2}");
}

#[test]
fn a_commit_costs_one_write_and_one_sync_of_each_log() {
    let found = cost::commits(&product(), 200, 32, 20, Plant::Nothing).expect("measured");
    println!("{found:?}");
    assert!((4.0..6.5).contains(&found.writes_alone), "{found:?}");
    assert!((4.0..6.5).contains(&found.syncs_alone), "{found:?}");
    assert!(found.per_sync > 2.0, "{found:?}");
    assert_eq!(found.pages_sent, 0);
    let planted = cost::commits(&product(), 200, 1, 1, Plant::TwoCommits).expect("measured");
    assert!(planted.writes_alone >= 6.5, "a second commit is not seen: {planted:?}");
}

/// The bound of an idle connection, read and write buffers included.
#[test]
fn an_idle_connection_costs_at_most_32_kib() {
    // What else the server touches meanwhile is counted too: the least of three servers is what a connection holds.
    let mut each = f64::INFINITY;
    for _ in 0..3 {
        each = each.min(cost::idle_connection_kib(&product(), 500).expect("measured"));
        println!("{each:.1} KiB per idle connection");
    }
    assert!(each <= 32.0, "{each:.1} KiB per idle connection");
}
