//! Large tables whose every row follows from its number, so that each can be compared.

use super::text;
use crate::Outcome;
use tests::client::Client;

const FILLERS: u64 = 3;
const ROW: usize = 1000;
const BATCH: u64 = 256;

/// What a row holds.
pub(crate) fn payload(id: u64) -> String {
    let word = format!("{:016x}", id.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    word.repeat(ROW / word.len())
}

/// How many rows there are, in all tables.
pub(crate) fn rows(mib: u64) -> u64 {
    (mib << 20) / ROW as u64 / (BATCH * FILLERS) * (BATCH * FILLERS)
}

/// Rows of a kilobyte until there are so many MiB.
pub(crate) fn fill(address: &str, mib: u64) -> Outcome {
    let mut sql = Client::connect(address).map_err(text)?;
    sql.query("CREATE DATABASE big").map_err(text)?;
    for f in 0..FILLERS {
        sql.query(&format!("CREATE TABLE big.t{f} (id BIGINT PRIMARY KEY, v VARCHAR(1000) NOT NULL)"))
            .map_err(text)?;
    }
    let each = rows(mib) / FILLERS;
    std::thread::scope(|scope| {
        let fillers: Vec<_> = (0..FILLERS)
            .map(|f| {
                scope.spawn(move || -> Outcome {
                    let mut sql = Client::connect(address).map_err(text)?;
                    for first in (0..each).step_by(BATCH as usize) {
                        let rows: Vec<String> =
                            (first..first + BATCH).map(|id| format!("({id},'{}')", payload(id))).collect();
                        sql.query(&format!("INSERT INTO big.t{f} VALUES {}", rows.join(",")))
                            .map_err(text)?;
                    }
                    Ok(())
                })
            })
            .collect();
        fillers.into_iter().try_for_each(|f| f.join().map_err(|_| "a filler panicked".to_string())?)
    })
}

/// The large tables still have every row with its content.
pub(crate) fn check(address: &str, mib: u64) -> Outcome {
    let mut sql = Client::connect(address).map_err(text)?;
    let each = rows(mib) / FILLERS;
    let mut compared = 0;
    for f in 0..FILLERS {
        for first in (0..each).step_by(4096) {
            let query = format!(
                "SELECT id, v FROM big.t{f} WHERE id >= {first} AND id < {} ORDER BY id",
                first + 4096
            );
            let found = sql.query(&query).map_err(text)?.text();
            if found.len() as u64 != 4096.min(each - first) {
                return Err(format!("big.t{f}: {} rows from {first}", found.len()));
            }
            for (id, row) in (first..).zip(&found) {
                if row[0] != id.to_string() || row[1] != payload(id) {
                    return Err(format!("big.t{f}: row {id} is {row:?}"));
                }
            }
            compared += found.len();
        }
    }
    println!("the {compared} rows of the large tables are as they were written");
    Ok(())
}
