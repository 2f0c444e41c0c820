//! ALTER TABLE and RENAME TABLE.

use super::Parser;
use super::create::drop_index;
use crate::ast::{Algorithm, AlterAction, Ddl, DdlLock, Place, TableOptions};
use crate::error::{Result, SqlError, unsupported};
use crate::lex::{Kind, Op};

impl Parser<'_> {
    pub(super) fn alter(&mut self) -> Result<Ddl> {
        self.expect_kw("ALTER")?;
        if self.eat_kw("USER") {
            return self.alter_user();
        }
        if self.eat_kw("DATABASE") || self.eat_kw("SCHEMA") {
            return self.alter_database();
        }
        if let Some(view) = self.alter_view()? {
            return Ok(view);
        }
        if !self.eat_kw("TABLE") {
            return Err(self.refuse_object("ALTER"));
        }
        let table = self.table_name()?;
        let mut actions = Vec::new();
        let mut first = true;
        while self.peek().kind != Kind::End {
            if !first {
                self.expect_op(Op::Comma)?;
            }
            first = false;
            if self.is_kw("ALGORITHM") || self.is_kw("LOCK") {
                self.copy_options(&mut actions)?;
            } else {
                self.alter_action(&mut actions)?;
            }
        }
        if actions.is_empty() && first {
            return Err(unsupported("ALTER TABLE without an action"));
        }
        Ok(Ddl::AlterTable { table, actions })
    }

    /// `ALTER DATABASE [name] [DEFAULT] CHARACTER SET x COLLATE y`
    fn alter_database(&mut self) -> Result<Ddl> {
        const OPTIONS: &[&str] =
            &["DEFAULT", "CHARACTER", "CHAR", "CHARSET", "COLLATE", "ENCRYPTION", "READ"];
        let name = if OPTIONS.iter().any(|k| self.is_kw(k)) { None } else { Some(self.ident()?) };
        let (mut charset, mut collation) = (None, None);
        loop {
            self.eat_kw("DEFAULT");
            if self.eat_kws(&["CHARACTER", "SET"]) || self.eat_kws(&["CHAR", "SET"]) || self.eat_kw("CHARSET")
            {
                self.eat_op(Op::Eq);
                charset = Some(self.charset_name()?);
            } else if self.eat_kw("COLLATE") {
                self.eat_op(Op::Eq);
                collation = Some(self.collation_name()?);
            } else if self.is_kw("ENCRYPTION") || self.is_kw("READ") {
                return Err(unsupported("ALTER DATABASE ... ENCRYPTION or READ ONLY"));
            } else if charset.is_none() && collation.is_none() {
                return Err(self.unexpected());
            } else {
                return Ok(Ddl::AlterDatabase { name, charset, collation });
            }
        }
    }

    /// `RENAME TABLE a TO b, c TO d`
    pub(super) fn rename(&mut self) -> Result<Option<Ddl>> {
        if !self.is_kw_at(1, "TABLE") && !self.is_kw_at(1, "TABLES") {
            return Ok(None);
        }
        self.pos += 2;
        let pairs = self.list(|p| {
            let from = p.table_name()?;
            p.expect_kw("TO")?;
            Ok((from, p.table_name()?))
        })?;
        Ok(Some(Ddl::RenameTables(pairs)))
    }

    /// ALGORITHM and LOCK.
    fn copy_options(&mut self, out: &mut Vec<AlterAction>) -> Result<()> {
        let Some(word) = self.eat_any(&["ALGORITHM", "LOCK"]) else { return Err(self.unexpected()) };
        self.eat_op(Op::Eq);
        if word == "LOCK" {
            match self.eat_any(&["DEFAULT", "NONE", "SHARED", "EXCLUSIVE"]) {
                Some("NONE") => out.push(AlterAction::Lock(DdlLock::None)),
                Some("SHARED") => out.push(AlterAction::Lock(DdlLock::Shared)),
                Some("EXCLUSIVE") => out.push(AlterAction::Lock(DdlLock::Exclusive)),
                Some(_) => {}
                None => {
                    let value = self.ident_or_text()?;
                    return Err(SqlError::new(1801, format!("Unknown LOCK type '{value}'")));
                }
            }
            return Ok(());
        }
        match self.eat_any(&["DEFAULT", "COPY", "INPLACE", "INSTANT"]) {
            Some("COPY") => out.push(AlterAction::Copy),
            Some("INPLACE") => out.push(AlterAction::Algorithm(Algorithm::Inplace)),
            Some("INSTANT") => out.push(AlterAction::Algorithm(Algorithm::Instant)),
            Some(_) => {}
            None => {
                let value = self.ident_or_text()?;
                return Err(SqlError::new(1800, format!("Unknown ALGORITHM '{value}'")));
            }
        }
        Ok(())
    }

    fn alter_action(&mut self, out: &mut Vec<AlterAction>) -> Result<()> {
        if self.eat_kw("ADD") {
            return self.alter_add(out);
        }
        let action = if self.eat_kw("DROP") {
            self.alter_drop()?
        } else if self.eat_kw("MODIFY") {
            self.eat_kw("COLUMN");
            let mut to = Box::new(self.column_def()?);
            let checks = std::mem::take(&mut to.checks);
            let place = self.place()?;
            out.push(AlterAction::ChangeColumn { name: to.name.clone(), to, place });
            out.extend(checks.into_iter().map(AlterAction::AddCheck));
            return Ok(());
        } else if self.eat_kw("CHANGE") {
            self.eat_kw("COLUMN");
            let name = self.ident()?;
            let mut to = Box::new(self.column_def()?);
            let checks = std::mem::take(&mut to.checks);
            let place = self.place()?;
            out.push(AlterAction::ChangeColumn { name, to, place });
            out.extend(checks.into_iter().map(AlterAction::AddCheck));
            return Ok(());
        } else if self.eat_kw("RENAME") {
            self.alter_rename()?
        } else if self.eat_kw("ALTER") {
            self.alter_column()?
        } else if self.eat_kw("CONVERT") {
            self.alter_convert()?
        } else if self.eat_kw("FORCE") {
            AlterAction::Force
        } else if self.eat_kws(&["DISABLE", "KEYS"]) || self.eat_kws(&["ENABLE", "KEYS"]) {
            AlterAction::Keys
        } else {
            let mut options = TableOptions::default();
            self.table_options(&mut options)?;
            if options == TableOptions::default() {
                return Err(self.refuse_action());
            }
            AlterAction::Options(Box::new(options))
        };
        out.push(action);
        Ok(())
    }

    fn place(&mut self) -> Result<Place> {
        if self.eat_kw("FIRST") {
            return Ok(Place::First);
        }
        if self.eat_kw("AFTER") {
            return Ok(Place::After(self.ident()?));
        }
        Ok(Place::Same)
    }

    /// After ADD: an index, a column with its place, or columns and indexes in parentheses.
    fn alter_add(&mut self, out: &mut Vec<AlterAction>) -> Result<()> {
        if let Some(element) = self.index_element()? {
            out.push(element.into());
            return Ok(());
        }
        if self.is_kw("PARTITION") && !self.is_kw_at(1, "INT") {
            return Err(unsupported("ALTER TABLE ... ADD PARTITION"));
        }
        self.eat_kw("COLUMN");
        if self.is_op(Op::LParen) {
            let elements = self.parens(|p| {
                p.list(|p| match p.index_element()? {
                    Some(element) => Ok(vec![element.into()]),
                    None => {
                        let mut column = p.column_def()?;
                        let checks = std::mem::take(&mut column.checks);
                        let add = AlterAction::AddColumn(Box::new(column), Place::Same);
                        Ok(std::iter::once(add)
                            .chain(checks.into_iter().map(AlterAction::AddCheck))
                            .collect())
                    }
                })
            })?;
            out.extend(elements.into_iter().flat_map(|list: Vec<AlterAction>| list));
            return Ok(());
        }
        let mut column = Box::new(self.column_def()?);
        let checks = std::mem::take(&mut column.checks);
        out.push(AlterAction::AddColumn(column, self.place()?));
        out.extend(checks.into_iter().map(AlterAction::AddCheck));
        Ok(())
    }

    fn alter_drop(&mut self) -> Result<AlterAction> {
        if self.eat_kws(&["PRIMARY", "KEY"]) {
            return Ok(AlterAction::DropPrimaryKey);
        }
        if self.eat_kw("INDEX") || self.eat_kw("KEY") {
            return Ok(drop_index(self.index_name()?));
        }
        if self.eat_kws(&["FOREIGN", "KEY"]) {
            return Ok(AlterAction::DropForeignKey(self.ident()?));
        }
        if self.eat_kw("CHECK") {
            return Ok(AlterAction::DropCheck(self.ident()?));
        }
        if self.eat_kw("CONSTRAINT") {
            return Ok(AlterAction::DropConstraint(self.ident()?));
        }
        for word in ["FOREIGN", "PARTITION"] {
            if self.is_kw(word) {
                return Err(unsupported("ALTER TABLE ... DROP constraint or partition"));
            }
        }
        self.eat_kw("COLUMN");
        let name = self.ident()?;
        let _ = self.eat_kw("RESTRICT") || self.eat_kw("CASCADE"); // MySQL: no effect
        Ok(AlterAction::DropColumn(name))
    }

    fn alter_rename(&mut self) -> Result<AlterAction> {
        if self.eat_kw("COLUMN") {
            let from = self.ident()?;
            self.expect_kw("TO")?;
            return Ok(AlterAction::RenameColumn { from, to: self.ident()? });
        }
        if self.eat_kw("INDEX") || self.eat_kw("KEY") {
            let from = self.index_name()?;
            self.expect_kw("TO")?;
            return Ok(AlterAction::RenameIndex { from, to: self.index_name()? });
        }
        let _ = self.eat_kw("TO") || self.eat_kw("AS") || self.eat_op(Op::Eq);
        Ok(AlterAction::RenameTable(self.table_name()?))
    }

    fn alter_column(&mut self) -> Result<AlterAction> {
        if let Some(word) = self.eat_any(&["CHECK", "CONSTRAINT"]) {
            let name = self.ident()?;
            let enforced = self.enforced()?.ok_or_else(|| self.unexpected())?;
            return Ok(AlterAction::AlterCheck { name, enforced, any: word == "CONSTRAINT" });
        }
        if self.is_kw("INDEX") {
            return Err(unsupported("ALTER TABLE ... ALTER INDEX"));
        }
        self.eat_kw("COLUMN");
        let name = self.ident()?;
        if self.eat_kws(&["DROP", "DEFAULT"]) {
            return Ok(AlterAction::ColumnDefault { name, default: None });
        }
        self.expect_kw("SET")?;
        if self.is_kw("VISIBLE") || self.is_kw("INVISIBLE") {
            return Err(unsupported("column visibility"));
        }
        self.expect_kw("DEFAULT")?;
        Ok(AlterAction::ColumnDefault { name, default: Some(self.column_default()?) })
    }

    fn alter_convert(&mut self) -> Result<AlterAction> {
        self.expect_kw("TO")?;
        if !self.eat_kws(&["CHARACTER", "SET"]) && !self.eat_kws(&["CHAR", "SET"]) && !self.eat_kw("CHARSET")
        {
            return Err(self.unexpected());
        }
        let charset = if self.eat_kw("DEFAULT") { None } else { Some(self.charset_name()?) };
        let collation = if self.eat_kw("COLLATE") { Some(self.collation_name()?) } else { None };
        Ok(AlterAction::Convert { charset, collation })
    }

    fn refuse_action(&self) -> crate::error::SqlError {
        const ACTIONS: &[&str] = &[
            "ANALYZE",
            "CHECK",
            "COALESCE",
            "DISABLE",
            "DISCARD",
            "ENABLE",
            "EXCHANGE",
            "IMPORT",
            "OPTIMIZE",
            "ORDER",
            "PARTITION",
            "REBUILD",
            "REMOVE",
            "REORGANIZE",
            "REPAIR",
            "SECONDARY_LOAD",
            "SECONDARY_UNLOAD",
            "TRUNCATE",
            "WITH",
            "WITHOUT",
        ];
        match ACTIONS.iter().find(|a| self.is_kw(a)) {
            Some(action) => unsupported(format_args!("ALTER TABLE ... {action}")),
            None => self.unexpected(),
        }
    }
}
