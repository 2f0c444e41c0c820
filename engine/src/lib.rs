//! Transactional rows over B-link trees: transactions, read views, undo, locks, purge, the dictionary, the commit queue.
//!
//! ```text
//!   sql ── Dictionary ──> definitions                        Txn ── insert / get / scan / update / delete
//!               │                                              │ begin: free. first read: view. first write: TxId, slot, undo unit
//!               v                                              v
//!        rows of its own tables ───────────────>  rows: leaf + undo record, one mini-transaction each
//!                                                              │ commit: slot freed, commit LSN stamped - one mini-transaction
//!                                                              v
//!                       history: settle, purge, clean    commit queue: parked until VDL >= LSN
//! ```
//!
//! Invariants:
//! 1. A commit's LSN orders it; a TxId only names it. A version is seen by a view iff its transaction's commit LSN <= the view, which is
//!    <= VDL (`rows::seen`, `txn::registry`).
//! 2. A changed row is locked by its TxId; nothing is entered anywhere for it until somebody else wants it (`lock`).
//! 3. Opening reads the transaction table, not the log: an ACTIVE slot of an older epoch is an aborted transaction (`engine`).
//! 4. Undo space is never reused under its transaction, and a unit reused names another TxId (`format::undo`).
//! 5. A result may be sent once every commit it observed is durable (`Txn::observed`, `Engine::wait_durable`).
//!
//! No runtime is named: plain futures on our own events; time, tasks and randomness come through `protocol::env::Env`.

mod check;
mod commit_queue;
mod dictionary;
mod engine;
mod error;
mod format;
mod history;
mod lock;
mod room;
mod rows;
mod sync;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;
mod txn;
mod undo;

pub use btree::Direction;
pub use check::CheckReport;
pub use dictionary::{
    Check, ColumnDef, ColumnDefault, ColumnId, DdlOptions, Dictionary, ForeignKey, ForeignKeyAction,
    Generated, IndexDef, IndexId, IndexPart, NewIndex, NewTable, Reference, RowMap, SchemaDef, SchemaId,
    TableDef, TableId, serves_foreign_key,
};
pub use engine::{Engine, EngineStatus, Settings};
pub use error::{EngineError, Result};
pub use format::TxId;
pub use lock::{
    DeadlockInfo, LockInfo, LockKind, LockMode, LockWait, LockWaitInfo, MetadataHolder, MetadataLockInfo,
    MetadataMode, NamedLocks, TableLocks,
};
pub use rows::{
    ColumnSet, KeyRange, MAX_INDEX_KEY_BYTES, RowBatch, RowLock, RowRef, RowView, Scan, encode_index_key,
    index_key_parts,
};
pub use sync::KillSwitch;
pub use txn::{Isolation, Txn, TxnOptions};
