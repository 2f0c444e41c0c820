//! Envelopes in a byte stream.
//!
//! ```text
//!  | version u8 | length u32 | body ... | CRC-32C u32 |  version | length | ...      one write may carry many
//!  '-------------- one sealed envelope -------------'
//! ```
//!
//! The seal is the one of stored values (`protocol::wire::seal`), so a damaged or foreign stream is told at the first envelope. What is
//! cut out shares the read buffer: a page image or a batch of records is not copied on its way in.
//!
//! Invariants
//! 1. A length above the limit is refused when its five header bytes are there, before anything is reserved for it.
//! 2. An incomplete envelope asks for at most [`STEP_BYTES`] more room at a time: a peer that announces much and sends little holds little.

use bytes::{Bytes, BytesMut};
use protocol::message::{Envelope, MESSAGE_VERSION};
use protocol::wire::{self, Wire, WireError};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::Notify;

/// Longest sealed envelope. The longest that is ever made is a head with thousands of groups, a batch or a log slice of a few MiB.
pub const MAX_ENVELOPE_BYTES: usize = 16 << 20;
/// Room made for input at a time.
pub const STEP_BYTES: usize = 64 << 10;
/// Version, length and checksum around a body.
pub const SEAL_BYTES: usize = 9;
const HEADER_BYTES: usize = 5;

/// Why a stream cannot be read on.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StreamError {
    /// Longer than any peer of this version sends.
    #[error("a message of {len} bytes was announced, at most {limit} are taken")]
    TooLong {
        /// Announced.
        len: usize,
        /// Allowed.
        limit: usize,
    },
    /// Not one of our messages.
    #[error("{0}")]
    Wire(#[from] WireError),
}

/// Appends a sealed value.
pub fn put<T: Wire>(version: u8, value: &T, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[version, 0, 0, 0, 0]);
    value.put(out);
    let len = (out.len() - start - HEADER_BYTES) as u32;
    out[start + 1..start + HEADER_BYTES].copy_from_slice(&len.to_le_bytes());
    let crc = crc32c::crc32c(&out[start..]);
    out.extend_from_slice(&crc.to_le_bytes());
}

/// Appends an envelope.
pub fn put_envelope(envelope: &Envelope, out: &mut Vec<u8>) {
    put(MESSAGE_VERSION, envelope, out);
}

/// Length of the sealed value at the front, once its header is there.
///
/// # Errors
/// Another version, or a length above `limit`.
pub fn sealed_len(version: u8, limit: usize, input: &[u8]) -> Result<Option<usize>, StreamError> {
    let Some(found) = input.first() else { return Ok(None) };
    if *found != version {
        return Err(WireError::Unknown { what: "version", value: u64::from(*found) }.into());
    }
    let Some(header) = input.get(1..HEADER_BYTES) else { return Ok(None) };
    let len = u32::from_le_bytes([header[0], header[1], header[2], header[3]]) as usize;
    match len.checked_add(SEAL_BYTES).filter(|all| *all <= limit) {
        Some(all) => Ok(Some(all)),
        None => Err(StreamError::TooLong { len, limit }),
    }
}

/// Cuts the next sealed value off the front of `input`; `None`: more bytes are needed, and room for some was made.
///
/// # Errors
/// [`StreamError`]: the stream is lost.
pub fn take<T: Wire>(version: u8, limit: usize, input: &mut BytesMut) -> Result<Option<T>, StreamError> {
    match sealed_len(version, limit, input)? {
        Some(len) if len <= input.len() => {
            let sealed: Bytes = input.split_to(len).freeze();
            Ok(Some(wire::unseal(version, &sealed)?))
        }
        Some(len) => {
            let missing = len - input.len();
            if input.capacity() - input.len() < missing.min(STEP_BYTES) {
                input.reserve(missing.min(input.len().max(STEP_BYTES)));
            }
            Ok(None)
        }
        None => Ok(None),
    }
}

/// [`take`] for envelopes.
///
/// # Errors
/// [`StreamError`].
pub fn take_envelope(input: &mut BytesMut) -> Result<Option<Envelope>, StreamError> {
    take(MESSAGE_VERSION, MAX_ENVELOPE_BYTES, input)
}

/// Makes room for the next read: small reads go on filling the same allocation.
pub fn make_room(input: &mut BytesMut) {
    if input.capacity() - input.len() < STEP_BYTES / 16 {
        input.reserve(STEP_BYTES);
    }
}

/// Writes what waits in a queue, and then what comes, until the stream breaks. `take` moves everything that waits into an empty list;
/// whoever fills the queue rings the bell. What is at hand together leaves together.
///
/// # Errors
/// The stream is broken.
pub async fn write_queue(
    mut writer: impl AsyncWrite + Unpin,
    bell: &Notify,
    take: impl Fn(&mut Vec<Envelope>),
) -> std::io::Result<()> {
    let (mut messages, mut out) = (Vec::new(), Vec::new());
    loop {
        take(&mut messages);
        if messages.is_empty() {
            bell.notified().await;
            continue;
        }
        for envelope in messages.drain(..) {
            put_envelope(&envelope, &mut out);
            if out.len() >= 4 * STEP_BYTES {
                writer.write_all(&out).await?;
                out.clear();
            }
        }
        writer.write_all(&out).await?;
        writer.flush().await?;
        out.clear();
        out.shrink_to(8 * STEP_BYTES);
    }
}
