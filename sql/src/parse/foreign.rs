//! FOREIGN KEY clauses of CREATE TABLE and ALTER TABLE.

use super::Parser;
use crate::ast::{ForeignKeyAction, ForeignKeyDef};
use crate::error::{Result, unsupported};

impl Parser<'_> {
    /// `FOREIGN KEY [index] (columns) REFERENCES table (columns) [ON DELETE action] [ON UPDATE action]`, after what CONSTRAINT said.
    pub(super) fn foreign_key(&mut self, name: Option<String>) -> Result<ForeignKeyDef> {
        self.expect_kw("FOREIGN")?;
        self.expect_kw("KEY")?;
        let index = if self.at_ident() { Some(self.ident()?) } else { None };
        let columns = self.parens(|p| p.list(Parser::ident))?;
        self.expect_kw("REFERENCES")?;
        let parent = self.table_name()?;
        let parent_columns = self.parens(|p| p.list(Parser::ident))?;
        let mut out = ForeignKeyDef {
            name,
            index,
            columns,
            parent,
            parent_columns,
            on_delete: ForeignKeyAction::NoAction,
            on_update: ForeignKeyAction::NoAction,
        };
        if self.is_kw("MATCH") {
            return Err(unsupported("MATCH of a FOREIGN KEY"));
        }
        let (mut deletes, mut updates) = (false, false);
        while self.is_kw("ON") {
            if self.is_kw_at(1, "DELETE") && !deletes {
                self.eat_kws(&["ON", "DELETE"]);
                deletes = true;
                out.on_delete = self.foreign_key_action()?;
            } else if self.is_kw_at(1, "UPDATE") && !updates {
                self.eat_kws(&["ON", "UPDATE"]);
                updates = true;
                out.on_update = self.foreign_key_action()?;
            } else {
                self.bump();
                return Err(self.unexpected());
            }
        }
        Ok(out)
    }

    fn foreign_key_action(&mut self) -> Result<ForeignKeyAction> {
        if self.eat_kw("CASCADE") {
            return Ok(ForeignKeyAction::Cascade);
        }
        if self.eat_kw("RESTRICT") {
            return Ok(ForeignKeyAction::Restrict);
        }
        if self.eat_kws(&["NO", "ACTION"]) {
            return Ok(ForeignKeyAction::NoAction);
        }
        if self.eat_kws(&["SET", "NULL"]) {
            return Ok(ForeignKeyAction::SetNull);
        }
        if self.are_kws(&["SET", "DEFAULT"]) {
            return Err(unsupported("SET DEFAULT of a FOREIGN KEY"));
        }
        Err(self.unexpected())
    }
}
