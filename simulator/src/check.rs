//! The checkers: what every message, every VDL and every page must satisfy. Numbers are those of the invariants in the design.
//!
//! None of this asks a core whether it did well; it compares what left one core with what left the others, and with the oracle.
//! White-box facts come from acknowledgements that really left ([`Promise`](crate::host::Promise)) and from
//! [`Node::inspect`](storage_node::Node::inspect).

use crate::compute::Told;
use crate::director::{Director, Next};
use protocol::geometry::WRITE_QUORUM;
use protocol::head::HeadVersion;
use protocol::message::{Envelope, Install, Message, Peer, SegmentState};
use protocol::{Head, Lsn, PgId, Record, SegmentId, Truncation, VolumeEpoch};

impl Director {
    /// A message leaves a node.
    pub(crate) fn saw_from_node(&mut self, node: usize, envelope: &Envelope) {
        let Peer::Segment(id) = envelope.from else {
            return self.fail(format!("node {node} speaks as {:?}", envelope.from));
        };
        match &envelope.message {
            Message::Acked(acked) => {
                self.check_fence(node, id, envelope.to);
                if let (PgId(0), Peer::Compute(writer)) = (id.pg, envelope.to) {
                    self.saw_promise(node, writer, acked);
                }
                self.hosts[node].promised(id, acked);
            }
            Message::State(state) => self.saw_grant(node, id, state, envelope.to),
            Message::Gossip(gossip) => self.hosts[node].gossiped(id, gossip),
            Message::LogSlice(slice) => self.check_slice(node, id, &slice.frames),
            _ => {}
        }
    }

    /// I8: no writer of an epoch below the one granted is acknowledged.
    fn check_fence(&mut self, node: usize, id: SegmentId, to: Peer) {
        let Peer::Compute(writer) = to else { return };
        let Some(epoch) = self.epochs.get(&writer).copied() else { return };
        let granted = self.hosts[node].serving().and_then(|n| n.inspect(id)).map(|s| s.epoch);
        if let Some(granted) = granted.filter(|granted| *granted > epoch) {
            self.fail(format!("I8: node {node} {id} granted {granted:?} and acknowledges {epoch:?}"));
        }
    }

    /// I7: log that leaves a node is not dead under that node's own list.
    fn check_slice(&mut self, node: usize, id: SegmentId, frames: &bytes::Bytes) {
        let list = self.hosts[node]
            .serving()
            .and_then(|n| n.inspect(id))
            .and_then(|s| s.head)
            .map(|h| h.truncations);
        match (Record::decode_all(frames), list) {
            (Err(error), _) => self.fail(format!("node {node} sends garbage as log: {error}")),
            (Ok(records), Some(list)) => {
                if let Some(dead) = records.iter().find(|r| list.kills(r)) {
                    self.fail(format!("I7: node {node} sends dead {dead:?}"));
                }
            }
            (Ok(_), None) => {}
        }
    }

    /// A message reaches a compute process: remembers the highest head granted to it.
    pub(crate) fn saw_to_compute(&mut self, envelope: &Envelope) {
        let (Peer::Compute(writer), Message::State(state)) = (envelope.to, &envelope.message) else { return };
        if let (true, Peer::Segment(SegmentId { pg: PgId(0), position })) = (state.votes, envelope.from) {
            self.saw_vote(writer, position);
        }
        let Some(head) = state.head.as_ref().filter(|_| state.request == 0 && state.writer == writer) else {
            return;
        };
        if self.elections.installing(writer) {
            return;
        }
        if self.granted.get(&writer).is_none_or(|held| head.version > held.version) {
            self.granted.insert(writer, head.clone());
        }
    }

    /// R2, R9: the first head a candidate installs of its own epoch keeps every entry of the highest head granted to it, but for those
    /// wholly below its VDL, and those of which a later entry kills everything.
    fn check_list(&mut self, install: &Install) {
        if install.head.version.epoch != install.epoch {
            return;
        }
        // A grant that comes after this is too late to be adopted: the head of this epoch replaces whatever it holds.
        self.elections.installs(install.writer);
        let Some(newest) = self.granted.remove(&install.writer) else { return };
        let entries = &install.head.truncations.entries;
        let vdl = entries.last().map_or(Lsn::ZERO, |own| own.lo);
        let lost = newest.truncations.entries.iter().find(|t| {
            let kept = |e: &Truncation| e == *t || e.epoch > t.epoch && e.lo <= t.lo && e.hi >= t.hi;
            t.hi >= vdl && !entries.iter().any(kept)
        });
        if let Some(lost) = lost {
            let (epoch, version) = (install.epoch, newest.version);
            self.fail(format!(
                "R2: {epoch:?} was granted {version:?} and installs a list without {lost:?}: {entries:?}"
            ));
        }
    }

    /// A message leaves a compute process.
    pub(crate) fn saw_from_compute(&mut self, compute: usize, envelope: &Envelope) {
        self.check_membership(envelope);
        if let (Message::Fence(fence), Peer::Segment(SegmentId { pg: PgId(0), .. })) =
            (&envelope.message, envelope.to)
        {
            self.check_candidate(fence.writer);
        }
        let (head, epoch) = match &envelope.message {
            Message::Append(append) => (append.head.as_ref(), append.epoch),
            Message::Install(install) => (Some(&install.head), install.epoch),
            Message::Create(create) => (create.head.as_ref(), create.epoch),
            _ => return,
        };
        if let Some(head) = head {
            for group in &head.groups {
                let first = self.listed.entry(group.pg).or_insert(head.version);
                *first = (*first).min(head.version);
            }
        }
        if let Message::Install(install) = &envelope.message {
            self.check_winner(install);
            self.check_list(install);
        }
        let Some(frames) = Director::frames_of(&envelope.message) else { return };
        if let Err(why) = self.history.wrote(frames) {
            return self.fail(why);
        }
        let Peer::Segment(to) = envelope.to else { return };
        self.check_allocation(compute, epoch, frames);
        self.check_growth(to.pg, epoch);
    }

    /// R1 and I25: an epoch's records lie above its ceiling and below max(VDL, ceiling) + LAL.
    fn check_allocation(&mut self, compute: usize, epoch: VolumeEpoch, frames: &bytes::Bytes) {
        let (Some(ceiling), Some(log)) = (self.ceilings.get(&epoch), self.computes[compute].log()) else {
            return;
        };
        let limit = log.vdl().max(*ceiling).advance(self.plan.lal_bytes);
        let Ok(first) = Record::decode(frames) else { return };
        if first.lsn <= *ceiling || first.lsn > limit {
            let ceiling = *ceiling;
            self.fail(format!("R1/I25: {first:?} outside ({ceiling}, {limit}]"));
        }
    }

    /// R10: log of a group leaves only after four members of group 0 said that they hold a head that lists it.
    fn check_growth(&mut self, pg: PgId, epoch: VolumeEpoch) {
        let Some(version) = self.listed.get(&pg).copied() else {
            return self.fail(format!("R10: log of {pg} leaves, and no head lists it"));
        };
        if version.epoch == epoch && pg != PgId(0) && self.holders(PgId(0), version, None) < WRITE_QUORUM {
            self.fail(format!("R10: log of {pg} leaves before its head {version:?} is at quorum"));
        }
    }

    /// Positions of a group of which some life acknowledged the head (or a later one), and the SCL if asked.
    pub(crate) fn holders(&self, pg: PgId, head: HeadVersion, scl: Option<Lsn>) -> usize {
        (0..6)
            .filter(|position| {
                let id = SegmentId { pg, position: *position };
                self.hosts[self.node_of(id)].promises.iter().any(|((of, _), promise)| {
                    *of == id && promise.head >= head && scl.is_none_or(|scl| promise.scl >= scl)
                })
            })
            .count()
    }

    /// A compute process tells something.
    pub(crate) fn told(&mut self, compute: usize, fact: Told) {
        match fact {
            Told::Created => self.created = true,
            Told::Opened { epoch, vdl, head } => self.check_opening(compute, epoch, vdl, &head),
            Told::Vdl(epoch, vdl) => self.check_vdl(epoch, vdl),
            Told::Committed(lsn) => {
                self.history.acked += 1;
                self.acked = self.acked.max(lsn);
                if self.history.at(lsn).is_none() {
                    self.fail(format!("I1: commit {lsn} answered, and it is not in the history"));
                }
            }
            Told::Halted(_) if self.plan.beyond.is_some() => self.report.halts += 1,
            Told::Halted(why) => self.fail(format!("I9: halted within the promised faults: {why}")),
            Told::Read(page, at, image) => {
                self.report.reads += 1;
                match self.model.image(page, at) {
                    Err(why) => self.fail(why),
                    Ok(expected) if expected.bytes()[..] == image[..] => {}
                    Ok(expected) => {
                        let found = protocol::PageBuf::from_slice(&image);
                        self.fail(format!("I13: page {page} at {at} is {found:?}, not {expected:?}"));
                    }
                }
            }
            Told::Forgotten(..) if self.plan.beyond.is_some() => {}
            Told::Forgotten(page, at) => {
                self.fail(format!("I14: page {page} at {at} was forgotten while in use"));
            }
            Told::ReadStuck(page, at, us, said) => {
                if self.healing && self.plan.beyond.is_none() {
                    self.fail(format!("P1: page {page} at {at} unread for {us} us without faults: {said}"));
                }
            }
            Told::Replaced => self.report.replaced += 1,
            Told::Wrong(why) => self.fail(why),
            Told::LeftEarly { page, lsn, vdl } => {
                self.fail(format!("I16: page {page} left the pool at {lsn}, VDL is {vdl}"));
            }
            Told::Answered { must_see, view } => {
                self.report.statements += 1;
                self.check_lease(compute);
                if view < must_see {
                    let writer = self.computes[compute].writer;
                    self.fail(format!(
                        "I23/R8: {writer} answers from {view}, and {must_see} was acknowledged before"
                    ));
                }
            }
        }
    }

    fn check_opening(&mut self, compute: usize, epoch: VolumeEpoch, vdl: Lsn, head: &Head) {
        self.report.openings += 1;
        self.epochs.insert(self.computes[compute].writer, epoch);
        if let Err(why) = self.check_quorum_kept(epoch, vdl) {
            return self.fail(why);
        }
        match self.history.opened(epoch, vdl, &head.truncations) {
            Ok(added) => added.iter().for_each(|record| self.model.add(record)),
            Err(why) => return self.fail(why),
        }
        let Some(entry) = head.truncations.entries.iter().find(|t| t.epoch == epoch) else {
            return self.fail(format!("R2: head of {epoch:?} has no entry of its own"));
        };
        let earlier = self.ceilings.range(..epoch).map(|(_, c)| *c).max().unwrap_or_default();
        if entry.lo != vdl || entry.hi < vdl.max(earlier).advance(self.plan.lal_bytes) {
            return self.fail(format!("R1: {entry:?} after VDL {vdl} and ceiling {earlier}"));
        }
        if self.ceilings.insert(epoch, entry.hi).is_some() {
            return self.fail(format!("I11: {epoch:?} opened twice"));
        }
        for group in &head.groups {
            let last = self.history.last_of(group.pg, vdl);
            let held = self.holders(group.pg, head.version, Some(last));
            if held < WRITE_QUORUM {
                return self.fail(format!(
                    "R4: opened at {vdl} with {} through {last} under the list at {held} of 6",
                    group.pg
                ));
            }
        }
        self.computes[compute].learn(&self.model);
        if self.books.is_none() {
            self.after(1, Next::Write(compute));
        }
        self.after(2, Next::Read(compute));
    }

    /// R6: whatever the last writer could have published, with the acknowledgements that left segments, is kept.
    fn check_quorum_kept(&self, epoch: VolumeEpoch, vdl: Lsn) -> Result<(), String> {
        let Some((before, _)) = self.ceilings.range(..epoch).next_back() else { return Ok(()) };
        let quorum = |pg: PgId| {
            let mut promised: Vec<Lsn> = (0..6)
                .map(|position| {
                    let id = SegmentId { pg, position };
                    let lives = self.hosts[self.node_of(id)].promises.iter();
                    let spoke = lives.filter(|((of, _), p)| *of == id && p.head.epoch == *before);
                    spoke.map(|(_, p)| p.scl).max().unwrap_or_default()
                })
                .collect();
            promised.sort_unstable();
            promised[6 - WRITE_QUORUM]
        };
        let durable = self.history.durable_end(*before, quorum);
        if vdl < durable {
            return Err(format!("R6: {epoch:?} opened at {vdl}, and {before:?} had {durable} at quorum"));
        }
        Ok(())
    }

    /// I3, I5, I6.
    fn check_vdl(&mut self, epoch: VolumeEpoch, vdl: Lsn) {
        let added = match self.history.published(epoch, vdl) {
            Ok(added) => added,
            Err(why) => return self.fail(why),
        };
        let own = HeadVersion { epoch, seq: 0 };
        let mut groups: Vec<(PgId, Lsn)> = Vec::new();
        for record in &added {
            self.model.add(record);
            groups.retain(|(pg, _)| *pg != record.pg);
            groups.push((record.pg, record.lsn));
        }
        for (pg, last) in groups {
            let held = self.holders(pg, own, Some(last));
            if held < WRITE_QUORUM {
                return self.fail(format!("I6: VDL {vdl} published with {pg} through {last} at {held} of 6"));
            }
        }
        self.history.trim();
    }

    /// Everything that is looked at now and then.
    pub(crate) fn check(&mut self) {
        for node in 0..self.hosts.len() {
            if let Err(why) = self.check_node(node) {
                return self.fail(why);
            }
        }
        if let Err(why) = self.check_bounds() {
            return self.fail(why);
        }
        let lowest = self.computes.iter().filter_map(|c| c.lowest_read()).min().unwrap_or(Lsn::MAX);
        let known = self.computes.iter().filter_map(|c| c.log().map(|l| l.vdl())).min();
        if let Some(vdl) = known
            && let Err(why) = self.model.forget_below(lowest.min(vdl))
        {
            return self.fail(why);
        }
        if self.books.is_some() && self.rng.chance(self.plan.examine) {
            self.examine();
        }
        if self.healing {
            self.watch_healing();
        }
        self.after(20_000, Next::Check);
    }

    /// I2, I4, I5, I7 and R11 of every segment of one node.
    fn check_node(&self, node: usize) -> Result<(), String> {
        let Some(core) = self.hosts[node].serving() else { return Ok(()) };
        let newest = self.ceilings.keys().next_back().copied().unwrap_or_default();
        for id in core.segments() {
            let Some(state) = core.inspect(id) else { continue };
            let Some(head) = &state.head else { continue };
            self.check_grant(node, id, &state)?;
            self.check_promise(node, id, &state, head)?;
            let mut held = Vec::new();
            for record in core.records(id) {
                if head.truncations.kills(record) {
                    return Err(format!("I7: node {node} holds dead {record:?} of {id}"));
                }
                if let Some(known) = self.history.at(record.lsn)
                    && (known.crc() != record.crc() || known.epoch != record.epoch)
                {
                    return Err(format!("I2: node {node} holds {record:?}, the history {known:?}"));
                }
                held.push(record.lsn);
            }
            held.sort_unstable();
            self.check_floor(node, id, state.floor, head)?;
            if state.page_point > state.vdl || state.vdl > self.history.end() {
                return Err(format!(
                    "I5: node {node} {id} has pages through {}, was told {}, published was {}",
                    state.page_point,
                    state.vdl,
                    self.history.end()
                ));
            }
            // Dropped from memory under R11 before the durable floor follows: the chain held starts with its first record.
            let Some(first) = held.first().copied() else { continue };
            let gone = state.floor.max(state.page_point).max(Lsn(first.0 - 1));
            let current = head.version.epoch >= newest;
            for record in self.history.records().filter(|r| r.pg == id.pg && r.lsn > gone) {
                if current && record.lsn <= state.scl && held.binary_search(&record.lsn).is_err() {
                    return Err(format!("I4: node {node} {id} says SCL {} and lacks {record:?}", state.scl));
                }
            }
        }
        Ok(())
    }

    /// What a life acknowledged it still shows, or claims (R5), whatever crashes came between.
    fn check_promise(
        &self,
        node: usize,
        id: SegmentId,
        state: &SegmentState,
        head: &Head,
    ) -> Result<(), String> {
        let Some(promise) = self.hosts[node].promises.get(&(id, state.incarnation)) else { return Ok(()) };
        if self.damaged(node) {
            return Ok(());
        }
        if state.page_point < promise.page_point {
            return Err(format!(
                "I14: node {node} {id} told peers of pages through {}, has them through {}",
                promise.page_point, state.page_point
            ));
        }
        if head.version.epoch != promise.head.epoch {
            // It adopted another list since, maybe of an opening that died half-way, and has not spoken under it.
            return Ok(());
        }
        let last = self.history.last_of(id.pg, promise.scl);
        if state.scl.max(state.claim) < last {
            return Err(format!(
                "I4: node {node} {id} acknowledged {}, holds {} and claims {}, but {last} was durable",
                promise.scl, state.scl, state.claim
            ));
        }
        Ok(())
    }

    /// R11: log at or below a floor is on pages of every full member.
    fn check_floor(&self, node: usize, id: SegmentId, floor: Lsn, head: &Head) -> Result<(), String> {
        let Some(members) = head.group(id.pg) else { return Ok(()) };
        for (position, member) in members.members.iter().enumerate() {
            if member.role != protocol::SegmentRole::Full {
                continue;
            }
            let peer = SegmentId { pg: id.pg, position: position as u8 };
            let state = self.hosts[self.node_of(peer)].serving().and_then(|n| n.inspect(peer));
            if let Some(state) = state
                && state.incarnation == member.incarnation
                && !self.damaged(self.node_of(peer))
                && state.page_point > Lsn::ZERO
                && self.history.last_of(id.pg, floor) > state.page_point
            {
                return Err(format!(
                    "R11: node {node} {id} dropped log through {floor}, full member {peer} has pages through {} (log {}..{})",
                    state.page_point, state.floor, state.scl
                ));
            }
        }
        Ok(())
    }

    /// I27: what a writer holds is bounded.
    fn check_bounds(&self) -> Result<(), String> {
        for compute in &self.computes {
            let Some(log) = compute.log() else { continue };
            let settings = compute.settings();
            let slack = settings.keep_bytes + 2 * settings.batch_bytes;
            let bound = 2 * self.plan.lal_bytes as usize + self.plan.groups as usize * slack;
            if log.held_bytes() > bound {
                return Err(format!("I27: a writer holds {} bytes, bound {bound}", log.held_bytes()));
            }
        }
        Ok(())
    }
}
