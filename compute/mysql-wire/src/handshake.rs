//! The greeting, the client's login, and the request for TLS.
//!
//! ```text
//!   server: Greeting ->            client: [SslRequest -> TLS handshake ->] Login ->      then auth::Exchange
//! ```
//!
//! After an [`ClientHello::Ssl`] the caller must find its read buffer empty: bytes that came before the TLS handshake are an
//! attack (a man in the middle who speaks first), and the connection ends.
//!
//! Source: "Connection Phase", "Protocol::HandshakeV10", "Protocol::SSLRequest", "Protocol::HandshakeResponse41".

use crate::read::Reader;
use crate::{Capabilities, Responder, Status, WireError};
use bytes::BufMut;

/// Bytes of the challenge that scrambles are made with.
pub const NONCE_LEN: usize = 20;
/// A challenge: random bytes, none of them 0 or `$` (a C string on the client's side).
pub type Nonce = [u8; NONCE_LEN];

/// Random bytes made fit for a challenge: seven bits, neither NUL nor `$`.
pub fn nonce_from_random(mut random: Nonce) -> Nonce {
    for byte in &mut random {
        *byte &= 0x7f;
        if *byte == 0 || *byte == b'$' {
            *byte += 1;
        }
    }
    random
}

/// The server's first packet.
#[derive(Clone, Copy, Debug)]
pub struct Greeting<'a> {
    /// What `version()` says, for example `9.7.0-sextant-0.1.0`.
    pub version: &'a str,
    /// The connection's id, as KILL knows it (its low 32 bits).
    pub connection_id: u32,
    /// The challenge.
    pub nonce: &'a Nonce,
    /// What the server offers.
    pub capabilities: Capabilities,
    /// The server's default collation's id (its low byte is sent).
    pub collation: u16,
    /// The status word.
    pub status: Status,
    /// The authentication plugin a client should try first.
    pub plugin: &'a str,
}

impl Greeting<'_> {
    /// Appends the greeting.
    pub fn write(&self, out: &mut Responder<'_>) {
        let caps = self.capabilities.bits();
        out.packet(|out| {
            out.put_u8(10);
            out.put_slice(self.version.as_bytes());
            out.put_u8(0);
            out.put_u32_le(self.connection_id);
            out.put_slice(&self.nonce[..8]);
            out.put_u8(0);
            out.put_u16_le(caps as u16);
            out.put_u8(self.collation as u8);
            out.put_u16_le(self.status.bits());
            out.put_u16_le((caps >> 16) as u16);
            out.put_u8(NONCE_LEN as u8 + 1);
            out.put_bytes(0, 6);
            // MariaDB's extension, looked at by its clients when LONG_PASSWORD is not offered.
            out.put_u32_le((caps >> 32) as u32);
            out.put_slice(&self.nonce[8..]);
            out.put_u8(0);
            out.put_slice(self.plugin.as_bytes());
            out.put_u8(0);
        });
    }
}

/// The client's first packet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ClientHello<'a> {
    /// It wants TLS first, and logs in inside it.
    Ssl(Capabilities),
    /// It logs in.
    Login(Login<'a>),
}

/// A login, borrowed from its packet. Names are bytes in the client's character set, as sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Login<'a> {
    /// What both sides can do.
    pub capabilities: Capabilities,
    /// The largest packet the client takes, bytes (informative).
    pub max_packet: u32,
    /// The collation the client asks for.
    pub collation: u8,
    /// The user name.
    pub user: &'a [u8],
    /// The first answer to the challenge.
    pub auth_response: &'a [u8],
    /// The database to start in, if one was named and is not empty.
    pub database: Option<&'a [u8]>,
    /// The plugin that made the answer, if the client knows plugins.
    pub plugin: Option<&'a [u8]>,
    /// Connection attributes, not yet taken apart.
    pub attributes: Attributes<'a>,
    /// The zstd level the client asks for, where both speak zstd.
    pub zstd_level: Option<u8>,
}

/// Name and value pairs that describe the client (`_client_name`, `program_name` ...).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Attributes<'a> {
    bytes: &'a [u8],
}

impl<'a> Attributes<'a> {
    /// The pairs in the order sent; ends at the first malformed one (they were checked when the login was parsed).
    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        let mut reader = Reader::new(self.bytes);
        std::iter::from_fn(move || {
            if reader.is_empty() {
                return None;
            }
            let name = reader.lenenc_bytes().ok()?;
            Some((name, reader.lenenc_bytes().ok()?))
        })
    }

    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        let bytes = reader.lenenc_bytes()?;
        let mut pairs = Reader::new(bytes);
        while !pairs.is_empty() {
            pairs.lenenc_bytes()?;
            pairs.lenenc_bytes()?;
        }
        Ok(Self { bytes })
    }
}

/// Length of the part an SslRequest and a login share.
const FIXED: usize = 32;

/// Parses the client's first packet. `offered` is what the greeting offered; `in_tls` whether the connection is encrypted already.
///
/// # Errors
/// [`WireError::BadHandshake`] for anything else, for a client older than 4.1, and for a TLS request that was not offered.
pub fn parse_hello(
    payload: &[u8],
    offered: Capabilities,
    in_tls: bool,
) -> Result<ClientHello<'_>, WireError> {
    parse(payload, offered, in_tls).map_err(|_| WireError::BadHandshake)
}

fn parse(payload: &[u8], offered: Capabilities, in_tls: bool) -> Result<ClientHello<'_>, WireError> {
    let mut reader = Reader::new(payload);
    let low = reader.u32()?;
    let max_packet = reader.u32()?;
    let collation = reader.u8()?;
    reader.take(19)?;
    // A MySQL client sets LONG_PASSWORD and leaves the last four bytes zero; a MariaDB client has its extension there.
    let extension = reader.u32()?;
    let own = Capabilities::from_bits(low.into());
    let extension = if own.has(Capabilities::LONG_PASSWORD) { 0 } else { extension };
    let sent = Capabilities::from_bits(u64::from(low) | u64::from(extension) << 32);
    if !sent.has(Capabilities::PROTOCOL_41 | Capabilities::SECURE_CONNECTION) {
        return Err(WireError::BadHandshake);
    }
    let both = sent.and(offered);
    if sent.has(Capabilities::SSL) && !in_tls {
        let offered_and_alone = offered.has(Capabilities::SSL) && payload.len() == FIXED;
        return if offered_and_alone { Ok(ClientHello::Ssl(both)) } else { Err(WireError::BadHandshake) };
    }
    let user = reader.nul_bytes()?;
    let auth_response = if both.has(Capabilities::PLUGIN_AUTH_LENENC) {
        reader.lenenc_bytes()?
    } else {
        let n = reader.u8()?;
        reader.take(usize::from(n))?
    };
    let database = if both.has(Capabilities::CONNECT_WITH_DB) { reader.nul_or_rest() } else { &[] };
    let plugin = both.has(Capabilities::PLUGIN_AUTH).then(|| reader.nul_or_rest());
    let attributes = if both.has(Capabilities::CONNECT_ATTRS) && !reader.is_empty() {
        Attributes::read(&mut reader)?
    } else {
        Attributes::default()
    };
    // libmysqlclient sends the byte whenever it can zstd; it is at the very end, so that leaving it out is harmless.
    let zstd_level = if both.has(Capabilities::ZSTD) { reader.u8().ok() } else { None };
    let database = Some(database).filter(|name| !name.is_empty());
    Ok(ClientHello::Login(Login {
        capabilities: both,
        max_packet,
        collation,
        user,
        auth_response,
        database,
        plugin,
        attributes,
        zstd_level,
    }))
}
