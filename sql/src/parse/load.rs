//! LOAD DATA, and the INTO OUTFILE of SELECT.

use super::Parser;
use crate::ast::{Duplicates, FileFormat, IntoFile, LoadData, LoadTarget};
use crate::error::{Result, unsupported};
use crate::lex::{Kind, Op};

impl Parser<'_> {
    pub(super) fn load_data(&mut self) -> Result<LoadData> {
        self.expect_kw("LOAD")?;
        if self.is_kw("XML") {
            return Err(unsupported("LOAD XML"));
        }
        if self.is_kw("INDEX") {
            return Err(unsupported("LOAD INDEX"));
        }
        self.expect_kw("DATA")?;
        for word in ["LOW_PRIORITY", "CONCURRENT", "FROM"] {
            if self.is_kw(word) {
                return Err(unsupported(format_args!("LOAD DATA {word}")));
            }
        }
        let local = self.eat_kw("LOCAL");
        self.expect_kw("INFILE")?;
        let file = self.string()?;
        let duplicates = match self.eat_any(&["IGNORE", "REPLACE"]) {
            Some("REPLACE") => Duplicates::Replace,
            Some(_) => Duplicates::Ignore,
            None => Duplicates::Refuse,
        };
        self.expect_kw("INTO")?;
        self.expect_kw("TABLE")?;
        let table = self.table_name()?;
        if self.is_kw("PARTITION") {
            return Err(unsupported("PARTITION"));
        }
        let charset = self.file_charset()?;
        let format = self.file_format()?;
        let skip_lines = if self.eat_kw("IGNORE") {
            let lines = self.uint()?;
            if !self.eat_kw("LINES") && !self.eat_kw("ROWS") {
                return Err(self.unexpected());
            }
            lines
        } else {
            0
        };
        let targets = if self.is_op(Op::LParen) { self.parens(Parser::load_targets)? } else { Vec::new() };
        let set = if self.eat_kw("SET") { self.list(Parser::assignment)? } else { Vec::new() };
        Ok(LoadData { local, file, duplicates, table, charset, format, skip_lines, targets, set })
    }

    fn load_targets(&mut self) -> Result<Vec<LoadTarget>> {
        if self.is_op(Op::RParen) {
            return Ok(Vec::new());
        }
        self.list(|p| match p.peek().kind {
            Kind::At => p.user_variable_name().map(LoadTarget::Variable),
            _ => p.insert_column().map(LoadTarget::Column),
        })
    }

    /// `OUTFILE 'name' ...` or `DUMPFILE 'name'`, behind INTO.
    pub(super) fn outfile(&mut self) -> Result<Option<IntoFile>> {
        let dump = match self.eat_any(&["OUTFILE", "DUMPFILE"]) {
            Some(word) => word == "DUMPFILE",
            None => return Ok(None),
        };
        let file = self.string()?;
        let (charset, format) =
            if dump { (None, FileFormat::default()) } else { (self.file_charset()?, self.file_format()?) };
        Ok(Some(IntoFile { dump, file, charset, format }))
    }

    fn file_charset(&mut self) -> Result<Option<String>> {
        let named =
            self.eat_kws(&["CHARACTER", "SET"]) || self.eat_kws(&["CHAR", "SET"]) || self.eat_kw("CHARSET");
        if named { self.charset_name().map(Some) } else { Ok(None) }
    }

    fn file_format(&mut self) -> Result<FileFormat> {
        let mut format = FileFormat::default();
        if self.eat_kw("FIELDS") || self.eat_kw("COLUMNS") {
            self.field_format(&mut format)?;
        }
        if self.eat_kw("LINES") {
            let mut any = false;
            loop {
                if self.eat_kws(&["STARTING", "BY"]) {
                    format.line_start = self.string()?;
                } else if self.eat_kws(&["TERMINATED", "BY"]) {
                    format.line_end = self.string()?;
                } else if any {
                    break;
                } else {
                    return Err(self.unexpected());
                }
                any = true;
            }
        }
        Ok(format)
    }

    fn field_format(&mut self, format: &mut FileFormat) -> Result<()> {
        let mut any = false;
        loop {
            let optionally = self.eat_kw("OPTIONALLY");
            if self.eat_kws(&["ENCLOSED", "BY"]) {
                format.optionally = optionally;
                format.enclosed = self.one_byte(format)?;
            } else if optionally {
                return Err(self.unexpected());
            } else if self.eat_kws(&["TERMINATED", "BY"]) {
                format.field_end = self.string()?;
            } else if self.eat_kws(&["ESCAPED", "BY"]) {
                format.escape = self.one_byte(format)?;
            } else if any {
                return Ok(());
            } else {
                return Err(self.unexpected());
            }
            any = true;
        }
    }

    /// One character or none; more are refused when the statement runs.
    fn one_byte(&mut self, format: &mut FileFormat) -> Result<Option<u8>> {
        let text = self.string()?;
        format.too_long |= text.len() > 1;
        Ok(text.first().copied())
    }
}
