//! Scalar functions: one table per theme, found by name when a statement is bound, called through a function pointer when it runs.
//!
//! 1. `infer` gives the result's type from the arguments' types (arguments are bound already); it may refuse them.
//! 2. `eval` gets the arguments unevaluated (IF and COALESCE need only some) and the inferred type; its value is of that type's class, or NULL.
//! 3. `volatile` functions give another value each time; all others are constant over constant arguments and may be answered by an index.

mod address;
pub(crate) mod aggregate;
pub(crate) mod cipher;
pub(crate) mod control;
pub(crate) mod hybrid;
pub(crate) mod interval;
pub(crate) mod json;
pub(crate) mod numeric;
pub(crate) mod regexp;
mod session;
mod shown;
mod string;
mod temporal;

use crate::error::{Result, SqlError, wrong_param_count};
use crate::expr::{Eval, Ty, Typed};
use crate::session::context::Context;
use values::{Collation, Value};

/// What `infer` may look at besides the arguments.
pub(crate) struct Infer<'a> {
    /// collation_connection: of text made from numbers.
    pub(crate) collation: Collation,
    pub(crate) context: &'a Context,
}

/// A function.
pub(crate) struct Function {
    /// Lower case.
    pub(crate) name: &'static str,
    pub(crate) min: u8,
    /// [`ANY`]: no limit.
    pub(crate) max: u8,
    pub(crate) volatile: bool,
    pub(crate) infer: fn(&mut [Typed], &Infer<'_>) -> Result<Ty>,
    pub(crate) eval: fn(&[Typed], &Ty, &mut Eval<'_>) -> Result<Value>,
}

impl PartialEq for Function {
    fn eq(&self, other: &Function) -> bool {
        self.name == other.name
    }
}

impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// No limit to the number of arguments.
pub(crate) const ANY: u8 = u8::MAX;

/// `name, min..=max, infer, eval` as a row of a table.
pub(crate) const fn function(
    name: &'static str,
    min: u8,
    max: u8,
    infer: fn(&mut [Typed], &Infer<'_>) -> Result<Ty>,
    eval: fn(&[Typed], &Ty, &mut Eval<'_>) -> Result<Value>,
) -> Function {
    Function { name, min, max, volatile: false, infer, eval }
}

/// The same, for functions that give another value each time.
pub(crate) const fn volatile(
    name: &'static str,
    min: u8,
    max: u8,
    infer: fn(&mut [Typed], &Infer<'_>) -> Result<Ty>,
    eval: fn(&[Typed], &Ty, &mut Eval<'_>) -> Result<Value>,
) -> Function {
    Function { name, min, max, volatile: true, infer, eval }
}

/// The function of this name for so many arguments. 1305: no such function; 1582: the wrong number of arguments.
pub(crate) fn lookup(name: &str, args: usize, schema: Option<&str>) -> Result<&'static Function> {
    let tables: [&[Function]; 10] = [
        control::FUNCTIONS,
        session::FUNCTIONS,
        string::FUNCTIONS,
        numeric::FUNCTIONS,
        temporal::FUNCTIONS,
        regexp::FUNCTIONS,
        address::FUNCTIONS,
        cipher::FUNCTIONS,
        shown::FUNCTIONS,
        json::FUNCTIONS,
    ];
    let found = tables.into_iter().flatten().find(|f| f.name.eq_ignore_ascii_case(name));
    let Some(function) = found else {
        if KNOWN_TO_MYSQL.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            return Err(crate::error::unsupported(format_args!("function {}", name.to_uppercase())));
        }
        return Err(match schema {
            Some(schema) => SqlError::new(1305, format!("FUNCTION {schema}.{name} does not exist")),
            None => SqlError::new(1046, "No database selected"),
        });
    };
    if args < usize::from(function.min) || (function.max != ANY && args > usize::from(function.max)) {
        return Err(wrong_param_count(name));
    }
    Ok(function)
}

/// Functions that MySQL has and this server has not: refused by name instead of "does not exist".
#[rustfmt::skip]
const KNOWN_TO_MYSQL: &[&str] = &[
    "can_access_column", "can_access_database", "can_access_table", "can_access_user", "can_access_view",
    "can_access_event", "can_access_routine", "can_access_trigger", "can_access_resource_group", "compress",
    "uncompress", "uncompressed_length", "extractvalue", "updatexml", "gtid_subset", "gtid_subtract", "wait_for_executed_gtid_set",
   
    "json_merge",
    "json_schema_valid", "json_schema_validation_report",
    "json_storage_free",
    "json_value", "json_table",
    "master_pos_wait", "source_pos_wait", "roles_graphml", "current_role", "st_astext", "st_geomfromtext",
    "statement_digest", "statement_digest_text", "sleep", "row_number", "rank", "dense_rank", "percent_rank",
    "cume_dist", "ntile", "first_value", "last_value", "nth_value", "lag", "lead", "benchmark", "icu_version",
    "ps_current_thread_id", "ps_thread_id", "internal_table_rows",
];
