//! Pages as the history makes them (I13).

use protocol::page::{self, PageBuf};
use protocol::{Lsn, PageId, Record, redo};
use std::collections::BTreeMap;

#[derive(Debug)]
struct Page {
    base: PageBuf,
    after: Vec<Record>,
}

/// Replays the history, page by page, to any LSN not forgotten.
#[derive(Debug, Default)]
pub struct PageModel {
    pages: BTreeMap<PageId, Page>,
}

impl PageModel {
    /// A record became part of the history.
    pub fn add(&mut self, record: &Record) {
        let blank = || Page { base: PageBuf::blank(record.page), after: Vec::new() };
        self.pages.entry(record.page).or_insert_with(blank).after.push(record.clone());
    }

    /// The page's last LSN at or below `at`.
    #[must_use]
    pub fn lsn(&self, page: PageId) -> Lsn {
        self.pages
            .get(&page)
            .map_or(Lsn::ZERO, |p| p.after.last().map_or_else(|| page::lsn(p.base.bytes()), |r| r.lsn))
    }

    /// Pages that ever had a record, in order.
    #[must_use]
    pub fn ids(&self) -> Vec<PageId> {
        self.pages.keys().copied().collect()
    }

    /// The sealed image as of `at`.
    ///
    /// # Errors
    /// When the history itself does not apply: a back-link is wrong.
    pub fn image(&self, id: PageId, at: Lsn) -> Result<PageBuf, String> {
        let mut image = PageBuf::blank(id);
        if let Some(page) = self.pages.get(&id) {
            image = page.base.clone();
            for record in page.after.iter().filter(|r| r.lsn <= at) {
                redo::apply(image.bytes_mut(), record).map_err(|e| format!("history of {id}: {e}"))?;
            }
        }
        page::seal(image.bytes_mut());
        Ok(image)
    }

    /// Nobody asks below `at` any more: keeps memory and replay short.
    ///
    /// # Errors
    /// As [`image`](Self::image).
    pub fn forget_below(&mut self, at: Lsn) -> Result<(), String> {
        for (id, page) in &mut self.pages {
            let old = page.after.partition_point(|r| r.lsn <= at);
            if old < 32 {
                continue;
            }
            for record in page.after.drain(..old) {
                redo::apply(page.base.bytes_mut(), &record).map_err(|e| format!("history of {id}: {e}"))?;
            }
        }
        Ok(())
    }
}
