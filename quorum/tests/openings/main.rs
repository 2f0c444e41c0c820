//! A volume's life over six model segments per group that keep everything at once: created, opened, written, crashed, opened again.
//!
//! The model is deliberately naive (no disk, no gossip but what a test asks for); the director runs the same cores over the
//! real node with faults. What stands here is the order of things, and the refusals.

mod model;
mod places;
mod repairs;

use model::Model;
use protocol::contract::MtrRecord;
use protocol::head::Head;
use protocol::message::{
    Acked, Created, Envelope, LogSlice, Message, Peer, Refused, RefusedReason, Retired, SegmentState, node_of,
};
use protocol::page::PageKind;
use protocol::record::frame_len;
use protocol::redo::{Op, OpsBuf};
use protocol::{
    Incarnation, Lsn, NodeId, PageId, PgId, Record, SegmentId, SegmentRole, VolumeEpoch, VolumeId, WriterId,
};
use quorum::{
    Actions, Creator, Event, NewVolume, Notice, Outcome, RecoverSettings, Recoverer, Settings, Why, WriterLog,
};
use std::collections::{BTreeMap, VecDeque};

/// Six nodes; every message is delivered at once, in order, unless the segment is down.
#[derive(Default)]
struct Cluster {
    segments: BTreeMap<SegmentId, Model>,
    /// Copies in other folders than the founders', by folder.
    away: BTreeMap<(SegmentId, u128), Model>,
    now_us: u64,
    attempts: u128,
    pages: BTreeMap<u64, Lsn>,
}

#[allow(clippy::large_enum_variant)] // a handful live at a time
enum Core {
    Creator(Creator),
    Recoverer(Recoverer),
    Writer(Box<WriterLog>),
}

impl Cluster {
    /// Steps the core, delivers what it says, and what is answered, until silence. Returns how an opening ended.
    fn settle(&mut self, core: &mut Core, notices: &mut Vec<Notice>) -> Option<Outcome> {
        let mut events = VecDeque::from([Event::Tick]);
        let mut outcome = None;
        while let Some(event) = events.pop_front() {
            let mut actions = Actions::default();
            match core {
                Core::Creator(creator) => {
                    creator.step(self.now_us, event, &mut actions);
                }
                Core::Recoverer(recoverer) => {
                    outcome = outcome.or(recoverer.step(self.now_us, event, &mut actions));
                }
                Core::Writer(log) => log.step(self.now_us, event, &mut actions),
            }
            notices.append(&mut actions.notices);
            for Envelope { from, to, message } in actions.sends {
                let Peer::Segment(id) = to else { continue };
                let head = match core {
                    Core::Creator(_) => None,
                    Core::Recoverer(recoverer) => recoverer.head(),
                    Core::Writer(log) => Some(log.head()),
                };
                let home = head.and_then(|head| head.home(id)).map(|member| member.node);
                let node = node_of(&message).or(home).map_or(7, |node| node.0);
                let segment = match node {
                    0 | 7 => self.segments.entry(id).or_default(),
                    node => self.away.entry((id, node)).or_insert(Model { node, ..Model::default() }),
                };
                let answer = if segment.down { None } else { segment.answer(message) };
                events.extend(
                    answer.map(|message| {
                        Event::Message(Envelope { from: Peer::Segment(id), to: from, message })
                    }),
                );
            }
        }
        outcome
    }

    fn create(&mut self) {
        let new = NewVolume {
            volume: VolumeId(5),
            pages_per_pg: 1,
            lease_ms: 600,
            nodes: [NodeId(7); 6],
            writer: WriterId(1),
            ask_us: 1_000,
        };
        let mut core = Core::Creator(Creator::new(new));
        self.settle(&mut core, &mut Vec::new());
        let Core::Creator(creator) = core else { unreachable!("it was a creator") };
        assert_eq!(creator.waiting(), Vec::<u8>::new());
    }

    fn attempt(&mut self) -> Recoverer {
        self.attempts += 1;
        Recoverer::new(RecoverSettings {
            settings: Settings { lal_bytes: 60_000, ..Settings::default() },
            volume: Some(VolumeId(5)),
            writer: WriterId(100 + self.attempts),
            nonce: 1_000 + self.attempts,
        })
    }

    /// Lets an opening run for two virtual seconds.
    fn try_open(&mut self) -> Result<WriterLog, Option<Outcome>> {
        let mut core = Core::Recoverer(self.attempt());
        for _ in 0..200 {
            self.now_us += 10_000;
            match self.settle(&mut core, &mut Vec::new()) {
                Some(Outcome::Opened(log)) => return Ok(*log),
                Some(other) => return Err(Some(other)),
                None => {}
            }
        }
        Err(None)
    }

    fn open(&mut self) -> WriterLog {
        self.try_open().unwrap_or_else(|outcome| panic!("it opens, but {outcome:?}"))
    }

    /// Runs the writer for this many ticks of 10 ms.
    fn run(&mut self, log: WriterLog, ticks: usize, notices: &mut Vec<Notice>) -> WriterLog {
        let mut core = Core::Writer(Box::new(log));
        for _ in 0..ticks {
            self.now_us += 10_000;
            self.settle(&mut core, notices);
        }
        let Core::Writer(log) = core else { unreachable!("it was a writer") };
        *log
    }

    fn write(&mut self, log: &mut WriterLog, pages: &[u64]) -> Lsn {
        let mut ops = OpsBuf::new();
        ops.push(Op::Init { kind: PageKind::Tree });
        let bytes = pages.len() as u64 * frame_len(ops.bytes(), false) as u64;
        assert_eq!(log.try_reserve(bytes), Ok(true));
        let mut records: Vec<MtrRecord<'_>> = pages
            .iter()
            .map(|page| MtrRecord {
                page: PageId(*page),
                prev_page: self.pages.get(page).copied().unwrap_or(Lsn::ZERO),
                ops: &ops,
                lsn: Lsn::ZERO,
            })
            .collect();
        let cpl = log.append(self.now_us, &mut records, true).expect("the log is open");
        for record in &records {
            self.pages.insert(record.page.0, record.lsn);
        }
        cpl
    }

    fn at(&mut self, pg: u32, position: u8) -> &mut Model {
        self.segments.get_mut(&SegmentId { pg: PgId(pg), position }).expect("a segment")
    }
}

/// Created, opened, one group grown, something written to both.
fn written() -> (Cluster, WriterLog, Lsn) {
    let mut cluster = Cluster::default();
    cluster.create();
    let mut log = cluster.open();
    assert_eq!((log.epoch(), log.vdl()), (VolumeEpoch(1), Lsn::ZERO));
    assert_eq!(log.ensure_group(PgId(1)), Ok(false));
    let mut notices = Vec::new();
    log = cluster.run(log, 3, &mut notices);
    assert!(notices.contains(&Notice::GroupOpened(PgId(1))), "{notices:?}");
    cluster.write(&mut log, &[0, 1]);
    let cpl = cluster.write(&mut log, &[0]);
    log = cluster.run(log, 3, &mut notices);
    assert_eq!(log.vdl(), cpl);
    (cluster, log, cpl)
}

#[test]
fn what_was_durable_is_found_by_the_next_opening() {
    let (mut cluster, log, cpl) = written();
    let ceiling = log.ceiling();
    drop(log);
    let mut next = cluster.open();
    assert_eq!((next.epoch(), next.vdl()), (VolumeEpoch(2), cpl));
    assert!(next.ceiling() >= ceiling.advance(60_000), "R1: {} after {ceiling}", next.ceiling());
    let first = cluster.write(&mut next, &[1]);
    assert!(first > next.ceiling());
    let next = cluster.run(next, 3, &mut Vec::new());
    assert_eq!(next.vdl(), first);
}

#[test]
fn half_a_mini_transaction_is_dead_for_ever() {
    let (mut cluster, mut log, cpl) = written();
    for position in 0..6 {
        cluster.at(1, position).down = true;
    }
    cluster.write(&mut log, &[0, 1]);
    drop(cluster.run(log, 1, &mut Vec::new()));
    for position in 0..6 {
        cluster.at(1, position).down = false;
    }
    assert!(cluster.at(0, 0).scl() > cpl, "the part of group 0 arrived");
    let log = cluster.open();
    assert_eq!(log.vdl(), cpl);
    assert!(cluster.at(0, 0).scl() <= cpl, "and is gone");
}

#[test]
fn a_straggler_is_given_the_newest_list_before_it_counts() {
    let (mut cluster, mut log, cpl) = written();
    cluster.at(0, 5).down = true;
    for position in 0..4 {
        cluster.at(1, position).down = true;
    }
    // A record that only the straggler will show, and that the next opening truncates.
    for position in 0..5 {
        cluster.at(0, position).down = true;
    }
    cluster.at(0, 5).down = false;
    cluster.write(&mut log, &[0]);
    drop(cluster.run(log, 1, &mut Vec::new()));
    for (_, segment) in cluster.segments.iter_mut() {
        segment.down = false;
    }
    cluster.at(0, 5).down = true;
    assert_eq!(cluster.open().vdl(), cpl);
    cluster.at(0, 5).down = false;
    cluster.at(0, 0).down = true;
    cluster.at(0, 1).down = true;
    assert!(cluster.at(0, 5).scl() > cpl);
    assert_eq!(cluster.open().vdl(), cpl);
    assert_eq!(cluster.at(0, 5).scl(), cluster.at(0, 4).scl());
}

#[test]
fn three_lost_folders_refuse_and_are_listed() {
    let (mut cluster, log, _) = written();
    drop(log);
    for position in [1, 3, 4] {
        for pg in 0..2 {
            *cluster.at(pg, position) = Model::default();
        }
    }
    match cluster.try_open() {
        Err(Some(Outcome::Refused { missing })) => {
            let lost: Vec<_> = missing.iter().map(|m| (m.segment.position, m.why)).collect();
            assert_eq!(lost, vec![(1, Why::OtherLife), (3, Why::OtherLife), (4, Why::OtherLife)]);
        }
        other => panic!("it refuses, but {:?}", other.map(|log| log.vdl())),
    }
}

#[test]
fn two_lost_folders_come_back_as_newcomers_one_at_a_time() {
    let (mut cluster, log, cpl) = written();
    drop(log);
    for position in [1, 4] {
        for pg in 0..2 {
            *cluster.at(pg, position) = Model::default();
        }
    }
    let log = cluster.open();
    assert_eq!(log.vdl(), cpl);
    let mut notices = Vec::new();
    let mut log = cluster.run(log, 20, &mut notices);
    assert!(log.head().groups.iter().all(|g| g.joint.is_some()), "both groups are joint, one position each");
    // The newcomers copy: here by hand, there by gossip.
    for _ in 0..2 {
        for pg in 0..2 {
            let whole = cluster.at(pg, 0).records.clone();
            for position in [1, 4] {
                if cluster.at(pg, position).incarnation != 0 {
                    cluster.at(pg, position).records = whole.clone();
                }
            }
        }
        log = cluster.run(log, 20, &mut notices);
    }
    let replaced = notices.iter().filter(|n| matches!(n, Notice::Replaced(_))).count();
    assert_eq!(replaced, 4, "{notices:?}");
    assert!(log.head().groups.iter().all(|g| g.joint.is_none()));
    assert!(log.segments().iter().all(|s| s.member && !s.lost), "{:?}", log.segments());
}

#[test]
fn a_claim_of_four_that_six_cannot_show_halts() {
    let (mut cluster, log, cpl) = written();
    drop(log);
    for position in 2..6 {
        cluster.at(1, position).claim = cpl.advance(1_000);
    }
    match cluster.try_open() {
        Err(Some(Outcome::Halted { pg, claimed, .. })) => {
            assert_eq!((pg, claimed), (PgId(1), cpl.advance(1_000)));
        }
        other => panic!("it halts, but {:?}", other.map(|log| log.vdl())),
    }
}

#[test]
fn a_claim_that_cannot_have_been_at_quorum_is_truncated() {
    let (mut cluster, log, cpl) = written();
    drop(log);
    cluster.at(1, 2).claim = cpl.advance(1_000);
    cluster.at(1, 0).down = true;
    cluster.at(1, 1).down = true;
    assert_eq!(cluster.open().vdl(), cpl, "two silent and one claimant are three");
}

#[test]
fn a_claim_that_may_have_been_at_quorum_waits_for_the_silent() {
    let (mut cluster, log, cpl) = written();
    drop(log);
    cluster.at(1, 2).claim = cpl.advance(1_000);
    cluster.at(1, 3).claim = cpl.advance(1_000);
    cluster.at(1, 0).down = true;
    cluster.at(1, 1).down = true;
    let mut core = Core::Recoverer(cluster.attempt());
    for _ in 0..100 {
        cluster.now_us += 10_000;
        assert!(
            cluster.settle(&mut core, &mut Vec::new()).is_none(),
            "two silent and two claimants are four"
        );
    }
    cluster.at(1, 0).down = false;
    cluster.now_us += 200_000;
    for _ in 0..20 {
        cluster.now_us += 10_000;
        if let Some(Outcome::Opened(log)) = cluster.settle(&mut core, &mut Vec::new()) {
            assert_eq!(log.vdl(), cpl);
            return;
        }
    }
    panic!("the fifth answer settles it");
}

#[test]
fn a_group_other_than_0_opens_with_three_and_waits_for_a_fourth() {
    let (mut cluster, log, cpl) = written();
    drop(log);
    for position in [0, 1, 2] {
        cluster.at(1, position).down = true;
    }
    let mut core = Core::Recoverer(cluster.attempt());
    for _ in 0..150 {
        cluster.now_us += 10_000;
        assert!(cluster.settle(&mut core, &mut Vec::new()).is_none(), "R4 wants four");
    }
    cluster.at(1, 1).down = false;
    cluster.now_us += 50_000;
    match cluster.settle(&mut core, &mut Vec::new()) {
        Some(Outcome::Opened(log)) => assert_eq!(log.vdl(), cpl),
        other => panic!("it opens, but {other:?}"),
    }
}

/// Found by the director's drill: the claim lay below the VDL told, and was taken for met by it.
#[test]
fn three_copies_wait_when_one_claims_what_was_told_as_durable() {
    let (mut cluster, log, cpl) = written();
    let scl = cluster.at(1, 3).scl();
    drop(log);
    for position in [0, 1, 2] {
        cluster.at(1, position).down = true;
    }
    for position in [3, 4, 5] {
        cluster.at(1, position).records.clear();
    }
    cluster.at(1, 3).claim = scl;
    let mut core = Core::Recoverer(cluster.attempt());
    for _ in 0..100 {
        cluster.now_us += 10_000;
        assert!(
            cluster.settle(&mut core, &mut Vec::new()).is_none(),
            "three silent and one claimant are four"
        );
    }
    cluster.at(1, 1).down = false;
    cluster.now_us += 200_000;
    for _ in 0..50 {
        cluster.now_us += 10_000;
        if let Some(Outcome::Opened(log)) = cluster.settle(&mut core, &mut Vec::new()) {
            assert_eq!((log.vdl(), log.pgcl(PgId(1))), (cpl, Some(scl)));
            return;
        }
        // What gossip would do.
        let whole = cluster.at(1, 1).records.clone();
        for position in [3, 4, 5] {
            cluster.at(1, position).records.extend(whole.clone());
        }
    }
    panic!("the fourth answer settles it");
}

/// Found by the director: whoever acknowledged the repair before it answered the fence was never counted.
#[test]
fn late_copies_that_only_acknowledge_the_repair_count() {
    let (mut cluster, log, cpl) = written();
    drop(log);
    for position in [3, 4, 5] {
        cluster.at(1, position).down = true;
    }
    let mut recoverer = cluster.attempt();
    let mut waiting = VecDeque::from([Event::Tick]);
    for round in 0..200 {
        cluster.now_us += 10_000;
        waiting.push_back(Event::Tick);
        while let Some(event) = waiting.pop_front() {
            let mut actions = Actions::default();
            if let Some(Outcome::Opened(log)) = recoverer.step(cluster.now_us, event, &mut actions) {
                assert_eq!(log.vdl(), cpl);
                return;
            }
            for Envelope { from, to, message } in actions.sends {
                let Peer::Segment(id) = to else { continue };
                // The fences to the late ones are lost.
                let late = id.pg == PgId(1) && id.position >= 3;
                if late && (round < 50 || matches!(message, Message::Fence(_))) {
                    continue;
                }
                let segment = cluster.segments.entry(id).or_default();
                waiting.extend(
                    segment.answer(message).map(|message| {
                        Event::Message(Envelope { from: Peer::Segment(id), to: from, message })
                    }),
                );
            }
        }
    }
    panic!("it never opens: {:?}", recoverer.missing());
}

#[test]
fn an_old_writer_is_fenced() {
    let (mut cluster, log, _) = written();
    let next = cluster.open();
    let mut notices = Vec::new();
    let old = cluster.run(log, 20, &mut notices);
    assert!(old.ended().is_some());
    assert!(matches!(notices.as_slice(), [Notice::Ended(_)]), "{notices:?}");
    assert_eq!(next.epoch(), VolumeEpoch(2));
}

#[test]
fn lal_stops_the_writer_until_vdl_moves() {
    let (mut cluster, mut log, _) = written();
    for segment in cluster.segments.values_mut() {
        segment.down = true;
    }
    let mut spent = 0;
    while log.try_reserve(1_000) == Ok(true) {
        log.give_back(1_000);
        cluster.write(&mut log, &[0]);
        spent += 1;
        assert!(spent < 200_000, "nothing stops it");
    }
    let full = log.last_lsn();
    log = cluster.run(log, 20, &mut Vec::new());
    assert_eq!(log.try_reserve(1_000), Ok(false));
    for segment in cluster.segments.values_mut() {
        segment.down = false;
    }
    log = cluster.run(log, 400, &mut Vec::new());
    assert_eq!(log.vdl(), full);
    assert_eq!(log.try_reserve(1_000), Ok(true));
    assert!(log.held_bytes() <= 3 << 20, "{} bytes kept", log.held_bytes());
}
