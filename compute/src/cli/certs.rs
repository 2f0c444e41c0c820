//! `sextant certs init|node|rotate|authority`: the certificates that storage daemons and their callers show one another off loopback.

use crate::security::fleet::{self, CertsError, HOLDER_DAYS, authority};
use clap::{Arg, ArgMatches, Command, value_parser};
use protocol_grpc::tls::Role;
use std::path::PathBuf;
use std::process::ExitCode;

fn folder(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name("DIR").value_parser(value_parser!(PathBuf)).required(true).help(help)
}

pub(super) fn command() -> Command {
    let dir = || folder("dir", "folder of the fleet's authority: authority.pem and authority-key.pem");
    let days = || {
        Arg::new("days")
            .long("days")
            .value_name("DAYS")
            .value_parser(value_parser!(i64).range(1..=3650))
            .help("how long the certificates are good for [default: 825]")
    };
    let roles = Role::CERTIFIED.map(Role::word);
    let role = Arg::new("role")
        .long("role")
        .value_name("ROLE")
        .value_parser(roles.to_vec())
        .default_value(Role::Storage.word())
        .help("what the holder is");
    Command::new("certs")
        .about("Make the certificates of a fleet of storage daemons")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(
            Command::new("init")
                .about("Make a new authority, with certificates for a compute node and an operator beside it")
                .arg(dir())
                .arg(days()),
        )
        .subcommand(
            Command::new("node")
                .about("Make the folder that one host needs: a certificate of a role, its key, and the authority's certificate")
                .arg(dir())
                .arg(role)
                .arg(folder("out", "folder to make, for --certs of the daemon or sextant_certs"))
                .arg(days()),
        )
        .subcommand(
            Command::new("rotate")
                .about("Renew every certificate in a folder, with new keys, and the authorities it trusts")
                .arg(dir())
                .arg(folder("out", "folder whose certificates are renewed"))
                .arg(days()),
        )
        .subcommand(
            Command::new("authority")
                .about("Change the fleet's authority while it runs, in three steps: new, use, retire; between them renew every folder")
                .arg(
                    Arg::new("step")
                        .required(true)
                        .value_parser(["new", "use", "retire"])
                        .help("new: trust a second one; use: it signs from now on; retire: trust the old one no more"),
                )
                .arg(dir()),
        )
}

pub(super) fn run(matches: &ArgMatches) -> ExitCode {
    match done(matches) {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("sextant: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn done(matches: &ArgMatches) -> Result<String, CertsError> {
    let Some((what, matches)) = matches.subcommand() else {
        return Err(CertsError::Made("say init, node, rotate or authority".to_string()));
    };
    let path = |name: &str| matches.get_one::<PathBuf>(name).cloned().unwrap_or_default();
    let days = matches.get_one::<i64>("days").copied().unwrap_or(HOLDER_DAYS);
    let dir = path("dir");
    let here = dir.display();
    match what {
        "init" => fleet::init(&dir, days).map(|()| {
            format!("{here}: authority, compute and operator; keep authority-key.pem off the hosts")
        }),
        "node" => {
            let word = matches.get_one::<String>("role").map_or("", String::as_str);
            let role = Role::named(word).ok_or_else(|| CertsError::Made(format!("no role '{word}'")))?;
            let out = path("out");
            fleet::holder(&dir, role, &out, days)?;
            Ok(format!("{}: {role}", out.display()))
        }
        "authority" => {
            let step = matches.get_one::<String>("step").map_or("", String::as_str);
            let (done, next) = match step {
                "new" => (
                    authority::begin(&dir),
                    "a second authority is trusted; rotate every folder, then `authority use`",
                ),
                "use" => (
                    authority::switch(&dir),
                    "the new authority signs; rotate every folder, then `authority retire`",
                ),
                _ => (
                    authority::retire(&dir),
                    "the old authority is trusted no more; rotate every folder once again",
                ),
            };
            done.map(|()| format!("{here}: {next}"))
        }
        _ => {
            let out = path("out");
            let roles = fleet::rotate(&dir, &out, days)?;
            let words: Vec<&str> = roles.into_iter().map(Role::word).collect();
            Ok(format!(
                "{}: renewed {}; their holders take them at the next handshake",
                out.display(),
                words.join(", ")
            ))
        }
    }
}
