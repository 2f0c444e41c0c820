//! What the process may hold in memory, part by part, and what it holds: printed at start and in SHOW STATUS.
//!
//! | part | bound |
//! |---|---|
//! | buffer pool | innodb_buffer_pool_size |
//! | six storage nodes | each: records not yet in pages, the queue of arriving ones, buffers in flight |
//! | their page index | each of the three full ones: 192 bytes a stored page version; grows with the volume: 36 MiB a GiB in all |
//! | queries | sextant_total_query_memory_bytes |
//! | sessions | max_connections x 32 KiB |
//! | everything else | 64 MiB: code, thread stacks, the allocator's slack |

use crate::config::Settings;
use std::fmt;

/// Room of a waiting session, buffers included.
const SESSION_BYTES: u64 = 32 << 10;
/// Everything that has no bound of its own.
const REST_BYTES: u64 = 64 << 20;
/// Storage nodes of the embedded cluster.
const NODES: u64 = 6;

/// The bounds in force, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds {
    /// Pages of the first tier.
    pub pool: u64,
    /// All six storage nodes.
    pub nodes: u64,
    /// The six indexes of stored pages, at the volume's size now.
    pub index: u64,
    /// All statements.
    pub queries: u64,
    /// All waiting sessions.
    pub sessions: u64,
}

impl Bounds {
    /// The bounds of these settings.
    pub fn new(settings: &Settings, node: &storage_node::Settings) -> Bounds {
        Bounds {
            pool: settings.innodb_buffer_pool_size,
            nodes: NODES * node.memory_bytes(),
            index: 0,
            queries: settings.sextant_total_query_memory_bytes,
            sessions: settings.max_connections * SESSION_BYTES,
        }
    }

    /// The same with what the nodes say of their indexes: a counter of the volume, [`volume::INDEX_BOUND`].
    pub fn with_index(self, counters: &[(&'static str, u64)]) -> Bounds {
        let said = counters.iter().find(|(name, _)| *name == volume::INDEX_BOUND);
        Bounds { index: said.map_or(0, |(_, bytes)| *bytes), ..self }
    }

    /// All of them and the rest.
    pub fn total(&self) -> u64 {
        self.pool + self.nodes + self.index + self.queries + self.sessions + REST_BYTES
    }

    /// Names and values for SHOW STATUS.
    pub fn status(&self) -> Vec<(String, u64)> {
        let list = [
            ("Sextant_memory_bound_bytes", self.total()),
            ("Sextant_memory_bound_pool_bytes", self.pool),
            ("Sextant_memory_bound_nodes_bytes", self.nodes),
            ("Sextant_memory_bound_index_bytes", self.index),
            ("Sextant_memory_bound_queries_bytes", self.queries),
            ("Sextant_memory_bound_sessions_bytes", self.sessions),
            ("Sextant_memory_resident_bytes", resident_bytes().unwrap_or(0)),
        ];
        list.into_iter().map(|(name, n)| (name.to_string(), n)).collect()
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: u64| bytes.div_ceil(1 << 20);
        write!(
            f,
            "at most {} MiB: pages {}, storage nodes {}, their page index {} (grows with the volume), queries {}, sessions {}, the rest {}",
            mib(self.total()),
            mib(self.pool),
            mib(self.nodes),
            mib(self.index),
            mib(self.queries),
            mib(self.sessions),
            mib(REST_BYTES)
        )
    }
}

/// Resident memory of this process, as the kernel counts it.
fn resident_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_make_the_whole() {
        let bounds = Bounds { pool: 128 << 20, nodes: 600 << 20, index: 0, queries: 256 << 20, sessions: 1 };
        assert_eq!(bounds.total(), ((128 + 600 + 256 + 64) << 20) + 1);
        let bounds = bounds.with_index(&[("vdl", 5), (volume::INDEX_BOUND, 9 << 20)]);
        assert_eq!(bounds.total(), ((128 + 600 + 9 + 256 + 64) << 20) + 1);
        let line = "at most 1058 MiB: pages 128, storage nodes 600, their page index 9 (grows with the volume), queries 256";
        assert!(bounds.to_string().starts_with(line), "{bounds}");
        assert!(resident_bytes().is_some_and(|bytes| bytes > 1 << 20));
        assert!(
            bounds
                .status()
                .iter()
                .any(|(name, n)| name == "Sextant_memory_bound_bytes" && *n == bounds.total())
        );
    }
}
