//! Recorded answers of real MySQL, and how a server's answers are compared with them.
//!
//! `tests/oracle/NAME.sql` is a script, `NAME.golden` what MySQL 9.7 answered to it: rows, full column metadata, counts, warnings, errors.
//! A statement ends with `;` at the end of a line. Lines starting with `#` are comments; `@` starts a directive:
//!
//! | directive | meaning |
//! |---|---|
//! | `@prepare SQL` | prepares a statement |
//! | `@execute a\|b\|NULL` | executes the last prepared one with text parameters; rows are compared as the bytes of the binary packet |
//! | `@connection NAME` | goes on with that connection, opening it at first |
//! | `@unordered` | the rows of the next statement are compared as a set |
//! | `@loose` | of the next statement only rows, counts and errors are compared, not the metadata of columns |
//!
//! Every script starts in a fresh schema `oracle` which is dropped afterwards.

use crate::client::{Answer, Client, Error, Result, Statement};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Runs a script against a server and returns its transcript.
///
/// # Errors
/// A broken connection; errors of statements belong to the transcript.
pub fn transcript(address: &str, script: &str) -> Result<String> {
    run(address, script, false)
}

/// The same, with every statement `@loose`.
///
/// # Errors
/// As [`transcript`].
pub fn loose_transcript(address: &str, script: &str) -> Result<String> {
    run(address, script, true)
}

fn run(address: &str, script: &str, always_loose: bool) -> Result<String> {
    let mut run = Run {
        address: address.to_string(),
        connections: BTreeMap::new(),
        current: "main".to_string(),
        prepared: None,
        unordered: false,
        loose: always_loose,
        always_loose,
        out: String::new(),
    };
    let mut admin = Client::connect(address)?;
    admin.query("DROP DATABASE IF EXISTS oracle")?;
    admin.query("CREATE DATABASE oracle")?;
    for step in steps(script) {
        run.step(&step)?;
    }
    drop(run.connections);
    admin.query("DROP DATABASE IF EXISTS oracle")?;
    Ok(run.out)
}

/// Statements and directives of a script, in order.
fn steps(script: &str) -> Vec<String> {
    let (mut found, mut statement) = (Vec::new(), String::new());
    for line in script.lines() {
        if statement.is_empty() {
            if line.starts_with('#') || line.trim().is_empty() {
                continue;
            }
            if line.starts_with('@') && !line.starts_with("@@") {
                found.push(line.to_string());
                continue;
            }
        }
        if !statement.is_empty() {
            statement.push('\n');
        }
        statement.push_str(line);
        if line.trim_end().ends_with(';') {
            let text = statement.trim_end().trim_end_matches(';').to_string();
            found.push(text);
            statement.clear();
        }
    }
    if !statement.trim().is_empty() {
        found.push(statement);
    }
    found
}

struct Run {
    address: String,
    connections: BTreeMap<String, Client>,
    current: String,
    prepared: Option<Statement>,
    unordered: bool,
    loose: bool,
    always_loose: bool,
    out: String,
}

impl Run {
    fn client(&mut self) -> Result<&mut Client> {
        if !self.connections.contains_key(&self.current) {
            let client = Client::connect_as(&self.address, "root", Some("oracle"))?;
            self.connections.insert(self.current.clone(), client);
        }
        self.connections.get_mut(&self.current).ok_or_else(|| Error::Protocol("no connection".into()))
    }

    fn step(&mut self, step: &str) -> Result<()> {
        let _ = writeln!(self.out, "> {}", step.replace('\n', "\n> "));
        let directive = step.strip_prefix('@').map(|d| d.split_once(' ').unwrap_or((d, "")));
        let outcome = match directive {
            Some(("connection", name)) => {
                self.current = name.trim().to_string();
                return Ok(());
            }
            Some(("unordered", _)) => {
                self.unordered = true;
                return Ok(());
            }
            Some(("loose", _)) => {
                self.loose = true;
                return Ok(());
            }
            Some(("prepare", sql)) => {
                let prepared = self.client()?.prepare(sql);
                match prepared {
                    Ok(statement) => {
                        let _ = writeln!(
                            self.out,
                            "prepared: {} parameters, {} columns\n",
                            statement.params, statement.columns
                        );
                        self.prepared = Some(statement);
                        return Ok(());
                    }
                    Err(error) => Err(error),
                }
            }
            Some(("execute", list)) => {
                let statement = self.prepared.ok_or_else(|| Error::Protocol("nothing prepared".into()))?;
                let params: Vec<Option<&str>> = match list {
                    "" => Vec::new(),
                    list => list.split('|').map(|p| (p != "NULL").then_some(p)).collect(),
                };
                self.client()?.execute(&statement, &params)
            }
            _ => self.client()?.query_all(step.as_bytes()).map(|mut all| all.pop().unwrap_or_default()),
        };
        match outcome {
            Ok(answer) => self.answer(answer),
            Err(Error::Server { code, state, message }) => {
                let _ = writeln!(self.out, "ERROR {code} ({state}): {message}\n");
                (self.unordered, self.loose) = (false, self.always_loose);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    fn answer(&mut self, mut answer: Answer) -> Result<()> {
        if answer.columns.is_empty() {
            let _ = write!(self.out, "OK affected={} insert_id={}", answer.affected, answer.insert_id);
            if !answer.info.is_empty() {
                let _ = write!(self.out, " info={:?}", answer.info);
            }
            self.out.push('\n');
        }
        for c in &answer.columns {
            if self.loose {
                let _ = writeln!(self.out, "column {:?}", c.name);
            } else {
                let _ = writeln!(
                    self.out,
                    "column {:?} of {:?}.{:?}.{:?}.{:?} type={} length={} charset={} flags={:#x} decimals={}",
                    c.name,
                    c.schema,
                    c.table,
                    c.org_table,
                    c.org_name,
                    c.kind,
                    c.length,
                    c.charset,
                    c.flags,
                    c.decimals
                );
            }
        }
        if self.unordered {
            answer.rows.sort();
        }
        for row in &answer.rows {
            let values: Vec<String> =
                row.iter().map(|v| v.as_deref().map_or("NULL".into(), printable)).collect();
            let _ = writeln!(self.out, "| {}", values.join(" | "));
        }
        (self.unordered, self.loose) = (false, self.always_loose);
        let _ = writeln!(self.out, "status: {}", flags(answer.status));
        if answer.warnings > 0 {
            let _ = writeln!(self.out, "warnings: {}", answer.warnings);
            for row in self.client()?.query("SHOW WARNINGS")?.text() {
                let _ = writeln!(self.out, "  {}", row.join(" "));
            }
        }
        self.out.push('\n');
        Ok(())
    }
}

/// Text as it is when it is printable, else hexadecimal.
fn printable(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.chars().all(|c| !c.is_control() || c == '\n') => text.replace('\n', "\\n"),
        _ => bytes.iter().fold(String::from("0x"), |mut hex, b| {
            let _ = write!(hex, "{b:02x}");
            hex
        }),
    }
}

/// The status flags that follow from what the session did.
fn flags(status: u16) -> String {
    let names = [(1, "in_transaction"), (2, "autocommit"), (0x2000, "in_read_only_transaction")];
    let set: Vec<&str> = names.iter().filter(|(bit, _)| status & bit != 0).map(|(_, name)| *name).collect();
    set.join(" ")
}

/// The first lines that differ, with a little before them; `None` when the transcripts agree.
#[must_use]
pub fn difference(golden: &str, found: &str) -> Option<String> {
    let (expected, found): (Vec<&str>, Vec<&str>) = (golden.lines().collect(), found.lines().collect());
    let at = (0..expected.len().max(found.len())).find(|i| expected.get(*i) != found.get(*i))?;
    let start = (0..at).rev().find(|i| expected.get(*i).is_some_and(|l| l.starts_with('>'))).unwrap_or(0);
    let mut out = format!("line {}:\n", at + 1);
    for line in expected.get(start..at).unwrap_or(&[]) {
        let _ = writeln!(out, "    {line}");
    }
    for i in at..at + 4 {
        if expected.get(i) != found.get(i) {
            let _ = writeln!(out, "  - {}", expected.get(i).unwrap_or(&"(end)"));
            let _ = writeln!(out, "  + {}", found.get(i).unwrap_or(&"(end)"));
        }
    }
    Some(out)
}

/// [`difference`] of every statement that differs.
#[must_use]
pub fn differences(golden: &str, found: &str) -> Vec<String> {
    let (expected, found): (Vec<&str>, Vec<&str>) =
        (golden.split("\n\n").collect(), found.split("\n\n").collect());
    let at = |blocks: &[&str], i: usize| blocks.get(i).map_or(String::new(), |b| b.trim().to_string());
    (0..expected.len().max(found.len()))
        .filter_map(|i| difference(&at(&expected, i), &at(&found, i)))
        .collect()
}

/// The statements (numbered from 1) that a found transcript answers otherwise than the golden one, and how many there are.
#[must_use]
pub fn differing(golden: &str, found: &str) -> (Vec<usize>, usize) {
    let blocks = |text: &str| -> Vec<String> {
        text.split("\n\n").map(|b| b.trim().to_string()).filter(|b| !b.is_empty()).collect()
    };
    let (expected, found) = (blocks(golden), blocks(found));
    let differ = (0..expected.len().max(found.len())).filter(|i| expected.get(*i) != found.get(*i));
    (differ.map(|i| i + 1).collect(), expected.len())
}

#[cfg(test)]
mod checks {
    use super::*;

    #[test]
    fn scripts_are_cut_into_statements_and_directives() {
        let script = "# note\nSELECT 1;\n@unordered\nSELECT\n 2;\n\nSELECT 3";
        assert_eq!(steps(script), ["SELECT 1", "@unordered", "SELECT\n 2", "SELECT 3"]);
    }

    #[test]
    fn differing_statements_are_numbered() {
        assert_eq!(differing("> a\n1\n\n> b\n2\n\n", "> a\n1\n\n> b\n3\n\n"), (vec![2], 2));
        assert_eq!(differing("> a\n1\n\n", "> a\n1\n\n> b\n3\n\n"), (vec![2], 1));
    }

    #[test]
    fn a_difference_is_shown_with_its_statement() {
        assert_eq!(difference("> a\n| 1\n", "> a\n| 1\n"), None);
        let shown = difference("> a\n| 1\n", "> a\n| 2\n").expect("they differ");
        assert!(shown.contains("> a") && shown.contains("- | 1") && shown.contains("+ | 2"), "{shown}");
    }
}
