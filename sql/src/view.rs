//! What the dictionary keeps of a view (docs/formats/dictionary.md): sealed, so a version byte and a CRC.

use crate::ast::ViewAlgorithm;
use crate::bind::view::CheckOption;
use crate::error::SqlError;
use crate::exec::virtual_rows::detached;
use bytes::Bytes;
use engine::{ColumnDef, TableDef};
use protocol::wire::{seal, unseal};
use protocol::wire_struct;
use values::ColumnType;

const VERSION: u8 = 1;

wire_struct! {
    /// A column as it was when the view was made: what SHOW COLUMNS and information_schema tell.
    pub struct ShownColumn {
        /// Name.
        pub name: String,
        /// `ColumnType::encode`.
        pub ty: Bytes,
        /// NULL allowed.
        pub nullable: bool,
    }
}

wire_struct! {
    /// A view.
    pub struct Record {
        /// The canonical query.
        pub query: String,
        /// The names that CREATE VIEW gave; empty: the query's own.
        pub columns: Vec<String>,
        /// 0 UNDEFINED, 1 MERGE, 2 TEMPTABLE.
        pub algorithm: u8,
        /// SQL SECURITY INVOKER.
        pub invoker: bool,
        /// 0 none, 1 LOCAL, 2 CASCADED.
        pub check: u8,
        /// Rows can be changed through it.
        pub updatable: bool,
        /// The definer's user.
        pub user: String,
        /// The definer's host.
        pub host: String,
        /// character_set_client when it was made.
        pub charset: String,
        /// collation_connection when it was made.
        pub collation: String,
        /// When it was made, microseconds since 1970.
        pub created_us: u64,
        /// Its columns.
        pub shown: Vec<ShownColumn>,
    }
}

fn damaged() -> SqlError {
    SqlError::new(1105, "the dictionary's record of a view is damaged")
}

impl ShownColumn {
    pub(crate) fn of(column: &ColumnDef) -> ShownColumn {
        ShownColumn { name: column.name.clone(), ty: column.ty.encode().into(), nullable: column.nullable }
    }
}

impl Record {
    pub(crate) fn encode(&self) -> Vec<u8> {
        seal(VERSION, self).to_vec()
    }

    /// 1105 for bytes that are none.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Record, SqlError> {
        unseal(VERSION, &Bytes::copy_from_slice(bytes)).map_err(|_| damaged())
    }

    pub(crate) fn algorithm(&self) -> ViewAlgorithm {
        match self.algorithm {
            1 => ViewAlgorithm::Merge,
            2 => ViewAlgorithm::TempTable,
            _ => ViewAlgorithm::Undefined,
        }
    }

    pub(crate) fn set_algorithm(&mut self, algorithm: ViewAlgorithm) {
        self.algorithm = match algorithm {
            ViewAlgorithm::Undefined => 0,
            ViewAlgorithm::Merge => 1,
            ViewAlgorithm::TempTable => 2,
        };
    }

    pub(crate) fn algorithm_name(&self) -> &'static str {
        match self.algorithm() {
            ViewAlgorithm::Undefined => "UNDEFINED",
            ViewAlgorithm::Merge => "MERGE",
            ViewAlgorithm::TempTable => "TEMPTABLE",
        }
    }

    pub(crate) fn check(&self) -> CheckOption {
        match self.check {
            1 => CheckOption::Local,
            2 => CheckOption::Cascaded,
            _ => CheckOption::None,
        }
    }

    pub(crate) fn set_check(&mut self, check: CheckOption) {
        self.check = match check {
            CheckOption::None => 0,
            CheckOption::Local => 1,
            CheckOption::Cascaded => 2,
        };
    }

    /// CHECK_OPTION of information_schema.
    pub(crate) fn check_name(&self) -> &'static str {
        match self.check() {
            CheckOption::None => "NONE",
            CheckOption::Local => "LOCAL",
            CheckOption::Cascaded => "CASCADED",
        }
    }

    /// Its columns as those of a table in which nothing is stored.
    pub(crate) fn definition(&self, schema: &str, name: &str) -> Result<TableDef, SqlError> {
        let mut columns = Vec::with_capacity(self.shown.len());
        for column in &self.shown {
            let ty = ColumnType::decode(&column.ty).ok_or_else(damaged)?;
            columns.push((column.name.as_str(), ty, column.nullable));
        }
        Ok(detached(schema, name, columns.into_iter()))
    }
}
