//! What a crash left of the log: walks the files from the first that counts and says what holds.
//!
//! One block is in flight at a time, so a bad place followed by a later block is *rot* (that block proves the bad one had been
//! synced), and a bad place followed by nothing is a *torn tail*: the end of the log, never a reason to halt.
//!
//! ```text
//!   [block 7][block 8][ bad ][block 10]      sequence 9 is missing: rot, claims stand, peers heal it
//!   [block 7][block 8][ bad ] 0 0 0 0 0      torn tail: end after 8, doubtful
//!   [block 7][block 8] 0 0 0 0 0 0 0 0       clean end after 8
//! ```

use crate::block::{self, Block, BlockError, Owner};
use crate::event::SECTOR_BYTES;
use bytes::Bytes;

/// Feeds on log files in order, hands out blocks.
#[derive(Debug)]
pub struct Scanner {
    owner: Owner,
    file_bytes: u64,
    /// The sequence number the next block must have.
    pub expected: u64,
    /// Position after the last valid block.
    pub tail: u64,
    /// Blocks missing in the middle.
    pub missing: u64,
    /// Position of the last sector after the last valid block that is not zero: what a torn write left.
    pub dirty: Option<u64>,
}

impl Scanner {
    /// Starts at `first_file`, whose first block has sequence number `first_sequence`.
    #[must_use]
    pub fn new(owner: Owner, file_bytes: u64, first_file: u64, first_sequence: u64) -> Scanner {
        let tail = first_file * file_bytes;
        Scanner { owner, file_bytes, expected: first_sequence, tail, missing: 0, dirty: None }
    }

    /// Walks one whole file; files come in rising order, absent ones are left out.
    pub fn file(&mut self, number: u64, bytes: &Bytes) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut at = 0;
        while at + SECTOR_BYTES <= bytes.len() {
            let position = number * self.file_bytes + at as u64;
            match block::decode(&bytes.slice(at..), self.owner, position) {
                Ok(block) if block.header.sequence >= self.expected => {
                    at += block.len;
                    self.take(&block);
                    blocks.push(block);
                    continue;
                }
                Err(BlockError::Bad) if protocol::mutant!(TornTailAccepted) => {
                    if let Some(block) = block::decode_unverified(&bytes.slice(at..), self.owner, position) {
                        at += block.len.max(SECTOR_BYTES);
                        self.take(&block);
                        blocks.push(block);
                        continue;
                    }
                }
                _ => {}
            }
            if bytes[at..at + SECTOR_BYTES].iter().any(|b| *b != 0) {
                self.dirty = Some(position);
            }
            at += SECTOR_BYTES;
        }
        blocks
    }

    fn take(&mut self, block: &Block) {
        self.missing += block.header.sequence.saturating_sub(self.expected);
        self.expected = block.header.sequence + 1;
        self.tail = block.header.position + block.len as u64;
        self.dirty = None;
    }
}
