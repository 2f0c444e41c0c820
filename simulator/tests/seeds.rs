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
    let (lines, report) = Director::new(Plan::calm(1)).trace_commit();
    assert_eq!(report.failure, None);
    let at = |line: String| lines.iter().position(|l| *l == line);
    for segment in 0..6 {
        let ack = at(format!("segment {segment}: ack"));
        if ack.is_some() {
            assert!(at(format!("segment {segment}: sync done")) < ack, "{lines:#?}");
        }
    }
    let vdl = at("writer: VDL".to_owned());
    assert!(vdl.is_some() && at("writer: OK".to_owned()) > vdl, "{lines:#?}");
    let acks = lines[..vdl.unwrap_or(0)].iter().filter(|l| l.ends_with(": ack")).count();
    assert!(acks >= 4, "{lines:#?}");
}
