//! mysql-1: a schema with every type goes round through dump and import tools: `mysqldump` and `mariadb-dump` into another schema, a table
//! as text through `mysqlimport`; `--mib` says how many MiB of rows there are beside. Definitions and every row must be the same.
//!
//! Tools that this machine has not are named, and then the show does not say that it holds. The sabotage changes a row of the copy.

use crate::{Order, Outcome};
use std::fs::{self, File};
use std::path::Path;
use std::process::Stdio;
use tests::child::{self, Helper};
use tests::client::Client;
use tests::product::build;
use tests::scratch::Scratch;
use tests::server::Launch;

const TYPES: &str = "a TINYINT UNSIGNED, b SMALLINT, c MEDIUMINT, d INT NOT NULL DEFAULT 7, e BIGINT UNSIGNED, f FLOAT, g DOUBLE, \
    h DECIMAL(65,30), i DATE, j TIME(6), k DATETIME(6), l TIMESTAMP NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, m YEAR, \
    n CHAR(10), o VARCHAR(200) COMMENT 'it''s', p VARCHAR(20) CHARACTER SET latin1, q TEXT, r MEDIUMTEXT, s BINARY(4), t VARBINARY(100), \
    u BLOB, v ENUM('a','b''c','ö'), w SET('x','y'), x JSON, y BIT(12), z INT DEFAULT (1 + 2), KEY (o), UNIQUE KEY (e, d), KEY (q(20) DESC)";
const ROWS: &[&str] = &[
    "(1, 255, -32768, 8388607, -2147483648, 18446744073709551615, 1.5, 3.141592653589793, 12345678901234567890123456789012345.123456789012345678901234567890, \
     '2024-02-29', '-838:59:58.999999', '1999-12-31 23:59:59.999999', '2024-02-29 12:34:56', 2155, 'chars', 'grüße 😀 ''\"\\\\ \\n\\t%', 'äöü', 'text', REPEAT('m', 100000), \
     x'00ff275c', x'000a0d1a5c2722', x'00ff', 'b''c', 'x,y', '{\"a\": [1, 2.5, null, \"ä\"]}', b'101010111100', 1)",
    "(2, NULL, NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
    "(3, 0, 0, 0, 0, 0, -0.1, -1.5e300, -0.000000000000000000000000000001, '1000-01-01', '00:00:00', '9999-12-31 23:59:59', '1970-01-01 00:00:01', 1901, '', '', '', '', '', \
     '', '', '', 'ö', '', '[]', b'0', 0)",
];

fn text(error: tests::client::Error) -> String {
    error.to_string()
}

fn fill(sql: &mut Client, mib: u64) -> Result<(), String> {
    let mut run = |statement: &str| sql.query(statement).map(drop).map_err(text);
    run("SET GLOBAL local_infile = 1")?;
    for schema in ["source", "copy"] {
        run(&format!("CREATE DATABASE {schema}"))?;
    }
    run("USE source")?;
    run(&format!(
        "CREATE TABLE every_type (id INT PRIMARY KEY AUTO_INCREMENT, {TYPES}) COMMENT 'all of them'"
    ))?;
    for row in ROWS {
        run(&format!("INSERT INTO every_type VALUES {row}"))?;
    }
    run("CREATE TABLE parent (id INT PRIMARY KEY, name VARCHAR(20) COLLATE utf8mb4_bin UNIQUE)")?;
    run(
        "CREATE TABLE child (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES parent (id) ON DELETE CASCADE)",
    )?;
    run("INSERT INTO parent VALUES (1, 'one'), (2, 'two')")?;
    run("INSERT INTO child VALUES (1, 1), (2, NULL)")?;
    run("CREATE TABLE `strange ``name` (`a b` INT, `select` VARCHAR(5))")?;
    run("INSERT INTO `strange ``name` VALUES (1, 'x')")?;
    run("CREATE TABLE rows_of_text (id BIGINT AUTO_INCREMENT PRIMARY KEY, v INT, pad VARCHAR(1000))")?;
    run("INSERT INTO rows_of_text (v, pad) VALUES (1, REPEAT('p', 1000))")?;
    // Each row has about a kilobyte.
    let wanted = mib * 1024;
    let mut have = 1;
    while have < wanted {
        let more = have.min(wanted - have);
        run(&format!(
            "INSERT INTO rows_of_text (v, pad) SELECT id, CONCAT(id, REPEAT('q', 990)) FROM rows_of_text LIMIT {more}"
        ))?;
        have += more;
    }
    Ok(())
}

/// Runs a tool with its standard input and output in files; `false`: there is no such tool.
fn tool(name: &str, args: &[&str], input: Option<&Path>, output: Option<&Path>) -> Result<bool, String> {
    let mut command = child::command(name);
    let file =
        |path: &Path, made: std::io::Result<File>| made.map_err(|e| format!("{}: {e}", path.display()));
    command.args(args).stderr(Stdio::piped()).stdin(Stdio::null()).stdout(Stdio::piped());
    if let Some(path) = input {
        command.stdin(file(path, File::open(path))?);
    }
    if let Some(path) = output {
        command.stdout(file(path, File::create(path))?);
    }
    let Ok(started) = Helper::start(command) else { return Ok(false) };
    let (status, _, err) = started.output()?;
    if status.success() { Ok(true) } else { Err(format!("{name}: {}", err.trim())) }
}

/// The tables of `copy` are those of `source`: definitions, and every row.
fn alike(sql: &mut Client, tables: &[&str]) -> Result<u64, String> {
    let mut rows = 0;
    for table in tables {
        let definition = |sql: &mut Client, schema: &str| {
            sql.query(&format!("SHOW CREATE TABLE {schema}.{table}")).map(|a| a.text()).map_err(text)
        };
        if definition(sql, "source")? != definition(sql, "copy")? {
            return Err(format!("the definition of {table} is another one"));
        }
        // Rows are compared as they stand, in their order, a slice of them at a time.
        for start in (0..).step_by(2000) {
            let slice = |sql: &mut Client, schema: &str| {
                let query = format!("SELECT * FROM {schema}.{table} ORDER BY 1 LIMIT {start}, 2000");
                sql.query(&query).map(|a| a.rows).map_err(text)
            };
            let (source, copy) = (slice(sql, "source")?, slice(sql, "copy")?);
            if let Some(at) = (0..source.len().max(copy.len())).find(|i| source.get(*i) != copy.get(*i)) {
                return Err(format!("row {} of {table} is another one", start + at));
            }
            rows += source.len() as u64;
            if source.len() < 2000 {
                break;
            }
        }
    }
    Ok(rows)
}

pub(crate) fn show(order: &Order) -> Outcome {
    let binary = build("sextant", "sextant", false)?;
    let scratch = Scratch::new("dumps").map_err(|e| e.to_string())?;
    let server = Launch::new(&binary, &scratch.path().join("data")).start()?;
    let mut sql = server.connect().map_err(text)?;
    fill(&mut sql, order.mib.unwrap_or(8))?;
    let (host, port) = server.address.split_once(':').ok_or("no port")?;
    let to = ["-h", host, "-P", port, "-u", "root"];
    let tables = ["every_type", "parent", "child", "`strange ``name`", "rows_of_text"];
    let mut absent = Vec::new();
    for (name, more) in [
        ("mysqldump", &["--single-transaction", "--hex-blob"][..]),
        ("mariadb-dump", &["--single-transaction"][..]),
        ("mariadb-dump", &["--lock-tables", "--complete-insert", "--skip-extended-insert"][..]),
    ] {
        let file = scratch.path().join("dump.sql");
        let args: Vec<&str> = to.iter().chain(more).copied().chain(["source"]).collect();
        if !tool(name, &args, None, Some(&file))? {
            absent.push(name);
            continue;
        }
        sql.query("DROP DATABASE copy").map_err(text)?;
        sql.query("CREATE DATABASE copy").map_err(text)?;
        let args: Vec<&str> = to.iter().copied().chain(["--default-character-set=utf8mb4", "copy"]).collect();
        if !tool("mariadb", &args, Some(&file), None)? {
            return Err("the client mariadb is absent".into());
        }
        if order.sabotage {
            sql.query("UPDATE copy.every_type SET g = 3.14 WHERE id = 1").map_err(text)?;
        }
        let rows = alike(&mut sql, &tables)?;
        let bytes = fs::metadata(&file).map_or(0, |m| m.len());
        println!(
            "{name} {}: {rows} rows and {} definitions are alike, {bytes} bytes of dump",
            more.join(" "),
            tables.len()
        );
    }
    import(&mut sql, &to, scratch.path(), &mut absent)?;
    absent.push("mydumper");
    println!("absent or not tried: {}", absent.join(", "));
    if absent == ["mydumper"] {
        Ok(())
    } else {
        Err(format!("not shown, because absent: {}", absent.join(", ")))
    }
}

/// A table as lines of text, into an empty copy.
fn import(sql: &mut Client, to: &[&str], folder: &Path, absent: &mut Vec<&'static str>) -> Outcome {
    let file = folder.join("rows_of_text.txt");
    let select: Vec<&str> = to
        .iter()
        .copied()
        .chain(["-N", "-B", "-e", "SELECT * FROM source.rows_of_text ORDER BY id"])
        .collect();
    tool("mariadb", &select, None, Some(&file))?;
    sql.query("DELETE FROM copy.rows_of_text").map_err(text)?;
    let path = file.to_string_lossy();
    let args: Vec<&str> = to.iter().copied().chain(["--local", "copy", &path]).collect();
    if !tool("mysqlimport", &args, None, None)? {
        absent.push("mysqlimport");
        return Ok(());
    }
    let rows = alike_rows(sql)?;
    println!("mysqlimport: {rows} rows are alike");
    Ok(())
}

fn alike_rows(sql: &mut Client) -> Result<String, String> {
    let mut sum = |schema: &str| {
        let query = format!(
            "SELECT COUNT(*), SUM(v), SUM(CRC32(CONCAT_WS('|', id, v, pad))) FROM {schema}.rows_of_text"
        );
        sql.query(&query).map(|a| a.text().concat()).map_err(text)
    };
    let (source, copy) = (sum("source")?, sum("copy")?);
    if source != copy {
        return Err(format!("mysqlimport: {copy:?}, not {source:?}"));
    }
    Ok(source.first().cloned().unwrap_or_default())
}
