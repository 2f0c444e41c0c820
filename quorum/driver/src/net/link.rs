//! The network [`SegmentLink`]: for each node a log queue and a read queue, one bell for all, and the map that says which node a copy is at.
//!
//! ```text
//!   send(Append to 1.3)  ─► pipes[3].log   [bounded]      send(ReadPage to 0.2) ─► pipes[2].reads, or bounced if node 2 is down
//!   flush ─bell─► pump ─► rings the pipes that hold something; their tasks encode and write all of it in one go
//! ```
//!
//! Invariants
//! 1. A pipe holds at most its bytes and messages; what is above is refused and the other five are not held up (I27).
//! 2. A pipe that is down holds nothing: what it would take was sent in vain, and the core sends it again by itself.
//! 3. A copy's messages go where the head says it lives (`steer`, by the node met there, else by address); before a head is known, to the node that
//!    serves its position. While members move two nodes may serve a position.
//! 4. A page asked of a node that is down is refused on its behalf at once, so that the next segment is asked without waiting for a hedge.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};
use protocol::contract::SegmentLink;
use protocol::geometry::COPIES;
use protocol::head::Member;
use protocol::message::{Envelope, Message, PageRefusal, PageRefused, Peer, node_of};
use protocol::{Head, Lsn, NodeId, SegmentId};
use tokio::sync::Notify;

/// Bytes of log waiting for one node, at most.
pub(super) const QUEUE_BYTES: usize = 16 << 20;
/// Messages waiting for one node, at most.
pub(super) const QUEUE_MESSAGES: usize = 16_384;

#[derive(Debug, Default)]
struct Queue {
    messages: Vec<Envelope>,
    bytes: usize,
    up: bool,
}

/// One stream's queue.
#[derive(Debug, Default)]
pub(super) struct Pipe {
    queue: Mutex<Queue>,
    pub(super) bell: Notify,
}

fn weight(message: &Message) -> usize {
    match message {
        Message::Append(m) => m.frames.len(),
        Message::Install(m) => m.frames.len(),
        Message::LogSlice(m) => m.frames.len(),
        _ => 0,
    }
}

impl Pipe {
    /// Takes it, or gives it back: full, or down.
    fn put(&self, envelope: Envelope) -> Option<Envelope> {
        let bytes = weight(&envelope.message);
        let mut queue = self.queue.lock();
        if !queue.up || queue.messages.len() >= QUEUE_MESSAGES || queue.bytes + bytes > QUEUE_BYTES {
            return Some(envelope);
        }
        queue.bytes += bytes;
        queue.messages.push(envelope);
        None
    }

    /// Takes what waits; `messages` must be empty and lends its allocation.
    pub(super) fn take(&self, messages: &mut Vec<Envelope>) {
        assert!(messages.is_empty(), "what was taken before is written");
        let mut queue = self.queue.lock();
        std::mem::swap(&mut queue.messages, messages);
        queue.bytes = 0;
    }

    fn set_up(&self, up: bool) {
        let mut queue = self.queue.lock();
        *queue = Queue { up, ..Queue::default() };
    }

    fn holds_something(&self) -> bool {
        !self.queue.lock().messages.is_empty()
    }
}

/// The two streams to one node.
#[derive(Debug, Default)]
pub(super) struct Pipes {
    pub(super) log: Pipe,
    pub(super) reads: Pipe,
}

/// Where the copies live, as far as is known.
#[derive(Debug, Default)]
struct Map {
    head: Option<Head>,
    /// By index: the folder that was met there, or the position it serves.
    met: Vec<Met>,
    /// By group and position, of the head.
    copies: Vec<[Option<usize>; COPIES]>,
    /// By position: what is not in the head goes where group 0 lives.
    positions: [Option<usize>; COPIES],
}

/// One address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Met {
    pub(super) address: String,
    pub(super) node: Option<NodeId>,
    pub(super) position: Option<u8>,
}

impl Map {
    fn index_of(&self, member: &Member) -> Option<usize> {
        let node = self.met.iter().position(|met| met.node == Some(member.node));
        node.or_else(|| {
            let at = |met: &Met| !member.address.is_empty() && met.address == member.address;
            self.met.iter().position(at)
        })
    }

    /// Works the tables out again.
    fn draw(&mut self) {
        let serves = |position: usize| self.met.iter().position(|met| met.position == Some(position as u8));
        let founding: [Option<usize>; COPIES] = std::array::from_fn(serves);
        let mut copies = Vec::new();
        if let Some(head) = &self.head {
            for group in &head.groups {
                copies.push(std::array::from_fn(|position| {
                    let id = SegmentId { pg: group.pg, position: position as u8 };
                    head.home(id).and_then(|member| self.index_of(member)).or(founding[position])
                }));
            }
        }
        self.positions = copies.first().copied().unwrap_or(founding);
        self.copies = copies;
    }

    fn route(&self, segment: SegmentId) -> Option<usize> {
        let position = usize::from(segment.position);
        let copies = self.copies.get(segment.pg.0 as usize).unwrap_or(&self.positions);
        copies.get(position).copied().flatten()
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Link {
    /// By index of the address.
    pipes: RwLock<Vec<Arc<Pipes>>>,
    map: RwLock<Map>,
    bounced: Mutex<Vec<Envelope>>,
    /// Rung by [`SegmentLink::flush`]; the pump listens.
    pub(super) bell: Notify,
    /// Rung when the map changed.
    pub(super) steered: Notify,
    sent: AtomicU64,
    bounces: AtomicU64,
}

impl Link {
    pub(super) fn pipes(&self, index: usize) -> Arc<Pipes> {
        let mut pipes = self.pipes.write();
        while pipes.len() <= index {
            pipes.push(Arc::default());
        }
        Arc::clone(&pipes[index])
    }

    /// The node at `index` can be reached, or not any more.
    pub(super) fn set_up(&self, index: usize, up: bool) {
        let pipes = self.pipes(index);
        pipes.log.set_up(up);
        pipes.reads.set_up(up);
    }

    /// Who is where.
    pub(super) fn meet(&self, met: Vec<Met>) {
        let mut map = self.map.write();
        if map.met != met {
            map.met = met;
            map.draw();
        }
    }

    /// The head that steers.
    pub(super) fn head(&self) -> Option<Head> {
        self.map.read().head.clone()
    }

    /// The index of the address that this copy's messages go to.
    pub(super) fn route(&self, segment: SegmentId) -> Option<usize> {
        self.map.read().route(segment)
    }

    /// Rings the pipes that hold something.
    pub(super) fn ring(&self) {
        for pipes in self.pipes.read().iter() {
            for pipe in [&pipes.log, &pipes.reads] {
                if pipe.holds_something() {
                    pipe.bell.notify_one();
                }
            }
        }
    }

    /// True when nothing waits to be written to any node's log stream.
    pub(super) fn is_quiet(&self) -> bool {
        self.pipes.read().iter().all(|pipes| !pipes.log.holds_something())
    }

    /// Refusals on behalf of nodes that are down, to be delivered.
    pub(super) fn take_bounced(&self) -> Vec<Envelope> {
        std::mem::take(&mut *self.bounced.lock())
    }

    pub(super) fn counters(&self) -> Vec<(&'static str, u64)> {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        vec![("network_messages", get(&self.sent)), ("network_reads_bounced", get(&self.bounces))]
    }

    /// An answer to whoever asked, whatever the map says of the copy it is addressed to.
    pub(super) fn answer(&self, index: usize, envelope: Envelope) {
        // A lost answer is asked for again.
        let _ = self.pipes(index).log.put(envelope);
        self.bell.notify_one();
    }

    fn bounce(&self, envelope: &Envelope) {
        let Message::ReadPage(read) = &envelope.message else { return };
        let refused = PageRefused {
            request: read.request,
            page: read.page,
            reason: PageRefusal::Behind,
            scl: Lsn::ZERO,
        };
        self.bounces.fetch_add(1, Ordering::Relaxed);
        let answer = Envelope { from: envelope.to, to: envelope.from, message: refused.into() };
        self.bounced.lock().push(answer);
    }

    fn target(&self, envelope: &Envelope) -> Option<usize> {
        let Peer::Segment(segment) = envelope.to else { return None };
        let map = self.map.read();
        match node_of(&envelope.message) {
            // A folder by its name: where it was met, or where the map has it.
            Some(node) => {
                let met = map.met.iter().position(|met| met.node == Some(node));
                met.or_else(|| {
                    let head = map.head.as_ref()?;
                    let former = head.former.iter().find(|f| f.node == node);
                    let address = former.map(|f| f.address.as_str());
                    let home = head.home(segment).filter(|m| m.node == node).map(|m| m.address.as_str());
                    let at = address.or(home).filter(|at| !at.is_empty())?;
                    map.met.iter().position(|met| met.address == at)
                })
                .or_else(|| map.route(segment))
            }
            None => map.route(segment),
        }
    }
}

impl SegmentLink for Link {
    fn send(&self, envelope: Envelope) -> bool {
        let pipes = self.target(&envelope).and_then(|index| self.pipes.read().get(index).cloned());
        let Some(pipes) = pipes else {
            self.bounce(&envelope);
            return false;
        };
        let reads = matches!(envelope.message, Message::ReadPage(_));
        match if reads { &pipes.reads } else { &pipes.log }.put(envelope) {
            None => {
                self.sent.fetch_add(1, Ordering::Relaxed);
                true
            }
            Some(envelope) => {
                self.bounce(&envelope);
                false
            }
        }
    }

    fn flush(&self) {
        self.bell.notify_one();
    }

    fn steer(&self, head: &Head) {
        let mut map = self.map.write();
        map.head = Some(head.clone());
        map.draw();
        drop(map);
        self.steered.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use protocol::geometry::{PgId, SegmentId};
    use protocol::message::{LogSlice, Query, ReadPage};
    use protocol::{PageId, VolumeEpoch, WriterId};

    fn to(position: u8, message: Message) -> Envelope {
        let segment = SegmentId { pg: PgId(1), position };
        Envelope { from: Peer::Compute(WriterId(1)), to: Peer::Segment(segment), message }
    }

    fn heavy(position: u8, bytes: usize) -> Envelope {
        let slice = LogSlice {
            request: 0,
            head_version: Default::default(),
            after: Lsn::ZERO,
            end: true,
            floor: Lsn::ZERO,
            frames: Bytes::from(vec![0; bytes]),
        };
        to(position, slice.into())
    }

    fn read(position: u8, request: u64) -> Envelope {
        to(position, ReadPage { request, epoch: VolumeEpoch(1), page: PageId(7), at: Lsn(3) }.into())
    }

    fn up() -> Link {
        let link = Link::default();
        let met = |p: usize| Met { address: format!("h{p}:1"), node: None, position: Some(p as u8) };
        link.meet((0..COPIES).map(met).collect());
        (0..COPIES).for_each(|index| link.set_up(index, true));
        link
    }

    #[test]
    fn log_and_reads_have_queues_of_their_own() {
        let link = up();
        assert!(link.send(heavy(2, QUEUE_BYTES)));
        assert!(!link.send(heavy(2, 1)), "full in bytes");
        assert!(link.send(heavy(3, 1)), "the others are not held up");
        assert!(link.send(read(2, 1)), "nor are its reads");
        let mut messages = Vec::new();
        link.pipes(2).log.take(&mut messages);
        assert_eq!(messages.len(), 1);
        assert!(link.send(heavy(2, 1)), "room again");
        for _ in 0..QUEUE_MESSAGES {
            assert!(link.send(to(4, Query { request: 0, candidate: None }.into())));
        }
        assert!(!link.send(to(4, Query { request: 0, candidate: None }.into())), "full in messages");
        assert!(!link.send(to(6, Query { request: 0, candidate: None }.into())), "nobody outside the six");
    }

    #[test]
    fn a_node_that_is_down_takes_nothing_and_its_reads_bounce() {
        let link = up();
        assert!(link.send(heavy(1, 10)));
        link.set_up(1, false);
        assert!(!link.send(heavy(1, 10)));
        assert!(!link.send(read(1, 42)));
        let bounced = link.take_bounced();
        assert_eq!(bounced.len(), 1);
        assert_eq!(bounced[0].from, Peer::Segment(SegmentId { pg: PgId(1), position: 1 }));
        assert!(matches!(&bounced[0].message, Message::PageRefused(r) if r.request == 42));
        link.set_up(1, true);
        let mut messages = Vec::new();
        link.pipes(1).log.take(&mut messages);
        assert!(messages.is_empty(), "what waited before is not sent late");
    }

    #[test]
    fn a_copy_is_spoken_to_where_the_map_says_and_a_folder_by_its_name() {
        let link = up();
        let mut met: Vec<Met> = (0..7)
            .map(|p| Met {
                address: format!("h{p}:1"),
                node: Some(NodeId(p + 1)),
                position: Some(p as u8 % 6),
            })
            .collect();
        met[6].position = Some(2);
        link.meet(met);
        link.set_up(6, true);
        let member = |p: u128| Member {
            incarnation: protocol::Incarnation(p),
            node: NodeId(p + 1),
            az: protocol::AzId(p as u8 / 2 + 1),
            address: String::new(),
            role: protocol::SegmentRole::Full,
        };
        let version = protocol::head::HeadVersion::default();
        let group = |pg: u32| protocol::head::PgMembers {
            pg: PgId(pg),
            version,
            members: (0..6).map(member).collect(),
            joint: None,
        };
        let mut head = Head {
            volume: protocol::VolumeId(1),
            version,
            pages_per_pg: 1,
            lease_ms: 600,
            truncations: protocol::head::TruncationList { entries: Vec::new() },
            groups: vec![group(0), group(1)],
            former: Vec::new(),
        };
        head.groups[1].members[2] = member(6);
        link.steer(&head);
        let at = |pg: u32, position: u8| link.route(SegmentId { pg: PgId(pg), position });
        assert_eq!((at(0, 2), at(1, 2), at(1, 3)), (Some(2), Some(6), Some(3)));
        assert_eq!(at(9, 2), Some(2), "a group that is being made begins where group 0 lives");
        let retire = protocol::message::Retire {
            epoch: VolumeEpoch(1),
            writer: WriterId(1),
            node: NodeId(3),
            incarnation: protocol::Incarnation(2),
            head: head.clone(),
        };
        assert!(link.send(to(2, retire.into())));
        let mut messages = Vec::new();
        link.pipes(2).log.take(&mut messages);
        assert_eq!(messages.len(), 1, "the folder that was left is told, not the one that the copy lives in");
        // Unknown nodes are found by their address.
        head.groups[1].members[4] = Member { address: "h5:1".to_string(), ..member(77) };
        link.steer(&head);
        assert_eq!(at(1, 4), Some(5));
    }
}
