//! Compression of a logged-in client's connection: zlib or zstd, frame by frame, both ways.
//!
//! ```text
//!   socket ==read==> raw -> frames -> unpacked packets -> Inbox.input          Pipe.out -> frames -> packed ==write==> socket
//! ```
//! Invariants: (1) a frame unpacks to exactly what its header says, or the connection ends; (2) nothing is reserved for a frame before its
//! bytes have come, and never more than 16 MiB; (3) between requests both buffers are empty and given back.
//!
//! Compressors are made for each batch: their state is hundreds of KiB, which a waiting connection must not hold.

use bytes::{Buf, BytesMut};
use flate2::{Compression, Decompress, FlushDecompress, Status};
use mysql_wire::WireError;
use mysql_wire::compressed::{FrameHeader, HEADER, MAX_UNPACKED, WORTH_IT};
use std::io::{self, Write};

/// How frames are packed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Algorithm {
    Zlib,
    /// At this level, 1 to 22.
    Zstd(i32),
}

/// The state of a compressed connection.
#[derive(Debug)]
pub(crate) struct Codec {
    algorithm: Algorithm,
    /// Frames that have begun to arrive.
    pub(crate) raw: BytesMut,
    /// Number of the next frame to be sent.
    sequence: u8,
}

impl Codec {
    pub(crate) fn new(algorithm: Algorithm) -> Codec {
        Codec { algorithm, raw: BytesMut::new(), sequence: 0 }
    }

    /// Unpacks the frame at the front of what has arrived, at the end of `input`; false when it is not whole yet.
    pub(crate) fn unpack(&mut self, input: &mut BytesMut) -> Result<bool, WireError> {
        let Some(header) = FrameHeader::read(&self.raw) else { return Ok(false) };
        if self.raw.len() < HEADER + header.length {
            return Ok(false);
        }
        self.sequence = header.sequence.wrapping_add(1);
        let packed = &self.raw[HEADER..HEADER + header.length];
        match header.unpacked {
            None => input.extend_from_slice(packed),
            Some(size) => {
                let start = input.len();
                input.resize(start + size, 0);
                if !self.algorithm.unpack(packed, &mut input[start..]) {
                    return Err(WireError::Malformed);
                }
            }
        }
        self.raw.advance(HEADER + header.length);
        if self.raw.is_empty() {
            self.raw = BytesMut::new();
        }
        Ok(true)
    }

    /// Packs all of `out` into frames.
    ///
    /// # Errors
    /// The compressor's.
    pub(crate) fn pack(&mut self, out: &[u8]) -> io::Result<Vec<u8>> {
        let mut wire = Vec::with_capacity(out.len() / 2 + HEADER);
        for piece in out.chunks(MAX_UNPACKED) {
            let packed = if piece.len() < WORTH_IT { None } else { Some(self.algorithm.pack(piece)?) };
            let packed = packed.filter(|packed| packed.len() < piece.len());
            let body = packed.as_deref().unwrap_or(piece);
            let unpacked = packed.as_ref().map(|_| piece.len());
            let header = FrameHeader { length: body.len(), sequence: self.sequence, unpacked };
            wire.extend_from_slice(&header.bytes());
            wire.extend_from_slice(body);
            self.sequence = self.sequence.wrapping_add(1);
        }
        Ok(wire)
    }
}

impl Algorithm {
    fn pack(self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Algorithm::Zlib => {
                let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), Compression::default());
                encoder.write_all(bytes)?;
                encoder.finish()
            }
            Algorithm::Zstd(level) => zstd::bulk::compress(bytes, level),
        }
    }

    /// Fills `into` exactly.
    fn unpack(self, packed: &[u8], into: &mut [u8]) -> bool {
        match self {
            Algorithm::Zlib => {
                let mut decoder = Decompress::new(true);
                let done = decoder.decompress(packed, into, FlushDecompress::Finish);
                matches!(done, Ok(Status::StreamEnd)) && decoder.total_out() == into.len() as u64
            }
            Algorithm::Zstd(_) => {
                zstd::bulk::decompress_to_buffer(packed, into).is_ok_and(|size| size == into.len())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back(algorithm: Algorithm, bytes: &[u8]) -> usize {
        let (mut sender, mut receiver) = (Codec::new(algorithm), Codec::new(algorithm));
        let wire = sender.pack(bytes).unwrap();
        let mut input = BytesMut::new();
        // However the bytes are cut, what comes out is the same.
        for piece in wire.chunks(1000) {
            receiver.raw.extend_from_slice(piece);
            while receiver.unpack(&mut input).unwrap() {}
        }
        assert!(receiver.raw.is_empty() && input == bytes);
        wire.len()
    }

    #[test]
    fn what_is_packed_unpacks() {
        let long: Vec<u8> = (0..40_000_000u32).map(|i| (i / 1000) as u8).collect();
        for algorithm in [Algorithm::Zlib, Algorithm::Zstd(3)] {
            assert_eq!(there_and_back(algorithm, b"short"), 5 + HEADER, "not worth it");
            assert!(there_and_back(algorithm, &[7; 1000]) < 100);
            assert!(there_and_back(algorithm, &long) < long.len() / 10);
        }
    }

    #[test]
    fn a_lie_in_a_frame_is_malformed() {
        for algorithm in [Algorithm::Zlib, Algorithm::Zstd(3)] {
            let good = Codec::new(algorithm).pack(&[7; 1000]).unwrap();
            for at in [4, 5, HEADER + 3] {
                let mut bad = good.clone();
                bad[at] ^= 0x55;
                let mut codec = Codec::new(algorithm);
                codec.raw.extend_from_slice(&bad);
                assert!(codec.unpack(&mut BytesMut::new()).is_err(), "{algorithm:?} at {at}");
            }
        }
    }
}
