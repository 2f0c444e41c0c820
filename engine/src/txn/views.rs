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
    /// The view was ended by the history bound: what it sees is not kept any more.
    ended: bool,
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
    ended: AtomicU64,
}

impl Views {
    pub(crate) fn new() -> Views {
        Views {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            tick: AtomicU64::new(1),
            ended: AtomicU64::new(0),
        }
    }

    /// Takes a place without a view.
    pub(crate) fn enter(&self, session: u32) -> ViewPlace {
        let shard = session as usize % SHARDS;
        let mut places = self.shards[shard].lock();
        let place = Place { used: true, view: None, tick: self.tick.load(Ordering::SeqCst), ended: false };
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
            place.ended = false;
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
        places[at.index as usize] = Place { used: false, view: None, tick: 0, ended: false };
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
                let view = place.view.filter(|_| !place.ended);
                oldest.view = oldest.view.min(view.unwrap_or(Lsn::MAX));
                oldest.tick = oldest.tick.min(place.tick);
            }
        }
        oldest
    }

    /// Ends the oldest view if it is older than `than`: whoever reads with it is told. Every read asks after it has read, so what is
    /// taken away from under one is noticed before anything is made of it.
    pub(crate) fn end_oldest(&self, than: Lsn) -> bool {
        let mut oldest: Option<(Lsn, usize, usize)> = None;
        for (s, shard) in self.shards.iter().enumerate() {
            for (p, place) in shard.lock().iter().enumerate().filter(|(_, p)| p.used && !p.ended) {
                let Some(view) = place.view.filter(|view| *view < than) else { continue };
                if oldest.is_none_or(|(best, ..)| view < best) {
                    oldest = Some((view, s, p));
                }
            }
        }
        let Some((view, s, p)) = oldest else { return false };
        let mut places = self.shards[s].lock();
        // It may have left meanwhile, and another one come.
        let Some(place) = places.get_mut(p).filter(|p| p.used && p.view == Some(view)) else { return false };
        place.ended = true;
        self.ended.fetch_add(1, Ordering::SeqCst);
        true
    }

    /// How many views were ended; a reader that sees another number than before asks [`Views::is_ended`].
    pub(crate) fn ended(&self) -> u64 {
        self.ended.load(Ordering::SeqCst)
    }

    /// Whether the view of a place was ended.
    pub(crate) fn is_ended(&self, at: ViewPlace) -> bool {
        self.shards[usize::from(at.shard)].lock()[at.index as usize].ended
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
