//! Open read views, and which statements are under way.
//!
//! Sharded by session, so that two connections share no lock. A place holds the view (what purge must keep) and the tick at which the
//! running statement began (what must not be forgotten under it: registry invariant 1).
//!
//! Invariant: a view is taken (VDL read) under the shard's lock, and the oldest view starts from a VDL read before any shard is looked
//! at. So no view opens below what purge was told.

use parking_lot::Mutex;
use protocol::lsn::Lsn;
use std::sync::atomic::{AtomicU64, Ordering};

const SHARDS: usize = 64;

#[derive(Clone, Copy, Debug)]
struct Place {
    used: bool,
    view: Option<Lsn>,
    tick: u64,
}

/// A place taken; [`Views::leave`] gives it back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ViewPlace {
    shard: u8,
    index: u32,
}

/// What the open views allow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Oldest {
    /// Commits at or below are seen by every open view and every later one.
    pub(crate) view: Lsn,
    /// Every statement under way began at this tick or later.
    pub(crate) tick: u64,
}

/// All open views of this node.
#[derive(Debug)]
pub(crate) struct Views {
    shards: Vec<Mutex<Vec<Place>>>,
    tick: AtomicU64,
}

impl Views {
    pub(crate) fn new() -> Views {
        Views { shards: (0..SHARDS).map(|_| Mutex::default()).collect(), tick: AtomicU64::new(1) }
    }

    /// Takes a place without a view.
    pub(crate) fn enter(&self, session: u32) -> ViewPlace {
        let shard = session as usize % SHARDS;
        let mut places = self.shards[shard].lock();
        let place = Place { used: true, view: None, tick: self.tick.load(Ordering::SeqCst) };
        let index = match places.iter().position(|p| !p.used) {
            Some(index) => {
                places[index] = place;
                index
            }
            None => {
                places.push(place);
                places.len() - 1
            }
        };
        ViewPlace { shard: shard as u8, index: index as u32 }
    }

    /// A statement begins: what earlier ones copied is no longer looked at. `keep_view`: REPEATABLE READ.
    pub(crate) fn statement(&self, at: ViewPlace, keep_view: bool) {
        let mut places = self.shards[usize::from(at.shard)].lock();
        let place = &mut places[at.index as usize];
        place.tick = self.tick.load(Ordering::SeqCst);
        if !keep_view {
            place.view = None;
        }
    }

    /// The view of a place; opened at `vdl()` when there is none yet.
    pub(crate) fn view(&self, at: ViewPlace, vdl: impl FnOnce() -> Lsn) -> Lsn {
        let mut places = self.shards[usize::from(at.shard)].lock();
        *places[at.index as usize].view.get_or_insert_with(vdl)
    }

    /// Gives a place back.
    pub(crate) fn leave(&self, at: ViewPlace) {
        let mut places = self.shards[usize::from(at.shard)].lock();
        places[at.index as usize] = Place { used: false, view: None, tick: 0 };
    }

    /// Moves time on and returns the tick before: statements that began at it or earlier may have seen what was there.
    pub(crate) fn next_tick(&self) -> u64 {
        self.tick.fetch_add(1, Ordering::SeqCst)
    }

    /// The oldest view and statement; `vdl` must have been read before this call.
    pub(crate) fn oldest(&self, vdl: Lsn) -> Oldest {
        let mut oldest = Oldest { view: vdl, tick: self.tick.load(Ordering::SeqCst) };
        for shard in &self.shards {
            for place in shard.lock().iter().filter(|p| p.used) {
                oldest.view = oldest.view.min(place.view.unwrap_or(Lsn::MAX));
                oldest.tick = oldest.tick.min(place.tick);
            }
        }
        oldest
    }

    /// Places taken and views open, for status.
    pub(crate) fn count(&self) -> (usize, usize) {
        let mut count = (0, 0);
        for shard in &self.shards {
            for place in shard.lock().iter().filter(|p| p.used) {
                count.0 += 1;
                count.1 += usize::from(place.view.is_some());
            }
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_view_counts_until_it_is_left() {
        let views = Views::new();
        let (a, b) = (views.enter(1), views.enter(65));
        assert_ne!(a, b);
        assert_eq!(views.view(a, || Lsn(10)), Lsn(10));
        assert_eq!(views.view(a, || Lsn(20)), Lsn(10), "repeatable");
        assert_eq!(views.view(b, || Lsn(20)), Lsn(20));
        assert_eq!(views.oldest(Lsn(30)).view, Lsn(10));
        views.statement(a, false);
        assert_eq!(views.oldest(Lsn(30)).view, Lsn(20));
        views.leave(b);
        assert_eq!(views.oldest(Lsn(30)).view, Lsn(30));
        assert_eq!(views.view(a, || Lsn(40)), Lsn(40));
        assert_eq!(views.count(), (1, 1));
    }

    #[test]
    fn a_tick_passes_when_every_statement_before_it_is_over() {
        let views = Views::new();
        let a = views.enter(1);
        let gone = views.next_tick();
        assert!(views.oldest(Lsn(1)).tick <= gone);
        views.statement(a, true);
        assert!(views.oldest(Lsn(1)).tick > gone);
    }
}
