//! `show NAME [--sabotage]`: runs one proof against the real product, prints its facts, and ends with one verdict line.
//!
//! A show with `--sabotage` plants a fault that its check must see, so it must end with `verdict: FAILS` and a non-zero exit code: a show that
//! has never failed proves nothing.

mod counters;
mod crash_points;
mod differential;
mod drivers;
mod dumps;
mod engine;
mod figures;
mod fleet;
mod folders;
mod golden;
mod histories;
mod isolation;
mod kills;
mod order;
mod seeds;
mod sysbench;

use clap::Parser;
use std::process::ExitCode;
use std::time::Duration;

#[derive(Parser, Debug)]
#[command(about = "Runs one proof against the real product and prints its facts and one verdict line")]
struct Cli {
    /// spine-1 sysbench, spine-2 kills, spine-3 deleted folders, spine-4 seeds and mutants, spine-5 order and syncs, spine-6 golden
    /// scripts, spine-7 crash points, spine-8 figures and counters; fleet-1 killed and wiped daemons, fleet-2 a zone and AZ+1, fleet-3 gray nodes,
    /// fleet-4 an old writer woken, fleet-5 rot, fleet-6 growth and moves, fleet-7 seeds; engine-1 anomalies and locks, engine-2 histories,
    /// engine-3 rollback of any size, engine-4 killed DDL, engine-5 a hot row, engine-6 a soak, engine-7 ten thousand tables; mysql-1 dumps,
    /// mysql-2 drivers, mysql-4 the differential runner.
    name: String,
    /// spine-8: servers to measure, `ours` (started here) or NAME=HOST:PORT[/PID,...]; `ours` if none is given.
    endpoints: Vec<String>,
    /// Plants a fault; the show must then fail.
    #[arg(long)]
    sabotage: bool,
    /// Seconds of load per part, where a show runs load.
    #[arg(long)]
    seconds: Option<u64>,
    /// Repetitions (kills, seeds), where a show repeats; engine-3: rows of the largest transaction; engine-7: tables.
    #[arg(long, alias = "seeds")]
    rounds: Option<u64>,
    /// fleet-1, fleet-5: MiB of rows beside the ledger's.
    #[arg(long)]
    mib: Option<u64>,
    /// engine-5: a MySQL server to run beside, HOST:PORT.
    #[arg(long)]
    mysql: Option<String>,
    /// engine-2: only this isolation level, as in SQL ("SERIALIZABLE").
    #[arg(long)]
    level: Option<String>,
}

/// What a show was asked to do.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) sabotage: bool,
    pub(crate) seconds: Option<u64>,
    pub(crate) rounds: Option<u64>,
    pub(crate) mib: Option<u64>,
    pub(crate) mysql: Option<String>,
    pub(crate) level: Option<String>,
    pub(crate) endpoints: Vec<String>,
}

impl Order {
    /// How long a part of a show lasts: so many seconds, unless it was asked for others.
    pub(crate) fn part(&self, seconds: u64) -> Duration {
        Duration::from_secs(self.seconds.unwrap_or(seconds))
    }
}

/// The outcome of a show: `Err` says what does not hold.
pub(crate) type Outcome = Result<(), String>;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let order = Order {
        sabotage: cli.sabotage,
        seconds: cli.seconds,
        rounds: cli.rounds,
        mib: cli.mib,
        mysql: cli.mysql,
        level: cli.level,
        endpoints: cli.endpoints,
    };
    let outcome = match cli.name.as_str() {
        "spine-1" => sysbench::show(&order),
        "spine-2" => kills::show(&order),
        "spine-3" => folders::show(&order),
        "spine-4" => seeds::show(&order),
        "spine-5" => order::show(&order),
        "spine-6" => golden::show(&order),
        "spine-7" => crash_points::show(&order),
        "spine-8" => figures::show(&order),
        "fleet-1" => fleet::kills::show(&order),
        "fleet-2" => fleet::zones::show(&order),
        "fleet-3" => fleet::slow::show(&order),
        "fleet-4" => fleet::zombie::show(&order),
        "fleet-5" => fleet::rot::show(&order),
        "fleet-6" => fleet::moves::show(&order),
        "fleet-7" => seeds::fleet(&order),
        "mysql-1" => dumps::show(&order),
        "mysql-2" => drivers::show(&order),
        "engine-1" => isolation::show(&order),
        "engine-2" => histories::show(&order),
        "engine-3" => engine::rollback::show(&order),
        "engine-4" => engine::ddl::show(&order),
        "engine-5" => engine::hot_row::show(&order),
        "engine-6" => engine::soak::show(&order),
        "engine-7" => engine::tables::show(&order),
        "mysql-4" => differential::show(&order),
        other => {
            eprintln!("show: no show {other:?}; see --help");
            return ExitCode::from(2);
        }
    };
    let planted = if cli.sabotage { " (sabotaged)" } else { "" };
    match outcome {
        Ok(()) => {
            println!("verdict: holds{planted}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            println!("verdict: FAILS{planted}: {why}");
            ExitCode::FAILURE
        }
    }
}
