//! The command line of the daemon: `sextant storage ...`, and the same as `sextant-storage ...`.

use std::ffi::OsString;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::config::{self, Config, EXAMPLE, Given};
use crate::daemon::{Daemon, shown};
use crate::{http, leash, server};

/// The command, to be hung under another one or run by itself.
#[must_use]
pub fn command(name: &'static str) -> Command {
    let flag = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    Command::new(name)
        .about("Serve one node folder over the network")
        .long_about(
            "Serve one node folder of a volume over the network.\n\nA blank folder waits to be adopted (`sextant volume create`); one of an \
             embedded cluster (sextant-data/az1/n1) is served as it is. SIGTERM drains and ends it.",
        )
        .arg(flag("config", "FILE", "settings file; --example-config prints one").value_parser(value_parser!(PathBuf)))
        .arg(flag("data", "DIR", "the node folder [default: sextant-storage]").value_parser(value_parser!(PathBuf)))
        .arg(flag("listen", "ADDRESS:PORT", "where callers call; port 0 takes a free one [default: 127.0.0.1:3380]"))
        .arg(flag("metrics", "ADDRESS:PORT", "health and Prometheus metrics; '' for none [default: 127.0.0.1:9380]"))
        .arg(flag("az", "N", "availability zone 1, 2 or 3 (az1 is understood too); needed while the folder is blank"))
        .arg(flag("certs", "DIR", "folder with authority.pem, storage.pem, storage-key.pem; needed off loopback")
            .value_parser(value_parser!(PathBuf)))
        .arg(flag("io", "HOW", "auto, ring or threads [default: auto]"))
        .arg(flag("uncoalesced-log-bytes", "BYTES", "log not yet turned into pages before appends wait [default: 268435456]")
            .value_parser(value_parser!(u64)))
        .arg(flag("log", "FILTER", "what is logged to stderr [default: info]"))
        .arg(Arg::new("announce").long("announce").action(ArgAction::SetTrue)
            .help("print the bound addresses as one JSON line"))
        .arg(leash::flag())
        .arg(Arg::new("example-config").long("example-config").action(ArgAction::SetTrue)
            .help("print a commented settings file and end"))
}

/// Runs `sextant-storage`.
#[must_use]
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    match command("sextant-storage").version(env!("CARGO_PKG_VERSION")).try_get_matches_from(arguments) {
        Ok(matches) => run_matches(&matches),
        Err(problem) => {
            let _ = problem.print();
            ExitCode::from(if problem.use_stderr() { 2 } else { 0 })
        }
    }
}

/// Runs the daemon until it is told to stop.
#[must_use]
pub fn run_matches(matches: &ArgMatches) -> ExitCode {
    if matches.get_flag("example-config") {
        print!("{EXAMPLE}");
        return ExitCode::SUCCESS;
    }
    let config = match load(matches) {
        Ok(config) => config,
        Err(problem) => {
            eprintln!("sextant storage: {problem}");
            return ExitCode::from(2);
        }
    };
    start_log(&config.log);
    match serve(config, matches.get_flag("announce"), matches.get_flag(leash::FLAG)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("sextant storage: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn load(matches: &ArgMatches) -> Result<Config, String> {
    let file = match matches.get_one::<PathBuf>("config") {
        Some(path) => config::read(path)?,
        None => Given::default(),
    };
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    let az = match text("az") {
        Some(word) => Some(
            word.trim_start_matches("az").parse().map_err(|_| format!("az = '{word}': must be 1, 2 or 3"))?,
        ),
        None => None,
    };
    let flags = Given {
        data: matches.get_one("data").cloned(),
        listen: text("listen"),
        metrics: text("metrics"),
        az,
        certs: matches.get_one("certs").cloned(),
        io: text("io"),
        uncoalesced_log_bytes: matches.get_one("uncoalesced-log-bytes").copied(),
        log: text("log"),
    };
    Config::new(file, flags)
}

fn start_log(filter: &str) {
    let filter = tracing_subscriber::EnvFilter::try_new(filter).unwrap_or_else(|_| "info".into());
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false)
        .try_init();
}

fn serve(config: Config, announce: bool, leashed: bool) -> Result<(), String> {
    let tls = config.tls()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| format!("cannot start a runtime: {e}"))?;
    runtime.block_on(async {
        // Ports first: nothing of the folder is touched when one cannot be had.
        let (listener, address) = bind(config.listen, "").await?;
        let metrics = match config.metrics {
            // With a free port for callers, the metrics port is a free one too unless it was named.
            Some(at) if config.listen.port() == 0 && at.port() == 9380 => {
                Some(bind(SocketAddr::new(at.ip(), 0), " for metrics").await?)
            }
            Some(at) => Some(bind(at, " for metrics (--metrics)").await?),
            None => None,
        };
        let (ended, mut outcome) = mpsc::unbounded_channel();
        let mut stop = Box::pin(stop_signal(leashed).map_err(|e| e.to_string())?);
        let certs = shown(&config.certs);
        let daemon = Daemon::new(config, tls, ended)?;
        daemon.start()?;
        let metrics_address = metrics.map(|(listener, address)| {
            tokio::spawn(http::serve(listener, Arc::clone(&daemon)));
            address
        });
        tokio::spawn(server::serve(listener, Arc::clone(&daemon)));
        say_ready(&daemon, address, metrics_address, announce, &certs);
        tokio::select! {
            ended = outcome.recv() => {
                return ended.unwrap_or(Ok(())).and_then(|()| Err("the storage thread has ended".to_string()));
            }
            () = &mut stop => {}
        }
        eprintln!("sextant storage: stopping");
        daemon.drain().await;
        outcome.try_recv().unwrap_or(Ok(()))
    })
}

async fn bind(address: SocketAddr, what: &str) -> Result<(TcpListener, SocketAddr), String> {
    let problem = |e: std::io::Error| {
        let why = match e.kind() {
            std::io::ErrorKind::AddrInUse => "the port is in use by another process".to_string(),
            std::io::ErrorKind::AddrNotAvailable => "this machine has no such address".to_string(),
            _ => e.to_string(),
        };
        format!("cannot listen on {address}{what}: {why}")
    };
    let listener = TcpListener::bind(address).await.map_err(problem)?;
    let bound = listener.local_addr().map_err(problem)?;
    Ok((listener, bound))
}

fn say_ready(daemon: &Daemon, address: SocketAddr, metrics: Option<SocketAddr>, announce: bool, certs: &str) {
    let mut out = std::io::stdout().lock();
    let member = daemon.member();
    // Nobody may be reading; the node serves all the same.
    let _ = if announce {
        let metrics = metrics.map_or(String::new(), |a| format!(",\"metrics\":\"{a}\""));
        let volume = member.map_or("null".to_string(), |m| format!("\"{}\"", m.identity.volume));
        let (az, pid, version) = (daemon.az(), std::process::id(), env!("CARGO_PKG_VERSION"));
        writeln!(
            out,
            "{{\"storage\":\"{address}\"{metrics},\"az\":{az},\"volume\":{volume},\"pid\":{pid},\"version\":\"{version}\"}}"
        )
    } else {
        let what = member.map_or("blank, waits to be adopted (sextant volume create)".to_string(), |m| {
            format!("position {} of volume {}", m.identity.member, m.identity.volume)
        });
        let metrics = metrics.map_or(String::new(), |a| format!(", metrics http://{a}/metrics"));
        writeln!(
            out,
            "sextant storage {}: {} in az{}, {what}\n  listening  {address}{metrics}\n  certs      {certs}\n  stop       Ctrl-C",
            env!("CARGO_PKG_VERSION"),
            daemon.folder().display(),
            daemon.az(),
        )
    };
    let _ = out.flush();
}

/// Completes at the first SIGINT or SIGTERM, or when the leash is let go; a second signal ends the process at once: recovery is instant.
fn stop_signal(leashed: bool) -> std::io::Result<impl Future<Output = ()>> {
    let released = leashed.then(leash::released).transpose()?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        let released = async move {
            match released {
                Some(end) => end.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            () = released => {}
        }
        tokio::spawn(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            std::process::exit(130);
        });
    })
}
