//! Statements that change the dictionary: databases, tables, indexes, accounts.

use super::{Expr, Query, TableName};

/// A column's type as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DataType {
    pub(crate) base: BaseType,
    /// Display width, length, precision or fractional digits: the first number in parentheses.
    pub(crate) len: Option<u64>,
    /// The second number.
    pub(crate) dec: Option<u64>,
    pub(crate) unsigned: bool,
    pub(crate) zerofill: bool,
    pub(crate) charset: Option<String>,
    pub(crate) collation: Option<String>,
    /// The BINARY attribute: the character set's `_bin` collation.
    pub(crate) binary: bool,
    /// The words of ENUM and SET.
    pub(crate) words: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BaseType {
    TinyInt,
    SmallInt,
    MediumInt,
    Int,
    BigInt,
    Decimal,
    Float,
    Double,
    Char,
    VarChar,
    TinyText,
    Text,
    MediumText,
    LongText,
    Binary,
    VarBinary,
    TinyBlob,
    Blob,
    MediumBlob,
    LongBlob,
    Date,
    Time,
    DateTime,
    Timestamp,
    Year,
    Bit,
    Json,
    Enum,
    Set,
}

/// A DEFAULT clause.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ColumnDefault {
    /// A literal (or NULL, or a signed number).
    Value(Expr),
    /// CURRENT_TIMESTAMP(fsp)
    Now(u8),
    /// `(expression)`, computed for each row.
    Expression(Expr),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ColumnDef {
    pub(crate) name: String,
    pub(crate) data_type: DataType,
    /// `None`: neither NULL nor NOT NULL was said.
    pub(crate) nullable: Option<bool>,
    pub(crate) default: Option<ColumnDefault>,
    /// ON UPDATE CURRENT_TIMESTAMP(fsp)
    pub(crate) on_update: Option<u8>,
    pub(crate) auto_increment: bool,
    pub(crate) primary: bool,
    pub(crate) unique: bool,
    pub(crate) comment: String,
    /// GENERATED ALWAYS AS (expression), and whether STORED.
    pub(crate) generated: Option<(Expr, bool)>,
    /// CHECK behind the column; the parser moves them to the table.
    pub(crate) checks: Vec<CheckDef>,
}

/// `[CONSTRAINT name] CHECK (expression) [[NOT] ENFORCED]`
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CheckDef {
    pub(crate) name: Option<String>,
    pub(crate) expr: Expr,
    pub(crate) enforced: bool,
    /// The column behind which it stands: it may name no other.
    pub(crate) column: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IndexKind {
    Primary,
    Unique,
    Plain,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct KeyPart {
    pub(crate) column: String,
    /// `column(n)`: only the first n characters.
    pub(crate) prefix: Option<u32>,
    pub(crate) desc: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct IndexDef {
    pub(crate) kind: IndexKind,
    pub(crate) name: Option<String>,
    pub(crate) parts: Vec<KeyPart>,
    pub(crate) comment: String,
}

pub(crate) use engine::ForeignKeyAction;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ForeignKeyDef {
    /// CONSTRAINT name
    pub(crate) name: Option<String>,
    /// FOREIGN KEY name (...)
    pub(crate) index: Option<String>,
    pub(crate) columns: Vec<String>,
    pub(crate) parent: TableName,
    pub(crate) parent_columns: Vec<String>,
    pub(crate) on_delete: ForeignKeyAction,
    pub(crate) on_update: ForeignKeyAction,
}

/// An index or constraint clause.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum TableElement {
    Index(IndexDef),
    ForeignKey(ForeignKeyDef),
    Check(CheckDef),
}

/// Table options; those with a meaning here.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct TableOptions {
    pub(crate) engine: Option<String>,
    pub(crate) charset: Option<String>,
    pub(crate) collation: Option<String>,
    pub(crate) auto_increment: Option<u64>,
    pub(crate) comment: Option<String>,
    pub(crate) row_format: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CreateTable {
    pub(crate) table: TableName,
    pub(crate) if_not_exists: bool,
    /// CREATE TABLE ... LIKE other
    pub(crate) like: Option<TableName>,
    pub(crate) columns: Vec<ColumnDef>,
    pub(crate) indexes: Vec<IndexDef>,
    pub(crate) foreign_keys: Vec<ForeignKeyDef>,
    pub(crate) checks: Vec<CheckDef>,
    pub(crate) options: TableOptions,
    /// CREATE TABLE ... SELECT: its columns and rows.
    pub(crate) select: Option<Box<Query>>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum AlterAction {
    AddIndex(IndexDef),
    DropIndex(String),
    AddForeignKey(ForeignKeyDef),
    DropForeignKey(String),
    DropPrimaryKey,
    AddCheck(CheckDef),
    DropCheck(String),
    /// DROP CONSTRAINT, whatever sort it is.
    DropConstraint(String),
    AlterCheck {
        name: String,
        enforced: bool,
        /// ALTER CONSTRAINT
        any: bool,
    },
    RenameIndex {
        from: String,
        to: String,
    },
    AddColumn(Box<ColumnDef>, Place),
    DropColumn(String),
    /// CHANGE, or MODIFY, which keeps the name.
    ChangeColumn {
        name: String,
        to: Box<ColumnDef>,
        place: Place,
    },
    RenameColumn {
        from: String,
        to: String,
    },
    /// ALTER COLUMN: SET DEFAULT, or DROP DEFAULT.
    ColumnDefault {
        name: String,
        default: Option<ColumnDefault>,
    },
    RenameTable(TableName),
    /// CONVERT TO CHARACTER SET: of the columns, and the table's own.
    Convert {
        charset: Option<String>,
        collation: Option<String>,
    },
    Options(Box<TableOptions>),
    /// DISABLE KEYS, ENABLE KEYS: what dumps say around their rows; InnoDB has it not and notes so.
    Keys,
    /// FORCE: every row is written anew.
    Force,
    /// ALGORITHM = COPY: and the rows are told.
    Copy,
    /// ALGORITHM = INPLACE or INSTANT.
    Algorithm(Algorithm),
    /// LOCK = NONE, SHARED or EXCLUSIVE.
    Lock(DdlLock),
}

/// How ALTER TABLE may work at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Inplace,
    Instant,
}

/// Whom ALTER TABLE may keep out at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DdlLock {
    None,
    Shared,
    Exclusive,
}

impl AlterAction {
    pub(crate) fn is_foreign_key(&self) -> bool {
        matches!(self, AlterAction::AddForeignKey(_) | AlterAction::DropForeignKey(_))
    }
}

impl From<TableElement> for AlterAction {
    fn from(element: TableElement) -> AlterAction {
        match element {
            TableElement::Index(index) => AlterAction::AddIndex(index),
            TableElement::ForeignKey(key) => AlterAction::AddForeignKey(key),
            TableElement::Check(check) => AlterAction::AddCheck(check),
        }
    }
}

/// Where an added or changed column goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// Where it was; a new one at the end.
    Same,
    First,
    After(String),
}

/// ALGORITHM of a view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ViewAlgorithm {
    Undefined,
    Merge,
    TempTable,
}

/// CREATE VIEW, or ALTER VIEW.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CreateView {
    pub(crate) name: TableName,
    /// Empty: the query's own names.
    pub(crate) columns: Vec<String>,
    pub(crate) query: Query,
    pub(crate) algorithm: ViewAlgorithm,
    /// `None`: who says it.
    pub(crate) definer: Option<super::UserName>,
    /// SQL SECURITY INVOKER
    pub(crate) invoker: bool,
    pub(crate) check: crate::bind::view::CheckOption,
    /// OR REPLACE
    pub(crate) replace: bool,
    /// ALTER: it must be there.
    pub(crate) alter: bool,
    pub(crate) if_not_exists: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Ddl {
    CreateDatabase {
        name: String,
        if_not_exists: bool,
        charset: Option<String>,
        collation: Option<String>,
    },
    DropDatabase {
        name: String,
        if_exists: bool,
    },
    CreateTable(Box<CreateTable>),
    DropTable {
        tables: Vec<TableName>,
        if_exists: bool,
    },
    Truncate(TableName),
    CreateIndex {
        table: TableName,
        index: IndexDef,
    },
    AlterTable {
        table: TableName,
        actions: Vec<AlterAction>,
    },
    AlterDatabase {
        /// `None`: the default one.
        name: Option<String>,
        charset: Option<String>,
        collation: Option<String>,
    },
    RenameTables(Vec<(TableName, TableName)>),
    CreateView(Box<CreateView>),
    DropView {
        views: Vec<TableName>,
        if_exists: bool,
    },
    /// Users, roles, privileges.
    Account(Box<super::AccountStatement>),
    AnalyzeTable(Vec<TableName>),
    CheckTable(Vec<TableName>),
}
