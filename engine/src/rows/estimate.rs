//! Estimates for the planner.

use crate::dictionary::TableDef;
use crate::engine::Engine;
use crate::error::Result;
use crate::lock::KeyBytes;
use crate::rows::KeyRange;
use crate::rows::scan::successor;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl Engine {
    /// About how many rows a table has: estimated from its tree when its definition was loaded, counted since. Rolled-back changes count.
    #[must_use]
    pub fn row_estimate(&self, table: &TableDef) -> u64 {
        table.runtime.shared.rows.load(Ordering::Relaxed).max(0) as u64
    }

    /// About how many entries a range of an index has: two descents, exact within one leaf. Entries of deleted rows count until purged.
    ///
    /// # Errors
    /// Those of the volume.
    pub async fn estimate_range(
        &self,
        table: &Arc<TableDef>,
        index_no: usize,
        range: &KeyRange,
    ) -> Result<u64> {
        let as_bound = |bound: &Bound<Vec<u8>>| bound.as_ref().map(|key| KeyBytes::from_slice(key));
        let lower = match &range.lower {
            Bound::Excluded(key) => successor(key).map_or(as_bound(&range.lower), Bound::Included),
            other => as_bound(other),
        };
        let upper = match &range.upper {
            Bound::Included(key) => successor(key).map_or(Bound::Unbounded, Bound::Excluded),
            other => as_bound(other),
        };
        let (lower, upper) = (lower.as_ref().map(|k| k.as_slice()), upper.as_ref().map(|k| k.as_slice()));
        Ok(table.runtime.trees[index_no].estimate_range(lower, upper).await?.entries)
    }
}
