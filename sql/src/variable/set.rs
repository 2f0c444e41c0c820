//! What a SET may store: each kind's check, with MySQL's errors.

use super::{Charset, Kind, Scope, Values};
use crate::error::{
    Result, SqlError, unknown_charset, unknown_collation, unsupported, wrong_type, wrong_value,
};
use values::{Collation, SqlMode, Value, Zone};

impl Values {
    /// The text that `SET variable = value` would store. `clamped` becomes true when a number had to be moved into its range
    /// (warning 1292).
    pub(crate) fn checked(index: usize, value: &Value, clamped: &mut bool) -> Result<String> {
        let variable = crate::variable::variable(index);
        let name = variable.name;
        match variable.kind {
            Kind::ReadOnly | Kind::ReadOnlyInt | Kind::ReadOnlyBool => Err(read_only(name)),
            Kind::Bool => boolean(name, value),
            Kind::Int { min, max } => integer(name, value, min, max, clamped),
            Kind::Seconds => seconds(name, value),
            Kind::Text => match value {
                Value::Null => Err(wrong_value(name, "NULL")),
                Value::Text(text) => Ok(text.as_str().to_owned()),
                _ => Err(wrong_type(name)),
            },
            Kind::Enum(words) => one_of(name, value, words),
            Kind::Charset => charset(name, value),
            Kind::Collation => {
                let given = text(name, value)?;
                let collation = Collation::from_name(&given).ok_or_else(|| unknown_collation(&given))?;
                Ok(collation.name().to_owned())
            }
            Kind::SqlMode => sql_mode(name, value),
            Kind::TimeZone => {
                let given = text(name, value)?;
                match Zone::parse(&given) {
                    Ok(_) if given.eq_ignore_ascii_case("system") => Ok("SYSTEM".to_owned()),
                    // A name as the database spells it, an offset as it was given.
                    Ok(zone @ Zone::Named(_)) => Ok(zone.to_string()),
                    Ok(_) => Ok(given),
                    Err(_) => Err(SqlError::new(1298, format!("Unknown or incorrect time zone: '{given}'"))),
                }
            }
            Kind::Fixed | Kind::FixedInt | Kind::FixedBool => fixed(variable.default, name, value),
        }
    }
}

/// 1238
pub(crate) fn read_only(name: &str) -> SqlError {
    SqlError::new(1238, format!("Variable '{name}' is a read only variable"))
}

/// May a SET of this scope name this variable? 1228, 1229.
pub(crate) fn check_scope(index: usize, global: bool) -> Result<()> {
    let variable = crate::variable::variable(index);
    match (variable.scope, global) {
        (Scope::Session, true) => Err(SqlError::new(
            1228,
            format!("Variable '{}' is a SESSION variable and can't be used with SET GLOBAL", variable.name),
        )),
        (Scope::Global, false)
            if matches!(variable.kind, Kind::ReadOnly | Kind::ReadOnlyInt | Kind::ReadOnlyBool) =>
        {
            Err(read_only(variable.name))
        }
        (Scope::Global, false) => Err(SqlError::new(
            1229,
            format!("Variable '{}' is a GLOBAL variable and should be set with SET GLOBAL", variable.name),
        )),
        _ => Ok(()),
    }
}

/// A value as messages show it.
pub(crate) fn shown(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Int(v) => v.to_string(),
        Value::UInt(v) => v.to_string(),
        Value::Double(v) => values::double::double_text(*v),
        Value::Decimal(v) => v.to_string(),
        Value::Text(t) => t.as_str().to_owned(),
        Value::Bytes(b) => String::from_utf8_lossy(b.as_bytes()).into_owned(),
        other => format!("{other:?}"),
    }
}

fn text(name: &str, value: &Value) -> Result<String> {
    match value {
        Value::Null => Err(wrong_value(name, "NULL")),
        Value::Text(_) | Value::Bytes(_) => Ok(shown(value)),
        _ => Err(wrong_type(name)),
    }
}

fn boolean(name: &str, value: &Value) -> Result<String> {
    let on = match value {
        Value::Int(0) | Value::UInt(0) => false,
        Value::Int(1) | Value::UInt(1) => true,
        Value::Text(t)
            if t.as_str().eq_ignore_ascii_case("on") || t.as_str().eq_ignore_ascii_case("true") =>
        {
            true
        }
        Value::Text(t)
            if t.as_str().eq_ignore_ascii_case("off") || t.as_str().eq_ignore_ascii_case("false") =>
        {
            false
        }
        Value::Double(_) | Value::Decimal(_) => return Err(wrong_type(name)),
        other => return Err(wrong_value(name, shown(other))),
    };
    Ok(if on { "ON" } else { "OFF" }.to_owned())
}

fn integer(name: &str, value: &Value, min: i64, max: u64, clamped: &mut bool) -> Result<String> {
    let given = match value {
        Value::Int(v) => i128::from(*v),
        Value::UInt(v) => i128::from(*v),
        Value::Null => return Err(wrong_type(name)),
        _ => return Err(wrong_type(name)),
    };
    let kept = given.clamp(i128::from(min), i128::from(max));
    *clamped = kept != given;
    Ok(kept.to_string())
}

fn seconds(name: &str, value: &Value) -> Result<String> {
    let given = match value {
        Value::Int(v) => *v as f64,
        Value::UInt(v) => *v as f64,
        Value::Double(v) => *v,
        Value::Decimal(d) => d.to_f64(),
        _ => return Err(wrong_type(name)),
    };
    if given < 0.0 {
        return Err(wrong_value(name, shown(value)));
    }
    Ok(format!("{given:.6}"))
}

fn one_of(name: &str, value: &Value, words: &[&str]) -> Result<String> {
    let found = match value {
        Value::Int(n) => usize::try_from(*n).ok().and_then(|n| words.get(n)),
        Value::UInt(n) => usize::try_from(*n).ok().and_then(|n| words.get(n)),
        Value::Text(t) => words.iter().find(|w| w.eq_ignore_ascii_case(t.as_str())),
        _ => return Err(wrong_type(name)),
    };
    found.map(|w| (*w).to_owned()).ok_or_else(|| wrong_value(name, shown(value)))
}

fn charset(name: &str, value: &Value) -> Result<String> {
    if value.is_null() && name == "character_set_results" {
        return Ok("NULL".to_owned());
    }
    let given = text(name, value)?;
    let Some(charset) = Charset::from_name(&given) else { return Err(unknown_charset(&given)) };
    Ok(charset.name().to_owned())
}

fn sql_mode(name: &str, value: &Value) -> Result<String> {
    let mode = match value {
        Value::Int(v) => SqlMode(*v as u64),
        Value::UInt(v) => SqlMode(*v),
        Value::Text(t) => SqlMode::parse(t.as_str()).map_err(|word| wrong_value(name, word))?,
        other => return Err(wrong_value(name, shown(other))),
    };
    Ok(mode.names())
}

fn fixed(default: &str, name: &str, value: &Value) -> Result<String> {
    let given = shown(value);
    let same = given.eq_ignore_ascii_case(default)
        || matches!(
            (given.as_str(), default),
            ("0", "OFF") | ("1", "ON") | ("false", "OFF") | ("true", "ON")
        );
    if same { Ok(default.to_owned()) } else { Err(unsupported(format_args!("{name}={given}"))) }
}
