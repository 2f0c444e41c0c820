//! Addition to modulus with MySQL's scales: the larger of the two for addition, subtraction and MOD, their sum (at most 30) for products,
//! the dividend's plus `div_precision_increment` (at most 30) for quotients.

use super::wide::Mag;
use super::{Decimal, MAX_DIGITS, MAX_SCALE, Repr};

impl Decimal {
    /// self + other; `None` when it exceeds 81 digits (MySQL's 1690).
    pub fn add(&self, other: &Self) -> Option<Self> {
        let scale = self.scale().max(other.scale());
        if let (Some(a), Some(b)) = (self.small_coefficient(scale), other.small_coefficient(scale))
            && let Some(sum) = a.checked_add(b)
        {
            return Some(Self::new(sum, scale));
        }
        let a = self.magnitude().shift10(u32::from(scale - self.scale()))?;
        let b = other.magnitude().shift10(u32::from(scale - other.scale()))?;
        let (negative, magnitude) = match (self.is_negative(), other.is_negative()) {
            (n, m) if n == m => (n, a.add(&b)?),
            (n, _) if a >= b => (n, a.sub(&b)),
            (_, m) => (m, b.sub(&a)),
        };
        Self::from_parts(negative, magnitude, scale).fitted()
    }

    /// self - other; `None` as for [`Decimal::add`].
    pub fn sub(&self, other: &Self) -> Option<Self> {
        self.add(&other.negate())
    }

    /// self * other, rounded to 30 decimals; `None` when it exceeds 81 digits.
    pub fn mul(&self, other: &Self) -> Option<Self> {
        let scale = self.scale() + other.scale();
        if scale <= MAX_SCALE
            && let (Repr::Small { coefficient: a, .. }, Repr::Small { coefficient: b, .. }) =
                (&self.0, &other.0)
            && let Some(product) = a.checked_mul(*b)
        {
            return Some(Self::new(product, scale));
        }
        let magnitude = self.magnitude().mul(&other.magnitude())?;
        let product = Self::from_parts(self.is_negative() != other.is_negative(), magnitude, scale);
        product.round(i32::from(scale.min(MAX_SCALE))).fitted()
    }

    /// self / other with `increment` more decimals than self; `None` for a zero divisor or more than 81 digits.
    ///
    /// MySQL computes whole groups of nine decimals and then rounds: where the wanted decimals fill their last group, it cuts instead
    /// (0.00002/3 is 0.000006666).
    pub fn div(&self, other: &Self, increment: u8) -> Option<Self> {
        if other.is_zero() {
            return None;
        }
        let scale = (self.scale() + increment).min(MAX_SCALE.max(self.scale()));
        // quotient * 10^scale = a * 10^(scale - s + t) / b, where a and b are the coefficients and s and t their scales.
        let (up, down) = (u32::from(scale) + u32::from(other.scale()), u32::from(self.scale()));
        let (up, down) = (up.saturating_sub(down), down.saturating_sub(up));
        let negative = self.is_negative() != other.is_negative();
        let rounds = computed_decimals(self.scale(), other.scale(), increment) > u32::from(scale);
        if let (Repr::Small { coefficient: a, .. }, Repr::Small { coefficient: b, .. }) = (&self.0, &other.0)
            && down == 0
            && let Some(a) = 10_u128.checked_pow(up).and_then(|p| a.unsigned_abs().checked_mul(p))
        {
            let b = b.unsigned_abs();
            let (quotient, rem) = (a / b, a % b);
            let quotient = quotient + u128::from(rounds && rem >= b - rem);
            return Some(Self::from_parts(negative, Mag::from_u128(quotient), scale));
        }
        let a = self.magnitude().shift10(up)?;
        let b = other.magnitude().shift10(down)?;
        let (quotient, rem) = a.div_rem(&b);
        let carry = Mag::from_u128(u128::from(rounds && rem >= b.sub(&rem)));
        Self::from_parts(negative, quotient.add(&carry)?, scale).fitted()
    }

    /// The integer part of self / other (DIV), scale 0; `None` for a zero divisor or more than 81 digits.
    pub fn int_div(&self, other: &Self) -> Option<Self> {
        if other.is_zero() {
            return None;
        }
        let scale = self.scale().max(other.scale());
        let a = self.magnitude().shift10(u32::from(scale - self.scale()))?;
        let b = other.magnitude().shift10(u32::from(scale - other.scale()))?;
        Self::from_parts(self.is_negative() != other.is_negative(), a.div_rem(&b).0, 0).fitted()
    }

    /// The remainder of self / other, with the sign of self; `None` for a zero divisor.
    pub fn rem(&self, other: &Self) -> Option<Self> {
        if other.is_zero() {
            return None;
        }
        let scale = self.scale().max(other.scale());
        if let (Some(a), Some(b)) = (self.small_coefficient(scale), other.small_coefficient(scale)) {
            return Some(Self::new(a % b, scale));
        }
        let a = self.magnitude().shift10(u32::from(scale - self.scale()))?;
        let b = other.magnitude().shift10(u32::from(scale - other.scale()))?;
        Some(Self::from_parts(self.is_negative(), a.div_rem(&b).1, scale))
    }

    /// Within 81 digits, decimals given up first; `None` when the integer part alone is longer.
    fn fitted(self) -> Option<Self> {
        let digits = self.digits();
        if digits <= MAX_DIGITS {
            return Some(self);
        }
        let excess = digits - MAX_DIGITS;
        (excess <= u32::from(self.scale())).then(|| self.truncate(i32::from(self.scale()) - excess as i32))
    }
}

/// The decimals MySQL's division computes: a multiple of nine.
fn computed_decimals(dividend: u8, divisor: u8, increment: u8) -> u32 {
    let grouped = |scale: u8| u32::from(scale).next_multiple_of(9);
    let slack = grouped(dividend) - u32::from(dividend) + grouped(divisor) - u32::from(divisor);
    (grouped(dividend) + grouped(divisor) + u32::from(increment).saturating_sub(slack)).next_multiple_of(9)
}
