//! mysql-4: statements drawn from a seed, sent to ours and to a real MySQL (`show mysql-4 mysql=HOST:PORT`): every answer is the same, or its
//! difference is listed with a reason in `tests/oracle/differ.txt`.
//!
//! The sabotage takes strict mode away from ours.

use crate::{Order, Outcome};
use tests::child::{self, Helper};
use tests::product::{build, root};
use tests::scratch::Scratch;
use tests::server::Launch;

pub(crate) fn show(order: &Order) -> Outcome {
    let endpoint = order.endpoints.iter().find_map(|e| e.strip_prefix("mysql="));
    let theirs = endpoint.ok_or("give a real MySQL as mysql=HOST:PORT")?.split('/').next().unwrap_or("");
    let binary = build("sextant", "sextant", false)?;
    let differ = build("tests", "differ", false)?;
    let scratch = Scratch::new("differ").map_err(|e| e.to_string())?;
    let server = Launch::new(&binary, &scratch.path().join("data")).start()?;
    if order.sabotage {
        let mut sql = server.connect().map_err(|e| e.to_string())?;
        sql.query("SET GLOBAL sql_mode = ''").map_err(|e| e.to_string())?;
    }
    let mut command = child::command(&differ);
    command
        .args([&server.address, theirs, "--statements", &order.rounds.unwrap_or(100_000).to_string()])
        .arg("--listed")
        .arg(root().join("tests/oracle/differ.txt"))
        .stdout(std::process::Stdio::piped());
    let (status, out, _) = Helper::start(command)?.output()?;
    for line in out.lines().take(120) {
        println!("{line}");
    }
    let last = out.lines().last().unwrap_or("no report");
    println!("{last}");
    if status.success() { Ok(()) } else { Err(last.to_string()) }
}
