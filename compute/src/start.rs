//! From settings to a server that answers, and back to a clean end.
//!
//! ```text
//!   runtime -> volume (locks, six nodes, opening) -> pool -> engine -> sql -> accounts -> port -> "ready" -> ... signal ... -> drain -> close
//! ```
//! Invariants: (1) whatever prevents the start is one line on standard error and a non-zero exit, with nothing damaged; (2) the port is
//! bound before the volume is touched, and answers only when everything stands; (3) a second signal ends the process at once: recovery is
//! instant.

use crate::cli::Invocation;
use crate::config::Settings;
use crate::env::TokioEnv;
use crate::node::{Node, NodeError};
use crate::security::{self, RsaDoor};
use crate::server::{self, Counters, Registry, Shared};
use crate::{metrics, panics};
use protocol::env::Env;
use sql::api::Host;
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use storage_daemon::leash;
use tokio::net::{TcpListener, UnixListener};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

/// The longest a stop may take: statements' grace, connections' last words, the log and the six nodes together stay well below it.
const STOP_LIMIT: Duration = Duration::from_secs(15);

/// So long without VDL moving is a stall, for `/health`.
const STALLED_US: u64 = 1_000_000;

/// Why the server does not start. Displays as one line.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address that is none.
    #[error("{0}: not an address")]
    Address(String),
    /// A port that cannot be had.
    #[error("cannot listen on {address}{what}: {}", listen_problem(source))]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What for, if not for clients.
        what: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// A non-loopback address and an account without a password.
    #[error(
        "cannot listen on {0}: the account {1} has an empty password; give it one (ALTER USER) or listen on loopback"
    )]
    OpenDoor(SocketAddr, String),
    /// A Unix socket that cannot be had.
    #[error("cannot listen on {path} (--socket): {source}", path = .path.display())]
    Socket {
        /// Where.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Keys and certificates.
    #[error("keys and certificates: {0}")]
    Keys(io::Error),
    /// The runtime.
    #[error("cannot start threads: {0}")]
    Runtime(io::Error),
    /// The volume or what stands on it.
    #[error(transparent)]
    Node(#[from] NodeError),
}

fn listen_problem(source: &io::Error) -> String {
    match source.kind() {
        io::ErrorKind::AddrInUse => "the port is in use by another process".to_string(),
        io::ErrorKind::PermissionDenied => "permission denied".to_string(),
        io::ErrorKind::AddrNotAvailable => "this machine has no such address".to_string(),
        _ => source.to_string(),
    }
}

/// Runs the embedded cluster until it is told to stop.
pub fn run(invocation: Invocation) -> ExitCode {
    panics::install_hook();
    if let Err(problem) = plant_bug() {
        eprintln!("sextant: {problem}");
        return ExitCode::from(2);
    }
    start_log(&invocation.settings.sextant_log);
    match run_until_stopped(&invocation) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("sextant: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// The planted bug that `SEXTANT_MUTANT` names, for shows that must fail; such a build is never the product.
#[cfg(feature = "mutants")]
fn plant_bug() -> Result<(), String> {
    let Some(name) = std::env::var_os(crate::cli::MUTANT) else { return Ok(()) };
    let name = name.to_string_lossy().into_owned();
    let mutant =
        protocol::mutant::Mutant::named(&name).ok_or(format!("environment: no planted bug '{name}'"))?;
    protocol::mutant::set_for_process(mutant);
    eprintln!("sextant: running with the planted bug {name}");
    Ok(())
}

#[cfg(not(feature = "mutants"))]
fn plant_bug() -> Result<(), String> {
    Ok(())
}

fn start_log(filter: &str) {
    let filter = tracing_subscriber::EnvFilter::try_new(filter).unwrap_or_else(|_| "info".into());
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_target(false)
        .try_init();
}

fn run_until_stopped(invocation: &Invocation) -> Result<(), StartError> {
    let started = Instant::now();
    let runtime = build_runtime(&invocation.settings).map_err(StartError::Runtime)?;
    let bind_address = &invocation.settings.bind_address;
    let (listener, address) = bind(&runtime, bind_address, invocation.settings.port, "")?;
    let settings = &known(&invocation.settings, address);
    let metrics_listener = bind_metrics(&runtime, settings)?;
    let env: Arc<dyn Env> = Arc::new(TokioEnv::new(runtime.handle().clone()));
    let registry = Arc::new(Registry::new());
    let counters = Arc::new(Counters::default());
    let node = Node::open(&runtime, settings, env, registry.clone(), counters.clone())?;
    let served = (|| {
        check_open_door(&runtime, &node, address)?;
        let folder = Path::new(&settings.datadir).join("compute");
        let tls = security::acceptor(&folder).map_err(StartError::Keys)?;
        let shared = Shared::new(
            settings.clone(),
            node.sql.clone(),
            Some(tls),
            RsaDoor::new(folder),
            registry,
            counters,
        );
        node.volume.lease().into_iter().for_each(|lease| drop(shared.lease.set(lease)));
        let local = bind_local(&runtime, settings)?;
        let metrics_address = metrics_listener.map(|(listener, address)| {
            runtime.spawn(metrics::serve(listener, told(&node, shared.clone())));
            address
        });
        runtime.block_on(async {
            let stop = stop_signal().map_err(StartError::Runtime)?;
            let released =
                invocation.leashed.then(leash::released).transpose().map_err(StartError::Runtime)?;
            let (local, socket) = local.unzip();
            let serving = tokio::spawn(shared.clone().serve(listener, local));
            let warm = shared.clone();
            // Made ahead of need; a login that needs it waits for this very making.
            tokio::spawn(async move {
                if let Err(problem) = warm.rsa.get().await {
                    tracing::warn!(%problem, "RSA key pair");
                }
            });
            let places = Places { sql: address, socket: socket.as_deref(), metrics: metrics_address };
            say_ready(invocation, &node, &places, started);
            match released {
                Some(released) => tokio::select! { () = stop => {}, () = released => {} },
                None => stop.await,
            }
            eprintln!("sextant: stopping");
            watch_the_end();
            shared.stop();
            tokio::spawn(second_signal());
            let _ = serving.await;
            if let Some(path) = socket {
                let _ = std::fs::remove_file(path);
            }
            Ok(())
        })
    })();
    node.close(&runtime);
    runtime.shutdown_background();
    served
}

fn build_runtime(settings: &Settings) -> io::Result<Runtime> {
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let workers =
        if settings.sextant_worker_threads == 0 { cores } else { settings.sextant_worker_threads as usize };
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .thread_name("sextant")
        // Parser and planner recurse to a stated depth; an unoptimised build needs more stack for it than the usual 2 MiB.
        .thread_stack_size(8 << 20)
        .enable_all()
        .build()
}

fn bind(
    runtime: &Runtime,
    host: &str,
    port: u64,
    what: &'static str,
) -> Result<(TcpListener, SocketAddr), StartError> {
    let name = format!("{host}:{port}");
    let resolved = (host, port as u16).to_socket_addrs().ok().and_then(|mut all| all.next());
    let address = resolved.ok_or(StartError::Address(name))?;
    let _context = runtime.enter();
    let listener = server::listen(address).map_err(|source| StartError::Listen { address, what, source })?;
    let bound = listener.local_addr().map_err(|source| StartError::Listen { address, what, source })?;
    Ok((listener, bound))
}

fn bind_metrics(
    runtime: &Runtime,
    settings: &Settings,
) -> Result<Option<(TcpListener, SocketAddr)>, StartError> {
    let text = &settings.sextant_metrics_address;
    if text.is_empty() {
        return Ok(None);
    }
    let (host, port) = text.rsplit_once(':').ok_or_else(|| StartError::Address(text.clone()))?;
    let port = port.parse().map_err(|_| StartError::Address(text.clone()))?;
    bind(runtime, host, port, " for metrics (--sextant-metrics-address)").map(Some)
}

/// The settings with what is known now: the port that was bound, and where the Unix socket is. SHOW VARIABLES shows them.
fn known(settings: &Settings, address: SocketAddr) -> Settings {
    let mut settings = settings.clone();
    settings.port = address.port().into();
    if !settings.socket.is_empty() {
        let path = Path::new(&settings.datadir).join(&settings.socket);
        settings.socket = std::path::absolute(&path).unwrap_or(path).display().to_string();
    }
    settings
}

/// The Unix socket of the settings. The folder's lock is ours: a file left there belongs to nobody.
fn bind_local(runtime: &Runtime, settings: &Settings) -> Result<Option<(UnixListener, PathBuf)>, StartError> {
    if settings.socket.is_empty() {
        return Ok(None);
    }
    let path = PathBuf::from(&settings.socket);
    let _context = runtime.enter();
    match server::listen_local(&path) {
        Ok(listener) => Ok(Some((listener, path))),
        // The system limits such paths to 107 bytes: clients come over TCP then.
        Err(problem) if problem.kind() == io::ErrorKind::InvalidInput => {
            tracing::warn!(path = %path.display(), %problem, "no Unix socket");
            Ok(None)
        }
        Err(source) => Err(StartError::Socket { path, source }),
    }
}

/// What the metrics port tells of this server.
fn told(node: &Node, shared: Arc<Shared<sql::Server>>) -> metrics::Told {
    let (host, pictured, volume) = (node.host.clone(), node.host.clone(), node.volume.clone());
    let lease = node.volume.lease();
    metrics::Told {
        figures: Arc::new(move || host.status()),
        health: Arc::new(move || {
            if shared.is_stopping() {
                (false, "stopping")
            } else if lease.as_ref().is_some_and(|lease| !lease.holds()) {
                (false, "no lease")
            } else if volume.view().stalled_us >= STALLED_US {
                // Reads are answered: whoever starts it anew for this would make it worse.
                (true, "stalled")
            } else {
                (true, "ok")
            }
        }),
        status: Arc::new(move || serde_json::to_string(&pictured.picture()).unwrap_or_default()),
    }
}

/// Where the server is to be found.
struct Places<'a> {
    sql: SocketAddr,
    socket: Option<&'a Path>,
    metrics: Option<SocketAddr>,
}

/// A non-loopback address is refused while any account has an empty password.
fn check_open_door(runtime: &Runtime, node: &Node, address: SocketAddr) -> Result<(), StartError> {
    if is_loopback(address.ip()) {
        return Ok(());
    }
    match runtime.block_on(node.account_without_password())? {
        Some(account) => Err(StartError::OpenDoor(address, account)),
        None => Ok(()),
    }
}

fn is_loopback(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V6(ip) => ip.to_ipv4_mapped().map_or(ip.is_loopback(), |ip| ip.is_loopback()),
        IpAddr::V4(ip) => ip.is_loopback(),
    }
}

fn say_ready(invocation: &Invocation, node: &Node, places: &Places<'_>, started: Instant) {
    let Places { sql: address, socket, metrics } = *places;
    let socket = socket.map(|path| path.display().to_string());
    let mut out = io::stdout().lock();
    // Nobody may be reading; the server answers all the same.
    let _ = if invocation.announce {
        let metrics = metrics.map_or(String::new(), |address| format!(",\"metrics\":\"{address}\""));
        let socket = socket.map_or(String::new(), |path| format!(",\"socket\":{path:?}"));
        let pid = std::process::id();
        writeln!(
            out,
            "{{\"mysql\":\"{address}\"{socket}{metrics},\"pid\":{pid},\"version\":\"{}\"}}",
            crate::SERVER_VERSION
        )
    } else {
        writeln!(
            out,
            "sextant {}: {}, ready in {} ms\n  listening  {address}{}{}\n  memory     {}\n  connect    mysql -h {} -P {} -u \
             root\n  stop       Ctrl-C",
            crate::SERVER_VERSION,
            node.volume.place(),
            started.elapsed().as_millis(),
            socket.map_or(String::new(), |path| format!(", {path}")),
            metrics.map_or(String::new(), |address| format!(", metrics http://{address}/metrics")),
            node.host.bounds(),
            address.ip(),
            address.port(),
        )
    };
    let _ = out.flush();
}

/// Completes at the first SIGINT or SIGTERM.
pub(crate) fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Ends the process if it has not ended by itself in time: a device that never answers must not keep it from stopping. What was
/// acknowledged is durable, and the next start is instant.
fn watch_the_end() {
    let watch = || {
        std::thread::sleep(STOP_LIMIT);
        eprintln!("sextant: storage does not answer; ending without it (nothing acknowledged is lost)");
        std::process::exit(1);
    };
    if let Err(problem) = std::thread::Builder::new().name("stop-watch".into()).spawn(watch) {
        tracing::warn!(%problem, "no thread to watch over the end");
    }
}

/// Whoever asks twice is in a hurry.
async fn second_signal() {
    if let Ok(stop) = stop_signal() {
        stop.await;
        std::process::exit(130);
    }
}
