//! Compressed frames: what goes over the socket once both sides agreed on zlib or zstd. Inside is the ordinary stream of packets, cut anywhere.
//!
//! ```text
//!   | length on the wire 3 | sequence 1 | length unpacked 3, or 0: not compressed | bytes ... |
//! ```
//! Invariants: (1) a frame unpacks to at most 16 MiB - 1 bytes, which its header says before anything is reserved; (2) a frame below
//! [`WORTH_IT`] bytes is sent as it is, as MySQL does.
//!
//! The compressors themselves are not here: this crate knows bytes only. Source: "Protocol::Compressed Packets".

/// Bytes before each frame's contents.
pub const HEADER: usize = 7;
/// The most bytes a frame may unpack to.
pub const MAX_UNPACKED: usize = 0xff_ffff;
/// Fewer bytes are not compressed (MySQL's MIN_COMPRESS_LENGTH).
pub const WORTH_IT: usize = 50;

/// A frame's header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FrameHeader {
    /// Bytes behind the header.
    pub length: usize,
    /// Its number in the exchange.
    pub sequence: u8,
    /// Bytes after unpacking; `None`: they are not compressed.
    pub unpacked: Option<usize>,
}

impl FrameHeader {
    /// The header at the front of `input`, if it is there as a whole.
    pub fn read(input: &[u8]) -> Option<FrameHeader> {
        let header = input.first_chunk::<HEADER>()?;
        let number = |a, b, c| u32::from_le_bytes([a, b, c, 0]) as usize;
        let unpacked = number(header[4], header[5], header[6]);
        Some(FrameHeader {
            length: number(header[0], header[1], header[2]),
            sequence: header[3],
            unpacked: (unpacked > 0).then_some(unpacked),
        })
    }

    /// Its bytes.
    pub fn bytes(self) -> [u8; HEADER] {
        let [a, b, c, _] = (self.length as u32).to_le_bytes();
        let [x, y, z, _] = (self.unpacked.unwrap_or(0) as u32).to_le_bytes();
        [a, b, c, self.sequence, x, y, z]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_round_trip() {
        for header in [
            FrameHeader { length: 0, sequence: 0, unpacked: None },
            FrameHeader { length: 0x12_3456, sequence: 255, unpacked: Some(MAX_UNPACKED) },
        ] {
            assert_eq!(FrameHeader::read(&header.bytes()), Some(header));
        }
        assert_eq!(FrameHeader::read(&[0; HEADER - 1]), None);
    }
}
