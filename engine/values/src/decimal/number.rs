//! Decimals and the other numbers: integers round half away from zero, doubles go through their shortest text, as in MySQL.

use super::{Decimal, Parsed, Repr};

/// Powers of ten that are exact doubles.
const EXACT: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19, 1e20, 1e21, 1e22,
];

impl From<i64> for Decimal {
    fn from(v: i64) -> Self {
        Self(Repr::Small { coefficient: i128::from(v), scale: 0 })
    }
}

impl From<u64> for Decimal {
    fn from(v: u64) -> Self {
        Self(Repr::Small { coefficient: i128::from(v), scale: 0 })
    }
}

impl Decimal {
    /// The nearest double.
    pub fn to_f64(&self) -> f64 {
        if let Repr::Small { coefficient, scale } = &self.0
            && coefficient.unsigned_abs() < 1 << 53
            && let Some(unit) = EXACT.get(usize::from(*scale))
        {
            return *coefficient as f64 / unit;
        }
        self.to_string().parse().expect("invariant: a decimal's text is a double's")
    }

    /// The decimal of a double's shortest text. Infinite and out of range values clamp to 81 nines; the flag tells so.
    pub fn from_f64(v: f64) -> (Self, bool) {
        let Parsed { value, overflow, .. } = Self::parse(format!("{v:e}").as_bytes());
        if v.is_infinite() {
            let nines = Self::parse(&[b'9'; 81]).value;
            return (if v < 0.0 { nines.negate() } else { nines }, true);
        }
        (value, overflow && v.abs() >= 1.0)
    }

    /// Rounded half away from zero to an integer, if an `i128` holds it.
    pub fn to_integer(&self) -> Option<i128> {
        match self.round(0).0 {
            Repr::Small { coefficient, .. } => Some(coefficient),
            Repr::Wide(_) => None,
        }
    }
}
