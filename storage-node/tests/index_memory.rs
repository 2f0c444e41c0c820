//! What the index of stored pages is said to cost, against what the process really grows by. Alone in its binary: nothing else allocates.

use protocol::{Lsn, PageId};
use storage_node::Settings;
use storage_node::journal::{Change, Entry};
use storage_node::store::PageStore;

fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").expect("this process's status");
    let line = text.lines().find(|line| line.starts_with("VmRSS:")).expect("its resident memory");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("a number") << 10
}

fn stored(page: u64, lsn: u64, slot: u64) -> Entry {
    let change = Change::Add { oldest_known: false };
    Entry { page: PageId(page), lsn: Lsn(lsn), slot: Some(slot as u32), change }
}

/// Loads `entries` one by one; grown resident memory beside the estimate.
fn check(what: &str, entries: impl Iterator<Item = Entry>) {
    let mut store = PageStore::new();
    let before = resident_bytes();
    for entry in entries {
        store.apply(&[entry]);
    }
    let grown = resident_bytes().saturating_sub(before);
    let (said, versions) = (store.memory(), store.version_count() as u64);
    println!("{what}: {versions} versions, {grown} bytes grown, {said} said");
    assert!(grown <= said + (2 << 20), "{what}: {grown} bytes for {versions} versions, {said} were said");
    assert!(
        said <= 3 * grown,
        "{what}: {said} bytes were said, {grown} are held: the statement says nothing"
    );
    assert!(said <= Settings::index_bytes(versions, u64::from(store.slot_count())));
}

#[test]
fn the_index_holds_no_more_than_it_says() {
    const PAGES: u64 = 500_000;
    check("in order", (0..PAGES).map(|n| stored(n, 100, n)));
    // A page in two: every second is stored first, then those between.
    let shuffled = (0..PAGES).map(|n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15) % (1 << 40));
    check("in any order", shuffled.enumerate().map(|(n, page)| stored(page, 100, n as u64)));
    let twice = (0..PAGES).flat_map(|n| [stored(n, 100, 2 * n), stored(n, 200, 2 * n + 1)]);
    check("two versions a page", twice);
}
