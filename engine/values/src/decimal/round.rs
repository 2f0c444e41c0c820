//! Rounding, cutting and padding to a scale.

use super::wide::Mag;
use super::{Decimal, MAX_DIGITS, Repr};
use std::cmp::Ordering;

#[derive(Clone, Copy, PartialEq)]
enum Way {
    HalfAway,
    Cut,
    Up,
    Down,
}

impl Decimal {
    /// ROUND(self, places): half away from zero. Negative places round before the point. Never adds digits after the point.
    pub fn round(&self, places: i32) -> Self {
        self.shorten(places, Way::HalfAway)
    }

    /// TRUNCATE(self, places).
    pub fn truncate(&self, places: i32) -> Self {
        self.shorten(places, Way::Cut)
    }

    /// CEILING: the least integer not below, scale 0.
    pub fn ceil(&self) -> Self {
        self.shorten(0, Way::Up)
    }

    /// FLOOR: the greatest integer not above, scale 0.
    pub fn floor(&self) -> Self {
        self.shorten(0, Way::Down)
    }

    /// Padded with zeros to at least `scale` digits after the point; `None` when that exceeds 81 digits.
    pub fn rescaled(&self, scale: u8) -> Option<Self> {
        if self.scale() >= scale {
            return Some(self.clone());
        }
        if let Some(coefficient) = self.small_coefficient(scale) {
            return Some(Self::new(coefficient, scale));
        }
        let magnitude = self.magnitude().shift10(u32::from(scale - self.scale()))?;
        (magnitude.digits() <= MAX_DIGITS).then(|| Self::from_parts(self.is_negative(), magnitude, scale))
    }

    /// Rounded to the column DECIMAL(precision, scale). `Err` holds the nearest value of the column when this one is out of its range.
    /// The flag tells whether digits after the point were lost.
    pub fn to_column(&self, precision: u8, scale: u8) -> Result<(Self, bool), Self> {
        let rounded = self.round(i32::from(scale));
        let room = u32::from(precision.saturating_sub(scale));
        if rounded.integer_digits() > room {
            let nines = Mag::pow10(u32::from(precision)).expect("invariant: a precision is at most 65");
            return Err(Self::from_parts(self.is_negative(), nines.sub(&Mag::from_u128(1)), scale));
        }
        let lost = rounded != *self;
        Ok((rounded.rescaled(scale).expect("invariant: a column has at most 65 digits"), lost))
    }

    fn shorten(&self, places: i32, way: Way) -> Self {
        let drop = i32::from(self.scale()) - places;
        if drop <= 0 {
            return self.clone();
        }
        let (drop, scale) = (drop as u32, places.max(0) as u8);
        let negative = self.is_negative();
        let bump = |cut: bool, half: bool| match way {
            Way::HalfAway => half,
            Way::Cut => false,
            Way::Up => cut && !negative,
            Way::Down => cut && negative,
        };
        let back = if places < 0 { places.unsigned_abs() } else { 0 };
        if let Repr::Small { coefficient, .. } = &self.0
            && drop <= 37
        {
            let unit = 10_i128.pow(drop);
            let (quotient, rem) = (coefficient / unit, (coefficient % unit).abs());
            let up = i128::from(bump(rem != 0, rem >= unit / 2));
            let quotient = if negative { quotient - up } else { quotient + up };
            return Self::new(quotient * 10_i128.pow(back), scale);
        }
        let (quotient, half) = self.magnitude().unshift10(drop);
        let cut = half != Ordering::Less || quotient.shift10(drop) != Some(self.magnitude());
        let up = Mag::from_u128(u128::from(bump(cut, half != Ordering::Less)));
        let grown = quotient.add(&up).and_then(|q| q.shift10(back));
        Self::from_parts(negative, grown.unwrap_or(Mag::ZERO), scale)
    }
}
