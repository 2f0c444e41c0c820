//! Golden scripts: the redo of an insert, an update, a delete, a split, a merge; and what a record may be.

use super::*;
use protocol::page::PAGE_BYTES;
use protocol::redo::{Op, Ops};
use protocol::{Lsn, Record};

/// One line per record: page by its place in the script, and its operations with lengths, not contents.
fn script(bed: &Bed, from: Lsn) -> Vec<String> {
    let root = bed.tree.root_id().0;
    bed.volume
        .records()
        .iter()
        .filter(|r| r.lsn > from)
        .map(|r| {
            let ops: Vec<String> = Ops::new(r.ops()).map(|op| text(&op.expect("decodes"))).collect();
            let page = match r.page.0 {
                0 => "volume".to_string(),
                1 => "map".to_string(),
                id => format!("root+{}", id - root),
            };
            format!("{page} {:?}: {}", r.flags, ops.join(", "))
        })
        .collect()
}

fn text(op: &Op<'_>) -> String {
    match op {
        Op::Init { kind } => format!("init {kind:?}"),
        Op::Write { offset, bytes } => format!("write {offset}+{}", bytes.len()),
        Op::Move { from, to, len } => format!("move {from}->{to}+{len}"),
        Op::Fill { offset, len, .. } => format!("fill {offset}+{len}"),
        Op::StampLsn { offset } => format!("stamp {offset}"),
        Op::Discard => "discard".into(),
    }
}

fn last(bed: &Bed) -> Lsn {
    *bed.volume.cpls().last().expect("a CPL")
}

#[test]
fn small_changes_write_little() {
    let bed = Bed::new(96, Durability::Instant);
    bed.put(&number_key(1), &[1; 100]);
    bed.put(&number_key(3), &[1; 100]);
    let from = last(&bed);
    bed.put(&number_key(2), &[2; 100]);
    assert_eq!(
        script(&bed, from),
        ["root+0 c: write 16054+110, move 96->104+8, write 96+2, write 80+4"],
        "an insert: entry, slots moved, slot, counts"
    );
    let from = last(&bed);
    let mut value = [2; 100];
    value[50..54].copy_from_slice(&[9; 4]);
    bed.put(&number_key(2), &value);
    assert_eq!(script(&bed, from), ["root+0 c: write 16114+4"], "an update in place: the bytes that differ");
    let from = last(&bed);
    bed.delete(&number_key(1));
    assert_eq!(script(&bed, from), ["root+0 c: move 96->88+16, write 80+5"], "a delete: slots moved, counts");
    let size: usize = bed.volume.records().iter().filter(|r| r.lsn > from).map(Record::len).sum();
    assert!(size <= 100, "{size} bytes for a delete");
}

#[test]
fn a_split_logs_the_moved_half_once() {
    let bed = Bed::new(96, Durability::Instant);
    let mut number = 0u64;
    // Down to the last split of a leaf that is not the root's push-down.
    let (from, moved) = loop {
        let from = last(&bed);
        number += 1;
        bed.put(&number_key(number * 7919 % 1000), &[1; 150]);
        let records: Vec<Record> = bed.volume.records().into_iter().filter(|r| r.lsn > from).collect();
        let inits = records.iter().filter(|r| r.starts_with_init()).count();
        if number > 120 && inits == 1 {
            break (from, records);
        }
    };
    let lines = script(&bed, from);
    assert_eq!(lines.len(), 5, "{lines:#?}");
    assert!(lines[0].starts_with("map"), "{lines:#?}");
    assert!(lines[1].contains("init Tree") && lines[2].contains("write 56+1"), "{lines:#?}");
    assert!(lines[3].starts_with("root+0 c:"), "the post: {lines:#?}");
    let total: usize = moved.iter().map(Record::len).sum();
    assert!(total < PAGE_BYTES * 6 / 10, "{total} bytes of redo for a split of one page");
    bed.assert_whole();
}

/// A record above half a page is an init or an overflow page.
#[test]
fn long_records_start_with_init() {
    let bed = Bed::new(256, Durability::Instant);
    let mut random = Random(3);
    for _ in 0..3000 {
        let key = number_key(random.below(600));
        if random.below(3) == 0 {
            bed.delete(&key);
        } else {
            bed.put(&key, &vec![1; random.below(2000) as usize]);
        }
    }
    let records = bed.volume.records();
    let long: Vec<&Record> = records.iter().filter(|r| r.len() > PAGE_BYTES / 2).collect();
    assert!(!long.is_empty());
    assert!(long.iter().all(|r| r.starts_with_init()), "{:?}", long.iter().find(|r| !r.starts_with_init()));
    assert!(records.iter().all(|r| r.len() <= PAGE_BYTES + 1024));
    bed.assert_whole();
}
