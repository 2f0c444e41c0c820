//! `ledger`: the self-auditing load as a program; see `bench::ledger`.

use bench::ledger::{audit, journal, load};
use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

#[derive(Parser)]
#[command(
    about = "Clients insert and move money; every acknowledged commit is noted by another process and audited"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Makes the ledger's tables; destroys earlier ones.
    Setup {
        /// HOST:PORT of a MySQL-compatible server.
        endpoint: String,
    },
    /// Serves acknowledgements into a file until killed.
    Journal {
        /// The file appended to.
        #[arg(long)]
        file: PathBuf,
        /// The Unix socket clients connect to.
        #[arg(long)]
        socket: PathBuf,
    },
    /// Runs clients against the server; ends early when their connections break.
    Run {
        /// HOST:PORT.
        endpoint: String,
        /// Clients at a time.
        #[arg(long, default_value_t = 16)]
        clients: u32,
        /// How long.
        #[arg(long, default_value_t = 10)]
        seconds: u64,
        /// The journal's socket.
        #[arg(long)]
        socket: PathBuf,
        /// Ends as soon as this file exists.
        #[arg(long)]
        until: Option<PathBuf>,
    },
    /// Compares the server's rows with the journal's file; fails if anything acknowledged is missing or altered.
    Audit {
        /// HOST:PORT.
        endpoint: String,
        /// The journal's file.
        #[arg(long)]
        file: PathBuf,
    },
}

fn run(cli: Cli) -> Result<(), String> {
    match cli.command {
        Command::Setup { endpoint } => load::setup(&endpoint).map_err(|e| e.to_string()),
        Command::Journal { file, socket } => journal::serve(&file, &socket).map_err(|e| e.to_string()),
        Command::Run { endpoint, clients, seconds, socket, until } => {
            let end = load::End { after: Duration::from_secs(seconds), until };
            let summary = load::run(&endpoint, clients, &end, &socket)?;
            println!(
                "acknowledged={} retried={} broken={}",
                summary.acknowledged, summary.retried, summary.broken
            );
            Ok(())
        }
        Command::Audit { endpoint, file } => {
            let noted = journal::read(&file).map_err(|e| e.to_string())?;
            let report = audit::audit(&endpoint, &noted).map_err(|e| e.to_string())?;
            println!(
                "rows={} acknowledged={} in_doubt={}",
                report.rows, report.acknowledged, report.in_doubt
            );
            for problem in &report.problems {
                println!("problem: {problem}");
            }
            if report.problems.is_empty() {
                Ok(())
            } else {
                Err(format!("{} problem(s)", report.problems.len()))
            }
        }
    }
}

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            eprintln!("ledger: {text}");
            ExitCode::FAILURE
        }
    }
}
