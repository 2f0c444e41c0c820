//! The MySQL client/server protocol: bytes in, messages out.
