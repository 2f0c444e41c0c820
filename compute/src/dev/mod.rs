//! `sextant dev --processes`: the fleet of production on one machine, from one command.
//!
//! ```text
//!   sextant dev ── leash, announcement ──┬─► sextant storage  az1/n1   127.0.0.1:3381
//!     (this process: starts, watches,    ├─►   ...  six of them, two in each zone
//!      says, starts again, stops)        └─► sextant --storage ...     127.0.0.1:3306   answers MySQL clients
//! ```
//! Seven processes of this very executable over the folders of an embedded cluster: `sextant --data D` and `sextant dev --processes --data D`
//! take turns on the same D. What each writes to standard error is in `D/dev/*.log`; what happens to them is said here.
//!
//! | module | one idea |
//! |---|---|
//! | `ports` | where the daemons listen |
//! | `child` | one process: started, its announcement read, ended in order |
//! | `keep` | a process that dies is said and started again |
//!
//! Invariants
//! 1. Children end in order: the compute node first, and the daemons when it has gone, so that its last log finds its quorum. They are in
//!    process groups of their own: the terminal's Ctrl-C reaches this process alone.
//! 2. Nothing outlives this process, however it ends: each child holds the other end of a pipe ([`storage_daemon::leash`]).
//! 3. A process that dies is started again where it was, after a rest that doubles up to ten seconds: a node's death is an ordinary event here.
//! 4. A second `dev` on the folder is refused by name before anything is started or touched.

mod child;
mod keep;
mod ports;

use crate::config::Settings;
use crate::env::TokioEnv;
use crate::start::stop_signal;
use cache_nvme::file::FolderLock;
use child::{Running, Spec};
use driver::net::survey::survey;
use driver::net::{Fleet, New};
use protocol::geometry::COPIES;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// First of the six ports of the storage daemons when nobody says.
pub const STORAGE_PORT: u16 = 3381;
/// How long the daemons, which have announced themselves, have to say what they hold.
const SURVEY_LIMIT: Duration = Duration::from_secs(10);
/// R8: the lease of a volume made here, milliseconds.
const LEASE_MS: u64 = 600;

/// What `sextant dev --processes` is to run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The settings in force; the compute node reads the same.
    pub settings: Settings,
    /// Flags of the command line that are passed on to the compute node, but for those that say where it listens.
    pub passed: Vec<String>,
    /// First of six ports for the daemons; 0 takes free ones.
    pub storage_port: u16,
    /// Print one JSON line instead of text.
    pub announce: bool,
}

/// Runs it until it is told to stop.
#[must_use]
pub fn run(plan: &Plan) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = runtime.map_err(|e| format!("cannot start a runtime: {e}")).and_then(|runtime| {
        let outcome = runtime.block_on(supervise(plan));
        runtime.shutdown_background();
        outcome
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            say(&problem);
            ExitCode::FAILURE
        }
    }
}

/// One line on standard error. Nobody may be reading.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "sextant dev: {line}");
}

async fn supervise(plan: &Plan) -> Result<(), String> {
    let started = Instant::now();
    let mut stop = Box::pin(stop_signal().map_err(|e| e.to_string())?);
    let logs = Path::new(&plan.settings.datadir).join("dev");
    std::fs::create_dir_all(&logs).map_err(|e| format!("{}: {e}", logs.display()))?;
    let _lock = FolderLock::acquire(&logs).map_err(|e| e.to_string())?;
    let exe = std::env::current_exe().map_err(|e| format!("where is this executable? {e}"))?;
    let house = House { plan, exe, logs };
    let all = tokio::select! {
        all = house.start() => all?,
        // What has been started dies with its handle; nobody has been served yet.
        () = &mut stop => return Ok(()),
    };
    house.say_ready(&all, started);
    let (stop_compute, compute_stopped) = watch::channel(false);
    let (stop_storage, storage_stopped) = watch::channel(false);
    let compute = tokio::spawn(keep::keep(all.compute_again, all.compute, compute_stopped));
    let daemons: Vec<JoinHandle<()>> = all
        .daemons
        .into_iter()
        .map(|(spec, running)| tokio::spawn(keep::keep(spec, running, storage_stopped.clone())))
        .collect();
    stop.await;
    say("stopping");
    if let Ok(again) = stop_signal() {
        // Whoever asks twice is in a hurry: the children find their leashes let go.
        tokio::spawn(async move {
            again.await;
            std::process::exit(130);
        });
    }
    // Their tasks end by themselves only when this one is gone; one that has panicked has dropped, and so killed, its process.
    let _ = stop_compute.send(true);
    let _ = compute.await;
    let _ = stop_storage.send(true);
    for daemon in daemons {
        let _ = daemon.await;
    }
    Ok(())
}

/// Everything that runs.
struct All {
    daemons: Vec<(Spec, Running)>,
    compute: Running,
    /// How the compute node is started again: at the ports it has.
    compute_again: Spec,
}

/// What processes are started from.
struct House<'a> {
    plan: &'a Plan,
    exe: PathBuf,
    logs: PathBuf,
}

impl House<'_> {
    async fn start(&self) -> Result<All, String> {
        let daemons = self.start_daemons().await?;
        let addresses: Vec<String> = daemons.iter().map(|(_, running)| running.said("storage")).collect();
        let storage = zones(&addresses);
        let outcome = match self.make_volume(&storage).await {
            Ok(()) => self.compute(&storage, None).start().await,
            Err(problem) => Err(problem),
        };
        match outcome {
            Ok(compute) => {
                let compute_again = self.compute(&storage, Some(&compute));
                Ok(All { daemons, compute, compute_again })
            }
            Err(problem) => {
                for (spec, running) in daemons {
                    running.end(&spec).await;
                }
                Err(problem)
            }
        }
    }

    async fn start_daemons(&self) -> Result<Vec<(Spec, Running)>, String> {
        let mut starting = JoinSet::new();
        for node in 0..COPIES {
            let base = self.daemon(node);
            let first = self.plan.storage_port;
            starting.spawn(async move {
                let started = ports::settle(first, node, |port, metrics| {
                    let mut spec = base.clone();
                    spec.arguments.extend(["--listen".to_string(), format!("127.0.0.1:{port}")]);
                    spec.arguments.extend(["--metrics".to_string(), format!("127.0.0.1:{metrics}")]);
                    spec
                });
                started.await.map(|(spec, running)| (node, spec, running))
            });
        }
        let mut all = Vec::new();
        while let Some(started) = starting.join_next().await {
            all.push(started.map_err(|e| e.to_string())??);
        }
        all.sort_by_key(|(node, ..)| *node);
        Ok(all.into_iter().map(|(_, spec, running)| (spec, running)).collect())
    }

    fn daemon(&self, node: usize) -> Spec {
        let (az, settings) = (node / 2 + 1, &self.plan.settings);
        let folder = Path::new(&settings.datadir).join(format!("az{az}")).join(format!("n{}", node % 2 + 1));
        let uncoalesced = settings.sextant_uncoalesced_log_bytes.to_string();
        let words = [
            ("--data", folder.display().to_string()),
            ("--az", az.to_string()),
            ("--io", settings.sextant_io.clone()),
            ("--uncoalesced-log-bytes", uncoalesced),
            ("--log", settings.sextant_log.clone()),
        ];
        let mut arguments = vec!["storage".to_string()];
        arguments.extend(words.into_iter().flat_map(|(flag, value)| [flag.to_string(), value]));
        let log = self.logs.join(format!("az{az}-n{}.log", node % 2 + 1));
        let name = format!("storage az{az}/n{}", node % 2 + 1);
        Spec { name, exe: self.exe.clone(), arguments, log }
    }

    /// The compute node on these daemons; at the ports it has announced if it is started again.
    fn compute(&self, storage: &str, before: Option<&Running>) -> Spec {
        let settings = &self.plan.settings;
        let (mut address, mut port) = (settings.bind_address.clone(), settings.port.to_string());
        let mut metrics = settings.sextant_metrics_address.clone();
        if let Some(before) = before {
            if let Some((a, p)) = before.said("mysql").rsplit_once(':') {
                (address, port) = (a.trim_matches(['[', ']']).to_string(), p.to_string());
            }
            metrics = before.said("metrics");
        }
        let mut arguments = self.plan.passed.clone();
        arguments.extend([
            format!("--bind-address={address}"),
            format!("--port={port}"),
            format!("--sextant-metrics-address={metrics}"),
            format!("--sextant-storage={storage}"),
        ]);
        let (name, log) = ("compute".to_string(), self.logs.join("compute.log"));
        Spec { name, exe: self.exe.clone(), arguments, log }
    }

    /// Makes a volume where the daemons hold none.
    async fn make_volume(&self, storage: &str) -> Result<(), String> {
        let config = crate::fleet::config(storage, "", "compute")?;
        if survey(&config, SURVEY_LIMIT).await?.volume().is_ok() {
            return Ok(());
        }
        let new = New { pages_per_pg: self.plan.settings.sextant_pages_per_pg, lease_ms: LEASE_MS };
        let env = Arc::new(TokioEnv::new(Handle::current()));
        // It blocks, on a runtime of its own.
        let made = tokio::task::spawn_blocking(move || {
            let fleet = Fleet::create(config, new, env).map_err(|e| e.to_string())?;
            fleet.close();
            Ok(())
        });
        made.await.map_err(|e| e.to_string())?
    }

    fn say_ready(&self, all: &All, started: Instant) {
        let mut out = std::io::stdout().lock();
        let text = if self.plan.announce {
            announcement(all)
        } else {
            self.text(all, started.elapsed().as_millis())
        };
        // Nobody may be reading; it runs all the same.
        let _ = out.write_all(text.as_bytes());
        let _ = out.flush();
    }

    fn text(&self, all: &All, took_ms: u128) -> String {
        let address = all.compute.said("mysql");
        let (host, port) = address.rsplit_once(':').unwrap_or((&address, ""));
        let metrics = match all.compute.said("metrics") {
            none if none.is_empty() => none,
            at => format!(", metrics http://{at}/metrics"),
        };
        let zone = |az: usize| {
            let node = |n: usize| {
                let running = &all.daemons[n].1;
                format!("{} (pid {})", running.said("storage"), running.pid())
            };
            format!("  az{az}        {}   {}\n", node(2 * az - 2), node(2 * az - 1))
        };
        let zones_of: String = (1..=3).map(zone).collect();
        let status = match all.compute.said("metrics") {
            none if none.is_empty() => format!(" {}", storage_flags(&all.addresses())),
            at if at == "127.0.0.1:9306" => String::new(),
            at => format!(" --server {at}"),
        };
        format!(
            "sextant {}: a compute node and six storage daemons over {}, ready in {took_ms} ms\n  listening  {address}{metrics} \
             (pid {})\n{zones_of}  logs       {}\n  status     sextant status{status}\n  connect    mysql -h {host} -P {port} -u \
             root\n  stop       Ctrl-C\n",
            crate::SERVER_VERSION,
            self.plan.settings.datadir,
            all.compute.pid(),
            self.logs.display(),
        )
    }
}

impl All {
    fn addresses(&self) -> Vec<String> {
        self.daemons.iter().map(|(_, running)| running.said("storage")).collect()
    }
}

/// `az1=a,b;az2=...`: six addresses in order of their nodes.
fn zones(addresses: &[String]) -> String {
    let zone = |(n, pair): (usize, &[String])| format!("az{}={}", n + 1, pair.join(","));
    addresses.chunks(2).enumerate().map(zone).collect::<Vec<_>>().join(";")
}

/// The same as flags.
fn storage_flags(addresses: &[String]) -> String {
    zones(addresses).split(';').map(|zone| format!("--storage {zone}")).collect::<Vec<_>>().join(" ")
}

/// One JSON line: that of a compute node, with this process's id, and those of the seven below it.
fn announcement(all: &All) -> String {
    let node = |(n, (_, running)): (usize, &(Spec, Running))| {
        serde_json::json!({
            "az": n / 2 + 1, "address": running.said("storage"), "metrics": running.said("metrics"), "pid": running.pid(),
        })
    };
    let storage: Vec<serde_json::Value> = all.daemons.iter().enumerate().map(node).collect();
    let line = serde_json::json!({
        "mysql": all.compute.said("mysql"),
        "metrics": all.compute.said("metrics"),
        "pid": std::process::id(),
        "compute_pid": all.compute.pid(),
        "storage": storage,
        "version": crate::SERVER_VERSION,
    });
    format!("{line}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_addresses_are_three_zones() {
        let addresses: Vec<String> = (1..=6).map(|n| format!("h:{n}")).collect();
        assert_eq!(zones(&addresses), "az1=h:1,h:2;az2=h:3,h:4;az3=h:5,h:6");
        assert_eq!(
            storage_flags(&addresses),
            "--storage az1=h:1,h:2 --storage az2=h:3,h:4 --storage az3=h:5,h:6"
        );
    }
}
