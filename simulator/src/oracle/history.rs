//! The one history (I1, I2, I3, I5).

use bytes::Bytes;
use protocol::{Lsn, PgId, Record, RecordFlags, TruncationList, VolumeEpoch};
use std::collections::BTreeMap;

/// See the parent module.
#[derive(Debug, Default)]
pub struct History {
    written: BTreeMap<(VolumeEpoch, Lsn), Record>,
    history: BTreeMap<Lsn, Record>,
    /// The highest VDL ever published.
    end: Lsn,
    /// The list of the newest opening and its epoch.
    list: Option<(VolumeEpoch, TruncationList)>,
    /// Commits answered.
    pub acked: u64,
}

impl History {
    /// The highest VDL ever published.
    #[must_use]
    pub fn end(&self) -> Lsn {
        self.end
    }

    /// Records of the history.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.history.values()
    }

    /// The history's record at `lsn`.
    #[must_use]
    pub fn at(&self, lsn: Lsn) -> Option<&Record> {
        self.history.get(&lsn)
    }

    /// The group's last record of the history at or below `at`.
    #[must_use]
    pub fn last_of(&self, pg: PgId, at: Lsn) -> Lsn {
        self.history.range(..=at).rev().find(|(_, r)| r.pg == pg).map_or(Lsn::ZERO, |(lsn, _)| *lsn)
    }

    /// Frames left a writer. Within one epoch an LSN has one content.
    ///
    /// # Errors
    /// I2 when it has two.
    pub fn wrote(&mut self, frames: &Bytes) -> Result<(), String> {
        let mut rest = frames.clone();
        while !rest.is_empty() {
            let record = Record::decode(&rest).map_err(|e| format!("a writer sent garbage: {e}"))?;
            rest = rest.slice(record.len()..);
            let key = (record.epoch, record.lsn);
            match self.written.get(&key) {
                None => match self.history.get(&record.lsn) {
                    None => {
                        self.written.insert(key, record);
                    }
                    Some(old) if old.epoch == record.epoch && old.crc() == record.crc() => {}
                    Some(other) => {
                        return Err(format!("I2: {record:?} beside {other:?} of the history"));
                    }
                },
                Some(old) if old.crc() != record.crc() => {
                    return Err(format!("I2: {old:?} and {record:?} at one LSN"));
                }
                // Batches are sent to six: the first copy registered them all.
                Some(_) => return Ok(()),
            }
        }
        Ok(())
    }

    /// A writer of `epoch` published `vdl`. Returns the records that became part of the history.
    ///
    /// # Errors
    /// I1, I3, I5 and what else cannot be.
    pub fn published(&mut self, epoch: VolumeEpoch, vdl: Lsn) -> Result<Vec<Record>, String> {
        if let Some((newest, list)) = &self.list
            && epoch < *newest
            && list.is_dead(epoch, vdl)
        {
            return Err(format!("I1: {epoch:?} published {vdl}, which {newest:?} truncated"));
        }
        self.extend(vdl, |record| record.epoch == epoch)
    }

    /// An opening of `epoch` chose `vdl` under `list`.
    ///
    /// # Errors
    /// As [`published`](Self::published); I3 when `vdl` lies below what was published before.
    pub fn opened(
        &mut self,
        epoch: VolumeEpoch,
        vdl: Lsn,
        list: &TruncationList,
    ) -> Result<Vec<Record>, String> {
        if vdl < self.end {
            return Err(format!("I1/I3: {epoch:?} opened at {vdl}, below VDL {} published before", self.end));
        }
        if let Some(lost) = self.history.values().find(|r| list.kills(r)) {
            return Err(format!("I1: {epoch:?} declared {lost:?} dead"));
        }
        let added = self.extend(vdl, |record| record.epoch < epoch && !list.kills(record))?;
        if self.list.as_ref().is_none_or(|(newest, _)| epoch >= *newest) {
            self.list = Some((epoch, list.clone()));
        }
        Ok(added)
    }

    /// The last end of a mini-transaction of `epoch`, beyond what was published, that is at `quorum` of its groups.
    #[must_use]
    pub fn durable_end(&self, epoch: VolumeEpoch, quorum: impl Fn(PgId) -> Lsn) -> Lsn {
        let from = (epoch, Lsn(self.end.0 + 1));
        let next: BTreeMap<Lsn, &Record> =
            self.written.range(from..=(epoch, Lsn::MAX)).map(|(_, r)| (r.prev_volume, r)).collect();
        let (mut at, mut durable) = (self.end, self.end);
        while let Some(record) = next.get(&at).filter(|r| r.lsn <= quorum(r.pg)) {
            at = record.lsn;
            if record.flags.has(RecordFlags::CPL) {
                durable = at;
            }
        }
        durable
    }

    fn extend(&mut self, vdl: Lsn, alive: impl Fn(&Record) -> bool) -> Result<Vec<Record>, String> {
        if vdl <= self.end {
            return Ok(Vec::new());
        }
        let mut next: BTreeMap<Lsn, &Record> = BTreeMap::new();
        for record in self.written.values().filter(|r| r.lsn > self.end && r.lsn <= vdl && alive(r)) {
            if let Some(twin) = next.insert(record.prev_volume, record) {
                return Err(format!("I2: {twin:?} and {record:?} both follow one record"));
            }
        }
        let (mut at, mut added) = (self.end, Vec::new());
        while let Some(record) = next.get(&at) {
            at = record.lsn;
            added.push((*record).clone());
        }
        if at != vdl {
            return Err(format!("I5: VDL {vdl} published, but the records end at {at}"));
        }
        if !added.last().is_some_and(|r| r.flags.has(RecordFlags::CPL)) {
            return Err(format!("I5: VDL {vdl} is no CPL"));
        }
        for record in &added {
            self.history.insert(record.lsn, record.clone());
        }
        self.end = vdl;
        Ok(added)
    }

    /// Forgets sent records that can never become history: for memory only.
    pub fn trim(&mut self) {
        let end = self.end;
        self.written.retain(|(_, lsn), _| *lsn > end);
    }
}
