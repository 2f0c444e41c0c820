//! The ledger: a load whose every acknowledged commit is noted outside the database and found again.
//!
//! ```text
//!  client thread --transaction--> server
//!       |  <------- OK ------------ |
//!       +-- "client seq" --> journal process (writes, answers) --> next transaction
//!                                   |
//!                             journal file --> auditor <-- rows of the server
//! ```
//!
//! 1. What (client, seq) does follows from the two numbers alone ([`Entry::of`]), so the auditor knows every row it must find.
//! 2. The next request leaves only after the journal process has written the last acknowledgement: it survives a kill of the client.
//! 3. After a broken connection one transaction per client may be in doubt: it may be there wholly or not at all.

pub mod audit;
pub mod journal;
pub mod load;

/// Accounts money moves between.
pub const ACCOUNTS: u64 = 1_000;
/// What each account starts with.
pub const OPENING_BALANCE: i64 = 10_000;

/// One transaction of the ledger.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Who.
    pub client: u32,
    /// Their how-manieth, from 1.
    pub seq: u64,
    /// Account debited.
    pub source: u64,
    /// Account credited.
    pub target: u64,
    /// Money moved.
    pub amount: i64,
}

impl Entry {
    /// The transaction that (client, seq) stands for.
    #[must_use]
    pub fn of(client: u32, seq: u64) -> Entry {
        let mixed = mix(u64::from(client) << 40 ^ seq);
        let source = mixed % ACCOUNTS + 1;
        let target = (mixed >> 20) % (ACCOUNTS - 1) + 1;
        let target = if target >= source { target + 1 } else { target };
        Entry { client, seq, source, target, amount: ((mixed >> 44) % 100 + 1) as i64 }
    }

    /// The text the row carries, which the auditor compares.
    #[must_use]
    pub fn memo(&self) -> String {
        format!("c{}-s{}-{:016x}", self.client, self.seq, mix(self.seq ^ u64::from(self.client)))
    }
}

/// splitmix64's finaliser: spreads consecutive numbers.
fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Statements that make the two tables, accounts filled.
#[must_use]
pub fn schema() -> Vec<String> {
    let mut statements = vec![
        "CREATE DATABASE IF NOT EXISTS ledger".to_string(),
        "DROP TABLE IF EXISTS ledger.entries".to_string(),
        "DROP TABLE IF EXISTS ledger.accounts".to_string(),
        "CREATE TABLE ledger.accounts (id BIGINT UNSIGNED NOT NULL PRIMARY KEY, balance BIGINT NOT NULL)".to_string(),
        "CREATE TABLE ledger.entries (client INT UNSIGNED NOT NULL, seq BIGINT UNSIGNED NOT NULL, source BIGINT UNSIGNED NOT NULL, \
         target BIGINT UNSIGNED NOT NULL, amount BIGINT NOT NULL, memo VARCHAR(80) NOT NULL, PRIMARY KEY (client, seq), KEY by_source (source, seq))"
            .to_string(),
    ];
    for first in (1..=ACCOUNTS).step_by(100) {
        let rows: Vec<String> =
            (first..(first + 100).min(ACCOUNTS + 1)).map(|id| format!("({id}, {OPENING_BALANCE})")).collect();
        statements.push(format!("INSERT INTO ledger.accounts VALUES {}", rows.join(", ")));
    }
    statements
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_follows_from_its_numbers_and_moves_money_between_two_accounts() {
        for client in 0..20 {
            for seq in 1..200 {
                let entry = Entry::of(client, seq);
                assert_eq!(entry, Entry::of(client, seq));
                assert_ne!(entry.source, entry.target);
                assert!((1..=ACCOUNTS).contains(&entry.source) && (1..=ACCOUNTS).contains(&entry.target));
                assert!((1..=100).contains(&entry.amount));
            }
        }
    }
}
