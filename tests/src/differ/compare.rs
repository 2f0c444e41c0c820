//! Two answers to one statement.

use crate::client::{Answer, Client, Error};

/// What one server said.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Said {
    Answer { columns: Vec<String>, rows: Vec<Vec<String>>, counts: String, warnings: Vec<String> },
    Error { code: u16, state: String, message: String },
}

/// A statement to which ours answered otherwise.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Difference {
    /// What differs: `rows`, `columns`, `counts`, `warnings`, `error`, `message`, or `unsupported` (ours answered 1235).
    pub kind: &'static str,
    /// What MySQL said of it.
    pub theirs: String,
    /// What ours said of it.
    pub ours: String,
}

/// Sends a statement to both; `None` if they agree.
///
/// # Errors
/// A connection that broke: whose, and by which statement.
pub fn compare(
    ours: &mut Client,
    theirs: &mut Client,
    sql: &str,
    ordered: bool,
) -> Result<Option<Difference>, String> {
    let ours = said(ours, sql, ordered).map_err(|e| format!("ours broke at {sql}: {e}"))?;
    let theirs = said(theirs, sql, ordered).map_err(|e| format!("theirs broke at {sql}: {e}"))?;
    Ok(difference(&ours, &theirs))
}

fn said(sql: &mut Client, text: &str, ordered: bool) -> Result<Said, Error> {
    match sql.query(text) {
        Ok(answer) => {
            let warnings = if answer.warnings > 0 { sql.query("SHOW WARNINGS")?.text() } else { Vec::new() };
            Ok(Said::Answer {
                columns: columns(&answer),
                rows: rows(&answer, ordered),
                counts: format!("{} {} {}", answer.affected, answer.insert_id, answer.info),
                warnings: warnings.iter().map(|w| w.join(" ")).collect(),
            })
        }
        Err(Error::Server { code, state, message }) => Ok(Said::Error { code, state, message }),
        Err(error) => Err(error),
    }
}

fn columns(answer: &Answer) -> Vec<String> {
    let one = |c: &crate::client::Column| {
        format!(
            "{:?} type={} charset={} flags={:#x} decimals={}",
            c.name, c.kind, c.charset, c.flags, c.decimals
        )
    };
    answer.columns.iter().map(one).collect()
}

fn rows(answer: &Answer, ordered: bool) -> Vec<Vec<String>> {
    let value = |v: &Option<Vec<u8>>| match v {
        None => "NULL".to_string(),
        Some(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => format!("'{}'", text.escape_debug()),
            Err(_) => format!("{bytes:02x?}"),
        },
    };
    let mut rows: Vec<Vec<String>> = answer.rows.iter().map(|row| row.iter().map(value).collect()).collect();
    if !ordered {
        rows.sort();
    }
    rows
}

fn difference(ours: &Said, theirs: &Said) -> Option<Difference> {
    let found = |kind, theirs: String, ours: String| Some(Difference { kind, theirs, ours });
    match (ours, theirs) {
        (Said::Error { code: 1235, message, .. }, other) => {
            if matches!(other, Said::Error { code: 1235, .. }) {
                return None;
            }
            found("unsupported", shown(other), message.clone())
        }
        (Said::Error { code: a, state: x, message: m }, Said::Error { code: b, state: y, message: n }) => {
            if a != b || x != y {
                found("error", shown(theirs), shown(ours))
            } else if m != n {
                found("message", n.clone(), m.clone())
            } else {
                None
            }
        }
        (
            Said::Answer { columns: a, rows: b, counts: c, warnings: d },
            Said::Answer { columns: w, rows: x, counts: y, warnings: z },
        ) => {
            if let Some(i) = (0..b.len().max(x.len())).find(|i| b.get(*i) != x.get(*i)) {
                let row = |all: &[Vec<String>]| {
                    all.get(i)
                        .map_or("(no more rows)".into(), |row| format!("row {}: {}", i + 1, row.join(", ")))
                };
                found("rows", row(x), row(b))
            } else if a != w {
                let i = (0..a.len().max(w.len())).find(|i| a.get(*i) != w.get(*i)).unwrap_or(0);
                let column = |all: &[String]| all.get(i).cloned().unwrap_or_default();
                found("columns", column(w), column(a))
            } else if c != y {
                found("counts", y.clone(), c.clone())
            } else if d != z {
                found("warnings", z.join("; "), d.join("; "))
            } else {
                None
            }
        }
        _ => found("error", shown(theirs), shown(ours)),
    }
}

fn shown(said: &Said) -> String {
    match said {
        Said::Error { code, state, message } => format!("ERROR {code} ({state}): {message}"),
        Said::Answer { rows, counts, .. } => match rows.first() {
            Some(row) => format!("{} rows, the first: {}", rows.len(), row.join(", ")),
            None => format!("no rows, {counts}"),
        },
    }
}

#[cfg(test)]
mod checks {
    use super::*;

    fn answer(value: &str, warning: &str) -> Said {
        Said::Answer {
            columns: vec!["a".into()],
            rows: vec![vec![value.into()]],
            counts: String::new(),
            warnings: vec![warning.into()],
        }
    }

    #[test]
    fn what_differs_is_named() {
        let kind = |a: &Said, b: &Said| difference(a, b).map(|d| d.kind);
        let error = |code| Said::Error { code, state: "42000".into(), message: "m".into() };
        assert_eq!(kind(&answer("1", ""), &answer("1", "")), None);
        assert_eq!(kind(&answer("1", ""), &answer("2", "")), Some("rows"));
        assert_eq!(kind(&answer("1", "a"), &answer("1", "b")), Some("warnings"));
        assert_eq!(kind(&error(1064), &answer("1", "")), Some("error"));
        assert_eq!(kind(&error(1235), &answer("1", "")), Some("unsupported"));
        assert_eq!(kind(&error(1235), &error(1235)), None);
    }
}
