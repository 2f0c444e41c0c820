//! The six tell one another how far they are, fill one another's gaps, and pass the newest head on.
//!
//! ```text
//!   each interval: Gossip(scl, claim, vdl, page point, floor, head version) to the five others
//!   behind a peer, and standing still for a while: the same, with wants_log, to one of them ──► LogSlice(after my scl ...)
//! ```
//!
//! Invariants
//! 1. R3: a record dead by the list held is neither sent (it left the chain) nor accepted; a slice from a newer head waits for that head.
//! 2. One slice per segment is asked for at a time; an unanswered one is asked of the next peer.
//! 3. What a peer says counts only under an incarnation the head names.
//! 4. A VDL told under a newer head than the one held is not taken: by that head's list, records held here at or below it may be dead.

use crate::event::Action;
use crate::node::Node;
use crate::segment::PeerView;
use protocol::geometry::{COPIES, SegmentId};
use protocol::lsn::Lsn;
use protocol::message::{FetchLog, Gossip, LogSlice, Peer};

impl Node {
    /// One round: tell everybody, ask where behind.
    pub(crate) fn gossip_round(&mut self, out: &mut Vec<Action>) {
        let ids: Vec<SegmentId> = self.segments.keys().copied().collect();
        for id in ids {
            let ask = self.whom_to_ask(id);
            for position in (0..COPIES as u8).filter(|p| *p != id.position) {
                let wants = ask == Some(position);
                self.gossip_to(id, position, wants, out);
            }
        }
    }

    /// The peer to ask for log, if this segment stands still behind one and no answer is awaited. What the writer has sent is on
    /// its way to everybody: only a gap that has lasted is worth a message.
    fn whom_to_ask(&mut self, id: SegmentId) -> Option<u8> {
        let (now, timeout) = (self.now_us, self.config.settings.peer_timeout_us);
        let age = self.config.settings.gap_age_us;
        let head = self.head.as_ref();
        let segment = self.segments.get_mut(&id)?;
        if segment.pages.as_ref().is_some_and(|p| p.copying()) {
            return None;
        }
        let listed = |i: &protocol::Incarnation| {
            head.and_then(|h| h.group(id.pg)).is_some_and(|g| g.members.iter().any(|m| m.incarnation == *i))
        };
        let scl = segment.chain.scl();
        let ahead: Vec<u8> =
            segment.peers.iter().filter(|(i, p)| listed(i) && p.scl > scl).map(|(_, p)| p.position).collect();
        let highest =
            segment.peers.iter().filter(|(i, _)| listed(i)).map(|(_, p)| p.scl).max().unwrap_or(Lsn::ZERO);
        let since = match segment.behind {
            Some((at, since)) if at == scl && highest > scl => since,
            _ => {
                segment.behind = (highest > scl).then_some((scl, now));
                now
            }
        };
        let awaited = segment.asked_us.is_some_and(|at| now < at + timeout);
        if ahead.is_empty() || now < since + age || awaited {
            return None;
        }
        segment.asked = segment.asked.wrapping_add(1);
        segment.asked_us = Some(now);
        Some(ahead[usize::from(segment.asked) % ahead.len()])
    }

    /// A slice said there was more and what it brought is stored: ask on without waiting for the next round.
    pub(crate) fn ask_for_more(&mut self, out: &mut Vec<Action>) {
        let now = self.now_us;
        let mut asks = Vec::new();
        for segment in self.segments.values_mut().filter(|s| s.staged == 0) {
            if let Some(position) = segment.more_from.take() {
                segment.asked_us = Some(now);
                asks.push((segment.id, position));
            }
        }
        for (id, position) in asks {
            self.gossip_to(id, position, true, out);
        }
    }

    pub(crate) fn gossip_to(&mut self, id: SegmentId, position: u8, wants_log: bool, out: &mut Vec<Action>) {
        let Some(segment) = self.segments.get(&id) else { return };
        let to = SegmentId { pg: id.pg, position };
        let is_behind = |p: &PeerView| p.position == position && p.head_version < self.head_version();
        let behind = segment.peers.values().any(is_behind);
        let gossip = Gossip {
            incarnation: segment.incarnation,
            head_version: self.head_version(),
            head: if behind { self.head.clone() } else { None },
            // A newcomer stands for nothing, but asks from where it really is.
            scl: if wants_log { segment.chain.scl() } else { segment.scl() },
            claim: segment.claim(),
            vdl: self.vdl,
            page_point: segment.page_point(),
            floor: segment.chain.base(),
            wants_log,
        };
        self.send(id, Peer::Segment(to), gossip, out);
    }

    pub(crate) fn on_gossip(&mut self, id: SegmentId, from: Peer, m: Gossip, out: &mut Vec<Action>) {
        let Peer::Segment(peer) = from else { return };
        if peer.pg != id.pg || peer.position == id.position || !self.segments.contains_key(&id) {
            return;
        }
        if let Some(head) = &m.head {
            self.adopt_head(head);
        }
        // Invariant 4.
        if m.head_version <= self.head_version() {
            self.vdl = self.vdl.max(m.vdl);
        }
        let ours = self.head_version();
        let now = self.now_us;
        let Some(segment) = self.segments.get_mut(&id) else { return };
        let view = PeerView {
            position: peer.position,
            scl: m.scl,
            floor: m.floor,
            page_point: m.page_point,
            head_version: m.head_version,
            at_us: now,
        };
        segment
            .peers
            .retain(|i, p| p.position != peer.position || *i == m.incarnation || p.at_us + 60_000_000 > now);
        segment.peers.insert(m.incarnation, view);
        if m.head_version != ours {
            // Either side has something to tell the other; ours goes along when the peer is behind. A head that came and was
            // not taken is not answered, or two nodes would talk for ever.
            if m.head.is_none() {
                self.gossip_to(id, peer.position, false, out);
            }
            return;
        }
        self.meet_floor(id, m.floor);
        if m.wants_log {
            self.answer_with_log(id, from, 0, m.scl, Lsn::MAX, self.config.settings.slice_bytes, out);
        }
    }

    pub(crate) fn on_fetch_log(&mut self, id: SegmentId, from: Peer, m: FetchLog, out: &mut Vec<Action>) {
        let max = self.config.settings.slice_bytes.max(1 << 20).min(m.max_bytes as usize);
        self.answer_with_log(id, from, m.request, m.after, m.through, max, out);
    }

    #[allow(clippy::too_many_arguments)]
    fn answer_with_log(
        &mut self,
        id: SegmentId,
        to: Peer,
        request: u64,
        after: Lsn,
        through: Lsn,
        max_bytes: usize,
        out: &mut Vec<Action>,
    ) {
        let head_version = self.head_version();
        let Some(segment) = self.segments.get(&id) else { return };
        let (base, from) = (segment.chain.base(), segment.chain.from());
        if after < from && base < from {
            return self.answer_from_disk(id, to, request, (after.max(base), through), out);
        }
        let (frames, end) = segment.chain.slice(after, through, max_bytes);
        let floor = segment.chain.base();
        self.send(id, to, LogSlice { request, head_version, after, end, floor, frames }, out);
    }
}
