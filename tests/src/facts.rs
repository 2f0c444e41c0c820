//! Facts a running server states about itself, and what the kernel says of it.

use crate::client::{Client, Error, Result};
use std::fs;

/// A counter of SHOW GLOBAL STATUS.
///
/// # Errors
/// Those of the query; a name that is not there or not a number.
pub fn counter(sql: &mut Client, name: &str) -> Result<u64> {
    let rows = sql.query(&format!("SHOW GLOBAL STATUS LIKE '{name}'"))?.text();
    let value = rows.iter().find(|row| row.first().is_some_and(|n| n.eq_ignore_ascii_case(name)));
    let value = value.and_then(|row| row.get(1)).and_then(|v| v.parse().ok());
    value.ok_or_else(|| Error::Protocol(format!("no status variable {name}: {rows:?}")))
}

/// Several counters at once, in order.
///
/// # Errors
/// Those of [`counter`].
pub fn counters<const N: usize>(sql: &mut Client, names: [&str; N]) -> Result<[u64; N]> {
    let mut values = [0; N];
    for (value, name) in values.iter_mut().zip(names) {
        *value = counter(sql, name)?;
    }
    Ok(values)
}

/// User and system time of a process so far, in microseconds (the kernel counts in ticks of 10 ms).
#[must_use]
pub fn cpu_us(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<&str> = text.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
    let ticks = |i: usize| fields.get(i).and_then(|f| f.parse::<u64>().ok()).unwrap_or(0);
    (ticks(11) + ticks(12)) * 10_000
}

/// Writes and flushes completed by all block devices so far (Documentation/admin-guide/iostats of the kernel: fields 5 and 16).
#[must_use]
pub fn device_counters() -> (u64, u64) {
    let all = fs::read_to_string("/proc/diskstats").unwrap_or_default();
    let mut sums = (0, 0);
    for line in all.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let number = |i: usize| fields.get(i).and_then(|f| f.parse::<u64>().ok()).unwrap_or(0);
        sums = (sums.0 + number(7), sums.1 + number(18));
    }
    sums
}
