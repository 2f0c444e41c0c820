//! One copy of a group as openings and writers see it: no disk, no gossip, every message answered at once.

use super::*;

#[derive(Clone, Default)]
pub(crate) struct Model {
    pub(crate) incarnation: u128,
    pub(crate) volume: u128,
    pub(crate) epoch: VolumeEpoch,
    pub(crate) writer: u128,
    pub(crate) head: Option<Head>,
    pub(crate) records: BTreeMap<Lsn, Record>,
    pub(crate) vdl: Lsn,
    pub(crate) claim: Lsn,
    pub(crate) down: bool,
    /// It still holds log from the beginning.
    pub(crate) hoards: bool,
    /// Its folder; zero is the one all six were founded in.
    pub(crate) node: u128,
}

impl Model {
    pub(crate) fn scl(&self) -> Lsn {
        let mut at = Lsn::ZERO;
        while let Some((lsn, _)) = self.records.iter().find(|(_, r)| r.prev_pg == at && r.lsn > at) {
            at = *lsn;
        }
        at
    }

    pub(crate) fn adopt(&mut self, head: &Head) {
        if self.head.as_ref().is_none_or(|held| head.version > held.version) {
            self.records.retain(|_, r| !head.truncations.kills(r));
            self.head = Some(head.clone());
        }
    }

    pub(crate) fn state(&self, request: u64) -> Message {
        SegmentState {
            request,
            votes: true,
            volume: VolumeId(self.volume),
            node: self.folder(),
            incarnation: Incarnation(self.incarnation),
            role: SegmentRole::Full,
            epoch: self.epoch,
            writer: WriterId(self.writer),
            head: self.head.clone(),
            scl: self.scl(),
            claim: self.claim.max(self.scl()),
            doubtful: false,
            floor: Lsn::ZERO,
            page_point: Lsn::ZERO,
            vdl: self.vdl,
            highest: self.scl(),
            oldest: if self.hoards {
                Lsn(1)
            } else {
                self.records.keys().next().copied().unwrap_or(Lsn::MAX)
            },
        }
        .into()
    }

    pub(crate) fn folder(&self) -> NodeId {
        NodeId(if self.node == 0 { 7 } else { self.node })
    }

    pub(crate) fn refused(&self, reason: RefusedReason) -> Message {
        let incarnation = Incarnation(self.incarnation);
        Refused { epoch: self.epoch, incarnation, reason, head: self.head.clone() }.into()
    }

    pub(crate) fn acked(&self, sequence: u64) -> Message {
        Acked {
            epoch: self.epoch,
            incarnation: Incarnation(self.incarnation),
            sequence,
            sent_us: 0,
            scl: self.scl(),
            head_version: self.head.as_ref().map(|h| h.version).unwrap_or_default(),
            page_point: Lsn::ZERO,
            full: false,
            promised_ms: 0,
        }
        .into()
    }

    pub(crate) fn take(&mut self, epoch: VolumeEpoch, writer: WriterId, frames: &bytes::Bytes) {
        (self.epoch, self.writer) = (epoch, writer.0);
        for record in Record::decode_all(frames).expect("whole frames") {
            if self.head.as_ref().is_none_or(|h| !h.truncations.kills(&record)) {
                self.records.insert(record.lsn, record);
            }
        }
    }

    pub(crate) fn answer(&mut self, message: Message) -> Option<Message> {
        Some(match message {
            Message::Query(query) => self.state(query.request),
            Message::Create(create) => {
                (self.incarnation, self.volume) = (create.incarnation.0, create.volume.0);
                self.head = create.head;
                Created { node: self.folder(), incarnation: create.incarnation }.into()
            }
            Message::Fence(_) if self.incarnation == 0 => self.state(0),
            Message::Fence(fence) => {
                if fence.epoch < self.epoch || (fence.epoch == self.epoch && fence.writer.0 != self.writer) {
                    return Some(self.refused(RefusedReason::StaleEpoch));
                }
                (self.epoch, self.writer) = (fence.epoch, fence.writer.0);
                self.state(0)
            }
            Message::FetchLog(fetch) => {
                let scl = self.scl();
                let mut frames = Vec::new();
                for (_, r) in self.records.iter().filter(|(l, _)| **l > fetch.after && **l <= scl) {
                    frames.extend_from_slice(r.frame());
                }
                let head_version = self.head.as_ref().map(|h| h.version).unwrap_or_default();
                let (request, after) = (fetch.request, fetch.after);
                LogSlice { request, head_version, after, end: true, floor: Lsn::ZERO, frames: frames.into() }
                    .into()
            }
            Message::Install(install) => {
                if install.incarnation.0 != self.incarnation {
                    return Some(self.refused(RefusedReason::OtherIncarnation));
                }
                self.adopt(&install.head);
                self.take(install.epoch, install.writer, &install.frames);
                self.acked(install.sequence)
            }
            Message::Append(append) => {
                if append.incarnation.0 != self.incarnation {
                    return Some(self.refused(RefusedReason::OtherIncarnation));
                }
                if append.epoch < self.epoch {
                    return Some(self.refused(RefusedReason::StaleEpoch));
                }
                append.head.iter().for_each(|head| self.adopt(head));
                self.take(append.epoch, append.writer, &append.frames);
                self.vdl = self.vdl.max(append.vdl);
                self.acked(append.sequence)
            }
            Message::Retire(retire) => {
                if retire.incarnation.0 == self.incarnation {
                    assert!(!retire.head.names(PgId(0), retire.incarnation), "a member is buried");
                    (self.incarnation, self.records) = (0, BTreeMap::new());
                    self.adopt(&retire.head);
                }
                Retired { node: self.folder(), incarnation: retire.incarnation }.into()
            }
            _ => return None,
        })
    }
}
