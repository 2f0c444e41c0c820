//! Free extents: found by reading maps as they are needed, never all at opening.

use crate::error::TreeError;
use crate::modify::Decision;
use crate::space::Space;
use crate::space::map::{self, MapView, region_map};
use crate::space::volume;
use buffer_pool::MtrKind;
use protocol::Lsn;
use std::sync::Arc;

/// Redo of making a region.
const REGION_LOG: usize = 1024;

impl Space {
    /// Takes a free extent out of what is known, reading or making maps until one is.
    pub(crate) async fn free_extent(self: &Arc<Self>) -> Result<u64, TreeError> {
        loop {
            let floor = self.pool.read_floor();
            let (regions, scanned) = {
                let mut state = self.state.lock();
                let found = state.free.iter().find(|(_, lsn)| **lsn <= floor).map(|(extent, _)| *extent);
                if let Some(extent) = found {
                    state.free.remove(&extent);
                    return Ok(extent);
                }
                (state.regions, state.scanned)
            };
            if scanned < regions {
                self.scan(scanned).await?;
            } else {
                self.add_region(regions).await?;
            }
        }
    }

    async fn scan(&self, region: u64) -> Result<(), TreeError> {
        let map = self.pool.pin(region_map(region)).await?;
        let free: Option<Vec<u64>> = map.read(|bytes| {
            let view = MapView(bytes);
            let free =
                || view.entries(region).filter(|(_, entry)| entry.owner == 0).map(|(extent, _)| extent);
            view.is_map_of(region).then(|| free().collect())
        })?;
        let free =
            free.ok_or(TreeError::Corrupt { page: map.page_id(), what: "not the map of its region" })?;
        let mut state = self.state.lock();
        state.scanned = state.scanned.max(region + 1);
        for extent in free {
            if !state.planned.contains(&extent) {
                state.free.entry(extent).or_insert(Lsn::ZERO);
            }
        }
        Ok(())
    }

    async fn add_region(self: &Arc<Self>, region: u64) -> Result<(), TreeError> {
        let page = region_map(region);
        self.pool.log().ensure_pages(page).await?;
        let map = self.pool.pin_new(page).await?;
        let credit = self.pool.reserve(REGION_LOG).await?;
        self.run(MtrKind::Space, credit, &[&self.volume, &map], &mut |mtr| {
            let (volume, no) = (mtr.page_no(&self.volume), mtr.page_no(&map));
            volume::set_regions(mtr, volume, region + 1);
            map::format(mtr, no, region);
            Decision::Done(())
        })?;
        let mut state = self.state.lock();
        state.regions = region + 1;
        Ok(())
    }
}
