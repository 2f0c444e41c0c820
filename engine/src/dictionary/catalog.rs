//! The cache of definitions, and the handle `sql` works with.

use crate::dictionary::runtime::TableShared;
use crate::dictionary::schema::{SchemaDef, TableDef, TableId};
use crate::dictionary::system::{self, Sys, Tables};
use crate::dictionary::trees::DropQueue;
use crate::engine::{Engine, slot_of_volume};
use crate::error::Result;
use crate::lock::MetadataHolder;
use crate::sync::{Gate, KillSwitch};
use crate::txn::{Isolation, Txn, TxnOptions};
use btree::{Space, Tree};
use parking_lot::{Mutex, RwLock};
use protocol::lsn::Lsn;
use protocol::page::PageId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Definitions loaded so far.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    pub(crate) tables: BTreeMap<String, BTreeMap<String, Arc<TableDef>>>,
    /// By clustered tree, for undo; a tree known to belong to no table is here as `None`.
    pub(crate) by_tree: BTreeMap<u64, Option<Arc<TableDef>>>,
    pub(crate) schemas: BTreeMap<String, Arc<SchemaDef>>,
}

/// The dictionary's state within the engine.
#[derive(Debug)]
pub(crate) struct Catalog {
    system: Tables,
    pub(crate) cache: RwLock<Cache>,
    version: AtomicU64,
    /// Commit LSN of the last DDL.
    floor: AtomicU64,
    /// One change of the dictionary at a time.
    pub(super) ddl: Gate,
    /// What DDL left unfinished before this opening is gone.
    pub(super) finished: AtomicBool,
    /// What versions of a table share, by table id.
    shared: Mutex<BTreeMap<TableId, Arc<TableShared>>>,
    /// Auto-increment ceilings: table id -> u64.
    pub(crate) counters: Arc<Tree>,
    pub(crate) drops: DropQueue,
    /// Trees made since opening: no leftovers of a crash, whatever the DDL log says of them.
    pub(crate) made: Mutex<BTreeSet<u64>>,
    /// Clustered trees dropped since opening.
    pub(crate) dropped: Mutex<BTreeSet<u64>>,
}

impl Catalog {
    /// Makes what the dictionary of a volume lacks.
    pub(crate) async fn format(space: &Arc<Space>) -> Result<()> {
        system::format(space).await
    }

    /// Opens the dictionary: nine root pages.
    pub(crate) async fn open(space: &Arc<Space>) -> Result<Catalog> {
        let counters = Tree::open(space, PageId(space.slot(slot_of_volume::COUNTERS)?)).await?;
        Ok(Catalog {
            system: system::open(space).await?,
            cache: RwLock::default(),
            version: AtomicU64::new(1),
            floor: AtomicU64::new(0),
            ddl: Gate::default(),
            finished: AtomicBool::new(false),
            shared: Mutex::default(),
            counters,
            drops: DropQueue::default(),
            made: Mutex::default(),
            dropped: Mutex::default(),
        })
    }

    pub(crate) fn sys(&self, table: Sys) -> &Arc<TableDef> {
        &self.system[table as usize]
    }

    pub(crate) fn system_tables(&self) -> &[Arc<TableDef>] {
        &self.system
    }

    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// What all versions of a table share.
    pub(crate) fn shared(&self, table: TableId) -> Arc<TableShared> {
        Arc::clone(self.shared.lock().entry(table).or_default())
    }

    /// Every table's shared state, for shutdown.
    pub(crate) fn all_shared(&self) -> Vec<(TableId, Arc<TableShared>)> {
        self.shared.lock().iter().map(|(id, s)| (*id, Arc::clone(s))).collect()
    }

    /// A DDL committed at `lsn`: nothing is loaded at an older view from here on.
    pub(crate) fn committed(&self, lsn: Lsn) {
        self.floor.fetch_max(lsn.0, Ordering::AcqRel);
    }

    /// Waits until every DDL so far is durable, so that a view opened after it sees it.
    pub(crate) async fn settled(&self, engine: &Engine) -> Result<()> {
        engine.wait_durable(Lsn(self.floor.load(Ordering::Acquire))).await
    }

    /// Changes the cache right after a DDL committed, without a wait in between, and raises the version.
    pub(crate) fn publish(&self, change: impl FnOnce(&mut Cache)) {
        let mut cache = self.cache.write();
        change(&mut cache);
        self.version.fetch_add(1, Ordering::AcqRel);
    }

    /// Enters what was loaded while the version was `version`; false when DDL came between and it must be loaded again.
    pub(crate) fn enter(&self, version: u64, change: impl FnOnce(&mut Cache)) -> bool {
        let mut cache = self.cache.write();
        let same = self.version() == version;
        if same {
            change(&mut cache);
        }
        same
    }
}

impl Cache {
    /// Enters a definition in place of an older one.
    pub(crate) fn put(&mut self, table: &Arc<TableDef>) {
        self.by_tree.insert(table.indexes[0].id.0, Some(Arc::clone(table)));
        let schema = self.tables.entry(table.schema_name.clone()).or_default();
        schema.insert(table.name.clone(), Arc::clone(table));
    }

    /// Takes a definition out.
    pub(crate) fn remove(&mut self, table: &TableDef) {
        self.by_tree.remove(&table.indexes[0].id.0);
        if let Some(schema) = self.tables.get_mut(&table.schema_name) {
            schema.remove(&table.name);
        }
    }
}

/// How DDL waits.
#[derive(Clone, Debug, Default)]
pub struct DdlOptions {
    /// Waiting for the table's readers and writers ends with 1205 after so long; 0: `lock_wait_timeout`'s default of a year.
    pub lock_wait_timeout_us: u64,
    /// The session's switch.
    pub kill: Option<Arc<KillSwitch>>,
    /// The session's metadata locks; without one each statement is a stranger to every session.
    pub holder: Option<Arc<MetadataHolder>>,
    /// `foreign_key_checks` is off: parents may be missing, or go.
    pub no_foreign_key_checks: bool,
}

/// The dictionary as `sql` uses it: a cheap handle.
#[derive(Clone, Debug)]
pub struct Dictionary {
    pub(crate) engine: Arc<Engine>,
    pub(crate) options: DdlOptions,
}

impl Engine {
    /// The dictionary.
    #[must_use]
    pub fn dictionary(self: &Arc<Self>) -> Dictionary {
        Dictionary { engine: Arc::clone(self), options: DdlOptions::default() }
    }
}

impl Dictionary {
    /// The same with other options.
    #[must_use]
    pub fn with(mut self, options: DdlOptions) -> Dictionary {
        self.options = options;
        self
    }

    /// Rises with every DDL: what was planned at another version is planned again.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.engine.catalog.version()
    }

    /// A table, if its definition is in memory.
    #[must_use]
    pub fn cached_table(&self, schema: &str, name: &str) -> Option<Arc<TableDef>> {
        self.engine.catalog.cache.read().tables.get(schema)?.get(name).cloned()
    }

    /// A transaction on the dictionary's own tables that sees every DDL so far.
    pub(crate) async fn begin(&self) -> Result<Txn> {
        self.engine.catalog.settled(&self.engine).await?;
        Ok(sys_txn(&self.engine))
    }

    pub(crate) fn timeout_us(&self) -> u64 {
        match self.options.lock_wait_timeout_us {
            0 => 31_536_000_000_000,
            us => us,
        }
    }

    pub(crate) fn holder(&self) -> Arc<MetadataHolder> {
        self.options.holder.clone().unwrap_or_else(|| self.engine.metadata_holder(0))
    }

    pub(crate) fn kill(&self) -> Arc<KillSwitch> {
        self.options.kill.clone().unwrap_or_default()
    }
}

/// A transaction on the dictionary's own tables.
pub(crate) fn sys_txn(engine: &Arc<Engine>) -> Txn {
    let options =
        TxnOptions { isolation: Isolation::RepeatableRead, session: u32::MAX, ..TxnOptions::default() };
    engine.begin(options).without_gaps()
}
