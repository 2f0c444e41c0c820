//! Incarnations of new segments from one random seed, so that the core itself stays deterministic.

use protocol::Incarnation;

/// Draws 128-bit names that never repeat within one seed; the caller draws the seed at random per attempt.
#[derive(Clone, Debug)]
pub struct Nonces {
    seed: u128,
    drawn: u64,
}

impl Nonces {
    /// Starts from a random seed.
    #[must_use]
    pub fn new(seed: u128) -> Nonces {
        Nonces { seed, drawn: 0 }
    }

    /// The next name; never zero, which means "no such segment".
    pub fn incarnation(&mut self) -> Incarnation {
        loop {
            self.drawn += 1;
            let high = mix((self.seed >> 64) as u64 ^ mix(self.drawn));
            let low = mix(self.seed as u64 ^ high ^ self.drawn.rotate_left(32));
            let name = u128::from(high) << 64 | u128::from(low);
            if name != 0 {
                return Incarnation(name);
            }
        }
    }
}

/// The finaliser of splitmix64: a bijection that spreads every input bit.
fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
