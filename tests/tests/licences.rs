//! What we build on may be built on: every package in the lock file comes from crates.io and has a permissive licence.
//!
//! Instead of `cargo deny`, which is not installed: the same facts from `cargo metadata`. Advisories need a database that is fetched; those we
//! know of stand in docs/dependencies.md beside the crate, and this test keeps the ones we have decided about from being forgotten.

use cargo_metadata::MetadataCommand;
use std::fs;
use std::path::Path;

const PERMISSIVE: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Crates with a known advisory, and the advisory that docs/dependencies.md must explain.
const ADVISORIES: &[(&str, &str)] = &[("rsa", "RUSTSEC-2023-0071")];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the workspace")
}

/// True if one may choose a permissive licence: `OR` (or the old `/`) needs one of its sides, `AND` both; `AND` binds tighter.
fn permissive(expression: &str) -> bool {
    let text = expression.replace('/', " OR ");
    let (mut depth, mut parts, mut start) = (0, Vec::new(), 0);
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            'O' if depth == 0 && text[at..].starts_with("OR ") && text[..at].ends_with(' ') => {
                parts.push(&text[start..at]);
                start = at + 3;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts.iter().any(|part| all_permissive(part))
}

fn all_permissive(part: &str) -> bool {
    let (mut depth, mut terms, mut start) = (0, Vec::new(), 0);
    for (at, c) in part.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            'A' if depth == 0 && part[at..].starts_with("AND ") && part[..at].ends_with(' ') => {
                terms.push(&part[start..at]);
                start = at + 4;
            }
            _ => {}
        }
    }
    terms.push(&part[start..]);
    terms.iter().map(|term| term.trim()).all(|term| {
        let inner = term.strip_prefix('(').and_then(|t| t.strip_suffix(')'));
        inner.map_or_else(|| PERMISSIVE.contains(&term), permissive)
    })
}

#[test]
fn expressions_are_read() {
    for good in
        ["MIT", "MIT OR Apache-2.0", "MIT/Apache-2.0", "GPL-3.0 OR MIT", "(MIT OR GPL-2.0) AND Unicode-3.0"]
    {
        assert!(permissive(good), "{good}");
    }
    for bad in ["GPL-3.0", "MIT AND GPL-3.0", "(GPL-2.0 OR LGPL-3.0) AND MIT", ""] {
        assert!(!permissive(bad), "{bad}");
    }
}

#[test]
fn every_package_may_be_built_on() {
    let metadata = MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .other_options(vec!["--locked".to_string()])
        .exec()
        .expect("cargo metadata runs");
    let mut problems = Vec::new();
    let mut theirs = 0;
    for package in &metadata.packages {
        let Some(source) = &package.source else { continue };
        theirs += 1;
        if !source.repr.starts_with("registry+") && !source.repr.starts_with("sparse+") {
            problems.push(format!("{} {}: comes from {}", package.name, package.version, source.repr));
        }
        let licence = package.license.as_deref().unwrap_or("");
        if !permissive(licence) {
            problems.push(format!("{} {}: licence {licence:?}", package.name, package.version));
        }
    }
    assert!(theirs > 50, "only {theirs} packages were found");
    let reasons = fs::read_to_string(root().join("docs/dependencies.md")).expect("docs/dependencies.md");
    for (name, advisory) in ADVISORIES {
        let used = metadata.packages.iter().any(|p| p.name.as_str() == *name);
        if used != reasons.contains(advisory) {
            problems
                .push(format!("docs/dependencies.md and the lock file disagree about {name} and {advisory}"));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
