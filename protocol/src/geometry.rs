//! Who and where: identities of volumes, nodes and segments, and which protection group holds a page.

use crate::page::PageId;
use std::fmt;

macro_rules! id128 {
    ($(#[$m:meta])* $n:ident) => {
        $(#[$m])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $n(pub u128);
        impl fmt::Debug for $n {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:032x}", self.0)
            }
        }
        impl fmt::Display for $n {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:032x}", self.0)
            }
        }
    };
}

id128!(
    /// Identity of a volume, drawn at its creation.
    VolumeId
);
id128!(
    /// Identity of a storage node (a node folder), drawn when the folder is made; a wiped folder gets a new one.
    NodeId
);
id128!(
    /// A fresh nonce per *attempt* to open for writing, never per host (R7).
    WriterId
);
id128!(
    /// One life of a segment in one folder. A segment whose folder was lost comes back with another
    /// incarnation and counts in no quorum until a head names it (R5, R12).
    Incarnation
);

/// A protection group: six segments that hold the same part of the log. PG 0 also arbitrates (R7, R9).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PgId(pub u32);

impl fmt::Debug for PgId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pg{}", self.0)
    }
}

impl fmt::Display for PgId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// One of the six copies of a protection group: `pg * 6 + position` for the founding members.
///
/// The position (0..6) fixes the availability zone (two positions a zone) and does not change when a
/// member is replaced; the [`Incarnation`] tells the lives apart.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SegmentId {
    /// The protection group.
    pub pg: PgId,
    /// Position in the group, 0..6.
    pub position: u8,
}

impl fmt::Debug for SegmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.pg.0, self.position)
    }
}

impl fmt::Display for SegmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.pg.0, self.position)
    }
}

/// An availability zone, 1..=3.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct AzId(pub u8);

/// What a segment keeps: both kinds vote alike; only full ones store pages (system.md, "Records, pages, segments").
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum SegmentRole {
    /// Log and pages.
    Full,
    /// Log only.
    Tail,
}

/// Segments of a protection group.
pub const COPIES: usize = 6;
/// Copies that make a record durable.
pub const WRITE_QUORUM: usize = 4;

/// The founding role of a position: one full and one tail segment per availability zone.
#[must_use]
pub fn founding_role(position: u8) -> SegmentRole {
    if position.is_multiple_of(2) { SegmentRole::Full } else { SegmentRole::Tail }
}

/// The availability zone of a position.
#[must_use]
pub fn az_of(position: u8) -> AzId {
    AzId(position / 2 + 1)
}

/// How pages are spread over protection groups; fixed when the volume is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Geometry {
    /// Pages in one protection group, at least 1. 10 GiB are 655,360 pages of 16 KiB.
    pub pages_per_pg: u64,
}

impl Geometry {
    /// The default size: protection groups of 10 GiB.
    pub const DEFAULT: Geometry = Geometry { pages_per_pg: 655_360 };

    /// The protection group that holds `page`.
    #[must_use]
    pub fn pg_of(&self, page: PageId) -> PgId {
        let pg = page.0 / self.pages_per_pg.max(1);
        PgId(u32::try_from(pg).expect("invariant: page ids stay below 2^32 protection groups"))
    }

    /// The first page of a protection group.
    #[must_use]
    pub fn first_page(&self, pg: PgId) -> PageId {
        PageId(u64::from(pg.0) * self.pages_per_pg)
    }
}
