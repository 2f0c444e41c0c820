//! Members move while clients work (R12): one copy by order, all nodes of a fleet one by one, and old addresses go on leading to the volume (R9).

use driver::net::{Config, NodeAddress, operate};
use protocol::order::{Grow, Look, Move, Order, Place, Replace, Report};
use protocol::{PgId, SegmentId};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tests::client::Client;
use tests::fleet::{Fleet, NODES};
use tests::scratch::Scratch;

const PATIENCE: Duration = Duration::from_secs(120);

fn wait(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn new_volume(dir: &Path) -> Fleet {
    let fleet = Fleet::start(dir, &[]).expect("six blank daemons");
    let (ok, out, err) = fleet.volume(&["create", "--pages-per-pg", "128"]).expect("it runs");
    assert!(ok, "{out}{err}");
    fleet
}

fn az(node: usize) -> u8 {
    (node % NODES / 2 + 1) as u8
}

fn ask(fleet: &Fleet, nodes: &[usize], order: Order) -> Result<Report, String> {
    let place = |node: &usize| NodeAddress { az: az(*node), address: fleet.address(*node) };
    let config = Config {
        nodes: nodes.iter().map(place).collect(),
        tls: None,
        log: quorum::Settings::default(),
        on_superseded: |_| {},
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(operate(&config, &order))
}

fn place(fleet: &Fleet, node: usize) -> Place {
    Place { az: az(node), address: fleet.address(node) }
}

/// Two clients that insert until told to stop; any error is a failure.
struct Load {
    written: [AtomicU64; 2],
    stop: AtomicBool,
}

impl Load {
    fn during(&self, address: &str, work: impl FnOnce()) {
        std::thread::scope(|scope| {
            let client = |c: usize| {
                let mut sql = Client::connect(address).expect("it answers");
                while !self.stop.load(Ordering::SeqCst) {
                    let seq = self.written[c].load(Ordering::SeqCst);
                    let text = format!("INSERT INTO d.t VALUES ({c}, {seq}, '{}')", "y".repeat(300));
                    sql.query(&text).unwrap_or_else(|e| panic!("client {c}, row {seq}: {e}"));
                    self.written[c].store(seq + 1, Ordering::SeqCst);
                }
            };
            let clients = [0, 1].map(|c| scope.spawn(move || client(c)));
            let worked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
            self.stop.store(true, Ordering::SeqCst);
            clients.into_iter().for_each(|c| c.join().expect("no client sees an error"));
            worked.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        });
        self.stop.store(false, Ordering::SeqCst);
    }

    fn more(&self, rows: u64) {
        let total = || self.written.iter().map(|w| w.load(Ordering::SeqCst)).sum::<u64>();
        let wanted = total() + rows;
        wait("writes go on", || total() >= wanted);
    }

    fn audit(&self, sql: &mut Client) {
        let rows = sql.query("SELECT client, COUNT(*) FROM d.t GROUP BY client ORDER BY client");
        let rows = rows.expect("audited").text();
        for (client, written) in self.written.iter().enumerate() {
            let there = rows.iter().find(|r| r[0] == client.to_string()).map_or("0", |r| r[1].as_str());
            assert_eq!(there, written.load(Ordering::SeqCst).to_string(), "client {client}");
        }
        let check = sql.query("CHECK TABLE d.t").expect("checked").text();
        assert_eq!(check[0].last().map(String::as_str), Some("OK"), "{check:?}");
    }
}

#[test]
fn a_fleet_moves_to_empty_daemons_while_clients_write_and_old_addresses_find_it() {
    let scratch = Scratch::new("fleet-move").expect("a scratch folder");
    let mut fleet = new_volume(scratch.path());
    let old: Vec<usize> = (0..NODES).collect();
    let launch = fleet.compute(&scratch.path().join("c"));
    let server = launch.start().expect("a compute node");
    let mut sql = server.connect().expect("it answers");
    sql.query("CREATE DATABASE d").expect("created");
    sql.query("CREATE TABLE d.t (client INT, seq INT, v VARCHAR(500), PRIMARY KEY (client, seq))")
        .expect("made");
    let load = Load { written: Default::default(), stop: AtomicBool::new(false) };
    for node in 0..NODES {
        fleet.add(node / 2 + 1, &format!("m{}", node % 2 + 1)).expect("a blank daemon");
    }
    let new: Vec<usize> = (NODES..2 * NODES).collect();
    let mut report = Report::refused("not asked yet");
    load.during(&server.address, || {
        load.more(300);
        let grown = ask(&fleet, &old, Order::Grow(Grow { groups: 4 })).expect("relayed");
        assert_eq!(grown.problem, "");
        // One copy first, then everything.
        let segment = SegmentId { pg: PgId(0), position: 3 };
        let order = Order::Replace(Replace { segment, to: place(&fleet, NODES + 3) });
        assert_eq!(ask(&fleet, &old, order).expect("relayed").problem, "");
        load.more(100);
        let to = new.iter().map(|node| place(&fleet, *node)).collect();
        assert_eq!(ask(&fleet, &old, Order::Move(Move { to })).expect("relayed").problem, "");
        wait("every copy is at the new nodes, and every old one buried", || {
            report = ask(&fleet, &old, Order::Look(Look {}))
                .or_else(|_| ask(&fleet, &new, Order::Look(Look {})))
                .expect("told");
            report.left == 0
        });
        load.more(100);
    });
    let head = report.head.expect("the volume map");
    assert!(head.groups.len() >= 4, "the groups asked for are there");
    for group in &head.groups {
        for (position, member) in group.members.iter().enumerate() {
            assert_eq!(member.address, fleet.address(NODES + position), "{} {position}", group.pg);
        }
    }
    assert!(report.copies.iter().all(|copy| copy.member && !copy.lost), "{:?}", report.copies);
    load.audit(&mut sql);
    // The old list leads to the volume for as long as one of its nodes is asked; all of its copies are elsewhere.
    server.kill9();
    let server = launch.start().expect("it opens by the old addresses");
    let mut sql = server.connect().expect("it answers");
    load.audit(&mut sql);
    load.during(&server.address, || load.more(50));
    // Then the old nodes go for good.
    old.iter().for_each(|node| fleet.kill9(*node));
    load.during(&server.address, || load.more(100));
    server.kill9();
    let server =
        fleet.compute_of(&new, &scratch.path().join("c")).start().expect("it opens at the new nodes");
    let mut sql = server.connect().expect("it answers");
    load.audit(&mut sql);
    assert!(server.terminate().expect("it ends").success());
}

#[test]
fn orders_that_cannot_be_carried_out_say_why() {
    let scratch = Scratch::new("fleet-orders").expect("a scratch folder");
    let mut fleet = new_volume(scratch.path());
    let all: Vec<usize> = (0..NODES).collect();
    let nobody = ask(&fleet, &all[..1], Order::Look(Look {})).expect_err("there is no writer");
    assert!(nobody.contains("no compute node has the volume open here"), "{nobody}");
    let server = fleet.compute(&scratch.path().join("c")).start().expect("a compute node");
    let problem = |fleet: &Fleet, order: Order| ask(fleet, &all, order).expect("relayed").problem;
    let segment = |pg: u32, position: u8| SegmentId { pg: PgId(pg), position };
    let absent = Order::Replace(Replace { segment: segment(77, 0), to: place(&fleet, 0) });
    assert!(problem(&fleet, absent).contains("there is no copy"));
    let blank = fleet.add(2, "m1").expect("a blank daemon");
    let to = Place { az: 2, address: fleet.address(blank) };
    let elsewhere = Order::Replace(Replace { segment: segment(0, 0), to: to.clone() });
    assert!(problem(&fleet, elsewhere).contains("position 0 is in az1"));
    let silent = Place { az: 2, address: "127.0.0.1:1".to_string() };
    assert!(problem(&fleet, Order::Move(Move { to: vec![silent] })).contains("127.0.0.1:1"));
    let twice = Order::Move(Move { to: vec![to.clone(), place(&fleet, 2), place(&fleet, 3)] });
    assert!(problem(&fleet, twice).contains("two positions"));
    drop(server);
}
