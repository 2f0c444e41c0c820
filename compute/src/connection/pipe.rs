//! The connection's two ends of bytes: what comes in is gathered until a request is whole, what goes out is sent with one write.
//!
//! ```text
//!   socket ==read==> Inbox{input, decoder} -> payload        one read per request, several requests per read when pipelined
//!   socket <==write== Pipe{out} <- answers                   one write per batch of requests: flushed only before waiting
//! ```
//! Invariants: (1) the buffers of a waiting connection together take at most [`KEPT`] + [`READ_SIZE`] bytes; (2) the input buffer grows
//! with what arrives, not with what a header promises; (3) every wait has a limit.

use super::compress::{Algorithm, Codec};
use super::stream::{Socket, Stream};
use crate::server::{Ending, Entry, Figures};
use bytes::{BufMut, BytesMut};
use mysql_wire::WireError;
use mysql_wire::frame::Decoder;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

/// Room made for each read.
pub(crate) const READ_SIZE: usize = 2 * 1024;
/// The most room made for the rest of a large packet at a time.
const READ_AHEAD: usize = 256 * 1024;
/// An output buffer larger than this is given back once it is sent.
pub(crate) const KEPT: usize = 16 * 1024;
/// An answer is sent piece by piece once this much of it is there.
pub(crate) const FLUSH_AT: usize = 64 * 1024;

/// Compressing more than this is kept off the threads that serve others.
const LONG_WORK: usize = 256 * 1024;

/// Why a connection ends.
#[derive(Debug)]
pub(crate) enum Lost {
    /// The client went away, or waited too long in the middle of a packet.
    Gone,
    /// It broke the protocol: the error is sent before the connection closes.
    Wire(WireError),
    /// It was asked to end.
    Ending(Ending),
    /// A deliberate end: everything that had to be said was said.
    Done,
}

impl From<io::Error> for Lost {
    fn from(_: io::Error) -> Self {
        Lost::Gone
    }
}

impl From<WireError> for Lost {
    fn from(error: WireError) -> Self {
        Lost::Wire(error)
    }
}

/// The socket and what waits to be sent.
pub(crate) struct Pipe {
    stream: Stream,
    pub(crate) out: BytesMut,
    pub(crate) entry: Arc<Entry>,
    pub(super) write_limit: Duration,
    codec: Option<Box<Codec>>,
}

impl Pipe {
    pub(crate) fn new(socket: Socket, entry: Arc<Entry>, write_limit: Duration) -> Self {
        Self { stream: Stream::Plain(socket), out: BytesMut::new(), entry, write_limit, codec: None }
    }

    pub(crate) fn in_tls(&self) -> bool {
        self.stream.is_tls()
    }

    /// Version and cipher of its TLS.
    pub(crate) fn tls(&self) -> Option<(&'static str, &'static str)> {
        self.stream.tls()
    }

    /// TLS or a Unix socket: a password may be sent as it is.
    pub(crate) fn is_private(&self) -> bool {
        self.stream.is_private()
    }

    /// From here on both sides speak in compressed frames.
    pub(crate) fn compress(&mut self, algorithm: Algorithm) {
        self.codec = Some(Box::new(Codec::new(algorithm)));
    }

    /// Sends everything that waits.
    pub(crate) async fn flush(&mut self) -> Result<(), Lost> {
        if self.out.is_empty() {
            return Ok(());
        }
        let packed = match &mut self.codec {
            Some(codec) if self.out.len() > LONG_WORK => {
                Some(tokio::task::block_in_place(|| codec.pack(&self.out))?)
            }
            Some(codec) => Some(codec.pack(&self.out)?),
            None => None,
        };
        let bytes = packed.as_deref().unwrap_or(&self.out);
        Figures::add(&self.entry.figures.bytes_sent, bytes.len() as u64);
        Figures::add(&self.entry.figures.writes, 1);
        let send = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        match tokio::time::timeout(self.write_limit, send).await {
            Ok(result) => result?,
            Err(_) => return Err(Lost::Gone),
        }
        if self.out.capacity() > KEPT {
            self.out = BytesMut::new()
        } else {
            self.out.clear()
        }
        Ok(())
    }

    /// Encrypts the connection.
    pub(crate) async fn encrypt(&mut self, acceptor: &TlsAcceptor) -> Result<(), Lost> {
        Ok(self.stream.encrypt(acceptor).await?)
    }

    /// Reads what is there, at most `most` bytes; of a compressed connection, what one frame holds.
    pub(super) async fn read(&mut self, input: &mut BytesMut, most: usize) -> Result<(), Lost> {
        let Some(codec) = &mut self.codec else {
            let n = self.stream.read_buf(&mut input.limit(most)).await?;
            return self.count_read(n);
        };
        loop {
            if codec.unpack(input)? {
                return Ok(());
            }
            codec.raw.reserve(READ_SIZE);
            let n = self.stream.read_buf(&mut codec.raw).await?;
            if n == 0 {
                return Err(Lost::Gone);
            }
            Figures::add(&self.entry.figures.bytes_received, n as u64);
            Figures::add(&self.entry.figures.reads, 1);
        }
    }

    fn count_read(&self, n: usize) -> Result<(), Lost> {
        if n == 0 {
            return Err(Lost::Gone);
        }
        Figures::add(&self.entry.figures.bytes_received, n as u64);
        Figures::add(&self.entry.figures.reads, 1);
        Ok(())
    }

    /// A compressed frame has begun to arrive.
    fn has_begun(&self) -> bool {
        self.codec.as_ref().is_some_and(|codec| !codec.raw.is_empty())
    }

    /// Says goodbye: no more bytes will come.
    pub(crate) async fn close(&mut self) {
        let _ = tokio::time::timeout(Duration::from_secs(1), self.stream.shutdown()).await;
    }
}

/// What the client has sent and nobody has looked at.
pub(crate) struct Inbox {
    pub(crate) input: BytesMut,
    pub(crate) decoder: Decoder,
    pub(super) read_limit: Duration,
    /// Read no byte behind the packet that is being waited for.
    exact: bool,
}

impl Inbox {
    /// The inbox of a client that has not logged in: no byte is read that may belong to a TLS handshake.
    pub(crate) fn new(limit: usize, read_limit: Duration) -> Self {
        Self {
            input: BytesMut::with_capacity(READ_SIZE),
            decoder: Decoder::new(limit),
            read_limit,
            exact: true,
        }
    }

    /// The client has logged in: payloads may be as large as `limit`, and several requests may be read at once.
    pub(crate) fn logged_in(&mut self, limit: usize) {
        self.decoder.set_limit(limit);
        self.exact = false;
    }

    /// Waits until a payload is whole. Answers that wait are sent first. `idle_limit_s` is for the wait for a new request's first byte.
    pub(crate) async fn receive(&mut self, pipe: &mut Pipe, idle_limit_s: u64) -> Result<(), Lost> {
        while let Some(missing) = self.decoder.poll(&mut self.input)? {
            pipe.flush().await?;
            self.make_room(missing);
            let most = if self.exact { missing } else { usize::MAX };
            if self.decoder.has_begun(&self.input) || pipe.has_begun() {
                match tokio::time::timeout(self.read_limit, pipe.read(&mut self.input, most)).await {
                    Ok(result) => result?,
                    Err(_) => return Err(Lost::Gone),
                }
                continue;
            }
            let entry = pipe.entry.clone();
            entry.idle(idle_limit_s);
            tokio::select! {
                biased;
                result = pipe.read(&mut self.input, most) => result?,
                ending = entry.ended() => return Err(Lost::Ending(ending)),
            }
        }
        Ok(())
    }

    /// The payload that was received.
    pub(crate) fn payload(&self) -> &[u8] {
        self.decoder.payload(&self.input)
    }

    /// Forgets it.
    pub(crate) fn release(&mut self) {
        self.decoder.release(&mut self.input);
    }

    /// Bytes that were read by somebody else and belong to the next request.
    pub(crate) fn put_back(&mut self, rest: BytesMut) {
        if !rest.is_empty() {
            self.release();
            self.input.unsplit(rest);
        }
    }

    fn make_room(&mut self, missing: usize) {
        if self.input.is_empty() && self.input.capacity() > KEPT {
            self.input = BytesMut::with_capacity(READ_SIZE);
        }
        self.input.reserve(missing.clamp(READ_SIZE, READ_AHEAD));
    }
}
