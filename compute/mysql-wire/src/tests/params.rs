//! Parameters of prepared statements: layouts MySQL sends, layouts it refuses, arbitrary bytes.

use crate::*;
use bytes::{BufMut, BytesMut};
use proptest::prelude::*;

const PLAIN: Capabilities = Capabilities::OFFERED.without(Capabilities::QUERY_ATTRIBUTES);

fn execute(body: &[u8]) -> Vec<u8> {
    [&b"\x17\x01\0\0\0\0\x01\0\0\0"[..], body].concat()
}

type Bound<'a> = (Vec<(u16, Param<'a>)>, Vec<Attribute<'a>>);

fn bind<'a>(
    payload: &'a [u8],
    caps: Capabilities,
    expected: u16,
    types: &mut Vec<ParamType>,
    long: &[u16],
) -> Result<Bound<'a>, WireError> {
    let Command::StmtExecute(execute) = Command::parse(payload, caps)? else { panic!("no execute") };
    let mut values = Vec::new();
    let attributes =
        execute.bind(expected, types, |i| long.contains(&i), |i, value| values.push((i, value)))?;
    Ok((values, attributes))
}

#[test]
fn types_are_remembered() {
    let mut types = Vec::new();
    let first = execute(b"\0\x01\x08\0\xfd\0\x07\0\0\0\0\0\0\0\x02ab");
    let (values, _) = bind(&first, PLAIN, 2, &mut types, &[]).unwrap();
    assert_eq!(values, [(0, Param::Int(7)), (1, Param::Bytes(ColumnType::VarString, b"ab"))]);
    let again = execute(b"\x01\0\x01c");
    let (values, _) = bind(&again, PLAIN, 2, &mut types, &[]).unwrap();
    assert_eq!(values, [(0, Param::Null), (1, Param::Bytes(ColumnType::VarString, b"c"))]);
    assert_eq!(bind(&again, PLAIN, 2, &mut Vec::new(), &[]), Err(WireError::WrongArguments));
}

#[test]
fn long_data_has_no_value_in_the_packet() {
    let payload = execute(b"\0\x01\xfc\0\x01\x80\xff");
    let (values, _) = bind(&payload, PLAIN, 2, &mut Vec::new(), &[0]).unwrap();
    assert_eq!(values, [(1, Param::UInt(255))]);
}

#[test]
fn attributes_follow_the_parameters() {
    // Recorded from a client: flags 8, count 2, the second value is an attribute.
    let payload = b"\x17\x01\0\0\0\x08\x01\0\0\0\x02\0\x01\x08\0\0\xfd\0\x02qa\x07\0\0\0\0\0\0\0\x01v";
    let (values, attributes) = bind(payload, Capabilities::OFFERED, 1, &mut Vec::new(), &[]).unwrap();
    assert_eq!(values, [(0, Param::Int(7))]);
    assert_eq!(attributes, [Attribute { name: b"qa", value: Param::Bytes(ColumnType::VarString, b"v") }]);
    // A statement without parameters and without the flag has no body.
    let empty = execute(b"");
    let (values, _) = bind(&empty, Capabilities::OFFERED, 0, &mut Vec::new(), &[]).unwrap();
    assert!(values.is_empty());
}

#[test]
fn what_mysql_refuses() {
    let refused: [&[u8]; 5] = [
        b"\0\x01\x08\0ab",
        b"\0\0\x01\0\0\0\0\0\0\0",
        b"\0\x01\x77\0\x01x",
        b"\0",
        b"\0\x01\x0a\0\x05\0\0\0\0\0",
    ];
    for body in refused {
        let payload = execute(body);
        assert_eq!(
            bind(&payload, PLAIN, 1, &mut Vec::new(), &[]),
            Err(WireError::WrongArguments),
            "{body:?}"
        );
    }
}

/// A value, its type and its bytes, as a client writes them.
fn value() -> impl Strategy<Value = (ColumnType, bool, Vec<u8>, Param<'static>)> {
    use ColumnType as T;
    let datetime = (any::<u16>(), 1u8..13, 1u8..29, 0u8..24, 0u8..60, 0u8..60, 0u32..1_000_000);
    prop_oneof![
        any::<i8>().prop_map(|v| (T::Tiny, false, v.to_le_bytes().to_vec(), Param::Int(v.into()))),
        any::<u16>().prop_map(|v| (T::Short, true, v.to_le_bytes().to_vec(), Param::UInt(v.into()))),
        any::<i32>().prop_map(|v| (T::Long, false, v.to_le_bytes().to_vec(), Param::Int(v.into()))),
        any::<u64>().prop_map(|v| (T::LongLong, true, v.to_le_bytes().to_vec(), Param::UInt(v))),
        (-1e9f64..1e9).prop_map(|v| (T::Double, false, v.to_le_bytes().to_vec(), Param::Double(v))),
        datetime.prop_map(|(year, month, day, hour, minute, second, micros)| {
            let v = DateTime { date_only: false, year, month, day, hour, minute, second, micros };
            let mut out = BytesMut::new();
            out.put_u8(11);
            out.put_u16_le(year);
            out.put_slice(&[month, day, hour, minute, second]);
            out.put_u32_le(micros);
            (T::DateTime, false, out.to_vec(), Param::DateTime(v))
        }),
    ]
}

proptest! {
    #[test]
    fn written_values_are_read(list in prop::collection::vec((value(), any::<bool>()), 1..30)) {
        let mut body = vec![0u8; list.len().div_ceil(8)];
        body.push(1);
        let mut values = Vec::new();
        for (i, ((ty, unsigned, bytes, _), null)) in list.iter().enumerate() {
            body.extend_from_slice(&[*ty as u8, if *unsigned { 0x80 } else { 0 }]);
            if *null {
                body[i / 8] |= 1 << (i % 8);
            } else {
                values.extend_from_slice(bytes);
            }
        }
        body.extend_from_slice(&values);
        let payload = execute(&body);
        let (bound, _) = bind(&payload, PLAIN, list.len() as u16, &mut Vec::new(), &[]).unwrap();
        for (i, ((_, _, _, value), null)) in list.iter().enumerate() {
            let expected = if *null { Param::Null } else { *value };
            prop_assert_eq!(bound[i], (i as u16, expected));
        }
    }

    #[test]
    fn any_body_binds_or_fails(body in prop::collection::vec(any::<u8>(), 0..120), expected in 0u16..20, flags: u8, caps: bool) {
        let mut payload = execute(&body);
        payload[5] = flags;
        let caps = if caps { Capabilities::OFFERED } else { PLAIN };
        let _ = bind(&payload, caps, expected, &mut Vec::new(), &[1]);
    }
}
