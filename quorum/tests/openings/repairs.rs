//! Openings that replace lost copies first (R12), creations that name their folder, and the length of the truncation list (R2).

use super::*;

/// Copies by hand what gossip would bring.
fn copy_log(cluster: &mut Cluster, pg: u32, from: u8, to: u8) {
    let records = cluster.at(pg, from).records.clone();
    let copy = cluster.at(pg, to);
    if copy.incarnation != 0 {
        copy.records = records;
    }
}

#[test]
fn three_lost_copies_of_another_group_are_replaced_before_the_opening_is_declared() {
    let (mut cluster, log, cpl) = written();
    drop(log);
    for position in [0, 2, 5] {
        *cluster.at(1, position) = Model::default();
    }
    let mut core = Core::Recoverer(cluster.attempt());
    let mut opened = None;
    for _ in 0..600 {
        cluster.now_us += 10_000;
        match cluster.settle(&mut core, &mut Vec::new()) {
            None => assert!(cluster.segments.values().all(|s| s.vdl <= cpl)),
            Some(Outcome::Opened(log)) => {
                opened = Some(log);
                break;
            }
            Some(other) => panic!("it opens, but {other:?}"),
        }
        for position in [0, 2, 5] {
            copy_log(&mut cluster, 1, 1, position);
        }
    }
    let log = opened.expect("three copies and a newcomer are enough");
    assert_eq!(log.vdl(), cpl);
    let members = &log.head().groups[1];
    let live =
        |p: &usize| members.members[*p].incarnation.0 == cluster.segments[&seg(1, *p as u8)].incarnation;
    assert!((0..6).filter(live).count() >= 4, "four lives that the head names: {members:?}");
    assert!(members.joint.is_none());
}

#[test]
fn group_0_is_never_repaired_by_somebody_who_was_not_elected() {
    let (mut cluster, log, _) = written();
    drop(log);
    for position in [0, 2, 5] {
        *cluster.at(0, position) = Model::default();
    }
    assert!(matches!(cluster.try_open(), Err(Some(Outcome::Refused { .. }))));
}

#[test]
fn openings_without_progress_leave_one_entry() {
    let (mut cluster, log, cpl) = written();
    drop(log);
    for _ in 0..5 {
        let log = cluster.open();
        assert_eq!(log.vdl(), cpl);
        assert!(log.head().truncations.entries.len() <= 2, "{:?}", log.head().truncations);
    }
}

#[test]
fn the_running_writer_drops_entries_that_nobody_needs() {
    let (mut cluster, log, _) = written();
    drop(log);
    cluster.at(1, 3).hoards = true;
    let mut log = cluster.open();
    let before = log.head().truncations.entries.len();
    for _ in 0..4 {
        cluster.write(&mut log, &[0, 1]);
        log = cluster.run(log, 3, &mut Vec::new());
    }
    log = cluster.run(log, 1_200, &mut Vec::new());
    assert_eq!(log.head().truncations.entries.len(), before, "one member still holds log from below");
    cluster.at(1, 3).hoards = false;
    log = cluster.run(log, 1_200, &mut Vec::new());
    let entries = &log.head().truncations.entries;
    assert!(
        entries.len() < before && entries.iter().any(|t| t.epoch == log.epoch()),
        "{before}: {entries:?}"
    );
}

fn seg(pg: u32, position: u8) -> SegmentId {
    SegmentId { pg: PgId(pg), position }
}

/// Found by the director (a damaged copy whose claim waits for a silent one): a fourth copy answered while other groups were read, and what
/// it held above the first three counted as repaired although it alone held it.
#[test]
fn what_a_late_copy_shows_below_the_vdl_told_is_repaired_too() {
    let (mut cluster, log, cpl) = written();
    let scl = cluster.at(1, 3).scl();
    drop(log);
    for position in [0, 2] {
        cluster.at(1, position).down = true;
    }
    for position in [3, 4, 5] {
        cluster.at(1, position).records.clear();
    }
    cluster.at(1, 3).claim = scl;
    cluster.segments.values_mut().for_each(|segment| segment.vdl = scl);
    let late = SegmentId { pg: PgId(1), position: 1 };
    let (mut delayed, mut reading, mut copied) = (None, false, false);
    let mut recoverer = cluster.attempt();
    for tick in 0..300 {
        cluster.now_us += 10_000;
        let mut events = VecDeque::from([Event::Tick]);
        while let Some(event) = events.pop_front() {
            let mut actions = Actions::default();
            if let Some(outcome) = recoverer.step(cluster.now_us, event, &mut actions) {
                assert!(copied, "tick {tick}: one copy of four holds it");
                let Outcome::Opened(log) = outcome else { panic!("it opens, but {outcome:?}") };
                assert_eq!((log.vdl(), log.pgcl(PgId(1))), (cpl, Some(scl)));
                return;
            }
            for Envelope { from, to, message } in actions.sends {
                let Peer::Segment(id) = to else { continue };
                if id == late && !reading {
                    delayed = Some(message);
                    continue;
                }
                // The fence that the late one was sent arrives while another group is read.
                if matches!(message, Message::FetchLog(_)) && !std::mem::replace(&mut reading, true) {
                    let answer = delayed.take().and_then(|fence| cluster.at(1, 1).answer(fence));
                    let answer = answer.expect("it was fenced before");
                    let envelope = Envelope { from: Peer::Segment(late), to: from, message: answer };
                    events.push_back(Event::Message(envelope));
                }
                let segment = cluster.segments.entry(id).or_default();
                let answer = if segment.down { None } else { segment.answer(message) };
                events.extend(
                    answer.map(|message| {
                        Event::Message(Envelope { from: Peer::Segment(id), to: from, message })
                    }),
                );
            }
        }
        // What gossip would bring, long after.
        if reading && tick > 250 && !copied {
            [3, 4, 5].into_iter().for_each(|position| copy_log(&mut cluster, 1, 1, position));
            copied = true;
        }
    }
    panic!("four copies hold it");
}
