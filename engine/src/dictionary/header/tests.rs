//! Headers of every version, byte by byte.

use super::*;
use crate::dictionary::schema::{ColumnId, NewTable};
use std::fmt::Write;
use values::types::TypeKind;

fn column(name: &str, generated: Option<Generated>) -> ColumnDef {
    ColumnDef {
        id: ColumnId(0),
        name: name.to_owned(),
        ty: ColumnType::integer(TypeKind::Int, false),
        nullable: true,
        default: None,
        on_update_now: false,
        auto_increment: false,
        comment: String::new(),
        generated,
    }
}

fn table() -> TableDef {
    let generated = Generated { text: "a + 1".to_owned(), stored: true };
    let mut table = TableDef::detached(&NewTable {
        schema: "s".to_owned(),
        name: "t".to_owned(),
        columns: vec![column("a", None), column("b", Some(generated))],
        primary: Vec::new(),
        indexes: Vec::new(),
        auto_increment_start: 0,
        comment: "c".to_owned(),
        options: "o".to_owned(),
        foreign_keys: Vec::new(),
        checks: vec![Check { name: "t_chk_1".to_owned(), text: "a > 0".to_owned(), enforced: false }],
    });
    let ty = table.columns[0].ty;
    table.version = 2;
    table.formats = RowFormats {
        versions: vec![(1, 2), (2, 3)],
        stored: vec![
            StoredColumn { ty, shown: Some(1), absent: None },
            StoredColumn { ty, shown: None, absent: None },
            StoredColumn { ty, shown: Some(0), absent: Some(Bytes::from_static(&[0x80, 0, 0, 7])) },
        ],
    };
    table
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, b| {
        let _ = write!(out, "{b:02x}");
        out
    })
}

fn unhex(text: &str) -> Value {
    let byte = |i: usize| u8::from_str_radix(&text[i..i + 2], 16).unwrap();
    Value::bytes(&(0..text.len()).step_by(2).map(byte).collect::<Vec<u8>>())
}

/// Everything a header of this build says, in the order of docs/formats/dictionary.md.
const GOLDEN: &str = "039d000000020001000000000000000100000063010000006f0000000001000000010000000500000061202b20\
    31010100000007000000745f63686b5f310500000061203e203000020000000100020000000200030000000300\
    00000c00000001040000000000003f0000000101000000000c00000001040000000000003f00000000000c0000\
    0001040000000000003f0000000100000000010400000080000007cb1021d7";
/// A header of version 2 with one foreign key, as an older build wrote it.
const GOLDEN_2: &str = "023c000000010005000000000000000100000063010000006f0100000002000000666b01000000010000000100\
    000073010000007001000000020000006964020053e76585";
/// A header of version 1.
const GOLDEN_1: &str = "01130000000100020000000000000000000000010000007848ead821";

#[test]
fn a_header_is_written_and_read_byte_by_byte() {
    let table = table();
    let stored = header_blob(&table);
    assert_eq!(hex(stored.as_bytes().unwrap()), GOLDEN);
    let mut columns = table.columns.clone();
    columns[1].generated = None;
    let header = unblob_header(&unhex(GOLDEN)).unwrap().resolve(&mut columns).unwrap();
    assert_eq!(columns, table.columns, "generated columns are told so");
    assert_eq!((&header.checks, &header.formats), (&table.checks, &table.formats));
    assert_eq!((header.version, header.comment.as_str(), header.options.as_str()), (2, "c", "o"));
}

#[test]
fn headers_of_older_builds_are_read() {
    let mut columns = table().columns;
    let header = unblob_header(&unhex(GOLDEN_2)).unwrap().resolve(&mut columns).unwrap();
    assert_eq!((header.foreign_keys.len(), header.foreign_keys[0].on_delete), (1, ForeignKeyAction::Cascade));
    assert_eq!((header.checks.len(), header.formats), (0, RowFormats::default()));
    let header = unblob_header(&unhex(GOLDEN_1)).unwrap().resolve(&mut columns).unwrap();
    assert_eq!((header.version, header.stamp, header.options.as_str()), (1, 2, "x"));
}

#[test]
fn what_does_not_fit_the_columns_is_told() {
    let table = table();
    let row = unblob_header(&header_blob(&table)).unwrap();
    assert!(row.clone().resolve(&mut table.columns[..1].to_vec()).is_err(), "a column less");
    let mut twice = row.clone();
    twice.stored[1].shown = Some(0);
    assert!(twice.resolve(&mut table.columns.clone()).is_err(), "one column stored twice");
    let mut short = row.clone();
    short.formats[1].columns = 2;
    assert!(short.resolve(&mut table.columns.clone()).is_err(), "a format of fewer columns");
    let mut bytes = header_blob(&table).as_bytes().unwrap().to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    assert!(unblob_header(&Value::bytes(&bytes)).is_err(), "a flipped byte");
    bytes[0] = 4;
    assert!(unblob_header(&Value::bytes(&bytes)).is_err(), "a newer version");
}
