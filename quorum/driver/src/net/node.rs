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
use parking_lot::Mutex;
use protocol::contract::LinkReceiver;
use protocol::env::Env;
use protocol::geometry::{COPIES, az_of};
use protocol::message::Peer;
use protocol::{VolumeId, WriterId};
use protocol_grpc::hello::{self, Hello, HelloError, Kind, PeerAddress, Welcome};
use protocol_grpc::io::Io;
use protocol_grpc::{stream, tls};
use quorum::Missing;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::oneshot;

use super::link::{Link, Pipe};
use super::survey::adopt;
use super::{Config, NodeAddress};
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
}

#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) reach: Reach,
    /// The position it has, or had when it last said.
    position: Option<u8>,
}

/// Shared by the tasks of one fleet.
pub(super) struct Shared {
    pub(super) config: Config,
    volume: VolumeId,
    caller: WriterId,
    pub(super) link: Arc<Link>,
    driver: Arc<Driver>,
    env: Arc<dyn Env>,
    states: Mutex<Vec<State>>,
    reconnects: AtomicU64,
}

/// Drives the volume until it is told to stop.
pub(super) async fn run(shared: Arc<Shared>, stopped: oneshot::Receiver<()>) {
    for index in 0..shared.config.nodes.len() {
        tokio::spawn(serve(Arc::clone(&shared), index));
    }
    tokio::select! {
        // Whoever asked to stop, or is gone.
        _ = stopped => {}
        () = pump(&shared) => {}
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
        positions: &[Option<u8>],
    ) -> Shared {
        let state = |n: usize| State { reach: Reach::Unknown, position: positions.get(n).copied().flatten() };
        let states = Mutex::new((0..config.nodes.len()).map(state).collect());
        Shared { config, volume, caller, link, driver, env, states, reconnects: AtomicU64::new(0) }
    }

    pub(super) fn reaches(&self) -> Vec<Reach> {
        self.states.lock().iter().map(|s| s.reach.clone()).collect()
    }

    pub(super) fn reconnects(&self) -> u64 {
        self.reconnects.load(Ordering::Relaxed)
    }

    fn place(&self, index: usize) -> &NodeAddress {
        &self.config.nodes[index]
    }

    /// Remembers how a node is reached; a change is one log line.
    fn note(&self, index: usize, reach: Reach) {
        let mut states = self.states.lock();
        let state = &mut states[index];
        if std::mem::discriminant(&state.reach) != std::mem::discriminant(&reach) {
            let node = self.place(index);
            match &reach {
                Reach::Up => tracing::info!(%node, "storage node connected"),
                Reach::Down(why) => tracing::warn!(%node, why, "storage node cannot be reached"),
                Reach::Refused(why) => tracing::warn!(%node, why, "storage node refuses"),
                Reach::Blank => tracing::warn!(%node, "storage node is blank"),
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
        let states = self.states.lock();
        let mut reasons: Vec<(String, Vec<String>)> = Vec::new();
        for (n, state) in states.iter().enumerate() {
            let why = match &state.reach {
                Reach::Up => continue,
                Reach::Unknown => "no answer".to_string(),
                Reach::Down(why) => why.clone(),
                Reach::Refused(why) => format!("refused: {why}"),
                Reach::Blank => "blank".to_string(),
            };
            let node = self.place(n).to_string();
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
        let states = self.states.lock();
        let one = |m: &Missing| {
            let at = states.iter().position(|s| s.position == Some(m.segment.position));
            let node = at.map_or(format!("position {}", m.segment.position), |n| self.place(n).to_string());
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
        let streams = Streams { position, log: (log, log_input), reads: (reads, reads_input) };
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
        let mut positions: Vec<Option<u8>> = self.states.lock().iter().map(|s| s.position).collect();
        let mut peers = Vec::with_capacity(COPIES);
        for (n, node) in self.config.nodes.iter().enumerate() {
            let free =
                || (0..COPIES as u8).find(|p| az_of(*p).0 == node.az && !positions.contains(&Some(*p)));
            let position = positions[n].or_else(free);
            positions[n] = position;
            peers.extend(position.map(|position| PeerAddress { position, address: node.address.clone() }));
        }
        peers
    }

    /// Carries both streams until one ends; why it did.
    async fn carry(&self, index: usize, streams: Streams) -> String {
        let position = streams.position;
        {
            let mut states = self.states.lock();
            let twin = (0..states.len()).find(|n| {
                *n != index && states[*n].position == Some(position) && states[*n].reach == Reach::Up
            });
            if let Some(twin) = twin {
                return format!("{} already serves position {position}", self.place(twin));
            }
            states[index].position = Some(position);
        }
        self.note(index, Reach::Up);
        self.link.set_up(position, true);
        let pipes = self.link.pipes(position);
        let (log_reader, log_writer) = tokio::io::split(streams.log.0);
        let (reads_reader, reads_writer) = tokio::io::split(streams.reads.0);
        let ended = tokio::select! {
            ended = self.read(position, log_reader, streams.log.1) => ended,
            ended = self.read(position, reads_reader, streams.reads.1) => ended,
            ended = write(log_writer, &pipes.log) => ended,
            ended = write(reads_writer, &pipes.reads) => ended,
        };
        self.link.set_up(position, false);
        // Reads in flight there are asked elsewhere by the next tick at their deadline.
        match ended {
            Ok(()) => "it closed the connection".to_string(),
            Err(problem) => problem.to_string(),
        }
    }

    async fn read(&self, position: u8, mut reader: ReadHalf<Io>, mut input: BytesMut) -> std::io::Result<()> {
        loop {
            while let Some(envelope) = stream::take_envelope(&mut input).map_err(std::io::Error::other)? {
                // Invariant 3 of the crate's network side.
                if matches!(envelope.from, Peer::Segment(from) if from.position == position) {
                    self.driver.deliver(envelope);
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
            Ok(_) => {
                self.states.lock()[index].position = Some(position);
                tracing::warn!(%node, position, "a blank storage node takes the place of a lost one");
            }
            Err(why) => tracing::warn!(%node, position, why, "a blank storage node cannot be adopted"),
        }
    }

    /// The position of its zone that no other address has.
    fn vacant(&self, index: usize) -> Option<u8> {
        let states = self.states.lock();
        vacant(&self.config.nodes, &states.iter().map(|s| s.position).collect::<Vec<_>>(), index)
    }
}

/// The place a node had, or the one its neighbour does not have; `None` while that cannot be told.
fn vacant(nodes: &[NodeAddress], positions: &[Option<u8>], index: usize) -> Option<u8> {
    if positions[index].is_some() {
        return positions[index];
    }
    let az = nodes[index].az;
    let mut neighbours = (0..nodes.len()).filter(|n| *n != index && nodes[*n].az == az);
    let neighbour = positions[neighbours.next()?]?;
    (0..COPIES as u8).find(|p| az_of(*p).0 == az && *p != neighbour)
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
