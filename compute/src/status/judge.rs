//! What the words mean: how a copy, a group and a volume do.
//!
//! | copy | | takes part |
//! |---|---|---|
//! | ok | answers, and lacks less than a mebibyte of its group's log | yes |
//! | behind | answers and lacks more | yes |
//! | repairing | a newcomer that copies: counts in no quorum yet (R12) | no |
//! | silent | nothing heard for two seconds, or its node cannot be reached | no |
//! | starting | its node reads its folder | no |
//! | lost | its node is there and has not got it | no |
//! | failed | its device failed: for good, until it is replaced | no |
//!
//! | group | | volume |
//! |---|---|---|
//! | whole | six take part, none is being replaced | all groups are |
//! | degraded | four or five take part: writes and reads go on | the worst group is |
//! | stalled | fewer: writes wait, reads go on while a full copy takes part | the worst group is, or VDL stands still for a second although something waits |
//! | down | no full copy takes part: pages that are not cached cannot be read | a group is, or no quorum can say |

use super::{Copy, Group, Log};
use protocol::geometry::{COPIES, WRITE_QUORUM};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A copy that lacks more than this is behind, bytes.
const BEHIND: u64 = 1 << 20;
/// A segment that is up answers a heartbeat ten times a second.
const SILENT_MS: u64 = 2_000;
/// A quorum that is there answers within milliseconds.
const STALLED_MS: u64 = 1_000;

/// How a copy does; later is worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// See the module.
    Ok,
    /// See the module.
    Behind,
    /// See the module.
    Repairing,
    /// See the module.
    Starting,
    /// See the module.
    Silent,
    /// See the module.
    Lost,
    /// See the module.
    Failed,
}

/// How a group or a volume does; later is worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// See the module.
    Whole,
    /// See the module.
    Degraded,
    /// See the module.
    Stalled,
    /// See the module.
    Down,
    /// There is no volume.
    None,
}

impl Health {
    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Health::Ok => "ok",
            Health::Behind => "behind",
            Health::Repairing => "repairing",
            Health::Starting => "starting",
            Health::Silent => "silent",
            Health::Lost => "lost",
            Health::Failed => "failed",
        }
    }

    /// True when it counts in quorums now.
    #[must_use]
    pub fn able(self) -> bool {
        self <= Health::Behind
    }
}

impl State {
    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            State::Whole => "whole",
            State::Degraded => "degraded",
            State::Stalled => "stalled",
            State::Down => "down",
            State::None => "none",
        }
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// Of a copy with this membership, so long silent, lacking so much.
#[must_use]
pub fn copy(membership: &str, silent_ms: u64, lag_bytes: u64) -> Health {
    match membership {
        "failed" => Health::Failed,
        "lost" => Health::Lost,
        "starting" => Health::Starting,
        "unreachable" => Health::Silent,
        _ if silent_ms >= SILENT_MS => Health::Silent,
        "newcomer" => Health::Repairing,
        _ if lag_bytes > BEHIND => Health::Behind,
        _ => Health::Ok,
    }
}

/// Of a group with these copies; and how many take part.
#[must_use]
pub fn group(copies: &[Copy], newcomer: bool) -> (State, usize) {
    let able = || copies.iter().filter(|copy| copy.health.able());
    let state = match able().count() {
        COPIES if !newcomer => State::Whole,
        n if n >= WRITE_QUORUM => State::Degraded,
        _ if able().any(|copy| copy.role == "full") => State::Stalled,
        _ => State::Down,
    };
    (state, able().count())
}

/// Of a volume, and why in one line.
#[must_use]
pub fn volume(groups: &[Group], log: Option<&Log>) -> (State, String) {
    // The first of the worst.
    let worst = groups.iter().rev().max_by_key(|group| group.state);
    let Some(worst) = worst else { return (State::Down, "no storage node answers".to_string()) };
    let first = || match worst.worst() {
        Some(copy) if copy.health > Health::Behind => {
            let place = if copy.place.is_empty() {
                format!("position {}", copy.position)
            } else {
                copy.place.clone()
            };
            format!("{} in az{} is {}", place, copy.az, copy.health)
        }
        _ => format!("group {} has {} of {COPIES} copies", worst.pg, worst.able),
    };
    let stalled_ms = log.map_or(0, |log| log.stalled_ms);
    match worst.state {
        State::Whole | State::Degraded if stalled_ms >= STALLED_MS => {
            let text =
                format!("the log has not moved for {stalled_ms} ms: writes wait, reads go on; {}", first());
            (State::Stalled, text)
        }
        State::Whole => (State::Whole, "every copy of every protection group is there".to_string()),
        State::Degraded => (State::Degraded, format!("writes and reads go on; {}", first())),
        State::Stalled => {
            let missing = WRITE_QUORUM.saturating_sub(worst.able);
            let text =
                format!("writes wait, reads go on; group {} needs {missing} more; {}", worst.pg, first());
            (State::Stalled, text)
        }
        State::Down | State::None => (State::Down, format!("no pages can be read; {}", first())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copies(healths: [Health; 6]) -> Vec<Copy> {
        let one = |(position, health): (usize, Health)| Copy {
            position: position as u8,
            az: (position / 2 + 1) as u8,
            place: format!("h{position}"),
            role: if position % 2 == 0 { "full" } else { "tail" }.to_string(),
            incarnation: String::new(),
            epoch: 1,
            state: String::new(),
            health,
            scl: 0,
            lag_bytes: 0,
            page_point: 0,
            silent_ms: 0,
            latency_us: 0,
            repair_messages: 0,
            repair_bytes: 0,
            log_writes: 0,
            log_syncs: 0,
        };
        healths.into_iter().enumerate().map(one).collect()
    }

    fn one_group(healths: [Health; 6]) -> Group {
        let copies = copies(healths);
        let (state, able) = group(&copies, false);
        let version = (1, 0);
        Group { pg: 0, state, able, newcomer: None, version, last_lsn: 0, pgcl: 0, held_bytes: 0, copies }
    }

    #[test]
    fn a_copy_is_judged_by_membership_then_silence_then_lag() {
        assert_eq!(copy("member", 0, 0), Health::Ok);
        assert_eq!(copy("member", 100, BEHIND + 1), Health::Behind);
        assert_eq!(copy("member", SILENT_MS, 0), Health::Silent);
        assert_eq!(copy("newcomer", 100, BEHIND + 1), Health::Repairing);
        assert_eq!(copy("lost", 0, 0), Health::Lost);
    }

    #[test]
    fn four_are_enough_to_write_and_one_full_copy_to_read() {
        use Health::{Behind, Failed, Lost, Ok, Silent};
        let state = |healths| volume(&[one_group(healths)], None).0;
        assert_eq!(state([Ok, Ok, Behind, Ok, Ok, Ok]), State::Whole);
        assert_eq!(state([Ok, Ok, Ok, Ok, Silent, Failed]), State::Degraded);
        assert_eq!(state([Ok, Silent, Silent, Silent, Ok, Ok]), State::Stalled);
        assert_eq!(state([Lost, Ok, Silent, Ok, Silent, Ok]), State::Down);
        assert_eq!(group(&copies([Ok; 6]), true), (State::Degraded, 6));
        assert_eq!(volume(&[], None).0, State::Down);
    }

    #[test]
    fn the_verdict_names_who_to_look_at() {
        use Health::{Ok, Silent};
        let groups = [one_group([Ok; 6]), one_group([Ok, Ok, Ok, Silent, Ok, Ok])];
        let (state, text) = volume(&groups, None);
        assert_eq!((state, text.as_str()), (State::Degraded, "writes and reads go on; h3 in az2 is silent"));
        let log = Log { stalled_ms: 1500, ..Log::default() };
        let (state, text) = volume(&groups[..1], Some(&log));
        assert_eq!(state, State::Stalled);
        assert!(text.starts_with("the log has not moved for 1500 ms"), "{text}");
    }
}
