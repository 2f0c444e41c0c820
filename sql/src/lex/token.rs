//! One token: what it is and where it stands in the text; its content is read from the text when somebody needs it.

/// Kinds of token. Words are not classified here: the grammar compares them case-insensitively where a keyword may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The end of the statement: end of text or `;`.
    End,
    /// Unquoted word: keyword, name or function.
    Word,
    /// `` `name` `` (or `"name"` under ANSI_QUOTES).
    Quoted,
    /// `'text'` or `"text"`.
    Str,
    /// `N'text'`: the span is the quoted part.
    NationalStr,
    /// `_utf8mb4` before a literal: the span is the name without the underscore.
    Introducer,
    /// `x'4D'` or `0x4D`: the span is the digits.
    Hex,
    /// `b'01'` or `0b01`: the span is the digits.
    Bit,
    /// Digits only.
    Int,
    /// Digits with a point.
    Decimal,
    /// Digits with an exponent.
    Float,
    /// `?`
    Param,
    /// `@`
    At,
    /// `@@`
    AtAt,
    /// An operator or punctuation.
    Op(Op),
    /// Bytes that start no token (an unclosed quote or comment, a stray byte).
    Bad,
}

/// Operators and punctuation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub(crate) enum Op {
    LParen,
    RParen,
    LBrace,
    RBrace,
    Comma,
    Dot,
    Plus,
    Minus,
    Star,
    Slash,
    Percent,
    Caret,
    Amp,
    Pipe,
    Tilde,
    Bang,
    Eq,
    NullSafeEq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    Shl,
    Shr,
    AndAnd,
    OrOr,
    Assign,
    Arrow,
    LongArrow,
}

/// A token; `start..end` are byte offsets of its content, `at` is where it begins in the text (quotes and prefixes included).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) at: u32,
    pub(crate) start: u32,
    pub(crate) end: u32,
    /// One past the last byte, closing quote included.
    pub(crate) after: u32,
}
