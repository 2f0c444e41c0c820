//! Expressions as written.

/// `schema.table.column`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ColumnName {
    pub(crate) schema: Option<String>,
    pub(crate) table: Option<String>,
    pub(crate) name: String,
}

/// A literal, its text not yet converted.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Literal {
    Null,
    /// TRUE, FALSE.
    Bool(bool),
    /// Digits; more than u64 holds makes a DECIMAL.
    Int(u64),
    /// Digits with a point (or too many digits).
    Decimal(String),
    /// With an exponent; and its text.
    Float(f64, Box<str>),
    /// Bytes as the client sent them; `charset` from an introducer.
    Str {
        bytes: Vec<u8>,
        charset: Option<String>,
    },
    /// x'..' and b'..': binary strings that turn numbers in numeric context.
    Hex {
        bytes: Vec<u8>,
        charset: Option<String>,
        /// b'..': a signed number.
        bits: bool,
    },
    /// DATE'..'
    Date(String),
    /// TIME'..'
    Time(String),
    /// TIMESTAMP'..'
    Timestamp(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UnaryOp {
    Not,
    Neg,
    Plus,
    BitNot,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    IntDiv,
    Mod,
    BitAnd,
    BitOr,
    BitXor,
    Shl,
    Shr,
    Eq,
    NullSafeEq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    Xor,
}

impl BinaryOp {
    pub(crate) fn is_comparison(self) -> bool {
        use BinaryOp::*;
        matches!(self, Eq | NullSafeEq | Ne | Lt | Le | Gt | Ge)
    }
}

/// `IS [NOT] ...`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IsTest {
    Null,
    True,
    False,
    Unknown,
}

/// Units of INTERVAL, EXTRACT and TIMESTAMPDIFF.
pub(crate) use values::temporal::Unit;

/// The target of CAST and CONVERT.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum CastType {
    Signed,
    Unsigned,
    Char {
        len: Option<u32>,
        charset: Option<String>,
    },
    Binary {
        len: Option<u32>,
    },
    Decimal {
        precision: u8,
        scale: u8,
    },
    Float,
    Double,
    Date,
    Time {
        fsp: u8,
    },
    DateTime {
        fsp: u8,
    },
    Year,
    Json,
    /// The expression's own type: never written, what a set operation does with its columns.
    Fit,
    /// The same, 1406 for text that is longer: what a recursive common table expression does with its columns.
    Within {
        column: String,
    },
}

/// Scope of `@@name`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VarScope {
    /// `@@name`: the session's value, else the global one.
    Default,
    Session,
    Global,
    /// Only in SET: the global value, and the next start's.
    Persist,
    /// Only in SET: the next start's.
    PersistOnly,
}

impl VarScope {
    /// Is it about the server's value?
    pub(crate) fn is_global(self) -> bool {
        matches!(self, VarScope::Global | VarScope::Persist | VarScope::PersistOnly)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum AggKind {
    Count,
    Sum,
    Avg,
    Min,
    Max,
    BitAnd,
    BitOr,
    BitXor,
    StddevPop,
    StddevSamp,
    VarPop,
    VarSamp,
    GroupConcat,
    AnyValue,
    JsonArray,
    JsonObject,
}

/// An aggregate call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Aggregate {
    pub(crate) kind: AggKind,
    pub(crate) distinct: bool,
    /// Empty: COUNT(*).
    pub(crate) args: Vec<Expr>,
    /// GROUP_CONCAT only.
    pub(crate) order_by: Vec<super::OrderItem>,
    pub(crate) separator: Option<Vec<u8>>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expr {
    Literal(Literal),
    /// `?`, counted from 0.
    Param(u16),
    Column(ColumnName),
    UserVar(String),
    /// `@a := expr`
    Assign(String, Box<Expr>),
    SysVar {
        scope: VarScope,
        name: String,
    },
    Unary(UnaryOp, Box<Expr>),
    Binary(BinaryOp, Box<Expr>, Box<Expr>),
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Is {
        expr: Box<Expr>,
        test: IsTest,
        not: bool,
    },
    Between {
        expr: Box<Expr>,
        low: Box<Expr>,
        high: Box<Expr>,
        not: bool,
    },
    In {
        expr: Box<Expr>,
        list: Vec<Expr>,
        not: bool,
    },
    Like {
        expr: Box<Expr>,
        pattern: Box<Expr>,
        escape: Option<Box<Expr>>,
        not: bool,
    },
    Regexp {
        expr: Box<Expr>,
        pattern: Box<Expr>,
        not: bool,
    },
    Case {
        operand: Option<Box<Expr>>,
        whens: Vec<(Expr, Expr)>,
        otherwise: Option<Box<Expr>>,
    },
    Cast {
        expr: Box<Expr>,
        to: CastType,
    },
    /// CONVERT(expr USING charset)
    Using {
        expr: Box<Expr>,
        charset: String,
    },
    Collate {
        expr: Box<Expr>,
        collation: String,
    },
    /// `expr + INTERVAL n unit` (`negate`: minus).
    AddInterval {
        expr: Box<Expr>,
        amount: Box<Expr>,
        unit: Unit,
        negate: bool,
    },
    Extract {
        unit: Unit,
        expr: Box<Expr>,
    },
    TimestampDiff {
        unit: Unit,
        from: Box<Expr>,
        to: Box<Expr>,
    },
    /// `name` as written, in any case.
    Func {
        name: String,
        args: Vec<Expr>,
    },
    Aggregate(Box<Aggregate>),
    /// `(a, b, ...)`
    Row(Vec<Expr>),
    /// `(SELECT ...)`: a value, or a row beside a row.
    Subquery(Box<super::Query>),
    Exists(Box<super::Query>),
    InQuery {
        expr: Box<Expr>,
        query: Box<super::Query>,
        not: bool,
    },
    /// `expr op ANY (query)`, or ALL.
    Quantified {
        op: BinaryOp,
        all: bool,
        expr: Box<Expr>,
        query: Box<super::Query>,
    },
    /// `call OVER (window)`
    Over {
        call: Box<Expr>,
        window: Box<super::WindowSpec>,
    },
    /// GROUPING(expr, ...)
    Grouping(Vec<Expr>),
    /// VALUES(column) in ON DUPLICATE KEY UPDATE
    Values(ColumnName),
    /// DEFAULT(column)
    Default(ColumnName),
}
