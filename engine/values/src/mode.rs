//! `sql_mode`, with MySQL's names and bit values: only the flags that still exist in MySQL 9.

/// A set of sql_mode flags, numbered as in MySQL's own bit mask.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SqlMode(pub u64);

macro_rules! modes {
    ($($(#[$doc:meta])* $name:ident = $bit:expr;)*) => {
        impl SqlMode {
            $($(#[$doc])* pub const $name: SqlMode = SqlMode(1 << $bit);)*
            const ALL: &'static [(&'static str, SqlMode)] = &[$((stringify!($name), SqlMode::$name)),*];
        }
    };
}

modes! {
    /// REAL is FLOAT.
    REAL_AS_FLOAT = 0;
    /// `||` concatenates.
    PIPES_AS_CONCAT = 1;
    /// `"` quotes identifiers.
    ANSI_QUOTES = 2;
    /// Blanks allowed before the parenthesis of a function.
    IGNORE_SPACE = 3;
    /// Refuses non-grouped columns in a grouped select.
    ONLY_FULL_GROUP_BY = 5;
    /// BIGINT UNSIGNED minus anything is signed.
    NO_UNSIGNED_SUBTRACTION = 6;
    /// Accepted, as in MySQL, with no effect.
    NO_DIR_IN_CREATE = 7;
    /// The combination mode ANSI.
    ANSI = 18;
    /// 0 in an AUTO_INCREMENT column is stored as 0.
    NO_AUTO_VALUE_ON_ZERO = 19;
    /// `\` is an ordinary character.
    NO_BACKSLASH_ESCAPES = 20;
    /// Strict for transactional tables (all of ours).
    STRICT_TRANS_TABLES = 21;
    /// Strict for all tables.
    STRICT_ALL_TABLES = 22;
    /// No zero month or day.
    NO_ZERO_IN_DATE = 23;
    /// No '0000-00-00'.
    NO_ZERO_DATE = 24;
    /// Days are not checked against their month.
    ALLOW_INVALID_DATES = 25;
    /// Division by zero warns, or fails a strict write.
    ERROR_FOR_DIVISION_BY_ZERO = 26;
    /// The combination mode TRADITIONAL.
    TRADITIONAL = 27;
    /// NOT binds as tightly as `!`.
    HIGH_NOT_PRECEDENCE = 29;
    /// An unknown ENGINE is an error.
    NO_ENGINE_SUBSTITUTION = 30;
    /// CHAR columns come back padded.
    PAD_CHAR_TO_FULL_LENGTH = 31;
    /// Fractional seconds are cut, not rounded.
    TIME_TRUNCATE_FRACTIONAL = 32;
}

impl SqlMode {
    /// MySQL 9's default: ONLY_FULL_GROUP_BY, STRICT_TRANS_TABLES, NO_ZERO_IN_DATE, NO_ZERO_DATE, ERROR_FOR_DIVISION_BY_ZERO,
    /// NO_ENGINE_SUBSTITUTION.
    pub const DEFAULT: Self = Self(
        Self::ONLY_FULL_GROUP_BY.0
            | Self::STRICT_TRANS_TABLES.0
            | Self::NO_ZERO_IN_DATE.0
            | Self::NO_ZERO_DATE.0
            | Self::ERROR_FOR_DIVISION_BY_ZERO.0
            | Self::NO_ENGINE_SUBSTITUTION.0,
    );

    /// Whether every flag of `other` is set.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both sets together.
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// This set less `other`.
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether writes are strict (either STRICT flag: all our tables are transactional).
    pub const fn strict(self) -> bool {
        self.0 & (Self::STRICT_TRANS_TABLES.0 | Self::STRICT_ALL_TABLES.0) != 0
    }

    /// Reads a comma-separated list, case-insensitively; `Err` names the first unknown word (MySQL's 1231).
    pub fn parse(list: &str) -> Result<Self, String> {
        let mut mode = Self(0);
        for word in list.split(',').map(str::trim).filter(|w| !w.is_empty()) {
            let found = Self::ALL.iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
            mode = mode.with(found.map(|(_, m)| *m).ok_or_else(|| word.to_owned())?);
        }
        if mode.has(Self::ANSI) {
            mode = mode
                .with(Self::REAL_AS_FLOAT)
                .with(Self::PIPES_AS_CONCAT)
                .with(Self::ANSI_QUOTES)
                .with(Self::IGNORE_SPACE)
                .with(Self::ONLY_FULL_GROUP_BY);
        }
        if mode.has(Self::TRADITIONAL) {
            let strict = Self::STRICT_TRANS_TABLES.with(Self::STRICT_ALL_TABLES);
            mode = mode.with(strict).with(Self::DEFAULT.without(Self::ONLY_FULL_GROUP_BY));
        }
        Ok(mode)
    }

    /// The set as `@@sql_mode` shows it: names in bit order, comma-separated.
    pub fn names(self) -> String {
        let set = Self::ALL.iter().filter(|(_, m)| self.has(*m)).map(|(name, _)| *name);
        set.collect::<Vec<_>>().join(",")
    }
}
