//! `sextant volume create|map|status|grow|replace-segment|move|forget|scrub`: a volume on storage daemons made, looked at and changed while it
//! runs.
//!
//! | module | one idea |
//! |---|---|
//! | here | the commands; `create` and `status` |
//! | `map` | where every copy lives, from the newest head anybody holds |
//! | `order` | what the running writer is asked to do, and waiting until it is done |
//!
//! Exit codes: 0 done (`status`: whole), 1 not done, and one line says why (`status`: not whole), 2 the command line is wrong.

mod map;
mod order;

use crate::config::SETTINGS;
use crate::env::TokioEnv;
use crate::fleet;
use clap::{Arg, ArgAction, ArgMatches, Command};
use driver::net::survey::{Found, survey};
use driver::net::{Config, Fleet, New, NodeAddress};
use protocol::geometry::{COPIES, WRITE_QUORUM};
use protocol_grpc::control::{SegmentStatus, StatusReply, id128};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// How long status waits for daemons that do not answer.
const LIMIT: Duration = Duration::from_millis(1);

pub(super) fn command() -> Command {
    let storage = || {
        Arg::new("storage")
            .long("storage")
            .value_name("azN=HOST:PORT,HOST:PORT")
            .action(ArgAction::Append)
            .required(true)
            .help("the storage daemons of one availability zone; once for each zone")
    };
    let certs = || {
        Arg::new("certs").long("certs").value_name("DIR").help(
            "folder with authority.pem, operator.pem and operator-key.pem (status) or compute.pem and compute-key.pem (create)",
        )
    };
    let pages = Arg::new("pages-per-pg")
        .long("pages-per-pg")
        .value_name("PAGES")
        .value_parser(clap::value_parser!(u64).range(64..=1 << 32))
        .help("pages of one protection group [default: 655360, which are 10 GiB]");
    let on = |command: Command| command.arg(storage()).arg(certs());
    Command::new("volume")
        .about("Make a volume on storage daemons, look at it, change it while it runs")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(
            on(Command::new("create")
                .about("Make a new volume on six blank storage daemons, two in each zone"))
            .arg(pages),
        )
        .subcommand(on(Command::new("status")
            .about("What the storage daemons say of themselves; exit code 0: whole, 1: not")))
        .subcommand(on(map::command()))
        .subcommands(order::commands().map(on))
}

pub(super) fn run(matches: &ArgMatches) -> ExitCode {
    let outcome = match matches.subcommand() {
        Some(("create", matches)) => create(matches),
        Some(("status", matches)) => status(matches),
        Some(("map", matches)) => map::run(matches),
        Some((order, matches)) => order::run(order, matches),
        None => Err(Problem::Usage("volume: say what to do with it".to_string())),
    };
    outcome.unwrap_or_else(|problem| {
        let (code, text) = match problem {
            Problem::Usage(text) => (2, text),
            Problem::Failed(text) => (1, text),
        };
        eprintln!("sextant: {text}");
        ExitCode::from(code)
    })
}

/// Why a command did nothing, or not all: one line.
#[derive(Debug)]
enum Problem {
    /// What was typed makes no sense.
    Usage(String),
    /// It could not be done.
    Failed(String),
}

impl From<String> for Problem {
    fn from(text: String) -> Problem {
        Problem::Failed(text)
    }
}

type Done = Result<ExitCode, Problem>;

/// A runtime for a command's few calls.
fn runtime() -> Result<tokio::runtime::Runtime, Problem> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|e| Problem::Failed(format!("cannot start a runtime: {e}")))
}

fn config(matches: &ArgMatches, name: &str) -> Result<Config, Problem> {
    let zones: Vec<String> = matches.get_many::<String>("storage").into_iter().flatten().cloned().collect();
    let certs = matches.get_one::<String>("certs").cloned().unwrap_or_default();
    fleet::config(&zones.join(";"), &certs, name).map_err(Problem::Usage)
}

fn create(matches: &ArgMatches) -> Done {
    let config = config(matches, "compute")?;
    let default = SETTINGS.iter().find(|s| s.name == "sextant_pages_per_pg").map_or("", |s| s.default);
    let pages = matches.get_one::<u64>("pages-per-pg").copied().or_else(|| default.parse().ok());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.map_err(|e| format!("cannot start threads: {e}"))?;
    let env = Arc::new(TokioEnv::new(runtime.handle().clone()));
    let new = New { pages_per_pg: pages.unwrap_or(655_360), lease_ms: 600 };
    let fleet = Fleet::create(config, new, env).map_err(|e| e.to_string())?;
    println!("volume {} created on six storage nodes", fleet.id());
    fleet.close();
    Ok(ExitCode::SUCCESS)
}

fn status(matches: &ArgMatches) -> Done {
    let config = config(matches, "operator")?;
    let found = runtime()?.block_on(survey(&config, LIMIT))?;
    let (text, whole) = page(&found);
    print!("{text}");
    Ok(if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The worst first: what an operator must do stands in the second line.
fn page(found: &Found) -> (String, bool) {
    let mut text = String::new();
    let replies: Vec<(&NodeAddress, Option<&StatusReply>)> =
        found.nodes.iter().map(|(place, reply)| (place, reply.as_ref())).collect();
    let members = || replies.iter().filter_map(|(_, r)| r.filter(|r| !r.volume.is_empty()));
    let volume = members().next().and_then(|r| id128(&r.volume)).unwrap_or(0);
    let serving = members().filter(|r| r.phase == "serving").count();
    let writer = members().map(|r| r.writer.as_str()).find(|w| !w.is_empty());
    let name = if volume == 0 { "no volume".to_string() } else { format!("volume {volume:032x}") };
    // Writing to a string does not fail.
    let _ = writeln!(text, "{name}, writer: {}", writer.unwrap_or("none"));
    let groups = groups(&replies);
    // A volume whose copies were moved lies on more than six nodes, or on other ones: what counts is the copies of the group worst off.
    let of = replies.iter().filter(|(_, r)| r.is_none_or(|r| !r.volume.is_empty())).count().max(COPIES);
    let fewest = fewest_copies(&replies);
    let verdict = match fewest {
        _ if volume == 0 => "no volume: `sextant volume create` makes one on six blank nodes",
        COPIES => "whole: every copy of every protection group is served",
        n if n >= WRITE_QUORUM => {
            "degraded: writes and reads go on; bring the missing nodes back or wipe them"
        }
        3 => "AZ+1 is down: writes wait, reads go on; bring one of the missing nodes back with its disk",
        _ => "down: too few nodes for writes",
    };
    let _ = writeln!(text, "  {serving} of {of} nodes serve; {verdict}\n");
    let _ = writeln!(
        text,
        "  az  position  node                    state     pid      segments  log MiB  pages   problem"
    );
    for (place, reply) in &replies {
        let metric = |name: &str| {
            let found = reply.and_then(|r| r.metrics.iter().find(|m| m.name == name));
            found.map_or(0, |m| m.value)
        };
        let (state, position, pid, segments, problem) = match reply {
            Some(r) if r.volume.is_empty() => ("blank", "-".to_string(), r.pid.to_string(), 0, ""),
            Some(r) => (
                r.phase.as_str(),
                r.position.to_string(),
                r.pid.to_string(),
                r.segments.len(),
                r.problem.as_str(),
            ),
            None => ("silent", "-".to_string(), "-".to_string(), 0, "no answer"),
        };
        let (log_mib, pages) = (metric("log_held_bytes") >> 20, metric("page_slots"));
        let _ = writeln!(
            text,
            "  {:<3} {position:<9} {:<23} {state:<9} {pid:<8} {segments:<9} {log_mib:<8} {pages:<7} {problem}",
            place.az, place.address
        );
    }
    let _ = writeln!(
        text,
        "\n  group  position  role  epoch   scl               behind    page point        repairs sent"
    );
    for (pg, segments) in &groups {
        let highest = segments.iter().map(|s| s.scl).max().unwrap_or(0);
        for s in segments {
            let role = if s.full { "full" } else { "tail" };
            let _ = writeln!(
                text,
                "  {pg:<6} {:<9} {role:<5} {:<7} {:<17} {:<9} {:<17} {}",
                s.position,
                s.epoch,
                s.scl,
                highest - s.scl,
                s.page_point,
                s.repair_messages
            );
        }
    }
    (text, volume != 0 && fewest == COPIES)
}

/// Positions with a copy on a serving node, of the group that has the fewest.
fn fewest_copies(replies: &[(&NodeAddress, Option<&StatusReply>)]) -> usize {
    let serving = replies.iter().filter_map(|(_, r)| *r).filter(|r| r.phase == "serving");
    let mut positions: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
    for segment in serving.flat_map(|r| &r.segments) {
        positions.entry(segment.pg).or_default().insert(segment.position);
    }
    positions.values().map(BTreeSet::len).min().unwrap_or(0)
}

fn groups<'a>(
    replies: &[(&'a NodeAddress, Option<&'a StatusReply>)],
) -> BTreeMap<u32, Vec<&'a SegmentStatus>> {
    let mut groups: BTreeMap<u32, Vec<&SegmentStatus>> = BTreeMap::new();
    for segment in replies.iter().filter_map(|(_, r)| *r).flat_map(|r| &r.segments) {
        groups.entry(segment.pg).or_default().push(segment);
    }
    for segments in groups.values_mut() {
        segments.sort_by_key(|s| s.position);
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol_grpc::control::bytes128;

    fn node(n: u32) -> (NodeAddress, Option<StatusReply>) {
        let az = (n / 2 + 1) as u8;
        let segment =
            SegmentStatus { pg: 0, position: n, scl: 100 - u64::from(n), ..SegmentStatus::default() };
        let reply = StatusReply {
            volume: bytes128(0xabc),
            az: az.into(),
            position: n,
            phase: "serving".into(),
            segments: vec![segment],
            ..StatusReply::default()
        };
        (NodeAddress { az, address: format!("h{n}:1") }, Some(reply))
    }

    #[test]
    fn a_whole_volume_and_a_degraded_one_are_told_apart_at_a_glance() {
        let mut found = Found { nodes: (0..6).map(node).collect() };
        let (text, whole) = page(&found);
        assert!(whole && text.contains("6 of 6 nodes serve; whole"), "{text}");
        assert!(
            text.lines().any(|l| l.split_whitespace().eq(["0", "5", "tail", "0", "95", "5", "0", "0"])),
            "{text}"
        );
        // A copy has moved to a seventh node; its old one serves other groups.
        let (place, reply) = node(3);
        let mut moved = Found { nodes: (0..6).map(node).chain([(place, reply)]).collect() };
        moved.nodes[3].1.iter_mut().for_each(|r| r.segments.clear());
        let (text, whole) = page(&moved);
        assert!(whole && text.contains("7 of 7 nodes serve; whole"), "{text}");
        found.nodes[3].1 = None;
        let (text, whole) = page(&found);
        assert!(!whole && text.contains("5 of 6 nodes serve; degraded"), "{text}");
        assert!(text.contains("silent"), "{text}");
        for n in [0, 1, 2] {
            found.nodes[n].1 = None;
        }
        assert!(page(&found).0.contains("down: too few"));
    }
}
