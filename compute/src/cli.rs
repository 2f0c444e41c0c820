//! The command line.
//!
//! Every setting is a flag (`max_connections` is `--max-connections`); a few have a shorter name. `--help` is made from the table of
//! settings, so it is complete by construction.

mod certs;
mod dev;
mod status;
mod volume;

use crate::config::{self, ConfigError, Flags, SETTINGS, Settings};
use clap::{Arg, ArgAction, ArgMatches, Command};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use storage_daemon::leash;

/// Names a planted bug in builds with the feature `mutants`; in the product it is an unknown setting like any other.
pub const MUTANT: &str = "SEXTANT_MUTANT";

/// What the command line asks for.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// The settings in force.
    pub settings: Settings,
    /// Print the bound addresses as one JSON line.
    pub announce: bool,
    /// Stop when standard input ends.
    pub leashed: bool,
}

fn command() -> Command {
    let command = Command::new("sextant")
        .version(crate::SERVER_VERSION)
        .about("A MySQL-compatible database whose storage is a quorum-replicated log.")
        .long_about(
            "A MySQL-compatible database whose storage is a quorum-replicated log.\n\nWithout a flag it starts the embedded cluster: \
             one writer and six storage node folders in ./sextant-data, answering MySQL clients on 127.0.0.1:3306 (user root, no \
             password, loopback only). Ctrl-C or SIGTERM stops it.",
        )
        .args_conflicts_with_subcommands(true)
        .arg(Arg::new("storage").long("storage").value_name("azN=HOST:PORT,HOST:PORT").action(ArgAction::Append).help(
            "run on storage daemons instead of folders: once for each zone, az1 to az3; the same as --sextant-storage with ';' between",
        ));
    let storage = storage_daemon::command("storage");
    let simulate = Command::new("simulate")
        .about("Run seeds of the simulator: a cluster in one thread, in virtual time, with faults")
        .override_usage(format!("sextant simulate {}", simulator::cli::USAGE))
        .after_help(
            "A seed draws its own faults and replays exactly; docs/reliability.md says what is checked.",
        )
        .arg(Arg::new("arguments").num_args(0..).trailing_var_arg(true).allow_hyphen_values(true).hide(true));
    let command = command.subcommands([
        storage,
        dev::command(),
        status::command(),
        volume::command(),
        certs::command(),
        simulate,
    ]);
    server_arguments(command)
}

/// What every command that starts a server takes.
fn server_arguments(mut command: Command) -> Command {
    command = command
        .after_help(
            "Settings are read from sextant.toml, then from SEXTANT_* environment variables (SEXTANT_MAX_CONNECTIONS), then from \
             flags; the last one wins.",
        )
        .arg(path_arg("config", "FILE", "settings file to read instead of ./sextant.toml"))
        .arg(path_arg("data", "DIR", "data folder; the same as --datadir"))
        .arg(Arg::new("listen").long("listen").value_name("ADDRESS:PORT").help(
            "where to listen for MySQL clients: --bind-address and --port in one; with port 0 the metrics port is a free one too",
        ))
        .arg(
            Arg::new("announce")
                .long("announce")
                .action(ArgAction::SetTrue)
                .help("print the bound addresses as one JSON line"),
        )
        .arg(leash::flag());
    for setting in SETTINGS {
        let help =
            format!("{} [default: {}] [env: {}]", setting.doc, shown(setting.default), setting.env_name());
        let long = setting.name.replace('_', "-");
        let arg = Arg::new(setting.name).long(long).value_name("VALUE").help(help).help_heading("Settings");
        command = command.arg(if setting.name.contains('_') { arg.alias(setting.name) } else { arg });
    }
    command
}

fn shown(default: &str) -> &str {
    if default.is_empty() { "none" } else { default }
}

fn path_arg(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).help(help)
}

/// Reads the command line and the settings. `Err` holds the exit code: help and version were printed, a mistake was named, or a
/// sub-command did its work.
///
/// # Errors
/// The exit code to leave with.
pub fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    environment: impl Iterator<Item = (String, String)>,
) -> Result<Invocation, ExitCode> {
    let matches = command().try_get_matches_from(arguments).map_err(|problem| {
        let _ = problem.print();
        ExitCode::from(if problem.use_stderr() { 2 } else { 0 })
    })?;
    match matches.subcommand() {
        Some(("storage", matches)) => return Err(storage_daemon::run_matches(matches)),
        Some(("volume", matches)) => return Err(volume::run(matches)),
        Some(("certs", matches)) => return Err(certs::run(matches)),
        Some(("status", matches)) => return Err(status::run(matches, product_only(environment))),
        Some(("simulate", matches)) => {
            let arguments = matches.get_many::<String>("arguments").into_iter().flatten().cloned();
            return Err(simulator::cli::main("sextant simulate", arguments));
        }
        _ => {}
    }
    let (dev, matches) = match matches.subcommand() {
        Some(("dev", matches)) => (true, matches),
        _ => (false, &matches),
    };
    let environment = product_only(environment);
    let loaded = flags(matches).and_then(|flags| Ok((config::load(&flags, environment)?, flags)));
    let wrong = |problem: ConfigError| {
        eprintln!("sextant: {problem}");
        ExitCode::from(2)
    };
    let (settings, flags) = loaded.map_err(wrong)?;
    if dev && let Some(plan) = dev::plan(matches, &settings, &flags).map_err(wrong)? {
        return Err(crate::dev::run(&plan));
    }
    let (announce, leashed) = (matches.get_flag("announce"), matches.get_flag(leash::FLAG));
    Ok(Invocation { settings, announce, leashed })
}

/// The environment without what only a build with planted bugs knows.
fn product_only(
    environment: impl Iterator<Item = (String, String)>,
) -> impl Iterator<Item = (String, String)> {
    environment.filter(|(name, _)| !(cfg!(feature = "mutants") && name == MUTANT))
}

fn flags(matches: &ArgMatches) -> Result<Flags, ConfigError> {
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    let mut values = Vec::new();
    if let Some(listen) = text("listen") {
        let flag = "--listen".to_string();
        let Some((address, port)) = listen.rsplit_once(':') else {
            return Err(ConfigError { place: flag, problem: format!("'{listen}' is not ADDRESS:PORT") });
        };
        let address = address.trim_start_matches('[').trim_end_matches(']');
        values.push((flag.clone(), "bind_address".to_string(), address.to_string()));
        values.push((flag.clone(), "port".to_string(), port.to_string()));
        if port == "0" {
            values.push((flag, "sextant_metrics_address".to_string(), "127.0.0.1:0".to_string()));
        }
    }
    if let Some(data) = text("data") {
        values.push(("--data".to_string(), "datadir".to_string(), data));
    }
    // `dev` has no such flag.
    if let Ok(Some(zones)) = matches.try_get_many::<String>("storage") {
        let joined = zones.cloned().collect::<Vec<_>>().join(";");
        values.push(("--storage".to_string(), "sextant_storage".to_string(), joined));
    }
    for setting in SETTINGS {
        if let Some(value) = text(setting.name) {
            values.push((format!("--{}", setting.name.replace('_', "-")), setting.name.to_string(), value));
        }
    }
    Ok(Flags { config: text("config").map(PathBuf::from), values })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_words(words: &[&str]) -> Result<Invocation, ExitCode> {
        let words =
            ["sextant", "--config", "/dev/null"].iter().chain(words).map(OsString::from).collect::<Vec<_>>();
        parse(words, std::iter::empty())
    }

    #[test]
    fn flags_are_settings() {
        let got = parse_words(&["--data", "d", "--listen", "[::1]:0", "--announce", "--sextant-io", "ring"])
            .unwrap();
        assert!(got.announce);
        assert_eq!((got.settings.datadir.as_str(), got.settings.bind_address.as_str()), ("d", "::1"));
        assert_eq!((got.settings.port, got.settings.sextant_metrics_address.as_str()), (0, "127.0.0.1:0"));
        assert_eq!(got.settings.sextant_io, "ring");
        let got = parse_words(&[
            "--listen",
            "127.0.0.1:0",
            "--max_connections",
            "7",
            "--sextant-metrics-address",
            "",
        ])
        .unwrap();
        assert_eq!((got.settings.max_connections, got.settings.sextant_metrics_address.as_str()), (7, ""));
    }

    #[test]
    fn mistakes_exit_with_two() {
        for words in [&["--nonsense"][..], &["--listen", "3306"], &["--port", "x"], &["positional"]] {
            assert_eq!(parse_words(words).unwrap_err(), ExitCode::from(2), "{words:?}");
        }
        assert_eq!(parse_words(&["--help"]).unwrap_err(), ExitCode::from(0));
    }

    #[test]
    fn help_names_every_setting() {
        let help = command().render_long_help().to_string();
        for setting in SETTINGS {
            assert!(help.contains(&format!("--{}", setting.name.replace('_', "-"))), "{}", setting.name);
            assert!(help.contains(&setting.env_name()), "{}", setting.name);
        }
    }
}
