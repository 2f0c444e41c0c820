//! An account's record: docs/formats/account.md.
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 1 | version, 1 |
//! | 1 | 1 | flags: 1 locked |
//! | 2 | 1 | global privileges: 1 all, 2 grant option |
//! | 3 | 1 + n | plugin's name: length, bytes |
//! | | 2 + n | authentication string: length (little endian), bytes |
//! | | 2 | number of schemas with privileges |
//! | | | each: 2 + n name, 1 privileges |

use crate::error::{Result, SqlError};
use std::collections::BTreeMap;

const VERSION: u8 = 1;
const LOCKED: u8 = 1;

/// The default authentication plugin.
pub(crate) const DEFAULT_PLUGIN: &str = "caching_sha2_password";
/// The other one.
pub(crate) const NATIVE_PLUGIN: &str = "mysql_native_password";

/// What an account may do on a schema, or on everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Privileges {
    /// ALL PRIVILEGES
    pub(crate) all: bool,
    /// WITH GRANT OPTION
    pub(crate) grant: bool,
}

impl Privileges {
    fn bits(self) -> u8 {
        u8::from(self.all) | u8::from(self.grant) << 1
    }

    fn of(bits: u8) -> Self {
        Self { all: bits & 1 != 0, grant: bits & 2 != 0 }
    }
}

/// One account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) locked: bool,
    pub(crate) plugin: String,
    /// authentication_string, as MySQL stores it; empty for no password.
    pub(crate) hash: Vec<u8>,
    /// On `*.*`.
    pub(crate) global: Privileges,
    /// On `schema.*`.
    pub(crate) schemas: BTreeMap<String, Privileges>,
}

impl Record {
    /// An account that may log in and nothing else.
    pub(crate) fn new(plugin: &str, hash: Vec<u8>) -> Self {
        let (plugin, global, schemas) = (plugin.to_owned(), Privileges::default(), BTreeMap::new());
        Self { locked: false, plugin, hash, global, schemas }
    }

    /// The first account of a new volume.
    pub(crate) fn root() -> Self {
        let global = Privileges { all: true, grant: true };
        Self { global, ..Self::new(DEFAULT_PLUGIN, Vec::new()) }
    }

    /// May it do things to the schema? Its own pseudo-schemas are everybody's.
    pub(crate) fn may_use(&self, schema: &str) -> bool {
        self.global.all
            || self.schemas.get(schema).is_some_and(|p| p.all)
            || schema.eq_ignore_ascii_case("information_schema")
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION, if self.locked { LOCKED } else { 0 }, self.global.bits()];
        out.push(self.plugin.len() as u8);
        out.extend_from_slice(self.plugin.as_bytes());
        put(&mut out, &self.hash);
        out.extend_from_slice(&(self.schemas.len() as u16).to_le_bytes());
        for (name, privileges) in &self.schemas {
            put(&mut out, name.as_bytes());
            out.push(privileges.bits());
        }
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self> {
        parse(bytes).ok_or_else(|| SqlError::new(1805, "An account's record in the dictionary is damaged"))
    }
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u16).to_le_bytes());
    out.extend_from_slice(bytes);
}

fn parse(mut rest: &[u8]) -> Option<Record> {
    let mut take = |n: usize| -> Option<&[u8]> {
        let (head, tail) = rest.split_at_checked(n)?;
        rest = tail;
        Some(head)
    };
    let &[version, flags, global, plugin_length] = take(4)? else { return None };
    if version != VERSION {
        return None;
    }
    let text = |bytes: &[u8]| std::str::from_utf8(bytes).ok().map(str::to_owned);
    let plugin = text(take(usize::from(plugin_length))?)?;
    let length = |bytes: &[u8]| Some(usize::from(u16::from_le_bytes(bytes.try_into().ok()?)));
    let n = length(take(2)?)?;
    let hash = take(n)?.to_vec();
    let mut schemas = BTreeMap::new();
    for _ in 0..length(take(2)?)? {
        let n = length(take(2)?)?;
        let name = text(take(n)?)?;
        schemas.insert(name, Privileges::of(take(1)?[0]));
    }
    rest.is_empty().then(|| Record {
        locked: flags & LOCKED != 0,
        plugin,
        hash,
        global: Privileges::of(global),
        schemas,
    })
}
