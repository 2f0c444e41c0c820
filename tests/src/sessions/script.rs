//! Scripts and transcripts as text.

/// One step: who, and what.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// The session; `setup` for the connection that prepares.
    pub session: String,
    /// The statement.
    pub sql: String,
}

/// A parsed script.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Script {
    /// Isolation levels it runs at.
    pub levels: Vec<String>,
    /// What is done first, by one connection.
    pub setup: Vec<String>,
    /// The steps.
    pub steps: Vec<Step>,
}

/// One block of a transcript.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Block {
    /// `session: statement`.
    pub step: String,
    /// Its own outcome, then those of sessions that went on, by name.
    pub outcomes: Vec<String>,
}

/// One level of a transcript.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Section {
    /// The isolation level.
    pub level: String,
    /// One block per step.
    pub blocks: Vec<Block>,
}

impl Script {
    /// Reads a script.
    ///
    /// # Errors
    /// A line that is neither a comment, a directive nor a step.
    pub fn parse(text: &str) -> Result<Script, String> {
        let defaults = ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"];
        let mut script =
            Script { levels: defaults.map(String::from).to_vec(), setup: Vec::new(), steps: Vec::new() };
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(levels) = line.strip_prefix("@levels ") {
                script.levels = levels.split(',').map(|l| l.trim().to_string()).collect();
                continue;
            }
            let Some((session, sql)) = line.split_once(": ") else {
                return Err(format!("line {}: {line:?} is no step", number + 1));
            };
            if session == "setup" {
                script.setup.push(sql.to_string());
            } else {
                script.steps.push(Step { session: session.to_string(), sql: sql.to_string() });
            }
        }
        Ok(script)
    }
}

/// Reads a transcript.
#[must_use]
pub fn sections(text: &str) -> Vec<Section> {
    let mut all: Vec<Section> = Vec::new();
    for line in text.lines().filter(|l| !l.trim().is_empty()) {
        if let Some(level) = line.strip_prefix("== ") {
            all.push(Section { level: level.to_string(), blocks: Vec::new() });
        } else if let (Some(step), Some(section)) = (line.strip_prefix("> "), all.last_mut()) {
            section.blocks.push(Block { step: step.to_string(), outcomes: Vec::new() });
        } else if let Some(block) = all.last_mut().and_then(|s| s.blocks.last_mut()) {
            block.outcomes.push(line.to_string());
        }
    }
    all
}

#[cfg(test)]
mod checks {
    use super::*;

    #[test]
    fn scripts_and_transcripts_are_read() {
        let script =
            Script::parse("# x\n@levels A, B C\nsetup: S 1\na: BEGIN\nb: SELECT 1: 2\n").expect("reads");
        assert_eq!((script.levels.len(), script.setup.len(), script.steps.len()), (2, 1, 2));
        assert_eq!(script.steps[1].sql, "SELECT 1: 2");
        assert!(Script::parse("nonsense").is_err());
        let read = sections("== A\n> a: BEGIN\nok 0\n\n> b: X\nwaits\na: ok 1\n== B\n");
        assert_eq!(read.len(), 2);
        assert_eq!(read[0].blocks[1].outcomes, ["waits", "a: ok 1"]);
    }

    #[test]
    fn differing_steps_are_numbered_by_level() {
        let golden = "== A\n> a: X\nok 0\n> b: Y\nwaits\n== B\n> a: X\nok 0\n";
        let found = "== A\n> a: X\nok 0\n> b: Y\nok 1\n== B\n> a: X\nok 0\n";
        let differ = super::super::differing(golden, found);
        assert_eq!(differ.get("A"), Some(&vec![2]));
        assert_eq!(differ.get("B"), None);
        assert!(super::super::difference(golden, found, "A").contains("waits"));
    }
}
