//! LOAD DATA and SELECT ... INTO OUTFILE: rows as text files.

use super::{Assignment, TableName};

/// How a file's bytes are fields and lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileFormat {
    pub(crate) field_end: Vec<u8>,
    pub(crate) enclosed: Option<u8>,
    /// Only texts are enclosed (when written).
    pub(crate) optionally: bool,
    pub(crate) escape: Option<u8>,
    pub(crate) line_start: Vec<u8>,
    pub(crate) line_end: Vec<u8>,
    /// ENCLOSED BY or ESCAPED BY more than one byte: 1083.
    pub(crate) too_long: bool,
}

impl Default for FileFormat {
    fn default() -> FileFormat {
        FileFormat {
            field_end: b"\t".to_vec(),
            enclosed: None,
            optionally: false,
            escape: Some(b'\\'),
            line_start: Vec::new(),
            line_end: b"\n".to_vec(),
            too_long: false,
        }
    }
}

/// What happens to a row whose key is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Duplicates {
    Refuse,
    Ignore,
    Replace,
}

/// Where a field goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LoadTarget {
    Column(String),
    Variable(String),
}

/// LOAD DATA
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LoadData {
    /// The client's file.
    pub(crate) local: bool,
    pub(crate) file: Vec<u8>,
    pub(crate) duplicates: Duplicates,
    pub(crate) table: TableName,
    pub(crate) charset: Option<String>,
    pub(crate) format: FileFormat,
    pub(crate) skip_lines: u64,
    /// Empty: all columns in table order.
    pub(crate) targets: Vec<LoadTarget>,
    pub(crate) set: Vec<Assignment>,
}

/// SELECT ... INTO OUTFILE, or DUMPFILE: one row, as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IntoFile {
    pub(crate) dump: bool,
    pub(crate) file: Vec<u8>,
    pub(crate) charset: Option<String>,
    pub(crate) format: FileFormat,
}
