//! Pages come from extents, go back, and are used again; dropped trees leave nothing.

use super::*;
use crate::{OwnerId, check_volume};
use protocol::contract::LogWriter;
use protocol::{Lsn, PageKind};
use std::collections::BTreeSet;

fn fill(bed: &Bed, count: u64) {
    for number in 0..count {
        bed.put(&number_key(number * 7919 % count), &[3; 500]);
    }
}

/// The highest page any record names.
fn highest(bed: &Bed) -> u64 {
    bed.volume.records().iter().map(|r| r.page.0).max().unwrap_or(0)
}

#[test]
fn merged_pages_are_used_again() {
    let bed = Bed::new(256, Durability::Instant);
    fill(&bed, 2000);
    let first = highest(&bed);
    for _ in 0..4 {
        for number in 0..2000 {
            bed.delete(&number_key(number));
        }
        bed.assert_whole();
        fill(&bed, 2000);
    }
    assert!(highest(&bed) <= first + 32, "grew from {first} to {}", highest(&bed));
    bed.assert_whole();
}

#[test]
fn free_pages_are_found_again_after_opening() {
    let bed = Bed::new(256, Durability::Instant);
    fill(&bed, 2000);
    for number in 0..2000 {
        bed.delete(&number_key(number));
    }
    let first = highest(&bed);
    let bed = Bed::reopen(bed.volume.crash_at(bed.volume.vdl()), 256, bed.tree.root_id());
    fill(&bed, 2000);
    assert!(highest(&bed) <= first + 16, "older extents were not searched: {first} {}", highest(&bed));
    bed.assert_whole();
}

#[test]
fn a_freed_page_waits_for_the_read_floor() {
    let bed = Bed::new(256, Durability::Manual);
    bed.volume.advance(Lsn::MAX);
    let page = |owner| block_on(bed.space.reserve_page(owner)).expect("reserve");
    let reserved = page(OwnerId::UNDO);
    let id = reserved.page_id();
    block_on(bed.space.change(&reserved.pins(), 500, |mtr| {
        reserved.claim(mtr, PageKind::Undo);
        Decision::Done(())
    }))
    .expect("claim");
    drop(reserved);
    bed.volume.advance(Lsn::MAX);
    let map = block_on(bed.space.map_of(id)).expect("map");
    block_on(bed.space.change(&[&map], 200, |mtr| {
        bed.space.release(mtr, id);
        Decision::Done(())
    }))
    .expect("free");
    let held: Vec<_> = (0..40).map(|_| page(OwnerId::UNDO)).collect();
    assert!(held.iter().all(|r| r.page_id() != id), "given out above the read floor");
    drop(held);
    bed.volume.advance(Lsn::MAX);
    // The floor is VDL now; a later record moves it past the freeing LSN.
    block_on(bed.space.change(&[bed.space.volume_page()], 200, |mtr| {
        bed.space.set_slot(mtr, 0, 9);
        Decision::Done(())
    }))
    .expect("slot");
    bed.volume.advance(Lsn::MAX);
    assert_eq!(page(OwnerId::UNDO).page_id(), id);
    assert_eq!(bed.space.slot(0), Ok(9));
}

#[test]
fn reserved_pages_go_back_and_used_ones_are_listed() {
    let bed = Bed::new(256, Durability::Instant);
    let undo = OwnerId::UNDO;
    let reserve = || block_on(bed.space.reserve_page(undo)).expect("reserve");
    let first = reserve().page_id();
    assert_eq!(reserve().page_id(), first);
    let mut used = BTreeSet::new();
    for _ in 0..40 {
        let reserved = reserve();
        block_on(bed.space.change(&reserved.pins(), 500, |mtr| {
            reserved.claim(mtr, PageKind::Undo);
            Decision::Done(())
        }))
        .expect("claim");
        assert!(used.insert(reserved.page_id()), "given out twice");
    }
    let listed = |bed: &Bed| -> BTreeSet<PageId> {
        block_on(bed.space.pages_of(undo)).expect("list").into_iter().collect()
    };
    assert_eq!(listed(&bed), used);
    let again = Bed::reopen(bed.volume.crash_at(bed.volume.vdl()), 96, bed.tree.root_id());
    assert_eq!(listed(&again), used);
    let next = block_on(again.space.reserve_page(undo)).expect("reserve").page_id();
    assert!(!used.contains(&next));
    let known = BTreeSet::from([again.tree.id()]);
    assert_eq!(block_on(check_volume(&again.space, &known)), Ok(Vec::new()));
}

#[test]
fn a_dropped_tree_gives_all_back_at_every_crash() {
    let bed = Bed::new(256, Durability::Instant);
    let (root, id) = block_on(async {
        let plan = bed.space.plan_tree().await.expect("plan");
        let (root, id) = (plan.root(), plan.tree_id());
        let tree = Tree::create(&bed.space, plan).await.expect("create");
        for number in 0..4500u64 {
            put(&tree, &number_key(number * 7919 % 4500), &[1; 700]).await.expect("put");
        }
        assert_eq!(tree.check(|_, _, _| {}).await, Ok(Vec::new()));
        (root, id)
    });
    let before = bed.volume.vdl();
    block_on(Tree::drop_tree(&bed.space, root, id)).expect("drop");
    let after = bed.volume.vdl();
    assert!(matches!(block_on(Tree::open(&bed.space, root)), Err(TreeError::Gone { .. })));
    let known = BTreeSet::from([bed.tree.id()]);
    assert_eq!(block_on(check_volume(&bed.space, &known)), Ok(Vec::new()));
    let mut orphans = 0;
    for cpl in bed.volume.cpls().into_iter().filter(|c| (before..=after).contains(c)) {
        let crashed = Bed::reopen(bed.volume.crash_at(cpl), 96, bed.tree.root_id());
        let found = block_on(check_volume(&crashed.space, &known)).expect("check");
        orphans += usize::from(!found.is_empty());
        block_on(Tree::drop_tree(&crashed.space, root, id)).expect("drop again");
        block_on(Tree::drop_tree(&crashed.space, root, id)).expect("and again");
        assert_eq!(block_on(check_volume(&crashed.space, &known)), Ok(Vec::new()), "at {cpl}");
    }
    assert!(orphans > 2, "the drop was one step");
    // What was given back is used again.
    let high = highest(&bed);
    block_on(async {
        let plan = bed.space.plan_tree().await.expect("plan");
        assert!(plan.tree_id() > id, "an id was used twice");
        let tree = Tree::create(&bed.space, plan).await.expect("create");
        for number in 0..4500u64 {
            put(&tree, &number_key(number * 7919 % 4500), &[1; 700]).await.expect("put");
        }
        assert_eq!(tree.check(|_, _, _| {}).await, Ok(Vec::new()));
    });
    assert_eq!(highest(&bed), high);
}

#[test]
fn a_planned_tree_that_was_never_made_is_nothing() {
    let bed = Bed::new(96, Durability::Instant);
    let plan = block_on(bed.space.plan_tree()).expect("plan");
    let (root, id) = (plan.root(), plan.tree_id());
    let again = Bed::reopen(bed.volume.crash_at(bed.volume.vdl()), 96, bed.tree.root_id());
    block_on(Tree::drop_tree(&again.space, root, id)).expect("nothing to drop");
    drop(plan);
    assert_eq!(block_on(bed.space.plan_tree()).expect("plan").root(), root);
    assert!(matches!(block_on(Tree::open(&bed.space, root)), Err(TreeError::Gone { .. })));
}

#[test]
fn estimates_are_exact_on_a_leaf_and_near_elsewhere() {
    let bed = Bed::new(512, Durability::Instant);
    for number in 0..20_000u64 {
        bed.put(&number_key(number), &[1; 40]);
    }
    let estimate = |a: u64, b: u64| {
        let (a, b) = (number_key(a), number_key(b));
        block_on(bed.tree.estimate_range(Bound::Included(&a), Bound::Excluded(&b))).expect("estimate")
    };
    assert_eq!(estimate(5, 9), crate::Estimate { entries: 4, pages: 1 });
    for (a, b) in [(0, 20_000), (100, 10_100), (5000, 6000), (19_000, 20_000)] {
        let found = estimate(a, b).entries;
        let real = b - a;
        assert!(found > real / 2 && found < real * 2, "{a}..{b}: {found}");
    }
    let all = block_on(bed.tree.estimate_range(Bound::Unbounded, Bound::Unbounded)).expect("estimate");
    assert!(all.pages > 50 && all.pages < 250, "{all:?}");
}
