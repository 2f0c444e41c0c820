//! Runs a script: a thread per session, outcomes collected until the server has come to rest after each step.

use super::script::{Block, Script, Section};
use crate::client::{Answer, Client, Error, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long an answer or a wait that is due may take.
const LIMIT: Duration = Duration::from_secs(60);
/// Recording: how long nothing must have changed before a session that waits is believed to go on waiting.
const SETTLED: Duration = Duration::from_millis(400);
const POLL: Duration = Duration::from_millis(2);

/// Runs a script against a server and returns its transcript; with `golden` the recorded one says what each step waits for.
///
/// # Errors
/// A broken connection, or a failing `setup`.
pub fn transcript(
    address: &str,
    script: &Script,
    schema: &str,
    golden: Option<&[Section]>,
) -> Result<String> {
    let mut out = String::new();
    for level in &script.levels {
        let recorded = golden.and_then(|all| all.iter().find(|s| &s.level == level));
        let _ = writeln!(out, "== {level}");
        let mut run = Run::start(address, script, schema, level)?;
        for (i, step) in script.steps.iter().enumerate() {
            let due = recorded.map(|section| section.blocks.get(i));
            let block = run.step(&step.session, &step.sql, due)?;
            let _ = writeln!(out, "> {}\n{}", block.step, block.outcomes.join("\n"));
        }
        run.end()?;
        out.push('\n');
    }
    Ok(out)
}

struct Session {
    id: u32,
    orders: Sender<String>,
    thread: JoinHandle<()>,
}

struct Run<'a> {
    address: &'a str,
    schema: &'a str,
    level: &'a str,
    admin: Client,
    sessions: BTreeMap<String, Session>,
    /// Sessions with a statement under way.
    busy: BTreeSet<String>,
    outcomes: Receiver<(String, String)>,
    answer: Sender<(String, String)>,
}

impl<'a> Run<'a> {
    fn start(address: &'a str, script: &Script, schema: &'a str, level: &'a str) -> Result<Run<'a>> {
        let mut admin = Client::connect(address)?;
        admin.query(&format!("DROP DATABASE IF EXISTS {schema}"))?;
        admin.query(&format!("CREATE DATABASE {schema}"))?;
        admin.query(&format!("USE {schema}"))?;
        for sql in &script.setup {
            admin.query(sql)?;
        }
        let (answer, outcomes) = channel();
        let (sessions, busy) = (BTreeMap::new(), BTreeSet::new());
        Ok(Run { address, schema, level, admin, sessions, busy, outcomes, answer })
    }

    /// The session of that name, connected at its first step.
    fn session(&mut self, name: &str) -> Result<&Session> {
        if !self.sessions.contains_key(name) {
            let mut client = Client::connect_as(self.address, "root", Some(self.schema))?;
            client.query(&format!("SET SESSION TRANSACTION ISOLATION LEVEL {}", self.level))?;
            let (orders, todo) = channel::<String>();
            let (answer, own, id) = (self.answer.clone(), name.to_string(), client.id);
            let thread = std::thread::spawn(move || {
                for sql in todo {
                    // The run is over when nobody listens.
                    let _ = answer.send((own.clone(), outcome(client.query(&sql))));
                }
            });
            self.sessions.insert(name.to_string(), Session { id, orders, thread });
        }
        self.sessions.get(name).ok_or_else(|| Error::Protocol("no session".into()))
    }

    fn step(&mut self, name: &str, sql: &str, due: Option<Option<&Block>>) -> Result<Block> {
        let mut block = Block { step: format!("{name}: {sql}"), outcomes: Vec::new() };
        if sql == "await" {
            block.outcomes.push(self.answered(name)?);
            return Ok(block);
        }
        if self.busy.contains(name) {
            block.outcomes.push("cannot: it waits".into());
            return Ok(block);
        }
        let session = self.session(name)?;
        session.orders.send(sql.to_string()).map_err(|_| Error::Protocol("a session ended".into()))?;
        self.busy.insert(name.to_string());
        let mut found = match due {
            Some(recorded) => self.until_due(name, recorded)?,
            None => self.until_settled()?,
        };
        block.outcomes.push(found.remove(name).unwrap_or_else(|| "waits".into()));
        block.outcomes.extend(found.into_iter().map(|(who, what)| format!("{who}: {what}")));
        Ok(block)
    }

    /// The outcome of what a session has under way, however long that takes (a lock wait's timeout).
    fn answered(&mut self, name: &str) -> Result<String> {
        let mut found = BTreeMap::new();
        let deadline = Instant::now() + LIMIT;
        while self.busy.contains(name) && Instant::now() < deadline {
            self.drain(&mut found);
            std::thread::sleep(POLL);
        }
        Ok(found.remove(name).unwrap_or_else(|| "waits".into()))
    }

    /// Waits until who is due to answer has answered, and everybody else waits in the server.
    fn until_due(&mut self, name: &str, recorded: Option<&Block>) -> Result<BTreeMap<String, String>> {
        let mut due: BTreeSet<String> = BTreeSet::new();
        for (i, line) in recorded.map_or(&[][..], |b| &b.outcomes[..]).iter().enumerate() {
            if i == 0 {
                if line != "waits" {
                    due.insert(name.to_string());
                }
            } else if let Some((who, _)) = line.split_once(": ") {
                due.insert(who.to_string());
            }
        }
        let deadline = Instant::now() + LIMIT;
        let mut found = BTreeMap::new();
        loop {
            self.drain(&mut found);
            if found.keys().filter(|k| due.contains(*k)).count() == due.len() && self.all_wait()? {
                self.drain(&mut found);
                return Ok(found);
            }
            if Instant::now() > deadline || self.stuck(&due, &found)? {
                return Ok(found);
            }
            std::thread::sleep(POLL);
        }
    }

    /// Everybody who is due and has not answered waits for a lock, and so does everybody else: nothing will come. Told at once where the
    /// server differs from the recorded one, instead of after the limit.
    fn stuck(&mut self, due: &BTreeSet<String>, found: &BTreeMap<String, String>) -> Result<bool> {
        let missing = due.iter().any(|d| !found.contains_key(d));
        if !missing || !self.all_wait()? {
            return Ok(false);
        }
        let settled = Instant::now() + SETTLED * 5;
        while Instant::now() < settled {
            if !self.all_wait()? {
                return Ok(false);
            }
            std::thread::sleep(POLL);
        }
        Ok(true)
    }

    /// Waits until everybody has answered or waits, and that has not changed for a while.
    fn until_settled(&mut self) -> Result<BTreeMap<String, String>> {
        let mut found = BTreeMap::new();
        let deadline = Instant::now() + LIMIT;
        let mut since = Instant::now();
        while Instant::now() < deadline {
            let before = found.len();
            self.drain(&mut found);
            if found.len() != before || !self.all_wait()? {
                since = Instant::now();
            }
            if self.busy.is_empty() || since.elapsed() > SETTLED {
                break;
            }
            std::thread::sleep(POLL);
        }
        Ok(found)
    }

    fn drain(&mut self, found: &mut BTreeMap<String, String>) {
        while let Ok((who, what)) = self.outcomes.try_recv() {
            self.busy.remove(&who);
            found.insert(who, what);
        }
    }

    /// Every session with a statement under way is counted among the server's waiters.
    fn all_wait(&mut self) -> Result<bool> {
        if self.busy.is_empty() {
            return Ok(true);
        }
        let waits = crate::facts::counter(&mut self.admin, "Innodb_row_lock_current_waits")?;
        if waits >= self.busy.len() as u64 {
            return Ok(true);
        }
        let ids: Vec<String> =
            self.busy.iter().filter_map(|n| self.sessions.get(n)).map(|s| s.id.to_string()).collect();
        let processes = self.admin.query("SHOW PROCESSLIST")?.text();
        let named = processes.iter().filter(|row| {
            let state = row.get(6).map_or("", String::as_str).to_ascii_lowercase();
            ids.contains(&row[0]) && (state.contains("waiting for") || state.contains("user lock"))
        });
        Ok(waits + named.count() as u64 >= self.busy.len() as u64)
    }

    fn end(mut self) -> Result<()> {
        for name in std::mem::take(&mut self.busy) {
            if let Some(session) = self.sessions.get(&name) {
                // It may have answered just now.
                let _ = self.admin.query(&format!("KILL {}", session.id));
            }
        }
        for session in std::mem::take(&mut self.sessions).into_values() {
            drop(session.orders);
            let _ = session.thread.join();
        }
        self.admin.query(&format!("DROP DATABASE IF EXISTS {}", self.schema))?;
        Ok(())
    }
}

fn outcome(answer: Result<Answer>) -> String {
    match answer {
        Ok(answer) if answer.columns.is_empty() => format!("ok {}", answer.affected),
        Ok(answer) => {
            let rows: Vec<String> = answer.text().iter().map(|row| format!("({})", row.join(", "))).collect();
            if rows.is_empty() { "no rows".into() } else { format!("rows {}", rows.join(" ")) }
        }
        Err(Error::Server { code, .. }) => format!("ERROR {code}"),
        Err(error) => format!("broken: {error}"),
    }
}
