//! What can be wrong with a client's bytes, and the MySQL error that answers it.

/// A protocol error: a MySQL error code, its SQLSTATE and text, and whether the connection can go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum WireError {
    /// A packet's content does not parse: ER_MALFORMED_PACKET 1835.
    #[error("Malformed communication packet.")]
    Malformed,
    /// The payload exceeds the cap in force: ER_NET_PACKET_TOO_LARGE 1153.
    #[error("Got a packet bigger than 'max_allowed_packet' bytes")]
    TooLarge,
    /// A sequence number that was not the next one: ER_NET_PACKETS_OUT_OF_ORDER 1156.
    #[error("Got packets out of order")]
    OutOfOrder,
    /// The client's first packet is not a login we understand: ER_HANDSHAKE_ERROR 1043.
    #[error("Bad handshake")]
    BadHandshake,
    /// The parameters of a COM_STMT_EXECUTE do not fit its statement: ER_WRONG_ARGUMENTS 1210.
    #[error("Incorrect arguments to COM_STMT_EXECUTE")]
    WrongArguments,
}

impl WireError {
    /// MySQL's error number.
    pub const fn code(self) -> u16 {
        match self {
            WireError::Malformed => 1835,
            WireError::TooLarge => 1153,
            WireError::OutOfOrder => 1156,
            WireError::BadHandshake => 1043,
            WireError::WrongArguments => 1210,
        }
    }

    /// MySQL's SQLSTATE.
    pub const fn sqlstate(self) -> &'static str {
        match self {
            WireError::Malformed | WireError::WrongArguments => "HY000",
            WireError::TooLarge | WireError::OutOfOrder | WireError::BadHandshake => "08S01",
        }
    }

    /// True when the byte stream can no longer be trusted: the error is sent and the connection closed.
    pub const fn is_fatal(self) -> bool {
        matches!(self, WireError::TooLarge | WireError::OutOfOrder | WireError::BadHandshake)
    }
}
