//! ALTER TABLE that adds, drops and moves columns without writing a row: a new row format, or the same one shown otherwise (`formats`).

use crate::dictionary::catalog::Dictionary;
use crate::dictionary::foreign::without_foreign_keys;
use crate::dictionary::rebuild::{current, write};
use crate::dictionary::runtime::Runtime;
use crate::dictionary::schema::{ColumnDef, ColumnId, IndexPart, NewTable, TableDef};
use crate::error::Result;
use std::sync::Arc;
use values::Value;

impl Dictionary {
    /// ALTER TABLE, ALGORITHM=INSTANT: the columns become those of `new`; column `i` is the old one at `from[i]` with its type, or a new one that
    /// older rows have as `absent[i]`. Names, defaults, comments, CHECK constraints and options change, too. `table` is the definition that all this was
    /// worked out from.
    ///
    /// # Errors
    /// [`StaleTable`](crate::EngineError::StaleTable) when `table` is not the current definition: work it out again. 1205, and those of the volume.
    ///
    /// # Panics
    /// When a column changes its type, or a key its columns.
    pub async fn alter_instant(
        &self,
        table: &Arc<TableDef>,
        new: &NewTable,
        from: &[Option<usize>],
        absent: &[Value],
    ) -> Result<()> {
        let (old, _alone, _pass) = self.must_alone(&table.schema_name, &table.name).await?;
        current(&old, table)?;
        let kept =
            |(i, f): (usize, &Option<usize>)| f.is_none_or(|f| old.columns[f].name == new.columns[i].name);
        if !from.iter().enumerate().all(kept) {
            without_foreign_keys(&old, "ALTER")?;
        }
        let def = shown_otherwise(&old, new, from, absent);
        let mut txn = self.begin().await?;
        let done = write(&mut txn, &old, &def, &[], &[]).await;
        let lsn = self.end(txn, done).await?;
        self.install(&old, def);
        self.engine.wait_durable(lsn).await
    }
}

/// The next version of a table, over the same trees.
fn shown_otherwise(old: &TableDef, new: &NewTable, from: &[Option<usize>], absent: &[Value]) -> TableDef {
    let mut def = old.clone();
    def.stamp += 1;
    (def.comment, def.options) = (new.comment.clone(), new.options.clone());
    def.checks.clone_from(&new.checks);
    def.formats = old.formats.after(old, &new.columns, from, absent);
    if from.iter().any(Option::is_none) {
        def.version += 1;
    }
    let mut fresh = old.columns.iter().map(|c| c.id.0).max().unwrap_or(0);
    let column = |(asked, from): (&ColumnDef, &Option<usize>)| match *from {
        Some(f) => {
            let was = &old.columns[f];
            assert_eq!(
                (was.ty, was.nullable),
                (asked.ty, asked.nullable),
                "instant {}: {}",
                old.name,
                was.name
            );
            ColumnDef { id: was.id, ..asked.clone() }
        }
        None => {
            fresh += 1;
            ColumnDef { id: ColumnId(fresh), ..asked.clone() }
        }
    };
    def.columns = new.columns.iter().zip(from).map(column).collect();
    def.auto_increment = def.columns.iter().position(|c| c.auto_increment);
    let now =
        |was: usize| from.iter().position(|f| *f == Some(was)).expect("invariant: a column with a key stays");
    let moved = |parts: &[IndexPart]| -> Vec<IndexPart> {
        parts.iter().map(|p| IndexPart { column: now(p.column), ..*p }).collect()
    };
    for index in &mut def.indexes {
        index.parts = moved(&index.parts);
    }
    assert_eq!(def.indexes[0].parts, new.primary, "instant {}: the primary key", old.name);
    assert_eq!(def.indexes.len(), 1 + new.indexes.len(), "instant {}: indexes", old.name);
    for (index, new) in def.indexes[1..].iter_mut().zip(&new.indexes) {
        assert_eq!(
            (&index.parts, index.unique),
            (&new.parts, new.unique),
            "instant {}: {}",
            old.name,
            new.name
        );
        (index.name, index.comment) = (new.name.clone(), new.comment.clone());
    }
    for fk in &mut def.foreign_keys {
        fk.columns.iter_mut().for_each(|c| *c = now(*c));
    }
    let since = old.runtime.since.clone();
    def.runtime = Runtime::new(&def, old.runtime.trees.clone(), Arc::clone(&old.runtime.shared));
    def.runtime.since = since;
    def
}
