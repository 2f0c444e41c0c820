//! `sextant volume map`: where every copy lives, as the newest head says that any of the daemons holds (R9). No writer is needed.

use super::{Done, LIMIT, Problem, config, runtime};
use clap::{Arg, ArgAction, ArgMatches, Command};
use driver::net::survey::survey;
use protocol::SegmentRole;
use protocol::head::{Head, Member, PgMembers};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::process::ExitCode;

pub(super) fn command() -> Command {
    let json = Arg::new("json").long("json").action(ArgAction::SetTrue).help("print it for programs");
    Command::new("map")
        .about("Where every copy of every protection group lives; works without a compute node")
        .arg(json)
}

pub(super) fn run(matches: &ArgMatches) -> Done {
    let config = config(matches, "operator")?;
    let found = runtime()?.block_on(survey(&config, LIMIT))?;
    let head = match found.head() {
        Some(head) => head,
        // Which of the two it is.
        None => {
            found.volume()?;
            return Err(Problem::Failed("no storage node that answers holds the volume's map".to_string()));
        }
    };
    if matches.get_flag("json") {
        println!("{}", as_json(&head));
    } else {
        print!("{}", text(&head));
    }
    Ok(ExitCode::SUCCESS)
}

fn role(member: &Member) -> &'static str {
    match member.role {
        SegmentRole::Full => "full",
        SegmentRole::Tail => "tail",
    }
}

pub(super) fn text(head: &Head) -> String {
    let mut out = String::new();
    let (version, dead) = (head.version, head.truncations.entries.len());
    // Writing to a string does not fail.
    let _ = writeln!(
        out,
        "volume {}, map version ({}, {})\n  {} protection groups of {} pages; lease {} ms; {dead} dead ranges\n",
        head.volume,
        version.epoch.0,
        version.seq,
        head.groups.len(),
        head.pages_per_pg,
        head.lease_ms
    );
    let _ = writeln!(out, "  group  position  az  role  address                 node              life");
    for group in &head.groups {
        for (position, member) in group.members.iter().enumerate() {
            let _ = writeln!(out, "  {:<6} {position:<9} {}", group.pg.0, line(member));
        }
        if let Some(joint) = &group.joint {
            let position = format!("{} <-", joint.position);
            let _ = writeln!(out, "  {:<6} {position:<9} {}", group.pg.0, line(&joint.newcomer));
        }
    }
    out
}

fn line(member: &Member) -> String {
    let address = if member.address.is_empty() { "-" } else { &member.address };
    // The first half of an id tells lives and folders apart for a person.
    let short = |id: u128| format!("{:016x}", (id >> 64) as u64);
    let (node, life) = (short(member.node.0), short(member.incarnation.0));
    format!("{:<3} {:<5} {address:<23} {node}  {life}", member.az.0, role(member))
}

fn as_json(head: &Head) -> Value {
    let member = |member: &Member| {
        json!({
            "az": member.az.0,
            "role": role(member),
            "address": member.address,
            "node": format!("{:032x}", member.node.0),
            "incarnation": format!("{:032x}", member.incarnation.0),
        })
    };
    let group = |group: &PgMembers| {
        json!({
            "pg": group.pg.0,
            "version": [group.version.epoch.0, group.version.seq],
            "members": group.members.iter().map(member).collect::<Vec<_>>(),
            "joint": group.joint.as_ref().map(|joint| json!({
                "position": joint.position, "newcomer": member(&joint.newcomer), "from": joint.from.0,
            })),
        })
    };
    json!({
        "volume": format!("{:032x}", head.volume.0),
        "version": [head.version.epoch.0, head.version.seq],
        "pages_per_pg": head.pages_per_pg,
        "lease_ms": head.lease_ms,
        "groups": head.groups.iter().map(group).collect::<Vec<_>>(),
    })
}
