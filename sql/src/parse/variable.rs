//! SET in all its forms.

use super::Parser;
use crate::ast::{Expr, Isolation, Literal, SessionStatement, SetItem, VarScope};
use crate::error::{Result, unsupported};
use crate::lex::{Kind, Op};

impl Parser<'_> {
    pub(super) fn set(&mut self) -> Result<SessionStatement> {
        self.expect_kw("SET")?;
        let assigns = matches!(self.peek_at(1).kind, Kind::Op(Op::Eq | Op::Assign));
        if self.eat_kws(&["DEFAULT", "ROLE"]) {
            return Ok(SessionStatement::Set(vec![SetItem::DefaultRole(self.set_default_role()?)]));
        }
        if self.is_kw("ROLE") && !assigns {
            self.bump();
            return Ok(SessionStatement::Set(vec![SetItem::Role(self.role_choice()?)]));
        }
        if self.is_kw("RESOURCE") && !assigns {
            return Err(unsupported("SET RESOURCE GROUP"));
        }
        let mut scope = VarScope::Default;
        let mut items = Vec::new();
        loop {
            // A scope word holds for the assignments behind it until the next one.
            if self.is_scope_word() {
                scope = match self.eat_any(&["GLOBAL", "SESSION", "LOCAL", "PERSIST", "PERSIST_ONLY"]) {
                    Some("GLOBAL") => VarScope::Global,
                    Some("PERSIST") => VarScope::Persist,
                    Some("PERSIST_ONLY") => VarScope::PersistOnly,
                    _ => VarScope::Session,
                };
            }
            items.push(self.set_item(scope)?);
            if !self.eat_op(Op::Comma) {
                return Ok(SessionStatement::Set(items));
            }
        }
    }

    fn is_scope_word(&self) -> bool {
        ["GLOBAL", "SESSION", "LOCAL", "PERSIST", "PERSIST_ONLY"].iter().any(|k| self.is_kw(k))
            && !matches!(self.peek_at(1).kind, Kind::Op(Op::Eq | Op::Assign | Op::Dot))
    }

    fn set_item(&mut self, scope: VarScope) -> Result<SetItem> {
        if self.peek().kind == Kind::At {
            let name = self.user_variable_name()?;
            self.assign_op()?;
            return Ok(SetItem::User { name, value: self.expr()? });
        }
        if self.peek().kind == Kind::AtAt {
            let Expr::SysVar { scope, name } = self.primary()? else { return Err(self.unexpected()) };
            self.assign_op()?;
            return self.system_assignment(scope, name);
        }
        if self.is_kw("TRANSACTION") {
            return self.set_transaction(scope);
        }
        let assigns = matches!(self.peek_at(1).kind, Kind::Op(Op::Eq | Op::Assign));
        if self.is_kw("NAMES") && !assigns {
            return self.set_names();
        }
        if !assigns
            && (self.eat_kws(&["CHARACTER", "SET"])
                || self.eat_kws(&["CHAR", "SET"])
                || self.eat_kw("CHARSET"))
        {
            if self.eat_kw("DEFAULT") {
                return Ok(SetItem::CharacterSet(None));
            }
            return Ok(SetItem::CharacterSet(Some(self.charset_name()?)));
        }
        if self.is_kw("PASSWORD") {
            return self.set_password();
        }
        let name = self.ident()?.to_ascii_lowercase();
        if self.is_op(Op::Dot) {
            return Err(unsupported("structured system variables"));
        }
        self.assign_op()?;
        self.system_assignment(scope, name)
    }

    fn assign_op(&mut self) -> Result<()> {
        if self.eat_op(Op::Eq) || self.eat_op(Op::Assign) { Ok(()) } else { Err(self.unexpected()) }
    }

    /// The value: DEFAULT, a bare word (ON, utf8mb4, STRICT_ALL_TABLES) or an expression.
    fn system_assignment(&mut self, scope: VarScope, name: String) -> Result<SetItem> {
        if self.eat_kw("DEFAULT") {
            return Ok(SetItem::System { scope, name, value: None });
        }
        let ends = matches!(self.peek_at(1).kind, Kind::End | Kind::Op(Op::Comma));
        let token = self.peek();
        let constant = ["NULL", "TRUE", "FALSE"].iter().any(|k| self.is_kw(k));
        let value = if matches!(token.kind, Kind::Word | Kind::Quoted) && ends && !constant {
            self.bump();
            Expr::Literal(Literal::Str { bytes: self.text_of(token)?.into_bytes(), charset: None })
        } else {
            self.expr()?
        };
        Ok(SetItem::System { scope, name, value: Some(value) })
    }

    fn set_names(&mut self) -> Result<SetItem> {
        self.bump();
        if self.eat_kw("DEFAULT") {
            return Ok(SetItem::Names { charset: None, collation: None });
        }
        let charset = Some(self.charset_name()?);
        let collation = if self.eat_kw("COLLATE") { Some(self.collation_name()?) } else { None };
        Ok(SetItem::Names { charset, collation })
    }

    fn set_transaction(&mut self, scope: VarScope) -> Result<SetItem> {
        if matches!(scope, VarScope::Persist | VarScope::PersistOnly) {
            return Err(self.unexpected());
        }
        self.bump();
        let (mut isolation, mut read_only) = (None, None);
        loop {
            if self.eat_kws(&["ISOLATION", "LEVEL"]) && isolation.is_none() {
                isolation = Some(self.isolation_level()?);
            } else if self.eat_kws(&["READ", "ONLY"]) && read_only.is_none() {
                read_only = Some(true);
            } else if self.eat_kws(&["READ", "WRITE"]) && read_only.is_none() {
                read_only = Some(false);
            } else {
                return Err(self.unexpected());
            }
            if !self.eat_op(Op::Comma) {
                return Ok(SetItem::Transaction { scope, isolation, read_only });
            }
        }
    }

    fn isolation_level(&mut self) -> Result<Isolation> {
        if self.eat_kws(&["READ", "UNCOMMITTED"]) {
            Ok(Isolation::ReadUncommitted)
        } else if self.eat_kws(&["READ", "COMMITTED"]) {
            Ok(Isolation::ReadCommitted)
        } else if self.eat_kws(&["REPEATABLE", "READ"]) {
            Ok(Isolation::RepeatableRead)
        } else if self.eat_kw("SERIALIZABLE") {
            Ok(Isolation::Serializable)
        } else {
            Err(self.unexpected())
        }
    }

    fn set_password(&mut self) -> Result<SetItem> {
        self.bump();
        let user = if self.eat_kw("FOR") { Some(self.user_name()?) } else { None };
        self.assign_op()?;
        Ok(SetItem::Password { user, password: self.utf8_string()? })
    }
}
