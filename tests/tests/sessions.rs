//! Several sessions at once do what they do in MySQL 9.7: every script of tests/sessions, at each isolation level.
//!
//! `TESTS_FLIP_GOLDEN=1` changes recorded outcomes: then the test must fail. `tests/sessions/different.txt` lists steps whose outcome is another one, with the reason: `script @ level: steps`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use tests::product::product;
use tests::scratch::Scratch;
use tests::server::{Launch, Server};
use tests::sessions::{Script, difference, differing, sections, transcript};

fn listed(dir: &Path) -> BTreeMap<(String, String), BTreeSet<usize>> {
    let text = fs::read_to_string(dir.join("different.txt")).expect("the list of differences");
    let lines = text.lines().filter(|l| !l.starts_with('#') && !l.trim().is_empty());
    lines
        .map(|line| {
            let (place, steps) = line.split_once(':').expect("script @ level: steps");
            let (script, level) = place.split_once(" @ ").expect("script @ level");
            let steps = steps.split_whitespace().map(|n| n.parse().expect("a number")).collect();
            ((script.to_string(), level.to_string()), steps)
        })
        .collect()
}

/// Servers side by side, each with a part of the scripts: a server counts the waiters of one script at a time.
const SERVERS: usize = 4;

/// What one script did: steps run, and what differs that is not listed.
fn check(
    server: &Server,
    path: &Path,
    listed: &BTreeMap<(String, String), BTreeSet<usize>>,
) -> (usize, Vec<String>) {
    let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
    let script = Script::parse(&fs::read_to_string(path).expect("a script")).expect("it reads");
    let mut golden = fs::read_to_string(path.with_extension("golden")).expect("its recorded outcome");
    if std::env::var_os("TESTS_FLIP_GOLDEN").is_some() {
        golden = golden.replacen("\nok 1\n", "\nok 7\n", 1);
    }
    let recorded = sections(&golden);
    let steps = recorded.iter().map(|s| s.blocks.len()).sum::<usize>();
    let found = match transcript(&server.address, &script, "sessions", Some(&recorded)) {
        Ok(found) => found,
        Err(error) => return (steps, vec![format!("{name}: {error}")]),
    };
    let mut problems = Vec::new();
    let differ = differing(&golden, &found);
    for level in &script.levels {
        let steps: BTreeSet<usize> = differ.get(level).into_iter().flatten().copied().collect();
        let allowed = listed.get(&(name.clone(), level.clone())).cloned().unwrap_or_default();
        if steps.difference(&allowed).next().is_some() {
            let line: Vec<String> = steps.iter().map(usize::to_string).collect();
            let first = difference(&golden, &found, level);
            problems.push(format!("{name} @ {level}: {}\n    {first}", line.join(" ")));
        } else if steps != allowed {
            println!("{name} @ {level}: only {steps:?} of the listed steps differ: shorten different.txt");
        }
    }
    (steps, problems)
}

#[test]
fn sessions_do_what_they_do_in_mysql() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("sessions");
    let listed = listed(&dir);
    let mut scripts: Vec<_> =
        fs::read_dir(&dir).expect("the scripts are there").flatten().map(|e| e.path()).collect();
    scripts.retain(|p| p.extension().is_some_and(|e| e == "script"));
    scripts.sort();
    let product = product();
    let part = |worker: usize| {
        let scratch = Scratch::new("sessions").expect("a scratch folder");
        let launch = Launch::new(&product, &scratch.path().join("data"));
        let server = launch.start().expect("the server starts");
        let own = scripts.iter().skip(worker).step_by(SERVERS);
        own.map(|path| check(&server, path, &listed)).collect::<Vec<_>>()
    };
    let part = &part;
    let results: Vec<(usize, Vec<String>)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..SERVERS).map(|w| scope.spawn(move || part(w))).collect();
        workers.into_iter().flat_map(|w| w.join().expect("a worker does not panic")).collect()
    });
    let steps: usize = results.iter().map(|r| r.0).sum();
    let problems: Vec<String> = results.into_iter().flat_map(|r| r.1).collect();
    println!("{} scripts, {steps} steps, {} places listed as different", scripts.len(), listed.len());
    assert!(scripts.len() >= 60 && steps >= 1000, "only {} scripts, {steps} steps", scripts.len());
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
