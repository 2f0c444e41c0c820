//! The inside of packets: lengths, texts, column descriptions, rows of text.

use super::{Column, Error, Result};

pub(super) fn column(packet: &[u8]) -> Result<Column> {
    let mut input = Reader::new(packet);
    input.string()?; // catalog, always "def"
    let mut next = || input.string();
    let (schema, table, org_table, name, org_name) = (next()?, next()?, next()?, next()?, next()?);
    input.length()?;
    Ok(Column {
        schema,
        table,
        org_table,
        name,
        org_name,
        charset: input.u16()?,
        length: input.u32()?,
        kind: input.u8()?,
        flags: input.u16()?,
        decimals: input.u8()?,
    })
}

pub(super) fn text_row(packet: &[u8], columns: usize) -> Result<Vec<Option<Vec<u8>>>> {
    let mut input = Reader::new(packet);
    let mut row = Vec::with_capacity(columns);
    for _ in 0..columns {
        if input.peek() == Some(0xfb) {
            input.u8()?;
            row.push(None);
        } else {
            let len = input.length()?;
            row.push(Some(input.take(len as usize)?.to_vec()));
        }
    }
    Ok(row)
}

pub(super) fn put_length(out: &mut Vec<u8>, len: usize) {
    match len {
        0..251 => out.push(len as u8),
        251..65_536 => {
            out.push(0xfc);
            out.extend_from_slice(&(len as u16).to_le_bytes());
        }
        65_536..16_777_216 => {
            out.push(0xfd);
            out.extend_from_slice(&(len as u32).to_le_bytes()[..3]);
        }
        _ => {
            out.push(0xfe);
            out.extend_from_slice(&(len as u64).to_le_bytes());
        }
    }
}

pub(super) struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes }
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.first().copied()
    }

    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        if len > self.bytes.len() {
            return Err(Error::Protocol(format!(
                "packet ends early: {len} bytes wanted, {} left",
                self.bytes.len()
            )));
        }
        let (part, rest) = self.bytes.split_at(len);
        self.bytes = rest;
        Ok(part)
    }

    pub(super) fn u8(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }

    pub(super) fn u16(&mut self) -> Result<u16> {
        let b = self.take(2)?;
        Ok(u16::from_le_bytes([b[0], b[1]]))
    }

    pub(super) fn u32(&mut self) -> Result<u32> {
        let b = self.take(4)?;
        Ok(u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
    }

    pub(super) fn length(&mut self) -> Result<u64> {
        let first = self.u8()?;
        let bytes = match first {
            0xfc => 2,
            0xfd => 3,
            0xfe => 8,
            small => return Ok(u64::from(small)),
        };
        let part = self.take(bytes)?;
        Ok(part.iter().rev().fold(0, |sum, b| sum << 8 | u64::from(*b)))
    }

    pub(super) fn string(&mut self) -> Result<String> {
        let len = self.length()?;
        Ok(String::from_utf8_lossy(self.take(len as usize)?).into_owned())
    }

    pub(super) fn until_zero(&mut self) -> Result<&'a [u8]> {
        let end = self.bytes.iter().position(|b| *b == 0);
        let end = end.ok_or_else(|| Error::Protocol("text without an end".into()))?;
        let text = self.take(end)?;
        self.u8()?;
        Ok(text)
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.bytes
    }
}
