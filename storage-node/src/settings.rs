//! Bounds and intervals of a node, each with its unit in its name.

use crate::store::{SET_BYTES, VERSION_BYTES};

/// A version in a snapshot, decoded and encoded.
const SNAPSHOT_BYTES: u64 = 64;

/// Every bound of a node. The defaults are the product's; tests and the director use small ones.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Bytes of one log file; a multiple of 4096, and room for the longest record and the longest block.
    pub log_file_bytes: u64,
    /// Longest log block (one write, one sync); more records wait for the next block.
    pub log_block_bytes: usize,
    /// Bytes of records a full segment holds that are not in pages yet; beyond it appends are answered `full` and peers' log is
    /// not taken. Well above the allocation limit (LAL, 10 MB): what lies above VDL cannot be coalesced.
    pub uncoalesced_bytes: u64,
    /// Bytes of memory behind the log of all segments, queue and index included; beyond it as above.
    pub log_memory_bytes: u64,
    /// Bytes of memory a segment may keep for records it does not need itself, so that lagging peers need no disk read; what is
    /// beyond lies on disk only.
    pub spill_bytes: usize,
    /// Log in bytes of log files beyond which appends are answered `full`.
    pub log_max_bytes: u64,
    /// Bytes of records waiting for the log write in flight, all segments; more are dropped and come again.
    pub ingest_bytes: usize,
    /// Bytes of records a segment holds beyond a gap; more are dropped and come again.
    pub gap_bytes: usize,
    /// A coalescing round starts when so many bytes of records wait in a segment ...
    pub coalesce_bytes: usize,
    /// ... or when the node's log has grown by so many bytes since the segment's last round ...
    pub coalesce_log_bytes: u64,
    /// ... or when one page's chain of unapplied records is so long ...
    pub coalesce_chain: usize,
    /// ... or when the oldest has waited so long.
    pub coalesce_interval_us: u64,
    /// Pages in one coalescing round at most.
    pub coalesce_pages: usize,
    /// Page-store operations of one coalescing round in flight at once.
    pub coalesce_depth: usize,
    /// Read every page image back from the device before it counts as durable (lost and misdirected writes).
    pub verify_writes: bool,
    /// Page reads in flight for readers at once; more wait, up to [`read_queue`](Self::read_queue).
    pub reads: usize,
    /// Page reads waiting; more are dropped (the reader hedges).
    pub read_queue: usize,
    /// Between two rounds of gossip.
    pub gossip_interval_us: u64,
    /// A chain that stands still behind a peer for so long has a gap, and asks; more than the writer takes to send again.
    pub gap_age_us: u64,
    /// Bytes of frames in one log slice.
    pub slice_bytes: usize,
    /// Pages in one batch for a newcomer.
    pub copy_pages: u32,
    /// An answer from a peer that takes longer is asked for again, elsewhere.
    pub peer_timeout_us: u64,
    /// The log falls idle after so long without a write: its claims go to the superblock.
    pub idle_us: u64,
    /// Between two scrubbed page versions of one segment.
    pub scrub_interval_us: u64,
    /// Between two scrubbed log files of a node; each is read whole.
    pub log_scrub_interval_us: u64,
    /// Pages looked at by one collection of old versions ...
    pub gc_pages: usize,
    /// ... which comes at most so often, per segment.
    pub gc_interval_us: u64,
    /// Per mille of the device kept free for collection and repair.
    pub reserve_per_mille: u64,
    /// R7, R8: segments of group 0 promise the writer that they grant nobody else for T, and keep silent for T after a start. False
    /// only where the locks of all node folders already exclude a second writer: the embedded cluster.
    pub promises: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            log_file_bytes: 4 << 20,
            log_block_bytes: 1 << 20,
            uncoalesced_bytes: 32 << 20,
            log_memory_bytes: 64 << 20,
            spill_bytes: 4 << 20,
            log_max_bytes: 1 << 30,
            ingest_bytes: 8 << 20,
            gap_bytes: 12 << 20,
            coalesce_bytes: 8 << 20,
            coalesce_log_bytes: 12 << 20,
            coalesce_chain: 4096,
            coalesce_interval_us: 5_000_000,
            coalesce_pages: 4096,
            coalesce_depth: 16,
            verify_writes: true,
            reads: 64,
            read_queue: 4096,
            gossip_interval_us: 100_000,
            gap_age_us: 250_000,
            slice_bytes: 256 << 10,
            copy_pages: 16,
            peer_timeout_us: 500_000,
            idle_us: 1_000_000,
            scrub_interval_us: 50_000,
            log_scrub_interval_us: 30_000_000,
            gc_pages: 1024,
            gc_interval_us: 500_000,
            reserve_per_mille: 50,
            promises: true,
        }
    }
}

impl Settings {
    /// Small bounds for tests and the director: many log files, rounds and collections in few events.
    #[must_use]
    pub fn small() -> Settings {
        Settings {
            log_file_bytes: 512 << 10,
            log_block_bytes: 16 << 10,
            uncoalesced_bytes: 2 << 20,
            log_memory_bytes: 6 << 20,
            spill_bytes: 4 << 10,
            log_max_bytes: 16 << 20,
            ingest_bytes: 1 << 20,
            gap_bytes: 1 << 20,
            coalesce_bytes: 16 << 10,
            coalesce_log_bytes: 256 << 10,
            coalesce_chain: 64,
            coalesce_interval_us: 200_000,
            coalesce_pages: 16,
            coalesce_depth: 4,
            reads: 4,
            read_queue: 64,
            gossip_interval_us: 50_000,
            gap_age_us: 50_000,
            slice_bytes: 16 << 10,
            copy_pages: 4,
            peer_timeout_us: 200_000,
            idle_us: 100_000,
            scrub_interval_us: 100_000,
            log_scrub_interval_us: 300_000,
            gc_pages: 16,
            gc_interval_us: 50_000,
            ..Settings::default()
        }
    }
}

impl Settings {
    /// These settings with another bound on log that is not in pages yet; the bound on memory goes with it.
    #[must_use]
    pub fn with_uncoalesced_bytes(self, bytes: u64) -> Settings {
        Settings { uncoalesced_bytes: bytes, log_memory_bytes: self.log_memory_bytes.max(2 * bytes), ..self }
    }

    /// Bytes of memory a node holds at most, beside its index of stored pages ([`index_bytes`](Self::index_bytes), which grows with the
    /// volume): records with what each costs beside its frame, its queue, and buffers of operations in flight.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        let images = (self.coalesce_depth * 16 + self.reads) as u64 * protocol::page::PAGE_BYTES as u64;
        let log_files = 3 * self.log_file_bytes + self.log_block_bytes as u64;
        self.log_memory_bytes + self.ingest_bytes as u64 + images + log_files
    }

    /// Bytes of memory that the index of so many stored page versions in so many slots takes at most: the index itself, and a snapshot of
    /// it while its journal is written anew. (While a folder is opened its journals are read, about 300 bytes a version; log and
    /// buffers hold nothing then.)
    #[must_use]
    pub fn index_bytes(versions: u64, slots: u64) -> u64 {
        versions * (VERSION_BYTES + SNAPSHOT_BYTES) + slots.max(versions) * SET_BYTES
    }

    /// What the node relies on.
    ///
    /// # Panics
    /// When a bound cannot work.
    pub fn check(&self) {
        let longest = (self.log_block_bytes.max(protocol::record::MAX_RECORD_BYTES) + (64 << 10)) as u64;
        assert!(self.log_file_bytes >= longest, "log_file_bytes {} is below {longest}", self.log_file_bytes);
        assert!(
            self.log_file_bytes.is_multiple_of(crate::SECTOR_BYTES as u64),
            "log_file_bytes is no multiple of 4096"
        );
        assert!(
            self.coalesce_pages > 0 && self.coalesce_depth > 0 && self.reads > 0,
            "a bound of zero stops the node"
        );
    }
}
