//! Commands and logins: what MySQL accepts, what it answers with 1835 or 1047, and arbitrary bytes.

use crate::handshake::{ClientHello, Login, parse_hello};
use crate::*;
use proptest::prelude::*;

const CAPS: Capabilities = super::PLAIN;

fn parse(payload: &[u8]) -> Result<Command<'_>, WireError> {
    Command::parse(payload, CAPS)
}

#[test]
fn plain_commands() {
    assert_eq!(parse(b"\x01"), Ok(Command::Quit));
    assert_eq!(parse(b"\x02shop"), Ok(Command::InitDb(b"shop")));
    assert_eq!(parse(b"\x04t\0i%"), Ok(Command::FieldList { table: b"t", pattern: b"i%" }));
    assert_eq!(parse(b"\x09"), Ok(Command::Statistics));
    assert_eq!(parse(b"\x0e"), Ok(Command::Ping));
    assert_eq!(parse(b"\x0eextra"), Ok(Command::Ping));
    assert_eq!(parse(b"\x16select ?"), Ok(Command::StmtPrepare(b"select ?")));
    assert_eq!(
        parse(b"\x18\x01\0\0\0\x02\0data"),
        Ok(Command::StmtSendLongData { statement: 1, parameter: 2, data: b"data" })
    );
    assert_eq!(parse(b"\x19\x05\0\0\0"), Ok(Command::StmtClose(5)));
    assert_eq!(parse(b"\x1a\x05\0\0\0"), Ok(Command::StmtReset(5)));
    assert_eq!(parse(b"\x1b\0\0"), Ok(Command::SetOption { multi_statements: true }));
    assert_eq!(parse(b"\x1c\x05\0\0\0\x07\0\0\0"), Ok(Command::StmtFetch { statement: 5, rows: 7 }));
    assert_eq!(parse(b"\x1f"), Ok(Command::ResetConnection));
}

/// As recorded from MySQL 9.7: removed commands, an option that does not exist, and no command at all are unknown.
#[test]
fn unknown_commands() {
    for code in [0, 5, 6, 7, 8, 0x0a, 0x0b, 0x0c, 0x0f, 0x10, 0x21, 0xff] {
        assert_eq!(parse(&[code]), Ok(Command::Unknown(code)));
    }
    assert_eq!(parse(b""), Ok(Command::Unknown(0)));
    assert_eq!(parse(b"\x1b\x02\0"), Ok(Command::Unknown(0x1b)));
}

#[test]
fn short_commands_are_malformed() {
    let recorded: [&[u8]; 10] = [
        b"\x03",
        b"\x03\0",
        b"\x03\x05\x01",
        b"\x03\x01\x01",
        b"\x17\x01\0",
        b"\x18",
        b"\x19\x01",
        b"\x1a",
        b"\x1b\x01",
        b"\x1c",
    ];
    for payload in recorded {
        assert_eq!(parse(payload), Err(WireError::Malformed), "{payload:?}");
    }
}

#[test]
fn queries_with_and_without_attributes() {
    assert_eq!(parse(b"\x03\0\x01select 1"), Ok(Command::Query { sql: b"select 1", attributes: vec![] }));
    let old = CAPS.without(Capabilities::QUERY_ATTRIBUTES);
    let plain = Command::Query { sql: b"select 1", attributes: vec![] };
    assert_eq!(Command::parse(b"\x03select 1", old), Ok(plain));
    // Two attributes: n = 'v', and one that is NULL.
    let payload = b"\x03\x02\x01\x02\x01\xfd\0\x01n\x08\0\x01m\x01vselect 1";
    let attributes = vec![
        Attribute { name: b"n", value: Param::Bytes(ColumnType::VarString, b"v") },
        Attribute { name: b"m", value: Param::Null },
    ];
    assert_eq!(parse(payload), Ok(Command::Query { sql: b"select 1", attributes }));
}

#[test]
fn change_user_with_everything_and_with_the_least() {
    let full = b"\x11bob\0\x03abcshop\0\xff\0mysql_native_password\0\x04\x01a\x01b";
    let Ok(Command::ChangeUser(change)) = parse(full) else { panic!("{:?}", parse(full)) };
    assert_eq!(
        (change.user, change.auth_response, change.database),
        (&b"bob"[..], &b"abc"[..], Some(&b"shop"[..]))
    );
    assert_eq!((change.collation, change.plugin), (Some(255), Some(&b"mysql_native_password"[..])));
    assert_eq!(change.attributes.iter().collect::<Vec<_>>(), [(&b"a"[..], &b"b"[..])]);
    let Ok(Command::ChangeUser(change)) = parse(b"\x11bob\0\0\0") else { panic!("not parsed") };
    assert_eq!((change.database, change.collation, change.plugin), (None, None, None));
}

fn login_bytes(caps: Capabilities, tail: &[u8]) -> Vec<u8> {
    let mut bytes = caps.bits().to_le_bytes()[..4].to_vec();
    bytes.extend_from_slice(&[0, 0, 0, 1, 45]);
    bytes.extend_from_slice(&[0; 23]);
    bytes.extend_from_slice(tail);
    bytes
}

#[test]
fn a_login_with_everything() {
    let sent = CAPS | Capabilities::COMPRESS;
    let bytes = login_bytes(sent, b"root\0\x02xyshop\0caching_sha2_password\0\x0c\x04_pid\x0212\x01n\x01v");
    let Ok(ClientHello::Login(login)) = parse_hello(&bytes, CAPS, false) else { panic!("not a login") };
    let pairs: Vec<_> = login.attributes.iter().collect();
    assert_eq!(pairs, [(&b"_pid"[..], &b"12"[..]), (b"n", b"v")]);
    let expected = Login {
        capabilities: CAPS,
        max_packet: 1 << 24,
        collation: 45,
        user: b"root",
        auth_response: b"xy",
        database: Some(b"shop"),
        plugin: Some(b"caching_sha2_password"),
        attributes: login.attributes,
        zstd_level: None,
    };
    assert_eq!(login, expected);
}

#[test]
fn tls_is_asked_for_alone_and_where_offered() {
    let offered = CAPS | Capabilities::SSL;
    let request = login_bytes(offered, b"");
    assert_eq!(parse_hello(&request, offered, false), Ok(ClientHello::Ssl(offered)));
    assert_eq!(parse_hello(&request, CAPS, false), Err(WireError::BadHandshake));
    let long = login_bytes(offered, b"root\0\0\0\0\0");
    assert_eq!(parse_hello(&long, offered, false), Err(WireError::BadHandshake));
    assert!(matches!(parse_hello(&long, offered, true), Ok(ClientHello::Login(_))));
}

#[test]
fn old_clients_and_garbage_get_bad_handshake() {
    let old = CAPS.without(Capabilities::PROTOCOL_41);
    assert_eq!(parse_hello(&login_bytes(old, b"root\0\0"), CAPS, false), Err(WireError::BadHandshake));
    assert_eq!(parse_hello(b"abc", CAPS, false), Err(WireError::BadHandshake));
    // An attribute block longer than the packet.
    let bytes = login_bytes(CAPS, b"root\0\0\0caching_sha2_password\0\xfd\xff\xff\xff\x01");
    assert_eq!(parse_hello(&bytes, CAPS, false), Err(WireError::BadHandshake));
}

proptest! {
    #[test]
    fn any_bytes_parse_or_fail(payload in prop::collection::vec(any::<u8>(), 0..200), caps: u64, code in 0u8..0x22) {
        let caps = Capabilities::from_bits(caps);
        let _ = Command::parse(&payload, caps);
        let _ = parse_hello(&payload, caps, caps.has(Capabilities::SSL));
        let mut coded = vec![code];
        coded.extend_from_slice(&payload);
        let _ = Command::parse(&coded, caps);
        // A login's fixed part is rarely hit by chance.
        let _ = parse_hello(&login_bytes(caps | CAPS, &payload), CAPS, true);
    }

    #[test]
    fn any_cut_of_a_login_fails_cleanly(cut in 0usize..80) {
        let bytes = login_bytes(CAPS, b"root\0\x02xyshop\0caching_sha2_password\0\x0c\x04_pid\x0212\x01n\x01v");
        let _ = parse_hello(&bytes[..cut.min(bytes.len())], CAPS, false);
    }
}
