//! The command line of the director: `director ...` and `sextant simulate ...` are the same.
//!
//! A failing seed prints what failed, the classes of faults it needs, and how to replay it; the last line is `seeds=N failed=N ...`.
//! This is the edge of a pure crate: it prints, and it reads how much CPU time went by.

use crate::{Class, Director, Mode, Plan, Report, regressions, run, run_elsewhere, shrink};
use std::collections::BTreeMap;
use std::process::ExitCode;

/// What there is to ask for.
pub const USAGE: &str = "--seeds A..B | --seed N | --regressions [--mode MODE] [--double N] [--seconds S] [--faults CLASS,CLASS|none] [--stop] [--no-shrink] \
    [--mutant NAME] | --mutants | --crash-every-cpl [--mutant NAME] | --trace-commit [--mutant NAME]";

struct Options {
    seeds: Vec<u64>,
    /// Of `--regressions`: the mode of each seed.
    modes: Vec<Mode>,
    double: usize,
    faults_us: Option<u64>,
    mode: Option<Mode>,
    faults: Option<Vec<Class>>,
    mutant: Option<String>,
    mutants: bool,
    crash_points: bool,
    trace: bool,
    stop: bool,
    shrink: bool,
}

impl Options {
    fn mode_of(&self, number: usize, seed: u64) -> Mode {
        self.modes.get(number).copied().or(self.mode).unwrap_or(Mode::of(seed))
    }

    fn plan(&self, number: usize, seed: u64) -> Plan {
        let mut plan = Plan::draw_in(self.mode_of(number, seed), seed);
        if let Some(classes) = &self.faults {
            plan = plan.with_only(classes);
        }
        Plan { faults_us: self.faults_us.unwrap_or(plan.faults_us), ..plan }
    }
}

/// Does what the arguments (without the program's name) say, in the name of `program`.
#[must_use]
pub fn main(program: &str, args: impl Iterator<Item = String>) -> ExitCode {
    let options = match parse(args) {
        Ok(options) => options,
        Err(why) => {
            eprintln!("{why}\n{program} {USAGE}");
            return ExitCode::from(2);
        }
    };
    // A core's assertion is a failure of its seed, printed with it; the hook would print it a second time.
    std::panic::set_hook(Box::new(|_| {}));
    if options.mutants {
        return mutants::table();
    }
    if let Some(name) = &options.mutant
        && !mutants::switch_on(name)
    {
        eprintln!("no mutant {name}, or this build has none (--features mutants)");
        return ExitCode::from(2);
    }
    if options.crash_points {
        return crash_points();
    }
    if options.trace {
        return trace_commit();
    }
    seeds(program, &options)
}

/// The order of things in one commit, and whether it is the right one.
fn trace_commit() -> ExitCode {
    let (lines, report) = Director::new(Plan::calm(1)).trace_commit();
    for line in &lines {
        println!("{line}");
    }
    if let Some(why) = &report.failure {
        println!("{why}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

#[cfg(not(feature = "crash-points"))]
fn crash_points() -> ExitCode {
    eprintln!("this build has no crash points; `cargo run -p simulator --bin director` has");
    ExitCode::from(2)
}

/// Trees, indexes and balances at every CPL of a recorded trace.
#[cfg(feature = "crash-points")]
fn crash_points() -> ExitCode {
    let report = crate::crash_points::run(1);
    for failure in &report.failures {
        println!("{failure}");
    }
    println!("{}", report.facts());
    if report.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn parse(mut args: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options {
        seeds: (0..100).collect(),
        modes: Vec::new(),
        double: 0,
        faults_us: None,
        mode: None,
        faults: None,
        mutant: None,
        mutants: false,
        crash_points: false,
        trace: false,
        stop: false,
        shrink: true,
    };
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} wants a value"));
        match arg.as_str() {
            "--seeds" => {
                let range = value()?;
                let (from, to) = range.split_once("..").ok_or("--seeds wants A..B")?;
                options.seeds = (number(from)?..number(to)?).collect();
            }
            "--seed" => options.seeds = vec![number(&value()?)?],
            "--regressions" => {
                (options.modes, options.seeds) = regressions().map(|(mode, seed, _)| (mode, seed)).unzip();
            }
            "--double" => options.double = number(&value()?)? as usize,
            "--seconds" => options.faults_us = Some(number(&value()?)?.saturating_mul(1_000_000)),
            "--faults" => options.faults = Some(classes(&value()?)?),
            "--mode" => options.mode = Some(mode(&value()?)?),
            "--mutant" => options.mutant = Some(value()?),
            "--mutants" => options.mutants = true,
            "--crash-every-cpl" => options.crash_points = true,
            "--trace-commit" => options.trace = true,
            "--stop" => options.stop = true,
            "--no-shrink" => options.shrink = false,
            other => return Err(format!("unknown argument {other}")),
        }
    }
    Ok(options)
}

fn mode(name: &str) -> Result<Mode, String> {
    Mode::named(name).ok_or_else(|| format!("no mode {name}; there are {:?}", Mode::ALL.map(Mode::name)))
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{text} is no number"))
}

/// Classes by their names, `none` for no fault at all.
fn classes(list: &str) -> Result<Vec<Class>, String> {
    let class = |name: &str| {
        let named = Class::ALL.into_iter().find(|class| format!("{class:?}").eq_ignore_ascii_case(name));
        named.ok_or_else(|| format!("no class of faults {name}; there are {:?}", Class::ALL))
    };
    if list == "none" { Ok(Vec::new()) } else { list.split(',').map(class).collect() }
}

/// What many runs come to.
#[derive(Default)]
struct Sum {
    failed: u64,
    all: Report,
    /// Seeds, failures, events and CPU seconds of each mode.
    modes: BTreeMap<&'static str, (u64, u64, u64, f64)>,
}

impl Sum {
    fn add(&mut self, report: &Report) {
        let all = &mut self.all;
        all.events += report.events;
        all.time_us += report.time_us;
        all.commits += report.commits;
        all.openings += report.openings;
        all.reads += report.reads;
        all.crashes += report.crashes;
        all.torn_six += report.torn_six;
        all.replaced += report.replaced;
        all.statements += report.statements;
        all.halts += report.halts;
        all.audits += report.audits;
        all.examined += report.examined;
        all.lists += report.lists;
    }

    fn print(&self, count: usize, seconds: f64) {
        let Sum { failed, all, modes } = self;
        for (mode, (seeds, failed, events, cpu_s)) in modes.iter().filter(|_| modes.len() > 1) {
            let rate = *events as f64 / cpu_s.max(0.001);
            println!(
                "mode {mode:13} seeds={seeds:<6} failed={failed} events={events} cpu_s={cpu_s:.1} events_per_s={rate:.0}"
            );
        }
        let Report {
            commits,
            openings,
            reads,
            crashes,
            torn_six,
            replaced,
            statements,
            halts,
            audits,
            examined,
            lists,
            events,
            ..
        } = all;
        let simulated = all.time_us as f64 / 1e6;
        println!(
            "seeds={count} failed={failed} commits={commits} openings={openings} reads={reads} crashes={crashes} torn_six={torn_six} \
             replaced={replaced} statements={statements} halts={halts} audits={audits} examined={examined} lists={lists} events={events} cpu_s={seconds:.1} events_per_s={:.0} \
             simulated_s={simulated:.0} simulated_s_per_cpu_s={:.1}",
            *events as f64 / seconds.max(0.001),
            simulated / seconds.max(0.001)
        );
    }
}

fn seeds(program: &str, options: &Options) -> ExitCode {
    let started = cpu_seconds();
    let mut sum = Sum::default();
    for (number, seed) in options.seeds.iter().copied().enumerate() {
        let plan = options.plan(number, seed);
        let (before, failed) = (cpu_seconds(), sum.failed);
        let report = run(&plan);
        if number < options.double && options.mutant.is_none() {
            let again = run_elsewhere(&plan);
            if again != report {
                sum.failed += 1;
                println!(
                    "seed {seed}: two runs of one plan differ: trace {:x} and {:x}",
                    report.hash, again.hash
                );
            }
        }
        sum.add(&report);
        if let Some(why) = &report.failure {
            sum.failed += 1;
            println!("seed {seed}: {why}");
            if options.shrink {
                let small = shrink(&plan);
                let mode = options.mode_of(number, seed).name();
                println!("  needs {:?}; replay: {program} --mode {mode} --seed {seed}", small.classes);
            }
            if options.stop {
                break;
            }
        }
        let mode = sum.modes.entry(options.mode_of(number, seed).name()).or_default();
        let (cpu_s, failed) = (cpu_seconds() - before, sum.failed - failed);
        *mode = (mode.0 + 1, mode.1 + failed, mode.2 + report.events, mode.3 + cpu_s);
    }
    sum.print(options.seeds.len(), cpu_seconds() - started);
    if sum.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// CPU time of this process, seconds: what the budget is told in.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks =
        |i: usize| after_name.split_whitespace().nth(i).and_then(|t| t.parse::<f64>().ok()).unwrap_or(0.0);
    // Fields 14 and 15 of proc(5), counted from the state that follows the name; 100 ticks a second on Linux.
    (ticks(11) + ticks(12)) / 100.0
}

#[cfg(feature = "mutants")]
mod mutants {
    use crate::{Mode, Plan, run};
    use protocol::mutant::{self, Mutant};
    use std::process::ExitCode;

    pub(crate) fn switch_on(name: &str) -> bool {
        let found = Mutant::named(name);
        mutant::set(found);
        found.is_some()
    }

    /// A planted bug that so many seeds do not show is missed. The rarest needs a few hundred.
    const SEEDS: u64 = 1_500;

    /// Runs every planted bug until it is caught.
    pub(crate) fn table() -> ExitCode {
        let mut missed = 0;
        for planted in crate::CAUGHT_HERE {
            let started = super::cpu_seconds();
            mutant::set(Some(*planted));
            let caught = (0..SEEDS).find_map(|seed| {
                let mode = crate::caught_in(*planted).unwrap_or(Mode::of(seed));
                run(&Plan::draw_in(mode, seed)).failure.map(|why| (seed, why))
            });
            mutant::set(None);
            let seconds = super::cpu_seconds() - started;
            match caught {
                Some((seed, why)) => {
                    println!("{:24} seed {seed:5} {seconds:6.1} s  {why}", format!("{planted:?}"))
                }
                None => {
                    missed += 1;
                    println!("{:24} NOT CAUGHT {seconds:6.1} s", format!("{planted:?}"));
                }
            }
        }
        println!("mutants={} missed={missed}", crate::CAUGHT_HERE.len());
        if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

#[cfg(not(feature = "mutants"))]
mod mutants {
    use std::process::ExitCode;

    pub(crate) fn switch_on(_name: &str) -> bool {
        false
    }

    pub(crate) fn table() -> ExitCode {
        eprintln!("this build has no planted bugs; build with --features mutants");
        ExitCode::from(2)
    }
}
