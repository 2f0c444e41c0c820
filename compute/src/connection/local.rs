//! The contents of a client's file, as LOAD DATA LOCAL asks for them: packets of any size, the last one empty.
//!
//! Invariants: (1) a packet is at most max_allowed_packet, a wait at most net_read_timeout; (2) bytes behind the last packet belong to the
//! next request and are handed back.

use super::pipe::{Lost, Pipe, READ_SIZE};
use bytes::BytesMut;
use mysql_wire::frame::Decoder;
use std::time::Duration;

/// One file on its way in.
#[derive(Debug)]
pub(crate) struct LocalFile {
    decoder: Decoder,
    input: BytesMut,
    limit: Duration,
    open: bool,
}

impl LocalFile {
    pub(crate) fn new(max_packet: usize, limit: Duration) -> LocalFile {
        LocalFile { decoder: Decoder::new(max_packet), input: BytesMut::new(), limit, open: false }
    }

    /// The client was asked; its first packet has this number.
    pub(crate) fn begin(&mut self, sequence: u8) {
        self.decoder.expect(sequence);
        self.open = true;
    }

    /// The number after the last packet.
    pub(crate) fn next_sequence(&self) -> u8 {
        self.decoder.next_sequence()
    }

    /// The next packet's bytes; `None` at the end.
    pub(crate) async fn next(&mut self, pipe: &mut Pipe) -> Result<Option<Vec<u8>>, Lost> {
        if !self.open {
            return Ok(None);
        }
        while let Some(missing) = self.decoder.poll(&mut self.input)? {
            self.input.reserve(missing.clamp(READ_SIZE, 1 << 18));
            let entry = pipe.entry.clone();
            let read = tokio::time::timeout(self.limit, pipe.read(&mut self.input, usize::MAX));
            tokio::select! {
                biased;
                result = read => result.map_err(|_| Lost::Gone)??,
                ending = entry.ended() => return Err(Lost::Ending(ending)),
            }
        }
        let bytes = self.decoder.payload(&self.input).to_vec();
        self.decoder.release(&mut self.input);
        self.open = !bytes.is_empty();
        Ok(self.open.then_some(bytes))
    }

    /// The client has not sent all of it yet: what comes next is no request.
    pub(crate) fn is_open(&self) -> bool {
        self.open
    }

    /// What came behind the file.
    pub(crate) fn rest(self) -> BytesMut {
        self.input
    }
}
