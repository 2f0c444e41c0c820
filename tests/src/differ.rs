//! The same seeded statements to two servers: every answer of ours must be MySQL's.
//!
//! ```text
//!   seed -> schema, rows, statements -> ours  -> answer -+
//!                                   \-> MySQL -> answer -+-> alike, unsupported here (1235), or a difference with its shape
//! ```
//! A generator draws tables of every type, rows with the values at the edges, and statements over them: expressions, predicates, aggregates,
//! changes. Compared are rows, names and types of columns, counts, warnings (code and text) and errors. Differences are gathered by
//! *shape* (what differs, and the functions and operators in the statement), so that one cause shown a thousand times is one line.

mod compare;
mod expression;
mod generate;

pub use compare::{Difference, compare};
pub use generate::{Generator, Statement};

/// xorshift64*: the same seed draws the same statements on any machine.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Seeded; any number will do.
    #[must_use]
    pub fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `below`.
    pub fn below(&mut self, below: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize) % below
    }

    /// True once in `times`.
    pub fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// One of them.
    pub fn pick<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[self.below(all.len())]
    }
}
