//! Reading settings from their five places, lowest first.

use super::{ConfigError, SETTINGS, Settings, persisted};
use std::path::{Path, PathBuf};

/// What the command line says about settings.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--config`: the file to read. Without it `sextant.toml` in the working directory is read where it exists.
    pub config: Option<PathBuf>,
    /// `(flag as typed, setting, value)`, in order.
    pub values: Vec<(String, String, String)>,
}

/// The settings in force. `environment` is all of it; only names that begin with `SEXTANT_` are looked at.
///
/// # Errors
/// An unknown name, a value out of bounds, a file that cannot be read.
pub fn load(
    flags: &Flags,
    environment: impl Iterator<Item = (String, String)>,
) -> Result<Settings, ConfigError> {
    let mut texts: Vec<String> = SETTINGS.iter().map(|setting| setting.default.to_string()).collect();
    let put = |texts: &mut Vec<String>, place: &str, name: &str, text: &str| -> Result<(), ConfigError> {
        let at = SETTINGS.iter().position(|setting| setting.name == name);
        let Some(at) = at else {
            return error(place, format!("unknown setting '{name}'{}", suggestion(name)));
        };
        texts[at] = SETTINGS[at].normalise(text).or_else(|problem| error(place, problem))?;
        Ok(())
    };
    if let Some((path, text)) = read_file(flags.config.as_deref())? {
        for (name, value) in parse_file(&path, &text)? {
            put(&mut texts, &path, &name, &value)?;
        }
    }
    let mut variables: Vec<_> = environment.filter(|(name, _)| name.starts_with("SEXTANT_")).collect();
    variables.sort();
    for (variable, value) in variables {
        match SETTINGS.iter().find(|setting| setting.env_name() == variable) {
            Some(setting) => {
                put(&mut texts, &format!("environment variable {variable}"), setting.name, &value)?
            }
            None => return error("environment", format!("unknown setting '{variable}'")),
        }
    }
    for (flag, name, value) in &flags.values {
        put(&mut texts, flag, name, value)?;
    }
    let datadir = Settings::from_texts(&texts).datadir;
    for (name, value) in persisted::read(&datadir)? {
        if SETTINGS.iter().any(|setting| setting.name == name) && name != "datadir" {
            put(&mut texts, "SET PERSIST", &name, &value)?;
        }
    }
    Ok(Settings::from_texts(&texts))
}

fn error<T>(place: &str, problem: String) -> Result<T, ConfigError> {
    Err(ConfigError { place: place.to_string(), problem })
}

fn read_file(named: Option<&Path>) -> Result<Option<(String, String)>, ConfigError> {
    let path = named.unwrap_or(Path::new("sextant.toml"));
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some((path.display().to_string(), text))),
        Err(problem) if named.is_none() && problem.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(problem) => error(&path.display().to_string(), problem.to_string()),
    }
}

fn parse_file(path: &str, text: &str) -> Result<Vec<(String, String)>, ConfigError> {
    let table: toml::Table = text.parse().or_else(|problem: toml::de::Error| {
        error(path, problem.to_string().lines().collect::<Vec<_>>().join(" "))
    })?;
    table
        .into_iter()
        .map(|(name, value)| match value {
            toml::Value::String(text) => Ok((name, text)),
            toml::Value::Integer(number) => Ok((name, number.to_string())),
            toml::Value::Boolean(on) => Ok((name, on.to_string())),
            _ => error(path, format!("{name}: must be a text, a whole number or a boolean")),
        })
        .collect()
}

/// The known name nearest to `name`, if one is near.
fn suggestion(name: &str) -> String {
    let name = name.replace('-', "_");
    let near = SETTINGS.iter().map(|setting| (distance(setting.name, &name), setting.name)).min();
    near.filter(|(steps, _)| *steps <= 3)
        .map(|(_, known)| format!(" (did you mean '{known}'?)"))
        .unwrap_or_default()
}

/// Levenshtein distance.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let cost = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = cost.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
