//! More data than memory, and more redo than LAL.

use super::*;
use protocol::contract::LogWriter;

#[test]
fn data_ten_times_the_pool_and_redo_ten_times_lal() {
    let volume = MemoryVolume::with(Durability::Behind(50), 300_000, 1);
    let bed = Bed::over(96, volume);
    let count = 24_000u64;
    let mut extra = 0;
    for number in 0..count {
        let number = number * 7919 % count;
        let put = bed.put(&number_key(number), &[number as u8; 500]);
        extra = put.lsn.0;
    }
    assert!(extra > 10 * 300_000, "{extra} bytes of redo");
    let counters = bed.pool.counters();
    assert!(counters.evictions > 960, "{counters:?}");
    for number in (0..count).step_by(97) {
        assert_eq!(bed.get(&number_key(number)), Some(vec![number as u8; 500]));
    }
    let estimate = block_on(bed.tree.estimate_range(Bound::Unbounded, Bound::Unbounded)).expect("estimate");
    assert!(estimate.pages > 960, "{estimate:?}");
    bed.assert_whole();
    assert!(bed.volume.vdl() > protocol::Lsn(0));
}

#[test]
fn rising_keys_leave_full_pages() {
    let bed = Bed::new(512, Durability::Instant);
    for number in 0..10_000u64 {
        bed.put(&number_key(number), &[1; 100]);
    }
    let leaves =
        block_on(bed.tree.estimate_range(Bound::Unbounded, Bound::Unbounded)).expect("estimate").pages;
    let bytes = 10_000 * (100 + 8 + 10);
    let full = bytes / 16_296 + 1;
    assert!(leaves <= full + 2, "{leaves} leaves for {full} pages of data");
    bed.assert_whole();
}

#[test]
fn a_fenced_writer_serves_nothing() {
    let bed = Bed::new(96, Durability::Instant);
    bed.put(b"a", b"1");
    bed.volume.fence();
    assert!(block_on(put(&bed.tree, b"b", b"2")).is_err());
    assert!(block_on(bed.tree.get(b"a", |_| ())).is_err());
    assert!(block_on(scan(&bed.tree, Bound::Unbounded, Bound::Unbounded, Direction::Forward, 5)).is_err());
}
