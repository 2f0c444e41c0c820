//! The rule book as a test: crate edges, sizes, words and files every crate must have.
//!
//! House rules are prose in CONTRIBUTING.md; what can be checked is checked here, so that a review can be about ideas.

use cargo_metadata::MetadataCommand;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Storeys: a crate may import only crates of a lower one.
const STOREYS: &[(&str, u8)] = &[
    ("protocol", 1),
    ("mysql-wire", 1),
    ("values", 1),
    ("buffer-pool", 2),
    ("quorum", 2),
    ("cache-nvme", 2),
    ("protocol-grpc", 2),
    ("btree", 3),
    ("driver", 3),
    ("storage-node", 3),
    ("storage-daemon", 4),
    ("engine", 4),
    ("sql", 5),
    ("simulator", 6),
    ("volume", 6),
    ("sextant", 7),
    ("tests", 8),
    ("bench", 9),
];

/// Crates that must be free of clocks, threads, files and sockets.
const PURE: &[&str] =
    &["protocol", "mysql-wire", "values", "buffer-pool", "quorum", "btree", "engine", "sql", "simulator"];

/// Runtimes and system interfaces a pure crate must not even depend on.
const IMPURE_DEPENDENCIES: &[&str] = &["tokio", "io-uring", "libc", "getrandom", "rustls", "tokio-rustls"];

/// Crates where `unsafe` may stand at all, and where in them.
const UNSAFE_PLACES: &[&str] = &["cache-nvme/src/", "buffer-pool/src/"];

const FILE_LINES: usize = 600;
const FUNCTION_LINES: usize = 100;

fn root() -> PathBuf {
    let mut dir = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    dir.pop();
    dir
}

/// Every Rust source file of the workspace with its text.
fn sources() -> Vec<(String, String)> {
    let found = texts(".rs");
    assert!(found.len() > 30, "the walk found only {} files", found.len());
    found
}

/// Every file of the workspace whose name ends so, with its text.
fn texts(ending: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut dirs = vec![root()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).expect("the workspace is readable").flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir() {
                if !name.starts_with('.') && name != "target" && name != "sextant-data" {
                    dirs.push(path);
                }
            } else if name.ends_with(ending) {
                let text = fs::read_to_string(&path).expect("text is UTF-8");
                found.push((relative(&path), text));
            }
        }
    }
    found.sort();
    found
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).expect("inside the workspace").to_string_lossy().into_owned()
}

fn report(problems: &[String]) {
    assert!(problems.is_empty(), "{} problem(s):\n{}", problems.len(), problems.join("\n"));
}

#[test]
fn imports_go_downwards_only() {
    let metadata = MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .no_deps()
        .exec()
        .expect("cargo metadata runs");
    let storeys: BTreeMap<&str, u8> = STOREYS.iter().copied().collect();
    let mut problems = Vec::new();
    assert_eq!(metadata.packages.len(), STOREYS.len(), "a crate is missing from the table of storeys");
    for package in &metadata.packages {
        let name = package.name.as_str();
        let Some(own) = storeys.get(name) else {
            problems.push(format!("{name}: no storey"));
            continue;
        };
        for dependency in &package.dependencies {
            let to = dependency.name.as_str();
            if let Some(other) = storeys.get(to)
                && other >= own
                && to != name
            {
                problems.push(format!("{name} (storey {own}) imports {to} (storey {other})"));
            }
            let dev = dependency.kind == cargo_metadata::DependencyKind::Development;
            if !dev && PURE.contains(&name) && IMPURE_DEPENDENCIES.contains(&to) {
                problems.push(format!("{name} is pure and depends on {to}"));
            }
        }
        let forbidden: &[&str] = if name == "storage-node" { &["quorum", "driver", "sextant"] } else { &[] };
        for dependency in &package.dependencies {
            if forbidden.contains(&dependency.name.as_str()) {
                problems.push(format!("{name} must not import {}", dependency.name));
            }
        }
    }
    report(&problems);
}

#[test]
fn every_crate_has_its_own_lint_file_and_opens_with_prose() {
    let mut problems = Vec::new();
    for (path, text) in sources() {
        let is_root = path.ends_with("src/lib.rs") || path.ends_with("src/main.rs");
        if is_root {
            let crate_dir = root().join(&path).parent().and_then(Path::parent).map(Path::to_path_buf);
            let crate_dir = crate_dir.expect("src lies in a crate");
            if !crate_dir.join("clippy.toml").is_file() {
                problems.push(format!("{path}: its crate has no clippy.toml of its own"));
            }
        }
        if !text.trim_start().starts_with("//!") {
            problems.push(format!("{path}: does not open with module prose (//!)"));
        }
    }
    report(&problems);
}

#[test]
fn pure_crates_ban_the_escape_hatches() {
    for dir in
        ["protocol", "compute/mysql-wire", "engine/values", "buffer-pool", "quorum", "btree", "engine", "sql"]
    {
        let text = fs::read_to_string(root().join(dir).join("clippy.toml")).expect("clippy.toml is there");
        for banned in ["std::time::Instant::now", "std::thread::spawn", "std::fs::File::open"] {
            assert!(text.contains(banned), "{dir}/clippy.toml does not ban {banned}");
        }
    }
}

#[test]
fn files_and_functions_stay_small() {
    let mut problems = Vec::new();
    for (path, text) in sources() {
        let lines = text.lines().count();
        if lines > FILE_LINES && !text.contains("@generated") {
            problems.push(format!("{path}: {lines} lines (limit {FILE_LINES}): split it by ideas"));
        }
        for (name, length) in functions(&text) {
            if length > FUNCTION_LINES {
                problems.push(format!("{path}: fn {name} has {length} lines (limit {FUNCTION_LINES})"));
            }
        }
    }
    report(&problems);
}

/// Names and lengths of functions, by indentation as rustfmt leaves it.
fn functions(text: &str) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    let mut open: Option<(String, usize, usize)> = None;
    for (number, line) in text.lines().enumerate() {
        let indent = line.len() - line.trim_start().len();
        if let Some((name, start, at)) = &open {
            if indent == *at && line.trim_start().starts_with('}') {
                found.push((name.clone(), number - start + 1));
                open = None;
            }
            continue;
        }
        let trimmed = line.trim_start();
        let Some(at) = trimmed.find("fn ") else { continue };
        let before = &trimmed[..at];
        let words = ["pub", "pub(crate)", "pub(super)", "async", "const", "unsafe", "extern"];
        let signature = before.split_whitespace().all(|w| words.contains(&w));
        if signature && !trimmed.ends_with(';') && !trimmed.contains('}') {
            let name: String =
                trimmed[at + 3..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            open = Some((name, number, indent));
        }
    }
    found
}

#[test]
fn words_that_have_no_place_in_the_tree() {
    let banned = [
        (concat!("todo", "!("), "unfinished code"),
        (concat!("unimplemented", "!("), "unfinished code"),
        (concat!("dbg", "!("), "debug output"),
        (concat!("#[ig", "nore"), "a test that does not run"),
        (concat!("mod ut", "ils"), "a module without an idea"),
        (concat!("mod com", "mon;"), "a module without an idea"),
    ];
    let mut problems = Vec::new();
    for (path, text) in sources() {
        for (number, line) in text.lines().enumerate() {
            for (word, why) in banned {
                if line.contains(word) {
                    problems.push(format!("{path}:{}: {word} ({why})", number + 1));
                }
            }
        }
    }
    report(&problems);
}

#[test]
fn unsafe_stands_only_where_it_may() {
    let mut problems = Vec::new();
    for (path, text) in sources() {
        let allowed = UNSAFE_PLACES.iter().any(|place| path.starts_with(place));
        for (number, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or("");
            let uses = code.contains(concat!("uns", "afe {")) || code.contains(concat!("uns", "afe impl"));
            if uses && !allowed {
                problems.push(format!("{path}:{}: unsafe outside its places", number + 1));
            }
        }
    }
    report(&problems);
}

#[test]
fn every_format_of_the_index_has_its_page() {
    let index = fs::read_to_string(root().join("docs/formats.md")).expect("the index is there");
    let mut pages = 0;
    for part in index.split("](formats/").skip(1) {
        let page = part.split(')').next().unwrap_or("");
        assert!(root().join("docs/formats").join(page).is_file(), "docs/formats/{page} is missing");
        pages += 1;
    }
    assert!(pages >= 15, "the index lists only {pages} formats");
}

/// A link of a page leads to a file or folder that is there; so does a path in backticks that names a source file or a page.
#[test]
fn links_and_paths_in_prose_lead_somewhere() {
    let (mut problems, mut links) = (Vec::new(), 0);
    let sources = sources();
    for (page, text) in texts(".md") {
        let here = root().join(&page);
        let here = here.parent().expect("a page lies in a folder");
        // Prose tells a path from the root, from its page, or from a crate's folder.
        let told = |here: &Path, path: &str| {
            let tail = format!("/{path}");
            root().join(path).exists()
                || here.join(path).exists()
                || sources.iter().any(|(s, _)| s.ends_with(&tail))
        };
        for part in text.split("](").skip(1) {
            let target = part.split([')', '#']).next().unwrap_or("");
            if target.is_empty() || target.contains("://") {
                continue;
            }
            links += 1;
            if !here.join(target).exists() {
                problems.push(format!("{page}: the link {target} leads nowhere"));
            }
        }
        for path in text.split('`').skip(1).step_by(2) {
            let names_a_file = path.contains('/') && (path.ends_with(".rs") || path.ends_with(".md"));
            let plain = path.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c));
            if names_a_file && plain && !path.starts_with('/') && !told(here, path) {
                problems.push(format!("{page}: there is no {path}"));
            }
        }
    }
    report(&problems);
    assert!(links > 50, "only {links} links found");
}

#[test]
fn every_dependency_is_accounted_for() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("the manifest is there");
    let reasons =
        fs::read_to_string(root().join("docs/dependencies.md")).expect("docs/dependencies.md is there");
    let theirs = manifest.split("# Theirs").nth(1).and_then(|t| t.split("[workspace.lints").next());
    let mut problems = Vec::new();
    for line in theirs.expect("the manifest lists dependencies").lines() {
        let Some((name, _)) = line.split_once(" = ") else { continue };
        if !reasons.contains(&format!("`{name}`")) {
            problems.push(format!("docs/dependencies.md does not say why `{name}`"));
        }
    }
    report(&problems);
}
