//! Any value as text: the wire's text protocol, CONCAT and string comparisons all print through here.

use crate::double::{fixed_text, float_text, push_double};
use crate::types::NOT_FIXED;
use crate::value::{Text, Value};
use std::fmt::Write as _;

/// Appends the value's text. `scale` is the type's: fractional digits of a temporal, decimals of a FLOAT(M,D) or DOUBLE(M,D), otherwise
/// of no matter. TIMESTAMP prints in UTC: convert it with the session's zone first. NULL appends nothing.
pub fn append_text(value: &Value, scale: u8, out: &mut Vec<u8>) {
    match value {
        Value::Null => {}
        Value::Text(t) => out.extend_from_slice(t.as_bytes()),
        Value::Bytes(b) => out.extend_from_slice(b.as_bytes()),
        Value::Bit(v) => out.extend_from_slice(&v.bytes()),
        Value::Int(v) => append_integer(out, *v < 0, v.unsigned_abs()),
        Value::UInt(v) => append_integer(out, false, *v),
        _ => out.extend_from_slice(formatted(value, scale).as_bytes()),
    }
}

/// The value's text; binary strings must not come here (their bytes may be no text): they give what is valid of them.
pub fn to_text(value: &Value, scale: u8) -> Text {
    match value {
        Value::Text(t) => t.clone(),
        Value::Bytes(b) => Text::from(String::from_utf8_lossy(b.as_bytes()).into_owned()),
        _ => Text::from(formatted(value, scale)),
    }
}

fn formatted(value: &Value, scale: u8) -> String {
    let mut out = String::new();
    match value {
        Value::Null | Value::Text(_) | Value::Bytes(_) => {}
        Value::Int(v) => write!(out, "{v}").unwrap_or_default(),
        Value::UInt(v) => write!(out, "{v}").unwrap_or_default(),
        Value::Float(v) if scale < NOT_FIXED => out = fixed_text(f64::from(*v), scale),
        Value::Double(v) if scale < NOT_FIXED => out = fixed_text(*v, scale),
        Value::Float(v) => out = float_text(*v),
        Value::Double(v) => push_double(&mut out, *v),
        Value::Decimal(v) => write!(out, "{v}").unwrap_or_default(),
        Value::Date(v) => write!(out, "{v}").unwrap_or_default(),
        Value::Time(v) => out = v.text(scale),
        Value::DateTime(v) => out = v.text(scale),
        Value::Timestamp(v) => out = v.to_datetime(crate::temporal::Zone::UTC).text(scale),
        Value::Year(v) => write!(out, "{v}").unwrap_or_default(),
        Value::Json(_) => out = crate::json::Json::of(value).to_string(),
        Value::Bit(v) => out = String::from_utf8_lossy(&v.bytes()).into_owned(),
        Value::Choice(v) => out = v.text(),
    }
    out
}

/// Digits without a formatter: integers are most of what a result set prints.
fn append_integer(out: &mut Vec<u8>, negative: bool, mut v: u64) {
    let mut buf = [0; 21];
    let mut at = buf.len();
    loop {
        at -= 1;
        buf[at] = b'0' + (v % 10) as u8;
        v /= 10;
        if v == 0 {
            break;
        }
    }
    if negative {
        at -= 1;
        buf[at] = b'-';
    }
    out.extend_from_slice(&buf[at..]);
}
