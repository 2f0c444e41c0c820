//! Intervals of key bytes: what a condition on one index part lets through.
//!
//! 1. All reasoning is on encoded bytes: `memcmp` is the column's order, NULL is the lowest value of a nullable part.
//! 2. A set is sorted and disjoint; union and intersection keep it so.
//! 3. No key of a part is a prefix of another one's, so `Included(k)` as an upper bound means the keys that start with `k`, and no other.

use std::cmp::Ordering;
use std::ops::Bound;

/// A stretch of keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Interval {
    pub(crate) lower: Bound<Vec<u8>>,
    pub(crate) upper: Bound<Vec<u8>>,
}

impl Interval {
    pub(crate) fn all() -> Interval {
        Interval { lower: Bound::Unbounded, upper: Bound::Unbounded }
    }

    pub(crate) fn point(key: Vec<u8>) -> Interval {
        Interval { lower: Bound::Included(key.clone()), upper: Bound::Included(key) }
    }

    /// The key, if it is just one.
    pub(crate) fn as_point(&self) -> Option<&[u8]> {
        match (&self.lower, &self.upper) {
            (Bound::Included(a), Bound::Included(b)) if a == b => Some(a),
            _ => None,
        }
    }

    fn is_empty(&self) -> bool {
        match (&self.lower, &self.upper) {
            (Bound::Included(a), Bound::Included(b)) => a > b,
            (Bound::Included(a) | Bound::Excluded(a), Bound::Included(b) | Bound::Excluded(b)) => a >= b,
            _ => false,
        }
    }

    fn intersect(&self, other: &Interval) -> Interval {
        let lower =
            if cmp_lower(&self.lower, &other.lower) == Ordering::Less { &other.lower } else { &self.lower };
        let upper =
            if cmp_upper(&self.upper, &other.upper) == Ordering::Less { &self.upper } else { &other.upper };
        Interval { lower: lower.clone(), upper: upper.clone() }
    }
}

fn cmp_lower(a: &Bound<Vec<u8>>, b: &Bound<Vec<u8>>) -> Ordering {
    let rank = |bound: &Bound<Vec<u8>>| u8::from(matches!(bound, Bound::Excluded(_)));
    match (key(a), key(b)) {
        (None, None) => Ordering::Equal,
        (None, _) => Ordering::Less,
        (_, None) => Ordering::Greater,
        (Some(x), Some(y)) => x.cmp(y).then(rank(a).cmp(&rank(b))),
    }
}

fn cmp_upper(a: &Bound<Vec<u8>>, b: &Bound<Vec<u8>>) -> Ordering {
    let rank = |bound: &Bound<Vec<u8>>| u8::from(matches!(bound, Bound::Included(_)));
    match (key(a), key(b)) {
        (None, None) => Ordering::Equal,
        (None, _) => Ordering::Greater,
        (_, None) => Ordering::Less,
        (Some(x), Some(y)) => x.cmp(y).then(rank(a).cmp(&rank(b))),
    }
}

fn key(bound: &Bound<Vec<u8>>) -> Option<&[u8]> {
    match bound {
        Bound::Included(k) | Bound::Excluded(k) => Some(k),
        Bound::Unbounded => None,
    }
}

/// Do the intervals overlap or touch, `a` starting first?
fn joins(a: &Interval, b: &Interval) -> bool {
    match (&a.upper, &b.lower) {
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => true,
        (Bound::Excluded(x), Bound::Excluded(y)) => x > y,
        (Bound::Included(x) | Bound::Excluded(x), Bound::Included(y) | Bound::Excluded(y)) => x >= y,
    }
}

/// Sorts, drops the empty ones, merges what overlaps.
pub(crate) fn normalise(mut set: Vec<Interval>) -> Vec<Interval> {
    set.retain(|i| !i.is_empty());
    set.sort_by(|a, b| cmp_lower(&a.lower, &b.lower));
    let mut out: Vec<Interval> = Vec::with_capacity(set.len());
    for next in set {
        match out.last_mut() {
            Some(last) if joins(last, &next) => {
                if cmp_upper(&last.upper, &next.upper) == Ordering::Less {
                    last.upper = next.upper;
                }
            }
            _ => out.push(next),
        }
    }
    out
}

/// What is in both sets.
pub(crate) fn intersect(a: &[Interval], b: &[Interval]) -> Vec<Interval> {
    let (mut i, mut j) = (0, 0);
    let mut out = Vec::new();
    while i < a.len() && j < b.len() {
        let both = a[i].intersect(&b[j]);
        if !both.is_empty() {
            out.push(both);
        }
        if cmp_upper(&a[i].upper, &b[j].upper) == Ordering::Less {
            i += 1;
        } else {
            j += 1;
        }
    }
    out
}
