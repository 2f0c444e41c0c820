//! Commands: one payload of the command phase as one borrowed message.
//!
//! A command's bytes are checked as MySQL 9.7 checks them: commands it removed (COM_PROCESS_INFO, COM_PROCESS_KILL, COM_REFRESH, COM_SHUTDOWN ...) and an empty
//! payload are [`Command::Unknown`] (ER_UNKNOWN_COM_ERROR 1047), a payload too short for its command is [`WireError::Malformed`].
//!
//! Source: "Command Phase" and its pages; recorded answers of MySQL 9.7.

use crate::handshake::Attributes;
use crate::params::{self, Param, ParamType};
use crate::read::Reader;
use crate::{Capabilities, WireError};

/// One request of the client. Texts are bytes in the client's character set.
#[derive(Clone, PartialEq, Debug)]
pub enum Command<'a> {
    /// Close the connection; no answer.
    Quit,
    /// Change the default database. Answer: OK.
    InitDb(&'a [u8]),
    /// A statement text with its attributes. Answer: OK, or result sets.
    Query {
        /// The statement, or several where MULTI_STATEMENTS is on.
        sql: &'a [u8],
        /// Query attributes, usually none.
        attributes: Vec<Attribute<'a>>,
    },
    /// The columns of a table (deprecated, still answered by MySQL 9.7). Answer: column definitions with defaults, EOF.
    FieldList {
        /// The table.
        table: &'a [u8],
        /// A LIKE pattern for columns.
        pattern: &'a [u8],
    },
    /// A line of figures. Answer: the text as one packet.
    Statistics,
    /// Dump debug information to the server's log. Answer: EOF.
    Debug,
    /// Are you there? Answer: OK.
    Ping,
    /// Log in again as somebody else on this connection. Answer: authentication, then OK.
    ChangeUser(ChangeUser<'a>),
    /// Make the session new, without authentication. Answer: OK.
    ResetConnection,
    /// Switch several statements per query on or off. Answer: EOF.
    SetOption {
        /// On?
        multi_statements: bool,
    },
    /// Prepare a statement. Answer: [`crate::Responder::prepare_ok`] and definitions.
    StmtPrepare(&'a [u8]),
    /// Run a prepared statement. Answer: OK, or result sets in the binary format.
    StmtExecute(Execute<'a>),
    /// A piece of a parameter's value. No answer, not even for an error: that is kept for the execute.
    StmtSendLongData {
        /// The statement.
        statement: u32,
        /// The parameter, from 0.
        parameter: u16,
        /// Bytes to append.
        data: &'a [u8],
    },
    /// Forget a statement. No answer.
    StmtClose(u32),
    /// Drop long data and cursor of a statement. Answer: OK.
    StmtReset(u32),
    /// Rows from a cursor.
    StmtFetch {
        /// The statement.
        statement: u32,
        /// How many rows.
        rows: u32,
    },
    /// Anything else: ER_UNKNOWN_COM_ERROR 1047, 08S01.
    Unknown(u8),
}

/// A query attribute: a named value beside the statement.
#[derive(Clone, PartialEq, Debug)]
pub struct Attribute<'a> {
    /// Its name.
    pub name: &'a [u8],
    /// Its value.
    pub value: Param<'a>,
}

/// COM_CHANGE_USER.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChangeUser<'a> {
    /// The user name.
    pub user: &'a [u8],
    /// An answer to the challenge of the login (not used: a fresh challenge is sent).
    pub auth_response: &'a [u8],
    /// The database to start in, if not empty.
    pub database: Option<&'a [u8]>,
    /// The collation the client asks for, if it said.
    pub collation: Option<u16>,
    /// The plugin of `auth_response`.
    pub plugin: Option<&'a [u8]>,
    /// Connection attributes.
    pub attributes: Attributes<'a>,
}

/// COM_STMT_EXECUTE. Its parameters can be read only by who knows their number: [`Execute::bind`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Execute<'a> {
    /// The statement.
    pub statement: u32,
    /// The cursor the client asks for (0: none).
    pub cursor: u8,
    with_count: bool,
    query_attributes: bool,
    body: &'a [u8],
}

/// Cursor bits of an execute's flags.
const CURSOR_MASK: u8 = 0x07;
/// The flag that says a parameter count is there although the statement has no parameters.
const PARAMETER_COUNT_AVAILABLE: u8 = 0x08;

impl<'a> Command<'a> {
    /// The command of one payload. `capabilities` are those both sides agreed on.
    ///
    /// # Errors
    /// [`WireError::Malformed`]; the connection goes on.
    pub fn parse(payload: &'a [u8], capabilities: Capabilities) -> Result<Command<'a>, WireError> {
        let Some((&code, body)) = payload.split_first() else { return Ok(Command::Unknown(0)) };
        let mut reader = Reader::new(body);
        Ok(match code {
            0x01 => Command::Quit,
            0x02 => Command::InitDb(body.strip_suffix(&[0]).unwrap_or(body)),
            0x03 => parse_query(reader, capabilities)?,
            0x04 => Command::FieldList { table: reader.nul_bytes()?, pattern: reader.nul_or_rest() },
            0x09 => Command::Statistics,
            0x0d => Command::Debug,
            0x0e => Command::Ping,
            0x11 => Command::ChangeUser(parse_change_user(reader, capabilities)?),
            0x16 => Command::StmtPrepare(body),
            0x17 => Command::StmtExecute(parse_execute(reader, capabilities)?),
            0x18 => Command::StmtSendLongData {
                statement: reader.u32()?,
                parameter: reader.u16()?,
                data: reader.rest(),
            },
            0x19 => Command::StmtClose(reader.u32()?),
            0x1a => Command::StmtReset(reader.u32()?),
            0x1b => match reader.u16()? {
                0 => Command::SetOption { multi_statements: true },
                1 => Command::SetOption { multi_statements: false },
                _ => Command::Unknown(code),
            },
            0x1c => Command::StmtFetch { statement: reader.u32()?, rows: reader.u32()? },
            0x1f => Command::ResetConnection,
            other => Command::Unknown(other),
        })
    }

    /// True for the commands that are not answered.
    pub fn is_silent(&self) -> bool {
        matches!(self, Command::Quit | Command::StmtSendLongData { .. } | Command::StmtClose(_))
    }
}

fn parse_query<'a>(mut reader: Reader<'a>, capabilities: Capabilities) -> Result<Command<'a>, WireError> {
    let mut attributes = Vec::new();
    if capabilities.has(Capabilities::QUERY_ATTRIBUTES) {
        let count = reader.lenenc()?;
        let sets = reader.lenenc()?;
        if sets != 1 {
            return Err(WireError::Malformed);
        }
        if count > 0 {
            attributes = params::read_attributes(&mut reader, count)?;
        }
    }
    Ok(Command::Query { sql: reader.rest(), attributes })
}

fn parse_change_user<'a>(mut reader: Reader<'a>, caps: Capabilities) -> Result<ChangeUser<'a>, WireError> {
    let user = reader.nul_bytes()?;
    let length = reader.u8()?;
    let auth_response = reader.take(usize::from(length))?;
    let database = Some(reader.nul_or_rest()).filter(|name| !name.is_empty());
    let collation = if reader.is_empty() { None } else { Some(reader.u16()?) };
    let plugin = (caps.has(Capabilities::PLUGIN_AUTH) && !reader.is_empty()).then(|| reader.nul_or_rest());
    let attributes = if caps.has(Capabilities::CONNECT_ATTRS) && !reader.is_empty() {
        Attributes::read(&mut reader)?
    } else {
        Attributes::default()
    };
    Ok(ChangeUser { user, auth_response, database, collation, plugin, attributes })
}

fn parse_execute<'a>(mut reader: Reader<'a>, capabilities: Capabilities) -> Result<Execute<'a>, WireError> {
    let statement = reader.u32()?;
    let flags = reader.u8()?;
    let _iterations = reader.u32()?;
    Ok(Execute {
        statement,
        cursor: flags & CURSOR_MASK,
        with_count: flags & PARAMETER_COUNT_AVAILABLE != 0,
        query_attributes: capabilities.has(Capabilities::QUERY_ATTRIBUTES),
        body: reader.rest(),
    })
}

impl<'a> Execute<'a> {
    /// Reads the values of a statement with `expected` parameters and hands each to `each`, in order; returns the query attributes
    /// that came with them. `types` holds the types the client sent with an earlier execute and is replaced when new ones come;
    /// `has_long_data` says which parameters were sent by COM_STMT_SEND_LONG_DATA: they have no value here and `each` does not see them
    /// (unless NULL is sent for one).
    ///
    /// # Errors
    /// [`WireError::WrongArguments`], as MySQL answers; `each` may have seen some values by then.
    pub fn bind(
        &self,
        expected: u16,
        types: &mut Vec<ParamType>,
        has_long_data: impl Fn(u16) -> bool,
        each: impl FnMut(u16, Param<'a>),
    ) -> Result<Vec<Attribute<'a>>, WireError> {
        let mut reader = Reader::new(self.body);
        let counted = self.query_attributes && (expected > 0 || self.with_count);
        let count =
            if counted { reader.lenenc().map_err(|_| WireError::WrongArguments)? } else { expected.into() };
        if count < u64::from(expected) || count > u64::from(u16::MAX) {
            return Err(WireError::WrongArguments);
        }
        if count == 0 {
            return Ok(Vec::new());
        }
        let names = self.query_attributes;
        params::bind(
            &mut reader,
            params::Shape { expected, count: count as u16, names },
            types,
            has_long_data,
            each,
        )
        .map_err(|_| WireError::WrongArguments)
    }
}
