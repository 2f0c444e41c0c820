//! What the session's account may do, with the roles it acts in.
//!
//! The account is read at the first statement and again when any account changed; the check of a statement is then a lookup in memory. Plans of
//! prepared statements are made again when an account has changed, so a plan that is used was allowed.

use super::Session;
use crate::account::privilege::Privileges;
use crate::account::{self, Record};
use crate::ast::{
    AlterAction, Ddl, ForeignKeyDef, Insert, RoleChoice, Statement, TableExpr, TableName, UserName,
};
use crate::error::{Result, SqlError};
use crate::exec::virtual_rows::SCHEMA;
use std::sync::atomic::Ordering;

impl Session {
    /// Makes `privileges` current.
    pub(super) async fn read_privileges(&mut self) -> Result<()> {
        let version = self.server.accounts_version.load(Ordering::Acquire);
        if self.privileges.as_ref().is_some_and(|(read, _)| *read == version) {
            return Ok(());
        }
        let (user, host) = &self.context.account;
        let roles = self.roles_chosen.then_some(&self.context.roles);
        let found = account::exactly(&self.server.engine.dictionary(), user, host, roles).await?;
        let account = found.map(|(account, active)| {
            self.context.roles = active;
            account
        });
        self.privileges = Some((version, account));
        Ok(())
    }

    /// Must [`Session::read_privileges`] read?
    pub(super) fn privileges_are_stale(&self) -> bool {
        let version = self.server.accounts_version.load(Ordering::Acquire);
        self.privileges.as_ref().is_none_or(|(read, _)| *read != version)
    }

    pub(super) fn accounts_changed(&self) {
        self.server.accounts_version.fetch_add(1, Ordering::AcqRel);
    }

    /// The version of the accounts that the session knows.
    pub(super) fn accounts_seen(&self) -> u64 {
        self.privileges.as_ref().map_or(0, |(version, _)| *version)
    }

    fn account(&self) -> Option<&account::Account> {
        self.privileges.as_ref().and_then(|(_, account)| account.as_ref())
    }

    fn record(&self) -> Option<&Record> {
        self.account().map(account::Account::record)
    }

    /// 1820 while the password is expired and `statement` does not change it.
    pub(super) fn may_run(&self, statement: &Statement) -> Result<()> {
        if self.account().is_some_and(account::Account::never_expires) {
            return Ok(());
        }
        let now_s = u64::try_from(self.server.env.wall_us() / 1_000_000).unwrap_or(0);
        if !self.account().is_some_and(|account| account.is_expired(now_s)) {
            return Ok(());
        }
        use crate::ast::{AccountStatement, SessionStatement, SetItem};
        let changes = match statement {
            Statement::Ddl(ddl) => {
                matches!(&**ddl, Ddl::Account(a) if matches!(**a, AccountStatement::AlterUser { .. }))
            }
            // As in MySQL, SET of anything else is let through too.
            Statement::Session(s) => matches!(&**s, SessionStatement::Set(items)
                if items.iter().all(|item| !matches!(item, SetItem::Role(_) | SetItem::DefaultRole(_)))),
            _ => false,
        };
        if changes {
            return Ok(());
        }
        let text = "You must reset your password using ALTER USER statement before executing this statement.";
        Err(SqlError::new(1820, text))
    }

    /// Does the account hold all of `wanted` on everything?
    pub(super) fn holds_globally(&self, wanted: Privileges) -> bool {
        self.record().is_some_and(|record| record.global.has(wanted))
    }

    /// 1044 unless the account holds anything in `schema`.
    pub(crate) fn may_use(&self, schema: &str) -> Result<()> {
        if self.record().is_some_and(|record| record.may_use(schema)) || schema == SCHEMA {
            return Ok(());
        }
        self.denied_schema(schema)
    }

    fn denied_schema<T>(&self, schema: &str) -> Result<T> {
        let (user, host) = &self.context.account;
        Err(SqlError::new(1044, format!("Access denied for user '{user}'@'{host}' to database '{schema}'")))
    }

    /// 1142 unless the account holds all of `wanted` on the table.
    pub(crate) fn may(&self, wanted: Privileges, schema: &str, table: &str) -> Result<()> {
        let held = self.record().map_or(Privileges::NONE, |record| record.on_table(schema, table));
        // Everybody may look at the cluster, but not at what other clients say of themselves.
        let public = schema == SCHEMA && wanted == Privileges::SELECT && table != "session_connect_attrs";
        if held.has(wanted) || public {
            return Ok(());
        }
        let (user, host) = (&self.context.user, &self.context.host);
        let verb = wanted.without(held).name();
        Err(SqlError::new(
            1142,
            format!("{verb} command denied to user '{user}'@'{host}' for table '{table}'"),
        ))
    }

    /// What the account holds on the table.
    pub(super) fn holds_on(&self, schema: &str, table: &str) -> Privileges {
        self.record().map_or(Privileges::NONE, |record| record.on_table(schema, table))
    }

    /// 1142 unless the account holds anything on the table: it may know that it is there.
    pub(crate) fn may_see(&self, schema: &str, table: &str) -> Result<()> {
        let held = self.record().map_or(Privileges::NONE, |record| record.on_table(schema, table));
        if held.any(Privileges::TABLE) || schema == SCHEMA {
            return Ok(());
        }
        self.may(Privileges::SELECT, schema, table)
    }

    /// 1044 unless the account holds all of `wanted` on the schema.
    fn may_on_schema(&self, wanted: Privileges, schema: &str) -> Result<()> {
        match self.record() {
            Some(record) if record.on_schema(schema).has(wanted) => Ok(()),
            _ => self.denied_schema(schema),
        }
    }

    /// 1227 unless the account holds the privilege of this name, or SUPER (as MySQL words a list: `A or B`).
    pub(super) async fn may_administer(&mut self, names: &str) -> Result<()> {
        self.read_privileges().await?;
        let allowed = self.account().is_some_and(|account| {
            names
                .split(" or ")
                .any(|name| account.holds(Privileges::named(name).unwrap_or(Privileges::SUPER), name))
        });
        if allowed {
            return Ok(());
        }
        let text =
            format!("Access denied; you need (at least one of) the {names} privilege(s) for this operation");
        Err(SqlError::new(1227, text))
    }

    /// May the account see that this schema is there?
    pub(super) fn sees_schema(&self, schema: &str) -> bool {
        self.record()
            .is_some_and(|record| record.global.has(Privileges::SHOW_DATABASES) || record.may_use(schema))
    }

    /// The gate of writes to rows; reads are checked where a table's name is looked up.
    pub(super) fn may_write(&self, statement: &Statement) -> Result<()> {
        let reads = |reads: bool| if reads { Privileges::SELECT } else { Privileges::NONE };
        let (wanted, table) = match statement {
            Statement::Insert(insert) => (inserting(insert), &insert.table),
            Statement::Update(update) => match &update.tables {
                TableExpr::Table(table) => {
                    (Privileges::UPDATE.with(reads(update.filter.is_some())), &table.table)
                }
                // Over a join: the tables that are changed are known when it is bound.
                _ => return Ok(()),
            },
            Statement::Delete(delete) => match &delete.tables {
                TableExpr::Table(table) => {
                    (Privileges::DELETE.with(reads(delete.filter.is_some())), &table.table)
                }
                _ => return Ok(()),
            },
            _ => return Ok(()),
        };
        self.may(wanted, &self.schema_of(table)?, &table.name)
    }

    /// The gate of DDL; account statements have their own.
    pub(super) async fn may_change(&mut self, ddl: &Ddl) -> Result<()> {
        self.read_privileges().await?;
        use Privileges as P;
        let on = |wanted: P, table: &TableName| self.may(wanted, &self.schema_of(table)?, &table.name);
        let references = |child: &TableName, key: &ForeignKeyDef| {
            let schema = key.parent.schema.clone().or_else(|| child.schema.clone());
            on(P::REFERENCES, &TableName { schema, name: key.parent.name.clone() })
        };
        match ddl {
            Ddl::CreateDatabase { name, .. } => self.may_on_schema(P::CREATE, name),
            Ddl::DropDatabase { name, .. } => self.may_on_schema(P::DROP, name),
            Ddl::CreateTable(create) => {
                if let Some(like) = &create.like {
                    on(P::SELECT, like)?;
                }
                create.foreign_keys.iter().try_for_each(|key| references(&create.table, key))?;
                on(P::CREATE, &create.table)
            }
            Ddl::DropTable { tables, .. } => tables.iter().try_for_each(|table| on(P::DROP, table)),
            Ddl::AnalyzeTable(tables) => {
                tables.iter().try_for_each(|table| on(P::SELECT.with(P::INSERT), table))
            }
            Ddl::CheckTable(tables) => {
                tables.iter().try_for_each(|table| self.may_see(&self.schema_of(table)?, &table.name))
            }
            Ddl::CreateView(view) => {
                let replaces = if view.replace { P::DROP } else { P::NONE };
                on(P::CREATE_VIEW.with(replaces), &view.name)
            }
            Ddl::DropView { views, .. } => views.iter().try_for_each(|view| on(P::DROP, view)),
            Ddl::Truncate(table) => on(P::DROP, table),
            Ddl::CreateIndex { table, .. } => on(P::INDEX, table),
            Ddl::AlterTable { table, actions } => {
                on(P::ALTER, table)?;
                actions.iter().try_for_each(|action| match action {
                    AlterAction::AddForeignKey(key) => references(table, key),
                    AlterAction::RenameTable(to) => {
                        on(P::DROP, table)?;
                        on(P::CREATE.with(P::INSERT), to)
                    }
                    _ => Ok(()),
                })
            }
            Ddl::RenameTables(pairs) => pairs.iter().try_for_each(|(from, to)| {
                on(P::ALTER.with(P::DROP), from)?;
                on(P::CREATE.with(P::INSERT), to)
            }),
            Ddl::AlterDatabase { name, .. } => match (name, &self.context.schema) {
                (Some(name), _) => self.may_on_schema(P::ALTER, name),
                (None, Some(name)) => self.may_on_schema(P::ALTER, name),
                (None, None) => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// SET ROLE
    pub(super) async fn set_role(&mut self, choice: &RoleChoice) -> Result<()> {
        let (user, host) = self.context.account.clone();
        let dictionary = self.server.engine.dictionary();
        let Some(bytes) = dictionary.get_account(&user, &host).await? else { return Ok(()) };
        let own = Record::decode(&bytes)?;
        let name = UserName { user, host };
        self.context.roles = account::chosen(choice, &name, &own)?;
        self.roles_chosen = true;
        self.privileges = None;
        Ok(())
    }
}

fn inserting(insert: &Insert) -> Privileges {
    let replaces = if insert.replace { Privileges::DELETE } else { Privileges::NONE };
    let updates = if insert.on_duplicate.is_empty() { Privileges::NONE } else { Privileges::UPDATE };
    Privileges::INSERT.with(replaces).with(updates)
}
