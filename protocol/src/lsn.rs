//! The one clock: log sequence numbers, and the epochs of those who write.

use std::fmt;

/// A position in the volume's log space, in bytes; also the only number that orders events.
///
/// A record's LSN is the position of its last byte. The space has holes (each opening leaves one), so an
/// LSN is never a file offset. All bounds in this project are inclusive. `Lsn::ZERO` is "before everything".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Lsn(pub u64);

impl Lsn {
    /// Before every record.
    pub const ZERO: Lsn = Lsn(0);
    /// Above every record; used as an open upper bound only.
    pub const MAX: Lsn = Lsn(u64::MAX);

    /// The position `bytes` further; asserts instead of wrapping.
    #[must_use]
    pub fn advance(self, bytes: u64) -> Lsn {
        Lsn(self.0.checked_add(bytes).expect("invariant: the LSN space of 2^64 bytes is not exhausted"))
    }

    /// Distance in bytes from `earlier` to here; zero when `earlier` is not earlier.
    #[must_use]
    pub fn since(self, earlier: Lsn) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Debug for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "@{}", self.0)
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Raised by whoever opens the volume for writing; every request and every record carries it (R3, R6, R7).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct VolumeEpoch(pub u64);

impl VolumeEpoch {
    /// No writer has opened the volume yet.
    pub const NONE: VolumeEpoch = VolumeEpoch(0);

    /// The epoch after this one.
    #[must_use]
    pub fn next(self) -> VolumeEpoch {
        VolumeEpoch(self.0.checked_add(1).expect("invariant: epochs are not exhausted"))
    }
}

impl fmt::Debug for VolumeEpoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "e{}", self.0)
    }
}

impl fmt::Display for VolumeEpoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
