//! Packets: a 3-byte length, a sequence number, a payload; payloads of 16 MiB - 1 and more continue in the next packet.
//!
//! ```text
//!   read buffer: | len 3 | seq 1 | payload ... | len | seq | payload ... |      pipelined requests lie one behind the other
//! ```
//!
//! Invariants: (1) a payload above the cap is refused by its header, before its bytes are waited for; (2) a payload that came in
//! one packet is borrowed from the read buffer, only a continued one is copied, and its copy grows with what was received;
//! (3) the sequence number starts at 0 with every command, and a wrong one is an error at its header.
//!
//! Source: "Protocol Basics: MySQL Packets".

use crate::WireError;
use bytes::{Buf, BytesMut};

/// The largest payload of one packet; a packet this long is continued by the next.
pub const MAX_CHUNK: usize = 0xff_ffff;
/// Bytes before each packet's payload.
pub const HEADER: usize = 4;
/// The cap on payloads before authentication: a login with all its attributes fits.
pub const PRE_AUTH_LIMIT: usize = 64 * 1024;

/// Finds payloads in a stream of bytes. One per connection.
#[derive(Debug)]
pub struct Decoder {
    limit: usize,
    expected: u8,
    /// Chunks of a continued payload, already taken out of the read buffer.
    gathered: BytesMut,
    continued: bool,
    /// Bytes of the read buffer behind the payload handed out last.
    consumed: usize,
}

impl Decoder {
    /// A decoder that accepts payloads of at most `limit` bytes (use [`PRE_AUTH_LIMIT`] first).
    pub fn new(limit: usize) -> Self {
        Self { limit, expected: 0, gathered: BytesMut::new(), continued: false, consumed: 0 }
    }

    /// Sets the cap: max_allowed_packet once the client is who it says.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// The next packet starts a new exchange: its sequence number is 0.
    pub fn start_command(&mut self) {
        self.expected = 0;
    }

    /// The server sent packets up to (not including) sequence number `next`; the client answers with `next`.
    pub fn expect(&mut self, next: u8) {
        self.expected = next;
    }

    /// The sequence number of the answer's first packet.
    pub fn next_sequence(&self) -> u8 {
        self.expected
    }

    /// Looks for one payload at the front of `input`: `None` when it is whole ([`Decoder::payload`]), else how many bytes are missing
    /// from the packet that has begun. Chunks of a continued payload are taken out of `input` at once; the bytes of the last one stay
    /// there until [`Decoder::release`].
    ///
    /// # Errors
    /// [`WireError::TooLarge`] and [`WireError::OutOfOrder`], both fatal for the connection.
    pub fn poll(&mut self, input: &mut BytesMut) -> Result<Option<usize>, WireError> {
        debug_assert_eq!(self.consumed, 0, "a payload was not released");
        loop {
            let Some(header) = input.first_chunk::<HEADER>() else {
                return Ok(Some(HEADER - input.len()));
            };
            let [a, b, c, sequence] = *header;
            let length = u32::from_le_bytes([a, b, c, 0]) as usize;
            if sequence != self.expected {
                return Err(WireError::OutOfOrder);
            }
            if self.gathered.len() + length > self.limit {
                return Err(WireError::TooLarge);
            }
            let end = HEADER + length;
            if input.len() < end {
                return Ok(Some(end - input.len()));
            }
            self.expected = self.expected.wrapping_add(1);
            if length == MAX_CHUNK {
                self.gathered.extend_from_slice(&input[HEADER..end]);
                self.continued = true;
                input.advance(end);
                continue;
            }
            self.consumed = end;
            if self.continued {
                self.gathered.extend_from_slice(&input[HEADER..end]);
            }
            return Ok(None);
        }
    }

    /// The payload that [`Decoder::poll`] found whole.
    pub fn payload<'a>(&'a self, input: &'a BytesMut) -> &'a [u8] {
        if self.continued { &self.gathered } else { input.get(HEADER..self.consumed).unwrap_or_default() }
    }

    /// True when at least one byte of the next payload has come.
    pub fn has_begun(&self, input: &BytesMut) -> bool {
        self.continued || !input.is_empty()
    }

    /// Drops the payload handed out last from `input` (and what was gathered for it).
    pub fn release(&mut self, input: &mut BytesMut) {
        input.advance(std::mem::take(&mut self.consumed).min(input.len()));
        if self.continued {
            self.continued = false;
            self.gathered = BytesMut::new();
        }
    }

    /// Bytes held back for a continued payload.
    pub fn gathered_bytes(&self) -> usize {
        self.gathered.len()
    }
}

/// Makes the bytes of `out` from `start` on (4 bytes of room, then a payload) into packets that begin with `sequence`; returns the
/// sequence number after them.
pub(crate) fn seal(out: &mut BytesMut, start: usize, sequence: u8) -> u8 {
    let length = out.len() - start - HEADER;
    if length < MAX_CHUNK {
        write_header(out, start, length, sequence);
        return sequence.wrapping_add(1);
    }
    seal_continued(out, start, length, sequence)
}

/// The rare case: moves the chunks apart, last one first, and writes a header before each.
#[cold]
fn seal_continued(out: &mut BytesMut, start: usize, length: usize, sequence: u8) -> u8 {
    let chunks = length / MAX_CHUNK + 1;
    out.resize(out.len() + HEADER * (chunks - 1), 0);
    for i in (0..chunks).rev() {
        let from = start + HEADER + i * MAX_CHUNK;
        let n = if i + 1 == chunks { length % MAX_CHUNK } else { MAX_CHUNK };
        let to = from + HEADER * i;
        out.copy_within(from..from + n, to);
        write_header(out, to - HEADER, n, sequence.wrapping_add(i as u8));
    }
    sequence.wrapping_add(chunks as u8)
}

fn write_header(out: &mut BytesMut, at: usize, length: usize, sequence: u8) {
    let [a, b, c, _] = (length as u32).to_le_bytes();
    out[at..at + HEADER].copy_from_slice(&[a, b, c, sequence]);
}
