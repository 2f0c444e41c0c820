//! Floating point numbers as MySQL prints and reads them.
//!
//! DOUBLE: the shortest digits that read back, FLOAT: six significant digits; both in plain notation while the point stays within 15 digits
//! of the first one (or within the digits), else as `1.5e20`. With `(M,D)` a fixed number of decimals.

use std::fmt::Write as _;

/// A double's text.
pub fn double_text(v: f64) -> String {
    let mut out = String::new();
    push_double(&mut out, v);
    out
}

/// Appends a double's text.
pub fn push_double(out: &mut String, v: f64) {
    // {:e} has Rust's shortest digits: "1.25e-7".
    let shortest = format!("{v:e}");
    let digits = shortest.bytes().take_while(|b| *b != b'e').filter(u8::is_ascii_digit).count();
    if digits >= 16 {
        // Where two shortest texts are equally near, MySQL takes the even one, as rounding to so many digits does.
        let even = format!("{v:.*e}", digits - 1);
        if even != shortest && even.parse() == Ok(v) {
            return place(out, &even);
        }
    }
    place(out, &shortest);
}

/// A float's text: six significant digits, trailing zeros dropped.
pub fn float_text(v: f32) -> String {
    let mut out = String::new();
    place(&mut out, &format!("{:.5e}", f64::from(v)));
    out
}

/// A number with a fixed count of decimals, as FLOAT(M,D), DOUBLE(M,D) and ROUND(x, d) print.
pub fn fixed_text(v: f64, decimals: u8) -> String {
    format!("{v:.0$}", usize::from(decimals))
}

/// Rewrites `-d.ddde-x` in MySQL's notation.
fn place(out: &mut String, scientific: &str) {
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        out.push_str(if scientific.starts_with('-') { "-inf" } else { scientific });
        return;
    };
    let exponent: i32 = exponent.parse().expect("invariant: Rust's own exponent is an integer");
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |m| ("-", m));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits = format!("{whole}{fraction}");
    digits.truncate(digits.trim_end_matches('0').len().max(1));
    out.push_str(sign);
    // The point stands after `point` digits.
    let point = if digits == "0" { 1 } else { exponent + 1 };
    // Digits on both sides of the point stay plain a place further.
    let plain = (-14..=15).contains(&point) || point > 15 && digits.len() as i32 > point;
    if !plain {
        let (first, rest) = digits.split_at(1);
        let dot = if rest.is_empty() { "" } else { "." };
        let _ = write!(out, "{first}{dot}{rest}e{exponent}");
    } else if point <= 0 {
        out.push_str("0.");
        out.extend(std::iter::repeat_n('0', point.unsigned_abs() as usize));
        out.push_str(&digits);
    } else {
        let point = point as usize;
        out.push_str(&digits[..point.min(digits.len())]);
        if digits.len() > point {
            out.push('.');
            out.push_str(&digits[point..]);
        } else {
            out.extend(std::iter::repeat_n('0', point - digits.len()));
        }
    }
}

/// The longest numeric prefix of a text as a double, and the bytes it took (leading blanks included); (0, 0) without one.
/// Out of range is infinite: the caller clamps.
pub fn parse_double(text: &[u8]) -> (f64, usize) {
    let blanks = text.iter().take_while(|b| b.is_ascii_whitespace()).count();
    let rest = &text[blanks..];
    let sign = usize::from(matches!(rest.first(), Some(b'+' | b'-')));
    let digits_from = |at: usize| rest[at..].iter().take_while(|b| b.is_ascii_digit()).count();
    let whole = digits_from(sign);
    let mut end = sign + whole;
    let mut fraction = 0;
    if rest.get(end) == Some(&b'.') {
        fraction = digits_from(end + 1);
        if whole + fraction > 0 {
            end += 1 + fraction;
        }
    }
    if whole + fraction == 0 {
        return (0.0, 0);
    }
    if let Some(b'e' | b'E') = rest.get(end) {
        let signed = usize::from(matches!(rest.get(end + 1), Some(b'+' | b'-')));
        let digits = if end + 1 + signed <= rest.len() { digits_from(end + 1 + signed) } else { 0 };
        if digits > 0 {
            end += 1 + signed + digits;
        }
    }
    let number = std::str::from_utf8(&rest[..end]).ok().and_then(|s| s.parse().ok());
    (number.unwrap_or(0.0), blanks + end)
}

/// A double's text within `width` characters, giving up digits where it must (as MySQL stores a DOUBLE into a short VARCHAR);
/// longer than `width` only when not even one digit fits.
pub fn fitted_text(v: f64, width: usize) -> String {
    let full = double_text(v);
    if full.len() <= width {
        return full;
    }
    let mut last = full;
    for precision in (0..17).rev() {
        let scientific = format!("{v:.precision$e}");
        last.clear();
        place(&mut last, &scientific);
        if last.len() <= width {
            return last;
        }
        let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
        let mantissa = if mantissa.contains('.') {
            mantissa.trim_end_matches('0').trim_end_matches('.')
        } else {
            mantissa
        };
        if mantissa.len() + 1 + exponent.len() <= width {
            return format!("{mantissa}e{exponent}");
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use super::{double_text, fitted_text, float_text};

    /// What MySQL 9.7 prints.
    #[test]
    fn doubles_print_as_in_mysql() {
        for (v, text) in [
            (0.1, "0.1"),
            (1e14, "100000000000000"),
            (1e15, "1e15"),
            (1.5e15, "1.5e15"),
            (1_234_567_890_123_456.7, "1234567890123456.8"),
            (1e15 + 0.25, "1000000000000000.2"),
            (123_456_789_012_345_680.0, "1.2345678901234568e17"),
            (1e-15, "0.000000000000001"),
            (1.5e-16, "1.5e-16"),
            (-0.0, "-0"),
            (f64::MAX, "1.7976931348623157e308"),
            (5e-324, "5e-324"),
        ] {
            assert_eq!(double_text(v), text, "{v:e}");
        }
        for (v, text) in
            [(1.1_f32, "1.1"), (1_234_567.0, "1234570"), (1e15, "1e15"), (16_777_216.0, "16777200")]
        {
            assert_eq!(float_text(v), text, "{v:e}");
        }
        for (v, text) in [(123.456, "123.5"), (1e10, "1e10"), (20_240_102.0, "2e7"), (16_777_217.0, "1.7e7")]
        {
            assert_eq!(fitted_text(v, 5), text, "{v}");
        }
    }
}
