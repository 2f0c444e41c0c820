//! Chain, block, scanner, journal, store: each against arbitrary input or a model.

use crate::sim::{Cluster, Rng, VOLUME, seg};
use bytes::Bytes;
use proptest::prelude::*;
use protocol::geometry::{Incarnation, NodeId};
use protocol::head::{HeadVersion, Truncation, TruncationList};
use protocol::lsn::{Lsn, VolumeEpoch};
use protocol::page::PageId;
use protocol::record::Record;
use storage_node::block::{self, BlockBuilder, BlockHeader, Claim, Owner};
use storage_node::chain::{Chain, Standing};
use storage_node::journal::{self, Batch, Change, Entry, JournalOwner, JournalTail};
use storage_node::scan::Scanner;
use storage_node::store::PageStore;
use storage_node::superblock::{SLOT_BYTES, Superblock};
use storage_node::{SECTOR_BYTES, Settings};

const OWNER: Owner = Owner { volume: VOLUME, node: NodeId(9) };
const FILE: u64 = 1 << 20;

fn records(seed: u64, count: usize) -> Vec<Record> {
    let mut cluster = Cluster::new(seed, Settings::small());
    (0..count).map(|_| cluster.write_random(5)).collect()
}

fn a_block(position: u64, sequence: u64, records: &[Record]) -> Vec<u8> {
    let bytes = records.iter().map(Record::len).sum();
    let claim =
        Claim { segment: seg(2), incarnation: Incarnation(3), scl: Lsn(sequence), epoch: VolumeEpoch(1) };
    let mut builder = BlockBuilder::new(&[claim], &[(seg(2), Incarnation(3), bytes)]);
    records.iter().for_each(|r| builder.frame(r.frame()));
    let header = BlockHeader { position, sequence, vdl: Lsn(5), head_version: HeadVersion::default() };
    builder.finish(OWNER, &header).to_vec()
}

/// A log of `count` blocks and where each ends.
fn a_log(seed: u64, count: u64) -> (Vec<u8>, Vec<usize>) {
    let mut rng = Rng(seed | 1);
    let all = records(seed, 40);
    let (mut log, mut ends) = (Vec::new(), Vec::new());
    for n in 0..count {
        let some = 1 + rng.below(30) as usize;
        log.extend(a_block(log.len() as u64, n + 1, &all[..some]));
        ends.push(log.len());
    }
    log.resize(FILE as usize, 0);
    (log, ends)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_order_and_repetition_gives_the_same_chain(seed in 1u64.., dropped in 0usize..60) {
        let all = records(seed, 60);
        let mut rng = Rng(seed);
        let mut order: Vec<&Record> = all.iter().enumerate().filter(|(i, _)| *i != dropped).map(|(_, r)| r).collect();
        order.extend_from_within(..20);
        for i in (1..order.len()).rev() {
            order.swap(i, rng.below(i as u64 + 1) as usize);
        }
        let mut chain = Chain::new(Lsn::ZERO, true);
        let mut before = Lsn::ZERO;
        for record in order {
            chain.insert(record.clone());
            prop_assert!(chain.scl() >= before);
            before = chain.scl();
        }
        let expected = if dropped == 0 { Lsn::ZERO } else { all[(dropped - 1).min(59)].lsn };
        prop_assert_eq!(chain.scl(), expected);
        if dropped < 59 {
            prop_assert!(chain.has_gap());
            prop_assert_eq!(chain.standing(&all[dropped]), Standing::New);
        }
        chain.insert(all[dropped.min(59)].clone());
        prop_assert_eq!(chain.scl(), all[59].lsn);
    }

    #[test]
    fn a_truncation_leaves_exactly_the_living(seed in 1u64.., cut in 0usize..59) {
        let all = records(seed, 60);
        let mut chain = Chain::new(Lsn::ZERO, false);
        all.iter().for_each(|r| { chain.insert(r.clone()); });
        let list = TruncationList {
            entries: vec![Truncation { epoch: VolumeEpoch(2), lo: all[cut].lsn, hi: Lsn(u64::MAX / 2) }],
        };
        prop_assert_eq!(chain.truncate(&list), 59 - cut);
        prop_assert_eq!(chain.scl(), all[cut].lsn);
        prop_assert_eq!(chain.highest(), all[cut].lsn);
    }

    #[test]
    fn arbitrary_bytes_are_no_log_and_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..20_000)) {
        let bytes = Bytes::from(bytes);
        prop_assert!(block::decode(&bytes, OWNER, 0).is_err());
        let mut scanner = Scanner::new(OWNER, FILE, 0, 1);
        prop_assert!(scanner.file(0, &bytes).is_empty());
        prop_assert!(Superblock::newest(&bytes).is_none());
        let owner = JournalOwner { segment: seg(0), incarnation: Incarnation(1) };
        prop_assert!(journal::replay(owner, &bytes).is_none());
    }

    #[test]
    fn flipping_any_byte_of_a_block_is_seen(seed in 1u64..1000, at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let mut bytes = a_block(8192, 7, &records(seed, 10));
        prop_assert!(block::decode(&Bytes::from(bytes.clone()), OWNER, 8192).is_ok());
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        // The reserved bytes 5..8 lie before the checksum and mean nothing.
        if !(5..8).contains(&at) {
            prop_assert!(block::decode(&Bytes::from(bytes), OWNER, 8192).is_err());
        }
    }

    #[test]
    fn any_cut_of_the_log_leaves_the_blocks_before_it(seed in 1u64..1000, sectors in 0usize..80, garbage in any::<u8>()) {
        let (log, ends) = a_log(seed, 8);
        let cut = (sectors * SECTOR_BYTES).min(*ends.last().unwrap());
        let mut torn = log.clone();
        torn[cut..].fill(0);
        let whole = ends.iter().filter(|end| **end <= cut).count();
        // The block in flight left some of its sectors.
        if garbage != 0 && cut < *ends.last().unwrap() && !ends.contains(&(cut + SECTOR_BYTES)) {
            torn[cut..cut + 100].fill(garbage);
        }
        let mut scanner = Scanner::new(OWNER, FILE, 0, 1);
        let blocks = scanner.file(0, &Bytes::from(torn));
        prop_assert_eq!(blocks.len(), whole);
        prop_assert_eq!(scanner.missing, 0);
        prop_assert_eq!(scanner.expected, whole as u64 + 1);
    }

    #[test]
    fn a_bad_block_before_a_good_one_is_rot(seed in 1u64..1000, which in 0usize..7) {
        let (mut log, ends) = a_log(seed, 8);
        let start = if which == 0 { 0 } else { ends[which - 1] };
        log[start + 100] ^= 1;
        let mut scanner = Scanner::new(OWNER, FILE, 0, 1);
        let blocks = scanner.file(0, &Bytes::from(log));
        prop_assert_eq!(blocks.len(), 7);
        prop_assert_eq!(scanner.missing, 1);
        prop_assert!(scanner.dirty.is_none());
    }

    #[test]
    fn a_journal_gives_back_what_was_committed(sizes in proptest::collection::vec(0usize..300, 1..8), bad in any::<prop::sample::Index>()) {
        let owner = JournalOwner { segment: seg(0), incarnation: Incarnation(1) };
        let mut tail = JournalTail { generation: 3, blocks: 0, crc: 0 };
        let mut file = Vec::new();
        let (mut batches, mut ends) = (Vec::new(), Vec::new());
        for (n, size) in sizes.iter().enumerate() {
            let entry = |i: usize| Entry {
                page: PageId(i as u64), lsn: Lsn(n as u64 * 1000 + 1), slot: (!i.is_multiple_of(5)).then_some(i as u32),
                change: if i.is_multiple_of(7) { Change::Drop } else { Change::Add { oldest_known: i.is_multiple_of(2) } },
            };
            let batch = Batch { entries: (0..*size).map(entry).collect(), page_point: Lsn(n as u64), forgotten_below: Lsn(0), vdl: Lsn(7) };
            file.extend_from_slice(&journal::encode(owner, &mut tail, &batch));
            batches.push(batch);
            ends.push(file.len());
        }
        let replay = journal::replay(owner, &Bytes::from(file.clone())).unwrap();
        prop_assert_eq!(&replay.batches, &batches);
        prop_assert_eq!(replay.tail, tail);
        prop_assert!(!replay.rot);
        // A bad block ends it at the batch before; it is rot exactly when a later batch follows.
        let block = bad.index(file.len() / SECTOR_BYTES);
        file[block * SECTOR_BYTES + 50] ^= 1;
        let whole = ends.iter().filter(|end| **end <= block * SECTOR_BYTES).count();
        match journal::replay(owner, &Bytes::from(file)) {
            Some(replay) => {
                prop_assert_eq!(&replay.batches[..], &batches[..whole]);
                prop_assert_eq!(replay.rot, whole + 1 < batches.len());
            }
            None => prop_assert_eq!(whole, 0),
        }
    }

    #[test]
    fn collection_keeps_everything_at_or_above_pgmrpl(lsns in proptest::collection::btree_set(1u64..1000, 1..12), pgmrpl in 0u64..1100) {
        let mut store = PageStore::new();
        let page = PageId(1);
        let entries: Vec<Entry> = lsns.iter().enumerate().map(|(i, lsn)| Entry {
            page, lsn: Lsn(*lsn), slot: Some(i as u32), change: Change::Add { oldest_known: false },
        }).collect();
        store.apply(&entries);
        let before: Vec<_> = (pgmrpl..1100).map(|at| store.version_at(page, Lsn(at))).collect();
        let drop: Vec<Entry> = store.droppable(page, None, Lsn(pgmrpl), Lsn::ZERO).iter()
            .map(|v| Entry { page, lsn: v.lsn, slot: None, change: Change::Drop }).collect();
        let used = store.used_slots();
        store.apply(&drop);
        prop_assert_eq!(store.used_slots(), used - drop.len() as u64);
        let after: Vec<_> = (pgmrpl..1100).map(|at| store.version_at(page, Lsn(at))).collect();
        prop_assert_eq!(before, after);
        // And nothing needless stays: at most one version at or below PGMRPL.
        prop_assert!(lsns.iter().filter(|l| **l <= pgmrpl).count() as u64 <= drop.len() as u64 + 1);
    }
}

#[test]
fn either_superblock_slot_may_be_torn() {
    let mut file = vec![0; 2 * SLOT_BYTES];
    for sequence in 1..4u64 {
        let superblock = Superblock { sequence, ..Superblock::blank(VOLUME, NodeId(9), FILE) };
        let slot = superblock.encode().unwrap();
        let at = Superblock::slot_offset(sequence) as usize;
        let before = Superblock::newest(&Bytes::from(file.clone())).map(|s| s.sequence);
        assert_eq!(before, (sequence > 1).then_some(sequence - 1));
        // Torn: the write got half way.
        file[at..at + 30].copy_from_slice(&slot[..30]);
        file[at + 30..at + 60].fill(0xee);
        let torn = Superblock::newest(&Bytes::from(file.clone())).map(|s| s.sequence);
        assert_eq!(torn, (sequence > 1).then_some(sequence - 1));
        file[at..at + slot.len()].copy_from_slice(&slot);
        assert_eq!(Superblock::newest(&Bytes::from(file.clone())).unwrap(), superblock);
    }
}

#[test]
fn a_shorter_batch_after_a_torn_one_is_not_mixed_with_it() {
    let owner = JournalOwner { segment: seg(0), incarnation: Incarnation(1) };
    let batch = |count: u64, point: u64| Batch {
        entries: (0..count)
            .map(|i| Entry {
                page: PageId(i),
                lsn: Lsn(point),
                slot: Some(1),
                change: Change::Add { oldest_known: false },
            })
            .collect(),
        page_point: Lsn(point),
        forgotten_below: Lsn::ZERO,
        vdl: Lsn::ZERO,
    };
    let mut tail = JournalTail { generation: 1, blocks: 0, crc: 0 };
    let mut file = journal::encode(owner, &mut tail, &batch(1, 1)).to_vec();
    let before = tail;
    let long = journal::encode(owner, &mut tail, &batch(500, 2));
    file.extend_from_slice(&long);
    file[SECTOR_BYTES..2 * SECTOR_BYTES].fill(0);
    let replay = journal::replay(owner, &Bytes::from(file.clone())).unwrap();
    assert_eq!((replay.batches.len(), replay.rot, replay.tail), (1, false, before));
    // The next life writes a two-block batch of which only the first block arrives.
    let mut tail = replay.tail;
    let short = journal::encode(owner, &mut tail, &batch(200, 3));
    file[SECTOR_BYTES..2 * SECTOR_BYTES].copy_from_slice(&short[..SECTOR_BYTES]);
    let replay = journal::replay(owner, &Bytes::from(file)).unwrap();
    assert_eq!((replay.batches.len(), replay.rot, replay.tail), (1, false, before));
}
