//! One stream of pseudo-random numbers per seed: splitmix64, small, fast, and the same on every machine.

/// The only source of chance in a run.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// A stream for this seed.
    #[must_use]
    pub fn new(seed: u64) -> Rng {
        Rng(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5E87_AD1C_0FFE_E123)
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Uniform in `low..=high`.
    pub fn range(&mut self, low: u64, high: u64) -> u64 {
        assert!(low <= high, "empty range {low}..={high}");
        low + self.bits() % (high - low + 1)
    }

    /// Uniform in `0..len`.
    pub fn index(&mut self, len: usize) -> usize {
        (self.bits() % len as u64) as usize
    }

    /// True with `per_10k` chances in 10,000.
    pub fn chance(&mut self, per_10k: u64) -> bool {
        self.bits() % 10_000 < per_10k
    }

    /// Exponential with this mean, at least 1.
    pub fn exponential(&mut self, mean: u64) -> u64 {
        let unit = (self.bits() >> 11) as f64 / (1_u64 << 53) as f64;
        (-(1.0 - unit).ln() * mean as f64) as u64 + 1
    }

    /// 128 random bits that are not zero.
    pub fn nonce(&mut self) -> u128 {
        u128::from(self.bits()) << 64 | u128::from(self.bits()) | 1
    }
}
