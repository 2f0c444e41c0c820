//! The auditor: every acknowledged transaction is there, with its content, and money is neither made nor lost.

use super::{ACCOUNTS, Entry, OPENING_BALANCE};
use ::tests::client::{Client, Result};
use std::collections::BTreeMap;

/// What the auditor found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// Rows compared.
    pub rows: u64,
    /// Acknowledged transactions.
    pub acknowledged: u64,
    /// Transactions there although their acknowledgement was not noted: at most one per client and kill.
    pub in_doubt: u64,
    /// What is wrong; empty when all is well.
    pub problems: Vec<String>,
}

/// Compares the server's rows with the journal.
///
/// # Errors
/// When the server cannot be asked.
pub fn audit(endpoint: &str, acknowledged: &BTreeMap<u32, u64>) -> Result<Report> {
    let mut client = Client::connect(endpoint)?;
    let mut report = Report { acknowledged: acknowledged.values().sum(), ..Report::default() };
    let mut balances: BTreeMap<u64, i64> = (1..=ACCOUNTS).map(|id| (id, OPENING_BALANCE)).collect();
    let found = client.query("SELECT DISTINCT client FROM ledger.entries")?.text();
    let mut clients: Vec<u32> = found.iter().filter_map(|row| row[0].parse().ok()).collect();
    clients.extend(acknowledged.keys());
    clients.sort_unstable();
    clients.dedup();
    for id in clients {
        let sql = format!(
            "SELECT seq, source, target, amount, memo FROM ledger.entries WHERE client = {id} ORDER BY seq"
        );
        let rows = client.query(&sql)?.text();
        let noted = acknowledged.get(&id).copied().unwrap_or(0);
        check_client(id, noted, &rows, &mut balances, &mut report);
    }
    for row in client.query("SELECT id, balance FROM ledger.accounts ORDER BY id")?.text() {
        let (id, balance) = (row[0].parse().unwrap_or(0), row[1].parse::<i64>().unwrap_or(i64::MIN));
        if balances.remove(&id) != Some(balance) {
            report.problems.push(format!("account {id}: balance {balance} does not follow from the entries"));
        }
    }
    if !balances.is_empty() {
        report.problems.push(format!("{} accounts are missing", balances.len()));
    }
    for table in ["ledger.entries", "ledger.accounts"] {
        for row in client.query(&format!("CHECK TABLE {table}"))?.text() {
            if row.last().map(String::as_str) != Some("OK") {
                report.problems.push(format!("CHECK TABLE {table}: {}", row.join(" | ")));
            }
        }
    }
    Ok(report)
}

/// One client's rows: 1, 2, 3 ... without a gap, at least up to what was acknowledged, each with the content it must have.
fn check_client(
    id: u32,
    noted: u64,
    rows: &[Vec<String>],
    balances: &mut BTreeMap<u64, i64>,
    report: &mut Report,
) {
    for (i, row) in rows.iter().enumerate() {
        let entry = Entry::of(id, i as u64 + 1);
        let expected = [
            entry.seq.to_string(),
            entry.source.to_string(),
            entry.target.to_string(),
            entry.amount.to_string(),
            entry.memo(),
        ];
        report.rows += 1;
        if row[..] != expected[..] {
            report.problems.push(format!("client {id}: found {row:?}, expected {expected:?}"));
            return;
        }
        *balances.entry(entry.source).or_default() -= entry.amount;
        *balances.entry(entry.target).or_default() += entry.amount;
    }
    let there = rows.len() as u64;
    if there < noted {
        report.problems.push(format!("client {id}: {} acknowledged transactions are LOST", noted - there));
    }
    report.in_doubt += there.saturating_sub(noted);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(client: u32, seq: u64) -> Vec<String> {
        let e = Entry::of(client, seq);
        vec![e.seq.to_string(), e.source.to_string(), e.target.to_string(), e.amount.to_string(), e.memo()]
    }

    fn problems(noted: u64, rows: &[Vec<String>]) -> Vec<String> {
        let mut report = Report::default();
        check_client(3, noted, rows, &mut BTreeMap::new(), &mut report);
        report.problems
    }

    #[test]
    fn the_auditor_sees_what_is_lost_and_what_is_altered() {
        let rows = vec![row(3, 1), row(3, 2), row(3, 3)];
        assert_eq!(problems(3, &rows), Vec::<String>::new());
        assert_eq!(problems(2, &rows), Vec::<String>::new(), "one in doubt may be there");
        assert_eq!(problems(4, &rows).len(), 1, "the fourth was acknowledged and is lost");
        let mut altered = rows.clone();
        altered[1][3] = "12345".into();
        assert_eq!(problems(3, &altered).len(), 1);
        let hole = vec![row(3, 1), row(3, 3)];
        assert!(!problems(3, &hole).is_empty());
    }
}
