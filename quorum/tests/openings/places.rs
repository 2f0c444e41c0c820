//! Moving live members (R12): one at a time per group, buried afterwards, found again by whoever knows only the old places.

use super::*;
use quorum::Order;

const PG0: PgId = PgId(0);

fn segment(pg: u32, position: u8) -> SegmentId {
    SegmentId { pg: PgId(pg), position }
}

fn place(id: SegmentId, node: u128) -> Order {
    Order::Place { segment: id, node: NodeId(node), address: format!("h{node}:1") }
}

impl Cluster {
    fn order(&mut self, log: &mut WriterLog, order: Order) {
        log.step(self.now_us, Event::Order(order), &mut Actions::default());
    }

    /// The node there does not answer, or answers again.
    fn slow(&mut self, id: SegmentId, node: u128, down: bool) {
        self.away.entry((id, node)).or_insert(Model { node, ..Model::default() }).down = down;
    }

    /// What gossip and page copies would bring: newcomers get what the first whole copy of their group holds.
    fn gossip(&mut self) {
        for ((id, _), newcomer) in &mut self.away {
            let whole = (0..6).filter_map(|p| self.segments.get(&segment(id.pg.0, p)));
            if let (Some(whole), true) = (whole.max_by_key(|m| m.records.len()), newcomer.incarnation != 0)
                && newcomer.records.len() < whole.records.len()
            {
                newcomer.records = whole.records.clone();
            }
        }
    }

    /// Runs until nothing is left to move, at most so long.
    fn run_moves(&mut self, mut log: WriterLog, notices: &mut Vec<Notice>) -> WriterLog {
        for _ in 0..200 {
            log = self.run(log, 2, notices);
            self.gossip();
            if log.left_to_move() == (0, 0) {
                break;
            }
        }
        log
    }
}

fn nodes(log: &WriterLog, pg: u32) -> Vec<u128> {
    log.head().groups[pg as usize].members.iter().map(|m| m.node.0).collect()
}

#[test]
fn live_members_move_while_it_writes_and_old_addresses_lead_to_them() {
    let (mut cluster, mut log, _) = written();
    let mut notices = Vec::new();
    for pg in 0..2 {
        for position in 0..6 {
            cluster.order(&mut log, place(segment(pg, position), 20 + u128::from(position)));
        }
    }
    let mut cpl = Lsn::ZERO;
    for round in 0..40 {
        cpl = cluster.write(&mut log, &[0, 1]);
        log = cluster.run(log, 20, &mut notices);
        assert_eq!(log.vdl(), cpl, "round {round}: writes go on while members move");
        assert!(log.head().groups.iter().filter(|g| g.joint.is_some()).count() <= 2);
        cluster.gossip();
        cluster.sync_moved();
    }
    log = cluster.run_moves(log, &mut notices);
    assert_eq!(log.left_to_move(), (0, 0), "{:?}", log.head());
    for pg in 0..2 {
        assert_eq!(nodes(&log, pg), [20, 21, 22, 23, 24, 25]);
    }
    assert!(log.segments().iter().all(|s| s.member && !s.lost));
    assert!(cluster.segments.values().all(|old| old.incarnation == 0), "every old life is buried");
    assert_eq!(notices.iter().filter(|n| matches!(n, Notice::Retired(..))).count(), 12);
    assert_eq!(log.head().addresses().len(), 6);
    // Whoever comes next asks the old places first: their tombstones hold the head.
    drop(log);
    let mut log = cluster.open();
    assert_eq!((log.vdl(), nodes(&log, 0)[0]), (cpl, 20));
    let next = cluster.write(&mut log, &[0, 1]);
    let log = cluster.run(log, 5, &mut notices);
    assert_eq!(log.vdl(), next);
}

#[test]
fn the_leaving_member_and_the_newcomer_count_in_no_quorum_together() {
    let (mut cluster, mut log, cpl) = written();
    cluster.slow(segment(0, 2), 30, true);
    cluster.order(&mut log, place(segment(0, 2), 30));
    log = cluster.run(log, 5, &mut Vec::new());
    assert!(log.head().groups[0].joint.is_some());
    // Two of the other five are silent: three of them and the leaving member are four of the old set, and of the new one only three.
    for position in [0, 5] {
        cluster.at(0, position).down = true;
    }
    let next = cluster.write(&mut log, &[0]);
    log = cluster.run(log, 20, &mut Vec::new());
    assert_eq!(log.vdl(), cpl);
    cluster.at(0, 5).down = false;
    log = cluster.run(log, 30, &mut Vec::new());
    assert_eq!(log.vdl(), next);
}

#[test]
fn no_third_member_moves_while_two_are_not_buried() {
    let (mut cluster, mut log, _) = written();
    for position in 0..3 {
        cluster.order(&mut log, place(segment(0, position), 20 + u128::from(position)));
    }
    // Their old nodes fall silent before they can be told.
    for _ in 0..40 {
        log = cluster.run(log, 1, &mut Vec::new());
        cluster.gossip();
        let left: Vec<u8> = log.head().former.iter().map(|f| f.segment.position).collect();
        left.into_iter().for_each(|position| cluster.at(0, position).down = true);
        let joint = log.head().groups[0].joint.as_ref().map(|j| j.position);
        joint.into_iter().for_each(|position| cluster.at(0, position).down = true);
    }
    assert_eq!(log.left_to_move(), (1, 2), "the third waits");
    assert_eq!(nodes(&log, 0)[..3], [20, 21, 7]);
    // The next writer knows them too.
    drop(log);
    let mut log = cluster.open();
    assert_eq!(log.head().former.len(), 2);
    cluster.order(&mut log, place(segment(0, 2), 22));
    log = cluster.run(log, 20, &mut Vec::new());
    assert_eq!(log.left_to_move(), (1, 2));
    // One comes back and is buried, the operator knows that the other never will: its disk is gone.
    cluster.at(0, 0).down = false;
    log = cluster.run(log, 60, &mut Vec::new());
    assert_eq!((log.head().former.len(), cluster.at(0, 0).incarnation), (1, 0));
    cluster.order(&mut log, Order::Gone { node: NodeId(7) });
    log = cluster.run_moves(log, &mut Vec::new());
    assert_eq!(nodes(&log, 0)[..3], [20, 21, 22]);
}

#[test]
fn a_move_to_a_node_that_died_goes_back_and_elsewhere() {
    let (mut cluster, mut log, _) = written();
    let id = segment(0, 4);
    cluster.slow(id, 30, true);
    cluster.order(&mut log, place(id, 30));
    log = cluster.run(log, 20, &mut Vec::new());
    assert_eq!(log.left_to_move(), (1, 0));
    cluster.order(&mut log, place(id, 31));
    log = cluster.run_moves(log, &mut Vec::new());
    assert_eq!(nodes(&log, 0)[4], 31);
    // Or back to where it is: then it counts again.
    let id = segment(0, 3);
    cluster.slow(id, 30, true);
    cluster.order(&mut log, place(id, 30));
    log = cluster.run(log, 5, &mut Vec::new());
    cluster.order(&mut log, place(id, 7));
    log = cluster.run(log, 60, &mut Vec::new());
    assert_eq!((log.left_to_move(), nodes(&log, 0)[3]), ((0, 0), 7));
    assert!(log.segments().iter().all(|s| s.member), "{:?}", log.segments());
    cluster.at(0, 0).down = true;
    cluster.at(0, 1).down = true;
    let cpl = cluster.write(&mut log, &[0]);
    log = cluster.run(log, 20, &mut Vec::new());
    assert_eq!(log.vdl(), cpl, "four of six, the one that went back among them");
}

#[test]
fn a_move_outlives_the_writer_that_began_it() {
    let (mut cluster, mut log, cpl) = written();
    for pg in 0..2 {
        cluster.slow(segment(pg, 1), 30, true);
        cluster.order(&mut log, place(segment(pg, 1), 30));
    }
    log = cluster.run(log, 5, &mut Vec::new());
    assert!(log.head().groups.iter().all(|g| g.joint.is_some()));
    drop(log);
    let log = cluster.open();
    assert_eq!(log.vdl(), cpl);
    assert!(log.head().groups.iter().all(|g| g.joint.is_some()), "what was begun is in the head");
    (0..2).for_each(|pg| cluster.slow(segment(pg, 1), 30, false));
    let log = cluster.run_moves(log, &mut Vec::new());
    assert_eq!((nodes(&log, 0)[1], nodes(&log, 1)[1]), (30, 30));
    assert_eq!(cluster.at(0, 1).incarnation, 0, "and buried by the one who ended it");
}

#[test]
fn a_copy_is_never_put_beside_another_of_its_group_and_addresses_are_kept() {
    let (mut cluster, mut log, _) = written();
    cluster.order(&mut log, place(segment(0, 1), 30));
    log = cluster.run_moves(log, &mut Vec::new());
    cluster.order(&mut log, place(segment(0, 2), 30));
    assert_eq!(log.left_to_move().0, 0, "two copies in one folder would be one");
    cluster.order(&mut log, Order::Locate { node: NodeId(30), address: "elsewhere:9".into() });
    let home = |log: &WriterLog| log.head().home(segment(0, 1)).map(|m| m.address.clone());
    assert_eq!(home(&log).as_deref(), Some("elsewhere:9"));
    let version = log.head().version;
    cluster.order(&mut log, Order::Locate { node: NodeId(30), address: "elsewhere:9".into() });
    assert_eq!(log.head().version, version, "nothing new");
    let log = cluster.run(log, 5, &mut Vec::new());
    assert_eq!(log.settled(), version);
    assert!(log.head().groups[PG0.0 as usize].joint.is_none());
}

#[test]
fn growth_by_order_opens_the_groups() {
    let (mut cluster, mut log, _) = written();
    cluster.order(&mut log, Order::Grow { groups: 4 });
    let mut notices = Vec::new();
    log = cluster.run(log, 20, &mut notices);
    assert_eq!(log.head().groups.len(), 4);
    assert!(notices.contains(&Notice::GroupOpened(PgId(3))));
}

impl Cluster {
    /// Copies whose founder has moved go on where they are: the newest of any copy of the group goes round.
    fn sync_moved(&mut self) {
        for pg in 0..2 {
            let homes = || self.away.iter().filter(|((id, _), m)| id.pg.0 == pg && m.incarnation != 0);
            let newest = homes().map(|(_, m)| m.records.clone()).max_by_key(BTreeMap::len);
            if let Some(newest) = newest {
                for ((id, _), model) in &mut self.away {
                    if id.pg.0 == pg && model.incarnation != 0 && model.records.len() < newest.len() {
                        model.records = newest.clone();
                    }
                }
            }
        }
    }
}

#[test]
fn a_message_for_a_folder_goes_there_whatever_the_map_says() {
    let (_, log, _) = written();
    let head = log.head().clone();
    let retire = protocol::message::Retire {
        epoch: VolumeEpoch(1),
        writer: WriterId(1),
        node: NodeId(8),
        incarnation: Incarnation(3),
        head,
    };
    assert_eq!(node_of(&retire.into()), Some(NodeId(8)));
}
