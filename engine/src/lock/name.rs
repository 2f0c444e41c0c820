//! Names of locks: a tree and a key in it, with their hash worked out once.
//!
//! Keys of usual length lie within the name, so that taking a lock copies bytes and asks the allocator for nothing.

use smallvec::SmallVec;
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, Hash, Hasher};

/// Key bytes.
pub(crate) type KeyBytes = SmallVec<[u8; 32]>;

/// The name of a lock.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct LockRef {
    hash: u64,
    pub(crate) tree: u64,
    pub(crate) key: KeyBytes,
}

impl LockRef {
    pub(crate) fn new(tree: u64, key: &[u8]) -> LockRef {
        let mut h = tree.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ key.len() as u64;
        for chunk in key.chunks(8) {
            let mut b = [0; 8];
            b[..chunk.len()].copy_from_slice(chunk);
            h = (h ^ u64::from_le_bytes(b)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
            h ^= h >> 32;
        }
        LockRef { hash: h, tree, key: KeyBytes::from_slice(key) }
    }

    /// Spreads names over `shards`; other bits than a map's own choice of buckets.
    pub(crate) fn shard(&self, shards: usize) -> usize {
        (self.hash >> 48) as usize % shards
    }
}

impl Hash for LockRef {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl fmt::Debug for LockRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{:02x?}", self.tree, self.key.as_slice())
    }
}

/// Takes a hash that is known already.
#[derive(Clone, Copy, Default)]
pub(crate) struct Known(u64);

impl Hasher for Known {
    fn write(&mut self, bytes: &[u8]) {
        for b in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*b);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// A map by name. Nothing depends on its order: what lists it sorts.
pub(crate) type ByName<T> = HashMap<LockRef, T, BuildHasherDefault<Known>>;
