//! `sextant status`: what an operator needs to see first.

use crate::config::{self, Flags, Settings};
use crate::fleet;
use crate::status::{Picture, ask, page, survey};
use clap::{Arg, ArgAction, ArgMatches, Command};
use driver::net::survey as storage;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// How long to wait for daemons that do not answer: one round.
const LIMIT: Duration = Duration::from_millis(1);

pub(super) fn command() -> Command {
    Command::new("status")
        .about("How the volume does, at a glance: whole, degraded or stalled; who writes; what is missing")
        .long_about(
            "How the volume does, at a glance.\n\nWithout a flag it asks the compute node of the settings in force (sextant_metrics_address, \
             127.0.0.1:9306), embedded or on daemons; if none answers and the settings name storage daemons (sextant_storage), it asks \
             those.\n\nExit code: 0 whole, 3 degraded (writes and reads go on), 4 stalled or down, 1 nobody could say or there is no \
             volume, 2 the command line is wrong.",
        )
        .arg(
            Arg::new("server")
                .long("server")
                .value_name("HOST:PORT")
                .conflicts_with("storage")
                .help("metrics address of a compute node to ask"),
        )
        .arg(
            Arg::new("storage")
                .long("storage")
                .value_name("azN=HOST:PORT,HOST:PORT")
                .action(ArgAction::Append)
                .help("ask the storage daemons; once for each zone"),
        )
        .arg(
            Arg::new("certs")
                .long("certs")
                .value_name("DIR")
                .help("folder with authority.pem, operator.pem and operator-key.pem, for daemons off loopback"),
        )
        .arg(Arg::new("config").long("config").value_name("FILE").help("settings file to read instead of ./sextant.toml"))
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("print it for programs"))
}

pub(super) fn run(matches: &ArgMatches, environment: impl Iterator<Item = (String, String)>) -> ExitCode {
    let picture = match ask(matches, environment) {
        Ok(picture) => picture,
        Err((code, problem)) => {
            eprintln!("sextant status: {problem}");
            return ExitCode::from(code);
        }
    };
    if matches.get_flag("json") {
        match serde_json::to_string_pretty(&picture) {
            Ok(text) => println!("{text}"),
            Err(problem) => {
                eprintln!("sextant status: {problem}");
                return ExitCode::FAILURE;
            }
        }
    } else {
        print!("{}", page::text(&picture));
    }
    ExitCode::from(picture.exit_code())
}

/// The picture; or an exit code and why.
fn ask(
    matches: &ArgMatches,
    environment: impl Iterator<Item = (String, String)>,
) -> Result<Picture, (u8, String)> {
    let text = |name: &str| matches.get_one::<String>(name).cloned().unwrap_or_default();
    if let Some(server) = matches.get_one::<String>("server") {
        return ask::picture(server).map_err(|problem| (1, problem));
    }
    if let Some(zones) = matches.get_many::<String>("storage") {
        return daemons(&zones.cloned().collect::<Vec<_>>().join(";"), &text("certs"));
    }
    let flags = Flags { config: matches.get_one::<String>("config").map(PathBuf::from), values: Vec::new() };
    let settings: Settings = config::load(&flags, environment).map_err(|problem| (2, problem.to_string()))?;
    let refused = match settings.sextant_metrics_address.as_str() {
        "" => "the settings name no metrics address (sextant_metrics_address): say --server or --storage"
            .to_string(),
        address => match ask::picture(address) {
            Ok(picture) => return Ok(picture),
            Err(problem) => problem,
        },
    };
    if settings.sextant_storage.is_empty() {
        return Err((1, refused));
    }
    let certs = match text("certs") {
        none if none.is_empty() => settings.sextant_certs,
        certs => certs,
    };
    daemons(&settings.sextant_storage, &certs)
}

fn daemons(zones: &str, certs: &str) -> Result<Picture, (u8, String)> {
    let config = fleet::config(zones, certs, "operator").map_err(|problem| (2, problem))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|problem| (1, format!("cannot start a runtime: {problem}")))?;
    let found = runtime.block_on(storage::survey(&config, LIMIT)).map_err(|problem| (1, problem))?;
    Ok(survey::picture(&found))
}
