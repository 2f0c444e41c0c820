//! Quorum arithmetic of one protection group: how far four of six have come, in both sets while a member is replaced.
//!
//! ```text
//!  members   A  B  C  D  E  F        joint: position 5, newcomer G
//!  SCL      90 90 90 70 70  -        set 1 = A B C D E F, set 2 = A B C D E G
//!  4th largest of each set, then the smaller of the two (R12)
//! ```

use protocol::Lsn;
use protocol::geometry::{COPIES, WRITE_QUORUM};
use protocol::mutant;

/// One value per position, and the newcomer's beside the member it replaces.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Votes<T> {
    /// By position, of the lives the head names.
    pub members: [T; COPIES],
    /// Position and value of the newcomer while membership is joint. The value must be the empty one until it has everything.
    pub newcomer: Option<(u8, T)>,
}

impl<T: Copy> Votes<T> {
    /// The second set while joint.
    fn joined(&self) -> Option<[T; COPIES]> {
        self.newcomer.map(|(position, value)| {
            let mut set = self.members;
            set[usize::from(position)] = value;
            set
        })
    }
}

impl Votes<Lsn> {
    /// The LSN that `need` copies of every set have reached.
    #[must_use]
    pub fn reached(&self, need: usize) -> Lsn {
        let first = nth_largest(self.members, need);
        self.joined().map_or(first, |set| first.min(nth_largest(set, need)))
    }
}

impl Votes<bool> {
    /// True when `need` copies of every set say yes.
    #[must_use]
    pub fn hold(&self, need: usize) -> bool {
        let yes = |set: &[bool; COPIES]| set.iter().filter(|v| **v).count() >= need;
        yes(&self.members) && self.joined().is_none_or(|set| yes(&set))
    }
}

fn nth_largest(mut values: [Lsn; COPIES], need: usize) -> Lsn {
    values.sort_unstable_by(|a, b| b.cmp(a));
    values[need - 1]
}

/// Copies that make a record durable (R11): four, whatever happens.
#[must_use]
pub fn write_quorum() -> usize {
    if mutant!(AckAt3) { WRITE_QUORUM - 1 } else { WRITE_QUORUM }
}

/// Copies an opening must hear (R6).
#[must_use]
pub fn read_quorum() -> usize {
    if mutant!(RecoveryReadsTwo) { 2 } else { WRITE_QUORUM }
}

/// Copies that suffice for a group other than 0 when an availability zone and one more are down: every record at quorum is on
/// at least one of any three, provided that none of them lost part of its log (R5, R6).
pub const DEGRADED_QUORUM: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    fn lsns(values: [u64; 6]) -> [Lsn; 6] {
        values.map(Lsn)
    }

    #[test]
    fn the_fourth_largest_is_at_quorum() {
        let votes = Votes { members: lsns([90, 40, 90, 70, 90, 70]), newcomer: None };
        assert_eq!(votes.reached(4), Lsn(70));
        assert_eq!(votes.reached(3), Lsn(90));
    }

    #[test]
    fn both_sets_must_reach_it_while_joint() {
        let mut votes = Votes { members: lsns([90, 90, 90, 10, 10, 90]), newcomer: Some((5, Lsn::ZERO)) };
        assert_eq!(votes.reached(4), Lsn(10), "the newcomer's set has only three");
        votes.newcomer = Some((5, Lsn(80)));
        assert_eq!(votes.reached(4), Lsn(80));
        votes.members[5] = Lsn::ZERO;
        assert_eq!(votes.reached(4), Lsn(10), "the leaving member's set has only three");
    }

    #[test]
    fn yes_votes_are_counted_in_both_sets() {
        let mut votes = Votes { members: [true, true, true, true, false, false], newcomer: Some((0, false)) };
        assert!(!votes.hold(4));
        votes.newcomer = Some((4, true));
        assert!(votes.hold(4));
    }
}
