//! Random expressions over a table's columns: operators, functions, casts, literals at the edges.

use super::Dice;

const NUMBERS: &[&str] = &[
    "0",
    "1",
    "-1",
    "2",
    "7",
    "127",
    "128",
    "255",
    "256",
    "32767",
    "65535",
    "2147483647",
    "-2147483648",
    "4294967295",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551615",
    "0.5",
    "-0.5",
    "1.005",
    "99999.99999",
    "123456789012345678901234567890",
    "1e0",
    "1.5e10",
    "-2.5e-3",
    "1e300",
];
const TEXTS: &[&str] = &[
    "''",
    "'a'",
    "'A'",
    "'abc'",
    "'ABC '",
    "' x'",
    "'12'",
    "'12abc'",
    "'-3.5e1'",
    "'ä'",
    "'Straße'",
    "'2024-02-29'",
    "'12:30:45'",
    "'2024-12-31 23:59:59.999999'",
    "'%'",
    "'a_c'",
    "'null'",
    "'0x41'",
    "'\\\\'",
];
const TIMES: &[&str] = &[
    "DATE'2024-02-29'",
    "DATE'1000-01-01'",
    "DATE'9999-12-31'",
    "TIME'00:00:00'",
    "TIME'-838:59:59'",
    "TIME'12:34:56.789'",
    "TIMESTAMP'2024-12-31 23:59:59.999999'",
    "TIMESTAMP'2000-01-01 00:00:00'",
];
const COMPARISONS: &[&str] = &["=", "<>", "<", "<=", ">", ">=", "<=>"];
const ARITHMETIC: &[&str] = &["+", "-", "*", "/", "DIV", "%", "&", "|", "^", "<<", ">>"];
const ONE: &[&str] = &[
    "ABS",
    "SIGN",
    "CEILING",
    "FLOOR",
    "ROUND",
    "LENGTH",
    "CHAR_LENGTH",
    "UPPER",
    "LOWER",
    "REVERSE",
    "HEX",
    "TRIM",
    "LTRIM",
    "RTRIM",
    "ASCII",
    "ORD",
    "BIT_COUNT",
    "YEAR",
    "MONTH",
    "DAY",
    "HOUR",
    "MINUTE",
    "SECOND",
    "MICROSECOND",
    "DAYOFWEEK",
    "DAYOFYEAR",
    "WEEK",
    "QUARTER",
    "DAYNAME",
    "LAST_DAY",
    "TO_DAYS",
    "TIME_TO_SEC",
    "ISNULL",
    "BIN",
    "OCT",
    "CRC32",
    "SOUNDEX",
    "SQRT",
    "QUOTE",
    "DATE",
    "TIME",
    "-",
    "NOT ",
    "~",
    "!",
];
const TWO: &[&str] = &[
    "IFNULL",
    "NULLIF",
    "CONCAT",
    "LEFT",
    "RIGHT",
    "REPEAT",
    "ROUND",
    "TRUNCATE",
    "MOD",
    "INSTR",
    "LOCATE",
    "STRCMP",
    "POW",
    "GREATEST",
    "LEAST",
    "COALESCE",
    "DATEDIFF",
    "ADDTIME",
    "TIMEDIFF",
    "FIND_IN_SET",
    "FORMAT",
    "SUBSTRING",
];
const THREE: &[&str] = &[
    "IF",
    "CONCAT_WS",
    "SUBSTRING",
    "LPAD",
    "RPAD",
    "REPLACE",
    "FIELD",
    "ELT",
    "GREATEST",
    "MAKETIME",
    "INSERT4",
];
const CASTS: &[&str] = &[
    "SIGNED",
    "UNSIGNED",
    "CHAR",
    "CHAR(3)",
    "BINARY",
    "BINARY(4)",
    "DECIMAL",
    "DECIMAL(10,3)",
    "DOUBLE",
    "DATE",
    "TIME",
    "DATETIME",
    "DATETIME(3)",
    "YEAR",
];
const UNITS: &[&str] = &[
    "MICROSECOND",
    "SECOND",
    "MINUTE",
    "HOUR",
    "DAY",
    "WEEK",
    "MONTH",
    "QUARTER",
    "YEAR",
    "DAY_HOUR",
    "YEAR_MONTH",
];
const AGGREGATES: &[&str] =
    &["COUNT", "SUM", "AVG", "MIN", "MAX", "BIT_AND", "BIT_OR", "BIT_XOR", "STD", "VARIANCE", "GROUP_CONCAT"];

/// A literal or a column.
pub(super) fn leaf(dice: &mut Dice, columns: &[String]) -> String {
    match dice.below(12) {
        0 => "NULL".into(),
        1 | 2 => dice.pick(NUMBERS).to_string(),
        3 | 4 => dice.pick(TEXTS).to_string(),
        5 => dice.pick(TIMES).to_string(),
        _ if columns.is_empty() => dice.pick(NUMBERS).to_string(),
        _ => columns[dice.below(columns.len())].clone(),
    }
}

/// An expression of at most so many levels.
pub(super) fn expression(dice: &mut Dice, columns: &[String], depth: usize) -> String {
    if depth == 0 || dice.one_in(5) {
        return leaf(dice, columns);
    }
    let next = |dice: &mut Dice| expression(dice, columns, depth - 1);
    match dice.below(14) {
        0..=2 => {
            let (a, b) = (next(dice), next(dice));
            format!("({a} {} {b})", dice.pick(ARITHMETIC))
        }
        3 => predicate(dice, columns, depth - 1),
        4..=6 => {
            let name = dice.pick(ONE);
            format!("{name}({})", next(dice))
        }
        7 | 8 => {
            let (a, b) = (next(dice), next(dice));
            format!("{}({a}, {b})", dice.pick(TWO))
        }
        9 => {
            let (a, b, c) = (next(dice), next(dice), next(dice));
            match dice.pick(THREE) {
                "INSERT4" => format!("INSERT({a}, {}, {}, {c})", dice.below(4), dice.below(4)),
                name => format!("{name}({a}, {b}, {c})"),
            }
        }
        10 | 11 => {
            let a = next(dice);
            format!("CAST({a} AS {})", dice.pick(CASTS))
        }
        12 => {
            let (a, b, c) = (predicate(dice, columns, depth - 1), next(dice), next(dice));
            format!("CASE WHEN {a} THEN {b} ELSE {c} END")
        }
        _ => {
            let (a, b) = (next(dice), dice.below(40));
            let name = dice.pick(&["DATE_ADD", "DATE_SUB"]);
            format!("{name}({a}, INTERVAL {b} {})", dice.pick(UNITS))
        }
    }
}

/// Something to ask of a row.
pub(super) fn predicate(dice: &mut Dice, columns: &[String], depth: usize) -> String {
    let next = |dice: &mut Dice| expression(dice, columns, depth.saturating_sub(1));
    match dice.below(11) {
        0..=3 => {
            let (a, b) = (next(dice), next(dice));
            format!("({a} {} {b})", dice.pick(COMPARISONS))
        }
        4 => {
            let (a, b, c) = (next(dice), next(dice), next(dice));
            format!("({a} {} {b} AND {c})", dice.pick(&["BETWEEN", "NOT BETWEEN"]))
        }
        5 => {
            let (a, b, c, d) = (next(dice), next(dice), next(dice), leaf(dice, columns));
            format!("({a} {} ({b}, {c}, {d}))", dice.pick(&["IN", "NOT IN"]))
        }
        6 => {
            let a = next(dice);
            format!("({a} IS {})", dice.pick(&["NULL", "NOT NULL", "TRUE", "FALSE", "NOT TRUE", "UNKNOWN"]))
        }
        7 => {
            let a = next(dice);
            format!(
                "({a} {} {})",
                dice.pick(&["LIKE", "NOT LIKE"]),
                dice.pick(&["'%'", "'a%'", "'_b%'", "'%1%'", "'2024%'"])
            )
        }
        _ if depth == 0 => format!("({} IS NOT NULL)", leaf(dice, columns)),
        _ => {
            let (a, b) = (predicate(dice, columns, depth - 1), predicate(dice, columns, depth - 1));
            format!("({a} {} {b})", dice.pick(&["AND", "OR", "XOR"]))
        }
    }
}

/// An aggregate over an expression.
pub(super) fn aggregate(dice: &mut Dice, columns: &[String]) -> String {
    let inner = expression(dice, columns, 1);
    match dice.pick(AGGREGATES) {
        "COUNT" if dice.one_in(2) => "COUNT(*)".into(),
        // Without an order of its own what it concatenates is in any order.
        "GROUP_CONCAT" => format!("GROUP_CONCAT({inner} ORDER BY id)"),
        name => format!(
            "{name}({}{inner})",
            if dice.one_in(5) && name != "STD" && name != "VARIANCE" && !name.starts_with("BIT") {
                "DISTINCT "
            } else {
                ""
            }
        ),
    }
}
