//! One storage daemon: connect, greet, carry both streams, come again after a rest; and the pump that drives the driver.
//!
//! ```text
//!   ┌► connect, greet (log, reads) ─ refused: remember why ───────────────┐
//!   │        │ blank: adopt, if this process has the volume open          │
//!   │        ▼                                                            │
//!   │   up: write what the pipes hold · deliver what comes                │
//!   │        │ either stream ends                                         │
//!   └── rest, longer each time, up to a second ◄──────────────────────────┘
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use parking_lot::{Mutex, RwLock};
use protocol::contract::LinkReceiver;
use protocol::env::Env;
use protocol::geometry::{COPIES, az_of};
use protocol::message::{Envelope, Message, Peer};
use protocol::{NodeId, PgId, SegmentId, VolumeId, WriterId};
use protocol_grpc::hello::{self, Hello, HelloError, Kind, PeerAddress, Welcome};
use protocol_grpc::io::Io;
use protocol_grpc::{stream, tls};
use quorum::Missing;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::{Notify, oneshot};

use super::link::{Link, Met, Pipe};
use super::operate::{self, Target};
use super::survey::adopt;
use super::{Config, NodeAddress};
use crate::log::OpenVolume;
use crate::open::Driver;

const CONNECT_LIMIT: Duration = Duration::from_secs(3);
/// While the volume is being opened, time is let pass so often.
const LONGEST_PAUSE_US: u64 = 1_000_000;
const REST_MIN_MS: u64 = 20;
const REST_MAX_MS: u64 = 1000;

/// How a daemon is reached now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reach {
    /// Not tried yet.
    Unknown,
    /// Both streams stand.
    Up,
    /// It cannot be reached: why.
    Down(String),
    /// It answers and refuses: why.
    Refused(String),
    /// It is blank.
    Blank,
    /// The volume map does not name it any more.
    Left,
}

#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) reach: Reach,
    /// The position it has, or had when it last said.
    position: Option<u8>,
    /// The folder met there last.
    node: Option<NodeId>,
}

/// Shared by the tasks of one fleet. Where both locks are held, `places` was taken first.
pub(super) struct Shared {
    pub(super) config: Config,
    pub(super) volume: VolumeId,
    caller: WriterId,
    pub(super) link: Arc<Link>,
    pub(super) driver: Arc<Driver>,
    env: Arc<dyn Env>,
    /// Where nodes are: those configured, then what the volume map and operators added.
    places: RwLock<Vec<NodeAddress>>,
    states: Mutex<Vec<State>>,
    /// Where operators want positions.
    pub(super) targets: Mutex<[Option<Target>; COPIES]>,
    /// Rung when a place was added.
    included: Notify,
    reconnects: AtomicU64,
}

/// Drives the volume until it is told to stop.
pub(super) async fn run(shared: Arc<Shared>, stopped: oneshot::Receiver<()>) {
    tokio::select! {
        // Whoever asked to stop, or is gone.
        _ = stopped => {}
        () = pump(&shared) => {}
        () = follow(&shared) => {}
    }
}

/// Serves every place there is, and those that the volume map or an operator adds; tells the core where nodes are.
async fn follow(shared: &Arc<Shared>) {
    let mut served = 0;
    loop {
        if let Some(head) = shared.link.head() {
            for (az, address) in head.addresses() {
                shared.include(NodeAddress { az: az.0, address: address.to_string() }, None);
            }
        }
        while served < shared.places.read().len() {
            tokio::spawn(serve(Arc::clone(shared), served));
            served += 1;
        }
        if let Some(open) = shared.driver.volume() {
            shared.locate(open);
            shared.pursue(open);
        }
        tokio::select! {
            () = shared.link.steered.notified() => {}
            () = shared.included.notified() => {}
        }
    }
}

/// Lets the driver's time pass and hands what it sends to the streams.
async fn pump(shared: &Shared) {
    let (driver, link) = (&shared.driver, &shared.link);
    loop {
        let pause = driver.next_wake_us().saturating_sub(shared.env.now_us()).min(LONGEST_PAUSE_US);
        if pause > 0 {
            tokio::select! {
                biased;
                () = link.bell.notified() => {}
                () = tokio::time::sleep(Duration::from_micros(pause)) => {}
            }
        }
        for refusal in link.take_bounced() {
            driver.deliver(refusal);
        }
        if driver.next_wake_us() <= shared.env.now_us() {
            driver.tick();
        }
        link.ring();
        // A core that wants to be ticked at once must not keep the streams from running.
        tokio::task::yield_now().await;
    }
}

async fn serve(shared: Arc<Shared>, index: usize) {
    let mut rest_ms = REST_MIN_MS;
    loop {
        if shared.was_left(index) {
            shared.note(index, Reach::Left);
            tokio::time::sleep(Duration::from_millis(REST_MAX_MS)).await;
            continue;
        }
        let outcome = tokio::time::timeout(CONNECT_LIMIT, shared.connect(index)).await;
        let reach = match outcome {
            Ok(Ok(Connected::Member(streams))) => {
                rest_ms = REST_MIN_MS;
                let ended = shared.carry(index, *streams).await;
                shared.reconnects.fetch_add(1, Ordering::Relaxed);
                Reach::Down(ended)
            }
            Ok(Ok(Connected::Blank)) => {
                shared.take_in(index).await;
                Reach::Blank
            }
            Ok(Err(HelloError::Refused(why))) => Reach::Refused(why),
            Ok(Err(problem)) => Reach::Down(problem.to_string()),
            Err(_) => Reach::Down("no answer in time".to_string()),
        };
        shared.note(index, reach);
        shared.look_whether_superseded();
        // A random part, so that many do not knock in step.
        let rest = rest_ms / 2 + shared.env.random() % (rest_ms / 2 + 1);
        tokio::time::sleep(Duration::from_millis(rest)).await;
        rest_ms = (rest_ms * 2).min(REST_MAX_MS);
    }
}

struct Streams {
    position: u8,
    node: NodeId,
    log: (Io, BytesMut),
    reads: (Io, BytesMut),
}

enum Connected {
    Member(Box<Streams>),
    Blank,
}

impl Shared {
    pub(super) fn new(
        config: Config,
        volume: VolumeId,
        caller: WriterId,
        link: Arc<Link>,
        driver: Arc<Driver>,
        env: Arc<dyn Env>,
        positions: &[(Option<u8>, Option<NodeId>)],
    ) -> Shared {
        let state = |n: usize| {
            let (position, node) = positions.get(n).copied().unwrap_or_default();
            State { reach: Reach::Unknown, position, node }
        };
        let states = Mutex::new((0..config.nodes.len()).map(state).collect());
        let places = RwLock::new(config.nodes.clone());
        let (targets, included, reconnects) = (Mutex::default(), Notify::new(), AtomicU64::new(0));
        let shared = Shared {
            config,
            volume,
            caller,
            link,
            driver,
            env,
            places,
            states,
            targets,
            included,
            reconnects,
        };
        shared.meet();
        shared
    }

    /// The configuration with every place known now.
    pub(super) fn known(&self) -> Config {
        Config { nodes: self.places.read().clone(), ..self.config.clone() }
    }

    /// One more place, unless it is known; what is known of the node there.
    pub(super) fn include(&self, place: NodeAddress, met: Option<(NodeId, u8)>) {
        let mut places = self.places.write();
        let mut states = self.states.lock();
        let known = places.iter().position(|p| p.address == place.address);
        let index = known.unwrap_or(places.len());
        if known.is_none() {
            places.push(place);
            states.push(State { reach: Reach::Unknown, position: None, node: None });
        }
        if let Some((node, position)) = met {
            (states[index].node, states[index].position) = (Some(node), Some(position));
        }
        drop((places, states));
        if known.is_none() || met.is_some() {
            self.meet();
            self.included.notify_one();
        }
    }

    /// The link learns who is where.
    fn meet(&self) {
        let places = self.places.read();
        let states = self.states.lock();
        let met = |(place, state): (&NodeAddress, &State)| Met {
            address: place.address.clone(),
            node: state.node,
            position: state.position,
        };
        self.link.meet(places.iter().zip(states.iter()).map(met).collect());
    }

    /// The core learns by which address nodes are reached (R9), and whose folder is there no more.
    fn locate(&self, open: &OpenVolume) {
        let Some(head) = self.link.head() else { return };
        let met: Vec<(String, Option<NodeId>, bool)> = {
            let places = self.places.read();
            let states = self.states.lock();
            let one = |(p, s): (&NodeAddress, &State)| {
                (p.address.clone(), s.node, matches!(s.reach, Reach::Up | Reach::Blank))
            };
            places.iter().zip(states.iter()).map(one).collect()
        };
        for (address, node, there) in met.into_iter().filter(|(.., there)| *there) {
            if let (Some(node), true) = (node, there) {
                open.order(quorum::Order::Locate { node, address: address.clone() });
            }
            // Another folder answers where one was that waits for its tombstone: that one was wiped.
            let wiped = head.former.iter().filter(|f| f.address == address && Some(f.node) != node);
            wiped.for_each(|f| open.order(quorum::Order::Gone { node: f.node }));
        }
    }

    /// True when the volume map names an address for every member, and neither this one nor the folder met here.
    fn was_left(&self, index: usize) -> bool {
        let Some(head) = self.link.head() else { return false };
        let members =
            || head.groups.iter().flat_map(|g| g.members.iter().chain(g.joint.iter().map(|j| &j.newcomer)));
        let place = self.place(index);
        let node = self.states.lock()[index].node;
        let targeted = self.targets.lock().iter().flatten().any(|target| target.is_at(&place.address));
        !targeted
            && members().all(|m| !m.address.is_empty())
            && !head.addresses().iter().any(|(_, address)| *address == place.address)
            && !members().any(|m| Some(m.node) == node)
    }

    /// False while the node of this position cannot be reached.
    pub(super) fn serves(&self, position: u8) -> bool {
        let index = self.link.route(SegmentId { pg: PgId(0), position });
        index.is_some_and(|index| matches!(self.states.lock()[index].reach, Reach::Up))
    }

    pub(super) fn reaches(&self) -> Vec<Reach> {
        self.states.lock().iter().map(|s| s.reach.clone()).collect()
    }

    pub(super) fn reconnects(&self) -> u64 {
        self.reconnects.load(Ordering::Relaxed)
    }

    fn place(&self, index: usize) -> NodeAddress {
        self.places.read()[index].clone()
    }

    /// Remembers how a node is reached; a change is one log line.
    fn note(&self, index: usize, reach: Reach) {
        let node = self.place(index);
        let mut states = self.states.lock();
        let state = &mut states[index];
        if std::mem::discriminant(&state.reach) != std::mem::discriminant(&reach) {
            match &reach {
                Reach::Up => tracing::info!(%node, "storage node connected"),
                Reach::Down(why) => tracing::warn!(%node, why, "storage node cannot be reached"),
                Reach::Refused(why) => tracing::warn!(%node, why, "storage node refuses"),
                Reach::Blank => tracing::warn!(%node, "storage node is blank"),
                Reach::Left => tracing::info!(%node, "the volume has left this storage node"),
                Reach::Unknown => {}
            }
        }
        state.reach = reach;
    }

    /// A writer that half of the nodes refuse is finished: what it would append can reach no quorum, and what it would read may be stale.
    fn look_whether_superseded(&self) {
        let Some(open) = self.driver.volume() else { return };
        let reaches = self.reaches();
        let why = reaches.iter().find_map(|r| if let Reach::Refused(why) = r { Some(why) } else { None });
        let refusing = reaches.iter().filter(|r| matches!(r, Reach::Refused(_))).count();
        if let Some(why) = why.filter(|_| refusing >= COPIES / 2) {
            open.close();
            (self.config.on_superseded)(why);
        }
    }

    /// The nodes that are not up, those with the same reason together.
    pub(super) fn lacking(&self) -> Vec<String> {
        let places = self.places.read();
        let states = self.states.lock();
        let mut reasons: Vec<(String, Vec<String>)> = Vec::new();
        for (n, state) in states.iter().enumerate() {
            let why = match &state.reach {
                Reach::Up | Reach::Left => continue,
                Reach::Unknown => "no answer".to_string(),
                Reach::Down(why) => why.clone(),
                Reach::Refused(why) => format!("refused: {why}"),
                Reach::Blank => "blank".to_string(),
            };
            let node = places[n].to_string();
            match reasons.iter_mut().find(|(known, _)| *known == why) {
                Some((_, nodes)) => nodes.push(node),
                None => reasons.push((why, vec![node])),
            }
        }
        if reasons.is_empty() {
            return vec!["a quorum of answers".to_string()];
        }
        reasons.into_iter().map(|(why, nodes)| format!("{} ({why})", nodes.join(" "))).collect()
    }

    /// Members that do not count, by address.
    pub(super) fn name(&self, missing: &[Missing]) -> Vec<String> {
        use quorum::recovery::Why;
        let places = self.places.read();
        let states = self.states.lock();
        let one = |m: &Missing| {
            let at = states.iter().position(|s| s.position == Some(m.segment.position));
            let node = at.map_or(format!("position {}", m.segment.position), |n| places[n].to_string());
            let why = match m.why {
                Why::Silent => "does not answer",
                Why::OtherLife => "its folder is new or holds another life of the segment",
                Why::ForeignVolume => "belongs to another volume",
                Why::NotGranted => "has not granted the opening",
            };
            format!("{node} ({why})")
        };
        let mut lacking: Vec<String> = missing.iter().map(one).collect();
        lacking.dedup();
        lacking
    }

    async fn connect(&self, index: usize) -> Result<Connected, HelloError> {
        let (mut log, mut log_input, welcome) = self.greet(index, Kind::Log).await?;
        if welcome.volume.0 == 0 {
            return Ok(Connected::Blank);
        }
        let position = welcome.position;
        let known = usize::from(position) < COPIES && az_of(position).0 == self.place(index).az;
        if !known || welcome.volume != self.volume {
            let text = format!("it is position {position} of volume {}", welcome.volume);
            return Err(HelloError::Refused(text));
        }
        let (reads, reads_input, again) = self.greet(index, Kind::Reads).await?;
        if (again.node, again.position) != (welcome.node, position) {
            // Two daemons took turns at this address: neither stream is trusted.
            log_input.clear();
            let _ = log.shutdown().await;
            return Err(HelloError::Closed);
        }
        let streams =
            Streams { position, node: welcome.node, log: (log, log_input), reads: (reads, reads_input) };
        Ok(Connected::Member(Box::new(streams)))
    }

    async fn greet(&self, index: usize, kind: Kind) -> Result<(Io, BytesMut, Welcome), HelloError> {
        let mut io = tls::connect(&self.place(index).address, self.config.tls.as_ref()).await?;
        let mut input = BytesMut::new();
        let peers = if kind == Kind::Log { self.peers() } else { Vec::new() };
        let hello = Hello { kind, volume: self.volume, caller: self.caller, position: None, peers };
        let welcome = hello::greet(&mut io, &hello, &mut input).await?;
        Ok((io, input, welcome))
    }

    /// Where the nodes are; a node that never said its position is guessed at, in the order of its zone: only a hint.
    fn peers(&self) -> Vec<PeerAddress> {
        let places = self.places.read().clone();
        let mut positions: Vec<Option<u8>> = self.states.lock().iter().map(|s| s.position).collect();
        let mut peers = Vec::with_capacity(COPIES);
        for (n, node) in places.iter().enumerate() {
            let elsewhere = positions.get(n).copied().flatten().is_some_and(|position| {
                self.link.route(SegmentId { pg: PgId(0), position }).is_some_and(|home| home != n)
            });
            if elsewhere || positions.len() <= n {
                // Where group 0 has left is no hint.
                continue;
            }
            let free =
                || (0..COPIES as u8).find(|p| az_of(*p).0 == node.az && !positions.contains(&Some(*p)));
            let position = positions[n].or_else(free);
            positions[n] = position;
            peers.extend(position.map(|position| PeerAddress { position, address: node.address.clone() }));
        }
        peers
    }

    /// Carries both streams until one ends; why it did.
    async fn carry(self: &Arc<Self>, index: usize, streams: Streams) -> String {
        let (position, node) = (streams.position, streams.node);
        {
            let mut states = self.states.lock();
            let twin = (0..states.len())
                .find(|n| *n != index && states[*n].node == Some(node) && states[*n].reach == Reach::Up);
            if let Some(twin) = twin {
                drop(states);
                return format!("{} is the same node", self.place(twin));
            }
            (states[index].position, states[index].node) = (Some(position), Some(node));
        }
        self.note(index, Reach::Up);
        self.link.set_up(index, true);
        self.meet();
        self.included.notify_one();
        let pipes = self.link.pipes(index);
        let (log_reader, log_writer) = tokio::io::split(streams.log.0);
        let (reads_reader, reads_writer) = tokio::io::split(streams.reads.0);
        let ended = tokio::select! {
            ended = self.read(index, position, log_reader, streams.log.1) => ended,
            ended = self.read(index, position, reads_reader, streams.reads.1) => ended,
            ended = write(log_writer, &pipes.log) => ended,
            ended = write(reads_writer, &pipes.reads) => ended,
        };
        self.link.set_up(index, false);
        // Reads in flight there are asked elsewhere by the next tick at their deadline.
        match ended {
            Ok(()) => "it closed the connection".to_string(),
            Err(problem) => problem.to_string(),
        }
    }

    /// Delivers what a node says, but for what it says of copies that live elsewhere now: that is old news.
    fn deliver(self: &Arc<Self>, index: usize, envelope: Envelope) {
        if let Some(ask) = operate::order_in(&envelope) {
            return self.asked(index, &envelope, ask);
        }
        let of_a_copy = matches!(
            envelope.message,
            Message::Acked(_) | Message::Refused(_) | Message::State(_) | Message::LogSlice(_)
        );
        let elsewhere = matches!(envelope.from, Peer::Segment(from)
            if self.link.route(from).is_some_and(|home| home != index));
        if !(of_a_copy && elsewhere) {
            self.driver.deliver(envelope);
        }
    }

    async fn read(
        self: &Arc<Self>,
        index: usize,
        position: u8,
        mut reader: ReadHalf<Io>,
        mut input: BytesMut,
    ) -> std::io::Result<()> {
        loop {
            while let Some(envelope) = stream::take_envelope(&mut input).map_err(std::io::Error::other)? {
                // Invariant 3 of the crate's network side.
                if matches!(envelope.from, Peer::Segment(from) if from.position == position) {
                    self.deliver(index, envelope);
                } else {
                    return Err(std::io::Error::other("it speaks in another node's name"));
                }
            }
            stream::make_room(&mut input);
            if reader.read_buf(&mut input).await? == 0 {
                return Ok(());
            }
        }
    }

    /// A blank daemon stands where a member was: it becomes a newcomer, if the volume is open and its place is known.
    async fn take_in(&self, index: usize) {
        let Some(position) = self.vacant(index).filter(|_| self.driver.volume().is_some()) else { return };
        let node = self.place(index);
        match adopt(&node.address, self.config.tls.as_ref(), self.volume, position).await {
            Ok(id) => {
                {
                    let state = &mut self.states.lock()[index];
                    (state.position, state.node) = (Some(position), Some(id));
                }
                self.meet();
                self.included.notify_one();
                tracing::warn!(%node, position, "a blank storage node takes the place of a lost one");
            }
            Err(why) => tracing::warn!(%node, position, why, "a blank storage node cannot be adopted"),
        }
    }

    /// The position of its zone that no other address has.
    fn vacant(&self, index: usize) -> Option<u8> {
        let places = self.places.read();
        let states = self.states.lock();
        let here = |n: usize| n == index || !matches!(states[n].reach, Reach::Left);
        let kept: Vec<usize> = (0..states.len()).filter(|n| here(*n)).collect();
        let nodes: Vec<NodeAddress> = kept.iter().map(|n| places[*n].clone()).collect();
        let positions: Vec<Option<u8>> = kept.iter().map(|n| states[*n].position).collect();
        vacant(&nodes, &positions, kept.iter().position(|n| *n == index)?)
    }
}

/// The place a node had, or the one that the others of its zone leave; `None` while that cannot be told.
fn vacant(nodes: &[NodeAddress], positions: &[Option<u8>], index: usize) -> Option<u8> {
    if positions[index].is_some() {
        return positions[index];
    }
    let az = nodes[index].az;
    let others: Option<Vec<u8>> =
        (0..nodes.len()).filter(|n| *n != index && nodes[*n].az == az).map(|n| positions[n]).collect();
    let others = others.filter(|others| !others.is_empty())?;
    (0..COPIES as u8).find(|p| az_of(*p).0 == az && !others.contains(p))
}

async fn write(writer: WriteHalf<Io>, pipe: &Pipe) -> std::io::Result<()> {
    stream::write_queue(writer, &pipe.bell, |out| pipe.take(out)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blank_nodes_place_is_its_own_or_what_its_neighbour_leaves() {
        let nodes: Vec<NodeAddress> =
            (0..6).map(|n| NodeAddress { az: n / 2 + 1, address: format!("h{n}") }).collect();
        let all: Vec<Option<u8>> = (0..6).map(Some).collect();
        assert_eq!(vacant(&nodes, &all, 3), Some(3), "it had one");
        let swapped = [Some(1), None, Some(2), None, None, None];
        assert_eq!(vacant(&nodes, &swapped, 1), Some(0));
        assert_eq!(vacant(&nodes, &swapped, 3), Some(3));
        assert_eq!(vacant(&nodes, &swapped, 4), None, "its neighbour is unknown too");
    }
}
