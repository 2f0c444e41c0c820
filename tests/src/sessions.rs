//! Scripts of several sessions, and what real MySQL did in them: who waits, who goes on, who is the victim, what each one sees.
//!
//! ```text
//!   # a comment
//!   @levels READ COMMITTED, REPEATABLE READ      each level runs the script once (default: these two and SERIALIZABLE)
//!   setup: CREATE TABLE t (...)                  a connection of its own, autocommit
//!   a: BEGIN
//!   a: UPDATE t SET v = 11 WHERE id = 1
//!   b: UPDATE t SET v = 12 WHERE id = 1          -> waits
//!   a: COMMIT                                    -> ok 0, and then: b: ok 1
//!   b: await                                     until b's statement under way ends, by a timeout for one
//! ```
//! A transcript has a section per level and a block per step: the step, its own outcome (`ok N` rows changed, `rows ...`, `ERROR code`, or
//! `waits`), and the outcomes of sessions that it let go on.
//!
//! Nothing here sleeps hoping that a lock was met. A session waits when the server counts it among its waiters (Innodb_row_lock_current_waits,
//! or a state `Waiting for ...` in SHOW PROCESSLIST). When a transcript is compared with a recorded one, the recorded one says what to wait for:
//! an answer that is due may take as long as a busy machine likes. Only recording, which has nobody to ask, gives the server a settling time.

mod run;
mod script;

pub use run::transcript;
pub use script::{Block, Script, Section, sections};

use std::collections::BTreeMap;

/// Steps (numbered from 1) whose outcome differs from the recorded one, by level.
#[must_use]
pub fn differing(golden: &str, found: &str) -> BTreeMap<String, Vec<usize>> {
    let (golden, found) = (sections(golden), sections(found));
    let mut differ = BTreeMap::new();
    for section in &golden {
        let other = found.iter().find(|s| s.level == section.level);
        let blocks = other.map_or(&[][..], |s| &s.blocks[..]);
        let steps: Vec<usize> = (0..section.blocks.len().max(blocks.len()))
            .filter(|i| section.blocks.get(*i) != blocks.get(*i))
            .map(|i| i + 1)
            .collect();
        if !steps.is_empty() {
            differ.insert(section.level.clone(), steps);
        }
    }
    differ
}

/// The first differing step of a level, recorded and found.
#[must_use]
pub fn difference(golden: &str, found: &str, level: &str) -> String {
    let (golden, found) = (sections(golden), sections(found));
    let blocks =
        |all: &[Section]| all.iter().find(|s| s.level == level).map_or(Vec::new(), |s| s.blocks.clone());
    let (golden, found) = (blocks(&golden), blocks(&found));
    let Some(at) = (0..golden.len().max(found.len())).find(|i| golden.get(*i) != found.get(*i)) else {
        return String::new();
    };
    let shown = |block: Option<&Block>| block.map_or("(none)".to_string(), |b| b.outcomes.join(" / "));
    let step = golden.get(at).or(found.get(at)).map_or("", |b| b.step.as_str());
    format!("step {}, {step}: MySQL: {}; here: {}", at + 1, shown(golden.get(at)), shown(found.get(at)))
}
