//! The compute node: volume, buffer pool, engine and SQL, opened and closed in order.

use crate::backing::{Backing, Embedded};
use crate::config::Settings;
use crate::fleet::{self, Remote};
use crate::host::ServerHost;
use crate::lease::end_when_fenced;
use crate::memory::Bounds;
use crate::server::{Counters, Registry};
use buffer_pool::{BufferPool, PoolConfig};
use cache_nvme::device::IoChoice;
use engine::Engine;
use protocol::env::Env;
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::runtime::Runtime;
use volume::Volume;

/// How long the engine may take to settle when the process ends; a stalled quorum must not hold it up.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);
/// How often an idle node tells storage which page versions it no longer needs, microseconds.
const RELEASE_INTERVAL_US: u64 = 250_000;

/// Why the node did not open. Displays as one line.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The volume.
    #[error(transparent)]
    Volume(#[from] volume::OpenError),
    /// The volume on storage daemons.
    #[error(transparent)]
    Remote(#[from] fleet::RemoteError),
    /// The engine on it.
    #[error("{0}")]
    Engine(String),
    /// SQL's dictionary on it.
    #[error("{0}")]
    Sql(String),
}

/// An open compute node.
pub struct Node {
    /// The volume.
    pub volume: Arc<dyn Backing>,
    /// Transactional rows.
    pub engine: Arc<Engine>,
    /// SQL.
    pub sql: Arc<sql::Server>,
    /// SQL's surroundings.
    pub host: Arc<ServerHost>,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Node({})", self.volume.place())
    }
}

impl Node {
    /// Opens everything below the listener.
    ///
    /// # Errors
    /// One line that says what is in the way.
    pub fn open(
        runtime: &Runtime,
        settings: &Settings,
        env: Arc<dyn Env>,
        registry: Arc<Registry>,
        counters: Arc<Counters>,
    ) -> Result<Node, NodeError> {
        let config = volume_config(settings);
        let mut bounds = Bounds::new(settings, &config.node);
        let volume: Arc<dyn Backing> = if settings.sextant_storage.is_empty() {
            Arc::new(Embedded::new(Volume::open(&config, env.clone())?, &settings.datadir))
        } else {
            bounds.nodes = fleet::QUEUES_BYTES;
            Arc::new(Remote::open(settings, env.clone())?)
        };
        end_when_fenced(&*volume.log());
        let frames = (settings.innodb_buffer_pool_size / protocol::page::PAGE_BYTES as u64) as usize;
        let pool = BufferPool::new(PoolConfig { frames }, volume.log(), volume.reader(), None);
        env.spawn("read-points", Box::pin(release_read_points(Arc::downgrade(&pool), env.clone())));
        let opened = runtime.block_on(async {
            let tuning = engine::Settings {
                max_history_bytes: settings.sextant_max_history_bytes,
                ..engine::Settings::default()
            };
            let engine = Engine::open(pool.clone(), volume.log(), env.clone(), tuning)
                .await
                .map_err(|problem| NodeError::Engine(problem.to_string()))?;
            let (settings, volume) = (settings.clone(), volume.clone());
            let host = ServerHost::new(settings, registry, counters, volume, pool, engine.clone(), bounds);
            let host = Arc::new(host);
            let sql = sql::Server::new(engine.clone(), env, host.clone());
            sql.first_start().await.map_err(|problem| NodeError::Sql(problem.to_string()))?;
            Ok((engine, sql, host))
        });
        match opened {
            Ok((engine, sql, host)) => Ok(Node { volume, engine, sql, host }),
            Err(problem) => {
                volume.close();
                Err(problem)
            }
        }
    }

    /// An account that anybody could log in to, as `'user'@'host'`.
    ///
    /// # Errors
    /// When the dictionary cannot be read.
    pub async fn account_without_password(&self) -> Result<Option<String>, NodeError> {
        self.sql.account_without_password().await.map_err(|problem| NodeError::Sql(problem.to_string()))
    }

    /// Closes in reverse order; what was acknowledged is durable already.
    pub fn close(&self, runtime: &Runtime) {
        let orderly = async { tokio::time::timeout(CLOSE_LIMIT, self.engine.shutdown()).await };
        if runtime.block_on(orderly).is_err() {
            tracing::warn!("the log did not settle in time; nothing acknowledged is lost");
            // It has been waited for: the volume need not wait for the same again.
            self.volume.close_within(Duration::ZERO);
        } else {
            self.volume.close();
        }
    }
}

/// Moves PGMRPL while nobody writes; ends with the pool.
async fn release_read_points(pool: Weak<BufferPool>, env: Arc<dyn Env>) {
    loop {
        env.sleep(RELEASE_INTERVAL_US).await;
        let Some(pool) = pool.upgrade() else { return };
        pool.release_read_points();
    }
}

fn volume_config(settings: &Settings) -> volume::Config {
    let mut config = volume::Config::new(Path::new(&settings.datadir));
    config.io = match settings.sextant_io.as_str() {
        "ring" => IoChoice::Ring,
        "threads" => IoChoice::Threads,
        _ => IoChoice::Auto,
    };
    config.pages_per_pg = settings.sextant_pages_per_pg;
    config.log.lal_bytes = settings.sextant_lal_bytes;
    config.node = config.node.with_uncoalesced_bytes(settings.sextant_uncoalesced_log_bytes);
    config
}
