//! The maps as a whole: every extent belongs to somebody known, or to nobody.

use crate::check::Finding;
use crate::error::TreeError;
use crate::space::{OwnerId, Space};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Checks all free-space maps: extents of owners that are not in `known` (ids of all trees; the system's are known) are
/// orphans, and each system owner's list holds exactly its extents. Nobody may take or free extents meanwhile.
///
/// # Errors
/// Those of the pool.
pub async fn check_volume(space: &Arc<Space>, known: &BTreeSet<u64>) -> Result<Vec<Finding>, TreeError> {
    let mut findings = Vec::new();
    let mut counts: BTreeMap<u64, usize> = BTreeMap::new();
    for region in 0..space.regions_on_volume()? {
        let (page, entries) = space.region_entries(region).await?;
        let Some(entries) = entries else {
            findings.push(Finding { page, what: format!("not the map of region {region}") });
            continue;
        };
        for (extent, entry) in entries {
            match entry.owner {
                0 if entry.used != 0 || entry.next != 0 => {
                    findings.push(Finding { page, what: format!("free extent {extent} with pages in use") });
                }
                0 => {}
                owner => {
                    *counts.entry(owner).or_default() += 1;
                    if !OwnerId(owner).is_system() && !known.contains(&owner) {
                        findings.push(Finding {
                            page,
                            what: format!("extent {extent} of unknown owner {owner}"),
                        });
                    }
                }
            }
        }
    }
    for owner in (1..=OwnerId::SYSTEM).map(OwnerId) {
        let listed = match space.system_extents(owner).await {
            Ok(extents) => extents.len(),
            Err(TreeError::Corrupt { page, what }) => {
                findings.push(Finding { page, what: format!("{what} (owner {})", owner.0) });
                continue;
            }
            Err(error) => return Err(error),
        };
        let owned = counts.get(&owner.0).copied().unwrap_or(0);
        if listed != owned {
            let page = space.volume_page().page_id();
            findings
                .push(Finding { page, what: format!("owner {} lists {listed} of {owned} extents", owner.0) });
        }
    }
    Ok(findings)
}
