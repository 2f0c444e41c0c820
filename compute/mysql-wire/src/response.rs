//! Answers: OK, ERR, EOF, column definitions and rows, appended to the caller's buffer.
//!
//! ```text
//!   text result:  count | column* | [EOF] | row* | EOF or OK(0xFE)       prepare: OK(0x00) | param* | [EOF] | column* | [EOF]
//!                                    `-- without DEPRECATE_EOF ---'
//! ```
//! One [`Responder`] lives as long as one answer and remembers the next sequence number; the buffer may be sent and cleared between
//! packets, so a large result needs no large buffer.
//!
//! Source: "OK_Packet", "ERR_Packet", "EOF_Packet", "Text Resultset", "Column Definition", "COM_STMT_PREPARE Response", "Session State Information".

use crate::frame::{HEADER, seal};
use crate::row::{Format, RowWriter};
use crate::write::{put_lenenc, put_lenenc_bytes};
use crate::{Capabilities, ColumnFlags, ColumnType, Status, WireError};
use bytes::{BufMut, BytesMut};

/// One answer in the making.
#[derive(Debug)]
pub struct Responder<'a> {
    out: &'a mut BytesMut,
    sequence: u8,
    capabilities: Capabilities,
}

/// What an OK packet says.
#[derive(Clone, Copy, Debug, Default)]
pub struct OkPacket<'a> {
    /// Rows changed (or matched, with FOUND_ROWS).
    pub affected_rows: u64,
    /// LAST_INSERT_ID of this statement, or 0.
    pub last_insert_id: u64,
    /// The status word (the session-changes bit is set by the encoder).
    pub status: Status,
    /// Number of warnings.
    pub warnings: u16,
    /// Text for a person: `Rows matched: 2  Changed: 2  Warnings: 0`.
    pub info: &'a str,
    /// What changed in the session, for clients that track it.
    pub changes: &'a [SessionChange<'a>],
}

/// One entry of session state information.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SessionChange<'a> {
    /// A system variable has a new value.
    SystemVariable {
        /// Its name.
        name: &'a str,
        /// Its value as text.
        value: &'a str,
    },
    /// The default database has changed.
    Schema(&'a str),
    /// Something in the session has changed (session_track_state_change).
    StateChange,
    /// The transaction's state, as MySQL's eight characters (`T_______`).
    TransactionState(&'a str),
    /// The statements that would restart the transaction.
    TransactionCharacteristics(&'a str),
}

/// A column definition. Names are bytes in the results' character set.
#[derive(Clone, Copy, Debug)]
pub struct Column<'a> {
    /// Database, empty for an expression.
    pub schema: &'a [u8],
    /// Table or its alias.
    pub table: &'a [u8],
    /// Table.
    pub org_table: &'a [u8],
    /// Column or its alias.
    pub name: &'a [u8],
    /// Column, empty for an expression.
    pub org_name: &'a [u8],
    /// Collation number; 63 for everything that is not text.
    pub collation: u16,
    /// Greatest length in bytes.
    pub length: u32,
    /// Type.
    pub ty: ColumnType,
    /// Flags.
    pub flags: ColumnFlags,
    /// Digits behind the point; 31 for floating point and expressions of text.
    pub decimals: u8,
}

impl<'a> Responder<'a> {
    /// An answer whose first packet has number `sequence` ([`crate::frame::Decoder::next_sequence`]).
    pub fn new(out: &'a mut BytesMut, sequence: u8, capabilities: Capabilities) -> Self {
        Self { out, sequence, capabilities }
    }

    /// The sequence number after the last packet.
    pub fn next_sequence(&self) -> u8 {
        self.sequence
    }

    /// What both sides can do.
    pub fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    /// Bytes in the buffer, to be sent.
    pub fn pending(&self) -> usize {
        self.out.len()
    }

    /// The buffer, so that a large result can be sent piece by piece between packets.
    pub fn buffer(&mut self) -> &mut BytesMut {
        self.out
    }

    /// Appends one packet whose payload `write` appends.
    pub fn packet(&mut self, write: impl FnOnce(&mut BytesMut)) {
        let start = self.begin();
        write(self.out);
        self.end(start);
    }

    pub(crate) fn begin(&mut self) -> usize {
        let start = self.out.len();
        self.out.put_bytes(0, HEADER);
        start
    }

    pub(crate) fn end(&mut self, start: usize) {
        self.sequence = seal(self.out, start, self.sequence);
    }

    pub(crate) fn out(&mut self) -> &mut BytesMut {
        self.out
    }

    /// OK.
    pub fn ok(&mut self, ok: &OkPacket<'_>) {
        self.ok_with(0x00, ok);
    }

    fn ok_with(&mut self, header: u8, ok: &OkPacket<'_>) {
        let tracked = self.capabilities.has(Capabilities::SESSION_TRACK);
        let changed = tracked && !ok.changes.is_empty();
        let status =
            ok.status.without(Status::SESSION_STATE_CHANGED).with_if(Status::SESSION_STATE_CHANGED, changed);
        self.packet(|out| {
            out.put_u8(header);
            put_lenenc(out, ok.affected_rows);
            put_lenenc(out, ok.last_insert_id);
            out.put_u16_le(status.bits());
            out.put_u16_le(ok.warnings);
            // Recorded from MySQL 9.7: an empty text is left out, whatever the capabilities, unless changes follow it.
            if changed || !ok.info.is_empty() {
                put_lenenc_bytes(out, ok.info.as_bytes());
            }
            if changed {
                put_changes(out, ok.changes);
            }
        });
    }

    /// ERR. `sqlstate` has five characters.
    pub fn err(&mut self, code: u16, sqlstate: &str, message: &[u8]) {
        debug_assert_eq!(sqlstate.len(), 5);
        // Before a login is parsed nothing is agreed, and MySQL leaves the SQLSTATE out.
        let with_state = self.capabilities.has(Capabilities::PROTOCOL_41);
        self.packet(|out| {
            out.put_u8(0xff);
            out.put_u16_le(code);
            if with_state {
                out.put_u8(b'#');
                out.put_slice(sqlstate.as_bytes());
            }
            out.put_slice(&message[..message.len().min(MAX_ERROR_TEXT)]);
        });
    }

    /// ERR for a protocol error.
    pub fn wire_err(&mut self, error: WireError) {
        self.err(error.code(), error.sqlstate(), error.to_string().as_bytes());
    }

    /// The end of a result set, or the answer to COM_SET_OPTION and COM_DEBUG: EOF, or OK with EOF's first byte.
    pub fn eof(&mut self, status: Status, warnings: u16) {
        self.result_end(&OkPacket { status, warnings, ..OkPacket::default() });
    }

    /// The end of a result set with everything an OK can say to clients that take one.
    pub fn result_end(&mut self, ok: &OkPacket<'_>) {
        if self.capabilities.has(Capabilities::DEPRECATE_EOF) {
            self.ok_with(0xfe, ok);
        } else {
            self.old_eof(ok.status, ok.warnings);
        }
    }

    fn old_eof(&mut self, status: Status, warnings: u16) {
        self.packet(|out| {
            out.put_u8(0xfe);
            out.put_u16_le(warnings);
            out.put_u16_le(status.bits());
        });
    }

    /// The first packet of a result set: how many columns there are, and, to clients that can do without, whether their definitions follow.
    /// MySQL puts that byte before the number, MariaDB behind it.
    pub fn column_count(&mut self, count: u64, definitions_follow: bool) {
        let (mysql, mariadb) = (
            self.capabilities.has(Capabilities::OPTIONAL_METADATA),
            self.capabilities.has(Capabilities::CACHE_METADATA),
        );
        debug_assert!(definitions_follow || mysql || mariadb, "this client needs definitions");
        self.packet(|out| {
            if mysql {
                out.put_u8(definitions_follow.into());
            }
            put_lenenc(out, count);
            if mariadb && !mysql {
                out.put_u8(definitions_follow.into());
            }
        });
    }

    /// One column definition.
    pub fn column(&mut self, column: &Column<'_>) {
        self.packet(|out| put_column(out, column));
    }

    /// One column definition of COM_FIELD_LIST, with the column's default value.
    pub fn column_with_default(&mut self, column: &Column<'_>, default: Option<&[u8]>) {
        self.packet(|out| {
            put_column(out, column);
            match default {
                Some(value) => put_lenenc_bytes(out, value),
                None => out.put_u8(0xfb),
            }
        });
    }

    /// What follows the column definitions: EOF for clients that want it, else nothing.
    pub fn columns_end(&mut self, status: Status, warnings: u16) {
        if !self.capabilities.has(Capabilities::DEPRECATE_EOF) {
            self.old_eof(status, warnings);
        }
    }

    /// A row of `columns` columns; it becomes a packet by [`RowWriter::finish`] and leaves no trace without.
    pub fn row(&mut self, format: Format, columns: usize) -> RowWriter<'_, 'a> {
        RowWriter::begin(self, format, columns)
    }

    /// The first packet of the answer to COM_STMT_PREPARE; then the parameters' and the columns' definitions follow, each list that is not empty ended by
    /// [`Responder::columns_end`]. `follow` is false when the definitions are left out.
    pub fn prepare_ok(&mut self, statement: u32, columns: u16, parameters: u16, warnings: u16, follow: bool) {
        let optional = self.capabilities.has(Capabilities::OPTIONAL_METADATA);
        self.packet(|out| {
            out.put_u8(0);
            out.put_u32_le(statement);
            out.put_u16_le(columns);
            out.put_u16_le(parameters);
            out.put_u8(0);
            out.put_u16_le(warnings);
            if optional {
                out.put_u8(follow.into());
            }
        });
    }

    /// Asks the client for the contents of its file `name` (LOAD DATA LOCAL): it answers with packets, the last one empty.
    pub fn local_file(&mut self, name: &[u8]) {
        self.packet(|out| {
            out.put_u8(0xfb);
            out.put_slice(name);
        });
    }

    /// Appends packets made earlier, with numbers that continue this answer: rows that a cursor has kept.
    pub fn renumbered(&mut self, mut packets: &[u8]) {
        while let Some((header, rest)) = packets.split_first_chunk::<HEADER>() {
            let length = u32::from_le_bytes([header[0], header[1], header[2], 0]) as usize;
            let (payload, rest) = rest.split_at(length.min(rest.len()));
            self.out.put_slice(&header[..3]);
            self.out.put_u8(self.sequence);
            self.out.put_slice(payload);
            self.sequence = self.sequence.wrapping_add(1);
            packets = rest;
        }
    }

    /// A packet that is only text: the answer to COM_STATISTICS.
    pub fn text(&mut self, text: &str) {
        self.packet(|out| out.put_slice(text.as_bytes()));
    }

    /// Copies packets made earlier by a responder with the same first sequence number and capabilities: a prepared statement's column
    /// definitions. `next` is the sequence number that responder ended with.
    pub fn replay(&mut self, packets: &[u8], next: u8) {
        debug_assert!(packets.get(3).is_none_or(|first| *first == self.sequence));
        self.out.put_slice(packets);
        self.sequence = next;
    }
}

/// MySQL cuts error texts at this many bytes (MYSQL_ERRMSG_SIZE).
const MAX_ERROR_TEXT: usize = 512;

fn put_column(out: &mut BytesMut, column: &Column<'_>) {
    put_lenenc_bytes(out, b"def");
    for name in [column.schema, column.table, column.org_table, column.name, column.org_name] {
        put_lenenc_bytes(out, name);
    }
    out.put_u8(0x0c);
    out.put_u16_le(column.collation);
    out.put_u32_le(column.length);
    out.put_u8(column.ty as u8);
    out.put_u16_le(column.flags.bits());
    out.put_u8(column.decimals);
    out.put_u16_le(0);
}

fn put_changes(out: &mut BytesMut, changes: &[SessionChange<'_>]) {
    let mut all = BytesMut::new();
    for change in changes {
        let mut one = BytesMut::new();
        let kind = match change {
            SessionChange::SystemVariable { name, value } => {
                put_lenenc_bytes(&mut one, name.as_bytes());
                put_lenenc_bytes(&mut one, value.as_bytes());
                0
            }
            SessionChange::Schema(name) => {
                put_lenenc_bytes(&mut one, name.as_bytes());
                1
            }
            SessionChange::StateChange => {
                // Recorded from MySQL 9.7: the bare digit, where the others have a text with its length.
                one.put_u8(b'1');
                2
            }
            SessionChange::TransactionCharacteristics(text) => {
                put_lenenc_bytes(&mut one, text.as_bytes());
                4
            }
            SessionChange::TransactionState(text) => {
                put_lenenc_bytes(&mut one, text.as_bytes());
                5
            }
        };
        all.put_u8(kind);
        put_lenenc_bytes(&mut all, &one);
    }
    put_lenenc_bytes(out, &all);
}
