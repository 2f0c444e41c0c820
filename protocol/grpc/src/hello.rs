//! Who calls, and who answers: the first exchange on a stream.
//!
//! ```text
//!  caller                                   storage daemon
//!    "SXT1" Hello(kind, volume, caller, peers) ──►
//!                                         ◄── Welcome(refusal or "", volume, node, az, position)
//!    envelopes ──►                        ◄── envelopes
//! ```
//! A refused caller reads one line that says why, then the connection closes. The version of this exchange is the seal's version byte: a
//! daemon that reads another one still answers with its own `Welcome`, so that both operators see both versions.

use crate::stream::{self, StreamError};
use bytes::BytesMut;
use protocol::wire::{Input, Wire, WireError};
use protocol::{NodeId, VolumeId, WriterId, wire_struct};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The first four bytes of a stream; gRPC begins with `PRI `.
pub const MAGIC: [u8; 4] = *b"SXT1";
/// Version of the greeting and of what follows it.
pub const LINK_VERSION: u8 = 1;
/// Longest greeting.
pub const MAX_HELLO_BYTES: usize = 4096;

/// What a stream carries.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Kind {
    /// A writer's log, and its opening: only a compute node's certificate may.
    Log = 1,
    /// Page reads.
    Reads = 2,
    /// Another storage node's gossip, log slices and page copies.
    Peer = 3,
}

impl Wire for Kind {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(*self as u8);
    }
    fn get(input: &mut Input) -> Result<Self, WireError> {
        Ok(match <u8 as Wire>::get(input)? {
            1 => Kind::Log,
            2 => Kind::Reads,
            3 => Kind::Peer,
            value => return Err(WireError::Unknown { what: "kind of stream", value: u64::from(value) }),
        })
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Kind::Log => "log",
            Kind::Reads => "reads",
            Kind::Peer => "peer",
        })
    }
}

wire_struct! {
    /// Where a storage node of the volume is reached.
    pub struct PeerAddress {
        /// Its position in every protection group, 0 to 5.
        pub position: u8,
        /// `host:port`.
        pub address: String,
    }
}

wire_struct! {
    /// The caller's side.
    pub struct Hello {
        /// What the stream is for.
        pub kind: Kind,
        /// The volume meant; zero when the caller does not know it yet.
        pub volume: VolumeId,
        /// The calling process, drawn at its start: two streams of one compute node name the same.
        pub caller: WriterId,
        /// A storage node's own position; `None` for a compute node.
        pub position: Option<u8>,
        /// Where the six nodes are, as far as the caller knows: a hint for gossip, never a vote.
        pub peers: Vec<PeerAddress>,
    }
}

wire_struct! {
    /// The daemon's side.
    pub struct Welcome {
        /// Why not; empty for a welcome.
        pub refusal: String,
        /// The volume the node belongs to; zero for a blank node.
        pub volume: VolumeId,
        /// The node; zero for a blank one.
        pub node: NodeId,
        /// Its availability zone.
        pub az: u8,
        /// Its position, 0 to 5; meaningless for a blank node.
        pub position: u8,
    }
}

impl Welcome {
    /// A refusal that says nothing else.
    #[must_use]
    pub fn refused(why: impl Into<String>) -> Welcome {
        let (volume, node) = (VolumeId(0), NodeId(0));
        Welcome { refusal: why.into(), volume, node, az: 0, position: 0 }
    }
}

/// Why there is no greeting.
#[derive(Debug, thiserror::Error)]
pub enum HelloError {
    /// The socket.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// Not a greeting, or of another version.
    #[error("not a greeting of link version {LINK_VERSION}: {0}")]
    Stream(#[from] StreamError),
    /// The other end closed before it was complete.
    #[error("the connection was closed before a greeting")]
    Closed,
    /// The daemon does not want this stream.
    #[error("refused: {0}")]
    Refused(String),
}

async fn read<T: Wire>(io: &mut (impl AsyncRead + Unpin), input: &mut BytesMut) -> Result<T, HelloError> {
    loop {
        if let Some(value) = stream::take(LINK_VERSION, MAX_HELLO_BYTES, input)? {
            return Ok(value);
        }
        input.reserve(512);
        if io.read_buf(input).await? == 0 {
            return Err(HelloError::Closed);
        }
    }
}

/// The caller's part: greets and waits for the welcome. What came behind it stays in `input`.
///
/// # Errors
/// [`HelloError`].
pub async fn greet(
    io: &mut (impl AsyncRead + AsyncWrite + Unpin),
    hello: &Hello,
    input: &mut BytesMut,
) -> Result<Welcome, HelloError> {
    let mut out = MAGIC.to_vec();
    stream::put(LINK_VERSION, hello, &mut out);
    io.write_all(&out).await?;
    io.flush().await?;
    let welcome: Welcome = read(io, input).await?;
    if welcome.refusal.is_empty() { Ok(welcome) } else { Err(HelloError::Refused(welcome.refusal)) }
}

/// The daemon's part: reads the greeting that follows the magic. What came behind it stays in `input`.
///
/// # Errors
/// [`HelloError`].
pub async fn receive(io: &mut (impl AsyncRead + Unpin), input: &mut BytesMut) -> Result<Hello, HelloError> {
    read(io, input).await
}

/// The daemon's part: answers.
///
/// # Errors
/// The socket.
pub async fn answer(io: &mut (impl AsyncWrite + Unpin), welcome: &Welcome) -> std::io::Result<()> {
    let mut out = Vec::with_capacity(128);
    stream::put(LINK_VERSION, welcome, &mut out);
    io.write_all(&out).await?;
    io.flush().await
}
