//! The stored versions of one page. Most pages have one, and it lies in the index itself: a page then costs no allocation of its own.
//!
//! ```text
//!   page 7  ► One  @120 slot 3
//!   page 8  ► Many ─► [ @90 slot 1 | @260 slot 9 ]        exactly as long as it must be
//! ```

use crate::store::Version;

/// Oldest first, never empty.
#[derive(Clone, Debug)]
pub(crate) enum Versions {
    One(Version),
    Many(Box<[Version]>),
}

// What a page costs in the index rests on this.
const _: () = assert!(size_of::<Versions>() <= 24);

impl Versions {
    pub(crate) fn all(&self) -> &[Version] {
        match self {
            Self::One(version) => std::slice::from_ref(version),
            Self::Many(versions) => versions,
        }
    }

    /// Puts a version in its place by LSN; the one with the same LSN that it replaces.
    pub(crate) fn put(&mut self, version: Version) -> Option<Version> {
        let mut all = self.all().to_vec();
        let at = all.partition_point(|v| v.lsn < version.lsn);
        if let Some(same) = all.get_mut(at).filter(|v| v.lsn == version.lsn) {
            let old = std::mem::replace(same, version);
            *self = Self::of(all);
            return Some(old);
        }
        all.reserve_exact(1);
        all.insert(at, version);
        *self = Self::of(all);
        None
    }

    /// Without the version at `at`; `None`: it was the only one.
    pub(crate) fn without(&self, at: usize) -> Option<Versions> {
        let mut all = self.all().to_vec();
        all.remove(at);
        (!all.is_empty()).then(|| Self::of(all))
    }

    fn of(all: Vec<Version>) -> Versions {
        match all[..] {
            [version] => Self::One(version),
            _ => Self::Many(all.into_boxed_slice()),
        }
    }
}
