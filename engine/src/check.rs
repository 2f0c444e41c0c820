//! CHECK TABLE: trees, agreement of primary and secondary indexes, version chains.
//!
//! Nobody may write to the table meanwhile (the check holds writers off). What must hold:
//! 1. every tree is whole (`btree`'s own check);
//! 2. every row of the newest committed versions has exactly one unmarked entry in each secondary index, and every unmarked entry is some
//!    row's; marked entries may exist for older versions;
//! 3. every version chain can be walked to a version that everybody sees, or to its beginning.

use crate::dictionary::TableDef;
use crate::engine::Engine;
use crate::error::Result;
use crate::format::row;
use crate::format::secondary::Entry;
use crate::lock::{Alone, MetadataMode};
use crate::rows::{chains, entries};
use crate::sync::KillSwitch;
use crate::txn::registry::Newest;
use crate::undo::read::{self, Below};
use btree::{Batch, Direction, OverflowRef};
use protocol::page::PageId;
use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;

/// What CHECK TABLE found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CheckReport {
    /// Rows that exist now.
    pub rows: u64,
    /// Versions walked below the newest ones.
    pub versions: u64,
    /// Entries of all secondary indexes.
    pub entries: u64,
    /// What is wrong; empty when all is well.
    pub findings: Vec<String>,
}

impl Engine {
    /// Checks a table with its writers held off.
    ///
    /// # Errors
    /// [`crate::EngineError::LockWaitTimeout`] when writers do not end within a minute, and those of the volume. What is wrong with
    /// the table is in the report.
    pub async fn check_table(self: &Arc<Self>, table: &Arc<TableDef>) -> Result<CheckReport> {
        let holder = self.metadata_holder(0);
        let kill = KillSwitch::new();
        let _alone = Alone::take(self, &holder, table.id, MetadataMode::NoWrite, 60_000_000, &kill).await?;
        self.check_alone(table).await
    }

    async fn check_alone(self: &Arc<Self>, table: &Arc<TableDef>) -> Result<CheckReport> {
        let mut check =
            Check { engine: self, table, report: CheckReport::default(), chains: BTreeSet::new() };
        let live = check.rows().await?;
        for (no, live) in live.iter().enumerate().skip(1) {
            check.index(no, live).await?;
        }
        check.trees().await?;
        Ok(check.report)
    }
}

/// A check under way.
struct Check<'a> {
    engine: &'a Arc<Engine>,
    table: &'a Arc<TableDef>,
    report: CheckReport,
    /// Overflow chains of older versions.
    chains: BTreeSet<PageId>,
}

/// Keys that each secondary index must have, unmarked.
type Live = Vec<BTreeSet<Vec<u8>>>;

impl Check<'_> {
    fn find(&mut self, what: String) {
        if self.report.findings.len() < 100 {
            self.report.findings.push(what);
        }
    }

    async fn rows(&mut self) -> Result<Live> {
        let mut live: Live = vec![BTreeSet::new(); self.table.indexes.len()];
        let tree = Arc::clone(&self.table.runtime.trees[0]);
        let mut cursor = tree.cursor(Bound::Unbounded, Bound::Unbounded, Direction::Forward);
        let mut found = Batch::default();
        let mut more = true;
        while more {
            found.clear();
            more = cursor.next_batch(&mut found, 256).await?;
            for (pk, version) in found.iter() {
                self.row(pk, version.to_vec(), &mut live).await?;
            }
        }
        Ok(live)
    }

    async fn row(&mut self, pk: &[u8], mut version: Vec<u8>, live: &mut Live) -> Result<()> {
        let mut newest = true;
        loop {
            let header = match row::header(&version) {
                Ok(header) => header,
                Err(damaged) => {
                    self.find(format!("row {pk:02x?}: {damaged}"));
                    return Ok(());
                }
            };
            for chain in chains::live(row::external_refs(&self.table.runtime.layout, &version)?) {
                self.chains.insert(OverflowRef::from_bytes(chain).first);
            }
            let aborted = match self.engine.registry.newest(header.txid) {
                Newest::Committed(_) => false,
                Newest::Aborted => true,
                Newest::Active(_) => {
                    self.find(format!(
                        "row {pk:02x?}: written by {:?}, which is active though writers are held off",
                        header.txid
                    ));
                    true
                }
            };
            if newest && !aborted {
                newest = false;
                if !header.deleted {
                    self.report.rows += 1;
                    for (no, live) in live.iter_mut().enumerate().skip(1) {
                        let (key, _) =
                            entries::key_of_any_row(self.engine, self.table, no, &version, pk).await?;
                        live.insert(key);
                    }
                }
            }
            if self.engine.registry.is_settled(header.txid) {
                return Ok(());
            }
            let Some(record) = read::record(self.engine, header.undo, header.txid).await? else {
                // Settled or cleaned while we looked.
                if !self.engine.registry.is_settled(header.txid) && !aborted {
                    self.find(format!(
                        "row {pk:02x?}: the undo of {:?} at {:?} is gone",
                        header.txid, header.undo
                    ));
                }
                return Ok(());
            };
            if record.key != pk {
                self.find(format!("row {pk:02x?}: its undo record at {:?} is of another row", header.undo));
                return Ok(());
            }
            if read::step_down(self.engine, &mut version).await? != Below::Version {
                return Ok(());
            }
            self.report.versions += 1;
        }
    }

    async fn index(&mut self, no: usize, live: &BTreeSet<Vec<u8>>) -> Result<()> {
        let name = self.table.indexes[no].name.clone();
        let tree = Arc::clone(&self.table.runtime.trees[no]);
        let mut cursor = tree.cursor(Bound::Unbounded, Bound::Unbounded, Direction::Forward);
        let mut found = Batch::default();
        let mut seen = 0_usize;
        let mut more = true;
        while more {
            found.clear();
            more = cursor.next_batch(&mut found, 256).await?;
            for (key, value) in found.iter() {
                self.report.entries += 1;
                match Entry::decode(value) {
                    Err(damaged) => self.find(format!("index {name}, entry {key:02x?}: {damaged}")),
                    Ok(entry) if usize::from(entry.own_bytes) > key.len() => {
                        self.find(format!("index {name}, entry {key:02x?}: longer than its key"));
                    }
                    Ok(entry) => {
                        let has_row = live.contains(key);
                        seen += usize::from(has_row);
                        if let Some(wrong) = self.entry(no, key, entry, has_row).await? {
                            self.find(format!("index {name}, entry {key:02x?}: {wrong}"));
                        }
                    }
                }
            }
        }
        if seen != live.len() {
            self.find(format!("index {name}: {seen} entries for {} rows", live.len()));
        }
        Ok(())
    }

    /// What is wrong with an entry. Marks by aborted transactions, and entries of their versions, stay until the cleaner comes by; it may
    /// come by right now, so what looks wrong is looked at again.
    async fn entry(&self, no: usize, key: &[u8], entry: Entry, has_row: bool) -> Result<Option<String>> {
        let wrong = match (has_row, entry.marked_by) {
            (true, Some(by)) if !matches!(self.engine.registry.newest(by), Newest::Aborted) => {
                format!("marked by {by:?}, but its row has the key")
            }
            (false, None) if !self.is_aborted(&key[usize::from(entry.own_bytes)..]).await? => {
                "no row has this key".to_owned()
            }
            _ => return Ok(None),
        };
        let now = self.table.runtime.trees[no].get(key, Entry::decode).await?.transpose()?;
        Ok((now == Some(entry)).then_some(wrong))
    }

    /// Whether the newest version of a row was rolled back and is still there: then its entries are, too.
    async fn is_aborted(&self, pk: &[u8]) -> Result<bool> {
        let header = self.table.runtime.trees[0].get(pk, row::header).await?.transpose()?;
        Ok(header.is_some_and(|h| matches!(self.engine.registry.newest(h.txid), Newest::Aborted)))
    }

    async fn trees(&mut self) -> Result<()> {
        let layout = &self.table.runtime.layout;
        let chains = std::mem::take(&mut self.chains);
        for (no, tree) in self.table.runtime.trees.iter().enumerate() {
            let mut older = if no == 0 { Some(chains.clone()) } else { None };
            let wrong = tree
                .check(|_, value, refs| {
                    if let Some(chains) = older.take() {
                        refs.extend(chains);
                    }
                    if no == 0
                        && let Ok(found) = row::external_refs(layout, value)
                    {
                        for first in chains::live(found).into_iter().map(|r| OverflowRef::from_bytes(r).first)
                        {
                            if !chains.contains(&first) {
                                refs.push(first);
                            }
                        }
                    }
                })
                .await?;
            for finding in wrong {
                self.report.findings.push(format!("index {}: {finding}", self.table.indexes[no].name));
            }
        }
        Ok(())
    }
}
