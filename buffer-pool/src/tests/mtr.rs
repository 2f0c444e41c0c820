//! Mini-transactions: what reaches the log, and what half of one does.

use super::*;
use crate::PoolError;
use protocol::RecordFlags;
use protocol::contract::LogWriter;

#[test]
fn one_record_per_page_and_the_commit_record_last() {
    let (volume, pool) = fresh(96, Durability::Instant);
    create(&pool, 1, 0);
    create(&pool, 2, 0);
    let (a, b) = block_on(async { (pool.pin(PageId(1)).await, pool.pin(PageId(2)).await) });
    let (a, b) = (a.expect("pin"), b.expect("pin"));
    let credit = block_on(pool.reserve(500)).expect("credit");
    let mut mtr = pool.begin(MtrKind::Plain, credit);
    let (one, two) = (mtr.latch(&a).expect("latch"), mtr.latch(&b).expect("latch"));
    mtr.run(one, Op::StampLsn { offset: 80 });
    mtr.run(two, Op::Fill { offset: AT, len: 1, byte: 3 });
    mtr.run(two, Op::Fill { offset: AT + 1, len: 1, byte: 3 });
    mtr.commit_at(one);
    let lsn = mtr.finish().expect("finish").lsn;
    let records = volume.records();
    let last = &records[records.len() - 2..];
    assert_eq!((last[0].page, last[1].page), (PageId(2), PageId(1)));
    assert!(last[1].flags.has(RecordFlags::CPL) && last[1].flags.has(RecordFlags::COMMIT));
    assert!(!last[0].flags.has(RecordFlags::CPL));
    assert_eq!(last[1].lsn, lsn);
    let stamped = a.read(|b| u64::from_le_bytes(b[80..88].try_into().expect("8"))).expect("read");
    assert_eq!(stamped, lsn.0, "the commit record stamps its own LSN");
    assert_eq!(b.read(protocol::page::lsn), Ok(last[0].lsn));
    assert_eq!(b.read(|b| *b), Ok(without_crc(&volume, PageId(2))), "memory equals replay (I15)");
}

fn without_crc(volume: &Arc<MemoryVolume>, page: PageId) -> [u8; protocol::PAGE_BYTES] {
    let mut bytes = *volume.image(page, volume.vdl()).bytes();
    bytes[..4].fill(0);
    bytes
}

#[test]
fn nothing_changed_logs_nothing_and_gives_credit_back() {
    let volume = MemoryVolume::with(Durability::Manual, 1000, 0);
    let pool = pool(96, &volume);
    let pin = block_on(pool.pin_new(PageId(1))).expect("pin");
    for _ in 0..10 {
        let credit = block_on(pool.reserve(900)).expect("credit");
        let mut mtr = pool.begin(MtrKind::Plain, credit);
        mtr.latch(&pin).expect("latch");
        assert_eq!(mtr.finish().expect("finish").lsn, Lsn::ZERO);
    }
    assert!(volume.records().is_empty());
}

#[test]
fn a_write_logs_only_what_differs() {
    let (volume, pool) = fresh(96, Durability::Instant);
    create(&pool, 1, 0x1122_3344_5566);
    let before = volume.records().len();
    write(&pool, 1, 0x1122_FF44_5566);
    write(&pool, 1, 0x1122_FF44_5566);
    let records = volume.records();
    assert_eq!(records.len(), before + 1, "the same again is no change");
    assert_eq!(records[before].ops(), [2, 67, 0, 1, 0, 0xFF], "one byte at offset 67");
    assert_eq!(read(&pool, 1), 0x1122_FF44_5566);
}

#[test]
fn credit_is_back_pressure() {
    let volume = MemoryVolume::with(Durability::Manual, 2000, 0);
    let pool = pool(96, &volume);
    create(&pool, 1, 0);
    create(&pool, 2, 0);
    let first = block_on(pool.reserve(1000)).expect("credit");
    let mut second = Box::pin(pool.reserve(1000));
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(second.as_mut().poll(&mut cx).is_pending());
    drop(first);
    assert!(second.as_mut().poll(&mut cx).is_ready(), "unused credit goes back");
}

#[test]
fn half_a_mini_transaction_poisons() {
    let (_volume, pool) = fresh(96, Durability::Instant);
    create(&pool, 1, 5);
    let pin = block_on(pool.pin(PageId(1))).expect("pin");
    let credit = block_on(pool.reserve(500)).expect("credit");
    let mut mtr = pool.begin(MtrKind::Plain, credit);
    let no = mtr.latch(&pin).expect("latch");
    mtr.run(no, Op::Fill { offset: AT, len: 8, byte: 9 });
    drop(mtr);
    assert_eq!(pin.read(value_of), Err(PoolError::Torn));
}

#[test]
fn a_page_number_given_out_again_is_not_read() {
    let (volume, pool) = fresh(96, Durability::Instant);
    create(&pool, 1, 5);
    for page in 100..300 {
        create(&pool, page, 0);
    }
    let before = pool.counters().fetches;
    create(&pool, 1, 77);
    assert_eq!(pool.counters().fetches, before);
    for page in 100..300 {
        create(&pool, page, 0);
    }
    assert_eq!(read(&pool, 1), 77);
    assert_eq!(value_of(volume.image(PageId(1), volume.vdl()).bytes()), 77);
}
