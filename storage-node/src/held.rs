//! A record as a node holds it: decoded once, shared by all who hold it.
//!
//! ```text
//!   frames of one message ─decode, check─► [ r r r r r ]  ◄─ Arc ─ chain of node 0, chain of node 1, .. queue, block
//! ```
//!
//! Six nodes of one process are handed the same bytes; [`Batch::decode`] reads and checks them once, and what each node
//! keeps per record is a pointer and a number (16 bytes). A record kept keeps its whole batch: batches are small (256 KiB).

use bytes::{Buf, Bytes};
use protocol::lsn::Lsn;
use protocol::record::Record;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// Records that came together, in order; cloning shares them.
#[derive(Clone, Debug, Default)]
pub struct Batch(Arc<Vec<Record>>);

impl Batch {
    /// The records among `frames`, up to the first that is damaged.
    #[must_use]
    pub fn decode(frames: &Bytes) -> Batch {
        let mut rest = frames.clone();
        let mut records = Vec::new();
        while let Ok(record) = Record::decode(&rest) {
            rest.advance(record.len());
            records.push(record);
        }
        Batch(Arc::new(records))
    }

    /// The lowest and the highest LSN in it; `None` when it is empty.
    #[must_use]
    pub fn span(&self) -> Option<(Lsn, Lsn)> {
        let lsns = self.0.iter().map(|r| r.lsn);
        Some((lsns.clone().min()?, lsns.max()?))
    }

    /// Its records, each shared.
    pub fn records(&self) -> impl Iterator<Item = Held> + '_ {
        (0..self.0.len() as u32).map(|at| Held { batch: Arc::clone(&self.0), at })
    }
}

/// One shared record.
#[derive(Clone)]
pub struct Held {
    batch: Arc<Vec<Record>>,
    at: u32,
}

impl Deref for Held {
    type Target = Record;
    fn deref(&self) -> &Record {
        &self.batch[self.at as usize]
    }
}

impl From<Record> for Held {
    fn from(record: Record) -> Held {
        Held { batch: Arc::new(vec![record]), at: 0 }
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
