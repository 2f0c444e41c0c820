//! R8(f) at the socket: while the node is not leased, commands wait; nothing of the data is told.

use super::Running;
use super::client::{Client, code, packet};
use super::faults::wait_until;
use crate::lease::Lease;
use protocol::VolumeEpoch;
use protocol::contract::LogError;
use protocol::env::BoxFuture;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::sync::Notify;

/// A lease that the test grants and takes.
#[derive(Default)]
struct Given {
    holds: AtomicBool,
    lost: AtomicBool,
    waiting: AtomicU64,
    moved: Notify,
}

impl Given {
    fn set(&self, holds: bool) {
        self.holds.store(holds, Ordering::SeqCst);
        self.moved.notify_waiters();
    }
}

impl Lease for Given {
    fn holds(&self) -> bool {
        self.holds.load(Ordering::SeqCst)
    }

    fn held(&self) -> BoxFuture<'_, Result<(), LogError>> {
        Box::pin(async {
            self.waiting.fetch_add(1, Ordering::SeqCst);
            loop {
                let moved = self.moved.notified();
                if self.lost.load(Ordering::SeqCst) {
                    return Err(LogError::Fenced { ours: VolumeEpoch(1), theirs: VolumeEpoch(2) });
                }
                if self.holds() {
                    return Ok(());
                }
                moved.await;
            }
        })
    }
}

fn start() -> (Running, Arc<Given>) {
    let (server, lease) = (Running::start(&[]), Arc::new(Given::default()));
    let given: Arc<dyn Lease> = lease.clone();
    assert!(server.shared.lease.set(given).is_ok(), "set once");
    lease.set(true);
    (server, lease)
}

#[test]
fn statements_wait_for_the_lease_and_are_answered_then() {
    let (server, lease) = start();
    let mut client = Client::root(server.address);
    assert_eq!(client.value("echo leased"), "leased");
    assert_eq!(lease.waiting.load(Ordering::SeqCst), 0, "who is leased does not wait");
    lease.set(false);
    client.send_query("echo later");
    wait_until(|| lease.waiting.load(Ordering::SeqCst) >= 1);
    // A lease that came and went while its waiter slept is none: it waits on.
    lease.moved.notify_waiters();
    assert_eq!(server.status("Threads_running"), 1);
    lease.set(true);
    assert!(client.result().iter().any(|packet| packet.ends_with(b"later")));
}

#[test]
fn a_ping_needs_no_lease_and_every_command_that_tells_something_does() {
    let (server, lease) = start();
    let mut client = Client::root(server.address);
    lease.set(false);
    assert_eq!(client.command(&[0x0e])[0], 0, "a ping tells nothing of the data");
    assert_eq!(lease.waiting.load(Ordering::SeqCst), 0);
    // Init DB, field list, prepare, execute, fetch, reset connection, change user.
    for command in [0x02, 0x04, 0x16, 0x17, 0x1c, 0x1f, 0x11] {
        let before = lease.waiting.load(Ordering::SeqCst);
        let mut client = {
            lease.set(true);
            Client::root(server.address)
        };
        lease.set(false);
        client.raw(&packet(0, &[command, b'x', 0, 0, 0, 0, 0, 0, 0, 0]));
        wait_until(|| lease.waiting.load(Ordering::SeqCst) > before);
    }
}

#[test]
fn a_node_that_was_superseded_says_nothing_more() {
    let (server, lease) = start();
    let mut client = Client::root(server.address);
    lease.set(false);
    client.send_query("echo never");
    wait_until(|| lease.waiting.load(Ordering::SeqCst) >= 1);
    lease.lost.store(true, Ordering::SeqCst);
    lease.moved.notify_waiters();
    assert!(client.is_closed(), "no answer, not even an error");
}

#[test]
fn who_waits_for_the_lease_can_be_killed() {
    let (server, lease) = start();
    let mut client = Client::root(server.address);
    let id = server.shared.registry.processes()[0].id;
    lease.set(false);
    client.send_query("echo never");
    wait_until(|| lease.waiting.load(Ordering::SeqCst) >= 1);
    assert!(server.shared.registry.kill(id, false));
    assert_eq!(code(&client.read().unwrap()), 3169);
    assert!(client.is_closed());
}
