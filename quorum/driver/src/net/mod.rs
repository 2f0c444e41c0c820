//! The network side of the driver: one thread that connects to the storage daemons and carries the driver's messages.
//!
//! ```text
//!   workers ─append─► OpenVolume ─► link: per node a log queue and a read queue (bounded) ─bell─┐
//!                         ▲                                                                     ▼
//!   thread "storage-link" (tokio, one core at most):   pump ─► six node tasks ─► two streams each ─► daemons
//!                         └── deliver ◄── acks, images ◄───────────┘
//! ```
//!
//! | module | one idea |
//! |---|---|
//! | [`Fleet`] (here) | an open volume on daemons: opened, asked, closed |
//! | `link` | the `SegmentLink`: bounded queues, and reads bounced from nodes that cannot be reached |
//! | `node` | one daemon: connect, greet, carry, come again after a rest |
//! | `operate` | what operators ask of the running volume: nodes elsewhere, more groups |
//! | [`survey()`] | what stands at the addresses, before anything is opened or created |
//!
//! Invariants
//! 1. A node that cannot be reached costs its messages, never the others' (I27): its queue takes nothing while it is down.
//! 2. Back-pressure is the core's: a stalled quorum stalls VDL, VDL stalls credit; nothing here returns an error for it.
//! 3. A copy is spoken to at the node the volume map names; an answer counts only for the position its node greeted with, and only if the copy lives there.
//! 4. A blank daemon is adopted only into a volume that this process has open, and only at a position known to be vacant.

mod link;
mod node;
mod operate;
pub mod survey;

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use protocol::contract::{LogWriter, PageReader, SegmentLink};
use protocol::env::Env;
use protocol::geometry::COPIES;
use protocol::order::{Order, Report};
use protocol::{NodeId, VolumeId, WriterId};
use protocol_grpc::control::{ControlClient, StatusReply};
use protocol_grpc::tls::Tls;
use quorum::{NewVolume, SegmentView};
use tokio::runtime::{Handle, Runtime};
use tokio::sync::oneshot;

use crate::log::OpenVolume;
use crate::open::{Driver, Plan};
use link::Link;
pub use node::Reach;
use node::Shared;
pub use operate::{operate, scrub};
use survey::{adopt, survey};

/// How long an opening may take before it gives up and says what it waited for.
const OPEN_LIMIT: Duration = Duration::from_secs(30);
/// Refusals by half of the nodes for so long end an opening: another compute node holds the volume.
const REFUSED_LIMIT: Duration = Duration::from_secs(5);
/// How long an orderly end waits for what was appended to become durable.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);
/// How long it waits for its last messages to leave.
const LAST_WORDS_LIMIT: Duration = Duration::from_millis(100);
/// How long an order may take to be taken.
const ORDER_LIMIT: Duration = Duration::from_secs(20);
/// How long a node may take to say what it is.
const STATUS_LIMIT: Duration = Duration::from_secs(2);

/// A daemon's place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeAddress {
    /// The availability zone it is said to stand in, 1 to 3.
    pub az: u8,
    /// `host:port`.
    pub address: String,
}

impl std::fmt::Display for NodeAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "az{}={}", self.az, self.address)
    }
}

/// Where the daemons are and how the volume on them is run.
#[derive(Clone, Debug)]
pub struct Config {
    /// Two in each availability zone.
    pub nodes: Vec<NodeAddress>,
    /// Certificates; `None` on loopback.
    pub tls: Option<Tls>,
    /// The writer's numbers.
    pub log: quorum::Settings,
    /// Told once, on the link's thread, when half of the nodes refuse this process although it has the volume open: another compute node
    /// holds it now, and nothing here may be answered any more.
    pub on_superseded: fn(&str),
}

/// What a new volume is to be.
#[derive(Clone, Copy, Debug)]
pub struct New {
    /// Pages of one protection group.
    pub pages_per_pg: u64,
    /// Lease time in milliseconds (R8).
    pub lease_ms: u64,
}

/// Why there is no open volume. Each displays as one line.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// What stands at the addresses does not make a volume.
    #[error("{0}")]
    Survey(String),
    /// Too few nodes hold what they must, or they refuse.
    #[error("the volume cannot be opened for writing: {}", .0.join(", "))]
    Refused(Vec<String>),
    /// Opening would lose acknowledged commits (R5).
    #[error("{0}")]
    Halted(String),
    /// Nothing decisive happened in time.
    #[error("the volume did not open within {} s; still waiting for {}", OPEN_LIMIT.as_secs(), .0.join(", "))]
    TimedOut(Vec<String>),
    /// The thread or its runtime.
    #[error("cannot start the storage link: {0}")]
    Thread(std::io::Error),
}

/// One daemon as it is now.
#[derive(Clone, Debug)]
pub struct NodeReport {
    /// Its place.
    pub at: NodeAddress,
    /// How this process reaches it.
    pub reach: Reach,
    /// What it says of itself, if it answers.
    pub status: Option<StatusReply>,
}

/// A volume on daemons, open for writing.
pub struct Fleet {
    open: OpenVolume,
    shared: Arc<Shared>,
    volume: VolumeId,
    handle: Handle,
    stop: Mutex<Option<oneshot::Sender<()>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl std::fmt::Debug for Fleet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Fleet({})", self.volume)
    }
}

fn runtime() -> Result<Runtime, FleetError> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(FleetError::Thread)
}

impl Fleet {
    /// Opens the volume that the daemons hold. Blocks for the time that takes.
    ///
    /// # Errors
    /// [`FleetError`]: one clear line; nothing was harmed.
    pub fn open(config: Config, env: Arc<dyn Env>) -> Result<Fleet, FleetError> {
        let runtime = runtime()?;
        let found = runtime.block_on(survey(&config, OPEN_LIMIT)).map_err(FleetError::Survey)?;
        let volume = found.volume().map_err(FleetError::Survey)?;
        let positions = found.met();
        // Nodes that the volume map names and the configuration does not (R9).
        let nodes = found.nodes.iter().map(|(place, _)| place.clone()).collect();
        let config = Config { nodes, ..config };
        Self::start(config, runtime, env, Plan::Open(volume), &positions, volume)
    }

    /// Makes a new volume on six blank daemons and opens it.
    ///
    /// # Errors
    /// [`FleetError`]; a creation that was cut short is finished by the next one.
    pub fn create(config: Config, new: New, env: Arc<dyn Env>) -> Result<Fleet, FleetError> {
        let runtime = runtime()?;
        let random = || u128::from(env.random()) << 64 | u128::from(env.random());
        let found = runtime.block_on(survey(&config, STATUS_LIMIT)).map_err(FleetError::Survey)?;
        let volume = found.new_volume(VolumeId(random())).map_err(FleetError::Survey)?;
        let places = found.places().map_err(FleetError::Survey)?;
        let mut nodes = [NodeId(0); COPIES];
        for (place, position) in config.nodes.iter().zip(&places) {
            let adopted = runtime.block_on(adopt(&place.address, config.tls.as_ref(), volume, *position));
            let node = adopted.map_err(|e| FleetError::Survey(format!("{place} cannot be adopted: {e}")))?;
            nodes[usize::from(*position)] = node;
        }
        let plan_nodes = nodes;
        let plan = Plan::Create(NewVolume {
            volume,
            pages_per_pg: new.pages_per_pg,
            lease_ms: new.lease_ms,
            nodes,
            writer: WriterId(random()),
            ask_us: config.log.ask_us,
        });
        let positions: Vec<_> =
            places.into_iter().map(|p| (Some(p), Some(plan_nodes[usize::from(p)]))).collect();
        Self::start(config, runtime, env, plan, &positions, volume)
    }

    fn start(
        config: Config,
        runtime: Runtime,
        env: Arc<dyn Env>,
        plan: Plan,
        positions: &[(Option<u8>, Option<NodeId>)],
        volume: VolumeId,
    ) -> Result<Fleet, FleetError> {
        let caller = WriterId(u128::from(env.random()) << 64 | u128::from(env.random()));
        let link = Arc::new(Link::default());
        let (tell, outcome) = mpsc::channel();
        let tell = Mutex::new(tell);
        let driver = Arc::new(Driver::new(
            Arc::clone(&link) as Arc<dyn SegmentLink>,
            Arc::clone(&env),
            config.log.clone(),
            plan,
            |_| {},
            // The opener may have given up waiting.
            move |opened| drop(tell.lock().send(opened)),
        ));
        let shared = Arc::new(Shared::new(config, volume, caller, link, driver, env, positions));
        let (stop, stopped) = oneshot::channel();
        let handle = runtime.handle().clone();
        let body = {
            let shared = Arc::clone(&shared);
            move || {
                let abort = AbortOnPanic;
                runtime.block_on(node::run(shared, stopped));
                // Tasks that are still there hold nothing but their sockets.
                runtime.shutdown_background();
                std::mem::forget(abort);
            }
        };
        let thread = std::thread::Builder::new().name("storage-link".into()).spawn(body);
        let thread = thread.map_err(FleetError::Thread)?;
        match decide(&shared, &outcome) {
            Ok(open) => {
                let (stop, thread) = (Mutex::new(Some(stop)), Mutex::new(Some(thread)));
                Ok(Fleet { open, shared, volume, handle, stop, thread })
            }
            Err(error) => {
                let _ = stop.send(());
                join(thread);
                Err(error)
            }
        }
    }

    /// The log.
    #[must_use]
    pub fn log(&self) -> Arc<dyn LogWriter> {
        Arc::new(self.open.clone())
    }

    /// The pages.
    #[must_use]
    pub fn reader(&self) -> Arc<dyn PageReader> {
        Arc::new(self.open.clone())
    }

    /// The volume below both, for counters.
    #[must_use]
    pub fn volume(&self) -> &OpenVolume {
        &self.open
    }

    /// The volume's identity.
    #[must_use]
    pub fn id(&self) -> VolumeId {
        self.volume
    }

    /// The writer's view of every segment.
    #[must_use]
    pub fn segments(&self) -> Vec<SegmentView> {
        self.open.segments()
    }

    /// Carries out an operator's order and tells how the volume is. Blocks while blank nodes are adopted; never call it on the link's own thread.
    #[must_use]
    pub fn operate(&self, order: Order) -> Report {
        let (tell, told) = mpsc::channel();
        let shared = Arc::clone(&self.shared);
        self.handle.spawn(async move { tell.send(shared.operate(order).await) });
        told.recv_timeout(ORDER_LIMIT).unwrap_or_else(|_| Report::refused("no answer in time"))
    }

    /// Every daemon as it is now: those configured, then those that the volume map added. Asks them all at once and waits up to `limit`; never call it on
    /// the link's own thread.
    #[must_use]
    pub fn nodes(&self, limit: Duration) -> Vec<NodeReport> {
        let (tell, told) = mpsc::channel();
        let config = self.shared.known();
        let places = config.nodes.clone();
        self.handle.spawn(async move { tell.send(ask_all(&config, limit).await) });
        let mut statuses = told.recv_timeout(limit + Duration::from_millis(200)).unwrap_or_default();
        statuses.resize(places.len(), None);
        let reaches = self.shared.reaches();
        places
            .into_iter()
            .zip(reaches)
            .zip(statuses)
            // What was left long ago is nobody's node any more.
            .filter(|((_, reach), _)| *reach != Reach::Left)
            .map(|((at, reach), status)| NodeReport { at, reach, status })
            .collect()
    }

    /// Names and values for status and metrics, without prefix.
    #[must_use]
    pub fn counters(&self) -> Vec<(&'static str, u64)> {
        let up = self.shared.reaches().iter().filter(|r| matches!(r, Reach::Up)).count();
        let mut list = self.shared.link.counters();
        list.push(("storage_nodes_connected", up as u64));
        list.push(("storage_reconnects", self.shared.reconnects()));
        list
    }

    /// [`close_within`](Self::close_within) the usual limit.
    pub fn close(&self) {
        self.close_within(CLOSE_LIMIT);
    }

    /// Ends in order: waits so long for what was appended to become durable, ends the log, leaves. Blocks.
    pub fn close_within(&self, limit: Duration) {
        let deadline = Instant::now() + limit;
        let last = self.open.last_lsn();
        drop(self.open.wait_durable(last));
        while self.open.vdl() < last && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
        if self.open.vdl() >= last {
            self.open.hand_over();
            self.last_words();
        }
        self.end();
    }

    /// What was queued leaves before the streams do. A release that is lost costs the next opening the rest of its promises' time.
    fn last_words(&self) {
        let deadline = Instant::now() + LAST_WORDS_LIMIT;
        while !self.shared.link.is_quiet() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn end(&self) {
        self.open.close();
        if let Some(stop) = self.stop.lock().take() {
            // It has ended by itself otherwise.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.lock().take() {
            join(thread);
        }
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.end();
    }
}

fn join(thread: JoinHandle<()>) {
    if thread.join().is_err() {
        tracing::error!("the storage link's thread has panicked");
    }
}

/// What every address answers, in order; `None`: nothing within `limit`.
pub(crate) async fn ask_all(config: &Config, limit: Duration) -> Vec<Option<StatusReply>> {
    let ask = |place: &NodeAddress| {
        let (address, tls) = (place.address.clone(), config.tls.clone());
        tokio::spawn(async move {
            let asked =
                async { ControlClient::connect(&address, tls.as_ref()).await.ok()?.status().await.ok() };
            tokio::time::timeout(limit, asked).await.ok().flatten()
        })
    };
    let tasks: Vec<_> = config.nodes.iter().map(ask).collect();
    let mut replies = Vec::with_capacity(tasks.len());
    for task in tasks {
        replies.push(task.await.ok().flatten());
    }
    replies
}

/// Waits for the driver's outcome, and gives up early when the nodes refuse.
fn decide(shared: &Shared, outcome: &mpsc::Receiver<crate::open::Opened>) -> Result<OpenVolume, FleetError> {
    let started = Instant::now();
    let mut refused_since: Option<Instant> = None;
    loop {
        match outcome.recv_timeout(Duration::from_millis(50)) {
            Ok(Ok(open)) => return Ok(open),
            Ok(Err(crate::OpenError::Refused(missing))) => {
                return Err(FleetError::Refused(shared.name(&missing)));
            }
            Ok(Err(crate::OpenError::NoVolume)) => {
                let text = "the storage nodes hold no volume; `sextant volume create` makes one";
                return Err(FleetError::Survey(text.to_string()));
            }
            Ok(Err(halted @ crate::OpenError::Halted(_))) => {
                return Err(FleetError::Halted(halted.to_string()));
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Err(FleetError::TimedOut(shared.lacking())),
        }
        let refusing = shared.reaches().iter().filter(|r| matches!(r, Reach::Refused(_))).count();
        if refusing >= COPIES / 2 {
            if refused_since.get_or_insert_with(Instant::now).elapsed() > REFUSED_LIMIT {
                return Err(FleetError::Refused(shared.lacking()));
            }
        } else {
            refused_since = None;
        }
        if started.elapsed() > OPEN_LIMIT {
            return Err(FleetError::TimedOut(shared.lacking()));
        }
    }
}

/// A volume half driven must not live on.
struct AbortOnPanic;

impl Drop for AbortOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("sextant: the storage link's thread has panicked; aborting");
            std::process::abort();
        }
    }
}
