//! Tests of the pool against the in-memory volume.

mod eviction;
mod mtr;
mod threads;

use crate::testing::{Durability, MemoryVolume, block_on};
use crate::{BufferPool, MtrKind, PoolConfig};
use protocol::redo::Op;
use protocol::{Lsn, PageId, PageKind};
use std::sync::Arc;

/// Where the tests keep their number in a page.
const AT: u16 = 64;

fn pool(frames: usize, volume: &Arc<MemoryVolume>) -> Arc<BufferPool> {
    BufferPool::new(PoolConfig { frames }, volume.clone(), volume.clone(), None)
}

fn fresh(frames: usize, durability: Durability) -> (Arc<MemoryVolume>, Arc<BufferPool>) {
    let volume = MemoryVolume::new(durability);
    let pool = pool(frames, &volume);
    (volume, pool)
}

/// Makes `page` hold `value`.
fn create(pool: &Arc<BufferPool>, page: u64, value: u64) -> Lsn {
    block_on(async {
        let pin = pool.pin_new(PageId(page)).await.expect("pin");
        let credit = pool.reserve(1000).await.expect("credit");
        let mut mtr = pool.begin(MtrKind::Plain, credit);
        let no = mtr.latch(&pin).expect("latch");
        mtr.run(no, Op::Init { kind: PageKind::Undo });
        mtr.run(no, Op::Write { offset: AT, bytes: &value.to_le_bytes() });
        mtr.finish().expect("finish").lsn
    })
}

fn write(pool: &Arc<BufferPool>, page: u64, value: u64) -> Lsn {
    block_on(async {
        let pin = pool.pin(PageId(page)).await.expect("pin");
        let credit = pool.reserve(1000).await.expect("credit");
        let mut mtr = pool.begin(MtrKind::Plain, credit);
        let no = mtr.latch(&pin).expect("latch");
        mtr.run(no, Op::Write { offset: AT, bytes: &value.to_le_bytes() });
        mtr.finish().expect("finish").lsn
    })
}

fn read(pool: &Arc<BufferPool>, page: u64) -> u64 {
    block_on(async {
        let pin = pool.pin(PageId(page)).await.expect("pin");
        pin.read(value_of).expect("read")
    })
}

fn value_of(bytes: &[u8; protocol::PAGE_BYTES]) -> u64 {
    u64::from_le_bytes(bytes[64..72].try_into().expect("8 bytes"))
}
