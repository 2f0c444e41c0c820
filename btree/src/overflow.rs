//! Overflow chains: values too long for a leaf, in many mini-transactions, never lost by a crash.
//!
//! The writer's first mini-transaction makes an empty first page and, with the caller's closure, logs who owns the chain.
//! Every later one adds pages behind the last. So at every CPL the first page leads to all of them.
//! Format: docs/formats/overflow.md, encoded here and nowhere else.

use crate::error::TreeError;
use crate::modify::{Changed, Decision};
use crate::space::{OwnerId, ReservedPage, Space};
use crate::tree::Tree;
use buffer_pool::{BufferPool, Mtr, MtrKind, PageNo, PinnedPage};
use protocol::redo::Op;
use protocol::{Lsn, PAGE_BYTES, PageId, PageKind};
use std::sync::Arc;

const OVERFLOW_VERSION: u8 = 1;
const VERSION: usize = 32;
const LEN: usize = 36;
const OWNER: usize = 40;
const NEXT: usize = 48;
const FIRST: usize = 56;
const DATA: usize = 64;
/// Bytes of data on one page.
pub const PAGE_DATA: usize = PAGE_BYTES - DATA;
/// Pages added in one mini-transaction.
const ADD: usize = 4;
/// Redo of one page's part at most.
const PAGE_LOG: usize = PAGE_BYTES + 256;
/// Pages freed in one mini-transaction.
const FREE: usize = 16;

/// What a row keeps of a long value: 16 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct OverflowRef {
    /// The chain's first page.
    pub first: PageId,
    /// Length of the value in bytes.
    pub len: u64,
}

impl OverflowRef {
    /// First page, then length, little-endian.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.first.0.to_le_bytes());
        bytes[8..].copy_from_slice(&self.len.to_le_bytes());
        bytes
    }

    /// The inverse of [`to_bytes`](Self::to_bytes).
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> OverflowRef {
        let number = u128::from_le_bytes(bytes);
        OverflowRef { first: PageId(number as u64), len: (number >> 64) as u64 }
    }
}

#[derive(Clone, Copy, Debug)]
struct Head {
    len: usize,
    owner: OwnerId,
    next: PageId,
    first: PageId,
}

/// The header of a page, if it is an overflow page this build knows.
fn head(bytes: &[u8; PAGE_BYTES]) -> Option<Head> {
    let u64_at = |at: usize| {
        let mut b = [0; 8];
        b.copy_from_slice(&bytes[at..at + 8]);
        u64::from_le_bytes(b)
    };
    let known = protocol::page::kind(bytes) == Some(PageKind::Overflow) && bytes[VERSION] == OVERFLOW_VERSION;
    let len = u32::from_le_bytes([bytes[LEN], bytes[LEN + 1], bytes[LEN + 2], bytes[LEN + 3]]) as usize;
    (known && len <= PAGE_DATA).then(|| Head {
        len,
        owner: OwnerId(u64_at(OWNER)),
        next: PageId(u64_at(NEXT)),
        first: PageId(u64_at(FIRST)),
    })
}

fn corrupt(page: PageId) -> TreeError {
    TreeError::Corrupt { page, what: "not a page of this overflow chain" }
}

/// Writes the header and data of a page just initialised.
fn fill(mtr: &mut Mtr<'_>, page: PageNo, head: Head, data: &[u8]) {
    let mut bytes = Vec::with_capacity(DATA - VERSION + data.len());
    bytes.extend_from_slice(&[OVERFLOW_VERSION, 0, 0, 0]);
    bytes.extend_from_slice(&(head.len as u32).to_le_bytes());
    for number in [head.owner.0, head.next.0, head.first.0] {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    bytes.extend_from_slice(data);
    mtr.run(page, Op::Write { offset: VERSION as u16, bytes: &bytes });
}

fn set_next(mtr: &mut Mtr<'_>, page: PageNo, next: PageId) {
    mtr.run(page, Op::Write { offset: NEXT as u16, bytes: &next.0.to_le_bytes() });
}

/// A chain being written. Dropping it leaves the chain as far as it is: its owner, logged with the first page, frees it.
pub struct OverflowWriter {
    space: Arc<Space>,
    owner: OwnerId,
    first: PageId,
    last: PinnedPage,
    buffer: Vec<u8>,
    len: u64,
    /// LSN of the newest mini-transaction.
    lsn: Lsn,
}

impl OverflowWriter {
    /// Makes the first page. `own` runs in the same mini-transaction with the `extra` pages latched: there the caller logs
    /// that it owns the chain that begins with the page given. `log_bytes` is the redo of that.
    ///
    /// # Errors
    /// Those of the pool.
    pub async fn start(
        tree: &Tree,
        extra: &[&PinnedPage],
        log_bytes: usize,
        mut own: impl FnMut(&mut Mtr<'_>, PageId),
    ) -> Result<OverflowWriter, TreeError> {
        let space = tree.space();
        let reserved = space.reserve_page(tree.owner()).await?;
        let credit = space.pool().reserve(1024 + log_bytes).await?;
        let pins: Vec<&PinnedPage> = extra.iter().copied().chain(reserved.pins()).collect();
        let first = reserved.page_id();
        let owner = tree.owner();
        let changed = space.run(MtrKind::Overflow, credit, &pins, &mut |mtr| {
            let page = reserved.claim(mtr, PageKind::Overflow);
            fill(mtr, page, Head { len: 0, owner, next: PageId(0), first }, &[]);
            own(mtr, first);
            Decision::Done(())
        })?;
        let last = reserved.pins()[0].clone();
        Ok(OverflowWriter {
            space: Arc::clone(space),
            owner,
            first,
            last,
            buffer: Vec::new(),
            len: 0,
            lsn: changed.lsn,
        })
    }

    /// The chain's first page.
    #[must_use]
    pub fn first(&self) -> PageId {
        self.first
    }

    /// Adds bytes at the end.
    ///
    /// # Errors
    /// Those of the pool.
    pub async fn append(&mut self, mut bytes: &[u8]) -> Result<(), TreeError> {
        self.len += bytes.len() as u64;
        while !bytes.is_empty() {
            let room = ADD * PAGE_DATA - self.buffer.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.buffer.extend_from_slice(now);
            bytes = later;
            if self.buffer.len() == ADD * PAGE_DATA {
                self.flush().await?;
            }
        }
        Ok(())
    }

    /// Writes what is left; the reference may be stored from here on.
    ///
    /// # Errors
    /// Those of the pool.
    pub async fn finish(mut self) -> Result<Changed<OverflowRef>, TreeError> {
        if !self.buffer.is_empty() {
            self.flush().await?;
        }
        Ok(Changed { value: OverflowRef { first: self.first, len: self.len }, lsn: self.lsn })
    }

    async fn flush(&mut self) -> Result<(), TreeError> {
        let count = self.buffer.len().div_ceil(PAGE_DATA);
        let mut new: Vec<ReservedPage> = Vec::with_capacity(count);
        for _ in 0..count {
            new.push(self.space.reserve_page(self.owner).await?);
        }
        let credit = self.space.pool().reserve(count * PAGE_LOG + 1024).await?;
        let mut pins: Vec<&PinnedPage> = new.iter().flat_map(ReservedPage::pins).collect();
        pins.push(&self.last);
        let (owner, first, buffer, last) = (self.owner, self.first, &self.buffer, &self.last);
        let changed = self.space.run(MtrKind::Overflow, credit, &pins, &mut |mtr| {
            let before = mtr.page_no(last);
            set_next(mtr, before, new[0].page_id());
            for (at, data) in buffer.chunks(PAGE_DATA).enumerate() {
                let page = new[at].claim(mtr, PageKind::Overflow);
                let next = new.get(at + 1).map_or(PageId(0), ReservedPage::page_id);
                fill(mtr, page, Head { len: data.len(), owner, next, first }, data);
            }
            Decision::Done(())
        })?;
        if let Some(page) = new.last() {
            self.last = page.pins()[0].clone();
        }
        self.lsn = changed.lsn;
        self.buffer.clear();
        Ok(())
    }
}

/// Appends the value to `out`.
///
/// # Errors
/// Those of the pool, and [`TreeError::Corrupt`] when the chain is not whole.
pub async fn read(pool: &Arc<BufferPool>, value: OverflowRef, out: &mut Vec<u8>) -> Result<(), TreeError> {
    let mut at = value.first;
    let mut left = value.len;
    loop {
        let page = pool.pin(at).await?;
        let (next, done) = page
            .read(|bytes| {
                let head = head(bytes).filter(|h| h.first == value.first && h.len as u64 <= left)?;
                out.extend_from_slice(&bytes[DATA..DATA + head.len]);
                Some((head.next, head.len as u64))
            })?
            .ok_or_else(|| corrupt(at))?;
        left -= done;
        match (left, next) {
            (0, _) => return Ok(()),
            (_, PageId(0)) => return Err(corrupt(at)),
            // Only the first page may be empty, so a chain cannot run in a circle.
            _ if done == 0 && at != value.first => return Err(corrupt(at)),
            _ => at = next,
        }
    }
}

/// The pages of a chain in order, as far as it was written.
///
/// # Errors
/// Those of the pool, and [`TreeError::Corrupt`].
pub async fn pages(pool: &Arc<BufferPool>, first: PageId) -> Result<Vec<PageId>, TreeError> {
    let mut pages = Vec::new();
    let mut at = first;
    while at != PageId(0) {
        let page = pool.pin(at).await?;
        let head = page.read(head)?.filter(|h| h.first == first).ok_or_else(|| corrupt(at))?;
        if head.len == 0 && !pages.is_empty() {
            return Err(corrupt(at));
        }
        pages.push(at);
        at = head.next;
    }
    Ok(pages)
}

/// Frees the chain that begins with `first`, whole or half-written, from its tail. `forget` runs in the last mini-transaction,
/// which frees the first page: there the caller logs that it owns the chain no more. After a crash before that, call it again.
///
/// # Errors
/// Those of the pool, and [`TreeError::Corrupt`].
pub async fn free(
    space: &Arc<Space>,
    first: PageId,
    extra: &[&PinnedPage],
    log_bytes: usize,
    mut forget: impl FnMut(&mut Mtr<'_>),
) -> Result<Lsn, TreeError> {
    trim(space, first).await?;
    let map = space.map_of(first).await?;
    let credit = space.pool().reserve(RELEASE_LOG + log_bytes).await?;
    let pins: Vec<&PinnedPage> = extra.iter().copied().chain([&map]).collect();
    let changed = space.run(MtrKind::Overflow, credit, &pins, &mut |mtr| {
        space.release(mtr, first);
        forget(mtr);
        Decision::Done(())
    })?;
    Ok(changed.lsn)
}

/// Redo of releasing one page in a mini-transaction of the caller's.
pub const RELEASE_LOG: usize = 1024;

/// Frees all but the first page of a chain. The first one is for the caller to release, in the mini-transaction that forgets the chain;
/// after a crash before that, call it again.
///
/// # Errors
/// Those of the pool, and [`TreeError::Corrupt`].
pub async fn trim(space: &Arc<Space>, first: PageId) -> Result<(), TreeError> {
    let mut pages = pages(space.pool(), first).await?;
    while pages.len() > 1 {
        let keep = pages.len().saturating_sub(FREE).max(1);
        let gone = pages.split_off(keep);
        let last = space.pool().pin(pages[keep - 1]).await?;
        let maps = maps_of(space, &gone).await?;
        let credit = space.pool().reserve(4096).await?;
        let pins: Vec<&PinnedPage> = maps.iter().chain([&last]).collect();
        space.run(MtrKind::Overflow, credit, &pins, &mut |mtr| {
            let no = mtr.page_no(&last);
            set_next(mtr, no, PageId(0));
            gone.iter().for_each(|page| space.release(mtr, *page));
            Decision::Done(())
        })?;
    }
    Ok(())
}

/// The map pages of some pages, each once.
///
/// # Errors
/// Those of the pool.
pub async fn maps_of(space: &Arc<Space>, pages: &[PageId]) -> Result<Vec<PinnedPage>, TreeError> {
    let mut maps: Vec<PinnedPage> = Vec::new();
    for page in pages {
        let map = space.map_of(*page).await?;
        if maps.iter().all(|known| known.page_id() != map.page_id()) {
            maps.push(map);
        }
    }
    Ok(maps)
}
