//! engine-3 to engine-7: what a transaction of any size costs to undo, hot rows, long runs, many tables.

pub(crate) mod ddl;
pub(crate) mod hot_row;
mod plot;
pub(crate) mod rollback;
pub(crate) mod soak;
pub(crate) mod tables;

use std::path::Path;
use std::time::{Duration, Instant};
use tests::client::Client;
use tests::server::{Launch, Server};

/// The text of a client's error.
pub(crate) fn text(error: tests::client::Error) -> String {
    error.to_string()
}

/// Runs a statement; what it changed.
pub(crate) fn run(sql: &mut Client, statement: &str) -> Result<u64, String> {
    let shown = || statement.chars().take(60).collect::<String>();
    sql.query(statement).map(|answer| answer.affected).map_err(|e| format!("{}: {e}", shown()))
}

/// The one value of a query.
pub(crate) fn value(sql: &mut Client, query: &str) -> Result<String, String> {
    let rows = sql.query(query).map_err(|e| format!("{query}: {e}"))?.text();
    rows.first().and_then(|row| row.first()).cloned().ok_or_else(|| format!("{query}: no row"))
}

/// Starts the server; the time runs from the start of its process to its first answer.
pub(crate) fn open(launch: &Launch) -> Result<(Server, Duration), String> {
    let started = Instant::now();
    let server = launch.start()?;
    let mut client = server.connect().map_err(text)?;
    client.query("SELECT 1").map_err(text)?;
    Ok((server, started.elapsed()))
}

/// What the files of a folder take on disk, in bytes.
pub(crate) fn disk_bytes(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let size = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => disk_bytes(&entry.path()),
        Ok(meta) => std::os::unix::fs::MetadataExt::blocks(&meta) * 512,
        // Gone between the two looks.
        Err(_) => 0,
    };
    entries.map(size).sum()
}

pub(crate) fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
