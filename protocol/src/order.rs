//! What operators ask of the running writer, and what it answers (R12).
//!
//! Any storage node relays an order to the writer whose log stream is live there; where the writer has the volume in its own folders it is asked
//! in its own process. Orders say what shall be, so repeating one does no harm; a move has ended when [`Report::left`] is zero.

use crate::geometry::{Incarnation, NodeId, SegmentId};
use crate::head::Head;
use crate::lsn::{Lsn, VolumeEpoch};
use crate::wire::Wire;
use crate::{wire_enum, wire_struct};

/// Version byte of a sealed order or report.
pub const ORDER_VERSION: u8 = 1;

wire_struct! {
    /// Asks for the report, changing nothing.
    pub struct Look {}
}

wire_struct! {
    /// The volume shall have at least so many protection groups.
    pub struct Grow {
        /// In all.
        pub groups: u32,
    }
}

wire_struct! {
    /// A storage daemon.
    pub struct Place {
        /// The availability zone it stands in, 1 to 3.
        pub az: u8,
        /// `host:port`, as all nodes of the volume reach it.
        pub address: String,
    }
}

wire_struct! {
    /// One copy of one group shall live on that daemon, which is blank or a node of this volume.
    pub struct Replace {
        /// Which copy.
        pub segment: SegmentId,
        /// Where to.
        pub to: Place,
    }
}

wire_struct! {
    /// Every copy of one position of all groups shall live on each of these daemons: as many positions move as places are named.
    pub struct Move {
        /// Blank daemons, or nodes of this volume. Two of one zone take its positions in this order; one of a zone takes the position whose
        /// node cannot be reached, else the first.
        pub to: Vec<Place>,
    }
}

wire_struct! {
    /// The operator's word that the folder of this node no longer exists: nothing of it will come back, so nothing of it needs a tombstone.
    pub struct Forget {
        /// The folder.
        pub node: NodeId,
    }
}

wire_enum! {
    /// What an operator asks.
    pub enum Order {
        /// Only to be told.
        1 => Look(Look),
        /// More groups.
        2 => Grow(Grow),
        /// One copy elsewhere.
        3 => Replace(Replace),
        /// Nodes elsewhere.
        4 => Move(Move),
        /// A node that is no more.
        5 => Forget(Forget),
    }
}

wire_struct! {
    /// One copy as the writer sees it.
    pub struct CopyLine {
        /// Which.
        pub segment: SegmentId,
        /// The life that is sent log.
        pub incarnation: Incarnation,
        /// False while it is a newcomer, or going back.
        pub member: bool,
        /// It answers as another life and waits to be replaced.
        pub lost: bool,
        /// Highest SCL acknowledged.
        pub scl: Lsn,
        /// Smoothed answer time, microseconds.
        pub latency_us: u64,
    }
}

wire_struct! {
    /// The writer's answer.
    pub struct Report {
        /// Why the order was not taken; empty when it was.
        pub problem: String,
        /// The writer's epoch.
        pub epoch: VolumeEpoch,
        /// Durable and whole up to here.
        pub vdl: Lsn,
        /// The volume map as it is being sent.
        pub head: Option<Head>,
        /// Every copy.
        pub copies: Vec<CopyLine>,
        /// Copies that do not live where an operator wants them, and lives that wait for their tombstone.
        pub left: u32,
    }
}

impl Report {
    /// A refusal that says nothing else.
    #[must_use]
    pub fn refused(problem: impl Into<String>) -> Report {
        let (epoch, vdl) = (VolumeEpoch::NONE, Lsn::ZERO);
        Report { problem: problem.into(), epoch, vdl, head: None, copies: Vec::new(), left: 0 }
    }
}

wire_struct! {
    /// Storage node -> compute: an order it was handed for the writer.
    pub struct Ask {
        /// Chosen by the node, echoed.
        pub request: u64,
        /// The order.
        pub order: Order,
    }
}

wire_struct! {
    /// Compute -> storage node.
    pub struct Told {
        /// Echo.
        pub request: u64,
        /// The answer.
        pub report: Report,
    }
}

/// Seals an order or a report for a control call.
#[must_use]
pub fn seal<T: Wire>(value: &T) -> Vec<u8> {
    crate::wire::seal(ORDER_VERSION, value)
}

/// The inverse of [`seal`].
///
/// # Errors
/// [`WireError`](crate::wire::WireError).
pub fn unseal<T: Wire>(bytes: &[u8]) -> Result<T, crate::wire::WireError> {
    crate::wire::unseal(ORDER_VERSION, &bytes::Bytes::copy_from_slice(bytes))
}
