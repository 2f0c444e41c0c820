//! The judgement of what sessions saw (I24): `adya`, an Elle-style checker that knows nothing of the engine.

use super::books::Books;
use engine::Isolation;
use std::time::Duration;

/// Longest time a history of a few hundred transactions may take.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Judges the whole history at the level of its sessions.
///
/// # Errors
/// The kinds of anomalies found, and an explanation of the first.
pub(crate) fn judge(books: &Books) -> Result<(), String> {
    let history = books.history();
    if history.is_empty() {
        return Ok(());
    }
    match books.level {
        Isolation::Serializable => by(&history, "strict-serializable"),
        // InnoDB promises a snapshot to those who only read; writers see the newest rows where they write.
        Isolation::RepeatableRead => {
            by(&history, "read-committed")?;
            by(&without_reads_of_writers(&history), "snapshot-isolation")
        }
        Isolation::ReadCommitted => by(&history, "read-committed"),
    }
}

fn by(history: &str, model: &str) -> Result<(), String> {
    let parsed = adya::History::from_json(history).map_err(|e| format!("the history of lists: {}", e.msg))?;
    let options = adya::Opts { models: vec![model.to_owned()], timeout: TIMEOUT, ..adya::Opts::default() };
    let report = adya::check(&parsed, adya::Workload::ListAppend, &options);
    if report.valid == adya::Valid::True {
        return Ok(());
    }
    let first = report.anomalies.values().flatten().next().map(|a| a.explanation.clone());
    Err(format!("I24: not {model}: {:?} {}", report.anomaly_types, first.unwrap_or_default()))
}

/// The history without the reads of transactions that write. Lines are ours: an operation of a read begins with `["r",`.
fn without_reads_of_writers(history: &str) -> String {
    let line = |line: &str| -> String {
        let Some((head, ops)) =
            line.split_once("\"value\":[").filter(|(_, ops)| ops.contains("[\"append\","))
        else {
            return line.to_owned();
        };
        let ops = ops.trim_end_matches("]}");
        let appends: Vec<String> = ops
            .split("[\"append\",")
            .skip(1)
            .map(|rest| format!("[\"append\",{}]", rest.split(']').next().unwrap_or_default()))
            .collect();
        format!("{head}\"value\":[{}]}}", appends.join(","))
    };
    history.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn books(level: Isolation, events: &[(&str, u64, &str)]) -> Books {
        let books = Books::new(level);
        for (kind, process, value) in events {
            books.event(kind, *process, value);
        }
        books
    }

    #[test]
    fn a_lost_append_and_an_aborted_read_are_seen() {
        let fine = [
            ("invoke", 1, "[\"append\",1,1]"),
            ("ok", 1, "[\"append\",1,1]"),
            ("invoke", 2, "[\"r\",1,null],[\"append\",1,2]"),
            ("ok", 2, "[\"r\",1,[1]],[\"append\",1,2]"),
            ("invoke", 3, "[\"r\",1,null]"),
            ("ok", 3, "[\"r\",1,[1,2]]"),
        ];
        for level in [Isolation::ReadCommitted, Isolation::RepeatableRead, Isolation::Serializable] {
            assert_eq!(judge(&books(level, &fine)), Ok(()), "{level:?}");
            let mut aborted = fine;
            aborted[1].0 = "fail";
            let why = judge(&books(level, &aborted)).expect_err("a read of an aborted append");
            assert!(why.contains("G1a"), "{why}");
        }
        let mut stale = fine;
        stale[5].2 = "[\"r\",1,[1]]";
        assert!(judge(&books(Isolation::Serializable, &stale)).is_err(), "a stale read");
    }
}
