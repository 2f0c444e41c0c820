//! Users, roles, GRANT and REVOKE.

use super::Parser;
use crate::ast::{
    AccountStatement, Ddl, Expire, Granted, Lenient, Level, RoleChoice, UserName, UserOptions, UserSpec,
};
use crate::error::{Result, SqlError, unsupported};
use crate::lex::{Kind, Op};

fn ddl(statement: AccountStatement) -> Ddl {
    Ddl::Account(Box::new(statement))
}

/// One thing between GRANT and ON or TO: a privilege's words, or a role.
struct Item {
    words: Vec<String>,
    role: Option<UserName>,
}

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
        let name = self.user_name()?;
        self.identified(name)
    }

    fn identified(&mut self, name: UserName) -> Result<UserSpec> {
        let mut spec = UserSpec { name, plugin: None, password: None, hash: None };
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

    /// What CREATE and ALTER USER say behind the names, in MySQL's order.
    fn user_options(&mut self) -> Result<UserOptions> {
        let mut options = UserOptions::default();
        if self.eat_kws(&["DEFAULT", "ROLE"]) {
            options.default_roles = Some(self.role_choice()?);
        }
        if self.eat_kw("REQUIRE") {
            options.tls = match self.eat_any(&["NONE", "SSL"]) {
                Some(word) => Some(word == "SSL"),
                None => return Err(unsupported("REQUIRE of anything but SSL or NONE")),
            };
        }
        if self.is_kw("WITH") {
            return Err(unsupported("resource limits of accounts"));
        }
        loop {
            if self.eat_kw("PASSWORD") {
                self.password_option(&mut options)?;
            } else if self.eat_kw("ACCOUNT") {
                options.locked = match self.eat_any(&["LOCK", "UNLOCK"]) {
                    Some(word) => Some(word == "LOCK"),
                    None => return Err(self.unexpected()),
                };
            } else if self.is_kw("FAILED_LOGIN_ATTEMPTS") || self.is_kw("PASSWORD_LOCK_TIME") {
                return Err(unsupported("FAILED_LOGIN_ATTEMPTS"));
            } else {
                break;
            }
        }
        for word in ["COMMENT", "ATTRIBUTE"] {
            if self.is_kw(word) {
                return Err(unsupported(format_args!("account option {word}")));
            }
        }
        Ok(options)
    }

    /// Behind PASSWORD. HISTORY, REUSE and REQUIRE CURRENT may be said with their defaults.
    fn password_option(&mut self, options: &mut UserOptions) -> Result<()> {
        if self.eat_kw("EXPIRE") {
            options.expire = Some(match self.eat_any(&["DEFAULT", "NEVER", "INTERVAL"]) {
                Some("DEFAULT") => Expire::Default,
                Some("NEVER") => Expire::Never,
                Some(_) => {
                    let days = self.uint()?;
                    self.expect_kw("DAY")?;
                    let wrong = || SqlError::new(1525, format!("Incorrect DAY value: '{days}'"));
                    Expire::Days(
                        u16::try_from(days).ok().filter(|d| (1..u16::MAX).contains(d)).ok_or_else(wrong)?,
                    )
                }
                None => Expire::Now,
            });
            return Ok(());
        }
        let defaults: [&[&str]; 3] =
            [&["HISTORY", "DEFAULT"], &["REUSE", "INTERVAL", "DEFAULT"], &["REQUIRE", "CURRENT", "DEFAULT"]];
        if defaults.iter().any(|words| self.eat_kws(words)) {
            return Ok(());
        }
        Err(unsupported("password history"))
    }

    pub(super) fn create_user(&mut self) -> Result<Ddl> {
        let if_not_exists = self.if_not_exists()?;
        let users = self.list(Parser::user_spec)?;
        let options = self.user_options()?;
        Ok(ddl(AccountStatement::CreateUser { users, if_not_exists, options }))
    }

    pub(super) fn alter_user(&mut self) -> Result<Ddl> {
        let if_exists = self.if_exists()?;
        if self.is_kw("USER") && self.peek_at(1).kind == Kind::Op(Op::LParen) {
            // USER() is the session's own account here.
            self.bump();
            self.bump();
            self.expect_op(Op::RParen)?;
            let own = UserName { user: String::new(), host: String::new() };
            let users = vec![self.identified(own)?];
            return Ok(ddl(AccountStatement::AlterUser {
                users,
                if_exists,
                options: UserOptions::default(),
            }));
        }
        let users = self.list(Parser::user_spec)?;
        let options = self.user_options()?;
        Ok(ddl(AccountStatement::AlterUser { users, if_exists, options }))
    }

    pub(super) fn drop_user(&mut self) -> Result<Ddl> {
        let if_exists = self.if_exists()?;
        Ok(ddl(AccountStatement::DropUser { users: self.list(Parser::user_name)?, if_exists }))
    }

    pub(super) fn create_role(&mut self) -> Result<Ddl> {
        let if_not_exists = self.if_not_exists()?;
        Ok(ddl(AccountStatement::CreateRole { roles: self.list(Parser::user_name)?, if_not_exists }))
    }

    pub(super) fn drop_role(&mut self) -> Result<Ddl> {
        let if_exists = self.if_exists()?;
        Ok(ddl(AccountStatement::DropRole { roles: self.list(Parser::user_name)?, if_exists }))
    }

    /// `RENAME USER a TO b, ...`
    pub(super) fn rename_user(&mut self) -> Result<Ddl> {
        let pairs = self.list(|p| {
            let from = p.user_name()?;
            p.expect_kw("TO")?;
            Ok((from, p.user_name()?))
        })?;
        Ok(ddl(AccountStatement::RenameUser(pairs)))
    }

    /// `*.*`, `schema.*`, `*`, `[schema.]table`.
    fn grant_level(&mut self) -> Result<Level> {
        if self.eat_op(Op::Star) {
            if !self.eat_op(Op::Dot) {
                return Ok(Level::Schema(None));
            }
            self.expect_op(Op::Star)?;
            return Ok(Level::Global);
        }
        if self.is_kw("FUNCTION") || self.is_kw("PROCEDURE") || self.is_kw("LIBRARY") {
            return Err(unsupported("privileges on routines"));
        }
        self.eat_kw("TABLE");
        let first = self.ident()?;
        if !self.eat_op(Op::Dot) {
            return Ok(Level::Table(None, first));
        }
        if self.eat_op(Op::Star) {
            return Ok(Level::Schema(Some(first)));
        }
        Ok(Level::Table(Some(first), self.ident_after_dot()?))
    }

    /// One privilege or role.
    fn grant_item(&mut self) -> Result<Item> {
        let quoted = self.peek().kind != Kind::Word;
        if quoted || self.peek_at(1).kind == Kind::At || self.is_kw("CURRENT_USER") {
            return Ok(Item { words: Vec::new(), role: Some(self.user_name()?) });
        }
        let start = self.pos;
        let mut words = Vec::new();
        while self.peek().kind == Kind::Word && !["ON", "TO", "FROM"].iter().any(|word| self.is_kw(word)) {
            let token = self.bump();
            words.push(String::from_utf8_lossy(self.slice(token)).to_ascii_uppercase());
        }
        if self.is_op(Op::LParen) {
            return Err(unsupported("privileges on single columns"));
        }
        if words.is_empty() {
            return Err(self.unexpected());
        }
        let behind = std::mem::replace(&mut self.pos, start);
        let role = if words.len() == 1 { self.user_name().ok() } else { None };
        self.pos = behind;
        Ok(Item { words, role })
    }

    /// What stands before ON: privileges.
    fn privileges_of(&self, items: Vec<Item>) -> Result<Granted> {
        let mut names = Vec::new();
        for item in items {
            match item.words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
                [] => return Err(self.unexpected()),
                ["ALL"] | ["ALL", "PRIVILEGES"] if names.is_empty() => return Ok(Granted::All),
                ["PROXY"] => return Err(unsupported("PROXY")),
                words => names.push(words.join(" ")),
            }
        }
        Ok(Granted::Some(names))
    }

    fn roles_of(&self, items: Vec<Item>) -> Result<Vec<UserName>> {
        items.into_iter().map(|item| item.role.ok_or_else(|| self.unexpected())).collect()
    }

    pub(super) fn grant(&mut self) -> Result<Ddl> {
        self.expect_kw("GRANT")?;
        let items = self.list(Parser::grant_item)?;
        if self.eat_kw("TO") {
            let roles = self.roles_of(items)?;
            let users = self.list(Parser::user_name)?;
            let admin = self.eat_kws(&["WITH", "ADMIN", "OPTION"]);
            return Ok(ddl(AccountStatement::GrantRoles { roles, users, admin }));
        }
        self.expect_kw("ON")?;
        let what = self.privileges_of(items)?;
        let level = self.grant_level()?;
        self.expect_kw("TO")?;
        let users = self.list(Parser::user_name)?;
        let grant_option = self.eat_kws(&["WITH", "GRANT", "OPTION"]);
        if self.is_kw("AS") {
            return Err(unsupported("GRANT ... AS"));
        }
        Ok(ddl(AccountStatement::Grant { what, level, users, grant_option }))
    }

    pub(super) fn revoke(&mut self) -> Result<Ddl> {
        self.expect_kw("REVOKE")?;
        let if_exists = self.if_exists()?;
        let mut lenient = Lenient { if_exists, unknown_user: false };
        let items = self.list(Parser::grant_item)?;
        if self.eat_kw("ON") {
            let what = self.privileges_of(items)?;
            let level = self.grant_level()?;
            self.expect_kw("FROM")?;
            let users = self.list(Parser::user_name)?;
            lenient.unknown_user = self.eat_kws(&["IGNORE", "UNKNOWN", "USER"]);
            return Ok(ddl(AccountStatement::Revoke { what, level, users, lenient }));
        }
        self.expect_kw("FROM")?;
        let users = self.list(Parser::user_name)?;
        lenient.unknown_user = self.eat_kws(&["IGNORE", "UNKNOWN", "USER"]);
        let words: Vec<String> = items.iter().map(|item| item.words.join(" ")).collect();
        if matches!(words.as_slice(), [all, option] if all.starts_with("ALL") && option == "GRANT OPTION") {
            return Ok(ddl(AccountStatement::RevokeEverything { users, lenient }));
        }
        let roles = self.roles_of(items)?;
        Ok(ddl(AccountStatement::RevokeRoles { roles, users, lenient }))
    }

    /// `NONE | ALL [EXCEPT roles] | roles`; DEFAULT too where `SET ROLE` asks.
    pub(super) fn role_choice(&mut self) -> Result<RoleChoice> {
        if self.eat_kw("NONE") {
            return Ok(RoleChoice::None);
        }
        if self.eat_kw("DEFAULT") {
            return Ok(RoleChoice::Default);
        }
        if self.eat_kw("ALL") {
            if self.eat_kw("EXCEPT") {
                return Ok(RoleChoice::AllExcept(self.list(Parser::user_name)?));
            }
            return Ok(RoleChoice::All);
        }
        Ok(RoleChoice::Some(self.list(Parser::user_name)?))
    }

    /// Behind SET DEFAULT ROLE.
    pub(super) fn set_default_role(&mut self) -> Result<AccountStatement> {
        let roles = self.role_choice()?;
        self.expect_kw("TO")?;
        Ok(AccountStatement::SetDefaultRole { roles, users: self.list(Parser::user_name)? })
    }

    pub(super) fn flush(&mut self) -> Result<Ddl> {
        self.expect_kw("FLUSH")?;
        if self.eat_kw("PRIVILEGES") {
            return Ok(ddl(AccountStatement::FlushPrivileges));
        }
        Err(unsupported("FLUSH of anything but PRIVILEGES"))
    }
}
