//! A blocking client that knows packets and logins, and leaves the rest to its test.

use mysql_wire::Capabilities;
use rsa::pkcs8::DecodePublicKey;
use sha1::{Digest as _, Sha1};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

enum Socket {
    Plain(TcpStream),
    Tls(Box<rustls::StreamOwned<rustls::ClientConnection, TcpStream>>),
}

pub(super) struct Client {
    socket: Socket,
    sequence: u8,
    pub(super) caps: Capabilities,
}

pub(super) struct Login<'a> {
    pub(super) user: &'a str,
    pub(super) password: &'a str,
    pub(super) database: &'a str,
    pub(super) plugin: &'a str,
    pub(super) extra: Capabilities,
}

/// What the server offers, without the ways to leave out definitions and without interactive clients' short patience: only the test of idle
/// clients is told to go after a second.
const PLAIN: Capabilities = Capabilities::OFFERED
    .without(Capabilities::OPTIONAL_METADATA)
    .without(Capabilities::CACHE_METADATA)
    .without(Capabilities::INTERACTIVE);

pub(super) const ROOT: Login<'static> = Login {
    user: "root",
    password: "",
    database: "",
    plugin: "caching_sha2_password",
    extra: Capabilities::empty(),
};

fn xor(a: &[u8], b: &[u8]) -> Vec<u8> {
    a.iter().zip(b).map(|(x, y)| x ^ y).collect()
}

fn native(password: &str, nonce: &[u8]) -> Vec<u8> {
    if password.is_empty() {
        return vec![];
    }
    let first = Sha1::digest(password);
    xor(&first, &Sha1::new().chain_update(nonce).chain_update(Sha1::digest(first)).finalize())
}

impl Client {
    /// Connects and reads the greeting; returns the challenge too.
    pub(super) fn connect(address: SocketAddr) -> (Client, Vec<u8>) {
        let socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
        socket.set_nodelay(true).unwrap();
        let mut client = Client { socket: Socket::Plain(socket), sequence: 0, caps: PLAIN };
        let greeting = client.read().unwrap();
        assert_eq!(greeting[0], 10, "{greeting:?}");
        let at = greeting.iter().position(|b| *b == 0).unwrap() + 5;
        let nonce = [&greeting[at..at + 8], &greeting[at + 27..at + 39]].concat();
        (client, nonce)
    }

    /// Connects and logs in; the last packet is the server's verdict.
    pub(super) fn login(address: SocketAddr, login: &Login<'_>) -> (Client, Vec<u8>) {
        let (mut client, nonce) = Client::connect(address);
        client.caps = client.caps | login.extra;
        let verdict = client.log_in(login, &nonce, false);
        (client, verdict)
    }

    pub(super) fn root(address: SocketAddr) -> Client {
        let (client, verdict) = Client::login(address, &ROOT);
        assert_eq!(verdict[0], 0, "{}", text(&verdict));
        client
    }

    /// Asks for TLS and trusts only the certificate in `pem`.
    pub(super) fn start_tls(&mut self, pem: &[u8]) {
        use rustls::pki_types::pem::PemObject;
        let request = self.login_head(true);
        self.write(&request);
        self.sequence += 1;
        let mut roots = rustls::RootCertStore::empty();
        roots.add(rustls::pki_types::CertificateDer::from_pem_slice(pem).unwrap()).unwrap();
        let config =
            rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(roots)
                .with_no_client_auth();
        let tls = rustls::ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
        let Socket::Plain(socket) = &self.socket else { panic!("TLS twice") };
        let socket = socket.try_clone().unwrap();
        self.socket = Socket::Tls(Box::new(rustls::StreamOwned::new(tls, socket)));
    }

    fn login_head(&self, tls: bool) -> Vec<u8> {
        let caps = self.caps.with_if(Capabilities::SSL, tls);
        let bits = caps.bits().to_le_bytes();
        // MariaDB's half of the capabilities stands at the end of the filler.
        [&bits[..4], &[0, 0, 0, 1, 255], &[0; 19], &bits[4..]].concat()
    }

    pub(super) fn log_in(&mut self, login: &Login<'_>, nonce: &[u8], tls: bool) -> Vec<u8> {
        let has_db = !login.database.is_empty();
        self.caps = if has_db { self.caps } else { self.caps.without(Capabilities::CONNECT_WITH_DB) };
        let mut packet = self.login_head(tls);
        packet.extend_from_slice(login.user.as_bytes());
        packet.push(0);
        // The first answer to sha2 is a wrong scramble: the server must ask for the whole password.
        let answer = if login.plugin.starts_with("mysql_native") {
            native(login.password, nonce)
        } else if login.password.is_empty() {
            vec![]
        } else {
            vec![1; 32]
        };
        packet.push(answer.len() as u8);
        packet.extend_from_slice(&answer);
        if has_db {
            packet.extend_from_slice(login.database.as_bytes());
            packet.push(0);
        }
        packet.extend_from_slice(login.plugin.as_bytes());
        packet.extend_from_slice(&[0, 0]);
        if self.caps.has(Capabilities::ZSTD) {
            packet.push(3);
        }
        self.write(&packet);
        self.answer_challenges(login, nonce, tls)
    }

    pub(super) fn answer_challenges(&mut self, login: &Login<'_>, nonce: &[u8], tls: bool) -> Vec<u8> {
        let mut nonce = nonce.to_vec();
        loop {
            let packet = self.read().unwrap();
            match packet[0] {
                0xfe => {
                    let at = packet.iter().position(|b| *b == 0).unwrap();
                    nonce = packet[at + 1..packet.len() - 1].to_vec();
                    let answer = if packet.starts_with(b"\xfemysql_native") {
                        native(login.password, &nonce)
                    } else if login.password.is_empty() {
                        vec![]
                    } else {
                        vec![1; 32]
                    };
                    self.write(&answer);
                }
                1 if packet[1..] == [4] && tls => self.write(&[login.password.as_bytes(), &[0]].concat()),
                1 if packet[1..] == [4] => self.write(&[2]),
                1 if packet[1..] == [3] => {}
                1 => {
                    let pem = std::str::from_utf8(&packet[1..]).unwrap();
                    let key = rsa::RsaPublicKey::from_public_key_pem(pem).unwrap();
                    let clear = [login.password.as_bytes(), &[0]].concat();
                    let clear = xor(&clear, &nonce.repeat(13));
                    let cipher = key.encrypt(&mut Dice(7), rsa::Oaep::new::<Sha1>(), &clear).unwrap();
                    self.write(&cipher);
                }
                _ => return packet,
            }
        }
    }

    pub(super) fn read(&mut self) -> io::Result<Vec<u8>> {
        let mut header = [0; 4];
        self.read_exact(&mut header)?;
        let mut payload = vec![0; u32::from_le_bytes([header[0], header[1], header[2], 0]) as usize];
        self.read_exact(&mut payload)?;
        self.sequence = header[3].wrapping_add(1);
        Ok(payload)
    }

    pub(super) fn read_exact(&mut self, into: &mut [u8]) -> io::Result<()> {
        match &mut self.socket {
            Socket::Plain(socket) => socket.read_exact(into),
            Socket::Tls(socket) => socket.read_exact(into),
        }
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) {
        match &mut self.socket {
            Socket::Plain(socket) => socket.write_all(bytes).unwrap(),
            Socket::Tls(socket) => socket.write_all(bytes).unwrap(),
        }
    }

    pub(super) fn write(&mut self, payload: &[u8]) {
        let bytes = packet(self.sequence, payload);
        self.raw(&bytes);
    }

    pub(super) fn command(&mut self, payload: &[u8]) -> Vec<u8> {
        self.sequence = 0;
        self.write(payload);
        self.read().unwrap()
    }

    pub(super) fn send_query(&mut self, sql: &str) {
        self.sequence = 0;
        self.write(&[&[3, 0, 1], sql.as_bytes()].concat());
    }

    /// The payloads of a result set, or the one packet that is none.
    pub(super) fn result(&mut self) -> Vec<Vec<u8>> {
        let mut all = vec![self.read().unwrap()];
        if matches!(all[0][0], 0 | 0xff) {
            return all;
        }
        loop {
            let packet = self.read().unwrap();
            let last = matches!(packet[0], 0xfe | 0xff);
            all.push(packet);
            if last {
                return all;
            }
        }
    }

    pub(super) fn query(&mut self, sql: &str) -> Vec<Vec<u8>> {
        self.send_query(sql);
        self.result()
    }

    /// The one value of a result set of one row and column.
    pub(super) fn value(&mut self, sql: &str) -> String {
        let packets = self.query(sql);
        assert_eq!(packets.len(), 4, "{:?}", text(&packets[0]));
        String::from_utf8_lossy(&packets[2][1..]).into_owned()
    }

    /// Everything the server sends until it closes.
    pub(super) fn rest(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        let mut byte = [0];
        while self.read_exact(&mut byte).is_ok() {
            all.push(byte[0]);
        }
        all
    }

    /// True when the server closes the connection without another byte.
    pub(super) fn is_closed(&mut self) -> bool {
        self.read_exact(&mut [0]).is_err_and(|e| {
            matches!(
                e.kind(),
                io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
            )
        })
    }
}

pub(super) fn packet(sequence: u8, payload: &[u8]) -> Vec<u8> {
    let [a, b, c, _] = (payload.len() as u32).to_le_bytes();
    [&[a, b, c, sequence], payload].concat()
}

pub(super) fn text(packet: &[u8]) -> String {
    String::from_utf8_lossy(packet).into_owned()
}

/// The error number of an ERR packet.
pub(super) fn code(packet: &[u8]) -> u16 {
    assert_eq!(packet[0], 0xff, "{}", text(packet));
    u16::from_le_bytes([packet[1], packet[2]])
}

/// Numbers that look random enough for padding.
struct Dice(u64);

impl rsa::rand_core::RngCore for Dice {
    fn next_u32(&mut self) -> u32 {
        self.next_u64() as u32
    }
    fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 8
    }
    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        bytes.iter_mut().for_each(|b| *b = self.next_u64() as u8);
    }
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rsa::rand_core::Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

impl rsa::rand_core::CryptoRng for Dice {}
