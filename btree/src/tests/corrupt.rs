//! The tree check sees: fourteen planted corruptions, each found, and none in the healthy tree.

use super::*;
use crate::layout::{FLAGS, GARBAGE, HIGH, LEVEL, PREFIX, RIGHT, TREE, slot_at};
use crate::view::View;
use buffer_pool::testing::yield_now;
use protocol::contract::{PageReader, ReadError};
use protocol::env::BoxFuture;
use protocol::page::PageBuf;
use protocol::redo::Op;
use protocol::{Lsn, PAGE_BYTES};

fn healthy() -> Bed {
    let bed = Bed::new(256, Durability::Instant);
    for number in 0..1500u64 {
        let key = format!("table/{:06}", number * 7919 % 1500);
        bed.put(key.as_bytes(), &[1; 120]);
    }
    bed.assert_whole();
    bed
}

/// A leaf in the middle, with both neighbours and a prefix.
fn middle(bed: &Bed) -> PageId {
    let root = block_on(bed.pool.pin(bed.tree.root_id())).expect("pin");
    let leaves: Vec<PageId> =
        root.read(|b| (1..View(b).count() - 2).map(|i| View(b).child(i)).collect()).expect("read");
    let prefix = |page: PageId| {
        block_on(bed.pool.pin(page)).expect("pin").read(|b| View(b).prefix_len()).expect("read")
    };
    leaves.into_iter().find(|leaf| prefix(*leaf) > 0).expect("a leaf with a prefix")
}

fn write(bed: &Bed, page: PageId, offset: usize, bytes: &[u8]) {
    let pin = block_on(bed.pool.pin(page)).expect("pin");
    block_on(bed.space.change(&[&pin], 1000, |mtr| {
        let no = mtr.page_no(&pin);
        mtr.run(no, Op::Write { offset: offset as u16, bytes });
        Decision::Done(())
    }))
    .expect("write");
}

fn read(bed: &Bed, page: PageId, at: usize, len: usize) -> Vec<u8> {
    block_on(bed.pool.pin(page)).expect("pin").read(|b| b[at..at + len].to_vec()).expect("read")
}

/// Plants and expects a finding that says so.
#[track_caller]
fn caught(what: &str, plant: impl Fn(&Bed, PageId)) {
    let bed = healthy();
    let leaf = middle(&bed);
    plant(&bed, leaf);
    let findings = block_on(bed.tree.check(|_, _, _| {})).expect("check");
    assert!(findings.iter().any(|f| f.what.contains(what)), "not caught: {what}; {}", texts(&findings));
}

#[test]
fn keys_out_of_order() {
    caught("not in rising order", |bed, leaf| {
        let (a, b) = (read(bed, leaf, slot_at(3), 8), read(bed, leaf, slot_at(4), 8));
        write(bed, leaf, slot_at(3), &[b, a].concat());
    });
}

#[test]
fn a_hint_of_another_key() {
    caught("the hint is not of its key", |bed, leaf| write(bed, leaf, slot_at(2) + 4, &[7]));
}

#[test]
fn a_key_outside_the_fences() {
    caught("outside the fences", |bed, leaf| {
        let (at, len) = block_on(bed.pool.pin(leaf)).expect("pin").read(|b| View(b).slot(0)).expect("read");
        let mut lower = read(bed, leaf, at + 2, len);
        lower[0] = 0;
        write(bed, leaf, at + 2, &lower);
    });
}

#[test]
fn a_right_link_past_a_page() {
    caught("not the left neighbour's high fence", |bed, leaf| {
        let right = PageId(u64::from_le_bytes(read(bed, leaf, RIGHT, 8).try_into().expect("8")));
        let next = read(bed, right, RIGHT, 8);
        write(bed, leaf, RIGHT, &next);
    });
}

#[test]
fn a_right_link_in_a_circle() {
    caught("reached twice", |bed, leaf| write(bed, leaf, RIGHT, &leaf.0.to_le_bytes()));
}

#[test]
fn a_wrong_level() {
    caught("of level 1 instead of 0", |bed, leaf| write(bed, leaf, LEVEL, &[1]));
}

#[test]
fn a_page_of_another_tree() {
    caught("of tree 99 instead", |bed, leaf| write(bed, leaf, TREE, &99u64.to_le_bytes()));
}

#[test]
fn a_deleted_page_still_linked() {
    caught("deleted, but still linked", |bed, leaf| write(bed, leaf, FLAGS, &[1, 0]));
}

#[test]
fn a_wrong_high_fence() {
    caught("not the left neighbour's high fence", |bed, leaf| {
        let at = u16::from_le_bytes(read(bed, leaf, HIGH, 2).try_into().expect("2"));
        let len = u16::from_le_bytes(read(bed, leaf, HIGH + 2, 2).try_into().expect("2"));
        write(bed, leaf, usize::from(at + len - 1), b"~");
    });
}

#[test]
fn garbage_miscounted() {
    caught("garbage", |bed, leaf| {
        let garbage = u16::from_le_bytes(read(bed, leaf, GARBAGE, 2).try_into().expect("2"));
        write(bed, leaf, GARBAGE, &(garbage + 1).to_le_bytes());
    });
}

#[test]
fn entries_that_overlap() {
    caught("overlaps", |bed, leaf| {
        let first = read(bed, leaf, slot_at(0), 2);
        write(bed, leaf, slot_at(1), &first);
    });
}

#[test]
fn a_prefix_too_long() {
    caught("prefix", |bed, leaf| {
        let prefix = u16::from_le_bytes(read(bed, leaf, PREFIX, 2).try_into().expect("2"));
        write(bed, leaf, PREFIX, &(prefix + 4).to_le_bytes());
    });
}

#[test]
fn a_parent_that_names_another_child() {
    caught("another low fence than its entry", |bed, leaf| {
        let root = bed.tree.root_id();
        let other = block_on(bed.pool.pin(root)).expect("pin").read(|b| View(b).value_at(0).0).expect("read");
        write(bed, root, other, &leaf.0.to_le_bytes());
    });
}

#[test]
fn a_map_that_forgot_a_page_and_one_that_kept_one() {
    for (what, flip) in [("not marked used", 0u16), ("nothing refers to it", 1)] {
        caught(what, |bed, leaf| {
            let extent = crate::space::extent_of(leaf);
            let map = crate::space::map_page(extent);
            let at = 64 + 16 * extent as usize + 12;
            let bits = u16::from_le_bytes(read(bed, map, at, 2).try_into().expect("2"));
            let bit = 1 << (leaf.0 - crate::space::first_page(extent).0);
            let bits = if flip == 0 { bits & !bit } else { bits };
            write(bed, map, at, &bits.to_le_bytes());
            if flip == 1 {
                // The newest extent has pages left: one is marked used.
                let head = block_on(bed.pool.pin(bed.tree.root_id())).expect("pin");
                let newest = head.read(|b| View(b).extents() - 1).expect("read");
                let at = 64 + 16 * newest as usize + 12;
                write(bed, crate::space::map_page(newest), at, &[0xFF, 0xFF]);
            }
        });
    }
}

/// A reader that flips a byte of one page.
struct Rot {
    volume: Arc<MemoryVolume>,
    page: PageId,
}

impl PageReader for Rot {
    fn read(&self, page: PageId, at: Lsn) -> BoxFuture<'_, Result<PageBuf, ReadError>> {
        Box::pin(async move {
            yield_now().await;
            let mut image = self.volume.image(page, at);
            if page == self.page {
                image.bytes_mut()[PAGE_BYTES - 9] ^= 1;
            }
            Ok(image)
        })
    }
}

#[test]
fn an_image_whose_checksum_does_not_hold() {
    let bed = healthy();
    let page = middle(&bed);
    let volume = bed.volume.crash_at(*bed.volume.cpls().last().expect("a CPL"));
    let rot = Arc::new(Rot { volume: volume.clone(), page });
    let pool = BufferPool::new(PoolConfig { frames: 256 }, volume, rot, None);
    block_on(async {
        let space = Space::open(&pool).await.expect("open");
        let tree = Tree::open(&space, bed.tree.root_id()).await.expect("tree");
        let findings = tree.check(|_, _, _| {}).await.expect("check");
        assert!(findings.iter().any(|f| f.what.contains("checksum")), "{}", texts(&findings));
    });
}
