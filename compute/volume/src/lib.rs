//! The embedded volume: six storage nodes of one volume in this process, their folders, and the link to them.
//!
//! The only crate that sees both sides: it runs `storage_node` below and `driver` above, and joins them by memory
//! instead of a network. Everything between is the same messages that daemons exchange.
//!
//! ```text
//!   engine, buffer pool ── LogWriter, PageReader ──► driver::OpenVolume
//!                                                      │ Link (six bounded queues)       ▲ acks, images
//!                                                      ▼                                 │
//!   thread "storage":  host::Hosts { Node x 6, Disk x 6, one device queue } ─────────────┘
//!                                                      │ io_uring, or threads
//!                                                      ▼
//!   DATA/az{1,2,3}/n{1,2}/{node.id, superblock, log/, pages/}      DATA/compute/
//! ```
//!
//! | module | what |
//! |---|---|
//! | [`folders`], [`identity`] | whose folders these are, locks, creation, lost ones |
//! | [`link`] | the in-process `SegmentLink` |
//! | `opening` | the six folders are read side by side |
//! | `host` | the storage thread |
//! | [`status`] | one line per segment, counters |
//!
//! Invariants
//! 1. The folder locks stand for election and lease (R7, R8) while every member lies in this data folder.
//! 2. A volume is announced as existing (`volume.id`) only when its first head is durable.
//! 3. [`Volume::open`] either returns a volume whose VDL is repaired at four of six, or one clear line.

pub mod folders;
mod host;
pub mod link;
mod opening;
pub mod status;
#[cfg(test)]
mod testing;

pub use storage_node::identity;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

use cache_nvme::device::{self, IoChoice};
use cache_nvme::file::free_space;
use driver::{Driver, OpenVolume, Plan};
use parking_lot::Mutex;
use protocol::contract::{LinkReceiver, LogWriter, PageReader, SegmentLink};
use protocol::env::Env;
use protocol::geometry::COPIES;
use protocol::{Geometry, Lsn, NodeId, VolumeId, WriterId};
use quorum::{NewVolume, SegmentView};

use folders::{FolderError, Folders, node_path};
use host::{Hosts, Parts};
use link::{Command, Link};
use status::{Facts, SegmentFacts};

/// How long an opening may take before it gives up and says what it waited for.
const OPEN_LIMIT: Duration = Duration::from_secs(30);
/// How long status waits for the storage thread.
const FACTS_LIMIT: Duration = Duration::from_secs(2);
/// The counter that says how much memory the six indexes of stored pages may take: it grows with the volume.
pub const INDEX_BOUND: &str = "storage_index_bound_bytes";
/// How long an orderly end lets the nodes make pages of their log.
const SETTLE_LIMIT: Duration = Duration::from_secs(2);
/// How long an orderly end waits for what was appended to become durable.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);

/// Where the volume lies and how it is run.
#[derive(Clone, Debug)]
pub struct Config {
    /// The data folder.
    pub data: PathBuf,
    /// How files are written.
    pub io: IoChoice,
    /// May a new volume be made where there is none?
    pub create: bool,
    /// Pages of one protection group; used at creation only.
    pub pages_per_pg: u64,
    /// The writer's numbers.
    pub log: quorum::Settings,
    /// The nodes' numbers.
    pub node: storage_node::Settings,
}

impl Config {
    /// The defaults of the product, under this folder.
    #[must_use]
    pub fn new(data: &Path) -> Self {
        Self {
            data: data.to_path_buf(),
            io: IoChoice::Auto,
            create: true,
            pages_per_pg: Geometry::DEFAULT.pages_per_pg,
            log: quorum::Settings::default(),
            // One process holds the locks of all six folders: nobody else can write.
            node: storage_node::Settings { promises: false, ..Default::default() },
        }
    }
}

/// Why the volume is not open. Each displays as the one line the user sees.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folders.
    #[error(transparent)]
    Folders(#[from] FolderError),
    /// Not enough room to start.
    #[error("{}: the disk is full: {} MiB are free, {} MiB are needed to start",
        data.display(), free >> 20, needed >> 20)]
    DiskFull {
        /// The data folder.
        data: PathBuf,
        /// Bytes free.
        free: u64,
        /// Bytes needed.
        needed: u64,
    },
    /// The device queue or a node's files cannot be used.
    #[error("{}: {source}", data.display())]
    Device {
        /// The data folder.
        data: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Too few nodes hold what they must.
    #[error("the volume cannot be opened for writing: {}", lacking.join(", "))]
    Refused {
        /// Folder and reason, one per missing member.
        lacking: Vec<String>,
    },
    /// Opening would lose acknowledged commits.
    #[error("{0}")]
    Halted(String),
    /// Nothing decisive happened in time.
    #[error("the volume did not open within {} s{}", OPEN_LIMIT.as_secs(), waiting_for(lacking))]
    TimedOut {
        /// Folder and reason, one per missing member.
        lacking: Vec<String>,
    },
}

fn waiting_for(lacking: &[String]) -> String {
    if lacking.is_empty() { String::new() } else { format!("; still waiting for {}", lacking.join(", ")) }
}

/// An open volume with its storage nodes.
pub struct Volume {
    open: OpenVolume,
    link: Arc<Link>,
    id: VolumeId,
    backend: &'static str,
    opening_steps: u64,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// Locks of the folders that outlive the storage thread.
    _folders: Arc<Mutex<Folders>>,
}

impl std::fmt::Debug for Volume {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Volume({})", self.id)
    }
}

impl Volume {
    /// Locks the folders, starts the six nodes and opens the volume for writing; makes a new one if there is none and
    /// the configuration allows it. Blocks for the time that takes (well under a second).
    ///
    /// # Errors
    /// [`OpenError`]: one clear line; nothing of an existing volume was harmed.
    pub fn open(config: &Config, env: Arc<dyn Env>) -> Result<Self, OpenError> {
        let mut random = || u128::from(env.random()) << 64 | u128::from(env.random());
        check_space(config)?;
        let mut folders = Folders::claim(&config.data, config.create, &mut random)?;
        let (id, creating) = (folders.volume, folders.creating);
        let plan =
            if creating { Plan::Create(new_volume(config, &folders, &mut random)) } else { Plan::Open(id) };
        let nodes = std::mem::take(&mut folders.nodes);
        let folders = Arc::new(Mutex::new(folders));

        let link = Arc::new(Link::default());
        let (tell, outcome) = mpsc::channel();
        let driver = Arc::new(Driver::new(
            Arc::clone(&link) as Arc<dyn SegmentLink>,
            Arc::clone(&env),
            config.log.clone(),
            plan,
            on_created(&folders, &tell),
            on_outcome(&tell),
        ));
        let parts = Parts { id, nodes, env, link: Arc::clone(&link), driver: Arc::clone(&driver) };
        let (thread, backend) = spawn_storage(config, parts)
            .map_err(|source| OpenError::Device { data: config.data.clone(), source })?;
        match decide(config, &driver, &outcome) {
            Ok(open) => Ok(Self {
                open,
                link,
                id,
                backend,
                opening_steps: driver.opening_steps(),
                thread: Mutex::new(Some(thread)),
                _folders: folders,
            }),
            Err(error) => {
                stop(&link, Some(thread));
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

    /// The volume's identity.
    #[must_use]
    pub fn id(&self) -> VolumeId {
        self.id
    }

    /// How files are written: `ring` or `threads`.
    #[must_use]
    pub fn backend(&self) -> &'static str {
        self.backend
    }

    /// One line per segment of every protection group. Asks the storage thread: call it off the hot path.
    #[must_use]
    pub fn segments(&self) -> Vec<SegmentFacts> {
        let facts = self.facts();
        let vdl = self.open.vdl();
        let views = self.open.segments();
        let of_group =
            |view: &SegmentView| views.iter().filter(move |v| v.id.pg == view.id.pg).collect::<Vec<_>>();
        views.iter().map(|view| status::join(view, &of_group(view), vdl, &facts)).collect()
    }

    /// The writer's numbers at one moment.
    #[must_use]
    pub fn view(&self) -> driver::LogView {
        self.open.view()
    }

    /// The six nodes by position. Asks the storage thread.
    #[must_use]
    pub fn nodes(&self) -> Vec<status::NodeStatus> {
        let facts = self.facts();
        facts.nodes.iter().enumerate().map(|(at, node)| status::node_status(at, node)).collect()
    }

    /// Names and values for status and metrics, without prefix.
    #[must_use]
    pub fn counters(&self) -> Vec<(&'static str, u64)> {
        let facts = self.facts();
        let sum = |of: fn(&status::NodeFacts) -> u64| facts.nodes.iter().map(of).sum::<u64>();
        let mut list = self.open.counters().list();
        list.extend([
            ("commits", self.open.counters().commits.load(std::sync::atomic::Ordering::Relaxed)),
            ("vdl", self.open.vdl().0),
            ("vcl", self.open.vcl().0),
            ("last_lsn", self.open.last_lsn().0),
            ("log_writes", sum(|n| n.log_writes)),
            ("log_syncs", sum(|n| n.log_syncs)),
            ("storage_log_held_bytes", sum(|n| n.held_log_bytes)),
            ("storage_record_held_bytes", sum(|n| n.held_record_bytes)),
            ("storage_uncoalesced_bytes", sum(|n| n.uncoalesced)),
            ("storage_log_memory_bytes", sum(|n| n.log_memory)),
            ("storage_log_bytes", sum(|n| n.log_bytes)),
            ("storage_rounds", sum(|n| n.rounds)),
            ("storage_index_bytes", sum(|n| n.index)),
            (INDEX_BOUND, sum(|n| n.index_bound)),
            ("storage_page_slots", sum(|n| n.page_slots)),
            ("storage_page_reads", sum(|n| n.page_reads)),
            ("storage_page_writes", sum(|n| n.page_writes)),
            ("storage_rot", sum(|n| n.rot)),
            ("storage_healed", sum(|n| n.healed)),
            ("repair_messages", facts.repairs.iter().map(|r| r.1).sum()),
            ("repair_bytes", facts.repairs.iter().map(|r| r.2).sum()),
            ("opening_steps", self.opening_steps),
            ("device_syscalls", facts.device_syscalls),
            ("device_wakeups", facts.device_wakeups),
        ]);
        list
    }

    fn facts(&self) -> Facts {
        let (reply, answer) = mpsc::channel();
        self.link.command(Command::Facts(reply));
        answer.recv_timeout(FACTS_LIMIT).unwrap_or_default()
    }

    /// Ends in order: waits a little for what was appended to become durable, ends the log, stops the nodes. Blocks.
    pub fn close(&self) {
        self.close_within(CLOSE_LIMIT);
    }

    /// The same, waiting at most `limit` for durability.
    pub fn close_within(&self, limit: Duration) {
        let deadline = std::time::Instant::now() + limit;
        let last = self.open.last_lsn();
        drop(self.open.wait_durable(last));
        while self.open.vdl() < last && std::time::Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
        if self.open.vdl() >= last {
            self.settle(last);
        }
        self.open.close();
        stop(&self.link, self.thread.lock().take());
    }

    /// The next opening reads what no page holds: so that it is little, pages are made of all log now. Gives up after a while; that
    /// costs the next opening time, nothing else.
    fn settle(&self, last: Lsn) {
        self.open.release_below(last);
        let (reply, done) = mpsc::channel();
        self.link.command(Command::Settle(reply));
        if done.recv_timeout(SETTLE_LIMIT).is_err() {
            tracing::debug!("the storage nodes did not settle in time");
        }
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        self.open.close();
        stop(&self.link, self.thread.lock().take());
    }
}

/// Starts the storage thread; it makes the device queue itself, because a ring belongs to the thread that made it.
fn spawn_storage(config: &Config, parts: Parts) -> std::io::Result<(JoinHandle<()>, &'static str)> {
    let (ready, started) = mpsc::channel();
    let (config, driver) = (config.clone(), Arc::clone(&parts.driver));
    let body = move || {
        let made = device::open(config.io).and_then(|device| {
            let backend = device.backend().name();
            let hosts = Hosts::new(config.data, config.node, parts, device, config.io)?;
            Ok((backend, hosts))
        });
        match made {
            Ok((backend, hosts)) => {
                // The opener waits for this; if it is gone there is nobody to run for.
                if ready.send(Ok(backend)).is_ok()
                    && let Err(error) = hosts.run()
                {
                    tracing::error!(%error, "the device queue has failed; the storage nodes have stopped");
                    // Nobody may wait for six nodes that are gone.
                    if let Some(open) = driver.volume() {
                        open.close();
                    }
                }
            }
            Err(error) => drop(ready.send(Err(error))),
        }
    };
    let thread = std::thread::Builder::new().name("storage".into()).spawn(body)?;
    match started.recv() {
        Ok(backend) => Ok((thread, backend?)),
        Err(_) => Err(std::io::Error::other("the storage thread has ended")),
    }
}

fn stop(link: &Link, thread: Option<JoinHandle<()>>) {
    let Some(thread) = thread else { return };
    link.command(Command::Stop);
    if thread.join().is_err() {
        tracing::error!("the storage thread has panicked");
    }
}

/// A start needs two log files per node and the reserve that nodes keep free for repair.
fn check_space(config: &Config) -> Result<(), OpenError> {
    let existing = config.data.ancestors().find(|p| p.exists()).unwrap_or(Path::new("."));
    // A folder that cannot be looked at is reported by whoever uses it next, by name.
    let Ok(space) = free_space(if existing == Path::new("") { Path::new(".") } else { existing }) else {
        return Ok(());
    };
    let files = 2 * COPIES as u64 * config.node.log_file_bytes;
    let needed = space.total / 1000 * config.node.reserve_per_mille + files;
    if space.available < needed {
        return Err(OpenError::DiskFull { data: config.data.clone(), free: space.available, needed });
    }
    Ok(())
}

fn new_volume(config: &Config, folders: &Folders, random: &mut dyn FnMut() -> u128) -> NewVolume {
    let mut nodes = [NodeId(0); COPIES];
    for folder in &folders.nodes {
        nodes[folder.identity.member as usize] = folder.identity.node;
    }
    NewVolume {
        volume: folders.volume,
        pages_per_pg: config.pages_per_pg,
        lease_ms: 600,
        nodes,
        writer: WriterId(random()),
        ask_us: config.log.ask_us,
    }
}

enum Told {
    Opened(driver::open::Opened),
    /// The new volume's marker could not be written.
    NotCreated(FolderError),
}

fn on_created(
    folders: &Arc<Mutex<Folders>>,
    tell: &mpsc::Sender<Told>,
) -> impl Fn(&protocol::Head) + Send + Sync + 'static {
    let (folders, tell) = (Arc::clone(folders), Mutex::new(tell.clone()));
    move |_| {
        if let Err(error) = folders.lock().created() {
            // The opener may have given up waiting.
            let _ = tell.lock().send(Told::NotCreated(error));
        }
    }
}

fn on_outcome(tell: &mpsc::Sender<Told>) -> impl Fn(driver::open::Opened) + Send + Sync + 'static {
    let tell = Mutex::new(tell.clone());
    // The opener may have given up waiting.
    move |opened| drop(tell.lock().send(Told::Opened(opened)))
}

fn decide(config: &Config, driver: &Driver, outcome: &mpsc::Receiver<Told>) -> Result<OpenVolume, OpenError> {
    let name = |missing: &[quorum::Missing]| -> Vec<String> {
        let one = |m: &quorum::Missing| {
            format!("{} ({})", node_path(&config.data, m.segment.position).display(), why(m.why))
        };
        let mut lacking: Vec<String> = missing.iter().map(one).collect();
        lacking.dedup();
        lacking
    };
    match outcome.recv_timeout(OPEN_LIMIT) {
        Ok(Told::Opened(Ok(open))) => Ok(open),
        Ok(Told::Opened(Err(driver::OpenError::Refused(missing)))) => {
            Err(OpenError::Refused { lacking: name(&missing) })
        }
        Ok(Told::Opened(Err(driver::OpenError::NoVolume))) => {
            Err(FolderError::NoVolume { path: config.data.clone() }.into())
        }
        Ok(Told::Opened(Err(halted @ driver::OpenError::Halted(_)))) => {
            Err(OpenError::Halted(halted.to_string()))
        }
        Ok(Told::NotCreated(error)) => Err(error.into()),
        Err(RecvTimeoutError::Timeout) => Err(OpenError::TimedOut { lacking: name(&driver.missing()) }),
        Err(RecvTimeoutError::Disconnected) => Err(OpenError::TimedOut { lacking: Vec::new() }),
    }
}

fn why(why: quorum::recovery::Why) -> &'static str {
    match why {
        quorum::recovery::Why::Silent => "does not answer",
        quorum::recovery::Why::OtherLife => "its folder is new or holds another life of the segment",
        quorum::recovery::Why::ForeignVolume => "belongs to another volume",
        quorum::recovery::Why::NotGranted => "has not granted the opening",
    }
}

/// The receiver of the link is the driver; asserted here so that a change of either shows.
const _: fn(&Driver) -> &dyn LinkReceiver = |driver| driver;
