//! An account's record: docs/formats/account.md.
//!
//! Roles are accounts too. Names of schemas may hold LIKE's wildcards, as MySQL's do. Version 1 had all privileges or none and is still read.

use super::privilege::{DYNAMIC, Privileges};
use crate::ast::UserName;
use crate::error::{Result, SqlError};
use std::collections::{BTreeMap, BTreeSet};

const VERSION: u8 = 2;
const LOCKED: u8 = 1;
const ROLE: u8 = 2;
const EXPIRED: u8 = 4;
const NEEDS_TLS: u8 = 8;

/// The default authentication plugin.
pub(crate) const DEFAULT_PLUGIN: &str = "caching_sha2_password";
/// The other one.
pub(crate) const NATIVE_PLUGIN: &str = "mysql_native_password";

/// How long a password is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Lifetime {
    /// default_password_lifetime, which is 0: for ever.
    #[default]
    Default,
    /// For ever.
    Never,
    /// So many days.
    Days(u16),
}

/// One account.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Record {
    pub(crate) locked: bool,
    /// Made by CREATE ROLE.
    pub(crate) role: bool,
    /// PASSWORD EXPIRE
    pub(crate) expired: bool,
    /// REQUIRE SSL
    pub(crate) needs_tls: bool,
    pub(crate) plugin: String,
    /// authentication_string, as MySQL stores it; empty for no password.
    pub(crate) hash: Vec<u8>,
    pub(crate) lifetime: Lifetime,
    /// When the password was set, seconds since 1970.
    pub(crate) password_set: u64,
    /// On `*.*`.
    pub(crate) global: Privileges,
    /// Dynamic ones, and whether they may be given on.
    pub(crate) dynamic: BTreeMap<String, bool>,
    /// On `schema.*`.
    pub(crate) schemas: BTreeMap<String, Privileges>,
    /// On `schema.table`.
    pub(crate) tables: BTreeMap<(String, String), Privileges>,
    /// Roles it may act in, and whether it may give them on.
    pub(crate) roles: BTreeMap<UserName, bool>,
    /// Roles it acts in from the start.
    pub(crate) default_roles: BTreeSet<UserName>,
}

impl Record {
    /// An account that may log in and nothing else.
    pub(crate) fn new(plugin: &str, hash: Vec<u8>) -> Self {
        Self { plugin: plugin.to_owned(), hash, ..Self::default() }
    }

    /// The first account of a new volume.
    pub(crate) fn root() -> Self {
        let mut root = Self::new(DEFAULT_PLUGIN, Vec::new());
        root.grant_all(true);
        root
    }

    /// ALL PRIVILEGES ON *.*
    pub(crate) fn grant_all(&mut self, option: bool) {
        self.global = self.global.with(Privileges::ALL);
        if option {
            self.global = self.global.with(Privileges::GRANT_OPTION);
        }
        for name in DYNAMIC {
            *self.dynamic.entry((*name).to_owned()).or_default() |= option;
        }
    }

    /// Takes the privileges of a role too.
    pub(crate) fn join(&mut self, role: &Record) {
        self.global = self.global.with(role.global);
        for (name, option) in &role.dynamic {
            *self.dynamic.entry(name.clone()).or_default() |= option;
        }
        for (schema, privileges) in &role.schemas {
            let mine = self.schemas.entry(schema.clone()).or_default();
            *mine = mine.with(*privileges);
        }
        for (table, privileges) in &role.tables {
            let mine = self.tables.entry(table.clone()).or_default();
            *mine = mine.with(*privileges);
        }
    }

    /// What it holds on everything in the schema.
    pub(crate) fn on_schema(&self, schema: &str) -> Privileges {
        let matching = self.schemas.iter().filter(|(pattern, _)| covers(pattern, schema));
        matching.fold(self.global, |sum, (_, privileges)| sum.with(*privileges))
    }

    /// What it holds on the table.
    pub(crate) fn on_table(&self, schema: &str, table: &str) -> Privileges {
        let own = self.tables.iter().find(|((s, t), _)| s == schema && t == table);
        own.map_or(Privileges::NONE, |(_, privileges)| *privileges).with(self.on_schema(schema))
    }

    /// Does it hold anything in the schema?
    pub(crate) fn may_use(&self, schema: &str) -> bool {
        schema.eq_ignore_ascii_case("information_schema")
            || self.on_schema(schema).without(GLOBAL_ONLY) != Privileges::NONE
            || self.tables.keys().any(|(s, _)| s == schema)
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let flags =
            [(self.locked, LOCKED), (self.role, ROLE), (self.expired, EXPIRED), (self.needs_tls, NEEDS_TLS)];
        let flags = flags.iter().filter(|(on, _)| *on).fold(0, |sum, (_, bit)| sum | bit);
        let mut out = vec![VERSION, flags];
        put(&mut out, self.plugin.as_bytes());
        put(&mut out, &self.hash);
        let days = match self.lifetime {
            Lifetime::Default => u16::MAX,
            Lifetime::Never => 0,
            Lifetime::Days(days) => days,
        };
        out.extend_from_slice(&days.to_le_bytes());
        out.extend_from_slice(&self.password_set.to_le_bytes());
        out.extend_from_slice(&self.global.0.to_le_bytes());
        count(&mut out, self.dynamic.len());
        for (name, option) in &self.dynamic {
            put(&mut out, name.as_bytes());
            out.push((*option).into());
        }
        count(&mut out, self.schemas.len());
        for (name, privileges) in &self.schemas {
            put(&mut out, name.as_bytes());
            out.extend_from_slice(&privileges.0.to_le_bytes());
        }
        count(&mut out, self.tables.len());
        for ((schema, table), privileges) in &self.tables {
            put(&mut out, schema.as_bytes());
            put(&mut out, table.as_bytes());
            out.extend_from_slice(&privileges.0.to_le_bytes());
        }
        count(&mut out, self.roles.len());
        for (role, admin) in &self.roles {
            put_name(&mut out, role);
            out.push((*admin).into());
        }
        count(&mut out, self.default_roles.len());
        for role in &self.default_roles {
            put_name(&mut out, role);
        }
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self> {
        let mut input = Input { rest: bytes };
        let record = match input.u8() {
            Some(1) => parse_first(&mut input),
            Some(VERSION) => parse(&mut input),
            _ => None,
        };
        record
            .filter(|_| input.rest.is_empty())
            .ok_or_else(|| SqlError::new(1805, "An account's record in the dictionary is damaged"))
    }
}

/// Privileges of `*.*` that say nothing about a schema.
const GLOBAL_ONLY: Privileges =
    Privileges(Privileges::ALL.without(Privileges::SCHEMA).0 | Privileges::GRANT_OPTION.0);

/// Does a granted schema name, with its wildcards, mean `schema`?
pub(crate) fn covers(pattern: &str, schema: &str) -> bool {
    if !pattern.contains(['%', '_', '\\']) {
        return pattern == schema;
    }
    let wild = values::like::Pattern::new(pattern.as_bytes(), Some('\\'), values::Collation::UTF8MB4_BIN);
    wild.matches(schema.as_bytes())
}

fn count(out: &mut Vec<u8>, n: usize) {
    out.extend_from_slice(&(n as u16).to_le_bytes());
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    count(out, bytes.len());
    out.extend_from_slice(bytes);
}

fn put_name(out: &mut Vec<u8>, name: &UserName) {
    put(out, name.user.as_bytes());
    put(out, name.host.as_bytes());
}

struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.rest.split_at_checked(n)?;
        self.rest = tail;
        Some(head)
    }

    fn u8(&mut self) -> Option<u8> {
        Some(self.take(1)?[0])
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes(self.take(2)?.try_into().ok()?))
    }

    fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let n = self.u16()?;
        self.take(n.into())
    }

    fn text(&mut self) -> Option<String> {
        std::str::from_utf8(self.bytes()?).ok().map(str::to_owned)
    }

    fn name(&mut self) -> Option<UserName> {
        Some(UserName { user: self.text()?, host: self.text()? })
    }

    fn each(&mut self, mut read: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        for _ in 0..self.u16()? {
            read(self)?;
        }
        Some(())
    }
}

fn parse(input: &mut Input<'_>) -> Option<Record> {
    let flags = input.u8()?;
    let mut record = Record::new(&input.text()?, input.bytes()?.to_vec());
    record.locked = flags & LOCKED != 0;
    record.role = flags & ROLE != 0;
    record.expired = flags & EXPIRED != 0;
    record.needs_tls = flags & NEEDS_TLS != 0;
    record.lifetime = match input.u16()? {
        u16::MAX => Lifetime::Default,
        0 => Lifetime::Never,
        days => Lifetime::Days(days),
    };
    record.password_set = input.u64()?;
    record.global = Privileges(input.u64()?);
    input.each(|i| {
        let name = i.text()?;
        record.dynamic.insert(name, i.u8()? != 0);
        Some(())
    })?;
    input.each(|i| {
        let name = i.text()?;
        record.schemas.insert(name, Privileges(i.u64()?));
        Some(())
    })?;
    input.each(|i| {
        let table = (i.text()?, i.text()?);
        record.tables.insert(table, Privileges(i.u64()?));
        Some(())
    })?;
    input.each(|i| {
        let role = i.name()?;
        record.roles.insert(role, i.u8()? != 0);
        Some(())
    })?;
    input.each(|i| {
        record.default_roles.insert(i.name()?);
        Some(())
    })?;
    Some(record)
}

/// Version 1: flags, global (1 all, 2 grant option), plugin with a one-byte length, hash, schemas with the same bits.
fn parse_first(input: &mut Input<'_>) -> Option<Record> {
    let (flags, global) = (input.u8()?, input.u8()?);
    let n = input.u8()?;
    let plugin = std::str::from_utf8(input.take(n.into())?).ok()?.to_owned();
    let mut record = Record::new(&plugin, input.bytes()?.to_vec());
    record.locked = flags & LOCKED != 0;
    if global & 1 != 0 {
        record.grant_all(global & 2 != 0);
    }
    input.each(|i| {
        let name = i.text()?;
        let bits = i.u8()?;
        let all = if bits & 1 != 0 { Privileges::SCHEMA } else { Privileges::NONE };
        let option = if bits & 2 != 0 { Privileges::GRANT_OPTION } else { Privileges::NONE };
        record.schemas.insert(name, all.with(option));
        Some(())
    })?;
    Some(record)
}
