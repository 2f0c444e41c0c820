//! UPPER and LOWER as MySQL's 0900 collations do: one code point to one code point (so 'ß' stays 'ß').

use super::fold::{LOWER, Run, UPPER};

/// `s` in upper case.
pub fn upper(s: &str) -> String {
    s.chars().map(|c| if c.is_ascii() { c.to_ascii_uppercase() } else { mapped(&UPPER, c) }).collect()
}

/// `s` in lower case.
pub fn lower(s: &str) -> String {
    s.chars().map(|c| if c.is_ascii() { c.to_ascii_lowercase() } else { mapped(&LOWER, c) }).collect()
}

fn mapped(runs: &[Run], c: char) -> char {
    let code = u32::from(c);
    let run = &runs[..runs.partition_point(|r| r.0 <= code)];
    match run.last() {
        Some(&(first, last, step, delta)) if code <= last && (code - first).is_multiple_of(step) => {
            code.checked_add_signed(delta).and_then(char::from_u32).unwrap_or(c)
        }
        _ => c,
    }
}
