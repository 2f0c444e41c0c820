//! Rows: round trips, arbitrary bytes.

use super::*;
use proptest::prelude::*;
use values::Collation;
use values::types::TypeKind;

fn types() -> Vec<ColumnType> {
    vec![
        ColumnType::integer(TypeKind::Int, false),
        ColumnType::varchar(100, Collation::DEFAULT),
        ColumnType::integer(TypeKind::BigInt, true),
        ColumnType::binary(TypeKind::VarBinary, 3000),
        ColumnType::blob(TypeKind::LongBlob),
    ]
}

fn values() -> impl Strategy<Value = Vec<Value>> {
    let maybe = |s: BoxedStrategy<Value>| prop_oneof![Just(Value::Null), s].boxed();
    (
        maybe(any::<i32>().prop_map(|v| Value::Int(v.into())).boxed()),
        maybe("[a-zé]{0,60}".prop_map(|s| Value::text(&s)).boxed()),
        maybe(any::<u64>().prop_map(Value::UInt).boxed()),
        maybe(prop::collection::vec(any::<u8>(), 0..300).prop_map(|b| Value::bytes(&b)).boxed()),
        maybe(prop::collection::vec(any::<u8>(), 0..30).prop_map(|b| Value::bytes(&b)).boxed()),
    )
        .prop_map(|(a, b, c, d, e)| vec![a, b, c, d, e])
}

fn decode(types: &[ColumnType], parts: &Parts<'_>) -> Vec<Value> {
    let cell = |i: usize| match parts.cell(i).expect("whole row") {
        Cell::Null => Value::Null,
        Cell::Inline(b) => values::decode_cell(b, &types[i]).expect("whole cell"),
        Cell::External(_) => panic!("no overflow here"),
    };
    (0..types.len()).map(cell).collect()
}

proptest! {
    #[test]
    fn what_is_encoded_decodes(row in values(), wide: bool, deleted: bool, txid: u64, undo: u64) {
        let types = types();
        let layout = Layout::new(types.iter().copied());
        let head = RowHeader { deleted, schema_version: 7, txid: TxId(txid), undo: UndoPtr(undo) };
        let mut bytes = vec![9; 3];
        encode(&layout, |i| &types[i], head, (|i: usize| Put::Value(&row[i]), None), wide, &mut bytes);
        let bytes = &bytes[3..];
        prop_assert_eq!(header(bytes).unwrap(), head);
        prop_assert_eq!(decode(&types, &Parts::of(&layout, bytes).unwrap()), row);
    }

    #[test]
    fn an_overflow_reference_keeps_its_place(row in values(), reference: [u8; 16]) {
        let types = types();
        let layout = Layout::new(types.iter().copied());
        let head = RowHeader { deleted: false, schema_version: 1, txid: TxId(1), undo: UndoPtr::NONE };
        let mut bytes = Vec::new();
        let put = |i: usize| if i == 3 { Put::Cell(Cell::External(&reference)) } else { Put::Value(&row[i]) };
        encode(&layout, |i| &types[i], head, (put, None), false, &mut bytes);
        let parts = Parts::of(&layout, &bytes).unwrap();
        prop_assert_eq!(parts.cell(3).unwrap(), Cell::External(&reference));
        prop_assert_eq!(external_refs(&layout, &bytes).unwrap(), vec![&reference[..]]);
        if let (Value::Int(v), Cell::Inline(b)) = (&row[0], parts.cell(0).unwrap()) {
            prop_assert_eq!(b, &(*v as i32).to_le_bytes());
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let layout = Layout::new(types().into_iter());
        let _ = header(&bytes);
        if let Ok(parts) = Parts::of(&layout, &bytes) {
            for i in 0..5 {
                let _ = parts.cell(i);
            }
        }
    }
}

/// Rows of an older format are read in place: columns added since have their defaults, those dropped stay where they are.
#[test]
fn rows_of_older_formats_are_read_and_go_on_in_the_newest() {
    let types = types();
    let old = Layout::new(types[..4].iter().copied());
    let mut absent = Vec::new();
    values::encode_cell(&Value::Int(7), &types[0], &mut absent);
    // Stored: int, varchar (dropped), bigint, varbinary, int (added, 7), blob (added, NULL). Shown: varbinary, int, int, bigint, blob.
    let stored = [
        (types[0], Some(2), None),
        (types[1], None, None),
        (types[2], Some(3), None),
        (types[3], Some(0), None),
        (types[0], Some(1), Some(Bytes::from(absent))),
        (types[4], Some(4), None),
    ];
    let new = Layout::of(stored.iter().cloned(), [(0, 4), (2, 6)].into_iter());
    let shown = [types[3], types[0], types[0], types[2], types[4]];
    let row = [Value::Int(-1), Value::text("gone"), Value::UInt(9), Value::bytes(b"xyz")];
    let head =
        |schema_version| RowHeader { deleted: false, schema_version, txid: TxId(1), undo: UndoPtr::NONE };
    let mut bytes = Vec::new();
    encode(&old, |i| &types[i], head(1), (|i: usize| Put::Value(&row[i]), None), false, &mut bytes);
    let seen = [row[3].clone(), Value::Int(7), row[0].clone(), row[2].clone(), Value::Null];
    let parts = Parts::of(&new, &bytes).unwrap();
    assert_eq!(decode(&shown, &parts), seen);
    assert!(new.is_older(&bytes));
    assert!(
        !patch(&new, 2, &Value::Int(4), &shown[2], &mut bytes.clone()).unwrap(),
        "it has to be written anew"
    );
    let mut next = Vec::new();
    let put = |i: usize| Put::Cell(parts.cell(i).unwrap());
    encode(&new, |i| &shown[i], head(2), (put, Some(&parts)), false, &mut next);
    assert_eq!(next.len(), bytes.len() + new.growth(&bytes));
    assert!(!new.is_older(&next));
    let parts = Parts::of(&new, &next).unwrap();
    assert_eq!(decode(&shown, &parts), seen);
    assert_eq!(parts.stored(1).unwrap(), Cell::Inline(b"gone"), "what is hidden goes along");
    assert!(patch(&new, 1, &Value::Int(8), &shown[1], &mut next).unwrap());
    assert_eq!(decode(&shown, &Parts::of(&new, &next).unwrap())[1], Value::Int(8));
}
