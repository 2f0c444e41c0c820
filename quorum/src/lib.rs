//! The writer's log and the volume's quorum arithmetic, sans-io.
//!
//! Three state machines, each driven by `step(now_us, Event, &mut Actions)` and owning no clock, thread, socket or
//! randomness, so that the director runs them in virtual time exactly as the driver runs them for real:
//!
//! ```text
//!  Creator ----> six empty segments of PG 0 and head (0,0)
//!  Recoverer --> asks, fences, collects, chooses VDL, repairs (R1-R9) --> WriterLog
//!  WriterLog --> LSNs under LAL, batches, acks -> SCL -> PGCL -> VCL -> VDL, growth (R10), newcomers (R12)
//!
//!      SCL of six segments        PGCL           VCL               VDL
//!   pg0  90 90 90 70 70 40   -->   70  \
//!                                       >--> first gap at 71 --> highest CPL <= VCL
//!   pg1  85 85 85 85 12 12   -->   85  /
//! ```
//!
//! Invariants asserted here (names as in docs/design):
//! 1. I25: no LSN above max(VDL, ceiling of the epoch) + LAL is given out.
//! 2. I3, I5: VDL and VCL never fall, VDL <= VCL, VDL is a CPL.
//! 3. A copy counts only in the life (incarnation) the head names and only under a head of this epoch.
//! 4. R10: no record of a group leaves before the head that lists it is at quorum in group 0.
//! 5. Everything kept is bounded: unsent and unacknowledged log by LAL, what is kept for laggards by a setting.

mod create;
mod nonce;
pub mod sets;
mod settings;

pub mod recovery;
pub mod writer;

pub use create::{Creator, NewVolume};
pub use nonce::Nonces;
pub use recovery::{Missing, Outcome, RecoverSettings, Recoverer, Why};
pub use settings::Settings;
pub use writer::{GroupView, Order, SegmentView, VolumeView, WriterLog};

use protocol::contract::LogError;
use protocol::message::Envelope;
use protocol::{Lsn, NodeId, PgId, SegmentId};

/// What a core is told.
#[expect(clippy::large_enum_variant, reason = "moved once per message; a box would cost an allocation")]
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// Time has passed.
    Tick,
    /// A segment said something.
    Message(Envelope),
    /// An operator wants something of the running writer; nobody else is asked anything.
    Order(Order),
}

/// What a core wants done, in order; the caller drains and reuses it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Actions {
    /// To be sent; each may be lost.
    pub sends: Vec<Envelope>,
    /// Worth knowing above.
    pub notices: Vec<Notice>,
}

/// Something the layers above wait for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Notice {
    /// VDL rose to this.
    Vdl(Lsn),
    /// Records of this group may be written now (R10).
    GroupOpened(PgId),
    /// A copy was lost for good; a newcomer is taking its place (R12).
    Replacing(SegmentId),
    /// The newcomer has everything and is a member.
    Replaced(SegmentId),
    /// What a member left behind holds its tombstone: as far as this copy goes, its old node may go.
    Retired(SegmentId, NodeId),
    /// Three of group 0 have confirmed this writer's grant after every read up to this ticket arrived.
    Confirmed(u64),
    /// Nothing will be written any more.
    Ended(LogError),
}
