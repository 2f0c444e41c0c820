//! CREATE, DROP and ALTER of databases, tables and indexes.

use super::Parser;
use crate::ast::{
    AlterAction, CreateTable, Ddl, IndexDef, IndexKind, KeyPart, TableElement, TableName, TableOptions,
};
use crate::error::{Result, unsupported};
use crate::lex::Op;

/// Things that CREATE, DROP and ALTER know in MySQL and not here.
const OTHER_OBJECTS: &[(&str, &str)] = &[
    ("DEFINER", "stored programs"),
    ("PROCEDURE", "PROCEDURE"),
    ("FUNCTION", "FUNCTION"),
    ("AGGREGATE", "FUNCTION"),
    ("TRIGGER", "TRIGGER"),
    ("EVENT", "EVENT"),
    ("SERVER", "SERVER"),
    ("TABLESPACE", "TABLESPACE"),
    ("UNDO", "TABLESPACE"),
    ("LOGFILE", "LOGFILE GROUP"),
    ("RESOURCE", "RESOURCE GROUP"),
    ("SPATIAL", "SPATIAL INDEX"),
    ("FULLTEXT", "FULLTEXT INDEX"),
    ("TEMPORARY", "TEMPORARY TABLE"),
    ("INSTANCE", "ALTER INSTANCE"),
    ("PREPARE", "PREPARE"),
    ("JSON", "JSON RELATIONAL DUALITY VIEW"),
    ("LIBRARY", "LIBRARY"),
];

impl Parser<'_> {
    pub(super) fn refuse_object(&self, verb: &str) -> crate::error::SqlError {
        match OTHER_OBJECTS.iter().find(|(word, _)| self.is_kw(word)) {
            Some((_, object)) => unsupported(format_args!("{verb} {object}")),
            None => self.unexpected(),
        }
    }

    pub(super) fn create(&mut self) -> Result<Ddl> {
        self.expect_kw("CREATE")?;
        if self.eat_kw("DATABASE") || self.eat_kw("SCHEMA") {
            return self.create_database();
        }
        if self.eat_kw("TABLE") {
            return self.create_table().map(|table| Ddl::CreateTable(Box::new(table)));
        }
        if self.eat_kw("USER") {
            return self.create_user();
        }
        if self.eat_kw("ROLE") {
            return self.create_role();
        }
        if let Some(view) = self.create_view()? {
            return Ok(view);
        }
        let unique = self.eat_kw("UNIQUE");
        if self.eat_kw("INDEX") {
            return self.create_index(if unique { IndexKind::Unique } else { IndexKind::Plain });
        }
        Err(self.refuse_object("CREATE"))
    }

    fn create_database(&mut self) -> Result<Ddl> {
        let if_not_exists = self.if_not_exists()?;
        let name = self.ident()?;
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
            } else if self.is_kw("ENCRYPTION") {
                return Err(unsupported("ENCRYPTION"));
            } else {
                return Ok(Ddl::CreateDatabase { name, if_not_exists, charset, collation });
            }
        }
    }

    fn create_table(&mut self) -> Result<CreateTable> {
        let if_not_exists = self.if_not_exists()?;
        let mut out = CreateTable {
            table: self.table_name()?,
            if_not_exists,
            like: None,
            columns: Vec::new(),
            indexes: Vec::new(),
            foreign_keys: Vec::new(),
            checks: Vec::new(),
            options: TableOptions::default(),
            select: None,
        };
        if self.eat_kw("LIKE") {
            out.like = Some(self.table_name()?);
            return Ok(out);
        }
        if self.is_op(Op::LParen) && self.is_kw_at(1, "LIKE") {
            self.pos += 2;
            out.like = Some(self.table_name()?);
            self.expect_op(Op::RParen)?;
            return Ok(out);
        }
        if self.is_op(Op::LParen) && !self.query_in_parens() {
            self.parens(|p| p.list(|p| p.table_element(&mut out)).map(|_| ()))?;
        }
        self.table_options(&mut out.options)?;
        for word in ["IGNORE", "REPLACE"] {
            if self.is_kw(word) {
                return Err(unsupported(format_args!("CREATE TABLE ... {word} SELECT")));
            }
        }
        if self.at_create_select() {
            self.eat_kw("AS");
            out.select = Some(Box::new(self.inner_query()?));
        }
        Ok(out)
    }

    fn at_create_select(&self) -> bool {
        ["AS", "SELECT", "WITH", "TABLE", "VALUES"].iter().any(|k| self.is_kw(k)) || self.query_in_parens()
    }

    fn table_element(&mut self, out: &mut CreateTable) -> Result<()> {
        match self.index_element()? {
            Some(TableElement::Index(index)) => out.indexes.push(index),
            Some(TableElement::ForeignKey(key)) => out.foreign_keys.push(key),
            Some(TableElement::Check(check)) => out.checks.push(check),
            None => {
                let mut column = self.column_def()?;
                out.checks.append(&mut column.checks);
                out.columns.push(column);
            }
        }
        Ok(())
    }

    /// An index or constraint clause of CREATE TABLE or ALTER TABLE ADD; `None`: a column follows.
    pub(super) fn index_element(&mut self) -> Result<Option<TableElement>> {
        let mut constraint = None;
        if self.eat_kw("CONSTRAINT") {
            let keyword = ["PRIMARY", "UNIQUE", "FOREIGN", "CHECK"].iter().any(|k| self.is_kw(k));
            constraint = if keyword { Some(String::new()) } else { Some(self.ident()?) };
        }
        if self.is_kw("FOREIGN") {
            let key = self.foreign_key(constraint.filter(|name| !name.is_empty()))?;
            return Ok(Some(TableElement::ForeignKey(key)));
        }
        if self.is_kw("CHECK") {
            let name = constraint.filter(|name| !name.is_empty());
            return Ok(Some(TableElement::Check(self.check_clause(name, None)?)));
        }
        let kind = if self.eat_kws(&["PRIMARY", "KEY"]) {
            IndexKind::Primary
        } else if self.eat_kw("UNIQUE") {
            let _ = self.eat_kw("KEY") || self.eat_kw("INDEX");
            IndexKind::Unique
        } else if constraint.is_none() && (self.eat_kw("KEY") || self.eat_kw("INDEX")) {
            IndexKind::Plain
        } else {
            for (word, construct) in [("FULLTEXT", "FULLTEXT INDEX"), ("SPATIAL", "SPATIAL INDEX")] {
                if self.is_kw(word) {
                    return Err(unsupported(construct));
                }
            }
            return if constraint.is_some() { Err(self.unexpected()) } else { Ok(None) };
        };
        let mut index = self.index_body(kind)?;
        if index.name.is_none() {
            index.name = constraint.filter(|name| !name.is_empty());
        }
        Ok(Some(TableElement::Index(index)))
    }

    /// `[name] [USING type] (parts) [options]`
    fn index_body(&mut self, kind: IndexKind) -> Result<IndexDef> {
        let name = if self.at_ident() && !self.is_kw("USING") { Some(self.ident()?) } else { None };
        self.index_type()?;
        let parts = self.parens(|p| p.list(Parser::key_part))?;
        let mut index = IndexDef { kind, name, parts, comment: String::new() };
        self.index_options(&mut index)?;
        Ok(index)
    }

    /// USING BTREE; a HASH is a BTREE too, as in InnoDB.
    fn index_type(&mut self) -> Result<bool> {
        if !self.eat_kw("USING") && !self.eat_kw("TYPE") {
            return Ok(false);
        }
        match self.eat_any(&["BTREE", "HASH", "RTREE"]) {
            Some("RTREE") => Err(unsupported("RTREE")),
            Some(_) => Ok(true),
            None => Err(self.unexpected()),
        }
    }

    fn index_options(&mut self, index: &mut IndexDef) -> Result<()> {
        loop {
            if self.eat_kw("COMMENT") {
                index.comment = self.utf8_string()?;
                continue;
            }
            for word in
                ["KEY_BLOCK_SIZE", "INVISIBLE", "WITH", "ENGINE_ATTRIBUTE", "SECONDARY_ENGINE_ATTRIBUTE"]
            {
                if self.is_kw(word) {
                    return Err(unsupported(format_args!("index option {word}")));
                }
            }
            if !self.eat_kw("VISIBLE") && !self.index_type()? {
                return Ok(());
            }
        }
    }

    fn key_part(&mut self) -> Result<KeyPart> {
        if self.is_op(Op::LParen) {
            return Err(unsupported("functional index parts"));
        }
        let column = self.ident()?;
        let prefix = if self.is_op(Op::LParen) {
            let n = self.parens(Parser::uint)?;
            Some(u32::try_from(n).unwrap_or(u32::MAX))
        } else {
            None
        };
        let desc = self.eat_kw("DESC");
        if !desc {
            self.eat_kw("ASC");
        }
        Ok(KeyPart { column, prefix, desc })
    }

    pub(super) fn table_options(&mut self, out: &mut TableOptions) -> Result<()> {
        loop {
            let start = self.pos;
            if start > 0 {
                self.eat_op(Op::Comma);
            }
            let default = self.eat_kw("DEFAULT");
            if self.eat_kws(&["CHARACTER", "SET"]) || self.eat_kws(&["CHAR", "SET"]) || self.eat_kw("CHARSET")
            {
                self.eat_op(Op::Eq);
                out.charset = Some(self.charset_name()?);
            } else if self.eat_kw("COLLATE") {
                self.eat_op(Op::Eq);
                out.collation = Some(self.collation_name()?);
            } else if default {
                return Err(self.unexpected());
            } else if self.eat_kw("ENGINE") {
                self.eat_op(Op::Eq);
                out.engine = Some(self.ident_or_text()?);
            } else if self.eat_kw("AUTO_INCREMENT") {
                self.eat_op(Op::Eq);
                out.auto_increment = Some(self.uint()?);
            } else if self.eat_kw("COMMENT") {
                self.eat_op(Op::Eq);
                out.comment = Some(self.utf8_string()?);
            } else if self.eat_kw("ROW_FORMAT") {
                self.eat_op(Op::Eq);
                out.row_format = Some(self.row_format()?);
            } else if let Some(construct) = self.refused_table_option() {
                return Err(unsupported(construct));
            } else {
                self.pos = start;
                return Ok(());
            }
        }
    }

    /// Formats with the same rows here; the others promise what this server does not do.
    fn row_format(&mut self) -> Result<String> {
        for word in ["DEFAULT", "DYNAMIC", "COMPACT"] {
            if self.eat_kw(word) {
                return Ok(word.to_owned());
            }
        }
        for word in ["COMPRESSED", "REDUNDANT", "FIXED"] {
            if self.is_kw(word) {
                return Err(unsupported(format_args!("ROW_FORMAT={word}")));
            }
        }
        Err(self.unexpected())
    }

    pub(super) fn refused_table_option(&self) -> Option<&'static str> {
        const REFUSED: &[&str] = &[
            "AUTOEXTEND_SIZE",
            "AVG_ROW_LENGTH",
            "CHECKSUM",
            "COMPRESSION",
            "CONNECTION",
            "DATA",
            "DELAY_KEY_WRITE",
            "ENCRYPTION",
            "ENGINE_ATTRIBUTE",
            "INDEX",
            "INSERT_METHOD",
            "KEY_BLOCK_SIZE",
            "MAX_ROWS",
            "MIN_ROWS",
            "PACK_KEYS",
            "PARTITION",
            "PASSWORD",
            "SECONDARY_ENGINE",
            "START",
            "STATS_AUTO_RECALC",
            "STATS_PERSISTENT",
            "STATS_SAMPLE_PAGES",
            "TABLESPACE",
            "UNION",
        ];
        REFUSED.iter().copied().find(|word| self.is_kw(word))
    }

    fn create_index(&mut self, kind: IndexKind) -> Result<Ddl> {
        let name = self.ident()?;
        self.index_type()?;
        self.expect_kw("ON")?;
        let table = self.table_name()?;
        let parts = self.parens(|p| p.list(Parser::key_part))?;
        let mut index = IndexDef { kind, name: Some(name), parts, comment: String::new() };
        self.index_options(&mut index)?;
        self.online_options()?;
        Ok(Ddl::CreateIndex { table, index })
    }

    /// `ALGORITHM = DEFAULT|INPLACE|COPY`, `LOCK = DEFAULT|NONE|...`: index builds have one way here, so only what it fulfils is taken.
    pub(super) fn online_options(&mut self) -> Result<()> {
        loop {
            let word = self.eat_any(&["ALGORITHM", "LOCK"]);
            let Some(word) = word else { return Ok(()) };
            self.eat_op(Op::Eq);
            if !self.eat_kw("DEFAULT") {
                let value = self.ident_or_text()?;
                return Err(unsupported(format_args!("{word}={}", value.to_uppercase())));
            }
            self.eat_op(Op::Comma);
        }
    }

    pub(super) fn drop(&mut self) -> Result<Ddl> {
        self.expect_kw("DROP")?;
        if self.eat_kw("DATABASE") || self.eat_kw("SCHEMA") {
            let if_exists = self.if_exists()?;
            return Ok(Ddl::DropDatabase { name: self.ident()?, if_exists });
        }
        if self.eat_kw("TABLE") || self.eat_kw("TABLES") {
            let if_exists = self.if_exists()?;
            let tables = self.list(Parser::table_name)?;
            let _ = self.eat_kw("RESTRICT") || self.eat_kw("CASCADE"); // MySQL: no effect
            return Ok(Ddl::DropTable { tables, if_exists });
        }
        if self.eat_kw("VIEW") {
            return self.drop_view();
        }
        if self.eat_kw("INDEX") {
            let name = self.index_name()?;
            self.expect_kw("ON")?;
            let table = self.table_name()?;
            self.online_options()?;
            return Ok(Ddl::AlterTable { table, actions: vec![drop_index(name)] });
        }
        if self.eat_kw("USER") {
            return self.drop_user();
        }
        if self.eat_kw("ROLE") {
            return self.drop_role();
        }
        if self.is_kw("PREPARE") {
            return Err(unsupported("DROP PREPARE"));
        }
        Err(self.refuse_object("DROP"))
    }

    pub(super) fn index_name(&mut self) -> Result<String> {
        if self.eat_kw("PRIMARY") { Ok("PRIMARY".into()) } else { self.ident() }
    }

    pub(super) fn analyze(&mut self) -> Result<Ddl> {
        self.expect_kw("ANALYZE")?;
        if self.is_kw("NO_WRITE_TO_BINLOG") || self.is_kw("LOCAL") {
            self.bump(); // there is no binary log
        }
        self.expect_kw("TABLE").or_else(|e| if self.eat_kw("TABLES") { Ok(()) } else { Err(e) })?;
        let tables: Vec<TableName> = self.list(Parser::table_name)?;
        if self.is_kw("UPDATE") || self.is_kw("DROP") {
            return Err(unsupported("histograms"));
        }
        Ok(Ddl::AnalyzeTable(tables))
    }
}

impl Parser<'_> {
    /// CHECK TABLE t, ... [QUICK | FAST | MEDIUM | EXTENDED | CHANGED]: there is one check, the thorough one.
    pub(super) fn check_table(&mut self) -> Result<Ddl> {
        self.expect_kw("CHECK")?;
        if !self.eat_kw("TABLE") && !self.eat_kw("TABLES") {
            return Err(self.unexpected());
        }
        let tables = self.list(Parser::table_name)?;
        while self.eat_any(&["QUICK", "FAST", "MEDIUM", "EXTENDED", "CHANGED"]).is_some() {}
        if self.is_kw("FOR") {
            return Err(unsupported("CHECK TABLE ... FOR UPGRADE"));
        }
        Ok(Ddl::CheckTable(tables))
    }
}

pub(super) fn drop_index(name: String) -> AlterAction {
    if name.eq_ignore_ascii_case("PRIMARY") {
        AlterAction::DropPrimaryKey
    } else {
        AlterAction::DropIndex(name)
    }
}
