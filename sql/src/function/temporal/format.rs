//! DATE_FORMAT, TIME_FORMAT and STR_TO_DATE: the `%` specifiers, written and read. English names only (lc_time_names en_US).

use super::part::day_name;
use super::{datetime_argument, part_rules, week};
use crate::error::Result;
use crate::expr::ty::derivation;
use crate::expr::{Eval, Node, Ty, Typed};
use crate::function::Infer;
use std::fmt::Write as _;
use values::convert::temporal::to_time;
use values::temporal::{DateRules, SECOND, days, month_name};
use values::{Condition, Date, DateTime, Time, TypeKind, Value};

/// As long as a constant format can write; ten characters for each of an unknown one's.
pub(super) fn text_type(args: &mut [Typed], infer: &Infer<'_>) -> Result<Ty> {
    let format = &args[args.len() - 1];
    let width = match &format.node {
        Node::Const(value) => written_width(value.as_bytes().unwrap_or_default()),
        _ => format.ty.width.min(1 << 20) * 10,
    };
    Ok(Ty::text(width, infer.collation, derivation::COERCIBLE))
}

/// Names count for the longest of any language, as in MySQL.
fn written_width(format: &[u8]) -> u32 {
    let mut rest = format.iter();
    let mut width = 0;
    while let Some(b) = rest.next() {
        width += match b {
            b'%' => match rest.next() {
                Some(b'M' | b'W') => 64,
                Some(b'a' | b'b') => 32,
                Some(b'D' | b'Y' | b'x' | b'X') => 4,
                Some(b'H' | b'k') => 7,
                Some(b'r') => 11,
                Some(b'T') => 8,
                Some(b'f') => 6,
                Some(b'j') => 3,
                Some(
                    b'd' | b'e' | b'c' | b'm' | b'i' | b'I' | b'h' | b'l' | b'p' | b'S' | b's' | b'U' | b'u'
                    | b'V' | b'v' | b'y',
                ) => 2,
                _ => 1,
            },
            _ => 1,
        };
    }
    width
}

pub(super) fn date_format(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let rules = part_rules(e);
    let Some(at) = datetime_argument(&args[0], rules, e)? else { return Ok(Value::Null) };
    formatted(at, &args[1], e)
}

/// A datetime under the format that `format` gives.
pub(super) fn formatted(at: DateTime, format: &Typed, e: &mut Eval<'_>) -> Result<Value> {
    let Some(format) = format.text(e)? else { return Ok(Value::Null) };
    let clock = Clock { hours: at.hour(), minute: at.minute(), second: at.second(), micros: at.micros() };
    Ok(write(format.as_str(), Some(at.date()), clock).map_or(Value::Null, |s| Value::text(&s)))
}

pub(super) fn time_format(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let value = args[0].eval(e)?;
    let Some((time, _)) = e.with(|cx, warnings| to_time(&value, cx, warnings))? else {
        return Ok(Value::Null);
    };
    let Some(format) = args[1].text(e)? else { return Ok(Value::Null) };
    let clock =
        Clock { hours: time.hours(), minute: time.minute(), second: time.second(), micros: time.fraction() };
    let sign = if time.is_negative() { "-" } else { "" };
    Ok(write(format.as_str(), None, clock).map_or(Value::Null, |s| Value::text(&format!("{sign}{s}"))))
}

/// A time of day, or a span: hours may exceed 23.
#[derive(Clone, Copy)]
struct Clock {
    hours: u32,
    minute: u32,
    second: u32,
    micros: u32,
}

impl Clock {
    fn of_twelve(self) -> u32 {
        (self.hours % 24 + 11) % 12 + 1
    }

    fn half(self) -> &'static str {
        if self.hours % 24 < 12 { "AM" } else { "PM" }
    }
}

/// `None`: NULL, for an empty format, a name of month 0, or a date specifier without a date.
fn write(format: &str, date: Option<Date>, clock: Clock) -> Option<String> {
    if format.is_empty() {
        return None;
    }
    let mut out = String::new();
    let mut rest = format.chars();
    while let Some(c) = rest.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let Some(specifier) = rest.next() else {
            out.push('%');
            break;
        };
        let done = match write_clock(&mut out, specifier, clock) {
            true => Ok(()),
            false => write_date(&mut out, specifier, date?)?,
        };
        if done.is_err() {
            out.push(specifier);
        }
    }
    Some(out)
}

fn write_clock(out: &mut String, specifier: char, clock: Clock) -> bool {
    let Clock { hours, minute, second, micros } = clock;
    let _ = match specifier {
        'H' => write!(out, "{hours:02}"),
        'k' => write!(out, "{hours}"),
        'h' | 'I' => write!(out, "{:02}", clock.of_twelve()),
        'l' => write!(out, "{}", clock.of_twelve()),
        'i' => write!(out, "{minute:02}"),
        's' | 'S' => write!(out, "{second:02}"),
        'f' => write!(out, "{micros:06}"),
        'p' => write!(out, "{}", clock.half()),
        'r' => write!(out, "{:02}:{minute:02}:{second:02} {}", clock.of_twelve(), clock.half()),
        'T' => write!(out, "{hours:02}:{minute:02}:{second:02}"),
        '%' => write!(out, "%"),
        _ => return false,
    };
    true
}

/// `None`: the whole is NULL. `Some(Err)`: no specifier.
fn write_date(out: &mut String, specifier: char, date: Date) -> Option<std::result::Result<(), ()>> {
    let (year, month, day) = (date.year(), date.month(), date.day());
    let named = || (month > 0).then(|| month_name(month as usize - 1));
    let weekday = || (!date.has_zero_part()).then(|| day_name(date));
    let _ = match specifier {
        'Y' => write!(out, "{year:04}"),
        'y' => write!(out, "{:02}", year % 100),
        'm' => write!(out, "{month:02}"),
        'c' => write!(out, "{month}"),
        'M' => write!(out, "{}", named()?),
        'b' => write!(out, "{}", &named()?[..3]),
        'd' => write!(out, "{day:02}"),
        'e' => write!(out, "{day}"),
        'D' => write!(out, "{day}{}", suffix(day)),
        'W' => write!(out, "{}", weekday()?),
        'a' => write!(out, "{}", &weekday()?[..3]),
        'w' => write!(out, "{}", weekday().map(|_| (days::weekday(date.to_days()) + 1) % 7)?),
        'j' => write!(out, "{:03}", weekday().map(|_| days::day_of_year(date))?),
        'U' => write!(out, "{:02}", week(date, 0).1),
        'u' => write!(out, "{:02}", week(date, 1).1),
        'V' => write!(out, "{:02}", week(date, 2).1),
        'v' => write!(out, "{:02}", week(date, 3).1),
        'X' => write!(out, "{:04}", week(date, 2).0),
        'x' => write!(out, "{:04}", week(date, 3).0),
        _ => return Some(Err(())),
    };
    Some(Ok(()))
}

fn suffix(day: u32) -> &'static str {
    match (day % 10, day / 10) {
        (_, 1) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    }
}

/// What a constant format reads decides the type: DATE, TIME or DATETIME, with all six digits if it has `%f`.
pub(super) fn str_to_date_type(args: &mut [Typed], _: &Infer<'_>) -> Result<Ty> {
    let Node::Const(format) = &args[1].node else { return Ok(Ty::temporal(TypeKind::DateTime, 6)) };
    let format = String::from_utf8_lossy(format.as_bytes().unwrap_or_default()).into_owned();
    let has =
        |set: &str| format.as_bytes().windows(2).any(|w| w[0] == b'%' && set.as_bytes().contains(&w[1]));
    let fsp = if has("f") { 6 } else { 0 };
    let (dated, timed) = (has("aYyMmbcdeDjUuVvWwXx"), has("HkhIlisSfprT"));
    Ok(match (dated, timed) {
        (true, false) => Ty::temporal(TypeKind::Date, 0),
        (false, true) => Ty::temporal(TypeKind::Time, fsp),
        _ => Ty::temporal(TypeKind::DateTime, fsp),
    })
}

pub(super) fn str_to_date(args: &[Typed], ty: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let (Some(text), Some(format)) = (args[0].text(e)?, args[1].text(e)?) else { return Ok(Value::Null) };
    let rules = DateRules::of(e.context.settings.sql_mode);
    let mut reader = Reader { rest: text.as_str(), ..Reader::default() };
    let kind = ty.col.kind;
    let read = reader.read(format.as_str()).and_then(|()| reader.value(kind, rules));
    let Some(value) = read else {
        let value = text.as_str().to_owned();
        let condition = Condition::IncorrectForFunction { kind: "datetime", value, function: "str_to_date" };
        e.context.raise(&condition, "")?;
        return Ok(Value::Null);
    };
    if !reader.rest.trim_start().is_empty() {
        let kind = match kind {
            TypeKind::Date => "date",
            TypeKind::Time => "time",
            _ => "datetime",
        };
        let value = text.as_str().to_owned();
        e.context.raise(&Condition::TruncatedIncorrect { kind, value }, "")?;
    }
    Ok(value)
}

/// What has been read of a text.
#[derive(Default)]
struct Reader<'a> {
    rest: &'a str,
    year: u32,
    month: u32,
    day: u32,
    day_of_year: Option<u32>,
    hour: u32,
    minute: u32,
    second: u32,
    micros: u32,
    /// %p was PM or AM.
    afternoon: Option<bool>,
    of_twelve: bool,
}

impl Reader<'_> {
    /// Follows the format; `None` when the text does not.
    fn read(&mut self, format: &str) -> Option<()> {
        let mut specifiers = format.chars();
        while let Some(c) = specifiers.next() {
            if self.rest.trim_start().is_empty() && c != '%' && !c.is_whitespace() {
                return Some(());
            }
            match c {
                '%' => {
                    let specifier = specifiers.next()?;
                    self.rest = self.rest.trim_start();
                    if self.rest.is_empty() {
                        return Some(());
                    }
                    self.specifier(specifier)?;
                }
                _ if c.is_whitespace() => self.rest = self.rest.trim_start(),
                _ => self.rest = self.rest.strip_prefix(c)?,
            }
        }
        Some(())
    }

    fn specifier(&mut self, specifier: char) -> Option<()> {
        match specifier {
            'Y' => {
                let before = self.rest.len();
                self.year = self.number(4, 9999)?;
                if before - self.rest.len() <= 2 {
                    self.year = century(self.year);
                }
            }
            'y' => self.year = century(self.number(2, 99)?),
            'm' | 'c' => self.month = self.number(2, 12)?,
            'M' => self.month = self.name(month_name, 12)? + 1,
            'b' => self.month = self.name(|i| &month_name(i)[..3], 12)? + 1,
            'd' | 'e' => self.day = self.number(2, 31)?,
            'D' => {
                self.day = self.number(2, 31)?;
                self.rest = self.rest.get(2..)?;
            }
            'j' => self.day_of_year = Some(self.number(3, 366)?),
            'H' | 'k' => self.hour = self.number(2, 23)?,
            'h' | 'I' | 'l' => {
                self.hour = self.number(2, 12)?;
                self.of_twelve = true;
            }
            'i' => self.minute = self.number(2, 59)?,
            's' | 'S' => self.second = self.number(2, 59)?,
            'f' => {
                let before = self.rest.len();
                let digits = self.number(6, 999_999)?;
                self.micros = digits * 10_u32.pow(6 - (before - self.rest.len()) as u32);
            }
            'p' => {
                let half = self.rest.get(..2)?;
                self.afternoon = match half.to_ascii_uppercase().as_str() {
                    "AM" => Some(false),
                    "PM" => Some(true),
                    _ => return None,
                };
                self.rest = &self.rest[2..];
            }
            'r' => return self.read("%I:%i:%S %p"),
            'T' => return self.read("%H:%i:%S"),
            'W' | 'a' => {
                let letters = self.rest.bytes().take_while(u8::is_ascii_alphabetic).count();
                self.rest = self.rest.get(letters.max(1)..)?;
            }
            'w' => {
                self.number(1, 6)?;
            }
            '.' => self.rest = self.rest.trim_start_matches(|c: char| c.is_ascii_punctuation()),
            '@' => self.rest = self.rest.trim_start_matches(|c: char| c.is_alphabetic()),
            '#' => self.rest = self.rest.trim_start_matches(|c: char| c.is_ascii_digit()),
            '%' => self.rest = self.rest.strip_prefix('%')?,
            _ => return None,
        }
        Some(())
    }

    /// At most `size` digits, at most `limit`.
    fn number(&mut self, size: usize, limit: u32) -> Option<u32> {
        let len = self.rest.bytes().take(size).take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.rest.split_at(len);
        self.rest = rest;
        digits.parse().ok().filter(|n| *n <= limit)
    }

    /// One of `count` names, in any case.
    fn name(&mut self, name: impl Fn(usize) -> &'static str, count: usize) -> Option<u32> {
        let starts = |i: &usize| {
            let name = name(*i);
            self.rest.get(..name.len()).is_some_and(|s| s.eq_ignore_ascii_case(name))
        };
        let found = (0..count).find(starts)?;
        self.rest = &self.rest[name(found).len()..];
        Some(found as u32)
    }

    fn value(&self, kind: TypeKind, rules: DateRules) -> Option<Value> {
        let mut hour = self.hour;
        if self.of_twelve || self.afternoon.is_some() {
            if hour == 0 || hour > 12 {
                return None;
            }
            hour = hour % 12 + if self.afternoon == Some(true) { 12 } else { 0 };
        }
        if kind == TypeKind::Time {
            let seconds = i64::from(hour * 3600 + self.minute * 60 + self.second);
            return Time::new(seconds * SECOND + i64::from(self.micros)).map(Value::Time);
        }
        let date = match self.day_of_year {
            Some(n @ 1..) => Date::from_days(Date::new(self.year, 1, 1).to_days() + i64::from(n) - 1)?,
            _ => Date::new(self.year, self.month, self.day),
        };
        if !rules.accept(date) {
            return None;
        }
        let at = DateTime::new(date, hour, self.minute, self.second, self.micros);
        Some(if kind == TypeKind::Date { Value::Date(date) } else { Value::DateTime(at) })
    }
}

/// Years of two digits are 1970 to 2069.
fn century(year: u32) -> u32 {
    if year < 70 { year + 2000 } else { year + 1900 }
}
