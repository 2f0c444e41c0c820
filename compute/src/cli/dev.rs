//! `sextant dev`: the server for trying things out, in one process or, with `--processes`, as the fleet of production on loopback.

use super::server_arguments;
use crate::config::{ConfigError, Flags, Settings};
use crate::dev::{Plan, STORAGE_PORT};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use storage_daemon::leash;

/// Flags that say where the compute node listens; a process that is started again gets what it has announced.
const PLACES: [&str; 3] = ["bind_address", "port", "sextant_metrics_address"];

pub(super) fn command() -> Command {
    let command = Command::new("dev")
        .about("Try it out: the embedded cluster, or the same fleet as processes on this machine")
        .long_about(
            "Try it out.\n\nWithout --processes it is `sextant` by itself: the embedded cluster in one process.\n\nWith --processes the same \
             folders are served by six storage daemons, and a compute node on them answers MySQL clients: seven processes, started \
             and watched by this one, which says when one of them dies and starts it again. Ctrl-C or SIGTERM stops them in order; if \
             this process is killed, they end with it. What they write is in DATA/dev/*.log.",
        )
        .arg(
            Arg::new("processes")
                .long("processes")
                .action(ArgAction::SetTrue)
                .help("six storage daemons and a compute node as processes, instead of one process"),
        )
        .arg(
            Arg::new("storage-port")
                .long("storage-port")
                .value_name("PORT")
                .value_parser(value_parser!(u16).range(..=65_530))
                .requires("processes")
                .help("first of the six ports of the storage daemons; 0 takes free ones [default: 3381, or 0 if --port is 0]"),
        );
    server_arguments(command)
}

/// What `--processes` is to run; `None` without it.
///
/// # Errors
/// A setting that says otherwise.
pub(super) fn plan(
    matches: &ArgMatches,
    settings: &Settings,
    flags: &Flags,
) -> Result<Option<Plan>, ConfigError> {
    let clash = |name: &str| {
        let problem = format!("{name} is set, and `sextant dev` makes storage of its own: leave it out");
        Err(ConfigError { place: "sextant dev".to_string(), problem })
    };
    if !settings.sextant_storage.is_empty() {
        return clash("sextant_storage");
    }
    if !matches.get_flag("processes") {
        return Ok(None);
    }
    if !settings.sextant_certs.is_empty() {
        return clash("sextant_certs");
    }
    if matches.get_flag(leash::FLAG) {
        let problem = format!("--{} belongs to the processes that `sextant dev` starts", leash::FLAG);
        return Err(ConfigError { place: "sextant dev --processes".to_string(), problem });
    }
    let mut passed: Vec<String> = Vec::new();
    if let Some(path) = &flags.config {
        passed.push(format!("--config={}", path.display()));
    }
    let kept = flags.values.iter().filter(|(_, name, _)| !PLACES.contains(&name.as_str()));
    passed.extend(kept.map(|(_, name, value)| format!("--{}={value}", name.replace('_', "-"))));
    let first = if settings.port == 0 { 0 } else { STORAGE_PORT };
    let storage_port = matches.get_one::<u16>("storage-port").copied().unwrap_or(first);
    let announce = matches.get_flag("announce");
    Ok(Some(Plan { settings: settings.clone(), passed, storage_port, announce }))
}
