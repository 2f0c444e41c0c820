//! A small blocking MySQL client, written from the protocol's description and not from our server's code, so that the two can disagree.
//!
//! It speaks the plain-text protocol with an empty password or `mysql_native_password`/`caching_sha2_password` (fast path, empty
//! password), text results, and prepared statements with string parameters. Sources: "MySQL Client/Server Protocol", chapters
//! Connection Phase, Text Protocol, Prepared Statements.

mod packet;

use packet::{Reader, column, put_length, text_row};
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

const CLIENT_LONG_PASSWORD: u32 = 1;
const CLIENT_FOUND_ROWS: u32 = 2;
const CLIENT_CONNECT_WITH_DB: u32 = 8;
const CLIENT_PROTOCOL_41: u32 = 1 << 9;
const CLIENT_TRANSACTIONS: u32 = 1 << 13;
const CLIENT_SECURE_CONNECTION: u32 = 1 << 15;
const CLIENT_MULTI_STATEMENTS: u32 = 1 << 16;
const CLIENT_MULTI_RESULTS: u32 = 1 << 17;
const CLIENT_PLUGIN_AUTH: u32 = 1 << 19;
const MORE_RESULTS: u16 = 8;

/// Why a call failed.
#[derive(Debug)]
pub enum Error {
    /// The connection broke: the outcome of what was in flight is unknown.
    Io(io::Error),
    /// The server answered with an error.
    Server {
        /// MySQL's error number.
        code: u16,
        /// SQLSTATE.
        state: String,
        /// The text.
        message: String,
    },
    /// The server sent something the protocol does not allow here.
    Protocol(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Io(error) => write!(f, "connection: {error}"),
            Error::Server { code, state, message } => write!(f, "ERROR {code} ({state}): {message}"),
            Error::Protocol(what) => write!(f, "protocol: {what}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Error {
        Error::Io(error)
    }
}

impl Error {
    /// The server's error number, if it answered.
    #[must_use]
    pub fn code(&self) -> Option<u16> {
        match self {
            Error::Server { code, .. } => Some(*code),
            _ => None,
        }
    }
}

/// Result of a call.
pub type Result<T> = std::result::Result<T, Error>;

/// A column's description as the server sent it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Column {
    /// Database.
    pub schema: String,
    /// Table alias.
    pub table: String,
    /// Table.
    pub org_table: String,
    /// Column alias.
    pub name: String,
    /// Column.
    pub org_name: String,
    /// Collation id.
    pub charset: u16,
    /// Display length.
    pub length: u32,
    /// Type byte.
    pub kind: u8,
    /// Flags.
    pub flags: u16,
    /// Decimals.
    pub decimals: u8,
}

/// One answer: rows, or what an OK packet says.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Answer {
    /// Empty for an OK.
    pub columns: Vec<Column>,
    /// Text of each value; `None` is NULL.
    pub rows: Vec<Vec<Option<Vec<u8>>>>,
    /// Rows changed.
    pub affected: u64,
    /// Last auto-increment value.
    pub insert_id: u64,
    /// Warnings.
    pub warnings: u16,
    /// Status flags.
    pub status: u16,
    /// Text of the OK.
    pub info: String,
}

impl Answer {
    /// Values as lossy text, NULL as `NULL`.
    #[must_use]
    pub fn text(&self) -> Vec<Vec<String>> {
        let value = |v: &Option<Vec<u8>>| match v {
            Some(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            None => "NULL".to_string(),
        };
        self.rows.iter().map(|row| row.iter().map(value).collect()).collect()
    }
}

/// A prepared statement's handle.
#[derive(Clone, Copy, Debug)]
pub struct Statement {
    /// Number given by the server.
    pub id: u32,
    /// Parameters it takes.
    pub params: u16,
    /// Columns it returns.
    pub columns: u16,
}

/// One connection.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    sequence: u8,
    buffer: Vec<u8>,
    /// The server's version text.
    pub version: String,
    /// The connection id.
    pub id: u32,
}

impl Client {
    /// Connects as root without a password.
    ///
    /// # Errors
    /// [`Error`]; refused connections are `Io`.
    pub fn connect(address: &str) -> Result<Client> {
        Client::connect_as(address, "root", None)
    }

    /// Connects as `user` without a password, using `database` if given.
    ///
    /// # Errors
    /// [`Error`].
    pub fn connect_as(address: &str, user: &str, database: Option<&str>) -> Result<Client> {
        let target = address.to_socket_addrs()?.next();
        let target = target.ok_or_else(|| Error::Protocol(format!("no address in {address}")))?;
        let stream = TcpStream::connect_timeout(&target, Duration::from_secs(10))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(300)))?;
        let mut client = Client { stream, sequence: 0, buffer: Vec::new(), version: String::new(), id: 0 };
        client.handshake(user, database)?;
        Ok(client)
    }

    fn handshake(&mut self, user: &str, database: Option<&str>) -> Result<()> {
        let greeting = self.read_packet()?;
        if greeting.first() == Some(&0xff) {
            return Err(server_error(&greeting));
        }
        let mut input = Reader::new(&greeting);
        let version = input.u8()?;
        if version != 10 {
            return Err(Error::Protocol(format!("handshake version {version}")));
        }
        self.version = String::from_utf8_lossy(input.until_zero()?).into_owned();
        self.id = input.u32()?;
        let mut flags = CLIENT_LONG_PASSWORD
            | CLIENT_FOUND_ROWS
            | CLIENT_PROTOCOL_41
            | CLIENT_TRANSACTIONS
            | CLIENT_SECURE_CONNECTION
            | CLIENT_MULTI_STATEMENTS
            | CLIENT_MULTI_RESULTS
            | CLIENT_PLUGIN_AUTH;
        if database.is_some() {
            flags |= CLIENT_CONNECT_WITH_DB;
        }
        let mut reply = Vec::new();
        reply.extend_from_slice(&flags.to_le_bytes());
        reply.extend_from_slice(&(64u32 << 20).to_le_bytes());
        reply.push(255);
        reply.extend_from_slice(&[0; 23]);
        reply.extend_from_slice(user.as_bytes());
        reply.extend_from_slice(&[0, 0]); // end of the name, empty authentication answer
        if let Some(database) = database {
            reply.extend_from_slice(database.as_bytes());
            reply.push(0);
        }
        reply.extend_from_slice(b"caching_sha2_password\0");
        self.write_packet(&reply)?;
        loop {
            let packet = self.read_packet()?;
            match packet.first() {
                Some(0) => return Ok(()),
                Some(0xff) => return Err(server_error(&packet)),
                Some(1) if packet.get(1) == Some(&3) => {} // fast authentication succeeded; OK follows
                Some(0xfe) => self.write_packet(&[])?,     // another plugin: the answer to it is empty too
                other => return Err(Error::Protocol(format!("during authentication: {other:?}"))),
            }
        }
    }

    /// Runs one or several statements and returns the last answer.
    ///
    /// # Errors
    /// The first [`Error`].
    pub fn query(&mut self, sql: &str) -> Result<Answer> {
        let mut answers = self.query_all(sql.as_bytes())?;
        answers.pop().ok_or_else(|| Error::Protocol("no answer".into()))
    }

    /// Runs statements and returns every answer.
    ///
    /// # Errors
    /// The first [`Error`].
    pub fn query_all(&mut self, sql: &[u8]) -> Result<Vec<Answer>> {
        let mut packet = vec![3];
        packet.extend_from_slice(sql);
        self.command(&packet)?;
        let mut answers = Vec::new();
        loop {
            let answer = self.read_answer(false)?;
            let more = answer.status & MORE_RESULTS != 0;
            answers.push(answer);
            if !more {
                return Ok(answers);
            }
        }
    }

    /// Prepares a statement.
    ///
    /// # Errors
    /// [`Error`].
    pub fn prepare(&mut self, sql: &str) -> Result<Statement> {
        let mut packet = vec![0x16];
        packet.extend_from_slice(sql.as_bytes());
        self.command(&packet)?;
        let first = self.read_packet()?;
        if first.first() == Some(&0xff) {
            return Err(server_error(&first));
        }
        let mut input = Reader::new(&first);
        input.u8()?;
        let statement = Statement { id: input.u32()?, columns: input.u16()?, params: input.u16()? };
        for count in [statement.params, statement.columns] {
            for _ in 0..count {
                self.read_packet()?;
            }
            if count > 0 {
                self.read_packet()?; // EOF
            }
        }
        Ok(statement)
    }

    /// Executes a prepared statement with text parameters; values of the (binary) rows are returned undecoded.
    ///
    /// # Errors
    /// [`Error`].
    pub fn execute(&mut self, statement: &Statement, params: &[Option<&str>]) -> Result<Answer> {
        let mut packet = vec![0x17];
        packet.extend_from_slice(&statement.id.to_le_bytes());
        packet.extend_from_slice(&[0, 1, 0, 0, 0]);
        if !params.is_empty() {
            let mut nulls = vec![0u8; params.len().div_ceil(8)];
            for (i, param) in params.iter().enumerate() {
                if param.is_none() {
                    nulls[i / 8] |= 1 << (i % 8);
                }
            }
            packet.extend_from_slice(&nulls);
            packet.push(1);
            for _ in params {
                packet.extend_from_slice(&[0xfd, 0]);
            }
            for param in params.iter().flatten() {
                put_length(&mut packet, param.len());
                packet.extend_from_slice(param.as_bytes());
            }
        }
        self.command(&packet)?;
        self.read_answer(true)
    }

    /// Runs a prepared statement with whole numbers as parameters, as drivers send them (BIGINT).
    ///
    /// # Errors
    /// [`Error`].
    pub fn execute_numbers(&mut self, statement: &Statement, params: &[i64]) -> Result<Answer> {
        let mut packet = vec![0x17];
        packet.extend_from_slice(&statement.id.to_le_bytes());
        packet.extend_from_slice(&[0, 1, 0, 0, 0]);
        packet.resize(packet.len() + params.len().div_ceil(8), 0);
        packet.push(1);
        params.iter().for_each(|_| packet.extend_from_slice(&[0x08, 0]));
        params.iter().for_each(|param| packet.extend_from_slice(&param.to_le_bytes()));
        self.command(&packet)?;
        self.read_answer(true)
    }

    /// Asks whether the server is there.
    ///
    /// # Errors
    /// [`Error`].
    pub fn ping(&mut self) -> Result<()> {
        self.raw(&[0x0e]).map(|_| ())
    }

    /// Sends any command and returns its first packet.
    ///
    /// # Errors
    /// [`Error`].
    pub fn raw(&mut self, command: &[u8]) -> Result<Vec<u8>> {
        self.command(command)?;
        let packet = self.read_packet()?;
        if packet.first() == Some(&0xff) { Err(server_error(&packet)) } else { Ok(packet) }
    }

    fn read_answer(&mut self, binary: bool) -> Result<Answer> {
        let first = self.read_packet()?;
        match first.first() {
            Some(0xff) => return Err(server_error(&first)),
            Some(0) => return ok_packet(&first),
            Some(0xfb) => return Err(Error::Protocol("LOCAL INFILE".into())),
            _ => {}
        }
        let count = Reader::new(&first).length()?;
        let mut answer = Answer::default();
        for _ in 0..count {
            let packet = self.read_packet()?;
            answer.columns.push(column(&packet)?);
        }
        self.read_packet()?; // EOF after the columns
        loop {
            let packet = self.read_packet()?;
            match packet.first() {
                Some(0xff) => return Err(server_error(&packet)),
                Some(0xfe) if packet.len() < 9 => {
                    let mut input = Reader::new(&packet[1..]);
                    answer.warnings = input.u16()?;
                    answer.status = input.u16()?;
                    return Ok(answer);
                }
                _ if binary => answer.rows.push(vec![Some(packet)]),
                _ => answer.rows.push(text_row(&packet, answer.columns.len())?),
            }
        }
    }

    fn command(&mut self, packet: &[u8]) -> Result<()> {
        self.sequence = 0;
        self.write_packet(packet)
    }

    fn write_packet(&mut self, payload: &[u8]) -> Result<()> {
        let mut rest = payload;
        loop {
            let part = rest.len().min(0xff_ffff);
            let mut frame = Vec::with_capacity(part + 4);
            frame.extend_from_slice(&(part as u32).to_le_bytes()[..3]);
            frame.push(self.sequence);
            frame.extend_from_slice(&rest[..part]);
            self.stream.write_all(&frame)?;
            self.sequence = self.sequence.wrapping_add(1);
            rest = &rest[part..];
            if part < 0xff_ffff {
                return Ok(());
            }
        }
    }

    fn read_packet(&mut self) -> Result<Vec<u8>> {
        let mut payload = Vec::new();
        loop {
            let header = self.read_exact(4)?;
            let len = usize::from(header[0]) | usize::from(header[1]) << 8 | usize::from(header[2]) << 16;
            // A server that ends says so of its own accord, before it has seen the request: packet 0, and nothing follows.
            let farewell = header[3] == 0 && self.sequence == 1;
            if farewell && len > 0 {
                let packet = self.read_exact(len)?;
                if packet[0] == 0xff {
                    return Ok(packet);
                }
            }
            if header[3] != self.sequence {
                return Err(Error::Protocol(format!(
                    "packet number {}, expected {}",
                    header[3], self.sequence
                )));
            }
            self.sequence = self.sequence.wrapping_add(1);
            payload.extend_from_slice(&self.read_exact(len)?);
            if len < 0xff_ffff {
                return Ok(payload);
            }
        }
    }

    fn read_exact(&mut self, len: usize) -> Result<Vec<u8>> {
        let mut chunk = [0; 16 * 1024];
        while self.buffer.len() < len {
            let read = self.stream.read(&mut chunk)?;
            if read == 0 {
                return Err(Error::Io(io::ErrorKind::UnexpectedEof.into()));
            }
            self.buffer.extend_from_slice(&chunk[..read]);
        }
        let rest = self.buffer.split_off(len);
        Ok(std::mem::replace(&mut self.buffer, rest))
    }
}

fn server_error(packet: &[u8]) -> Error {
    let code =
        u16::from(packet.get(1).copied().unwrap_or(0)) | u16::from(packet.get(2).copied().unwrap_or(0)) << 8;
    let rest = packet.get(3..).unwrap_or(&[]);
    let (state, message) = match rest.split_first() {
        Some((b'#', tail)) if tail.len() >= 5 => tail.split_at(5),
        _ => (&b""[..], rest),
    };
    Error::Server {
        code,
        state: String::from_utf8_lossy(state).into_owned(),
        message: String::from_utf8_lossy(message).into_owned(),
    }
}

fn ok_packet(packet: &[u8]) -> Result<Answer> {
    let mut input = Reader::new(&packet[1..]);
    Ok(Answer {
        affected: input.length()?,
        insert_id: input.length()?,
        status: input.u16()?,
        warnings: input.u16()?,
        info: String::from_utf8_lossy(input.rest()).into_owned(),
        ..Answer::default()
    })
}
