//! SHOW.

use super::Parser;
use crate::ast::{Show, ShowFilter};
use crate::error::{Result, unsupported};
use crate::lex::Op;

impl Parser<'_> {
    pub(super) fn show(&mut self) -> Result<Show> {
        self.expect_kw("SHOW")?;
        if self.eat_kw("CREATE") {
            return self.show_create();
        }
        if self.is_kw("EXTENDED") {
            return Err(unsupported("SHOW EXTENDED"));
        }
        if self.eat_kw("COUNT") {
            self.expect_op(Op::LParen)?;
            self.expect_op(Op::Star)?;
            self.expect_op(Op::RParen)?;
            return match self.eat_any(&["WARNINGS", "ERRORS"]) {
                Some("WARNINGS") => Ok(Show::CountWarnings),
                Some(_) => Ok(Show::CountErrors),
                None => Err(self.unexpected()),
            };
        }
        let full = self.eat_kw("FULL");
        if full && !["TABLES", "COLUMNS", "FIELDS", "PROCESSLIST"].iter().any(|k| self.is_kw(k)) {
            return Err(self.unexpected());
        }
        let global = self.eat_kw("GLOBAL");
        let scoped = global || self.eat_kw("SESSION") || self.eat_kw("LOCAL");
        if self.eat_kw("VARIABLES") {
            return Ok(Show::Variables { global, filter: self.show_filter()? });
        }
        if self.eat_kw("STATUS") {
            return Ok(Show::Status { global, filter: self.show_filter()? });
        }
        if scoped {
            return Err(self.unexpected());
        }
        self.show_objects(full)
    }

    fn show_objects(&mut self, full: bool) -> Result<Show> {
        if self.eat_kw("DATABASES") || self.eat_kw("SCHEMAS") {
            return Ok(Show::Databases(self.show_filter()?));
        }
        if self.eat_kw("TABLES") {
            let schema = self.show_schema()?;
            return Ok(Show::Tables { schema, full, filter: self.show_filter()? });
        }
        if self.eat_kws(&["TABLE", "STATUS"]) {
            let schema = self.show_schema()?;
            return Ok(Show::TableStatus { schema, filter: self.show_filter()? });
        }
        if self.eat_kw("COLUMNS") || self.eat_kw("FIELDS") {
            let table = self.show_table()?;
            return Ok(Show::Columns { table, full, filter: self.show_filter()? });
        }
        if self.eat_kw("INDEX") || self.eat_kw("INDEXES") || self.eat_kw("KEYS") {
            let table = self.show_table()?;
            let filter = if self.is_kw("WHERE") { self.show_filter()? } else { None };
            return Ok(Show::Index { table, filter });
        }
        if self.eat_kw("PROCESSLIST") {
            return Ok(Show::ProcessList { full });
        }
        if self.eat_kw("WARNINGS") {
            return Ok(Show::Warnings { limit: self.show_limit()? });
        }
        if self.eat_kw("ERRORS") {
            return Ok(Show::Errors { limit: self.show_limit()? });
        }
        if self.eat_kws(&["CHARACTER", "SET"]) || self.eat_kws(&["CHAR", "SET"]) || self.eat_kw("CHARSET") {
            return Ok(Show::Charset(self.show_filter()?));
        }
        if self.eat_kw("COLLATION") {
            return Ok(Show::Collation(self.show_filter()?));
        }
        if self.eat_kw("GRANTS") {
            let user = if self.eat_kw("FOR") { Some(self.user_name()?) } else { None };
            let roles = if user.is_some() && self.eat_kw("USING") {
                self.list(Parser::user_name)?
            } else {
                Vec::new()
            };
            return Ok(Show::Grants(user, roles));
        }
        if self.eat_kw("ENGINE") {
            let name = self.ident_or_text()?;
            return match self.eat_any(&["STATUS", "MUTEX", "LOGS"]) {
                Some(what) => Ok(Show::Engine { name, status: what == "STATUS" }),
                None => Err(self.unexpected()),
            };
        }
        if let Some(nothing) = self.show_nothing()? {
            return Ok(nothing);
        }
        self.eat_kw("STORAGE");
        if self.eat_kw("ENGINES") {
            return Ok(Show::Engines);
        }
        if self.eat_kw("PLUGINS") {
            return Ok(Show::Plugins);
        }
        if self.eat_kw("PRIVILEGES") {
            return Ok(Show::Privileges);
        }
        Err(self.refuse_show())
    }

    /// Triggers, events and stored programs: there are none.
    fn show_nothing(&mut self) -> Result<Option<Show>> {
        const CHARSETS: [&str; 3] = ["character_set_client", "collation_connection", "Database Collation"];
        const TRIGGERS: &[&str] = &[
            "Trigger",
            "Event",
            "Table",
            "Statement",
            "Timing",
            "Created",
            "sql_mode",
            "Definer",
            CHARSETS[0],
            CHARSETS[1],
            CHARSETS[2],
        ];
        const EVENTS: &[&str] = &[
            "Db",
            "Name",
            "Definer",
            "Time zone",
            "Type",
            "Execute at",
            "Interval value",
            "Interval field",
            "Starts",
            "Ends",
            "Status",
            "Originator",
            CHARSETS[0],
            CHARSETS[1],
            CHARSETS[2],
        ];
        const PROGRAMS: &[&str] = &[
            "Db",
            "Name",
            "Type",
            "Language",
            "Definer",
            "Modified",
            "Created",
            "Security_type",
            "Comment",
            CHARSETS[0],
            CHARSETS[1],
            CHARSETS[2],
        ];
        let (columns, in_schema) = if self.eat_kw("TRIGGERS") {
            (TRIGGERS, true)
        } else if self.eat_kw("EVENTS") {
            (EVENTS, true)
        } else if self.eat_kws(&["PROCEDURE", "STATUS"]) || self.eat_kws(&["FUNCTION", "STATUS"]) {
            (PROGRAMS, false)
        } else {
            return Ok(None);
        };
        let named = in_schema && self.show_schema()?.is_some();
        self.show_filter()?;
        Ok(Some(Show::Nothing { columns, in_schema: in_schema && !named }))
    }

    fn refuse_show(&self) -> crate::error::SqlError {
        const OTHERS: &[&str] = &[
            "BINARY",
            "BINLOG",
            "FUNCTION",
            "MASTER",
            "OPEN",
            "PROCEDURE",
            "PROFILE",
            "PROFILES",
            "RELAYLOG",
            "REPLICA",
            "REPLICAS",
            "SLAVE",
            "PARSE_TREE",
            "LIBRARY",
        ];
        match OTHERS.iter().find(|w| self.is_kw(w)) {
            Some(word) => unsupported(format_args!("SHOW {word}")),
            None => self.unexpected(),
        }
    }

    fn show_create(&mut self) -> Result<Show> {
        if self.eat_kw("TABLE") {
            return Ok(Show::CreateTable(self.table_name()?));
        }
        if self.eat_kw("DATABASE") || self.eat_kw("SCHEMA") {
            let if_not_exists = self.if_not_exists()?;
            return Ok(Show::CreateDatabase { name: self.ident()?, if_not_exists });
        }
        if self.eat_kw("USER") {
            return Ok(Show::CreateUser(self.user_name()?));
        }
        if self.eat_kw("VIEW") {
            return Ok(Show::CreateView(self.table_name()?));
        }
        for word in ["PROCEDURE", "FUNCTION", "TRIGGER", "EVENT", "LIBRARY"] {
            if self.is_kw(word) {
                return Err(unsupported(format_args!("SHOW CREATE {word}")));
            }
        }
        Err(self.unexpected())
    }

    fn show_schema(&mut self) -> Result<Option<String>> {
        if self.eat_kw("FROM") || self.eat_kw("IN") { self.ident().map(Some) } else { Ok(None) }
    }

    /// `FROM table [FROM schema]`
    fn show_table(&mut self) -> Result<crate::ast::TableName> {
        if !self.eat_kw("FROM") && !self.eat_kw("IN") {
            return Err(self.unexpected());
        }
        let mut table = self.table_name()?;
        if let Some(schema) = self.show_schema()? {
            table.schema = Some(schema);
        }
        Ok(table)
    }

    fn show_filter(&mut self) -> Result<Option<ShowFilter>> {
        if self.eat_kw("LIKE") {
            return Ok(Some(ShowFilter::Like(self.string()?)));
        }
        Ok(self.where_clause()?.map(ShowFilter::Where))
    }

    /// `LIMIT [offset,] count` as (offset, count).
    fn show_limit(&mut self) -> Result<Option<(u64, u64)>> {
        if !self.eat_kw("LIMIT") {
            return Ok(None);
        }
        let first = self.uint()?;
        if self.eat_op(Op::Comma) {
            return Ok(Some((first, self.uint()?)));
        }
        if self.eat_kw("OFFSET") {
            return Ok(Some((self.uint()?, first)));
        }
        Ok(Some((0, first)))
    }
}
