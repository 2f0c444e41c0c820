//! A few seeds as a test of every build; CI runs thousands through the `director` binary.

use simulator::{Director, Plan, run};

#[test]
fn seeds_run_clean() {
    for seed in 0..40 {
        let report = run(&Plan::draw(seed));
        assert_eq!(report.failure, None, "replay: director --seed {seed}");
        assert!(report.commits > 0 && report.openings > 0, "seed {seed} did nothing: {report:?}");
    }
}

#[test]
fn one_plan_runs_one_way() {
    for seed in [3, 17, 101] {
        let plan = Plan::draw(seed);
        assert_eq!(run(&plan), run(&plan), "seed {seed}");
    }
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
