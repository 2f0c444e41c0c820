//! Privileges: MySQL's static ones as bits, its dynamic ones by name, and where each may be granted.
//!
//! Source: MySQL manual, "Privileges Provided by MySQL"; names and orders as SHOW GRANTS of MySQL 9.7 prints them.

/// A set of static privileges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub(crate) struct Privileges(pub(crate) u64);

macro_rules! privileges {
    ($($name:ident = $bit:literal, $text:literal;)*) => {
        impl Privileges {
            $(pub(crate) const $name: Privileges = Privileges(1 << $bit);)*
        }
        /// Bit and name, in SHOW GRANTS' order.
        const NAMES: &[(Privileges, &str)] = &[$((Privileges::$name, $text),)*];
    };
}

privileges! {
    SELECT = 0, "SELECT";
    INSERT = 1, "INSERT";
    UPDATE = 2, "UPDATE";
    DELETE = 3, "DELETE";
    CREATE = 4, "CREATE";
    DROP = 5, "DROP";
    RELOAD = 6, "RELOAD";
    SHUTDOWN = 7, "SHUTDOWN";
    PROCESS = 8, "PROCESS";
    FILE = 9, "FILE";
    REFERENCES = 10, "REFERENCES";
    INDEX = 11, "INDEX";
    ALTER = 12, "ALTER";
    SHOW_DATABASES = 13, "SHOW DATABASES";
    SUPER = 14, "SUPER";
    CREATE_TEMPORARY = 15, "CREATE TEMPORARY TABLES";
    LOCK_TABLES = 16, "LOCK TABLES";
    EXECUTE = 17, "EXECUTE";
    REPLICATION_SLAVE = 18, "REPLICATION SLAVE";
    REPLICATION_CLIENT = 19, "REPLICATION CLIENT";
    CREATE_VIEW = 20, "CREATE VIEW";
    SHOW_VIEW = 21, "SHOW VIEW";
    CREATE_ROUTINE = 22, "CREATE ROUTINE";
    ALTER_ROUTINE = 23, "ALTER ROUTINE";
    CREATE_USER = 24, "CREATE USER";
    EVENT = 25, "EVENT";
    TRIGGER = 26, "TRIGGER";
    CREATE_TABLESPACE = 27, "CREATE TABLESPACE";
    CREATE_ROLE = 28, "CREATE ROLE";
    DROP_ROLE = 29, "DROP ROLE";
}

impl Privileges {
    pub(crate) const NONE: Privileges = Privileges(0);
    /// May be given on; a bit of its own on every level.
    pub(crate) const GRANT_OPTION: Privileges = Privileges(1 << 40);
    /// ALL PRIVILEGES on `*.*`.
    pub(crate) const ALL: Privileges = Privileges((1 << 30) - 1);
    /// ALL PRIVILEGES on `table`.
    pub(crate) const TABLE: Privileges = Privileges(
        (1 << 0 | 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 10 | 1 << 11 | 1 << 12)
            | (1 << 20 | 1 << 21 | 1 << 26),
    );
    /// ALL PRIVILEGES on `schema.*`.
    pub(crate) const SCHEMA: Privileges =
        Privileges(Privileges::TABLE.0 | 1 << 15 | 1 << 16 | 1 << 17 | 1 << 22 | 1 << 23 | 1 << 25);

    pub(crate) const fn has(self, other: Privileges) -> bool {
        self.0 & other.0 == other.0
    }

    pub(crate) const fn any(self, other: Privileges) -> bool {
        self.0 & other.0 != 0
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) const fn with(self, other: Privileges) -> Privileges {
        Privileges(self.0 | other.0)
    }

    pub(crate) const fn without(self, other: Privileges) -> Privileges {
        Privileges(self.0 & !other.0)
    }

    /// The static privilege of a name in upper case.
    pub(crate) fn named(name: &str) -> Option<Privileges> {
        match name {
            "GRANT OPTION" => Some(Privileges::GRANT_OPTION),
            "USAGE" => Some(Privileges::NONE),
            _ => NAMES.iter().find(|(_, text)| *text == name).map(|(bit, _)| *bit),
        }
    }

    /// The name of the first one.
    pub(crate) fn name(self) -> &'static str {
        NAMES.iter().find(|(bit, _)| self.has(*bit)).map_or("USAGE", |(_, text)| text)
    }

    /// As SHOW GRANTS prints them on a level whose ALL is `all`.
    pub(crate) fn list(self, all: Privileges) -> String {
        let held = self.without(Privileges::GRANT_OPTION);
        if held.is_empty() {
            return "USAGE".to_owned();
        }
        if all != Privileges::ALL && held.has(all) {
            return "ALL PRIVILEGES".to_owned();
        }
        let names = NAMES.iter().filter(|(bit, _)| held.has(*bit)).map(|(_, text)| *text);
        names.collect::<Vec<_>>().join(", ")
    }
}

/// Dynamic privileges that ALL PRIVILEGES on `*.*` grants, as the first account has them in MySQL 9.7.
pub(crate) const DYNAMIC: &[&str] = &[
    "ALLOW_NONEXISTENT_DEFINER",
    "APPLICATION_PASSWORD_ADMIN",
    "AUDIT_ABORT_EXEMPT",
    "AUDIT_ADMIN",
    "AUTHENTICATION_POLICY_ADMIN",
    "BACKUP_ADMIN",
    "BINLOG_ADMIN",
    "BINLOG_ENCRYPTION_ADMIN",
    "CLONE_ADMIN",
    "CONNECTION_ADMIN",
    "CREATE_SPATIAL_REFERENCE_SYSTEM",
    "ENCRYPTION_KEY_ADMIN",
    "FIREWALL_EXEMPT",
    "FLUSH_OPTIMIZER_COSTS",
    "FLUSH_PRIVILEGES",
    "FLUSH_STATUS",
    "FLUSH_TABLES",
    "FLUSH_USER_RESOURCES",
    "GROUP_REPLICATION_ADMIN",
    "GROUP_REPLICATION_STREAM",
    "INNODB_REDO_LOG_ARCHIVE",
    "INNODB_REDO_LOG_ENABLE",
    "MANAGE_DATA_MASKING_POLICY",
    "OPTIMIZE_LOCAL_TABLE",
    "PASSWORDLESS_USER_ADMIN",
    "PERSIST_RO_VARIABLES_ADMIN",
    "REPLICATION_APPLIER",
    "REPLICATION_SLAVE_ADMIN",
    "RESOURCE_GROUP_ADMIN",
    "RESOURCE_GROUP_USER",
    "ROLE_ADMIN",
    "SENSITIVE_VARIABLES_OBSERVER",
    "SERVICE_CONNECTION_ADMIN",
    "SESSION_VARIABLES_ADMIN",
    "SET_ANY_DEFINER",
    "SHOW_ROUTINE",
    "SYSTEM_USER",
    "SYSTEM_VARIABLES_ADMIN",
    "TABLE_ENCRYPTION_ADMIN",
    "TELEMETRY_LOG_ADMIN",
    "TRANSACTION_GTID_TAG",
    "XA_RECOVER_ADMIN",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_read_as_mysql_prints_them() {
        let some = Privileges::UPDATE.with(Privileges::SELECT);
        assert_eq!(some.list(Privileges::TABLE), "SELECT, UPDATE");
        assert_eq!(Privileges::GRANT_OPTION.list(Privileges::SCHEMA), "USAGE");
        assert_eq!(Privileges::TABLE.list(Privileges::TABLE), "ALL PRIVILEGES");
        assert!(Privileges::ALL.list(Privileges::ALL).ends_with("CREATE TABLESPACE, CREATE ROLE, DROP ROLE"));
        assert_eq!(Privileges::named("SHOW DATABASES"), Some(Privileges::SHOW_DATABASES));
        assert!(DYNAMIC.is_sorted());
    }
}
