//! Unsigned integers of 576 bits: room for the product of two 81-digit decimals.
//!
//! Only decimals of more than 38 digits, and the intermediate results of multiplying and dividing, come here; simple loops over nine
//! 64-bit limbs, least significant first, are fast enough. Every operation that could overflow says so.

use std::cmp::Ordering;

const LIMBS: usize = 9;
/// The largest power of ten in a limb: 10^19.
const CHUNK: u64 = 10_000_000_000_000_000_000;
const CHUNK_DIGITS: u32 = 19;

/// An unsigned integer below 2^576.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub(super) struct Mag([u64; LIMBS]);

impl Mag {
    pub(super) const ZERO: Self = Self([0; LIMBS]);

    pub(super) fn from_u128(v: u128) -> Self {
        let mut limbs = [0; LIMBS];
        limbs[0] = v as u64;
        limbs[1] = (v >> 64) as u64;
        Self(limbs)
    }

    pub(super) fn to_u128(self) -> Option<u128> {
        let high = self.0[2..].iter().all(|l| *l == 0);
        high.then(|| u128::from(self.0[0]) | u128::from(self.0[1]) << 64)
    }

    pub(super) fn is_zero(&self) -> bool {
        self.0 == [0; LIMBS]
    }

    /// 10^n; `None` from 10^174 on.
    pub(super) fn pow10(n: u32) -> Option<Self> {
        Self::from_u128(1).shift10(n)
    }

    /// self * 10^n.
    pub(super) fn shift10(mut self, mut n: u32) -> Option<Self> {
        while n > 0 {
            let step = n.min(CHUNK_DIGITS);
            self = self.mul_small(10_u64.pow(step))?;
            n -= step;
        }
        Some(self)
    }

    pub(super) fn add(&self, other: &Self) -> Option<Self> {
        let mut out = [0; LIMBS];
        let mut carry = false;
        for (o, (a, b)) in out.iter_mut().zip(self.0.iter().zip(&other.0)) {
            let (sum, c1) = a.overflowing_add(*b);
            let (sum, c2) = sum.overflowing_add(u64::from(carry));
            *o = sum;
            carry = c1 || c2;
        }
        (!carry).then_some(Self(out))
    }

    /// self - other, for other <= self.
    pub(super) fn sub(&self, other: &Self) -> Self {
        let mut out = [0; LIMBS];
        let mut borrow = false;
        for (o, (a, b)) in out.iter_mut().zip(self.0.iter().zip(&other.0)) {
            let (diff, b1) = a.overflowing_sub(*b);
            let (diff, b2) = diff.overflowing_sub(u64::from(borrow));
            *o = diff;
            borrow = b1 || b2;
        }
        assert!(!borrow, "a magnitude is never below zero: {self:?} - {other:?}");
        Self(out)
    }

    pub(super) fn mul_small(&self, by: u64) -> Option<Self> {
        let mut out = [0; LIMBS];
        let mut carry = 0_u128;
        for (o, a) in out.iter_mut().zip(&self.0) {
            carry += u128::from(*a) * u128::from(by);
            *o = carry as u64;
            carry >>= 64;
        }
        (carry == 0).then_some(Self(out))
    }

    pub(super) fn mul(&self, other: &Self) -> Option<Self> {
        let mut out = [0_u64; LIMBS];
        for (i, a) in self.0.iter().enumerate().filter(|(_, a)| **a != 0) {
            let mut carry = 0_u128;
            for (j, b) in other.0.iter().enumerate() {
                let product = u128::from(*a) * u128::from(*b);
                match out.get_mut(i + j) {
                    Some(slot) => {
                        let sum = product + u128::from(*slot) + carry;
                        *slot = sum as u64;
                        carry = sum >> 64;
                    }
                    None if product == 0 && carry == 0 => {}
                    None => return None,
                }
            }
            if carry != 0 {
                return None;
            }
        }
        Some(Self(out))
    }

    /// Quotient and remainder by one limb, not 0.
    pub(super) fn div_small(&self, by: u64) -> (Self, u64) {
        let mut out = [0; LIMBS];
        let mut rem = 0_u128;
        for (o, a) in out.iter_mut().zip(&self.0).rev() {
            let part = rem << 64 | u128::from(*a);
            *o = (part / u128::from(by)) as u64;
            rem = part % u128::from(by);
        }
        (Self(out), rem as u64)
    }

    /// Quotient and remainder; `by` is not 0.
    pub(super) fn div_rem(&self, by: &Self) -> (Self, Self) {
        if by.0[1..].iter().all(|l| *l == 0) {
            let (q, r) = self.div_small(by.0[0]);
            return (q, Self::from_u128(u128::from(r)));
        }
        let (mut quotient, mut rem) = (Self::ZERO, Self::ZERO);
        for bit in (0..self.bits()).rev() {
            rem = rem.double(self.0[bit / 64] >> (bit % 64) & 1);
            if rem >= *by {
                rem = rem.sub(by);
                quotient.0[bit / 64] |= 1 << (bit % 64);
            }
        }
        (quotient, rem)
    }

    /// 2 * self + bit; the remainder of a division never has the top bit set, since no divisor does.
    fn double(&self, bit: u64) -> Self {
        let mut out = [0; LIMBS];
        let mut carry = bit;
        for (o, a) in out.iter_mut().zip(&self.0) {
            *o = a << 1 | carry;
            carry = a >> 63;
        }
        assert!(carry == 0, "doubling a remainder stays within 576 bits: {self:?}");
        Self(out)
    }

    fn bits(&self) -> usize {
        self.0.iter().rposition(|l| *l != 0).map_or(0, |i| 64 * (i + 1) - self.0[i].leading_zeros() as usize)
    }

    /// self / 10^n, truncated, with what was cut off compared to one half.
    pub(super) fn unshift10(&self, n: u32) -> (Self, Ordering) {
        let Some(by) = Self::pow10(n) else { return (Self::ZERO, Ordering::Less) };
        let (q, r) = self.div_rem(&by);
        let half = by.div_small(2).0;
        (q, if n == 0 { Ordering::Less } else { r.cmp(&half) })
    }

    /// The number of decimal digits; 0 for zero.
    pub(super) fn digits(&self) -> u32 {
        let (mut chunks, mut rest) = (0, *self);
        loop {
            let (q, r) = rest.div_small(CHUNK);
            if q.is_zero() {
                return chunks * CHUNK_DIGITS + r.checked_ilog10().map_or(0, |l| l + 1);
            }
            (chunks, rest) = (chunks + 1, q);
        }
    }

    /// The decimal digits without leading zeros; empty for zero.
    pub(super) fn to_digits(self) -> String {
        let (mut parts, mut rest) = (Vec::new(), self);
        while !rest.is_zero() {
            let (q, r) = rest.div_small(CHUNK);
            parts.push(r);
            rest = q;
        }
        let mut out = parts.pop().map_or_else(String::new, |first| first.to_string());
        for part in parts.into_iter().rev() {
            out.push_str(&format!("{part:019}"));
        }
        out
    }

    /// The low `bytes` bytes, little-endian; the value must fit them.
    pub(super) fn to_le_bytes(self) -> [u8; LIMBS * 8] {
        let mut out = [0; LIMBS * 8];
        for (chunk, limb) in out.chunks_exact_mut(8).zip(self.0) {
            chunk.copy_from_slice(&limb.to_le_bytes());
        }
        out
    }

    /// From at most 72 bytes, little-endian.
    pub(super) fn from_le_bytes(bytes: &[u8]) -> Self {
        let mut limbs = [0; LIMBS];
        for (i, b) in bytes.iter().enumerate().take(LIMBS * 8) {
            limbs[i / 8] |= u64::from(*b) << (i % 8 * 8);
        }
        Self(limbs)
    }
}

impl PartialOrd for Mag {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Mag {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.iter().rev().cmp(other.0.iter().rev())
    }
}
