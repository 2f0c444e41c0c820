//! What SET PERSIST keeps: `compute/persisted.toml` in the data folder, one line for each variable, read at start after everything else.
//!
//! The part of MySQL's mysqld-auto.cnf. A volume on storage daemons has it in its compute node's own data folder. The file is replaced
//! whole (written aside, synced, renamed), so that a crash leaves the one before or the one after.

use super::ConfigError;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

fn path(datadir: &str) -> PathBuf {
    Path::new(datadir).join("compute").join("persisted.toml")
}

/// Names and values; empty where nothing was persisted.
///
/// # Errors
/// A file that cannot be read, or that is no list of names and texts.
pub fn read(datadir: &str) -> Result<BTreeMap<String, String>, ConfigError> {
    let path = path(datadir);
    let error = |problem: String| {
        let problem = problem.lines().collect::<Vec<_>>().join(" ");
        Err(ConfigError { place: path.display().to_string(), problem })
    };
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(problem) if matches!(problem.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(BTreeMap::new());
        }
        Err(problem) => return error(problem.to_string()),
    };
    let table: toml::Table = match text.parse() {
        Ok(table) => table,
        Err(problem) => return error(problem.to_string()),
    };
    let mut all = BTreeMap::new();
    for (name, value) in table {
        match value {
            toml::Value::String(value) => all.insert(name, value),
            _ => return error(format!("{name}: must be a text")),
        };
    }
    Ok(all)
}

/// Makes `all` what is persisted.
///
/// # Errors
/// What the system says; what was persisted before is then still there.
pub fn write(datadir: &str, all: &BTreeMap<String, String>) -> io::Result<()> {
    let path = path(datadir);
    let mut text = String::from(
        "# Written by SET PERSIST; read at start after sextant.toml, the environment and the flags.\n",
    );
    for (name, value) in all {
        let _ = writeln!(text, "{name} = {}", quoted(value));
    }
    let aside = path.with_extension("toml.new");
    let mut file = File::create(&aside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&aside, &path)?;
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// A TOML basic string.
fn quoted(value: &str) -> String {
    let mut out = String::from("\"");
    for c in value.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn what_is_written_is_read_again() {
        static CALLS: AtomicU32 = AtomicU32::new(0);
        let name =
            format!("sextant-persisted-{}-{}", std::process::id(), CALLS.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        let datadir = folder.display().to_string();
        assert_eq!(read(&datadir).unwrap(), BTreeMap::new(), "nothing persisted");
        fs::create_dir_all(folder.join("compute")).unwrap();
        let mut all = BTreeMap::new();
        for (name, value) in
            [("sql_mode", "ANSI_QUOTES,STRICT_ALL_TABLES"), ("init", "a \"b\" \\ c\n\u{1}"), ("empty", "")]
        {
            all.insert(name.to_owned(), value.to_owned());
        }
        write(&datadir, &all).unwrap();
        assert_eq!(read(&datadir).unwrap(), all);
        write(&datadir, &BTreeMap::new()).unwrap();
        assert_eq!(read(&datadir).unwrap(), BTreeMap::new());
        fs::write(path(&datadir), "sql_mode = 5").unwrap();
        assert!(read(&datadir).unwrap_err().to_string().contains("must be a text"));
        fs::remove_dir_all(&folder).unwrap();
    }
}
