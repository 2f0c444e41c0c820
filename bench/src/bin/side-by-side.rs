//! `side-by-side`: the same sysbench workloads against several servers in interleaved rounds.
//!
//! Machines are noisy, so only figures of one interleaved run are compared, and the first of them is server CPU per query, which
//! hardly depends on the machine's mood. Each round runs every workload against every endpoint once; the printed figure is the median of the rounds.

use bench::side_by_side::{Endpoint, Plan, run, table};
use clap::Parser;
use std::process::ExitCode;

#[derive(Parser, Debug)]
#[command(about = "Runs sysbench workloads against several MySQL-compatible servers in interleaved rounds")]
struct Cli {
    /// NAME=HOST:PORT[/PID[,PID...]]: with the process ids of the server, its CPU per query is printed.
    #[arg(required = true)]
    endpoints: Vec<Endpoint>,
    /// Rounds; the median counts.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Seconds of one run.
    #[arg(long, default_value_t = 5)]
    seconds: u32,
    /// Client threads; several values make several tables.
    #[arg(long, value_delimiter = ',', default_values_t = [8, 64])]
    threads: Vec<u32>,
    /// Tables.
    #[arg(long, default_value_t = 4)]
    tables: u32,
    /// Rows in a table.
    #[arg(long, default_value_t = 100_000)]
    size: u32,
    /// Workloads.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "oltp_point_select,oltp_read_only,oltp_read_write,oltp_write_only,oltp_update_index,oltp_update_non_index,oltp_insert,select_random_ranges"
    )]
    workloads: Vec<String>,
    /// User; no password.
    #[arg(long, default_value = "root")]
    user: String,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let plan = Plan {
        rounds: cli.rounds,
        seconds: cli.seconds,
        threads: cli.threads,
        tables: cli.tables,
        size: cli.size,
        workloads: cli.workloads,
        user: cli.user,
    };
    match run(&plan, &cli.endpoints) {
        Ok(samples) => {
            print!("{}", table(&plan, &cli.endpoints, &samples));
            ExitCode::SUCCESS
        }
        Err(text) => {
            eprintln!("side-by-side: {text}");
            ExitCode::FAILURE
        }
    }
}
