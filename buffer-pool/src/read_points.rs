//! Read points in use: the lowest tells storage which page versions nobody here will ask for (PGMRPL).
//!
//! A read point is VDL at the moment a fetch starts. Taking it and entering it happen under one lock, so the floor never
//! passes a reader that has taken its point but not entered it.

use parking_lot::Mutex;
use protocol::Lsn;
use protocol::contract::LogWriter;
use std::collections::BTreeMap;

#[derive(Default)]
struct Points {
    in_use: BTreeMap<Lsn, usize>,
    released: Lsn,
}

#[derive(Default)]
pub(crate) struct ReadPoints {
    points: Mutex<Points>,
}

impl ReadPoints {
    /// Takes VDL as a read point.
    pub(crate) fn enter<'a>(&'a self, log: &'a dyn LogWriter) -> ReadPoint<'a> {
        let mut points = self.points.lock();
        let at = log.vdl();
        *points.in_use.entry(at).or_default() += 1;
        ReadPoint { points: self, log, at }
    }

    /// Tells storage the present floor if it rose; called now and then by writers, so that it moves without reads too.
    pub(crate) fn release(&self, log: &dyn LogWriter) {
        let floor = {
            let mut points = self.points.lock();
            let vdl = log.vdl();
            let floor = points.in_use.keys().next().copied().unwrap_or(vdl).min(vdl);
            if floor <= points.released {
                return;
            }
            points.released = floor;
            floor
        };
        log.release_below(floor);
    }

    /// The lowest read point in use, or VDL.
    pub(crate) fn floor(&self, log: &dyn LogWriter) -> Lsn {
        let points = self.points.lock();
        let vdl = log.vdl();
        points.in_use.keys().next().copied().unwrap_or(vdl).min(vdl)
    }
}

/// One read point in use, until dropped.
pub(crate) struct ReadPoint<'a> {
    points: &'a ReadPoints,
    log: &'a dyn LogWriter,
    at: Lsn,
}

impl ReadPoint<'_> {
    pub(crate) fn at(&self) -> Lsn {
        self.at
    }
}

impl Drop for ReadPoint<'_> {
    fn drop(&mut self) {
        {
            let mut points = self.points.points.lock();
            if let Some(count) = points.in_use.get_mut(&self.at) {
                *count -= 1;
                if *count == 0 {
                    points.in_use.remove(&self.at);
                }
            }
        }
        self.points.release(self.log);
    }
}
