//! What compute nodes and segments say to one another.
//!
//! Version 3: folders are named in `Create` (R10, R12), votes before an election, promises and their release (R7, R8), tombstones (R12).
//!
//! Every message is addressed to, or comes from, one segment (an [`Envelope`]); several envelopes may share a frame on the
//! network. Messages are idempotent: lost, repeated, reordered and late ones do no harm.
//!
//! ```text
//!  compute                                segment                         segment
//!    | Fence(e, w) -----------------------> |                                |
//!    | <------- Fenced(scl, claim, head)    |                                |
//!    | FetchLog ---------> LogSlice         |  Gossip(scl, head) ----------> |
//!    | Install(head, log) --> Acked         |  <---------- LogSlice / Gossip |
//!    | Append(records, vdl) --> Acked(scl, promise)                          |
//!    | ReadPage(page, at) --> PageRead      |  CopyPages ---------> PageBatch|
//! ```

use crate::geometry::{Incarnation, NodeId, PgId, SegmentId, SegmentRole, VolumeId, WriterId};
use crate::head::{Head, HeadVersion};
use crate::lsn::{Lsn, VolumeEpoch};
use crate::order::{Ask, Told};
use crate::page::PageId;
use crate::wire::{self, WireError};
use crate::{wire_enum, wire_struct};
use bytes::Bytes;

/// Version byte of an encoded envelope.
pub const MESSAGE_VERSION: u8 = 3;

wire_struct! {
    /// Redo of the running writer, or a heartbeat when `frames` is empty.
    pub struct Append {
        /// The writer's epoch; a node that granted a later one refuses.
        pub epoch: VolumeEpoch,
        /// The writer's nonce.
        pub writer: WriterId,
        /// The incarnation the writer's head names; another one at this address counts in no quorum.
        pub incarnation: Incarnation,
        /// Number of this transmission to this segment, rising; echoed in the reply.
        pub sequence: u64,
        /// The writer's clock at this transmission, microseconds; echoed (R8).
        pub sent_us: u64,
        /// Version of the head the writer runs under.
        pub head_version: HeadVersion,
        /// The head itself, when the segment is not known to have it.
        pub head: Option<Head>,
        /// The writer's VDL: pages may be stored from records up to it (R11).
        pub vdl: Lsn,
        /// This group's lowest read point in use anywhere: older page versions may go.
        pub pgmrpl: Lsn,
        /// Record frames back to back, in LSN order, all of this group.
        pub frames: Bytes,
    }
}

wire_struct! {
    /// Answer to [`Append`] and [`Install`]: everything up to `scl` is durable here.
    pub struct Acked {
        /// The epoch the segment holds durably.
        pub epoch: VolumeEpoch,
        /// The life that speaks.
        pub incarnation: Incarnation,
        /// Echo of the transmission.
        pub sequence: u64,
        /// Echo of the writer's clock.
        pub sent_us: u64,
        /// End of the durable gap-free chain.
        pub scl: Lsn,
        /// Version of the head held durably.
        pub head_version: HeadVersion,
        /// Through which LSN this segment holds durable, checked pages (zero for a tail segment).
        pub page_point: Lsn,
        /// True while the node refuses work it cannot store (disk nearly full): records were not taken.
        pub full: bool,
        /// R8: for so many milliseconds from now on this segment of group 0 grants nobody else; 0 promises nothing.
        pub promised_ms: u64,
    }
}

wire_struct! {
    /// The request is of a stale epoch, or of somebody else's incarnation or volume.
    pub struct Refused {
        /// What the segment holds: a writer that sees a higher epoch is finished.
        pub epoch: VolumeEpoch,
        /// The life that speaks.
        pub incarnation: Incarnation,
        /// Why.
        pub reason: RefusedReason,
        /// The newest head it knows (R12: a candidate with older membership starts again with it).
        pub head: Option<Head>,
    }
}

/// Why a segment refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum RefusedReason {
    /// It granted a later epoch, or this one to another writer.
    StaleEpoch = 1,
    /// The request names another incarnation than lives here.
    OtherIncarnation = 2,
    /// Its membership is newer than the candidate's.
    StaleMembership = 3,
    /// A live promise to another writer stands (R7, R8).
    Promised = 4,
    /// Its device has failed.
    Failed = 5,
}

impl wire::Wire for RefusedReason {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(*self as u8);
    }
    fn get(input: &mut wire::Input) -> Result<Self, WireError> {
        Ok(match <u8 as wire::Wire>::get(input)? {
            1 => RefusedReason::StaleEpoch,
            2 => RefusedReason::OtherIncarnation,
            3 => RefusedReason::StaleMembership,
            4 => RefusedReason::Promised,
            5 => RefusedReason::Failed,
            value => return Err(WireError::Unknown { what: "refusal", value: u64::from(value) }),
        })
    }
}

wire_struct! {
    /// Asks what a segment is, changing nothing: before an opening, and for `sextant.segments`.
    pub struct Query {
        /// Chosen by the asker, echoed.
        pub request: u64,
        /// The nonce of an attempt to open: it asks for a vote before it stands (R7). `None` only asks.
        pub candidate: Option<WriterId>,
    }
}

wire_struct! {
    /// Grant and fence in one (R6, R7): from now on nothing older is acknowledged.
    pub struct Fence {
        /// The epoch asked for.
        pub epoch: VolumeEpoch,
        /// The candidate's nonce of this attempt.
        pub writer: WriterId,
        /// Membership the candidate knows.
        pub membership: HeadVersion,
    }
}

wire_struct! {
    /// A segment's state, taken after the grant's sync (R6) when it answers a [`Fence`].
    pub struct SegmentState {
        /// Echo of a [`Query`]'s number; zero for a fence.
        pub request: u64,
        /// R7: it would grant a later epoch to the candidate that asked: no promise to another one stands, and no restart silence.
        pub votes: bool,
        /// The volume it belongs to.
        pub volume: VolumeId,
        /// The node (folder) that holds it.
        pub node: NodeId,
        /// The life that speaks; zero when this node has no such segment.
        pub incarnation: Incarnation,
        /// What it stores.
        pub role: SegmentRole,
        /// The highest epoch granted, durably.
        pub epoch: VolumeEpoch,
        /// Whom that epoch was granted to.
        pub writer: WriterId,
        /// The newest head held durably, if any.
        pub head: Option<Head>,
        /// End of the durable gap-free chain.
        pub scl: Lsn,
        /// R5: what it once acknowledged; above `scl` when rot ate the log.
        pub claim: Lsn,
        /// R5: its log ended in a bad block beyond the claim: it may lack records it had, and is not counted with three.
        pub doubtful: bool,
        /// The log at or below this LSN was dropped; pages hold it.
        pub floor: Lsn,
        /// Through which LSN it holds durable, checked pages.
        pub page_point: Lsn,
        /// The highest VDL a writer told it, durably.
        pub vdl: Lsn,
        /// The highest LSN of any record held, gaps or not.
        pub highest: Lsn,
        /// The lowest LSN of any record held, dead ones included; `Lsn::MAX` when none is held (R2: when a list entry may go).
        pub oldest: Lsn,
    }
}

wire_struct! {
    /// Asks for log in (after, through], oldest first along the group's chain.
    pub struct FetchLog {
        /// Chosen by the asker, echoed.
        pub request: u64,
        /// Exclusive lower bound.
        pub after: Lsn,
        /// Inclusive upper bound.
        pub through: Lsn,
        /// At most so many bytes of frames, but at least one record.
        pub max_bytes: u32,
    }
}

wire_struct! {
    /// Log in chain order. Receivers check every frame and drop dead records (R3).
    pub struct LogSlice {
        /// Echo of the request; zero when sent unasked by gossip.
        pub request: u64,
        /// Version of the sender's head, so that a receiver with an older one asks for it first.
        pub head_version: HeadVersion,
        /// Exclusive lower bound of what follows.
        pub after: Lsn,
        /// True when the sender holds nothing more at or below the bound asked for.
        pub end: bool,
        /// The sender's floor: log at or below it is gone, fetch pages instead.
        pub floor: Lsn,
        /// Record frames back to back.
        pub frames: Bytes,
    }
}

wire_struct! {
    /// A recoverer's repair (R2, R4): adopt this head, then store this log.
    pub struct Install {
        /// The recoverer's epoch.
        pub epoch: VolumeEpoch,
        /// Its nonce.
        pub writer: WriterId,
        /// The life it means.
        pub incarnation: Incarnation,
        /// Number of this transmission, echoed.
        pub sequence: u64,
        /// The head with the new truncation entry.
        pub head: Head,
        /// Log the segment lacks, in chain order; may be empty.
        pub frames: Bytes,
    }
}

wire_struct! {
    /// Makes a segment durable before any head lists it (R10), or a newcomer before it copies (R12).
    pub struct Create {
        /// The creator's epoch; zero at the creation of a volume.
        pub epoch: VolumeEpoch,
        /// Its nonce.
        pub writer: WriterId,
        /// The volume.
        pub volume: VolumeId,
        /// The folder the life is to begin in, and in no other: a wiped one has another identity, so a late message cannot begin
        /// a life anew that has acknowledged something already.
        pub node: NodeId,
        /// The life to begin.
        pub incarnation: Incarnation,
        /// What it will store.
        pub role: SegmentRole,
        /// The head known at creation.
        pub head: Option<Head>,
    }
}

wire_struct! {
    /// The segment exists durably.
    pub struct Created {
        /// The node (folder) that holds it.
        pub node: NodeId,
        /// The life that began.
        pub incarnation: Incarnation,
    }
}

wire_struct! {
    /// R8(h): this writer answers nobody any more, so what was promised to it is void; it is never promised anything again.
    pub struct Release {
        /// The epoch it held.
        pub epoch: VolumeEpoch,
        /// Its nonce.
        pub writer: WriterId,
    }
}

wire_struct! {
    /// R12: this life is no member any more. The node keeps the head that says so, durably, and lets the life's files go.
    pub struct Retire {
        /// The writer's epoch.
        pub epoch: VolumeEpoch,
        /// Its nonce.
        pub writer: WriterId,
        /// The folder that held the life; another one at its address does not answer.
        pub node: NodeId,
        /// The life.
        pub incarnation: Incarnation,
        /// A head at quorum that does not name it.
        pub head: Head,
    }
}

wire_struct! {
    /// The tombstone is durable: this life will never answer again.
    pub struct Retired {
        /// The folder.
        pub node: NodeId,
        /// The life.
        pub incarnation: Incarnation,
    }
}

wire_struct! {
    /// Asks for one page as of the group's read point.
    pub struct ReadPage {
        /// Chosen by the reader, echoed.
        pub request: u64,
        /// Epoch the reader lives under.
        pub epoch: VolumeEpoch,
        /// The page.
        pub page: PageId,
        /// The *group's* read point (system.md): the group's last record at or below the volume's read point.
        pub at: Lsn,
    }
}

wire_struct! {
    /// A sealed page image with page LSN <= the read point and nothing missing.
    pub struct PageRead {
        /// Echo of the request.
        pub request: u64,
        /// The page.
        pub page: PageId,
        /// `PAGE_BYTES` bytes, sealed.
        pub image: Bytes,
    }
}

wire_struct! {
    /// This segment cannot serve the page; ask another.
    pub struct PageRefused {
        /// Echo of the request.
        pub request: u64,
        /// The page.
        pub page: PageId,
        /// Why.
        pub reason: PageRefusal,
        /// The segment's SCL.
        pub scl: Lsn,
    }
}

/// Why a page is not served here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum PageRefusal {
    /// SCL is below the read point.
    Behind = 1,
    /// A tail segment stores no pages.
    Tail = 2,
    /// The version asked for was dropped (read point below PGMRPL).
    Forgotten = 3,
    /// The stored image or its log is damaged; it is being healed.
    Rot = 4,
    /// Still copying: a newcomer.
    Newcomer = 5,
}

impl wire::Wire for PageRefusal {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(*self as u8);
    }
    fn get(input: &mut wire::Input) -> Result<Self, WireError> {
        Ok(match <u8 as wire::Wire>::get(input)? {
            1 => PageRefusal::Behind,
            2 => PageRefusal::Tail,
            3 => PageRefusal::Forgotten,
            4 => PageRefusal::Rot,
            5 => PageRefusal::Newcomer,
            value => return Err(WireError::Unknown { what: "page refusal", value: u64::from(value) }),
        })
    }
}

wire_struct! {
    /// What a segment tells its peers of one group, periodically.
    pub struct Gossip {
        /// The life that speaks.
        pub incarnation: Incarnation,
        /// Version of its head.
        pub head_version: HeadVersion,
        /// The head, when the receiver is known or suspected to be behind.
        pub head: Option<Head>,
        /// End of its durable gap-free chain.
        pub scl: Lsn,
        /// Its claim (R5).
        pub claim: Lsn,
        /// The highest VDL it was told.
        pub vdl: Lsn,
        /// Durable, checked pages through here; `None` for a tail segment.
        pub page_point: Option<Lsn>,
        /// Log at or below it is gone here.
        pub floor: Lsn,
        /// True: answer with log I lack. False: only informing.
        pub wants_log: bool,
    }
}

wire_struct! {
    /// A newcomer or a healing full segment asks a full peer for page images (R12).
    pub struct CopyPages {
        /// Chosen by the asker, echoed.
        pub request: u64,
        /// Pages above this id, in order of id; `None` starts from the first. Ignored when `only` is set.
        pub after: Option<PageId>,
        /// Exactly this page (healing).
        pub only: Option<PageId>,
        /// Stop after so many images.
        pub max_pages: u32,
    }
}

wire_struct! {
    /// Sealed images, each complete through its own page LSN; the newcomer's log covers the rest.
    pub struct PageBatch {
        /// Echo of the request.
        pub request: u64,
        /// Every page of the batch is complete through this LSN of the group.
        pub point: Lsn,
        /// Images of `PAGE_BYTES` each, back to back, in order of page id.
        pub images: Bytes,
        /// True when there is no page above the last one.
        pub end: bool,
    }
}

wire_enum! {
    /// Anything a segment sends or receives.
    pub enum Message {
        /// Compute -> segment: redo or heartbeat.
        1 => Append(Append),
        /// Segment -> compute.
        2 => Acked(Acked),
        /// Segment -> compute.
        3 => Refused(Refused),
        /// Compute -> segment.
        4 => Fence(Fence),
        /// Anyone -> segment.
        5 => Query(Query),
        /// Segment -> asker.
        6 => State(SegmentState),
        /// Anyone -> segment.
        7 => FetchLog(FetchLog),
        /// Segment -> asker.
        8 => LogSlice(LogSlice),
        /// Compute -> segment.
        9 => Install(Install),
        /// Compute -> segment.
        10 => Create(Create),
        /// Segment -> compute.
        11 => Created(Created),
        /// Compute -> segment.
        12 => ReadPage(ReadPage),
        /// Segment -> compute.
        13 => PageRead(PageRead),
        /// Segment -> compute.
        14 => PageRefused(PageRefused),
        /// Segment -> segment.
        15 => Gossip(Gossip),
        /// Segment -> segment.
        16 => CopyPages(CopyPages),
        /// Segment -> segment.
        17 => PageBatch(PageBatch),
        /// Compute -> segment.
        18 => Release(Release),
        /// Compute -> a node that was left.
        19 => Retire(Retire),
        /// A node that was left -> compute.
        20 => Retired(Retired),
        /// A storage node -> compute: an operator's order.
        21 => Ask(Ask),
        /// Compute -> the node that asked.
        22 => Told(Told),
    }
}

/// One end of a conversation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Peer {
    /// A compute node, by the nonce of its attempt or (a reader) of its process.
    Compute(WriterId),
    /// A segment.
    Segment(SegmentId),
}

impl wire::Wire for Peer {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Peer::Compute(id) => {
                out.push(1);
                id.put(out);
            }
            Peer::Segment(id) => {
                out.push(2);
                id.put(out);
            }
        }
    }
    fn get(input: &mut wire::Input) -> Result<Self, WireError> {
        match <u8 as wire::Wire>::get(input)? {
            1 => Ok(Peer::Compute(wire::Wire::get(input)?)),
            2 => Ok(Peer::Segment(wire::Wire::get(input)?)),
            value => Err(WireError::Unknown { what: "peer", value: u64::from(value) }),
        }
    }
}

wire_struct! {
    /// A message with both its ends.
    pub struct Envelope {
        /// Who sent it.
        pub from: Peer,
        /// Who is meant.
        pub to: Peer,
        /// What is said.
        pub message: Message,
    }
}

impl Envelope {
    /// Version byte, length, body, CRC-32C.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        wire::seal(MESSAGE_VERSION, self)
    }

    /// The inverse of [`encode`](Self::encode).
    ///
    /// # Errors
    /// [`WireError`].
    pub fn decode(bytes: &Bytes) -> Result<Envelope, WireError> {
        wire::unseal(MESSAGE_VERSION, bytes)
    }
}

/// The one node a message is for, whatever the volume map says of the copy it is addressed to: a folder named by its identity.
#[must_use]
pub fn node_of(message: &Message) -> Option<NodeId> {
    match message {
        Message::Create(m) => Some(m.node),
        Message::Retire(m) => Some(m.node),
        _ => None,
    }
}

/// The group a segment-addressed message concerns.
#[must_use]
pub fn group_of(peer: &Peer) -> Option<PgId> {
    match peer {
        Peer::Segment(id) => Some(id.pg),
        Peer::Compute(_) => None,
    }
}
