//! What the session's account may do: everything, or everything in some schemas.
//!
//! The account is read at the first statement and again when any account changed; the check of a statement is then a lookup in memory.

use super::Session;
use crate::account;
use crate::ast::Ddl;
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
        let account = account::exactly(&self.server.engine.dictionary(), user, host).await?;
        self.privileges = Some((version, account));
        Ok(())
    }

    pub(super) fn accounts_changed(&self) {
        self.server.accounts_version.fetch_add(1, Ordering::AcqRel);
    }

    /// 1044 unless the account may use `schema`.
    pub(crate) fn may_use(&self, schema: &str) -> Result<()> {
        let account = self.privileges.as_ref().and_then(|(_, account)| account.as_ref());
        if account.is_some_and(|a| a.may_use(schema)) || schema == SCHEMA {
            return Ok(());
        }
        let (user, host) = &self.context.account;
        Err(SqlError::new(1044, format!("Access denied for user '{user}'@'{host}' to database '{schema}'")))
    }

    /// 1227 unless the account may do everything.
    pub(super) async fn may_administer(&mut self, privilege: &str) -> Result<()> {
        self.read_privileges().await?;
        if self.privileges.as_ref().and_then(|(_, a)| a.as_ref()).is_some_and(account::Account::is_superuser)
        {
            return Ok(());
        }
        Err(SqlError::new(
            1227,
            format!(
                "Access denied; you need (at least one of) the {privilege} privilege(s) for this operation"
            ),
        ))
    }

    /// The gate of DDL; account statements have their own.
    pub(super) async fn may_change(&mut self, ddl: &Ddl) -> Result<()> {
        self.read_privileges().await?;
        match ddl {
            Ddl::CreateDatabase { name, .. } | Ddl::DropDatabase { name, .. } => self.may_use(name),
            Ddl::CreateTable(create) => self.may_use(&self.schema_of(&create.table)?),
            Ddl::DropTable { tables, .. } | Ddl::AnalyzeTable(tables) | Ddl::CheckTable(tables) => {
                tables.iter().try_for_each(|t| self.may_use(&self.schema_of(t)?))
            }
            Ddl::Truncate(table) | Ddl::CreateIndex { table, .. } | Ddl::AlterTable { table, .. } => {
                self.may_use(&self.schema_of(table)?)
            }
            _ => Ok(()),
        }
    }
}
