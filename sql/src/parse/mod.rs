//! Tokens to tree, by MySQL's own grammar.
//!
//! ```text
//! text --lex--> tokens --this--> ast::Statement        one error: 1064 at the first token that fits nothing,
//!                                                       or 1235 naming what MySQL has and this server has not
//! ```
//! 1. Operator precedence is MySQL's, with its five levels expr / boolean primary / predicate / bit expression / simple expression (`expr.rs`).
//! 2. A clause is either in the tree or refused: nothing is skipped. Hints in `/*+ */` are comments: they change no result.
//! 3. Recursion is bounded by [`MAX_DEPTH`], left-leaning operator chains by [`MAX_SPINE`].

mod account;
mod alter;
mod check;
pub(crate) mod column;
mod create;
mod dml;
mod expr;
mod foreign;
mod from;
mod func;
mod load;
mod primary;
mod query;
mod refuse;
mod select;
mod session;
mod show;
#[cfg(test)]
mod tests;
mod variable;
mod view;
mod window;

use crate::ast::{Ddl, Expr, SessionStatement, Statement, TableName};
use crate::error::{Result, SqlError, syntax};
use crate::lex::{Kind, LexMode, Op, Token, reserved::is_reserved, tokenize, unquote};

/// How deep expressions may nest.
pub(crate) const MAX_DEPTH: u32 = 100;
/// How many left-associative operators one expression may have (AND and OR do not count).
pub(crate) const MAX_SPINE: u32 = 400;

/// A parsed statement.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Parsed {
    pub(crate) statement: Statement,
    /// Number of `?`.
    pub(crate) params: u16,
    /// Where the next statement of the text starts (the text's length if there is none).
    pub(crate) next: usize,
    /// Warnings (number and text) for what MySQL calls deprecated.
    pub(crate) deprecated: Vec<(u16, &'static str)>,
}

/// Parses the statement of `text` that starts at `from`. `None`: there is none (blanks, comments).
pub(crate) fn parse(text: &[u8], from: usize, mode: LexMode) -> Result<Option<Parsed>> {
    let mut tokens = Vec::with_capacity(32);
    let next = tokenize(text, from, mode, &mut tokens);
    let mut parser = Parser {
        text,
        tokens,
        pos: 0,
        mode,
        depth: 0,
        spine: 0,
        queries: 0,
        tables: 0,
        around: 0,
        set_operations: 0,
        params: 0,
        deprecated: Vec::new(),
        into_file: None,
    };
    if parser.peek().kind == Kind::End {
        return Ok(None);
    }
    let statement = match (parser.statement()?, parser.into_file.take()) {
        (statement, None) => statement,
        (Statement::Select(query), Some(file)) if query.into.is_empty() => {
            Statement::SelectIntoFile(query, Box::new(file))
        }
        _ => return Err(misplaced_into()),
    };
    if parser.peek().kind != Kind::End {
        return Err(parser.unexpected());
    }
    Ok(Some(Parsed { statement, params: parser.params, next, deprecated: parser.deprecated }))
}

/// True when `text` from `from` on holds nothing but blanks and comments.
pub(crate) fn is_blank(text: &[u8], from: usize, mode: LexMode) -> bool {
    let mut tokens = Vec::new();
    tokenize(text, from, mode, &mut tokens);
    tokens[0].kind == Kind::End && tokens[0].after as usize >= text.len()
}

pub(crate) struct Parser<'a> {
    text: &'a [u8],
    tokens: Vec<Token>,
    pos: usize,
    mode: LexMode,
    depth: u32,
    spine: u32,
    /// Queries around the current token.
    queries: u32,
    /// Tables of the FROM that is being read, and of those around it.
    tables: u32,
    around: u32,
    /// UNION, INTERSECT and EXCEPT of the statement so far.
    set_operations: u32,
    params: u16,
    deprecated: Vec<(u16, &'static str)>,
    /// INTO OUTFILE, once it was met.
    into_file: Option<crate::ast::IntoFile>,
}

/// 3954
fn misplaced_into() -> SqlError {
    SqlError::new(
        3954,
        "Misplaced INTO clause, INTO is not allowed inside subqueries, and must be placed at end of UNION clauses.",
    )
}

impl<'a> Parser<'a> {
    // ---- the cursor ----

    fn peek(&self) -> Token {
        self.tokens[self.pos]
    }

    /// The token `n` ahead (the last one past the end).
    fn peek_at(&self, n: usize) -> Token {
        self.tokens[(self.pos + n).min(self.tokens.len() - 1)]
    }

    fn bump(&mut self) -> Token {
        let token = self.peek();
        if self.pos + 1 < self.tokens.len() {
            self.pos += 1;
        }
        token
    }

    fn slice(&self, token: Token) -> &'a [u8] {
        &self.text[token.start as usize..token.end as usize]
    }

    /// 1064 at the current token.
    fn unexpected(&self) -> SqlError {
        syntax(self.text, self.peek().at as usize)
    }

    fn token_is(&self, token: Token, keyword: &str) -> bool {
        token.kind == Kind::Word && self.slice(token).eq_ignore_ascii_case(keyword.as_bytes())
    }

    fn is_kw(&self, keyword: &str) -> bool {
        self.token_is(self.peek(), keyword)
    }

    fn is_kw_at(&self, n: usize, keyword: &str) -> bool {
        self.token_is(self.peek_at(n), keyword)
    }

    /// True at the words of `keywords`, in order.
    fn are_kws(&self, keywords: &[&str]) -> bool {
        keywords.iter().enumerate().all(|(i, k)| self.is_kw_at(i, k))
    }

    fn eat_kw(&mut self, keyword: &str) -> bool {
        let is = self.is_kw(keyword);
        if is {
            self.bump();
        }
        is
    }

    fn eat_kws(&mut self, keywords: &[&str]) -> bool {
        let are = self.are_kws(keywords);
        if are {
            keywords.iter().for_each(|_| {
                self.bump();
            });
        }
        are
    }

    fn expect_kw(&mut self, keyword: &str) -> Result<()> {
        if self.eat_kw(keyword) { Ok(()) } else { Err(self.unexpected()) }
    }

    /// The first of `keywords` that stands here, eaten.
    fn eat_any(&mut self, keywords: &[&'static str]) -> Option<&'static str> {
        keywords.iter().copied().find(|k| self.eat_kw(k))
    }

    fn is_op(&self, op: Op) -> bool {
        self.peek().kind == Kind::Op(op)
    }

    fn eat_op(&mut self, op: Op) -> bool {
        let is = self.is_op(op);
        if is {
            self.bump();
        }
        is
    }

    fn expect_op(&mut self, op: Op) -> Result<()> {
        if self.eat_op(op) { Ok(()) } else { Err(self.unexpected()) }
    }

    /// One level deeper; every recursive rule passes here.
    fn nested<T>(&mut self, rule: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth == MAX_DEPTH {
            return Err(too_deep());
        }
        if self.depth == 0 {
            self.spine = 0;
        }
        self.depth += 1;
        let result = rule(self);
        self.depth -= 1;
        result
    }

    /// Notes something that MySQL warns about.
    fn deprecate(&mut self, text: &'static str) {
        self.deprecated.push((1287, text));
    }

    /// One more operator on a left-leaning chain. Terms of AND and OR and items of lists stand beside one another: what counts is the
    /// longest of them.
    fn lean(&mut self) -> Result<()> {
        self.spine += 1;
        if self.spine > MAX_SPINE { Err(too_deep()) } else { Ok(()) }
    }

    // ---- names and literals ----

    fn text_of(&self, token: Token) -> Result<String> {
        let bytes = if matches!(token.kind, Kind::Word | Kind::Int) {
            self.slice(token).to_vec()
        } else {
            unquote(self.text, &token, self.mode)
        };
        String::from_utf8(bytes).map_err(|e| invalid_utf8(e.as_bytes()))
    }

    /// Does an identifier stand here? (A reserved word is none.)
    fn at_ident(&self) -> bool {
        let token = self.peek();
        match token.kind {
            Kind::Quoted => true,
            Kind::Word => !is_reserved(self.slice(token)),
            _ => false,
        }
    }

    fn ident(&mut self) -> Result<String> {
        if !self.at_ident() {
            return Err(self.unexpected());
        }
        let token = self.bump();
        self.text_of(token)
    }

    /// A name after a dot: reserved words are welcome.
    fn ident_after_dot(&mut self) -> Result<String> {
        let token = self.peek();
        if !matches!(token.kind, Kind::Quoted | Kind::Word) {
            return Err(self.unexpected());
        }
        self.bump();
        self.text_of(token)
    }

    /// An identifier or a quoted string.
    fn ident_or_text(&mut self) -> Result<String> {
        if self.peek().kind == Kind::Str {
            let token = self.bump();
            return self.text_of(token);
        }
        self.ident()
    }

    fn table_name(&mut self) -> Result<TableName> {
        let first = self.ident()?;
        if self.eat_op(Op::Dot) {
            return Ok(TableName { schema: Some(first), name: self.ident_after_dot()? });
        }
        Ok(TableName { schema: None, name: first })
    }

    fn string(&mut self) -> Result<Vec<u8>> {
        let token = self.peek();
        if !matches!(token.kind, Kind::Str | Kind::NationalStr) {
            return Err(self.unexpected());
        }
        self.bump();
        Ok(unquote(self.text, &token, self.mode))
    }

    fn utf8_string(&mut self) -> Result<String> {
        String::from_utf8(self.string()?).map_err(|e| invalid_utf8(e.as_bytes()))
    }

    fn uint(&mut self) -> Result<u64> {
        let token = self.peek();
        let value = match token.kind {
            Kind::Int => std::str::from_utf8(self.slice(token)).ok().and_then(|s| s.parse().ok()),
            _ => None,
        };
        let value = value.ok_or_else(|| self.unexpected())?;
        self.bump();
        Ok(value)
    }

    /// `rule (, rule)*`
    fn list<T>(&mut self, mut rule: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let base = self.spine;
        let mut out = vec![rule(self)?];
        let mut deepest = self.spine;
        while self.eat_op(Op::Comma) {
            self.spine = base;
            out.push(rule(self)?);
            deepest = deepest.max(self.spine);
        }
        self.spine = deepest;
        Ok(out)
    }

    /// `( rule )`
    fn parens<T>(&mut self, rule: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.expect_op(Op::LParen)?;
        let out = rule(self)?;
        self.expect_op(Op::RParen)?;
        Ok(out)
    }

    fn if_exists(&mut self) -> Result<bool> {
        if !self.is_kw("IF") {
            return Ok(false);
        }
        if self.eat_kws(&["IF", "EXISTS"]) { Ok(true) } else { Err(self.unexpected()) }
    }

    fn if_not_exists(&mut self) -> Result<bool> {
        if !self.is_kw("IF") {
            return Ok(false);
        }
        if self.eat_kws(&["IF", "NOT", "EXISTS"]) { Ok(true) } else { Err(self.unexpected()) }
    }

    // ---- statements ----

    fn statement(&mut self) -> Result<Statement> {
        let first = self.peek();
        if first.kind == Kind::Op(Op::LParen) {
            return Ok(Statement::Select(Box::new(self.query()?)));
        }
        if first.kind != Kind::Word {
            return Err(self.unexpected());
        }
        let mut word = self.slice(first).to_vec();
        word.make_ascii_uppercase();
        Ok(match word.as_slice() {
            b"SELECT" | b"WITH" | b"TABLE" | b"VALUES" => Statement::Select(Box::new(self.query()?)),
            b"INSERT" | b"REPLACE" => Statement::Insert(Box::new(self.insert()?)),
            b"UPDATE" => Statement::Update(Box::new(self.update()?)),
            b"DELETE" => Statement::Delete(Box::new(self.delete()?)),
            b"CREATE" => ddl(self.create()?),
            b"DROP" => ddl(self.drop()?),
            b"ALTER" => ddl(self.alter()?),
            b"TRUNCATE" => ddl(self.truncate()?),
            b"RENAME" if self.eat_kws(&["RENAME", "USER"]) => ddl(self.rename_user()?),
            b"RENAME" => match self.rename()? {
                Some(statement) => ddl(statement),
                None => return Err(self.refuse(&word)),
            },
            b"GRANT" => ddl(self.grant()?),
            b"REVOKE" => ddl(self.revoke()?),
            b"FLUSH" => ddl(self.flush()?),
            b"ANALYZE" => ddl(self.analyze()?),
            b"CHECK" => ddl(self.check_table()?),
            b"LOAD" => Statement::LoadData(Box::new(self.load_data()?)),
            b"SHOW" => Statement::Show(Box::new(self.show()?)),
            b"DESCRIBE" | b"DESC" | b"EXPLAIN" => self.explain()?,
            b"SET" => session(self.set()?),
            b"DO" => {
                self.bump();
                Statement::Do(self.list(Parser::expr)?)
            }
            _ => match self.session_statement(&word)? {
                Some(statement) => session(statement),
                None => return Err(self.refuse(&word)),
            },
        })
    }
}

fn ddl(statement: Ddl) -> Statement {
    Statement::Ddl(Box::new(statement))
}

fn session(statement: SessionStatement) -> Statement {
    Statement::Session(Box::new(statement))
}

fn too_deep() -> SqlError {
    SqlError::new(
        1436,
        format!("Thread stack overrun: an expression is nested more than {MAX_DEPTH} levels deep"),
    )
}

/// 1300, showing the first bytes that are no UTF-8.
pub(crate) fn invalid_utf8(bytes: &[u8]) -> SqlError {
    let at = std::str::from_utf8(bytes).err().map_or(0, |e| e.valid_up_to());
    let shown: String = bytes[at..].iter().take(6).map(|b| format!("\\x{b:02X}")).collect();
    SqlError::new(1300, format!("Invalid utf8mb4 character string: '{}'", shown.replace("\\x", "")))
}

/// An expression over one integer, as options and limits use.
pub(crate) fn int_literal(value: u64) -> Expr {
    Expr::Literal(crate::ast::Literal::Int(value))
}
