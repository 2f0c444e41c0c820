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

/// A group in the making.
struct Open {
    /// The first row's columns that are kept.
    row: Vec<Value>,
    /// WITH ROLLUP: the keys' values, and how many of them count; an order of output.
    keys: Vec<Value>,
    level: usize,
    accumulators: Vec<Accumulator>,
}

/// Groups in the making.
pub(crate) struct Groups {
    by_key: HashMap<Vec<u8>, usize>,
    groups: Vec<Open>,
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
        let mut values = Vec::new();
        self.key.clear();
        let mut ends = Vec::new();
        for key in &spec.keys {
            let value = key.eval(&mut e)?;
            sort_key::append(&value, &key.ty, false, &mut self.key);
            if spec.rollup {
                values.push(value);
                ends.push(self.key.len());
            }
        }
        if !spec.rollup {
            let at = match self.by_key.get(&self.key) {
                Some(at) => *at,
                None => self.open(spec, row, (Vec::new(), 0), memory)?,
            };
            return self.step(at, spec, &mut e, memory);
        }
        // Each row counts in its group and in every group that rolls it up: their keys are its key cut short, with a mark.
        let whole = self.key.clone();
        for level in (0..=spec.keys.len()).rev() {
            let end = if level == 0 { 0 } else { ends[level - 1] };
            self.key.clear();
            self.key.extend_from_slice(&whole[..end]);
            self.key.push(0xff);
            self.key.push(level as u8);
            let at = match self.by_key.get(&self.key) {
                Some(at) => *at,
                None => self.open(spec, row, (values.clone(), level), memory)?,
            };
            self.step(at, spec, &mut e, memory)?;
        }
        Ok(())
    }

    fn step(&mut self, at: usize, spec: &Group, e: &mut Eval<'_>, memory: &mut Memory) -> Result<()> {
        for (accumulator, aggregate) in self.groups[at].accumulators.iter_mut().zip(&spec.aggregates) {
            accumulator.step(aggregate, e, memory)?;
        }
        Ok(())
    }

    fn open(
        &mut self,
        spec: &Group,
        row: &dyn Columns,
        (keys, level): (Vec<Value>, usize),
        memory: &mut Memory,
    ) -> Result<usize> {
        let mut kept = Vec::new();
        if !self.columns.is_empty() {
            kept.resize(self.width, Value::Null);
            for &column in &self.columns {
                kept[column] = row.column(column);
            }
        }
        memory.take(
            row_bytes(&kept) + row_bytes(&keys) + 2 * self.key.len() + 128 * (1 + spec.aggregates.len()),
        )?;
        let at = self.groups.len();
        let accumulators = spec.aggregates.iter().map(Accumulator::new).collect();
        self.groups.push(Open { row: kept, keys, level, accumulators });
        self.by_key.insert(self.key.clone(), at);
        Ok(at)
    }

    /// The groups; without keys there is always one.
    pub(crate) fn finish(mut self, spec: &Group, run: &mut Run<'_>) -> Result<Vec<GroupRow>> {
        if self.groups.is_empty() && spec.keys.is_empty() {
            let row = vec![Value::Null; self.width];
            let accumulators = spec.aggregates.iter().map(Accumulator::new).collect();
            self.groups.push(Open { row, keys: Vec::new(), level: 0, accumulators });
        }
        if spec.rollup {
            // In the keys' order, each rolled-up row behind what it sums.
            let mut order: Vec<(Vec<u8>, usize)> = self.by_key.into_iter().collect();
            order.sort_unstable();
            let mut by_place: Vec<Option<Open>> = self.groups.into_iter().map(Some).collect();
            self.groups = order.into_iter().filter_map(|(_, at)| by_place[at].take()).collect();
        }
        let mut out = Vec::with_capacity(self.groups.len());
        for Open { row, keys, level, accumulators } in self.groups {
            let mut e = run.constant();
            let mut results = accumulators
                .into_iter()
                .zip(&spec.aggregates)
                .map(|(accumulator, aggregate)| accumulator.finish(aggregate, &mut e))
                .collect::<Result<Vec<_>>>()?;
            if spec.rollup {
                let count = keys.len();
                results.extend(
                    keys.into_iter().enumerate().map(|(i, k)| if i < level { k } else { Value::Null }),
                );
                results.extend((0..count).map(|i| Value::bool(i >= level)));
            }
            out.push(GroupRow { row, results });
        }
        Ok(out)
    }
}
