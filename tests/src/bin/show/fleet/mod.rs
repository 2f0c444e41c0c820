//! fleet-1 to fleet-6: storage daemons and a compute node as processes on loopback, with load that audits itself.
//!
//! Every show here has the same ground: six daemons, a compute node on them, the ledger with its journal, sysbench and a probe beside it
//! ([`load`]). What differs is what is done to them meanwhile.

pub(crate) mod kills;
pub(crate) mod load;
pub(crate) mod moves;
pub(crate) mod rot;
mod rows;
pub(crate) mod slow;
pub(crate) mod zombie;
pub(crate) mod zones;

use std::path::PathBuf;
use std::time::{Duration, Instant};
use tests::client::Client;
use tests::fleet::Fleet;
use tests::product::build;
use tests::scratch::Scratch;
use tests::server::{Launch, Server};

/// How long anything may take that must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// The text of a client's error.
pub(crate) fn text(error: tests::client::Error) -> String {
    error.to_string()
}

/// Six daemons with a volume on them.
pub(crate) struct Ground {
    pub(crate) fleet: Fleet,
    pub(crate) scratch: Scratch,
}

/// What a show's ground is made of.
pub(crate) struct Wanted<'a> {
    /// Of the scratch folder.
    pub(crate) name: &'a str,
    /// Planted bugs in the executable.
    pub(crate) mutants: bool,
    /// Pages of a protection group.
    pub(crate) pages_per_pg: u64,
    /// Further arguments of every daemon.
    pub(crate) daemon: &'a [&'a str],
}

/// Pages of a protection group if nothing else is said: 10 GiB.
pub(crate) const LARGE: u64 = 655_360;

impl Ground {
    /// Starts six blank daemons and makes a volume on them.
    pub(crate) fn new(wanted: &Wanted<'_>) -> Result<Ground, String> {
        let binary = build("sextant", "sextant", wanted.mutants)?;
        let scratch = Scratch::new(wanted.name).map_err(|e| e.to_string())?;
        let fleet = Fleet::start_with(binary, scratch.path(), wanted.daemon)?;
        let pages = wanted.pages_per_pg.to_string();
        let (ok, out, err) = fleet.volume(&["create", "--pages-per-pg", &pages])?;
        if !ok {
            return Err(format!("volume create: {out}{err}"));
        }
        Ok(Ground { fleet, scratch })
    }

    /// How the compute node is started.
    pub(crate) fn compute(&self, name: &str) -> Launch {
        self.fleet.compute(&self.scratch.path().join(name))
    }

    /// A place for a file.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }
}

/// Waits until `done` says so; the error tells `what` did not happen, and how it stands.
pub(crate) fn wait(what: &str, mut done: impl FnMut() -> Result<bool, String>) -> Result<Duration, String> {
    let started = Instant::now();
    while !done().map_err(|problem| format!("{what}: {problem}"))? {
        if started.elapsed() > PATIENCE {
            return Err(format!("not within {} s: {what}", PATIENCE.as_secs()));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(started.elapsed())
}

/// One row of `sextant.segments`.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) pg: String,
    pub(crate) node: String,
    pub(crate) role: String,
    pub(crate) scl: u64,
    pub(crate) state: String,
}

/// All of them.
pub(crate) fn segments(sql: &mut Client) -> Result<Vec<Segment>, String> {
    let rows = sql.query("SELECT pg, node_folder, role, scl, state FROM sextant.segments").map_err(text)?;
    let of = |row: Vec<String>| Segment {
        pg: row[0].clone(),
        node: row[1].clone(),
        role: row[2].clone(),
        scl: row[3].parse().unwrap_or(0),
        state: row[4].clone(),
    };
    Ok(rows.text().into_iter().map(of).collect())
}

/// Waits until every segment is a member that has what its group had durably when the waiting began: right while others write, too.
pub(crate) fn caught_up(server: &Server) -> Result<Duration, String> {
    let mut sql = server.connect().map_err(text)?;
    let goals = sql.query("SELECT pg, MAX(pgcl) FROM sextant.segments GROUP BY pg").map_err(text)?.text();
    let goal = |pg: &str| goals.iter().find(|g| g[0] == pg).map_or(0, |g| g[1].parse().unwrap_or(0));
    let mut last = Vec::new();
    wait("every copy has what the others have", || {
        last = segments(&mut sql)?;
        Ok(last.len() >= 6 && last.iter().all(|s| s.state == "member" && s.scl >= goal(&s.pg)))
    })
    .map_err(|problem| format!("{problem}: {}", states(&last)))
}

fn states(all: &[Segment]) -> String {
    let shown: Vec<String> =
        all.iter().map(|s| format!("{}@{} {} {}", s.pg, s.node, s.state, s.scl)).collect();
    shown.join("; ")
}

/// Waits, while nobody writes, until all SCLs of each group are the same; prints them.
pub(crate) fn equal(server: &Server) -> Result<(), String> {
    let mut sql = server.connect().map_err(text)?;
    let mut last = Vec::new();
    let waited = wait("all SCLs are equal", || {
        last = segments(&mut sql)?;
        let differs = |s: &Segment| last.iter().any(|o| o.pg == s.pg && o.scl != s.scl);
        Ok(!last.is_empty() && last.iter().all(|s| s.state == "member" && !differs(s)))
    });
    if let Err(problem) = waited {
        return Err(format!("{problem}: {}", states(&last)));
    }
    let mut groups: Vec<(&str, u64)> = last.iter().map(|s| (s.pg.as_str(), s.scl)).collect();
    groups.dedup();
    let shown: Vec<String> = groups.iter().map(|(pg, scl)| format!("group {pg} at {scl}")).collect();
    println!("SCLs of {} segments are equal: {}", last.len(), shown.join(", "));
    Ok(())
}

/// `sextant volume status` says that the volume is whole.
pub(crate) fn whole(ground: &Ground) -> Result<(), String> {
    let (whole, text, err) = ground.fleet.volume(&["status"])?;
    println!("volume status: {}", text.lines().nth(1).unwrap_or_default().trim());
    if whole { Ok(()) } else { Err(format!("the volume is not whole: {text}{err}")) }
}
