//! A crash of the machine at every CPL of a recorded trace: the tree is whole and holds what was durable (I19).

use super::*;
use protocol::Lsn;
use protocol::mutant::{self, Mutant};

/// Inserts, replaces and deletes enough to split and merge on two levels; what the tree holds at each LSN.
fn trace(bed: &Bed) -> Vec<(Lsn, BTreeMap<u64, usize>)> {
    let mut random = Random(7);
    let mut now = BTreeMap::new();
    let mut states = Vec::new();
    for round in 0..1800u64 {
        let number = random.below(300);
        let lsn = if (round / 300) % 2 == 1 && random.below(8) > 0 {
            now.remove(&number);
            bed.delete(&number_key(number)).lsn
        } else {
            let len = 600 + random.below(900) as usize;
            now.insert(number, len);
            bed.put(&number_key(number), &vec![number as u8; len]).lsn
        };
        states.push((lsn, now.clone()));
    }
    states
}

#[test]
fn the_tree_is_whole_at_every_cpl() {
    let bed = Bed::new(256, Durability::Instant);
    let made = *bed.volume.cpls().last().expect("made");
    let states = trace(&bed);
    let counters = bed.pool.counters();
    let of = |kind: &str| counters.redo.iter().find(|r| r.0 == kind).map_or(0, |r| r.1);
    assert!(of("split") > 30 && of("post") > 30 && of("merge") > 12, "{:?}", counters.redo);
    let cpls = bed.volume.cpls();
    for cpl in cpls.into_iter().filter(|c| *c >= made) {
        let crashed = Bed::reopen(bed.volume.crash_at(cpl), 96, bed.tree.root_id());
        crashed.assert_whole();
        let at = states.iter().rfind(|(lsn, _)| *lsn != Lsn::ZERO && *lsn <= cpl);
        let expected: BTreeMap<Vec<u8>, usize> =
            at.map(|(_, s)| s.iter().map(|(n, l)| (number_key(*n), *l)).collect()).unwrap_or_default();
        let found: BTreeMap<Vec<u8>, usize> = crashed.all().into_iter().map(|(k, v)| (k, v.len())).collect();
        assert_eq!(found, expected, "at {cpl}");
    }
}

/// The catcher of the mutant SplitKeepsHighKey is the tree check.
#[test]
fn mutant_split_keeps_high_key_is_caught() {
    let bed = Bed::new(256, Durability::Instant);
    mutant::set(Some(Mutant::SplitKeepsHighKey));
    for number in 0..400u64 {
        let number = number * 7919 % 400;
        bed.put(&number_key(number), &[1; 300]);
    }
    mutant::set(None);
    let findings = block_on(bed.tree.check(|_, _, _| {})).expect("check");
    assert!(findings.iter().any(|f| f.what.contains("fence")), "{}", texts(&findings));
}

/// A split whose post was lost: found by the right link, posted by the next writer that walks over it.
#[test]
fn a_lost_post_is_made_up_for() {
    let bed = Bed::new(256, Durability::Instant);
    for number in 0..200u64 {
        bed.put(&number_key(number * 7919 % 200), &[1; 300]);
    }
    let records = bed.volume.records();
    // The CPL right after a record that initialises a leaf beside the one it split.
    let split =
        records.iter().rfind(|r| r.starts_with_init() && r.page != bed.tree.root_id()).expect("a split");
    let cpl = bed.volume.cpls().into_iter().find(|c| *c >= split.lsn).expect("its CPL");
    let crashed = Bed::reopen(bed.volume.crash_at(cpl), 96, bed.tree.root_id());
    crashed.assert_whole();
    let before = crashed.pool.counters().redo.iter().find(|r| r.0 == "post").map_or(0, |r| r.1);
    for number in 0..200u64 {
        crashed.put(&number_key(number), &[2; 10]);
    }
    let after = crashed.pool.counters().redo.iter().find(|r| r.0 == "post").map_or(0, |r| r.1);
    assert!(after > before, "nobody posted the split");
    crashed.assert_whole();
}
