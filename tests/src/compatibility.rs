//! What of MySQL is there, thing by thing: lists of statements, functions, types and names, each with what MySQL 9.7 answered.
//!
//! ```text
//!   tests/compatibility/NAME.txt                    NAME.golden                          docs/compatibility.md
//!   ## Section                                      === Section / item                   | Section | works | differs | missing |
//!   item: STATEMENT;; STATEMENT        ─MySQL─►     > STATEMENT                 ─ours─►
//!   = item                                          what it answered
//!   STATEMENT;
//! ```
//! An item *works* when all its statements answer as MySQL's did: names of columns, rows, counts, warnings, errors (the rest of the metadata is
//! the oracle's business, `tests/oracle`). It is *missing* when it stops at an error that MySQL did not answer and that says so (not supported, a
//! syntax or a name that is not known). Else it *differs*. Every item starts in a schema of its own.

use crate::oracle::loose_transcript;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// One thing that MySQL has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The section of its list.
    pub section: String,
    /// Its name, unique in the section.
    pub name: String,
    /// The statements that show it.
    pub script: String,
}

/// How an item's answers compare with MySQL's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// All answers are MySQL's.
    Works,
    /// Something else is answered: the first line of MySQL's answer and of ours that differ.
    Differs(String),
    /// Refused, where MySQL does it: our error.
    Missing(String),
}

/// Codes that say that a thing is not there: unknown database, table, column type or charset, function, variable, collation, engine; syntax;
/// not supported.
const MISSING: &[&str] =
    &["1235", "1064", "1305", "1193", "1109", "1115", "1146", "1273", "1286", "1289", "1128", "1046"];

/// The items of a list.
///
/// # Errors
/// A line that is neither an item nor part of one, an item named twice.
pub fn parse(text: &str) -> Result<Vec<Item>, String> {
    let (mut items, mut section) = (Vec::<Item>::new(), String::new());
    let mut open = false;
    for (number, line) in text.lines().enumerate() {
        let wrong = |what: &str| format!("line {}: {what}: {line}", number + 1);
        if let Some(title) = line.strip_prefix("## ") {
            (section, open) = (title.trim().to_string(), false);
        } else if let Some(name) = line.strip_prefix("= ") {
            items.push(Item { section: section.clone(), name: name.trim().into(), script: String::new() });
            open = true;
        } else if line.starts_with('#') || line.trim().is_empty() {
            open = open && !line.trim().is_empty();
        } else if open && line.trim_end().ends_with(';') {
            let item = items.last_mut().ok_or_else(|| wrong("no item"))?;
            item.script.push_str(line);
            item.script.push('\n');
        } else {
            let (name, statements) = line.split_once(": ").ok_or_else(|| wrong("no `NAME: STATEMENT`"))?;
            let script = statements.split(";;").map(|s| format!("{};\n", s.trim())).collect();
            items.push(Item { section: section.clone(), name: name.trim().into(), script });
            open = false;
        }
    }
    for (index, item) in items.iter().enumerate() {
        if items[..index].iter().any(|other| other.section == item.section && other.name == item.name) {
            return Err(format!("{}: {} stands twice", item.section, item.name));
        }
    }
    Ok(items)
}

/// The answers of a server to every item, as a golden file. A connection that breaks is an answer too.
#[must_use]
pub fn record(address: &str, items: &[Item]) -> String {
    let mut out = String::new();
    for item in items {
        let _ = writeln!(out, "=== {} / {}", item.section, item.name);
        out.push_str(&answers(address, item));
    }
    out
}

fn answers(address: &str, item: &Item) -> String {
    loose_transcript(address, &item.script).unwrap_or_else(|error| format!("broken: {error}\n\n"))
}

/// A golden file, cut into the answers of its items.
#[must_use]
pub fn recorded(golden: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut key = None;
    for line in golden.lines() {
        if let Some(name) = line.strip_prefix("=== ") {
            key = Some(name.to_string());
            found.insert(name.to_string(), String::new());
        } else if let Some(text) = key.as_ref().and_then(|k| found.get_mut(k)) {
            text.push_str(line);
            text.push('\n');
        }
    }
    found
}

/// How a server's answers to an item compare with those recorded.
#[must_use]
pub fn state(address: &str, item: &Item, golden: &str) -> State {
    compare(golden, &answers(address, item))
}

fn compare(golden: &str, found: &str) -> State {
    let (expected, found): (Vec<&str>, Vec<&str>) = (golden.lines().collect(), found.lines().collect());
    let Some(at) = (0..expected.len().max(found.len())).find(|i| expected.get(*i) != found.get(*i)) else {
        return State::Works;
    };
    let (theirs, ours) = (expected.get(at).unwrap_or(&"(end)"), found.get(at).unwrap_or(&"(end)"));
    let code = ours.strip_prefix("ERROR ").and_then(|e| e.split(' ').next());
    if code.is_some_and(|code| MISSING.contains(&code)) && !theirs.starts_with("ERROR ") {
        return State::Missing((*ours).to_string());
    }
    State::Differs(format!("MySQL: {}; here: {}", short(theirs), short(ours)))
}

fn short(line: &str) -> String {
    let mut text: String = line.chars().take(100).collect();
    if text.len() < line.len() {
        text.push('…');
    }
    text
}

/// The page: a table of counts, then what differs and what is missing by section.
#[must_use]
pub fn page(states: &[(Item, State)]) -> String {
    let mut sections: Vec<&str> = Vec::new();
    for (item, _) in states {
        if !sections.contains(&item.section.as_str()) {
            sections.push(&item.section);
        }
    }
    let mut out = String::from(HEAD);
    let mut lists = String::new();
    for section in sections {
        let of: Vec<&(Item, State)> = states.iter().filter(|(item, _)| item.section == section).collect();
        let works = of.iter().filter(|(_, s)| *s == State::Works).count();
        let missing: Vec<&str> =
            of.iter().filter(|(_, s)| matches!(s, State::Missing(_))).map(|(i, _)| i.name.as_str()).collect();
        let differs: Vec<(&str, &str)> = of
            .iter()
            .filter_map(|(i, s)| {
                if let State::Differs(how) = s { Some((i.name.as_str(), how.as_str())) } else { None }
            })
            .collect();
        let _ = writeln!(out, "| {section} | {works} | {} | {} |", differs.len(), missing.len());
        if differs.is_empty() && missing.is_empty() {
            continue;
        }
        let _ = writeln!(lists, "\n## {section}\n");
        if !missing.is_empty() {
            let _ = writeln!(lists, "Missing: {}\n", missing.join(" · "));
        }
        for (name, how) in differs {
            let _ = writeln!(lists, "- {name}: `{}`", how.replace('`', "'"));
        }
    }
    out + &lists
}

const HEAD: &str = "# What of MySQL 9.7 is there

Generated from the lists in `tests/compatibility`, each item compared with what MySQL 9.7 answered; `TESTS_WRITE_GOLDEN=1 cargo test -p tests --test
compatibility` writes it anew. An item works when the names of columns, rows, counts, warnings and errors of all its statements are MySQL's; what is missing
answers an error that says so. A test holds this page to be true.

| | works | differs | missing |
|---|---|---|---|
";

#[cfg(test)]
mod checks {
    use super::*;

    #[test]
    fn lists_are_cut_into_items() {
        let items =
            parse("# note\n\n## A\nx: SELECT 1;; SELECT 2\n= y\nSELECT 3;\nSELECT 4;\n\nz: SELECT ':'\n")
                .unwrap();
        let found: Vec<_> = items.iter().map(|i| (i.name.as_str(), i.script.as_str())).collect();
        assert_eq!(
            found,
            [("x", "SELECT 1;\nSELECT 2;\n"), ("y", "SELECT 3;\nSELECT 4;\n"), ("z", "SELECT ':';\n")]
        );
        assert!(parse("## A\nx: SELECT 1\nx: SELECT 2\n").is_err());
        assert!(parse("nonsense\n").is_err());
    }

    #[test]
    fn a_refusal_that_mysql_does_not_share_is_missing() {
        assert_eq!(compare("> a\n| 1\n", "> a\n| 1\n"), State::Works);
        assert!(matches!(compare("> a\n| 1\n", "> a\nERROR 1235 (42000): x\n"), State::Missing(_)));
        assert!(matches!(compare("> a\n| 1\n", "> a\nERROR 1366 (HY000): x\n"), State::Differs(_)));
        assert!(matches!(
            compare("> a\nERROR 1064 (42000): y\n", "> a\nERROR 1235 (42000): x\n"),
            State::Differs(_)
        ));
    }
}
