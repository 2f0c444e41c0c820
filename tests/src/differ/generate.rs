//! Random schemas, rows and statements.

use super::Dice;
use super::expression::{aggregate, expression, predicate};

const TYPES: &[(&str, &[&str])] = &[
    ("TINYINT", &["0", "-128", "127", "5"]),
    ("SMALLINT UNSIGNED", &["0", "65535", "7"]),
    ("INT", &["0", "-2147483648", "2147483647", "42", "-1"]),
    ("BIGINT", &["-9223372036854775808", "9223372036854775807", "0", "1000000007"]),
    ("BIGINT UNSIGNED", &["18446744073709551615", "0", "9223372036854775808"]),
    ("DECIMAL(10,2)", &["99999999.99", "-0.01", "0", "12.5"]),
    ("DECIMAL(40,20)", &["12345678901234567890.12345678901234567890", "-1", "0.00000000000000000001"]),
    ("DOUBLE", &["0", "-1.5e300", "3.14159", "1e-10", "0.1"]),
    ("FLOAT", &["1.5", "-0.1", "16777217", "3.4e38"]),
    ("CHAR(8)", &["''", "'a'", "'A'", "'abc'", "'Zebra'"]),
    ("VARCHAR(40)", &["''", "'abc'", "'ABC'", "'12'", "'12abc'", "'ä'", "'Straße'", "'a%b'", "' lead'"]),
    ("VARCHAR(20) COLLATE utf8mb4_bin", &["'a'", "'A'", "'b'", "''"]),
    ("TEXT", &["'text'", "''", "'another, longer text with 2024-01-01 in it'"]),
    ("VARBINARY(16)", &["'ab'", "x'00ff41'", "''"]),
    ("DATE", &["'2024-02-29'", "'1999-12-31'", "'1000-01-01'", "'9999-12-31'"]),
    ("DATETIME", &["'2024-02-29 12:34:56'", "'1970-01-01 00:00:00'", "'9999-12-31 23:59:59'"]),
    ("DATETIME(6)", &["'2024-12-31 23:59:59.999999'", "'2000-01-01 00:00:00.5'"]),
    ("TIME(3)", &["'-838:59:59'", "'12:34:56.789'", "'00:00:00'"]),
    ("TIMESTAMP NULL", &["'2024-02-29 12:34:56'", "'1970-01-02 00:00:01'"]),
    ("YEAR", &["2024", "1901", "2155", "0"]),
];

/// One statement of a run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Statement {
    /// The text.
    pub sql: String,
    /// Rows have an order.
    pub ordered: bool,
}

#[derive(Clone, Debug)]
struct Table {
    name: String,
    /// Name, and values that fit.
    columns: Vec<(String, &'static [&'static str])>,
    rows: usize,
}

impl Table {
    fn names(&self) -> Vec<String> {
        std::iter::once("id".to_string()).chain(self.columns.iter().map(|c| c.0.clone())).collect()
    }
}

/// Draws from a seed: first a schema with rows, then statements without end.
#[derive(Clone, Debug)]
pub struct Generator {
    dice: Dice,
    tables: Vec<Table>,
}

impl Generator {
    /// A generator, and the statements that make its tables.
    #[must_use]
    pub fn new(seed: u64) -> (Generator, Vec<Statement>) {
        let mut generator = Generator { dice: Dice::new(seed), tables: Vec::new() };
        let mut made = Vec::new();
        for number in 0..2 + generator.dice.below(2) {
            made.extend(generator.table(number));
        }
        (generator, made)
    }

    fn table(&mut self, number: usize) -> Vec<Statement> {
        let name = format!("t{number}");
        let dice = &mut self.dice;
        let mut columns: Vec<(String, &'static [&'static str])> = Vec::new();
        let mut definitions = vec!["id INT NOT NULL PRIMARY KEY".to_string()];
        for i in 0..3 + dice.below(4) {
            let (kind, values) = TYPES[dice.below(TYPES.len())];
            definitions.push(format!("c{i} {kind}"));
            columns.push((format!("c{i}"), values));
            if dice.one_in(3) && kind != "TEXT" {
                definitions.push(format!("KEY k{i} (c{i})"));
            }
        }
        let mut made = vec![ordered(format!("CREATE TABLE {name} ({})", definitions.join(", ")))];
        let rows = 1 + dice.below(12);
        for id in 0..rows {
            let values: Vec<&str> =
                columns.iter().map(|(_, v)| if dice.one_in(5) { "NULL" } else { dice.pick(v) }).collect();
            made.push(ordered(format!("INSERT INTO {name} VALUES ({id}, {})", values.join(", "))));
        }
        self.tables.push(Table { name, columns, rows });
        made
    }

    /// The next statement.
    pub fn statement(&mut self) -> Statement {
        let which = self.dice.below(self.tables.len());
        let table = self.tables[which].clone();
        let names = table.names();
        let dice = &mut self.dice;
        match dice.below(20) {
            0..=2 => {
                let list: Vec<String> = (0..1 + dice.below(3)).map(|_| expression(dice, &[], 2)).collect();
                ordered(format!("SELECT {}", list.join(", ")))
            }
            3..=8 => {
                let list: Vec<String> = (0..1 + dice.below(3)).map(|_| expression(dice, &names, 2)).collect();
                let filter = if dice.one_in(2) {
                    format!(" WHERE {}", predicate(dice, &names, 2))
                } else {
                    String::new()
                };
                let limit = if dice.one_in(4) { format!(" LIMIT {}", dice.below(5)) } else { String::new() };
                let order = if dice.one_in(3) {
                    format!("{} DESC, id", names[dice.below(names.len())])
                } else {
                    "id".into()
                };
                ordered(format!(
                    "SELECT id, {} FROM {}{filter} ORDER BY {order}{limit}",
                    list.join(", "),
                    table.name
                ))
            }
            9 | 10 => {
                let filter = predicate(dice, &names, 2);
                ordered(format!("SELECT * FROM {} WHERE {filter} ORDER BY id", table.name))
            }
            11 | 12 => {
                let list: Vec<String> = (0..1 + dice.below(2)).map(|_| aggregate(dice, &names)).collect();
                ordered(format!("SELECT {} FROM {}", list.join(", "), table.name))
            }
            13 | 14 => {
                let key = names[1 + dice.below(names.len() - 1)].clone();
                let list = aggregate(dice, &names);
                let having = if dice.one_in(3) { " HAVING COUNT(*) > 1" } else { "" };
                Statement {
                    sql: format!("SELECT COUNT(*), {list} FROM {} GROUP BY {key}{having}", table.name),
                    ordered: false,
                }
            }
            15 => {
                let column = names[1 + dice.below(names.len() - 1)].clone();
                Statement { sql: format!("SELECT DISTINCT {column} FROM {}", table.name), ordered: false }
            }
            16 | 17 => {
                let (column, value) =
                    (names[1 + dice.below(names.len() - 1)].clone(), expression(dice, &names, 1));
                let filter = predicate(dice, &names, 1);
                ordered(format!("UPDATE {} SET {column} = {value} WHERE {filter}", table.name))
            }
            18 => {
                let values: Vec<String> = table.columns.iter().map(|_| expression(dice, &[], 1)).collect();
                self.tables[which].rows += 1;
                ordered(format!(
                    "INSERT INTO {} VALUES ({}, {})",
                    table.name,
                    100 + table.rows,
                    values.join(", ")
                ))
            }
            _ => {
                let filter = predicate(dice, &names, 1);
                ordered(format!("DELETE FROM {} WHERE id > 100 AND {filter}", table.name))
            }
        }
    }

    /// What shows whether the tables are still alike.
    #[must_use]
    pub fn contents(&self) -> Vec<Statement> {
        self.tables.iter().map(|t| ordered(format!("SELECT * FROM {} ORDER BY id", t.name))).collect()
    }
}

fn ordered(sql: String) -> Statement {
    Statement { sql, ordered: true }
}

#[cfg(test)]
mod checks {
    use super::*;

    #[test]
    fn a_seed_draws_the_same_statements() {
        let draw = |seed| {
            let (mut generator, mut made) = Generator::new(seed);
            made.extend((0..200).map(|_| generator.statement()));
            made
        };
        assert_eq!(draw(3), draw(3));
        assert_ne!(draw(3), draw(4));
    }
}
