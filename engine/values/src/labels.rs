//! The words of an ENUM or SET column, and a value of such a column: its number, and the words it is a number of.
//!
//! A column's words are shared by everything that mentions its type, so a [`Labels`] is a pointer that copies freely. Lists are kept for the
//! life of the process, each distinct one once: their number is bounded by the ENUM and SET types that the schemas ever had.

use crate::collation::{Collation, trim_spaces};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// Most words of a SET.
pub const MAX_SET: usize = 64;
/// Most words of an ENUM.
pub const MAX_ENUM: usize = 65_535;

/// A list of words; the empty one for every type that has none.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Labels(&'static &'static [Box<str>]);

static KNOWN: Mutex<BTreeMap<Vec<Box<str>>, Labels>> = Mutex::new(BTreeMap::new());

impl Labels {
    /// No words.
    pub const NONE: Self = Self(&(&[] as &[Box<str>]));

    /// The list of these words.
    pub fn new(words: Vec<Box<str>>) -> Self {
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.get(&words) {
            return *found;
        }
        let kept: &'static [Box<str>] = Box::leak(words.clone().into_boxed_slice());
        let labels = Self(Box::leak(Box::new(kept)));
        known.insert(words, labels);
        labels
    }

    /// The words.
    pub fn words(self) -> &'static [Box<str>] {
        self.0
    }

    /// The place of `text` among the words, from 0, under a collation; trailing spaces do not count.
    pub fn find(self, text: &[u8], collation: Collation) -> Option<usize> {
        let text = trim_spaces(text);
        self.words().iter().position(|word| collation.equal(word.as_bytes(), text))
    }

    /// Appends the words as the dictionary keeps them: u16 count, then u16 length and bytes each (little-endian).
    pub fn encode(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&(self.words().len() as u16).to_le_bytes());
        for word in self.words() {
            out.extend_from_slice(&(word.len() as u16).to_le_bytes());
            out.extend_from_slice(word.as_bytes());
        }
    }

    /// Reads what [`Labels::encode`] wrote; nothing may follow.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (count, mut rest) = bytes.split_first_chunk::<2>()?;
        let mut words = Vec::new();
        for _ in 0..u16::from_le_bytes(*count) {
            let (len, after) = rest.split_first_chunk::<2>()?;
            let (word, after) = after.split_at_checked(usize::from(u16::from_le_bytes(*len)))?;
            words.push(Box::from(std::str::from_utf8(word).ok()?));
            rest = after;
        }
        rest.is_empty().then(|| Self::new(words))
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.words()).finish()
    }
}

/// A value of an ENUM (the word's place from 1; 0 is the error value '') or of a SET (a bit for each word).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Choice {
    number: u64,
    labels: Labels,
    set: bool,
}

impl Choice {
    /// The ENUM's value of this place; `None` if there is no such word.
    pub fn of_enum(place: u64, labels: Labels) -> Option<Self> {
        (place <= labels.words().len() as u64).then_some(Self { number: place, labels, set: false })
    }

    /// The SET's value of these bits; `None` if one has no word.
    pub fn of_set(bits: u64, labels: Labels) -> Option<Self> {
        let words = labels.words().len();
        let fits = words >= 64 || bits >> words == 0;
        fits.then_some(Self { number: bits, labels, set: true })
    }

    /// What arithmetic and ORDER BY see.
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// What everything else sees: the word, or the SET's words joined by commas.
    pub fn text(&self) -> String {
        let words = self.labels.words();
        if self.set {
            let chosen = words.iter().enumerate().filter(|(i, _)| self.number >> i & 1 == 1);
            return chosen.map(|(_, word)| &**word).collect::<Vec<_>>().join(",");
        }
        let place = usize::try_from(self.number).ok().and_then(|n| n.checked_sub(1));
        place.and_then(|p| words.get(p)).map_or(String::new(), |word| word.to_string())
    }
}
