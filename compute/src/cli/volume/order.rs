//! What the running writer is asked to do: grow, move, replace a copy, forget a node; and a look at every stored byte.
//!
//! ```text
//!   grow | move | replace-segment ─Operate─► any daemon ─► the writer: refused in one line, or begun
//!                                  ◄─Look twice a second─ until nothing is left to do
//! ```
//! An order is kept by the writer for as long as it has the volume open; if it is replaced meanwhile, the command finds less to do than it
//! asked for and says so when the order is given again. Ctrl-C ends the waiting, not the work.

use super::{Config, Done, Problem, config, runtime};
use crate::fleet::parse_places;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use driver::net::survey::survey;
use driver::net::{operate, scrub};
use protocol::geometry::{COPIES, az_of};
use protocol::order::{Forget, Grow, Look, Move, Order, Place, Replace, Report};
use protocol::{NodeId, PgId, SegmentId};
use std::ops::RangeInclusive;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// How often the writer is asked how far it is.
const LOOK: Duration = Duration::from_millis(500);
/// A writer that cannot be asked for so long may be gone for good.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) fn commands() -> impl Iterator<Item = Command> {
    let to = |help: &'static str| {
        Arg::new("to")
            .long("to")
            .value_name("azN=HOST:PORT")
            .action(ArgAction::Append)
            .required(true)
            .help(help)
    };
    let no_wait = || {
        let help = "do not wait until it is done; `sextant volume map` shows how far it is";
        Arg::new("no-wait").long("no-wait").action(ArgAction::SetTrue).help(help)
    };
    let number = |name: &'static str, value: &'static str, range: RangeInclusive<u32>, help: &'static str| {
        let range = i64::from(*range.start())..=i64::from(*range.end());
        Arg::new(name)
            .long(name)
            .value_name(value)
            .required(true)
            .value_parser(value_parser!(u32).range(range))
            .help(help)
    };
    let grow = Command::new("grow")
        .about("Add protection groups ahead of need")
        .arg(number("groups", "N", 1..=1 << 20, "how many there shall be at least"))
        .arg(no_wait());
    let replace = Command::new("replace-segment")
        .about("Move one copy of one protection group to another storage daemon, while clients work")
        .arg(number("pg", "N", 0..=u32::MAX, "the protection group"))
        .arg(number("position", "P", 0..=COPIES as u32 - 1, "which of its copies, 0 to 5"))
        .arg(
            Arg::new("to")
                .long("to")
                .value_name("HOST:PORT")
                .required(true)
                .help("the daemon, of the same zone: blank, or a node of this volume"),
        )
        .arg(no_wait());
    let moving = Command::new("move")
        .about("Move every copy of as many nodes as are named to those daemons, while clients work")
        .arg(to("daemons of one zone, blank or nodes of this volume; once for each zone"))
        .arg(no_wait());
    let forget = Command::new("forget")
        .about("Say that a node's folder no longer exists and never comes back, so that nothing waits to bury what it held")
        .arg(Arg::new("node").value_name("NODE").required(true).help("its 32 hexadecimal digits, from `volume map --json`"));
    let scrub = Command::new("scrub")
        .about("Read every stored page and all log and compare checksums; what is bad is healed from the other copies")
        .arg(no_wait());
    [grow, replace, moving, forget, scrub].into_iter()
}

pub(super) fn run(what: &str, matches: &ArgMatches) -> Done {
    if what == "scrub" {
        return look_at_all(matches);
    }
    let order = match what {
        "grow" => Order::Grow(Grow { groups: matches.get_one::<u32>("groups").copied().unwrap_or(0) }),
        "replace-segment" => Order::Replace(copy_to(matches)?),
        "move" => Order::Move(Move { to: places(matches)? }),
        "forget" => Order::Forget(Forget { node: node(matches)? }),
        other => return Err(Problem::Usage(format!("volume: there is no '{other}'"))),
    };
    let config = config(matches, "operator")?;
    let runtime = runtime()?;
    let report = runtime.block_on(operate(&config, &order))?;
    if !report.problem.is_empty() {
        return Err(Problem::Failed(report.problem));
    }
    if let Order::Forget(forget) = &order {
        println!("node {} is forgotten", forget.node);
        return Ok(ExitCode::SUCCESS);
    }
    if matches.get_flag("no-wait") {
        println!("begun; {}", left(&order, &report));
        return Ok(ExitCode::SUCCESS);
    }
    follow(&runtime, &config, &order, report)
}

fn places(matches: &ArgMatches) -> Result<Vec<Place>, Problem> {
    let zones: Vec<String> = matches.get_many::<String>("to").into_iter().flatten().cloned().collect();
    let wrong = |problem: String| Problem::Usage(format!("--to: {problem}"));
    let places = parse_places(&zones.join(";")).map_err(wrong)?;
    for (n, place) in places.iter().enumerate() {
        if places[..n].iter().any(|other| other.address == place.address) {
            return Err(wrong(format!("{} is named twice", place.address)));
        }
    }
    if places.is_empty() || places.len() > COPIES {
        return Err(wrong(format!("{} daemons are named; a volume has {COPIES}", places.len())));
    }
    Ok(places.into_iter().map(|place| Place { az: place.az, address: place.address }).collect())
}

/// A copy stays in the zone of its position.
fn copy_to(matches: &ArgMatches) -> Result<Replace, Problem> {
    let number = |name: &str| matches.get_one::<u32>(name).copied().unwrap_or(0);
    let segment = SegmentId { pg: PgId(number("pg")), position: number("position") as u8 };
    let az = az_of(segment.position).0;
    let address = matches.get_one::<String>("to").map_or("", String::as_str);
    let wrong = |problem: String| Problem::Usage(format!("--to: {problem}"));
    let places = parse_places(&format!("az{az}={address}")).map_err(wrong)?;
    match places.as_slice() {
        [place] => Ok(Replace { segment, to: Place { az, address: place.address.clone() } }),
        _ => Err(wrong("one daemon takes one copy".to_string())),
    }
}

fn node(matches: &ArgMatches) -> Result<NodeId, Problem> {
    let text = matches.get_one::<String>("node").map_or("", String::as_str);
    let id = u128::from_str_radix(text, 16).ok().filter(|id| text.len() == 32 && *id != 0);
    id.map(NodeId)
        .ok_or_else(|| Problem::Usage(format!("'{text}' is not the 32 hexadecimal digits of a node")))
}

/// True once there is nothing left of it to do.
fn is_done(order: &Order, report: &Report) -> bool {
    match order {
        Order::Grow(grow) => {
            report.head.as_ref().is_some_and(|head| head.groups.len() >= grow.groups as usize)
        }
        _ => report.left == 0,
    }
}

fn left(order: &Order, report: &Report) -> String {
    match order {
        Order::Grow(grow) => {
            let there = report.head.as_ref().map_or(0, |head| head.groups.len());
            format!("{there} of {} protection groups are there", grow.groups)
        }
        _ => format!("{} copies left", report.left),
    }
}

/// Asks until it is done; a change is one line.
fn follow(runtime: &Runtime, config: &Config, order: &Order, first: Report) -> Done {
    let (mut report, mut said, mut heard) = (first, String::new(), Instant::now());
    while !is_done(order, &report) {
        let now = left(order, &report);
        if now != said {
            println!("{now}");
            said = now;
        }
        std::thread::sleep(LOOK);
        match runtime.block_on(operate(config, &Order::Look(Look {}))) {
            Ok(next) if next.problem.is_empty() => {
                if next.epoch != report.epoch {
                    let text = "another compute node has opened the volume meanwhile: what was not begun is forgotten; give the order again";
                    return Err(Problem::Failed(text.to_string()));
                }
                (report, heard) = (next, Instant::now());
            }
            Ok(next) if heard.elapsed() > PATIENCE => return Err(Problem::Failed(next.problem)),
            Err(problem) if heard.elapsed() > PATIENCE => return Err(Problem::Failed(problem)),
            // A writer that is away for a moment; what it has begun goes on.
            Ok(_) | Err(_) => {}
        }
    }
    println!("done");
    Ok(ExitCode::SUCCESS)
}

/// Starts a look at everything on every daemon and waits for the end.
fn look_at_all(matches: &ArgMatches) -> Done {
    let config = config(matches, "operator")?;
    let runtime = runtime()?;
    let started = runtime.block_on(scrub(&config));
    let refused =
        started.iter().filter_map(|(at, outcome)| Some(format!("{at}: {}", outcome.as_ref().err()?)));
    let refused: Vec<String> = refused.collect();
    if refused.len() == started.len() {
        return Err(Problem::Failed(refused.join("; ")));
    }
    if matches.get_flag("no-wait") {
        println!("begun on {} storage nodes", started.len() - refused.len());
    } else {
        let mut heard = Instant::now();
        loop {
            std::thread::sleep(LOOK);
            let found = runtime.block_on(survey(&config, super::LIMIT))?;
            let metric = |address: &str, name: &str| {
                let at = found.nodes.iter().find(|(at, _)| at.address == address);
                let metrics = at.and_then(|(_, reply)| reply.as_ref()).map(|reply| reply.metrics.as_slice());
                metrics.and_then(|all| all.iter().find(|m| m.name == name)).map(|m| m.value)
            };
            // Each had begun when it answered, so it is through once it does not run any more; a small one was through by then.
            let begun = || started.iter().filter(|(_, outcome)| outcome.is_ok()).map(|(at, _)| at);
            let waits = |at: &driver::net::NodeAddress| metric(&at.address, "scrub_running") != Some(0);
            if !begun().any(waits) {
                for at in begun() {
                    let figure = |name: &str| metric(&at.address, name).unwrap_or(0);
                    println!(
                        "{at}: everything read; bad {}, healed {} since it started",
                        figure("rot"),
                        figure("healed")
                    );
                }
                break;
            }
            let answers = begun().all(|at| metric(&at.address, "scrub_running").is_some());
            if answers {
                heard = Instant::now();
            } else if heard.elapsed() > PATIENCE {
                return Err(Problem::Failed("a storage node does not answer any more".to_string()));
            }
        }
    }
    if refused.is_empty() { Ok(ExitCode::SUCCESS) } else { Err(Problem::Failed(refused.join("; "))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(words: &[&str]) -> Result<ArgMatches, clap::Error> {
        let mut command = Command::new("volume").subcommands(commands());
        command.build();
        let matches = command.try_get_matches_from([&["volume"], words].concat())?;
        Ok(matches.subcommand().expect("one was given").1.clone())
    }

    #[test]
    fn a_copy_goes_to_a_daemon_of_its_zone() {
        let words = ["replace-segment", "--pg", "3", "--position", "4", "--to", "h:1"];
        let replace = copy_to(&matches(&words).unwrap()).unwrap();
        assert_eq!((replace.segment.pg.0, replace.segment.position), (3, 4));
        assert_eq!((replace.to.az, replace.to.address.as_str()), (3, "h:1"));
        let wrong = |to: &str| {
            let words = ["replace-segment", "--pg", "3", "--position", "4", "--to", to];
            matches!(copy_to(&matches(&words).unwrap()), Err(Problem::Usage(_)))
        };
        assert!(wrong("h") && wrong("h:1,h:2") && wrong("az1=h:1"));
        assert!(matches(&["replace-segment", "--pg", "3", "--position", "6", "--to", "h:1"]).is_err());
        assert!(matches(&["grow", "--groups", "0"]).is_err());
    }

    #[test]
    fn places_of_a_move_are_read_and_named_once() {
        let to = |words: &[&str]| places(&matches(&[&["move"], words].concat()).unwrap());
        let read = to(&["--to", "az1=h:1,h:2", "--to", "az3=h:5"]).unwrap();
        let read: Vec<(u8, &str)> = read.iter().map(|place| (place.az, place.address.as_str())).collect();
        assert_eq!(read, [(1, "h:1"), (1, "h:2"), (3, "h:5")]);
        assert!(
            matches!(to(&["--to", "az1=h:1,h:1"]), Err(Problem::Usage(text)) if text.contains("named twice"))
        );
        assert!(matches!(to(&["--to", "az4=h:1"]), Err(Problem::Usage(_))));
        let all = "az1=h:1,h:2,h:3,h:4,h:5,h:6,h:7";
        assert!(matches!(to(&["--to", all]), Err(Problem::Usage(text)) if text.contains("7 daemons")));
    }
}
