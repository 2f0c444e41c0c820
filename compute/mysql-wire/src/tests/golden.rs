//! Packets recorded from MySQL 9.7.4 (`payload` only, sequence numbers checked by `frames`), and ours for the same answer.

use crate::handshake::{Greeting, nonce_from_random};
use crate::*;
use bytes::BytesMut;

const MODERN: Capabilities = super::PLAIN;

/// The payloads of everything `answer` writes, from sequence number 1.
pub(super) fn payloads(caps: Capabilities, answer: impl FnOnce(&mut Responder<'_>)) -> Vec<Vec<u8>> {
    let mut out = BytesMut::new();
    answer(&mut Responder::new(&mut out, 1, caps));
    let mut decoder = frame::Decoder::new(usize::MAX);
    decoder.expect(1);
    let mut found = Vec::new();
    while !out.is_empty() {
        assert_eq!(decoder.poll(&mut out), Ok(None));
        found.push(decoder.payload(&out).to_vec());
        decoder.release(&mut out);
    }
    found
}

fn one(caps: Capabilities, answer: impl FnOnce(&mut Responder<'_>)) -> Vec<u8> {
    let mut all = payloads(caps, answer);
    assert_eq!(all.len(), 1);
    all.remove(0)
}

#[test]
fn a_greeting_has_mysqls_layout() {
    let nonce = *b"I{%\x1f54\x1eB4\x1e\x18hdCq\x1c\x170D]";
    let greeting = Greeting {
        version: "9.7.4-2",
        connection_id: 9,
        nonce: &nonce,
        capabilities: Capabilities::from_bits(0xdfff_ffff),
        collation: 255,
        status: Status::AUTOCOMMIT,
        plugin: "caching_sha2_password",
    };
    let recorded = b"\x0a9.7.4-2\x00\x09\x00\x00\x00I{%\x1f54\x1eB\x00\xff\xff\xff\x02\x00\xff\xdf\x15\x00\x00\x00\x00\x00\x00\x00\
        \x00\x00\x004\x1e\x18hdCq\x1c\x170D]\x00caching_sha2_password\x00";
    assert_eq!(one(MODERN, |out| greeting.write(out)), recorded);
}

#[test]
fn the_offer_is_mysqls_less_what_is_not_served() {
    use Capabilities as C;
    let missing = C::from_bits(0xdfff_ffff).without(C::OFFERED);
    let expected = C::LONG_PASSWORD | C::COMPRESS | C::LOCAL_FILES | C::SSL | C::ZSTD | C::MULTI_FACTOR;
    assert_eq!(missing.without(C::from_bits(1 << 30)), expected);
}

#[test]
fn a_nonce_is_a_c_string_without_dollars() {
    let nonce = nonce_from_random(std::array::from_fn(|i| [0, 0x80, b'$', b'$' | 0x80, 7][i % 5]));
    assert!(nonce.iter().all(|b| *b != 0 && *b != b'$' && *b < 0x80));
}

#[test]
fn ok_packets() {
    let ok = OkPacket { status: Status::AUTOCOMMIT, ..OkPacket::default() };
    assert_eq!(one(MODERN, |out| out.ok(&ok)), b"\0\0\0\x02\0\0\0");
    let inserted = OkPacket {
        affected_rows: 2,
        last_insert_id: 2,
        info: "Records: 2  Duplicates: 0  Warnings: 0",
        ..ok
    };
    assert_eq!(
        one(MODERN, |out| out.ok(&inserted)),
        b"\0\x02\x02\x02\0\0\0&Records: 2  Duplicates: 0  Warnings: 0"
    );
    let changes = [
        SessionChange::SystemVariable { name: "character_set_client", value: "latin1" },
        SessionChange::SystemVariable { name: "character_set_connection", value: "latin1" },
        SessionChange::SystemVariable { name: "character_set_results", value: "latin1" },
    ];
    let names = OkPacket { changes: &changes, ..ok };
    assert_eq!(
        one(MODERN, |out| out.ok(&names)),
        b"\0\0\0\x02@\0\0\0_\0\x1c\x14character_set_client\x06latin1\0 \x18character_set_connection\x06latin1\
          \0\x1d\x15character_set_results\x06latin1"
    );
    assert_eq!(one(MODERN.without(Capabilities::SESSION_TRACK), |out| out.ok(&names)), b"\0\0\0\x02\0\0\0");
    let changes = [SessionChange::Schema("sbtest")];
    assert_eq!(
        one(MODERN, |out| out.ok(&OkPacket { changes: &changes, ..ok })),
        b"\0\0\0\x02@\0\0\0\t\x01\x07\x06sbtest"
    );
    let changes = [SessionChange::TransactionState("T_______")];
    let status = Status::AUTOCOMMIT | Status::IN_TRANS;
    assert_eq!(
        one(MODERN, |out| out.ok(&OkPacket { status, changes: &changes, ..ok })),
        b"\0\0\0\x03@\0\0\0\x0b\x05\t\x08T_______"
    );
}

#[test]
fn errors() {
    let text = b"Unknown database 'nope'";
    assert_eq!(one(MODERN, |out| out.err(1049, "42000", text)), b"\xff\x19\x04#42000Unknown database 'nope'");
    // Before a login: no capabilities, no SQLSTATE.
    assert_eq!(
        one(Capabilities::empty(), |out| out.err(1040, "08004", b"Too many connections")),
        b"\xff\x10\x04Too many connections"
    );
    assert_eq!(
        one(MODERN, |out| out.wire_err(WireError::Malformed)),
        b"\xff+\x07#HY000Malformed communication packet."
    );
    assert_eq!(
        one(MODERN, |out| out.wire_err(WireError::WrongArguments)),
        b"\xff\xba\x04#HY000Incorrect arguments to COM_STMT_EXECUTE"
    );
    assert_eq!(
        one(MODERN, |out| out.wire_err(WireError::TooLarge)),
        b"\xff\x81\x04#08S01Got a packet bigger than 'max_allowed_packet' bytes"
    );
    assert_eq!(
        one(MODERN, |out| out.wire_err(WireError::OutOfOrder)),
        b"\xff\x84\x04#08S01Got packets out of order"
    );
    assert_eq!(one(MODERN, |out| out.wire_err(WireError::BadHandshake)), b"\xff\x13\x04#08S01Bad handshake");
}

fn id_column() -> Column<'static> {
    Column {
        schema: b"wire_probe",
        table: b"t",
        org_table: b"t",
        name: b"id",
        org_name: b"id",
        collation: 63,
        length: 11,
        ty: ColumnType::Long,
        flags: ColumnFlags::NOT_NULL
            | ColumnFlags::PRI_KEY
            | ColumnFlags::AUTO_INCREMENT
            | ColumnFlags::PART_KEY,
        decimals: 0,
    }
}

#[test]
fn a_result_set_with_and_without_the_old_eof() {
    let answer = |out: &mut Responder<'_>| {
        out.column_count(1, true);
        out.column(&id_column());
        out.columns_end(Status::AUTOCOMMIT, 0);
        let mut row = out.row(Format::Text, 1);
        row.int(1, ColumnType::Long);
        row.finish();
        out.eof(Status::AUTOCOMMIT, 1);
    };
    let column = b"\x03def\nwire_probe\x01t\x01t\x02id\x02id\x0c?\0\x0b\0\0\0\x03\x03B\0\0\0";
    let modern = payloads(MODERN, answer);
    assert_eq!(modern, [&b"\x01"[..], column, b"\x011", b"\xfe\0\0\x02\0\x01\0"]);
    let old = payloads(MODERN.without(Capabilities::DEPRECATE_EOF), answer);
    assert_eq!(old, [&b"\x01"[..], column, b"\xfe\0\0\x02\0", b"\x011", b"\xfe\x01\0\x02\0"]);
}

#[test]
fn prepare_ok_and_field_list() {
    assert_eq!(one(MODERN, |out| out.prepare_ok(1, 0x1c, 1, 0, true)), b"\0\x01\0\0\0\x1c\0\x01\0\0\0\0");
    assert_eq!(
        one(MODERN, |out| out.column_with_default(&id_column(), Some(b"0"))),
        b"\x03def\nwire_probe\x01t\x01t\x02id\x02id\x0c?\0\x0b\0\0\0\x03\x03B\0\0\0\x010"
    );
}

/// The row of every type that both recordings hold.
fn put_all_types(row: &mut RowWriter<'_, '_>) {
    let at = DateTime { year: 2026, month: 1, day: 2, hour: 3, minute: 4, second: 5, ..DateTime::default() };
    row.int(1, ColumnType::Long);
    row.int(-1, ColumnType::Tiny);
    row.uint(255, ColumnType::Tiny);
    row.int(-300, ColumnType::Short);
    row.int(70000, ColumnType::Int24);
    row.int(-9_000_000_000_000_000_000, ColumnType::LongLong);
    row.uint(u64::MAX, ColumnType::LongLong);
    row.float(1.5, |out| out.extend_from_slice(b"1.5"));
    row.double(2.25, |out| out.extend_from_slice(b"2.25"));
    for text in [
        &b"-12345.67800"[..],
        b"\0\x05",
        b"abc",
        b"v\xc3\xa4r",
        b"\0\xff",
        b"ab\0\0",
        b"text",
        b"blob",
        b"tt",
        b"lt",
    ] {
        row.bytes(text);
    }
    row.date(&at);
    row.datetime(&DateTime { micros: 678_000, ..at }, 3);
    row.datetime(&at, 0);
    row.time(&Time { negative: true, days: 34, hours: 22, minutes: 59, seconds: 59, micros: 0 }, 6);
    row.uint(2026, ColumnType::Year);
    for text in [&b"bb"[..], b"x,y", b"{\"a\": 1}"] {
        row.bytes(text);
    }
    row.null();
}

#[test]
fn a_row_of_all_types_as_text() {
    let recorded = b"\x011\x02-1\x03255\x04-300\x0570000\x14-9000000000000000000\x1418446744073709551615\x031.5\x042.25\
        \x0c-12345.67800\x02\0\x05\x03abc\x04v\xc3\xa4r\x02\0\xff\x04ab\0\0\x04text\x04blob\x02tt\x02lt\n2026-01-02\
        \x172026-01-02 03:04:05.678\x132026-01-02 03:04:05\x11-838:59:59.000000\x042026\x02bb\x03x,y\x08{\"a\": 1}\xfb";
    let ours = one(MODERN, |out| {
        let mut row = out.row(Format::Text, 28);
        put_all_types(&mut row);
        row.finish();
    });
    assert_eq!(ours, recorded);
}

#[test]
fn a_row_of_all_types_in_binary() {
    let recorded = b"\0\0\0\0 \x01\0\0\0\xff\xff\xd4\xfep\x11\x01\0\0\0|\x1d\xaf\x93\x19\x83\xff\xff\xff\xff\xff\xff\xff\xff\
        \0\0\xc0?\0\0\0\0\0\0\x02@\x0c-12345.67800\x02\0\x05\x03abc\x04v\xc3\xa4r\x02\0\xff\x04ab\0\0\x04text\x04blob\x02tt\x02lt\
        \x04\xea\x07\x01\x02\x0b\xea\x07\x01\x02\x03\x04\x05pX\n\0\x07\xea\x07\x01\x02\x03\x04\x05\x08\x01\"\0\0\0\x16;;\xea\x07\
        \x02bb\x03x,y\x08{\"a\": 1}";
    let ours = one(MODERN, |out| {
        let mut row = out.row(Format::Binary, 28);
        put_all_types(&mut row);
        row.finish();
    });
    assert_eq!(ours, recorded);
}

#[test]
fn an_unfinished_row_leaves_nothing() {
    let found = payloads(MODERN, |out| {
        let mut row = out.row(Format::Binary, 3);
        row.int(7, ColumnType::Long);
        drop(row);
        out.err(1690, "22003", b"BIGINT value is out of range");
    });
    assert_eq!(found, [b"\xff\x9a\x06#22003BIGINT value is out of range"]);
}

#[test]
fn zero_temporals_are_empty_in_binary() {
    let ours = one(MODERN, |out| {
        let mut row = out.row(Format::Binary, 4);
        row.date(&DateTime::default());
        row.datetime(&DateTime { year: 2026, month: 1, day: 2, ..DateTime::default() }, 6);
        row.datetime(&DateTime { micros: 1, ..DateTime::default() }, 6);
        row.time(&Time::default(), 0);
        row.finish();
    });
    assert_eq!(ours, b"\0\0\0\x04\xea\x07\x01\x02\x0b\0\0\0\0\0\0\0\x01\0\0\0\0");
}

/// Recorded from MySQL 9.7 with CLIENT_OPTIONAL_RESULTSET_METADATA; MariaDB puts its byte behind the number.
#[test]
fn definitions_follow_or_not() {
    let mysql = super::PLAIN | Capabilities::OPTIONAL_METADATA;
    assert_eq!(one(mysql, |out| out.column_count(1, true)), b"\x01\x01");
    assert_eq!(one(mysql, |out| out.column_count(3, false)), b"\0\x03");
    assert_eq!(one(mysql, |out| out.prepare_ok(2, 1, 1, 0, false)), b"\0\x02\0\0\0\x01\0\x01\0\0\0\0\0");
    let mariadb = super::PLAIN | Capabilities::CACHE_METADATA;
    assert_eq!(one(mariadb, |out| out.column_count(3, false)), b"\x03\0");
    assert_eq!(one(super::PLAIN, |out| out.column_count(3, true)), b"\x03");
}

#[test]
fn kept_packets_continue_an_answer() {
    let mut kept = BytesMut::new();
    let mut first = Responder::new(&mut kept, 0, super::PLAIN);
    first.packet(|out| out.extend_from_slice(b"ab"));
    first.packet(|out| out.extend_from_slice(b"c"));
    let mut out = BytesMut::new();
    let mut answer = Responder::new(&mut out, 255, super::PLAIN);
    answer.renumbered(&kept);
    assert_eq!(answer.next_sequence(), 1);
    assert_eq!(&out[..], b"\x02\0\0\xffab\x01\0\0\0c");
}
