//! The counters that are ceilings: what one request and one commit cost, in counts that hold on any machine.

use crate::{Order, Outcome};
use std::fs;
use std::path::Path;
use tests::cost::{self, Plant};
use tests::product::{build, root};
use tests::tool;

/// Instructions may grow by two in a hundred over what is recorded.
const RATCHET: f64 = 1.02;

/// One line of the table, and whether its ceiling holds.
struct Table {
    broken: Vec<String>,
}

impl Table {
    fn line(&mut self, what: &str, figure: String, ceiling: &str, holds: bool) {
        println!("  {what:<64} {figure:>10}   {ceiling:<12} {}", if holds { "" } else { "BROKEN" });
        if !holds {
            self.broken.push(format!("{what}: {figure}, {ceiling}"));
        }
    }

    fn skipped(&self, what: &str, why: &str) {
        println!("  {what:<64} {:>10}   {why}", "-");
    }
}

pub(crate) fn show(order: &Order) -> Outcome {
    let plant = |p: Plant| if order.sabotage { p } else { Plant::Nothing };
    let product = build("sextant", "sextant", false)?;
    let mut table = Table { broken: Vec::new() };
    println!("counters");
    system_calls(&mut table, &product, plant(Plant::TwoTrips))?;
    let counted = build("tests", "counted", false)?;
    let allocations = cost::allocations_per_select(&counted, 2000, plant(Plant::PlanLost))?;
    table.line(
        "allocations per prepared point select",
        format!("{allocations:.2}"),
        "at most 1",
        allocations <= 1.0,
    );
    instructions(&mut table, &product, plant(Plant::PlanLost))?;
    commits(&mut table, &product, plant(Plant::TwoCommits))?;
    let idle = cost::idle_connection_kib(&product, 500)?;
    table.line("KiB per idle connection", format!("{idle:.1}"), "at most 32", idle <= 32.0);
    if table.broken.is_empty() { Ok(()) } else { Err(table.broken.join("; ")) }
}

fn system_calls(table: &mut Table, product: &Path, plant: Plant) -> Outcome {
    let what = "reads, writes of the socket per prepared point select";
    if tool::find("strace", "strace").is_none() {
        table.skipped(what, "strace is not installed");
        return Ok(());
    }
    let calls = cost::calls_per_select(product, 500, plant)?;
    let figure = format!("{:.2}, {:.2}", calls.reads, calls.writes);
    let holds = (1.0..1.04).contains(&calls.reads) && (1.0..1.04).contains(&calls.writes);
    table.line(what, figure, "1 and 1", holds);
    table.line(
        "system calls of all threads per such select, one client",
        format!("{:.2}", calls.all),
        "printed",
        true,
    );
    Ok(())
}

fn instructions(table: &mut Table, product: &Path, plant: Plant) -> Outcome {
    let what = "instructions per prepared point select (callgrind)";
    if tool::find("valgrind", "valgrind").is_none() {
        table.skipped(what, "valgrind is not installed");
        return Ok(());
    }
    let found = cost::instructions_per_select(product, 2000, plant)?;
    let path = root().join("tests/golden/instructions.txt");
    if std::env::var_os("TESTS_WRITE_GOLDEN").is_some() && plant == Plant::Nothing {
        fs::write(&path, format!("point_select {found}\n")).map_err(|e| e.to_string())?;
    }
    let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let recorded: f64 = text
        .lines()
        .find_map(|l| l.strip_prefix("point_select "))
        .and_then(|n| n.trim().parse().ok())
        .ok_or_else(|| format!("{}: no point_select", path.display()))?;
    if recorded == 0.0 {
        table
            .skipped(what, &format!("{found}, and nothing is recorded yet: TESTS_WRITE_GOLDEN=1 records it"));
        return Ok(());
    }
    let ceiling = recorded * RATCHET;
    table.line(what, found.to_string(), &format!("at most {ceiling:.0}"), found as f64 <= ceiling);
    if (found as f64) < recorded / RATCHET {
        println!("  (better than recorded: TESTS_WRITE_GOLDEN=1 tightens the ratchet)");
    }
    Ok(())
}

fn commits(table: &mut Table, product: &Path, plant: Plant) -> Outcome {
    let found = cost::commits(product, 500, 64, 100, plant)?;
    let six = |n: f64| (4.0..6.5).contains(&n);
    let figure = |n: f64| format!("{n:.2}");
    table.line(
        "log writes per commit, one client, six nodes",
        figure(found.writes_alone),
        "at most 6",
        six(found.writes_alone),
    );
    table.line(
        "log syncs per commit, one client, six nodes",
        figure(found.syncs_alone),
        "at most 6",
        six(found.syncs_alone),
    );
    table.line(
        "commits per sync of a log, 64 clients",
        figure(found.per_sync),
        "more than 4",
        found.per_sync > 4.0,
    );
    table.line("pages sent by compute", found.pages_sent.to_string(), "none", found.pages_sent == 0);
    Ok(())
}
