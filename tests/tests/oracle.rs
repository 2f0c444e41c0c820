//! Our server's answers are MySQL 9.7's recorded ones: every script of tests/oracle.
//!
//! `tests/oracle/pending.txt` lists statements whose answer is not yet MySQL's (`script: numbers`). It can only shrink: a
//! statement that differs and is not listed fails the test, and so does one that is listed and agrees.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use tests::oracle::{difference, differing, transcript};
use tests::product::product;
use tests::scratch::Scratch;
use tests::server::Launch;

fn pending(dir: &Path) -> BTreeMap<String, BTreeSet<usize>> {
    let text = fs::read_to_string(dir.join("pending.txt")).expect("the list of pending statements");
    let lines = text.lines().filter(|l| !l.starts_with('#') && !l.trim().is_empty());
    lines
        .map(|line| {
            let (script, numbers) = line.split_once(':').expect("script: numbers");
            (script.to_string(), numbers.split_whitespace().map(|n| n.parse().expect("a number")).collect())
        })
        .collect()
}

#[test]
fn answers_are_those_of_mysql() {
    let scratch = Scratch::new("oracle").expect("a scratch folder");
    let server = Launch::new(&product(), &scratch.path().join("data")).start().expect("the server starts");
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("oracle");
    let pending = pending(&dir);
    let (mut scripts, mut statements) = (0, 0);
    let mut problems = Vec::new();
    let mut entries: Vec<_> =
        fs::read_dir(&dir).expect("the scripts are there").flatten().map(|e| e.path()).collect();
    entries.sort();
    for script in entries.iter().filter(|p| p.extension().is_some_and(|e| e == "sql")) {
        let name = script.file_stem().expect("a name").to_string_lossy().into_owned();
        let text = fs::read_to_string(script).expect("a script");
        let golden = fs::read_to_string(script.with_extension("golden")).expect("its recorded answers");
        let found = transcript(&server.address, &text).unwrap_or_else(|e| format!("{e}"));
        let (differ, of) = differing(&golden, &found);
        let differ: BTreeSet<usize> = differ.into_iter().collect();
        let allowed = pending.get(&name).cloned().unwrap_or_default();
        let new: Vec<_> = differ.difference(&allowed).collect();
        let agreeing: Vec<_> = allowed.difference(&differ).collect();
        if !new.is_empty() {
            let shown = difference(&golden, &found).unwrap_or_default();
            problems
                .push(format!("{name}: statements {new:?} differ from MySQL; the first difference, {shown}"));
        }
        if !agreeing.is_empty() {
            problems.push(format!("{name}: statements {agreeing:?} agree now: take them off pending.txt"));
        }
        scripts += 1;
        statements += of;
    }
    println!(
        "{scripts} scripts, {statements} statements, {} pending",
        pending.values().map(BTreeSet::len).sum::<usize>()
    );
    assert!(
        scripts >= 10 && statements >= 400,
        "only {scripts} scripts with {statements} statements were found"
    );
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
