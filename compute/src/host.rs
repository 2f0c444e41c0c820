//! What SQL asks of the process around it: connections, counters, start-up variables, and the tables of the schema `sextant`.

use crate::attributes::SessionConnectAttributes;
use crate::backing::Backing;
use crate::config::{SETTINGS, Settings, persisted};
use crate::files;
use crate::memory::Bounds;
use crate::server::{Counters, Registry};
use crate::status::{self, Picture};
use buffer_pool::BufferPool;
use engine::Engine;
use mysql_wire::auth::{Plugin, stored_form};
use mysql_wire::sha_crypt::SALT_LEN;
use sql::api::{FileRefused, Host, Process, ReadFile, VirtualTable, WriteFile};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Settings that say where the server is and what it runs on: they come from whoever starts it.
const PLACES: [&str; 7] = [
    "datadir",
    "bind_address",
    "port",
    "socket",
    "sextant_metrics_address",
    "sextant_storage",
    "sextant_certs",
];

/// The product's surroundings of SQL.
pub struct ServerHost {
    settings: Settings,
    registry: Arc<Registry>,
    counters: Arc<Counters>,
    volume: Arc<dyn Backing>,
    pool: Arc<BufferPool>,
    engine: Arc<Engine>,
    bounds: Bounds,
}

impl ServerHost {
    /// Surroundings of these parts.
    pub fn new(
        settings: Settings,
        registry: Arc<Registry>,
        counters: Arc<Counters>,
        volume: Arc<dyn Backing>,
        pool: Arc<BufferPool>,
        engine: Arc<Engine>,
        bounds: Bounds,
    ) -> Self {
        Self { settings, registry, counters, volume, pool, engine, bounds }
    }

    /// What the process may hold in memory, at the volume's size now. Asks storage.
    pub fn bounds(&self) -> Bounds {
        self.bounds.with_index(&self.volume.counters())
    }

    fn engine_status(&self) -> Vec<(String, u64)> {
        let engine = self.engine.status();
        let list = [
            ("Innodb_row_lock_waits", engine.lock_waits),
            ("Innodb_row_lock_current_waits", engine.waiting as u64),
            ("Sextant_transactions_committed", engine.commits),
            ("Sextant_transactions_rolled_back", engine.rollbacks),
            ("Sextant_transactions_open", engine.open_transactions as u64),
            ("Sextant_transactions_aborted", engine.aborted_transactions as u64),
            ("Sextant_transactions_unsettled", engine.unsettled_transactions as u64),
            ("Sextant_transactions_purged", engine.purged_transactions),
            ("Sextant_transaction_slots_used", engine.slots_used as u64),
            ("Sextant_deadlocks", engine.deadlocks),
            ("Sextant_explicit_locks", engine.explicit_locks as u64),
            ("Sextant_reverted_changes", engine.reverted_changes),
            ("Sextant_history_length", engine.history_length as u64),
            ("Sextant_history_bytes", engine.history_bytes),
            ("Sextant_views_ended", engine.views_ended),
            ("Sextant_undo_pages", engine.undo_pages),
            ("Sextant_undo_pages_free", engine.undo_pages_free),
            ("Sextant_commits_parked", engine.parked_commits as u64),
            ("Sextant_commits_released", engine.commits_released),
            ("Sextant_commit_wakes", engine.commit_wakes),
            ("Sextant_read_views_open", engine.open_views as u64),
        ];
        list.into_iter().map(|(name, n)| (name.to_string(), n)).collect()
    }

    /// What an operator wants to see first. Asks storage: call it where one may block.
    pub fn picture(&self) -> Picture {
        status::gather::picture(&*self.volume)
    }

    /// Back-pressure of the log: how much may still be written, who waits, and for how long VDL has not moved.
    fn log_status(&self) -> Vec<(String, u64)> {
        let view = self.volume.view();
        let list = [
            ("Sextant_lal_bytes", view.volume.lal_bytes),
            ("Sextant_lal_headroom_bytes", view.volume.headroom()),
            ("Sextant_lal_waiting", view.room_waiters as u64),
            ("Sextant_log_stalled_us", view.stalled_us),
            ("Sextant_log_held_bytes", view.volume.held_bytes),
            ("Sextant_protection_groups", view.volume.groups.len() as u64),
            ("Sextant_volume_epoch", view.volume.epoch.0),
        ];
        list.into_iter().map(|(name, n)| (name.to_string(), n)).collect()
    }

    fn pool_status(&self) -> Vec<(String, u64)> {
        let pool = self.pool.counters();
        let page = protocol::page::PAGE_BYTES as u64;
        let mut list = vec![
            ("Innodb_buffer_pool_bytes_data".to_string(), pool.used_frames * page),
            ("Innodb_buffer_pool_pages_total".to_string(), pool.frames),
            ("Innodb_buffer_pool_pages_data".to_string(), pool.used_frames),
            ("Innodb_buffer_pool_pages_free".to_string(), pool.frames.saturating_sub(pool.used_frames)),
            ("Innodb_buffer_pool_reads".to_string(), pool.fetches),
            ("Innodb_page_size".to_string(), page),
            ("Sextant_pool_fetch_joins".to_string(), pool.fetch_joins),
            ("Sextant_pool_evictions".to_string(), pool.evictions),
            ("Sextant_pool_frame_waits".to_string(), pool.frame_waits),
            ("Sextant_log_credit_waits".to_string(), pool.credit_waits),
        ];
        for (kind, count, bytes) in pool.redo {
            list.push((format!("Sextant_redo_{kind}"), count));
            list.push((format!("Sextant_redo_{kind}_bytes"), bytes));
        }
        list
    }
}

impl Host for ServerHost {
    fn processes(&self) -> Vec<Process> {
        self.registry.processes()
    }

    fn kill(&self, connection: u64, query_only: bool) -> bool {
        self.registry.kill(connection, query_only)
    }

    fn status(&self) -> Vec<(String, String)> {
        let server = self.counters.status(&self.registry).into_iter().map(|(name, n)| (name.to_string(), n));
        // The storage thread is asked, so this may wait for it.
        let volume = tokio::task::block_in_place(|| self.volume.counters());
        let bounds = self.bounds.with_index(&volume);
        let volume = volume.into_iter().map(|(name, n)| (format!("Sextant_{name}"), n));
        let mut list: Vec<_> = server
            .chain(volume)
            .chain(self.log_status())
            .chain(self.pool_status())
            .chain(self.engine_status())
            .chain(bounds.status())
            .map(|(name, n)| (name, n.to_string()))
            .collect();
        list.push(("Sextant_io_backend".to_string(), self.volume.backend().to_string()));
        list.sort();
        list
    }

    fn variables(&self) -> Vec<(String, String)> {
        self.settings.values().into_iter().map(|(name, value)| (name.to_string(), value)).collect()
    }

    fn password_hash(&self, plugin: &str, password: &[u8]) -> Option<Vec<u8>> {
        let plugin = Plugin::from_name(plugin.as_bytes())?;
        let mut salt = [0; SALT_LEN];
        crate::security::random_bytes(&mut salt).ok()?;
        Some(stored_form(plugin, password, salt))
    }

    fn persisted(&self) -> BTreeMap<String, String> {
        // It was readable when the settings were read; a file that somebody broke since is as good as none.
        persisted::read(&self.settings.datadir).unwrap_or_default()
    }

    fn persist(&self, all: &BTreeMap<String, String>) -> Result<(), String> {
        tokio::task::block_in_place(|| persisted::write(&self.settings.datadir, all))
            .map_err(|problem| problem.to_string())
    }

    fn start_setting(&self, name: &str, text: &str) -> Option<Result<String, String>> {
        let setting = SETTINGS.iter().find(|setting| setting.name == name)?;
        (!PLACES.contains(&name)).then(|| setting.normalise(text))
    }

    fn open_file(&self, name: &str) -> Result<ReadFile, FileRefused> {
        files::open(&self.settings.secure_file_priv, name)
    }

    fn create_file(&self, name: &str) -> Result<WriteFile, FileRefused> {
        files::create(&self.settings.secure_file_priv, name)
    }

    fn virtual_tables(&self) -> Vec<Arc<dyn VirtualTable>> {
        let mut tables = status::tables::all(&self.volume);
        tables.push(Arc::new(SessionConnectAttributes::new(self.registry.clone())));
        tables
    }
}
