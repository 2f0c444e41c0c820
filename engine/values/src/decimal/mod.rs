//! DECIMAL: exact numbers with MySQL's rules of scale and rounding.
//!
//! A decimal is an integer coefficient and a scale: 1.50 is (150, 2). Up to 38 digits the coefficient is an `i128` in place; beyond, up to
//! MySQL's 81 digits of intermediate results (columns hold 65), it is a 576-bit magnitude behind a pointer.
//!
//! 1. Canonical: the small form is used exactly when the coefficient is below 10^38; so equal numbers of equal scale are equal bits.
//! 2. Zero has no sign. A scale is at most [`MAX_SCALE`] after multiplying and dividing, and at most 80 for a literal.
//! 3. Rounding is half away from zero.
//!
//! `arith` has + - * / DIV MOD, `round` rounding and rescaling, `text` reading and printing, `number` integers and doubles.

mod arith;
mod number;
mod round;
#[cfg(test)]
mod tests;
mod text;
mod wide;

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use wide::Mag;

pub use text::Parsed;

/// MySQL's largest scale of a column or a computed result.
pub const MAX_SCALE: u8 = 30;
/// MySQL's default `div_precision_increment`.
pub const DIV_PRECISION_INCREMENT: u8 = 4;
/// Digits a decimal can hold in all.
pub const MAX_DIGITS: u32 = 81;
/// Coefficients below this stay in place.
const SMALL: u128 = 10_u128.pow(38);

/// An exact decimal number.
#[derive(Clone, Debug)]
pub struct Decimal(Repr);

#[derive(Clone, Debug)]
enum Repr {
    Small { coefficient: i128, scale: u8 },
    Wide(Arc<Wide>),
}

#[derive(Debug)]
struct Wide {
    negative: bool,
    magnitude: Mag,
    scale: u8,
}

impl Decimal {
    /// 0 with scale 0.
    pub const ZERO: Self = Self(Repr::Small { coefficient: 0, scale: 0 });

    /// coefficient / 10^scale.
    pub fn new(coefficient: i128, scale: u8) -> Self {
        if coefficient.unsigned_abs() < SMALL {
            Self(Repr::Small { coefficient, scale })
        } else {
            Self::from_parts(coefficient < 0, Mag::from_u128(coefficient.unsigned_abs()), scale)
        }
    }

    /// The canonical decimal of a sign, a magnitude and a scale.
    fn from_parts(negative: bool, magnitude: Mag, scale: u8) -> Self {
        match magnitude.to_u128() {
            Some(m) if m < SMALL => {
                let m = m as i128;
                Self(Repr::Small { coefficient: if negative { -m } else { m }, scale })
            }
            _ => Self(Repr::Wide(Arc::new(Wide { negative, magnitude, scale }))),
        }
    }

    fn magnitude(&self) -> Mag {
        match &self.0 {
            Repr::Small { coefficient, .. } => Mag::from_u128(coefficient.unsigned_abs()),
            Repr::Wide(w) => w.magnitude,
        }
    }

    /// Digits after the point.
    pub fn scale(&self) -> u8 {
        match &self.0 {
            Repr::Small { scale, .. } => *scale,
            Repr::Wide(w) => w.scale,
        }
    }

    /// Whether this is less than zero.
    pub fn is_negative(&self) -> bool {
        match &self.0 {
            Repr::Small { coefficient, .. } => *coefficient < 0,
            Repr::Wide(w) => w.negative,
        }
    }

    /// Whether this is zero, of any scale.
    pub fn is_zero(&self) -> bool {
        matches!(self.0, Repr::Small { coefficient: 0, .. })
    }

    /// Digits of the coefficient, at least 1; leading zeros after the point do not count.
    pub fn digits(&self) -> u32 {
        match &self.0 {
            Repr::Small { coefficient, .. } => {
                coefficient.unsigned_abs().checked_ilog10().map_or(1, |l| l + 1)
            }
            Repr::Wide(w) => w.magnitude.digits(),
        }
    }

    /// Digits before the point; 0 for numbers below 1.
    pub fn integer_digits(&self) -> u32 {
        if self.is_zero() { 0 } else { self.digits().saturating_sub(u32::from(self.scale())) }
    }

    /// MySQL's precision of a literal of this value: its digits, and at least its scale (and 1).
    pub fn precision(&self) -> u8 {
        (self.integer_digits() + u32::from(self.scale())).max(1) as u8
    }

    /// The negated number.
    pub fn negate(&self) -> Self {
        match &self.0 {
            Repr::Small { coefficient, scale } => {
                Self(Repr::Small { coefficient: -coefficient, scale: *scale })
            }
            Repr::Wide(w) => Self::from_parts(!w.negative, w.magnitude, w.scale),
        }
    }

    /// The absolute value.
    pub fn abs(&self) -> Self {
        if self.is_negative() { self.negate() } else { self.clone() }
    }

    /// The coefficient of this number at `scale`, if it is in place and stays so: the fast path of keys and cells.
    pub(crate) fn small_coefficient(&self, scale: u8) -> Option<i128> {
        match &self.0 {
            Repr::Small { coefficient, scale: own } if *own <= scale => {
                coefficient.checked_mul(10_i128.checked_pow(u32::from(scale - own))?)
            }
            _ => None,
        }
    }

    /// The magnitude at `scale` as little-endian bytes (72 of them), for cells and keys. Digits beyond `scale` are rounded.
    pub(crate) fn magnitude_bytes(&self, scale: u8) -> [u8; 72] {
        self.round(i32::from(scale)).rescaled(scale).unwrap_or(Self::ZERO).magnitude().to_le_bytes()
    }

    /// The number of a sign, little-endian magnitude bytes and a scale.
    pub(crate) fn from_magnitude_bytes(negative: bool, bytes: &[u8], scale: u8) -> Self {
        Self::from_parts(negative, Mag::from_le_bytes(bytes), scale)
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Decimal {}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// By value: 1.0 equals 1.00.
impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        if let (Repr::Small { coefficient: a, scale: s }, Repr::Small { coefficient: b, scale: t }) =
            (&self.0, &other.0)
        {
            if s == t {
                return a.cmp(b);
            }
            let scale = *s.max(t);
            if let (Some(a), Some(b)) = (self.small_coefficient(scale), other.small_coefficient(scale)) {
                return a.cmp(&b);
            }
        }
        match (self.is_negative(), other.is_negative()) {
            (false, true) => return Ordering::Greater,
            (true, false) => return Ordering::Less,
            _ => {}
        }
        let scale = self.scale().max(other.scale());
        let at = |d: &Self| d.magnitude().shift10(u32::from(scale - d.scale()));
        let order =
            at(self).expect("invariant: 161 digits fit").cmp(&at(other).expect("invariant: 161 digits fit"));
        if self.is_negative() { order.reverse() } else { order }
    }
}

/// Equal numbers hash equally, whatever their scale.
impl Hash for Decimal {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let (mut rest, mut scale) = (self.magnitude(), self.scale());
        while scale > 0 {
            let (q, r) = rest.div_small(10);
            if r != 0 {
                break;
            }
            (rest, scale) = (q, scale - 1);
        }
        (self.is_negative(), rest, scale).hash(state);
    }
}
