//! Interleaved sysbench runs over several endpoints; medians of throughput, latency and server CPU per query.

use std::fmt::Write as _;
use std::process::Command;
use std::str::FromStr;

/// A server to measure.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Endpoint {
    /// How it is called in the tables.
    pub name: String,
    /// Host.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Its processes on this machine; empty when it runs elsewhere.
    pub pids: Vec<u32>,
}

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Endpoint, String> {
        let bad = || format!("{text:?} is not NAME=HOST:PORT[/PID,...]");
        let (name, rest) = text.split_once('=').ok_or_else(bad)?;
        let (address, pids) = rest.split_once('/').unwrap_or((rest, ""));
        let (host, port) = address.rsplit_once(':').ok_or_else(bad)?;
        let pids: Result<Vec<u32>, _> = pids.split(',').filter(|p| !p.is_empty()).map(str::parse).collect();
        Ok(Endpoint {
            name: name.to_string(),
            host: host.to_string(),
            port: port.parse().map_err(|_| bad())?,
            pids: pids.map_err(|_| bad())?,
        })
    }
}

/// What to run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// Rounds.
    pub rounds: u32,
    /// Seconds a run.
    pub seconds: u32,
    /// Client threads, one table each.
    pub threads: Vec<u32>,
    /// Tables.
    pub tables: u32,
    /// Rows in a table.
    pub size: u32,
    /// sysbench workloads.
    pub workloads: Vec<String>,
    /// User.
    pub user: String,
}

/// One run.
#[derive(Clone, PartialEq, Debug)]
pub struct Sample {
    /// Index into the endpoints.
    pub endpoint: usize,
    /// Index into the workloads.
    pub workload: usize,
    /// Client threads.
    pub threads: u32,
    /// Transactions a second.
    pub tps: f64,
    /// Queries a second.
    pub qps: f64,
    /// 95th percentile, milliseconds.
    pub p95_ms: f64,
    /// Server CPU microseconds per query; NaN without process ids.
    pub cpu_us: f64,
}

/// Prepares every endpoint, then runs the rounds.
///
/// # Errors
/// The first sysbench that fails, with what it printed; also ids that are not 1..SIZE after prepare.
pub fn run(plan: &Plan, endpoints: &[Endpoint]) -> Result<Vec<Sample>, String> {
    for endpoint in endpoints {
        prepare(plan, endpoint)?;
    }
    let mut samples = Vec::new();
    for round in 1..=plan.rounds {
        for &threads in &plan.threads {
            for (w, workload) in plan.workloads.iter().enumerate() {
                for (e, endpoint) in endpoints.iter().enumerate() {
                    let before = cpu_ticks(&endpoint.pids);
                    let text = sysbench(plan, endpoint, workload, threads, "run")?;
                    let ticks = cpu_ticks(&endpoint.pids).saturating_sub(before);
                    let qps = rate(&text, "queries:");
                    let queries = qps * f64::from(plan.seconds);
                    let cpu_us =
                        if endpoint.pids.is_empty() { f64::NAN } else { ticks as f64 * 10_000.0 / queries };
                    eprintln!(
                        "round {round} {workload} x{threads} {}: {qps:.0} q/s, {cpu_us:.1} us CPU a query",
                        endpoint.name
                    );
                    samples.push(Sample {
                        endpoint: e,
                        workload: w,
                        threads,
                        tps: rate(&text, "transactions:"),
                        qps,
                        p95_ms: number(&text, "95th percentile:").unwrap_or(f64::NAN),
                        cpu_us,
                    });
                }
            }
        }
    }
    Ok(samples)
}

fn prepare(plan: &Plan, endpoint: &Endpoint) -> Result<(), String> {
    let address = format!("{}:{}", endpoint.host, endpoint.port);
    let mut sql = ::tests::client::Client::connect_as(&address, &plan.user, None)
        .map_err(|e| format!("{address}: {e}"))?;
    let text = |e: ::tests::client::Error| format!("{}: {e}", endpoint.name);
    sql.query("DROP DATABASE IF EXISTS sbtest").map_err(text)?;
    sql.query("CREATE DATABASE sbtest").map_err(text)?;
    sysbench(plan, endpoint, "oltp_read_write", plan.tables, "prepare")?;
    for table in 1..=plan.tables {
        let query = format!("SELECT COUNT(*), MIN(id), MAX(id) FROM sbtest.sbtest{table}");
        let found = sql.query(&query).map_err(text)?.text();
        let size = plan.size.to_string();
        if found.first().map(Vec::as_slice) != Some(&[size.clone(), "1".into(), size.clone()][..]) {
            return Err(format!(
                "{}: sbtest{table} has ids {found:?}, not 1..{size}: figures would not compare",
                endpoint.name
            ));
        }
    }
    Ok(())
}

fn sysbench(
    plan: &Plan,
    endpoint: &Endpoint,
    workload: &str,
    threads: u32,
    phase: &str,
) -> Result<String, String> {
    let output = Command::new("sysbench")
        .arg(workload)
        .args(["--db-driver=mysql", "--mysql-db=sbtest", "--mysql-ssl=off", "--rand-type=uniform"])
        .args([format!("--mysql-user={}", plan.user), format!("--mysql-host={}", endpoint.host)])
        .args([
            format!("--mysql-port={}", endpoint.port),
            format!("--tables={}", if workload.starts_with("select_random") { 1 } else { plan.tables }),
        ])
        .args([format!("--table-size={}", plan.size), format!("--threads={threads}")])
        .args([format!("--time={}", plan.seconds), "--events=0".into()])
        .arg(phase)
        .output()
        .map_err(|e| format!("sysbench: {e}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() && !text.contains("FATAL") {
        return Ok(text);
    }
    let first = text.lines().find(|l| l.contains("FATAL")).unwrap_or("").to_string();
    Err(format!("{}: sysbench {workload} {phase}: {} {first}", endpoint.name, output.status))
}

/// User and system time of the processes so far, in ticks of 10 ms.
fn cpu_ticks(pids: &[u32]) -> u64 {
    let of = |pid: &u32| {
        let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        Some(fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?)
    };
    pids.iter().filter_map(of).sum()
}

fn number(text: &str, label: &str) -> Option<f64> {
    let rest = &text[text.find(label)? + label.len()..];
    rest.split_whitespace().next()?.parse().ok()
}

fn rate(text: &str, label: &str) -> f64 {
    let inside = text.find(label).and_then(|at| text[at..].split('(').nth(1));
    inside.and_then(|t| t.split_whitespace().next()?.parse().ok()).unwrap_or(f64::NAN)
}

/// A Markdown table per number of threads: medians, and the ratio of each endpoint's throughput to the first one's.
#[must_use]
pub fn table(plan: &Plan, endpoints: &[Endpoint], samples: &[Sample]) -> String {
    let mut out = String::new();
    for &threads in &plan.threads {
        let _ =
            writeln!(out, "\n{threads} threads, medians of {} rounds x {} s\n", plan.rounds, plan.seconds);
        let _ = write!(out, "| workload |");
        for endpoint in endpoints {
            let _ = write!(out, " {0} q/s | {0} p95 ms | {0} CPU us/query |", endpoint.name);
        }
        let _ = writeln!(out, " q/s ratios to {} |", endpoints[0].name);
        let _ = writeln!(out, "|---|{}---|", "---|---|---|".repeat(endpoints.len()));
        for (w, workload) in plan.workloads.iter().enumerate() {
            let pick = |e: usize, value: fn(&Sample) -> f64| {
                let of =
                    samples.iter().filter(|s| s.endpoint == e && s.workload == w && s.threads == threads);
                median(of.map(value).collect())
            };
            let _ = write!(out, "| {workload} |");
            for e in 0..endpoints.len() {
                let (qps, p95, cpu) = (pick(e, |s| s.qps), pick(e, |s| s.p95_ms), pick(e, |s| s.cpu_us));
                let _ = write!(out, " {qps:.0} | {p95:.2} | {cpu:.1} |");
            }
            let first = pick(0, |s| s.qps);
            let ratios: Vec<String> =
                (1..endpoints.len()).map(|e| format!("{:.2}", pick(e, |s| s.qps) / first)).collect();
            let _ = writeln!(out, " {} |", ratios.join(", "));
        }
    }
    out
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_a_name_an_address_and_perhaps_processes() {
        let parsed: Endpoint = "ours=127.0.0.1:3306/12,13".parse().expect("well formed");
        assert_eq!((parsed.name.as_str(), parsed.port, &parsed.pids[..]), ("ours", 3306, &[12, 13][..]));
        for bad in ["127.0.0.1:3306", "a=127.0.0.1", "a=h:x", "a=h:1/x"] {
            assert!(bad.parse::<Endpoint>().is_err(), "{bad}");
        }
    }

    #[test]
    fn sysbench_figures_are_read() {
        let text = "transactions:   26 (5.18 per sec.)\n queries:   520 (103.65 per sec.)\n 95th percentile: 204.11\n";
        assert_eq!(rate(text, "queries:"), 103.65);
        assert_eq!(number(text, "95th percentile:"), Some(204.11));
        assert!(rate("nothing", "queries:").is_nan());
    }

    #[test]
    fn medians_are_of_the_rounds() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert!(median(Vec::new()).is_nan());
    }
}
