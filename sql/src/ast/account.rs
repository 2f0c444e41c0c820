//! Statements about accounts, roles and privileges.

/// `user@host`. Both empty: CURRENT_USER.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct UserName {
    pub(crate) user: String,
    pub(crate) host: String,
}

/// How an account proves itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UserSpec {
    pub(crate) name: UserName,
    pub(crate) plugin: Option<String>,
    /// IDENTIFIED BY
    pub(crate) password: Option<String>,
    /// IDENTIFIED WITH plugin AS
    pub(crate) hash: Option<Vec<u8>>,
}

/// PASSWORD EXPIRE
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expire {
    Now,
    Default,
    Never,
    Days(u16),
}

/// What CREATE and ALTER USER say behind the names; `None` leaves it as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct UserOptions {
    pub(crate) default_roles: Option<RoleChoice>,
    /// REQUIRE SSL, REQUIRE NONE.
    pub(crate) tls: Option<bool>,
    pub(crate) expire: Option<Expire>,
    /// ACCOUNT LOCK, ACCOUNT UNLOCK.
    pub(crate) locked: Option<bool>,
}

/// Which of the granted roles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RoleChoice {
    None,
    Default,
    All,
    AllExcept(Vec<UserName>),
    Some(Vec<UserName>),
}

/// Where privileges hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Level {
    /// `*.*`
    Global,
    /// `schema.*`; `None` for `*`, the default schema.
    Schema(Option<String>),
    /// `[schema.]table`
    Table(Option<String>, String),
}

/// What is granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Granted {
    All,
    /// Names in upper case.
    Some(Vec<String>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AccountStatement {
    CreateUser {
        users: Vec<UserSpec>,
        if_not_exists: bool,
        options: UserOptions,
    },
    AlterUser {
        users: Vec<UserSpec>,
        if_exists: bool,
        options: UserOptions,
    },
    DropUser {
        users: Vec<UserName>,
        if_exists: bool,
    },
    RenameUser(Vec<(UserName, UserName)>),
    CreateRole {
        roles: Vec<UserName>,
        if_not_exists: bool,
    },
    DropRole {
        roles: Vec<UserName>,
        if_exists: bool,
    },
    Grant {
        what: Granted,
        level: Level,
        users: Vec<UserName>,
        grant_option: bool,
    },
    Revoke {
        what: Granted,
        level: Level,
        users: Vec<UserName>,
        lenient: Lenient,
    },
    /// REVOKE ALL PRIVILEGES, GRANT OPTION FROM
    RevokeEverything {
        users: Vec<UserName>,
        lenient: Lenient,
    },
    GrantRoles {
        roles: Vec<UserName>,
        users: Vec<UserName>,
        admin: bool,
    },
    RevokeRoles {
        roles: Vec<UserName>,
        users: Vec<UserName>,
        lenient: Lenient,
    },
    SetDefaultRole {
        roles: RoleChoice,
        users: Vec<UserName>,
    },
    FlushPrivileges,
}

/// What a REVOKE takes as a warning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Lenient {
    /// IF EXISTS
    pub(crate) if_exists: bool,
    /// IGNORE UNKNOWN USER
    pub(crate) unknown_user: bool,
}
