//! The daemon's life: blank or a member, serving, draining.
//!
//! ```text
//!   blank ──adopt (node.id durable)──► member { storage thread, inbox, peers } ──SIGTERM──► draining ──► gone
//!     folder has node.id at start ──────────▲
//! ```
//! Invariant: there is at most one member in a daemon's life; what must change (a wiped folder, a failed thread) ends the process, and
//! a supervisor starts it anew.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;
use protocol::{NodeId, VolumeId, WriterId};
use protocol_grpc::hello::Welcome;
use protocol_grpc::tls::Tls;
use storage_node::identity::Identity;
use tokio::sync::{mpsc, oneshot};

use crate::config::Config;
use crate::facts::Facts;
use crate::folder::Folder;
use crate::inbox::{Command, Inbox};
use crate::peers::Peers;
use crate::runtime::{self, Parts};
use crate::sessions::Sessions;

/// How long status waits for the storage thread.
const FACTS_LIMIT: Duration = Duration::from_secs(2);
/// How long answers may take to leave when the daemon ends.
const FLUSH_LIMIT: Duration = Duration::from_secs(1);

/// A node of a volume.
pub(crate) struct Member {
    pub(crate) identity: Identity,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) peers: Arc<Peers>,
}

impl Member {
    pub(crate) fn welcome(&self) -> Welcome {
        let Identity { volume, node, az, member } = self.identity;
        Welcome { refusal: String::new(), volume, node, az, position: member }
    }
}

/// See the module.
pub(crate) struct Daemon {
    config: Config,
    tls: Option<Tls>,
    /// This process, in greetings.
    caller: WriterId,
    sessions: Arc<Sessions>,
    folder: Mutex<Folder>,
    member: Mutex<Option<Arc<Member>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    draining: AtomicBool,
    ended: mpsc::UnboundedSender<Result<(), String>>,
}

fn draw() -> Result<u128, String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|e| format!("no randomness: {e}"))?;
    Ok(u128::from_le_bytes(bytes))
}

impl Daemon {
    /// Claims the folder; `ended` is told how the storage thread ended.
    pub(crate) fn new(
        config: Config,
        tls: Option<Tls>,
        ended: mpsc::UnboundedSender<Result<(), String>>,
    ) -> Result<Arc<Daemon>, String> {
        let folder = Folder::claim(&config.data, config.az).map_err(|e| e.to_string())?;
        if folder.identity.is_none() && config.az.is_none() {
            return Err(format!(
                "{} is blank: say in which availability zone it stands (--az 1, 2 or 3)",
                config.data.display()
            ));
        }
        Ok(Arc::new(Daemon {
            config,
            tls,
            caller: WriterId(draw()?),
            sessions: Arc::default(),
            folder: Mutex::new(folder),
            member: Mutex::default(),
            thread: Mutex::default(),
            draining: AtomicBool::new(false),
            ended,
        }))
    }

    /// Starts the node of a folder that belongs to a volume; a blank one waits to be adopted. Within a tokio runtime.
    pub(crate) fn start(self: &Arc<Self>) -> Result<(), String> {
        let identity = self.folder.lock().identity.clone();
        identity.map_or(Ok(()), |identity| self.start_member(identity))
    }

    fn start_member(self: &Arc<Self>, identity: Identity) -> Result<(), String> {
        let inbox = Arc::new(Inbox::default());
        let peers = Arc::new(Peers::new(
            identity.volume,
            identity.member,
            self.caller,
            self.config.data.clone(),
            self.tls.clone(),
        ));
        let parts = Parts {
            folder: self.config.data.clone(),
            identity: identity.clone(),
            settings: self.config.node.clone(),
            io: self.config.io,
            inbox: Arc::clone(&inbox),
            sessions: Arc::clone(&self.sessions),
            peers: Arc::clone(&peers),
        };
        let (ready, started) = std::sync::mpsc::channel();
        let ended = self.ended.clone();
        let body = move || {
            let outcome = runtime::run(parts, |backend| {
                let _ = ready.send(backend);
            });
            // Nobody listens any more only when the process is ending.
            let _ = ended.send(outcome);
        };
        let thread = std::thread::Builder::new().name("storage".into()).spawn(body);
        *self.thread.lock() = Some(thread.map_err(|e| format!("cannot start a thread: {e}"))?);
        // If it ends before it is ready, `ended` has the reason, and the process ends with it.
        let io = started.recv().unwrap_or("none");
        tracing::info!(volume = %identity.volume, position = identity.member, az = identity.az, io, "serving");
        peers.start();
        *self.member.lock() = Some(Arc::new(Member { identity, inbox, peers }));
        Ok(())
    }

    /// Becomes a member. Repeating it for the same place is harmless.
    pub(crate) fn adopt(self: &Arc<Self>, volume: VolumeId, position: u8) -> Result<NodeId, String> {
        let mut folder = self.folder.lock();
        if let Some(held) = &folder.identity {
            if held.volume == volume && held.member == position {
                return Ok(held.node);
            }
            let place = format!("volume {} (position {})", held.volume, held.member);
            return Err(format!("this node belongs to {place} already"));
        }
        let node = NodeId(draw()?);
        let identity = folder.adopt(volume, node, position).map_err(|e| e.to_string())?;
        drop(folder);
        tracing::info!(%volume, position, "adopted");
        self.start_member(identity)?;
        Ok(node)
    }

    pub(crate) fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }

    pub(crate) fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    pub(crate) fn member(&self) -> Option<Arc<Member>> {
        self.member.lock().clone()
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.config.data
    }

    /// The availability zone it stands in.
    pub(crate) fn az(&self) -> u8 {
        let held = self.folder.lock().identity.as_ref().map(|i| i.az);
        held.or(self.config.az).unwrap_or(0)
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// One word for status and health.
    pub(crate) fn phase(&self, facts: &Option<Facts>) -> &'static str {
        match (self.is_draining(), self.member(), facts) {
            (true, ..) => "draining",
            (false, None, _) => "blank",
            (false, Some(_), Some(facts)) => facts.phase,
            (false, Some(_), None) => "failed",
        }
    }

    /// What the storage thread says of itself; `None`: blank, or it does not answer.
    pub(crate) async fn facts(&self) -> Option<Facts> {
        let member = self.member()?;
        let (reply, answer) = oneshot::channel();
        member.inbox.command(Command::Facts(reply));
        let mut facts = tokio::time::timeout(FACTS_LIMIT, answer).await.ok()?.ok()?;
        facts.metrics.extend(self.sessions.counters());
        facts.metrics.extend(member.peers.counters());
        Some(facts)
    }

    /// Ends in order: no new streams, the disk comes to rest, answers leave.
    pub(crate) async fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
        if let Some(member) = self.member() {
            member.inbox.command(Command::Stop);
        }
        let thread = self.thread.lock().take();
        if let Some(thread) = thread
            && tokio::task::spawn_blocking(move || thread.join()).await.is_err()
        {
            tracing::error!("the storage thread has panicked");
        }
        let deadline = tokio::time::Instant::now() + FLUSH_LIMIT;
        while !self.sessions.is_quiet() && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Where certificates lie, for messages.
pub(crate) fn shown(path: &Option<PathBuf>) -> String {
    path.as_ref().map_or("none".to_string(), |p| p.display().to_string())
}
