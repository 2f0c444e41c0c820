//! Rows as bytes of a text file: read for LOAD DATA, written for SELECT ... INTO OUTFILE.
//!
//! 1. The reader is given chunks cut anywhere and gives rows; a row that the chunks so far do not end is tried again with the next one.
//! 2. Inside an enclosure only the enclosing byte ends a field, and only before a separator; twice it stands for itself.
//! 3. The escape byte makes the next one plain, but for `0 b n r t Z`; `\N` alone, and the word NULL where fields are enclosed or nothing
//!    escapes, is NULL.

use crate::ast::FileFormat;

/// A field: `None` is NULL.
pub(crate) type Field = Option<Vec<u8>>;

/// Splits a file into rows of fields.
#[derive(Debug)]
pub(crate) struct Reader {
    format: FileFormat,
    buffer: Vec<u8>,
    at: usize,
    ended: bool,
    skip_lines: u64,
}

/// The bytes so far do not tell.
struct More;

impl Reader {
    pub(crate) fn new(format: FileFormat, skip_lines: u64) -> Reader {
        Reader { format, buffer: Vec::new(), at: 0, ended: false, skip_lines }
    }

    /// More of the file; `None`: there is no more.
    pub(crate) fn push(&mut self, chunk: Option<&[u8]>) {
        self.buffer.drain(..self.at);
        self.at = 0;
        match chunk {
            Some(bytes) => self.buffer.extend_from_slice(bytes),
            None => self.ended = true,
        }
    }

    /// Bytes held.
    pub(crate) fn held(&self) -> usize {
        self.buffer.len()
    }

    /// The next row; `None`: another chunk is wanted, or the file has ended.
    pub(crate) fn row(&mut self) -> Option<Vec<Field>> {
        while self.skip_lines > 0 {
            let end = find(&self.buffer[self.at..], &self.format.line_end)?;
            self.at += end + self.format.line_end.len();
            self.skip_lines -= 1;
        }
        if self.at == self.buffer.len() {
            return None;
        }
        let start = if self.format.line_start.is_empty() {
            self.at
        } else {
            self.at + find(&self.buffer[self.at..], &self.format.line_start)? + self.format.line_start.len()
        };
        match self.fields(start) {
            Ok((row, next)) => {
                self.at = next;
                Some(row)
            }
            Err(More) => None,
        }
    }

    fn fields(&self, mut at: usize) -> Result<(Vec<Field>, usize), More> {
        let mut row = Vec::new();
        loop {
            let (field, next, last) = self.field(at)?;
            row.push(field);
            at = next;
            if last {
                return Ok((row, at));
            }
        }
    }

    /// Does `what` stand at `at`? `Err`: the bytes end in the middle of it.
    fn stands(&self, at: usize, what: &[u8]) -> Result<bool, More> {
        let rest = &self.buffer[at..];
        if what.is_empty() {
            return Ok(false);
        }
        if rest.len() >= what.len() || self.ended {
            return Ok(rest.starts_with(what));
        }
        if what.starts_with(rest) { Err(More) } else { Ok(false) }
    }

    /// One field from `at`: its value, where the next one starts, whether the line ends with it.
    fn field(&self, start: usize) -> Result<(Field, usize, bool), More> {
        let format = &self.format;
        let (mut at, mut out, mut escaped_null) = (start, Vec::new(), false);
        let enclosed = format.enclosed.filter(|byte| self.buffer.get(at) == Some(byte));
        at += usize::from(enclosed.is_some());
        loop {
            let Some(&byte) = self.buffer.get(at) else {
                if !self.ended {
                    return Err(More);
                }
                // A file may end without the last line's end.
                return Ok((self.value(out, enclosed.is_some(), escaped_null), at, true));
            };
            if format.escape == Some(byte) && enclosed != Some(byte) {
                let Some(&next) = self.buffer.get(at + 1) else {
                    if !self.ended {
                        return Err(More);
                    }
                    out.push(byte);
                    at += 1;
                    continue;
                };
                escaped_null |=
                    next == b'N' && out.is_empty() && at == start + usize::from(enclosed.is_some());
                out.push(unescaped(next));
                at += 2;
                continue;
            }
            if enclosed == Some(byte) {
                if self.buffer.len() == at + 1 && !self.ended {
                    return Err(More);
                }
                if self.buffer.get(at + 1) == Some(&byte) {
                    out.push(byte);
                    at += 2;
                    continue;
                }
                if let Some((next, last)) = self.separator(at + 1)? {
                    return Ok((self.value(out, true, escaped_null), next, last));
                }
            } else if enclosed.is_none()
                && let Some((next, last)) = self.separator(at)?
            {
                return Ok((self.value(out, false, escaped_null), next, last));
            }
            out.push(byte);
            at += 1;
        }
    }

    /// Behind a separator that stands at `at`, and whether it ends the line.
    fn separator(&self, at: usize) -> Result<Option<(usize, bool)>, More> {
        if at >= self.buffer.len() && self.ended {
            return Ok(Some((at, true)));
        }
        if self.stands(at, &self.format.field_end)? {
            return Ok(Some((at + self.format.field_end.len(), false)));
        }
        if self.stands(at, &self.format.line_end)? {
            return Ok(Some((at + self.format.line_end.len(), true)));
        }
        Ok(None)
    }

    fn value(&self, bytes: Vec<u8>, enclosed: bool, escaped_null: bool) -> Field {
        let word = (self.format.enclosed.is_some() || self.format.escape.is_none()) && !enclosed;
        let null = (escaped_null && bytes == b"N") || (word && bytes == b"NULL");
        (!null).then_some(bytes)
    }
}

fn unescaped(byte: u8) -> u8 {
    match byte {
        b'0' => 0,
        b'b' => 8,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'Z' => 26,
        other => other,
    }
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len().max(1)).position(|window| window == what)
}

/// Appends a field; `text`: of a column that OPTIONALLY ENCLOSED encloses.
pub(crate) fn write_field(format: &FileFormat, field: Option<&[u8]>, text: bool, out: &mut Vec<u8>) {
    let Some(bytes) = field else {
        match format.escape {
            Some(escape) => out.extend([escape, b'N']),
            None => out.extend_from_slice(b"NULL"),
        }
        return;
    };
    let enclosed = format.enclosed.filter(|_| text || !format.optionally);
    out.extend(enclosed);
    // What a reader could take for the end of something.
    let first = |s: &[u8]| s.first().copied();
    let special = |byte: u8| {
        format.escape == Some(byte)
            || match format.enclosed {
                Some(mark) => byte == mark,
                None => first(&format.field_end) == Some(byte),
            }
            || first(&format.line_end) == Some(byte)
            || byte == 0
    };
    for &byte in bytes {
        match format.escape {
            Some(escape) if special(byte) => {
                out.push(escape);
                out.push(if byte == 0 { b'0' } else { byte });
            }
            _ => out.push(byte),
        }
    }
    out.extend(enclosed);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(format: &FileFormat, skip: u64, file: &[u8], chunk: usize) -> Vec<Vec<Field>> {
        let mut reader = Reader::new(format.clone(), skip);
        let mut out = Vec::new();
        for part in file.chunks(chunk) {
            reader.push(Some(part));
            while let Some(row) = reader.row() {
                out.push(row);
            }
        }
        reader.push(None);
        while let Some(row) = reader.row() {
            out.push(row);
        }
        out
    }

    fn some(text: &str) -> Field {
        Some(text.as_bytes().to_vec())
    }

    #[test]
    fn rows_are_the_same_however_the_file_is_cut() {
        let csv = FileFormat {
            field_end: b",".to_vec(),
            enclosed: Some(b'"'),
            line_end: b"\r\n".to_vec(),
            ..FileFormat::default()
        };
        let file =
            b"head,er\r\n\"a,b\",1\r\n\"q\"\"q\",NULL\r\n\"e\\\"x\",\"NULL\"\r\n\"in \"side\",\\N\r\nplain,4";
        let expected = vec![
            vec![some("a,b"), some("1")],
            vec![some("q\"q"), None],
            vec![some("e\"x"), some("NULL")],
            vec![some("in \"side"), None],
            vec![some("plain"), some("4")],
        ];
        for chunk in 1..=file.len() {
            assert_eq!(rows(&csv, 1, file, chunk), expected, "chunks of {chunk}");
        }
        let plain = FileFormat::default();
        let file = b"a\\tb\t\\N\t\\\\N\tN\n\n\\0\t";
        let expected = vec![
            vec![some("a\tb"), None, some("\\N"), some("N")],
            vec![some("")],
            vec![some("\0"), some("")],
        ];
        for chunk in 1..=file.len() {
            assert_eq!(rows(&plain, 0, file, chunk), expected, "chunks of {chunk}");
        }
    }

    #[test]
    fn lines_may_start_with_something() {
        let format = FileFormat { line_start: b"xx".to_vec(), ..FileFormat::default() };
        assert_eq!(
            rows(&format, 0, b"xxa\tb\njunk xxc\nno\n", 3),
            [vec![some("a"), some("b")], vec![some("c")]]
        );
    }

    #[test]
    fn what_is_written_is_read_again() {
        // Without an escape a mark inside a field is written as it is, as MySQL does: such files cannot be read again.
        let all =
            [some("a\tb\\c\n'd'"), None, some(""), some("N"), some("NULL"), Some(vec![0, b',', 26, 255])];
        let values: Vec<Field> = all.into();
        for (end, enclosed, escape) in
            [(b"\t", None, Some(b'\\')), (b",", Some(b'"'), Some(b'\\')), (b",", Some(b'"'), None)]
        {
            let format = FileFormat { field_end: end.to_vec(), enclosed, escape, ..FileFormat::default() };
            let mut file = Vec::new();
            for (i, field) in values.iter().enumerate() {
                if i > 0 {
                    file.extend_from_slice(&format.field_end);
                }
                write_field(&format, field.as_deref(), true, &mut file);
            }
            file.extend_from_slice(&format.line_end);
            assert_eq!(rows(&format, 0, &file, 7), std::slice::from_ref(&values), "{format:?}");
        }
    }
}
