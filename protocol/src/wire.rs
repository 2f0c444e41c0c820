//! The codec of heads and messages: little-endian, length-prefixed, no allocation larger than the input.
//!
//! Types made with [`wire_struct!`](crate::wire_struct) are encoded field by field in the order written; an enum is a
//! tag byte and its struct. A message or stored value is wrapped by its owner with a version byte and a CRC.

use crate::geometry::{AzId, Incarnation, NodeId, PgId, SegmentId, SegmentRole, VolumeId, WriterId};
use crate::lsn::{Lsn, VolumeEpoch};
use crate::page::PageId;
use bytes::Bytes;

/// Why bytes are no value of the type asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum WireError {
    /// The bytes end early.
    #[error("wire: {need} bytes needed, {have} left")]
    Short {
        /// Bytes needed.
        need: usize,
        /// Bytes left.
        have: usize,
    },
    /// Bytes are left over.
    #[error("wire: {left} bytes left over")]
    Trailing {
        /// Bytes left.
        left: usize,
    },
    /// A tag, version or flag nobody knows.
    #[error("wire: unknown {what} {value}")]
    Unknown {
        /// What it should be.
        what: &'static str,
        /// The value found.
        value: u64,
    },
    /// The checksum does not hold.
    #[error("wire: checksum does not hold")]
    Checksum,
}

/// Encoded input being consumed; slices of it share the allocation.
#[derive(Debug)]
pub struct Input {
    bytes: Bytes,
}

impl Input {
    /// Starts at the first byte.
    #[must_use]
    pub fn new(bytes: Bytes) -> Input {
        Input { bytes }
    }

    /// Takes `len` bytes.
    ///
    /// # Errors
    /// [`WireError::Short`].
    pub fn take(&mut self, len: usize) -> Result<Bytes, WireError> {
        if len > self.bytes.len() {
            return Err(WireError::Short { need: len, have: self.bytes.len() });
        }
        Ok(self.bytes.split_to(len))
    }

    /// Bytes not taken yet.
    #[must_use]
    pub fn left(&self) -> usize {
        self.bytes.len()
    }

    /// Asserts that everything was taken.
    ///
    /// # Errors
    /// [`WireError::Trailing`].
    pub fn finish(self) -> Result<(), WireError> {
        match self.bytes.len() {
            0 => Ok(()),
            left => Err(WireError::Trailing { left }),
        }
    }
}

/// A value with one encoding.
pub trait Wire: Sized {
    /// Appends the encoding.
    fn put(&self, out: &mut Vec<u8>);
    /// Takes one value.
    ///
    /// # Errors
    /// [`WireError`].
    fn get(input: &mut Input) -> Result<Self, WireError>;
}

/// Encodes a stored value: version byte, length, body, CRC-32C of all before it.
#[must_use]
pub fn seal<T: Wire>(version: u8, value: &T) -> Vec<u8> {
    let mut out = vec![version, 0, 0, 0, 0];
    value.put(&mut out);
    let len = (out.len() - 5) as u32;
    out[1..5].copy_from_slice(&len.to_le_bytes());
    let crc = crc32c::crc32c(&out);
    out.extend_from_slice(&crc.to_le_bytes());
    out
}

/// Decodes what [`seal`] made; `bytes` may be longer (padding of a sector).
///
/// # Errors
/// [`WireError`]; a wrong version is told before a wrong checksum.
pub fn unseal<T: Wire>(version: u8, bytes: &Bytes) -> Result<T, WireError> {
    if bytes.len() < 9 {
        return Err(WireError::Short { need: 9, have: bytes.len() });
    }
    let len = u32::from_le_bytes([bytes[1], bytes[2], bytes[3], bytes[4]]) as usize;
    let end = len.checked_add(5).filter(|end| *end + 4 <= bytes.len());
    let Some(end) = end else {
        return Err(WireError::Short { need: len, have: bytes.len() });
    };
    if bytes[0] != version {
        return Err(WireError::Unknown { what: "version", value: u64::from(bytes[0]) });
    }
    let stored = u32::from_le_bytes([bytes[end], bytes[end + 1], bytes[end + 2], bytes[end + 3]]);
    if crc32c::crc32c(&bytes[..end]) != stored {
        return Err(WireError::Checksum);
    }
    let mut input = Input::new(bytes.slice(5..end));
    let value = T::get(&mut input)?;
    input.finish()?;
    Ok(value)
}

macro_rules! int {
    ($($t:ty),*) => {$(
        impl Wire for $t {
            fn put(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }
            fn get(input: &mut Input) -> Result<Self, WireError> {
                let b = input.take(size_of::<$t>())?;
                let mut a = [0; size_of::<$t>()];
                a.copy_from_slice(&b);
                Ok(<$t>::from_le_bytes(a))
            }
        }
    )*};
}
int!(u8, u16, u32, u64, u128);

macro_rules! newtype {
    ($($t:ident),*) => {$(
        impl Wire for $t {
            fn put(&self, out: &mut Vec<u8>) {
                self.0.put(out);
            }
            fn get(input: &mut Input) -> Result<Self, WireError> {
                Ok($t(Wire::get(input)?))
            }
        }
    )*};
}
newtype!(Lsn, VolumeEpoch, PageId, PgId, AzId, VolumeId, NodeId, WriterId, Incarnation);

impl Wire for bool {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
    fn get(input: &mut Input) -> Result<Self, WireError> {
        match u8::get(input)? {
            0 => Ok(false),
            1 => Ok(true),
            value => Err(WireError::Unknown { what: "bool", value: u64::from(value) }),
        }
    }
}

impl Wire for SegmentId {
    fn put(&self, out: &mut Vec<u8>) {
        self.pg.put(out);
        self.position.put(out);
    }
    fn get(input: &mut Input) -> Result<Self, WireError> {
        let id = SegmentId { pg: Wire::get(input)?, position: Wire::get(input)? };
        if usize::from(id.position) >= crate::geometry::COPIES {
            return Err(WireError::Unknown { what: "segment position", value: u64::from(id.position) });
        }
        Ok(id)
    }
}

impl Wire for SegmentRole {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(match self {
            SegmentRole::Full => 1,
            SegmentRole::Tail => 2,
        });
    }
    fn get(input: &mut Input) -> Result<Self, WireError> {
        match u8::get(input)? {
            1 => Ok(SegmentRole::Full),
            2 => Ok(SegmentRole::Tail),
            value => Err(WireError::Unknown { what: "segment role", value: u64::from(value) }),
        }
    }
}

impl Wire for Bytes {
    fn put(&self, out: &mut Vec<u8>) {
        (self.len() as u32).put(out);
        out.extend_from_slice(self);
    }
    fn get(input: &mut Input) -> Result<Self, WireError> {
        let len = u32::get(input)? as usize;
        input.take(len)
    }
}

impl Wire for String {
    fn put(&self, out: &mut Vec<u8>) {
        (self.len() as u32).put(out);
        out.extend_from_slice(self.as_bytes());
    }
    fn get(input: &mut Input) -> Result<Self, WireError> {
        let bytes = Bytes::get(input)?;
        String::from_utf8(bytes.to_vec()).map_err(|_| WireError::Unknown { what: "UTF-8 text", value: 0 })
    }
}

impl<T: Wire> Wire for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.is_some().put(out);
        if let Some(value) = self {
            value.put(out);
        }
    }
    fn get(input: &mut Input) -> Result<Self, WireError> {
        Ok(if bool::get(input)? { Some(T::get(input)?) } else { None })
    }
}

impl<T: Wire> Wire for Vec<T> {
    fn put(&self, out: &mut Vec<u8>) {
        (self.len() as u32).put(out);
        for item in self {
            item.put(out);
        }
    }
    fn get(input: &mut Input) -> Result<Self, WireError> {
        let count = u32::get(input)? as usize;
        // Every item takes at least one byte: a count beyond the input is refused before allocating.
        if count > input.left() {
            return Err(WireError::Short { need: count, have: input.left() });
        }
        let mut items = Vec::with_capacity(count.min(1024));
        for _ in 0..count {
            items.push(T::get(input)?);
        }
        Ok(items)
    }
}

/// Declares a struct and its field-by-field encoding.
#[macro_export]
macro_rules! wire_struct {
    ($(#[$m:meta])* pub struct $n:ident { $($(#[$fm:meta])* pub $f:ident : $t:ty),* $(,)? }) => {
        $(#[$m])*
        #[derive(Clone, PartialEq, Eq, Debug)]
        pub struct $n { $($(#[$fm])* pub $f: $t),* }
        impl $crate::wire::Wire for $n {
            #[allow(unused_variables)]
            fn put(&self, out: &mut Vec<u8>) { $($crate::wire::Wire::put(&self.$f, out);)* }
            #[allow(unused_variables)]
            fn get(input: &mut $crate::wire::Input) -> Result<Self, $crate::wire::WireError> {
                Ok($n { $($f: $crate::wire::Wire::get(input)?),* })
            }
        }
    };
}

/// Declares an enum of structs and its encoding: one tag byte, then the struct.
#[macro_export]
macro_rules! wire_enum {
    ($(#[$m:meta])* pub enum $n:ident { $($(#[$vm:meta])* $tag:literal => $v:ident($t:ty)),* $(,)? }) => {
        $(#[$m])*
        #[derive(Clone, PartialEq, Eq, Debug)]
        pub enum $n { $($(#[$vm])* $v($t)),* }
        impl $crate::wire::Wire for $n {
            fn put(&self, out: &mut Vec<u8>) {
                match self { $($n::$v(inner) => { out.push($tag); $crate::wire::Wire::put(inner, out); })* }
            }
            fn get(input: &mut $crate::wire::Input) -> Result<Self, $crate::wire::WireError> {
                match <u8 as $crate::wire::Wire>::get(input)? {
                    $($tag => Ok($n::$v($crate::wire::Wire::get(input)?)),)*
                    value => Err($crate::wire::WireError::Unknown { what: stringify!($n), value: u64::from(value) }),
                }
            }
        }
        $(impl From<$t> for $n { fn from(inner: $t) -> $n { $n::$v(inner) } })*
    };
}
