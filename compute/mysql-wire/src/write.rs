//! Writing the protocol's basic types. Source: "Protocol Basics: Integer Types, String Types".

use bytes::{BufMut, BytesMut};

/// Appends a length-encoded integer.
pub(crate) fn put_lenenc(out: &mut BytesMut, value: u64) {
    match value {
        0..=0xfa => out.put_u8(value as u8),
        0xfb..=0xffff => {
            out.put_u8(0xfc);
            out.put_u16_le(value as u16);
        }
        0x1_0000..=0xff_ffff => {
            out.put_u8(0xfd);
            out.put_uint_le(value, 3);
        }
        _ => {
            out.put_u8(0xfe);
            out.put_u64_le(value);
        }
    }
}

/// Appends bytes preceded by their length-encoded length.
pub(crate) fn put_lenenc_bytes(out: &mut BytesMut, bytes: &[u8]) {
    put_lenenc(out, bytes.len() as u64);
    out.put_slice(bytes);
}

/// Decimal digits of `value`, in the tail of `scratch`.
pub(crate) fn digits(mut value: u64, scratch: &mut [u8; 20]) -> &[u8] {
    let mut at = scratch.len();
    loop {
        at -= 1;
        scratch[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            return &scratch[at..];
        }
    }
}

/// Appends `value` in exactly `width` digits (callers pass values that fit).
pub(crate) fn put_padded(out: &mut BytesMut, value: u32, width: usize) {
    let mut scratch = [b'0'; 20];
    digits(u64::from(value), &mut scratch);
    let shown = width.max(digit_count(value));
    out.put_slice(&scratch[20 - shown..]);
}

fn digit_count(value: u32) -> usize {
    value.checked_ilog10().unwrap_or(0) as usize + 1
}
