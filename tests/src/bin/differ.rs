//! `differ OURS MYSQL`: sends the same seeded statements to both servers and reports where ours answers otherwise, by shape.

use clap::Parser;
use std::collections::BTreeMap;
use std::process::ExitCode;
use tests::client::Client;
use tests::differ::{Difference, Generator, Statement, compare};

#[derive(Parser, Debug)]
#[command(
    about = "Sends the same seeded statements to two servers and reports where the first answers otherwise"
)]
struct Cli {
    /// HOST:PORT of the server under test.
    ours: String,
    /// HOST:PORT of a real MySQL.
    theirs: String,
    /// The first seed; each seed is a schema of its own.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Statements in all.
    #[arg(long, default_value_t = 10_000)]
    statements: u64,
    /// Statements to a seed.
    #[arg(long, default_value_t = 200)]
    per_seed: u64,
    /// Examples printed for each shape.
    #[arg(long, default_value_t = 1)]
    examples: usize,
    /// A file of shapes that do not count, each line the beginning of one; what follows ` # ` is the reason.
    #[arg(long)]
    listed: Option<std::path::PathBuf>,
    /// Only these kinds count: rows, error, columns, counts, warnings, message, unsupported.
    #[arg(long, value_delimiter = ',')]
    kinds: Vec<String>,
    /// The schema on both servers; it is dropped.
    #[arg(long, default_value = "differ")]
    schema: String,
}

struct Shape {
    count: u64,
    examples: Vec<(u64, String, Difference)>,
}

/// What differs, and the names of functions and operators in the statement.
fn shape(statement: &str, difference: &Difference) -> String {
    if difference.kind == "unsupported" {
        return format!("unsupported: {}", difference.ours);
    }
    let mut words: Vec<&str> = Vec::new();
    for word in statement.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '(') {
        if let Some((name, _)) = word.split_once('(')
            && name.len() > 1
            && !words.contains(&name)
        {
            words.push(name);
        }
    }
    words.truncate(3);
    let code = |text: &str| {
        text.strip_prefix("ERROR ").and_then(|t| t.split(' ').next()).unwrap_or("ok").to_string()
    };
    let first = |text: &str| text.split(' ').nth(1).unwrap_or("none").to_string();
    let codes = match difference.kind {
        "warnings" if difference.ours.matches(';').count() != difference.theirs.matches(';').count() => {
            format!(" (number of) {}", first(&difference.theirs))
        }
        "warnings" => format!(" {} for {}", first(&difference.ours), first(&difference.theirs)),
        "error" => format!(" {} for {}", code(&difference.ours), code(&difference.theirs)),
        _ => String::new(),
    };
    let verb = statement.split(' ').next().unwrap_or_default();
    format!("{}{codes}: {verb} {}", difference.kind, words.join(" "))
}

fn run(cli: &Cli) -> Result<BTreeMap<String, Shape>, String> {
    let mut shapes: BTreeMap<String, Shape> = BTreeMap::new();
    let mut done = 0;
    let mut seed = cli.seed;
    while done < cli.statements {
        let connect = |address: &str| -> Result<Client, String> {
            let mut sql = Client::connect(address).map_err(|e| format!("{address}: {e}"))?;
            for statement in [
                format!("DROP DATABASE IF EXISTS {0}", cli.schema),
                format!("CREATE DATABASE {0}", cli.schema),
                format!("USE {0}", cli.schema),
            ] {
                sql.query(&statement).map_err(|e| format!("{address}: {statement}: {e}"))?;
            }
            Ok(sql)
        };
        let (mut ours, mut theirs) = (connect(&cli.ours)?, connect(&cli.theirs)?);
        let (mut generator, made) = Generator::new(seed);
        let mut one = |statement: &Statement| -> Result<bool, String> {
            let Some(difference) = compare(&mut ours, &mut theirs, &statement.sql, statement.ordered)? else {
                return Ok(true);
            };
            let entry = shapes
                .entry(shape(&statement.sql, &difference))
                .or_insert_with(|| Shape { count: 0, examples: Vec::new() });
            entry.count += 1;
            if entry.examples.len() < cli.examples {
                entry.examples.push((seed, statement.sql.clone(), difference));
            }
            Ok(false)
        };
        for statement in &made {
            one(statement)?;
        }
        for _ in 0..cli.per_seed {
            let statement = generator.statement();
            let alike = one(&statement)?;
            let changes = !statement.sql.starts_with("SELECT");
            done += 1;
            // Once the tables differ everything does: such a seed ends here.
            if changes
                && !alike
                && !generator.contents().iter().try_fold(true, |all, s| one(s).map(|a| a && all))?
            {
                break;
            }
        }
        seed += 1;
    }
    println!("{done} statements of seeds {} to {}", cli.seed, seed - 1);
    Ok(shapes)
}

fn shapes_of(list: &str) -> Vec<String> {
    let shape = |line: &str| line.split(" # ").next().unwrap_or("").trim().to_string();
    list.lines().filter(|l| !l.starts_with('#')).map(shape).filter(|s| !s.is_empty()).collect()
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let shapes = match run(&cli) {
        Ok(shapes) => shapes,
        Err(why) => {
            eprintln!("differ: {why}");
            return ExitCode::from(2);
        }
    };
    let listed = match cli.listed.as_ref().map(std::fs::read_to_string).transpose() {
        Ok(text) => shapes_of(&text.unwrap_or_default()),
        Err(why) => {
            eprintln!("differ: the list: {why}");
            return ExitCode::from(2);
        }
    };
    let mut sorted: Vec<(&String, &Shape)> = shapes.iter().collect();
    sorted.sort_by_key(|(_, shape)| std::cmp::Reverse(shape.count));
    let mut counted = 0;
    for (name, shape) in sorted {
        let other_kind =
            !cli.kinds.is_empty() && !cli.kinds.iter().any(|kind| name.starts_with(kind.as_str()));
        let left_out = other_kind || listed.iter().any(|shape| name.starts_with(shape.as_str()));
        println!("{:>6}  {name}{}", shape.count, if left_out { "  (left out)" } else { "" });
        if left_out {
            continue;
        }
        counted += shape.count;
        for (seed, statement, difference) in &shape.examples {
            println!("        seed {seed}: {statement}");
            println!("          MySQL: {}\n          ours:  {}", difference.theirs, difference.ours);
        }
    }
    println!("{counted} differences in {} shapes", shapes.len());
    if counted == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
