//! The birth of a volume: six empty segments of group 0, all durable, under head (0, 0).
//!
//! Only for six new folders; nothing that was ever opened may be created again. All six must answer, because a volume
//! that starts with less than six copies has no business starting. The first opening then finds VDL 0.
//!
//! The lives of the founders follow from the volume's random id, so a creation that died half-way is finished by the next one:
//! a segment created twice as the same life is created once.

use crate::nonce::Nonces;
use crate::{Actions, Event};
use protocol::geometry::{COPIES, az_of, founding_role};
use protocol::head::{Head, HeadVersion, Member, PgMembers, TruncationList};
use protocol::message::{Create, Envelope, Message, Peer};
use protocol::{NodeId, PgId, SegmentId, VolumeEpoch, VolumeId, WriterId};

/// What is to be born.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewVolume {
    /// Its name.
    pub volume: VolumeId,
    /// Pages in one protection group.
    pub pages_per_pg: u64,
    /// Lease time in milliseconds (R8).
    pub lease_ms: u64,
    /// The nodes by position.
    pub nodes: [NodeId; COPIES],
    /// Names this attempt in envelopes.
    pub writer: WriterId,
    /// An unanswered request is sent again after this long, microseconds.
    pub ask_us: u64,
}

/// See the module.
#[derive(Debug)]
pub struct Creator {
    writer: WriterId,
    head: Head,
    created: [bool; COPIES],
    asked_us: Option<u64>,
    ask_us: u64,
}

impl Creator {
    /// Nothing is sent before the first step.
    #[must_use]
    pub fn new(new: NewVolume) -> Creator {
        let mut nonces = Nonces::new(new.volume.0);
        let members = (0..COPIES as u8)
            .map(|position| Member {
                incarnation: nonces.incarnation(),
                node: new.nodes[usize::from(position)],
                az: az_of(position),
                address: String::new(),
                role: founding_role(position),
            })
            .collect();
        let version = HeadVersion::default();
        let head = Head {
            volume: new.volume,
            version,
            pages_per_pg: new.pages_per_pg,
            lease_ms: new.lease_ms,
            truncations: TruncationList { entries: Vec::new() },
            groups: vec![PgMembers { pg: PgId(0), version, members, joint: None }],
            former: Vec::new(),
        };
        Creator { writer: new.writer, head, created: [false; COPIES], asked_us: None, ask_us: new.ask_us }
    }

    /// Tells what happened; `Some` once all six segments are durable.
    pub fn step(&mut self, now_us: u64, event: Event, actions: &mut Actions) -> Option<Head> {
        if let Event::Message(Envelope {
            from: Peer::Segment(id), message: Message::Created(created), ..
        }) = event
        {
            let position = usize::from(id.position);
            if id.pg == PgId(0) && self.head.groups[0].members[position].incarnation == created.incarnation {
                self.created[position] = true;
            }
        }
        if self.created.iter().all(|c| *c) {
            return Some(self.head.clone());
        }
        if self.asked_us.is_none_or(|at| now_us >= at + self.ask_us) {
            self.asked_us = Some(now_us);
            for position in (0..COPIES).filter(|p| !self.created[*p]) {
                let member = &self.head.groups[0].members[position];
                let create = Create {
                    epoch: VolumeEpoch::NONE,
                    writer: self.writer,
                    volume: self.head.volume,
                    node: member.node,
                    incarnation: member.incarnation,
                    role: member.role,
                    head: Some(self.head.clone()),
                };
                let to = Peer::Segment(SegmentId { pg: PgId(0), position: position as u8 });
                actions.sends.push(Envelope { from: Peer::Compute(self.writer), to, message: create.into() });
            }
        }
        None
    }

    /// Positions that have not answered yet.
    #[must_use]
    pub fn waiting(&self) -> Vec<u8> {
        (0..COPIES as u8).filter(|p| !self.created[usize::from(*p)]).collect()
    }
}
