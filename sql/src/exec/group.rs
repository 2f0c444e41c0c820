//! GROUP BY in memory: one entry per key, in the order the keys were first met.

use super::memory::{Memory, row_bytes};
use super::{Run, sort_key};
use crate::error::Result;
use crate::expr::{Columns, Eval};
use crate::function::aggregate::Accumulator;
use crate::plan::Group;
use std::collections::HashMap;
use values::Value;

/// A finished group: its first row (for columns that depend on the key) and the aggregates' results.
pub(crate) struct GroupRow {
    pub(crate) row: Vec<Value>,
    pub(crate) results: Vec<Value>,
}

/// Groups in the making.
pub(crate) struct Groups {
    by_key: HashMap<Vec<u8>, usize>,
    groups: Vec<(Vec<Value>, Vec<Accumulator>)>,
    /// Columns of the first row that are kept.
    columns: Vec<usize>,
    width: usize,
    key: Vec<u8>,
}

impl Groups {
    /// `columns`: what outer expressions read of a group's row, of `width` columns.
    pub(crate) fn new(columns: Vec<usize>, width: usize) -> Groups {
        Groups { by_key: HashMap::new(), groups: Vec::new(), columns, width, key: Vec::new() }
    }

    /// Takes one row.
    pub(crate) fn add(&mut self, spec: &Group, row: &dyn Columns, run: &mut Run<'_>) -> Result<()> {
        let Run { context, params, memory, .. } = run;
        let mut e = Eval::over(row, params, context);
        self.key.clear();
        for key in &spec.keys {
            let value = key.eval(&mut e)?;
            sort_key::append(&value, &key.ty, false, &mut self.key);
        }
        let at = match self.by_key.get(&self.key) {
            Some(at) => *at,
            None => self.open(spec, row, memory)?,
        };
        for (accumulator, aggregate) in self.groups[at].1.iter_mut().zip(&spec.aggregates) {
            accumulator.step(aggregate, &mut e, memory)?;
        }
        Ok(())
    }

    fn open(&mut self, spec: &Group, row: &dyn Columns, memory: &mut Memory) -> Result<usize> {
        let mut kept = Vec::new();
        if !self.columns.is_empty() {
            kept.resize(self.width, Value::Null);
            for &column in &self.columns {
                kept[column] = row.column(column);
            }
        }
        memory.take(row_bytes(&kept) + 2 * self.key.len() + 128 * (1 + spec.aggregates.len()))?;
        let at = self.groups.len();
        self.groups.push((kept, spec.aggregates.iter().map(Accumulator::new).collect()));
        self.by_key.insert(self.key.clone(), at);
        Ok(at)
    }

    /// The groups; without keys there is always one.
    pub(crate) fn finish(mut self, spec: &Group, run: &mut Run<'_>) -> Result<Vec<GroupRow>> {
        if self.groups.is_empty() && spec.keys.is_empty() {
            let empty = vec![Value::Null; self.width];
            self.groups.push((empty, spec.aggregates.iter().map(Accumulator::new).collect()));
        }
        let mut out = Vec::with_capacity(self.groups.len());
        for (row, accumulators) in self.groups {
            let mut e = run.constant();
            let results = accumulators
                .into_iter()
                .zip(&spec.aggregates)
                .map(|(accumulator, aggregate)| accumulator.finish(aggregate, &mut e))
                .collect::<Result<Vec<_>>>()?;
            out.push(GroupRow { row, results });
        }
        Ok(out)
    }
}
