//! The connection's two ends of bytes: what comes in is gathered until a request is whole, what goes out is sent with one write.
//!
//! ```text
//!   socket ==read==> Inbox{input, decoder} -> payload        one read per request, several requests per read when pipelined
//!   socket <==write== Pipe{out} <- answers                   one write per batch of requests: flushed only before waiting
//! ```
//! Invariants: (1) the buffers of a waiting connection together take at most [`KEPT`] + [`READ_SIZE`] bytes; (2) the input buffer grows
//! with what arrives, not with what a header promises; (3) every wait has a limit.

use crate::server::{Ending, Entry, Figures};
use bytes::{BufMut, BytesMut};
use mysql_wire::WireError;
use mysql_wire::frame::Decoder;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Room made for each read.
pub(crate) const READ_SIZE: usize = 4 * 1024;
/// The most room made for the rest of a large packet at a time.
const READ_AHEAD: usize = 256 * 1024;
/// An output buffer larger than this is given back once it is sent.
pub(crate) const KEPT: usize = 16 * 1024;
/// An answer is sent piece by piece once this much of it is there.
pub(crate) const FLUSH_AT: usize = 64 * 1024;

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

/// A socket, plain or encrypted.
enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    /// Only while TLS is being set up.
    Taken,
}

fn taken() -> io::Error {
    io::Error::other("the socket is being encrypted")
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(socket) => Pin::new(socket).poll_read(cx, buf),
            Stream::Tls(socket) => Pin::new(socket.as_mut()).poll_read(cx, buf),
            Stream::Taken => Poll::Ready(Err(taken())),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(socket) => Pin::new(socket).poll_write(cx, buf),
            Stream::Tls(socket) => Pin::new(socket.as_mut()).poll_write(cx, buf),
            Stream::Taken => Poll::Ready(Err(taken())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(socket) => Pin::new(socket).poll_flush(cx),
            Stream::Tls(socket) => Pin::new(socket.as_mut()).poll_flush(cx),
            Stream::Taken => Poll::Ready(Err(taken())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(socket) => Pin::new(socket).poll_shutdown(cx),
            Stream::Tls(socket) => Pin::new(socket.as_mut()).poll_shutdown(cx),
            Stream::Taken => Poll::Ready(Err(taken())),
        }
    }
}

/// The socket and what waits to be sent.
pub(crate) struct Pipe {
    stream: Stream,
    pub(crate) out: BytesMut,
    pub(crate) entry: Arc<Entry>,
    write_limit: Duration,
}

impl Pipe {
    pub(crate) fn new(socket: TcpStream, entry: Arc<Entry>, write_limit: Duration) -> Self {
        Self { stream: Stream::Plain(socket), out: BytesMut::new(), entry, write_limit }
    }

    pub(crate) fn in_tls(&self) -> bool {
        matches!(self.stream, Stream::Tls(_))
    }

    /// Sends everything that waits.
    pub(crate) async fn flush(&mut self) -> Result<(), Lost> {
        if self.out.is_empty() {
            return Ok(());
        }
        Figures::add(&self.entry.figures.bytes_sent, self.out.len() as u64);
        Figures::add(&self.entry.figures.writes, 1);
        let send = async {
            self.stream.write_all(&self.out).await?;
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
        let Stream::Plain(socket) = std::mem::replace(&mut self.stream, Stream::Taken) else {
            return Err(Lost::Gone);
        };
        self.stream = Stream::Tls(Box::new(acceptor.accept(socket).await?));
        Ok(())
    }

    /// Reads what is there, at most `most` bytes.
    async fn read(&mut self, input: &mut BytesMut, most: usize) -> Result<(), Lost> {
        let n = self.stream.read_buf(&mut input.limit(most)).await?;
        if n == 0 {
            return Err(Lost::Gone);
        }
        Figures::add(&self.entry.figures.bytes_received, n as u64);
        Figures::add(&self.entry.figures.reads, 1);
        Ok(())
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
    read_limit: Duration,
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
            if self.decoder.has_begun(&self.input) {
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

    fn make_room(&mut self, missing: usize) {
        if self.input.is_empty() && self.input.capacity() > KEPT {
            self.input = BytesMut::with_capacity(READ_SIZE);
        }
        self.input.reserve(missing.clamp(READ_SIZE, READ_AHEAD));
    }
}
