//! CREATE, ALTER and DROP USER, GRANT and REVOKE ALL.

use super::Parser;
use crate::ast::{Ddl, UserName, UserSpec};
use crate::error::{Result, unsupported};
use crate::lex::{Kind, Op};

impl Parser<'_> {
    /// `user[@host]`, `CURRENT_USER[()]` as an empty name.
    pub(super) fn user_name(&mut self) -> Result<UserName> {
        if self.eat_kw("CURRENT_USER") {
            if self.eat_op(Op::LParen) {
                self.expect_op(Op::RParen)?;
            }
            return Ok(UserName { user: String::new(), host: String::new() });
        }
        let user = self.ident_or_text()?;
        let mut host = "%".to_owned();
        if self.peek().kind == Kind::At {
            self.bump();
            host = self.ident_or_text()?.to_lowercase();
            while self.eat_op(Op::Dot) {
                host.push('.');
                host.push_str(&self.ident_after_dot()?);
            }
        }
        Ok(UserName { user, host })
    }

    /// `user [IDENTIFIED [WITH plugin] [BY 'password' | AS 'hash']]`
    fn user_spec(&mut self) -> Result<UserSpec> {
        let mut spec = UserSpec { name: self.user_name()?, plugin: None, password: None, hash: None };
        if !self.eat_kw("IDENTIFIED") {
            return Ok(spec);
        }
        if self.eat_kw("WITH") {
            spec.plugin = Some(self.ident_or_text()?.to_lowercase());
            if self.eat_kw("AS") {
                spec.hash = Some(self.hash_literal()?);
                return Ok(spec);
            }
            if !self.is_kw("BY") {
                return Ok(spec);
            }
        }
        self.expect_kw("BY")?;
        if self.is_kw("RANDOM") {
            return Err(unsupported("IDENTIFIED BY RANDOM PASSWORD"));
        }
        spec.password = Some(self.utf8_string()?);
        for word in ["REPLACE", "RETAIN", "AND"] {
            if self.is_kw(word) {
                return Err(unsupported(format_args!("IDENTIFIED ... {word}")));
            }
        }
        Ok(spec)
    }

    fn hash_literal(&mut self) -> Result<Vec<u8>> {
        if self.peek().kind == Kind::Hex {
            let crate::ast::Expr::Literal(crate::ast::Literal::Hex { bytes, .. }) = self.primary()? else {
                return Err(self.unexpected());
            };
            return Ok(bytes);
        }
        self.string()
    }

    fn refuse_account_options(&self) -> Result<()> {
        const OPTIONS: &[&str] = &[
            "REQUIRE",
            "WITH",
            "PASSWORD",
            "ACCOUNT",
            "DEFAULT",
            "COMMENT",
            "ATTRIBUTE",
            "FAILED_LOGIN_ATTEMPTS",
        ];
        match OPTIONS.iter().find(|o| self.is_kw(o)) {
            Some(option) => Err(unsupported(format_args!("account option {option}"))),
            None => Ok(()),
        }
    }

    pub(super) fn create_user(&mut self) -> Result<Ddl> {
        let if_not_exists = self.if_not_exists()?;
        let users = self.list(Parser::user_spec)?;
        self.refuse_account_options()?;
        Ok(Ddl::CreateUser { users, if_not_exists })
    }

    pub(super) fn alter_user(&mut self) -> Result<Ddl> {
        let if_exists = self.if_exists()?;
        if self.is_kw("USER") && self.peek_at(1).kind == Kind::Op(Op::LParen) {
            self.pos += 2;
            self.expect_op(Op::RParen)?;
            self.pos -= 3;
            return Err(unsupported("ALTER USER USER()"));
        }
        let users = self.list(Parser::user_spec)?;
        self.refuse_account_options()?;
        Ok(Ddl::AlterUser { users, if_exists })
    }

    pub(super) fn drop_user(&mut self) -> Result<Ddl> {
        let if_exists = self.if_exists()?;
        Ok(Ddl::DropUser { users: self.list(Parser::user_name)?, if_exists })
    }

    /// `*.*` or `schema.*`: `None` is everything.
    fn grant_level(&mut self) -> Result<Option<String>> {
        if self.eat_op(Op::Star) {
            if !self.eat_op(Op::Dot) {
                return Err(unsupported("GRANT ON *"));
            }
            self.expect_op(Op::Star)?;
            return Ok(None);
        }
        self.eat_kw("TABLE");
        let schema = self.ident()?;
        if !self.eat_op(Op::Dot) || !self.eat_op(Op::Star) {
            return Err(unsupported("privileges on single tables or routines"));
        }
        Ok(Some(schema))
    }

    fn all_privileges(&mut self, verb: &str) -> Result<()> {
        if !self.eat_kw("ALL") {
            return Err(unsupported(format_args!("{verb} of anything but ALL PRIVILEGES")));
        }
        self.eat_kw("PRIVILEGES");
        Ok(())
    }

    pub(super) fn grant(&mut self) -> Result<Ddl> {
        self.expect_kw("GRANT")?;
        self.all_privileges("GRANT")?;
        self.expect_kw("ON")?;
        let schema = self.grant_level()?;
        self.expect_kw("TO")?;
        let users = self.list(Parser::user_name)?;
        let grant_option = self.eat_kws(&["WITH", "GRANT", "OPTION"]);
        if self.is_kw("AS") {
            return Err(unsupported("GRANT ... AS"));
        }
        Ok(Ddl::GrantAll { schema, users, grant_option })
    }

    pub(super) fn revoke(&mut self) -> Result<Ddl> {
        self.expect_kw("REVOKE")?;
        if self.is_kw("IF") {
            return Err(unsupported("REVOKE IF EXISTS"));
        }
        self.all_privileges("REVOKE")?;
        let mut schema = None;
        if self.eat_op(Op::Comma) {
            if !self.eat_kws(&["GRANT", "OPTION"]) {
                return Err(self.unexpected());
            }
        } else {
            self.expect_kw("ON")?;
            schema = self.grant_level()?;
        }
        self.expect_kw("FROM")?;
        Ok(Ddl::RevokeAll { schema, users: self.list(Parser::user_name)? })
    }

    pub(super) fn flush(&mut self) -> Result<Ddl> {
        self.expect_kw("FLUSH")?;
        if self.eat_kw("PRIVILEGES") {
            return Ok(Ddl::FlushPrivileges);
        }
        Err(unsupported("FLUSH of anything but PRIVILEGES"))
    }
}
