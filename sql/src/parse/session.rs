//! Transactions, USE, KILL, PREPARE, EXPLAIN.

use super::Parser;
use crate::ast::{LockedTable, PrepareSource, SessionStatement, Show, ShowFilter, Statement};
use crate::error::{Result, unsupported};
use crate::lex::{Kind, Op};

use SessionStatement as S;

impl Parser<'_> {
    /// `table [[AS] alias] READ [LOCAL] | [LOW_PRIORITY] WRITE`
    fn locked_table(&mut self) -> Result<LockedTable> {
        let table = self.table_ref()?;
        if self.eat_kw("READ") {
            self.eat_kw("LOCAL");
            return Ok(LockedTable { table, write: false });
        }
        self.eat_kw("LOW_PRIORITY");
        self.expect_kw("WRITE")?;
        Ok(LockedTable { table, write: true })
    }

    /// The statement that starts with `word`, or `None` (nothing eaten).
    pub(super) fn session_statement(&mut self, word: &[u8]) -> Result<Option<S>> {
        Ok(Some(match word {
            b"BEGIN" => {
                self.bump();
                self.eat_kw("WORK");
                S::Begin { read_only: None, consistent_snapshot: false }
            }
            b"START" if self.is_kw_at(1, "TRANSACTION") => self.start_transaction()?,
            b"START" => return Err(unsupported("START REPLICA")),
            b"COMMIT" => {
                self.bump();
                let (chain, release) = self.completion()?;
                S::Commit { chain, release }
            }
            b"ROLLBACK" => self.rollback()?,
            b"SAVEPOINT" => {
                self.bump();
                S::Savepoint(self.ident()?)
            }
            b"RELEASE" => {
                self.bump();
                self.expect_kw("SAVEPOINT")?;
                S::ReleaseSavepoint(self.ident()?)
            }
            b"USE" => {
                self.bump();
                S::Use(self.ident()?)
            }
            b"KILL" => {
                self.bump();
                let query = self.eat_kw("QUERY");
                if !query {
                    self.eat_kw("CONNECTION");
                }
                S::Kill { query, id: self.expr()? }
            }
            b"RESET" if self.is_kw_at(1, "PERSIST") => {
                self.pos += 2;
                let if_exists = self.if_exists()?;
                let name = if if_exists || self.peek().kind != Kind::End {
                    Some(self.ident()?.to_ascii_lowercase())
                } else {
                    None
                };
                S::ResetPersist { name, if_exists }
            }
            b"LOCK" if self.is_kw_at(1, "TABLES") || self.is_kw_at(1, "TABLE") => {
                self.bump();
                self.bump();
                S::LockTables(self.list(Parser::locked_table)?)
            }
            b"UNLOCK" => {
                self.bump();
                if !self.eat_kw("TABLES") && !self.eat_kw("TABLE") {
                    return Err(if self.is_kw("INSTANCE") {
                        unsupported("UNLOCK INSTANCE")
                    } else {
                        self.unexpected()
                    });
                }
                S::UnlockTables
            }
            b"PREPARE" => self.prepare()?,
            b"EXECUTE" => self.execute()?,
            b"DEALLOCATE" => {
                self.bump();
                self.expect_kw("PREPARE")?;
                S::Deallocate(self.ident()?)
            }
            _ => return Ok(None),
        }))
    }

    fn start_transaction(&mut self) -> Result<S> {
        self.pos += 2;
        let (mut read_only, mut consistent_snapshot) = (None, false);
        while self.peek().kind != Kind::End {
            if self.eat_kws(&["WITH", "CONSISTENT", "SNAPSHOT"]) {
                consistent_snapshot = true;
            } else if self.eat_kws(&["READ", "ONLY"]) && read_only.is_none() {
                read_only = Some(true);
            } else if self.eat_kws(&["READ", "WRITE"]) && read_only.is_none() {
                read_only = Some(false);
            } else {
                return Err(self.unexpected());
            }
            if !self.eat_op(Op::Comma) {
                break;
            }
        }
        Ok(S::Begin { read_only, consistent_snapshot })
    }

    /// `[WORK] [AND [NO] CHAIN] [[NO] RELEASE]`
    fn completion(&mut self) -> Result<(bool, bool)> {
        self.eat_kw("WORK");
        let mut chain = false;
        if self.eat_kw("AND") {
            chain = !self.eat_kw("NO");
            self.expect_kw("CHAIN")?;
        }
        let no = self.eat_kw("NO");
        let release = self.eat_kw("RELEASE");
        if no && !release {
            return Err(self.unexpected());
        }
        Ok((chain, release && !no))
    }

    fn rollback(&mut self) -> Result<S> {
        self.bump();
        let here = self.pos;
        self.eat_kw("WORK");
        if self.eat_kw("TO") {
            self.eat_kw("SAVEPOINT");
            return Ok(S::RollbackTo(self.ident()?));
        }
        self.pos = here;
        let (chain, release) = self.completion()?;
        Ok(S::Rollback { chain, release })
    }

    fn prepare(&mut self) -> Result<S> {
        self.bump();
        let name = self.ident()?;
        self.expect_kw("FROM")?;
        let source = if self.peek().kind == Kind::At {
            PrepareSource::Var(self.user_variable_name()?)
        } else {
            PrepareSource::Text(self.string()?)
        };
        Ok(S::Prepare { name, source })
    }

    fn execute(&mut self) -> Result<S> {
        self.bump();
        let name = self.ident()?;
        let using = if self.eat_kw("USING") {
            self.list(
                |p| if p.peek().kind == Kind::At { p.user_variable_name() } else { Err(p.unexpected()) },
            )?
        } else {
            Vec::new()
        };
        Ok(S::Execute { name, using })
    }

    /// EXPLAIN statement, or DESCRIBE table [column | 'pattern'].
    pub(super) fn explain(&mut self) -> Result<Statement> {
        self.bump();
        let explainable = ["SELECT", "INSERT", "REPLACE", "UPDATE", "DELETE", "WITH", "TABLE"];
        if explainable.iter().any(|k| self.is_kw(k)) || self.is_op(Op::LParen) {
            return Ok(Statement::Explain(Box::new(self.statement()?)));
        }
        if self.eat_kw("FORMAT") {
            self.expect_op(Op::Eq)?;
            let format = self.ident_or_text()?;
            if !format.eq_ignore_ascii_case("traditional") {
                return Err(unsupported(format_args!("EXPLAIN FORMAT={}", format.to_uppercase())));
            }
            return Ok(Statement::Explain(Box::new(self.statement()?)));
        }
        for (word, construct) in [("ANALYZE", "EXPLAIN ANALYZE"), ("FOR", "EXPLAIN FOR")] {
            if self.is_kw(word) {
                return Err(unsupported(construct));
            }
        }
        let table = self.table_name()?;
        let filter = match self.peek().kind {
            Kind::End => None,
            Kind::Str => Some(ShowFilter::Like(self.string()?)),
            _ => Some(ShowFilter::Like(self.ident()?.into_bytes())),
        };
        Ok(Statement::Show(Box::new(Show::Columns { table, full: false, filter })))
    }
}
