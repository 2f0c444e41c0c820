//! Values of the binary protocol as clients send them: parameters and query attributes.
//!
//! ```text
//!   null bitmap (count + 7) / 8 | new types? | [type, flags, name]* | values of the others, one behind the other
//! ```
//! Source: "COM_STMT_EXECUTE", "COM_QUERY", "Binary Protocol Value".

use crate::command::Attribute;
use crate::read::Reader;
use crate::{ColumnType, WireError};

/// One value, borrowed from its packet.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Param<'a> {
    /// NULL.
    Null,
    /// A signed integer of any width.
    Int(i64),
    /// An unsigned integer of any width.
    UInt(u64),
    /// A FLOAT.
    Float(f32),
    /// A DOUBLE.
    Double(f64),
    /// A date, or a date with time.
    DateTime(DateTime),
    /// A time.
    Time(Time),
    /// Text, bytes, or a DECIMAL as text: the type tells which.
    Bytes(ColumnType, &'a [u8]),
}

/// A DATE, DATETIME or TIMESTAMP in parts. Not checked against the calendar: that is SQL's business.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct DateTime {
    /// A DATE has no time part.
    pub date_only: bool,
    /// Year.
    pub year: u16,
    /// Month.
    pub month: u8,
    /// Day of month.
    pub day: u8,
    /// Hour.
    pub hour: u8,
    /// Minute.
    pub minute: u8,
    /// Second.
    pub second: u8,
    /// Microseconds, 0 to 999,999 (not checked).
    pub micros: u32,
}

/// A TIME in parts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Time {
    /// Below zero.
    pub negative: bool,
    /// Days of 24 hours.
    pub days: u32,
    /// Hour of the day, 0 to 23.
    pub hours: u8,
    /// Minute.
    pub minutes: u8,
    /// Second.
    pub seconds: u8,
    /// Microseconds.
    pub micros: u32,
}

/// The type of a parameter as the client declared it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ParamType {
    /// The type.
    pub ty: ColumnType,
    /// Unsigned?
    pub unsigned: bool,
}

pub(crate) struct Shape {
    pub(crate) expected: u16,
    pub(crate) count: u16,
    /// A name follows each type.
    pub(crate) names: bool,
}

fn read_type(reader: &mut Reader<'_>) -> Result<ParamType, WireError> {
    let ty = ColumnType::from_wire(reader.u8()?).ok_or(WireError::Malformed)?;
    Ok(ParamType { ty, unsigned: reader.u8()? & 0x80 != 0 })
}

fn is_null(bitmap: &[u8], i: u16) -> bool {
    bitmap[usize::from(i / 8)] & (1 << (i % 8)) != 0
}

/// The attributes of a COM_QUERY.
pub(crate) fn read_attributes<'a>(
    reader: &mut Reader<'a>,
    count: u64,
) -> Result<Vec<Attribute<'a>>, WireError> {
    let count = u16::try_from(count).map_err(|_| WireError::Malformed)?;
    let mut types = Vec::new();
    let shape = Shape { expected: 0, count, names: true };
    bind(reader, shape, &mut types, |_| false, |_, _| ())
}

pub(crate) fn bind<'a>(
    reader: &mut Reader<'a>,
    shape: Shape,
    types: &mut Vec<ParamType>,
    has_long_data: impl Fn(u16) -> bool,
    mut each: impl FnMut(u16, Param<'a>),
) -> Result<Vec<Attribute<'a>>, WireError> {
    let bitmap = reader.take(usize::from(shape.count).div_ceil(8))?;
    let mut attributes = Vec::new();
    if reader.u8()? != 0 {
        types.clear();
        for i in 0..shape.count {
            // Each type takes two bytes of the packet, so the vector stays below its length.
            types.push(read_type(reader)?);
            let name = if shape.names { reader.lenenc_bytes()? } else { &[] };
            if i >= shape.expected {
                attributes.push(Attribute { name, value: Param::Null });
            }
        }
    } else if shape.count != shape.expected {
        return Err(WireError::Malformed);
    }
    if types.len() < usize::from(shape.count) {
        return Err(WireError::Malformed);
    }
    for (i, ty) in (0..shape.count).zip(types.iter()) {
        let value = if is_null(bitmap, i) {
            Param::Null
        } else if i < shape.expected && has_long_data(i) {
            continue;
        } else {
            read_value(reader, *ty)?
        };
        match attributes.get_mut(usize::from(i.wrapping_sub(shape.expected))) {
            Some(attribute) if i >= shape.expected => attribute.value = value,
            _ => each(i, value),
        }
    }
    types.truncate(usize::from(shape.expected));
    Ok(attributes)
}

fn read_value<'a>(reader: &mut Reader<'a>, ty: ParamType) -> Result<Param<'a>, WireError> {
    use ColumnType::*;
    let unsigned = ty.unsigned;
    Ok(match ty.ty {
        Null => Param::Null,
        Tiny | Bool => match reader.u8()? {
            v if unsigned => Param::UInt(v.into()),
            v => Param::Int((v as i8).into()),
        },
        Short | Year => match reader.u16()? {
            v if unsigned => Param::UInt(v.into()),
            v => Param::Int((v as i16).into()),
        },
        Long | Int24 => match reader.u32()? {
            v if unsigned => Param::UInt(v.into()),
            v => Param::Int((v as i32).into()),
        },
        LongLong => match reader.u64()? {
            v if unsigned => Param::UInt(v),
            v => Param::Int(v as i64),
        },
        Float => Param::Float(f32::from_bits(reader.u32()?)),
        Double => Param::Double(f64::from_bits(reader.u64()?)),
        Date | DateTime | Timestamp => Param::DateTime(read_datetime(reader, ty.ty == Date)?),
        Time => Param::Time(read_time(reader)?),
        Decimal | NewDecimal | VarChar | Bit | Json | Enum | Set | TinyBlob | MediumBlob | LongBlob
        | Blob | VarString | String | Geometry => Param::Bytes(ty.ty, reader.lenenc_bytes()?),
    })
}

fn read_datetime(reader: &mut Reader<'_>, date_only: bool) -> Result<DateTime, WireError> {
    let mut value = DateTime { date_only, ..DateTime::default() };
    let length = reader.u8()?;
    if !matches!(length, 0 | 4 | 7 | 11) {
        return Err(WireError::Malformed);
    }
    if length >= 4 {
        (value.year, value.month, value.day) = (reader.u16()?, reader.u8()?, reader.u8()?);
    }
    if length >= 7 {
        (value.hour, value.minute, value.second) = (reader.u8()?, reader.u8()?, reader.u8()?);
    }
    if length == 11 {
        value.micros = reader.u32()?;
    }
    Ok(value)
}

fn read_time(reader: &mut Reader<'_>) -> Result<Time, WireError> {
    let mut value = Time::default();
    let length = reader.u8()?;
    if !matches!(length, 0 | 8 | 12) {
        return Err(WireError::Malformed);
    }
    if length >= 8 {
        value.negative = reader.u8()? != 0;
        value.days = reader.u32()?;
        (value.hours, value.minutes, value.seconds) = (reader.u8()?, reader.u8()?, reader.u8()?);
    }
    if length == 12 {
        value.micros = reader.u32()?;
    }
    Ok(value)
}
