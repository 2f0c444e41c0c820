//! `oracle`: records what a real MySQL answers to tests/oracle/*.sql and does in tests/sessions/*.script, or compares a server with what was
//! recorded.

use clap::Parser;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tests::compatibility;
use tests::oracle::{differences, differing, transcript};
use tests::sessions::{self, Script};

#[derive(Parser, Debug)]
#[command(about = "Records real MySQL's answers to tests/oracle/*.sql, or compares a server with them")]
struct Cli {
    /// HOST:PORT of a real MySQL: writes the golden files.
    #[arg(long, conflicts_with = "compare")]
    refresh: Option<String>,
    /// HOST:PORT of a server to compare with the golden files.
    #[arg(long)]
    compare: Option<String>,
    /// Prints every difference, not the first of each script only.
    #[arg(long)]
    all: bool,
    /// Only scripts whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
}

fn scripts(folder: &str, extension: &str, only: &str) -> Result<Vec<PathBuf>, String> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = fs::read_dir(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    let mut found: Vec<PathBuf> = entries.flatten().map(|e| e.path()).collect();
    found.retain(|p| p.extension().is_some_and(|e| e == extension) && p.to_string_lossy().contains(only));
    found.sort();
    Ok(found)
}

fn run(cli: &Cli) -> Result<bool, String> {
    let mut all_alike = true;
    for script in scripts("oracle", "sql", &cli.only)? {
        let name = script.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = fs::read_to_string(&script).map_err(|e| format!("{name}: {e}"))?;
        let golden = script.with_extension("golden");
        if let Some(address) = &cli.refresh {
            let found = transcript(address, &text).map_err(|e| format!("{name}: {e}"))?;
            fs::write(&golden, found).map_err(|e| format!("{name}: {e}"))?;
            println!("recorded {name}");
        } else if let Some(address) = &cli.compare {
            let expected = fs::read_to_string(&golden).map_err(|e| format!("{name}: {e}"))?;
            match transcript(address, &text) {
                Ok(found) => {
                    let (differ, of) = differing(&expected, &found);
                    println!("{name}: {} of {of} statements differ: {differ:?}", differ.len());
                    let shown = differences(&expected, &found);
                    all_alike &= shown.is_empty();
                    for one in shown.iter().take(if cli.all { usize::MAX } else { 1 }) {
                        println!("{one}");
                    }
                }
                Err(error) => {
                    all_alike = false;
                    println!("{name}: {error}");
                }
            }
        } else {
            return Err("one of --refresh and --compare is needed".into());
        }
    }
    refresh_compatibility(cli)?;
    Ok(run_sessions(cli)? && all_alike)
}

/// The lists of tests/compatibility; a server is compared with them by the test of that name.
fn refresh_compatibility(cli: &Cli) -> Result<(), String> {
    let Some(address) = &cli.refresh else { return Ok(()) };
    for list in scripts("compatibility", "txt", &cli.only)? {
        let text = fs::read_to_string(&list).map_err(|e| format!("{}: {e}", list.display()))?;
        let found = compatibility::record(address, &compatibility::parse(&text)?);
        fs::write(list.with_extension("golden"), found).map_err(|e| format!("{}: {e}", list.display()))?;
        println!("recorded {}", list.display());
    }
    Ok(())
}

/// The scripts of several sessions.
fn run_sessions(cli: &Cli) -> Result<bool, String> {
    let mut all_alike = true;
    for path in scripts("sessions", "script", &cli.only)? {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let named = |e: String| format!("{name}: {e}");
        let script =
            Script::parse(&fs::read_to_string(&path).map_err(|e| named(e.to_string()))?).map_err(named)?;
        let golden = path.with_extension("golden");
        if let Some(address) = &cli.refresh {
            let found =
                sessions::transcript(address, &script, "sessions", None).map_err(|e| named(e.to_string()))?;
            fs::write(&golden, found).map_err(|e| named(e.to_string()))?;
            println!("recorded {name}");
        } else if let Some(address) = &cli.compare {
            let expected = fs::read_to_string(&golden).map_err(|e| named(e.to_string()))?;
            let recorded = sessions::sections(&expected);
            match sessions::transcript(address, &script, "sessions", Some(&recorded)) {
                Ok(found) => {
                    for (level, steps) in sessions::differing(&expected, &found) {
                        all_alike = false;
                        let steps: Vec<String> = steps.iter().map(usize::to_string).collect();
                        let shown = sessions::difference(&expected, &found, &level);
                        println!("{name} @ {level}: {}\n    {shown}", steps.join(" "));
                    }
                }
                Err(error) => {
                    all_alike = false;
                    println!("{name}: {error}");
                }
            }
        }
    }
    Ok(all_alike)
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(text) => {
            eprintln!("oracle: {text}");
            ExitCode::FAILURE
        }
    }
}
