//! From a volume read point to a group's: the group's last record at or below it.
//!
//! An idle group's SCL stands still while VDL moves on; a read that asked it for the volume's LSN would wait for ever.
//!
//! ```text
//!  volume   ....10....20....30....40....50   VDL = 50
//!  pg0           10    20          40    50
//!  pg1                       30             read point of 50 is 30, and SCL 30 serves it
//! ```

use protocol::Lsn;
use std::collections::VecDeque;

/// Where a group's mini-transactions ended, from the last one at or below the released point on.
#[derive(Clone, Debug)]
pub(crate) struct ReadPoints {
    ends: VecDeque<Lsn>,
    released: Lsn,
}

impl ReadPoints {
    /// `last` is the group's last record at or below `vdl`, which is where this writer starts.
    pub(crate) fn new(last: Lsn, vdl: Lsn) -> ReadPoints {
        assert!(last <= vdl || vdl == Lsn::ZERO, "group's last record {last} lies above VDL {vdl}");
        ReadPoints { ends: VecDeque::from([last]), released: vdl }
    }

    /// The group's last record of one more mini-transaction.
    pub(crate) fn push(&mut self, lsn: Lsn) {
        let last = self.ends.back().copied().unwrap_or(Lsn::ZERO);
        assert!(lsn > last, "read points must rise: {last} then {lsn}");
        self.ends.push_back(lsn);
    }

    /// The group's read point for the volume's `at`; `None` below what was released.
    pub(crate) fn at(&self, at: Lsn) -> Option<Lsn> {
        if at < self.released {
            return None;
        }
        let above = self.ends.partition_point(|end| *end <= at);
        above.checked_sub(1).map(|i| self.ends[i])
    }

    /// No reader asks below `lsn` any more. Returns the group's lowest read point in use.
    pub(crate) fn release(&mut self, lsn: Lsn) -> Lsn {
        self.released = self.released.max(lsn);
        while self.ends.len() > 1 && self.ends[1] <= self.released {
            self.ends.pop_front();
        }
        self.ends[0].min(self.released)
    }

    /// The group's last record, allocated but maybe not durable.
    pub(crate) fn last(&self) -> Lsn {
        self.ends.back().copied().unwrap_or(Lsn::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_point_of_an_idle_group_stands_still() {
        let mut points = ReadPoints::new(Lsn(30), Lsn(30));
        assert_eq!(points.at(Lsn(50)), Some(Lsn(30)));
        points.push(Lsn(60));
        assert_eq!(points.at(Lsn(59)), Some(Lsn(30)));
        assert_eq!(points.at(Lsn(60)), Some(Lsn(60)));
        assert_eq!(points.at(Lsn(29)), None);
    }

    #[test]
    fn releasing_keeps_the_point_of_the_released_lsn() {
        let mut points = ReadPoints::new(Lsn(30), Lsn(30));
        points.push(Lsn(60));
        points.push(Lsn(90));
        assert_eq!(points.release(Lsn(70)), Lsn(60));
        assert_eq!(points.at(Lsn(70)), Some(Lsn(60)));
        assert_eq!(points.at(Lsn(60)), None);
        assert_eq!(points.last(), Lsn(90));
    }
}
