//! A few seeds as a test of every build; CI runs thousands through the `director` binary.

use simulator::{Class, Director, Mode, Plan, regressions, run, run_elsewhere};
use std::collections::HashSet;

#[test]
fn seeds_run_clean() {
    for seed in 0..40 {
        let report = run(&Plan::draw(seed));
        assert_eq!(report.failure, None, "replay: director --seed {seed}");
        assert!(report.commits > 0 && report.openings > 0, "seed {seed} did nothing: {report:?}");
    }
}

#[test]
fn seeds_that_once_failed_run_clean() {
    assert!(regressions().count() >= 2);
    for (mode, seed, found) in regressions() {
        let report = run(&Plan::draw_in(mode, seed));
        assert_eq!(report.failure, None, "{mode:?} {seed}, which found: {found}");
    }
}

/// A real engine in every process, over the same cluster and faults.
#[test]
fn engines_run_clean() {
    let mut all = (0, 0, 0);
    for seed in 0..12 {
        let report = run(&Plan::draw_in(Mode::Engine, seed));
        assert_eq!(report.failure, None, "replay: director --mode engine --seed {seed}");
        assert!(report.audits >= 2, "seed {seed} audited {} times: {report:?}", report.audits);
        all = (all.0 + report.examined, all.1 + report.lists, all.2 + report.openings);
    }
    assert!(all.0 > 12 && all.1 > 1_000 && all.2 > 24, "examined, lists, openings: {all:?}");
}

/// Beyond the promise nothing may be wrong that is said; that nothing is said any more is allowed, and happens.
#[test]
fn beyond_the_promise_it_halts_and_never_lies() {
    let mut halts = 0;
    for seed in 0..40 {
        let report = run(&Plan::draw_in(Mode::Halt, seed));
        assert_eq!(report.failure, None, "replay: director --mode halt --seed {seed}");
        halts += u64::from(report.halts > 0);
    }
    assert!((4..40).contains(&halts), "{halts} of 40 halted");
}

#[test]
fn without_faults_nothing_crashes() {
    let plan = Plan::draw(11).with_only(&[]);
    let report = run(&plan);
    assert_eq!(
        (report.failure, report.crashes),
        (None, 6 * plan.sets as u64),
        "only the audit crashes nodes"
    );
    assert!(run(&plan.with_only(&[Class::NodeCrashes])).crashes > report.crashes);
}

#[test]
fn one_plan_runs_one_way_whatever_hashes_by_chance() {
    for plan in [3, 17, 101].map(Plan::draw).into_iter().chain([Plan::draw_in(Mode::Engine, 5)]) {
        assert_eq!(run(&plan), run_elsewhere(&plan), "seed {}", plan.seed);
    }
    // A thread of its own has keys of its own: what a run that walked a HashMap would show.
    let walk = || (0..64).collect::<HashSet<u32>>().into_iter().collect::<Vec<u32>>();
    let elsewhere = std::thread::Builder::new().spawn(walk).unwrap().join().unwrap();
    assert_ne!(walk(), elsewhere);
    assert_ne!(run(&Plan::draw(3)).hash, run(&Plan::draw(4)).hash);
}

#[test]
fn a_commit_is_synced_before_it_is_acknowledged_and_answered_last() {
    for seed in 1..4 {
        let (lines, report) = Director::new(Plan::calm(seed)).trace_commit();
        assert_eq!(report.failure, None);
        let copy = |n: u32| format!("copy {n}: append received, log write and sync begin, sync done, ack");
        let mut expected = vec!["writer: append".to_owned()];
        expected.extend((1..=4).map(copy));
        expected.extend(["writer: VDL".to_owned(), "writer: OK".to_owned()]);
        assert_eq!(lines, expected);
    }
}
