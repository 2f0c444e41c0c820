//! CREATE, ALTER, DROP, TRUNCATE: checks with MySQL's errors, then one atomic call of the engine's dictionary.

use super::keys::{check_auto_increment, column_keys, keys, null_in_primary};
use crate::ast::{self, BaseType, ColumnDefault as Written, DataType};
use crate::error::{Result, SqlError, unknown_charset, unknown_collation, unsupported};
use crate::parse::column::{check_decimal, check_fsp};
use crate::session::context::Context;
use crate::variable::Charset;
use engine::{ColumnDef, ColumnDefault, ColumnId, IndexPart, NewIndex, NewTable};
use values::{Collation, ColumnType, Level, TypeKind, Value};

/// The collation that a charset and a collation clause name together.
pub(crate) fn collation(
    charset: Option<&str>,
    collation: Option<&str>,
    default: Collation,
) -> Result<Collation> {
    let set = match charset {
        None => None,
        Some(name) => match Charset::from_name(name) {
            Some(set) => Some(set),
            None => return Err(unknown_charset(name)),
        },
    };
    let named = match collation {
        None => None,
        Some(name) => Some(Collation::from_name(name).ok_or_else(|| unknown_collation(name))?),
    };
    match (set, named) {
        (Some(set), Some(named)) if set.name() != named.charset() => Err(SqlError::new(
            1253,
            format!("COLLATION '{}' is not valid for CHARACTER SET '{}'", named.name(), set.name()),
        )),
        (_, Some(named)) => Ok(named),
        (Some(set), None) => Ok(set.collation()),
        (None, None) => Ok(default),
    }
}

/// A written type as a column type; deprecation warnings as MySQL gives them.
pub(crate) fn column_type(
    ty: &DataType,
    name: &str,
    table: Collation,
    context: &mut Context,
) -> Result<ColumnType> {
    use BaseType as B;
    let integer = |kind| ColumnType::integer(kind, ty.unsigned);
    Ok(match ty.base {
        B::TinyInt | B::SmallInt | B::MediumInt | B::Int | B::BigInt => {
            let kind = match ty.base {
                B::TinyInt => TypeKind::TinyInt,
                B::SmallInt => TypeKind::SmallInt,
                B::MediumInt => TypeKind::MediumInt,
                B::Int => TypeKind::Int,
                _ => TypeKind::BigInt,
            };
            integer_width(ty, name, context)?;
            let boolean = ty.base == B::TinyInt && ty.len == Some(1) && !ty.unsigned;
            ColumnType { length: u32::from(boolean), ..integer(kind) }
        }
        B::Decimal | B::Float | B::Double => number_type(ty, name, context)?,
        B::Char | B::VarChar | B::TinyText | B::Text | B::MediumText | B::LongText => {
            let mut collation = collation(ty.charset.as_deref(), ty.collation.as_deref(), table)?;
            if ty.binary && ty.collation.is_none() {
                collation = Collation::bin_of(collation.char_set());
            }
            text_type(ty, name, collation)?
        }
        B::Json => ColumnType::json(),
        B::Bit => super::choice::bit_type(ty, name)?,
        B::Enum | B::Set => {
            let mut collation = collation(ty.charset.as_deref(), ty.collation.as_deref(), table)?;
            if ty.binary && ty.collation.is_none() {
                collation = Collation::bin_of(collation.char_set());
            }
            super::choice::column_type(ty, name, collation, context)?
        }
        B::Binary | B::VarBinary | B::TinyBlob | B::Blob | B::MediumBlob | B::LongBlob => {
            binary_type(ty, name)?
        }
        B::Date => ColumnType::new(TypeKind::Date),
        B::Time => ColumnType::temporal(TypeKind::Time, check_fsp(ty.len.unwrap_or(0), name)?),
        B::DateTime => ColumnType::temporal(TypeKind::DateTime, check_fsp(ty.len.unwrap_or(0), name)?),
        B::Timestamp => ColumnType::temporal(TypeKind::Timestamp, check_fsp(ty.len.unwrap_or(0), name)?),
        B::Year => match ty.len {
            None => ColumnType::new(TypeKind::Year),
            Some(4) => {
                context.warn(Level::Warning, 1681, "'YEAR(4)' is deprecated and will be removed in a future release. Please use YEAR instead".into());
                ColumnType::new(TypeKind::Year)
            }
            Some(_) => return Err(SqlError::new(1818, "Supports only YEAR or YEAR(4) column.")),
        },
    })
}

fn integer_width(ty: &DataType, name: &str, context: &mut Context) -> Result<()> {
    match ty.len {
        Some(n) if n > 255 => {
            Err(SqlError::new(1439, format!("Display width out of range for column '{name}' (max = 255)")))
        }
        Some(n) if !(ty.base == BaseType::TinyInt && n == 1) => {
            let text = "Integer display width is deprecated and will be removed in a future release.";
            context.warn(Level::Warning, 1681, text.into());
            Ok(())
        }
        _ => Ok(()),
    }
}

fn number_type(ty: &DataType, name: &str, context: &mut Context) -> Result<ColumnType> {
    if ty.unsigned {
        let text = "UNSIGNED for decimal and floating point data types is deprecated and support for it will be removed in a future release.";
        context.warn(Level::Warning, 1681, text.into());
    }
    if ty.base == BaseType::Decimal {
        let precision = match ty.len {
            None | Some(0) => 10.max(ty.dec.unwrap_or(0)),
            Some(n) => n,
        };
        let scale = ty.dec.unwrap_or(0);
        check_decimal(precision, scale, name)?;
        return Ok(ColumnType::decimal(precision as u8, scale as u8, ty.unsigned));
    }
    let mut double = ty.base == BaseType::Double;
    let mut out = if double { ColumnType::double() } else { ColumnType::float() };
    match (ty.len, ty.dec) {
        (Some(m), Some(d)) => {
            if d > 30 {
                return Err(SqlError::new(
                    1425,
                    format!("Too big scale {d} specified for column '{name}'. Maximum is 30."),
                ));
            }
            if m > 255 {
                return Err(SqlError::new(
                    1439,
                    format!("Display width out of range for column '{name}' (max = 255)"),
                ));
            }
            if d > m {
                return Err(check_decimal(m, d, name).err().unwrap_or_else(|| unsupported("M < D")));
            }
            let text = "Specifying number of digits for floating point data types is deprecated and will be removed in a future release.";
            context.warn(Level::Warning, 1681, text.into());
            out.length = m as u32;
            out.scale = d as u8;
        }
        (Some(p), None) if !double => {
            if p > 53 {
                return Err(SqlError::new(1063, format!("Incorrect column specifier for column '{name}'")));
            }
            double = p > 24;
            out = if double { ColumnType::double() } else { ColumnType::float() };
        }
        _ => {}
    }
    out.unsigned = ty.unsigned;
    Ok(out)
}

fn too_long(name: &str, max: u64) -> SqlError {
    SqlError::new(
        1074,
        format!("Column length too big for column '{name}' (max = {max}); use BLOB or TEXT instead"),
    )
}

fn text_type(ty: &DataType, name: &str, collation: Collation) -> Result<ColumnType> {
    use BaseType as B;
    if collation == Collation::BINARY {
        // CHARACTER SET binary turns a text type into its binary sister.
        let base = match ty.base {
            B::Char => B::Binary,
            B::VarChar => B::VarBinary,
            B::TinyText => B::TinyBlob,
            B::Text => B::Blob,
            B::MediumText => B::MediumBlob,
            _ => B::LongBlob,
        };
        return binary_type(&DataType { base, ..ty.clone() }, name);
    }
    Ok(match ty.base {
        B::Char => {
            let n = ty.len.unwrap_or(1);
            if n > 255 {
                return Err(too_long(name, 255));
            }
            ColumnType::char(n as u32, collation)
        }
        B::VarChar => {
            let n = ty.len.unwrap_or(0);
            let most = 65_535 / collation.bytes_per_char();
            if n > most {
                return Err(too_long(name, most));
            }
            ColumnType::varchar(n as u32, collation)
        }
        B::TinyText => ColumnType::text(TypeKind::TinyText, collation),
        B::MediumText => ColumnType::text(TypeKind::MediumText, collation),
        B::LongText => ColumnType::text(TypeKind::LongText, collation),
        _ => ColumnType::text(sized(ty.len.map(|n| n.saturating_mul(4)), true, name)?, collation),
    })
}

/// The smallest TEXT or BLOB for `bytes`; TEXT itself without a length.
fn sized(bytes: Option<u64>, text: bool, name: &str) -> Result<TypeKind> {
    use TypeKind::*;
    Ok(match (bytes, text) {
        (Some(0..=255), true) => TinyText,
        (None | Some(0..=65_535), true) => Text,
        (Some(0..=16_777_215), true) => MediumText,
        (Some(0..=0xffff_ffff), true) => LongText,
        (Some(0..=255), false) => TinyBlob,
        (None | Some(0..=65_535), false) => Blob,
        (Some(0..=16_777_215), false) => MediumBlob,
        (Some(0..=0xffff_ffff), false) => LongBlob,
        _ => {
            return Err(SqlError::new(
                1439,
                format!("Display width out of range for column '{name}' (max = 4294967295)"),
            ));
        }
    })
}

fn binary_type(ty: &DataType, name: &str) -> Result<ColumnType> {
    use BaseType as B;
    Ok(match ty.base {
        B::Binary => {
            let n = ty.len.unwrap_or(1);
            if n > 255 {
                return Err(too_long(name, 255));
            }
            ColumnType::binary(TypeKind::Binary, n as u32)
        }
        B::VarBinary => {
            let n = ty.len.unwrap_or(0);
            if n > 65_535 {
                return Err(too_long(name, 65_535));
            }
            ColumnType::binary(TypeKind::VarBinary, n as u32)
        }
        B::TinyBlob => ColumnType::blob(TypeKind::TinyBlob),
        B::MediumBlob => ColumnType::blob(TypeKind::MediumBlob),
        B::LongBlob => ColumnType::blob(TypeKind::LongBlob),
        _ => ColumnType::blob(sized(ty.len, false, name)?),
    })
}

/// InnoDB is the name of what is here.
pub(super) fn check_engine(engine: Option<&str>) -> Result<()> {
    const OTHERS: &[&str] = &["MYISAM", "MEMORY", "CSV", "ARCHIVE", "BLACKHOLE", "MERGE", "FEDERATED", "NDB"];
    match engine.filter(|e| !e.eq_ignore_ascii_case("innodb")) {
        None => Ok(()),
        Some(other) if OTHERS.contains(&other.to_uppercase().as_str()) => {
            Err(unsupported(format_args!("ENGINE={other}")))
        }
        Some(other) => Err(SqlError::new(1286, format!("Unknown storage engine '{other}'"))),
    }
}

/// What the dictionary is asked to create.
pub(crate) fn new_table(
    create: &ast::CreateTable,
    schema: &str,
    default: Collation,
    context: &mut Context,
) -> Result<NewTable> {
    let options = &create.options;
    check_engine(options.engine.as_deref())?;
    let table = collation(options.charset.as_deref(), options.collation.as_deref(), default)?;
    if create.columns.is_empty() {
        return Err(SqlError::new(1113, "A table must have at least 1 column"));
    }
    let mut columns: Vec<ColumnDef> = Vec::with_capacity(create.columns.len());
    for written in &create.columns {
        check_name(&written.name)?;
        if columns.iter().any(|c| c.name.eq_ignore_ascii_case(&written.name)) {
            return Err(SqlError::new(1060, format!("Duplicate column name '{}'", written.name)));
        }
        columns.push(column(written, table, context)?);
    }
    let (primary, mut indexes) = indexes(create, &mut columns)?;
    let computed = create.columns.iter().map(|w| matches!(w.default, Some(Written::Expression(_)))).collect();
    let all = super::default_expr::Columns::new(&create.table.name, &columns, computed);
    for (written, column) in create.columns.iter().zip(&mut columns) {
        column.default = default_of(written.default.as_ref(), column, &all, context)?;
    }
    check_auto_increment(&columns, &primary, &indexes)?;
    let flags: Vec<bool> = create.columns.iter().map(|c| c.generated.is_some()).collect();
    for (at, written) in create.columns.iter().enumerate() {
        if let Some((expr, stored)) = &written.generated {
            let made = super::constraint::generated(expr, *stored, at, &columns, &flags, context)?;
            columns[at].generated = Some(made);
        }
    }
    super::constraint::check_primary(&primary, &columns)?;
    let name = &create.table.name;
    let checks = super::constraint::checks(create.checks.iter(), Vec::new(), name, &columns, context)?;
    let child = super::foreign::Child {
        schema,
        table: &create.table.name,
        columns: &columns,
        indexes: std::iter::once(primary.as_slice())
            .chain(indexes.iter().map(|i| i.parts.as_slice()))
            .collect(),
        keys: Vec::new(),
    };
    let taken: Vec<&str> = indexes.iter().map(|i| i.name.as_str()).collect();
    let (foreign_keys, made) = super::foreign::foreign_keys(&create.foreign_keys, &child, &taken)?;
    indexes.extend(made);
    Ok(NewTable {
        schema: schema.to_owned(),
        name: create.table.name.clone(),
        columns,
        primary,
        indexes,
        auto_increment_start: options.auto_increment.unwrap_or(0),
        comment: options.comment.clone().unwrap_or_default(),
        options: table_options(table, options.row_format.as_deref()),
        foreign_keys,
        checks,
    })
}

/// [`engine::TableDef::options`]: `collation=NAME` and perhaps `;row_format=NAME`.
pub(super) fn table_options(collation: Collation, row_format: Option<&str>) -> String {
    match row_format {
        Some(format) if format != "DEFAULT" => format!("collation={};row_format={format}", collation.name()),
        _ => format!("collation={}", collation.name()),
    }
}

/// The options text of a table that has no columns written.
pub(crate) fn options_text(options: &ast::TableOptions, default: Collation) -> Result<String> {
    let table = collation(options.charset.as_deref(), options.collation.as_deref(), default)?;
    Ok(table_options(table, options.row_format.as_deref()))
}

/// A value out of an options text.
pub(crate) fn option<'a>(options: &'a str, name: &str) -> Option<&'a str> {
    options
        .split(';')
        .find_map(|pair| pair.split_once('=').filter(|(key, _)| *key == name).map(|(_, value)| value))
}

/// The collation that an options text names.
pub(crate) fn option_collation(options: &str) -> Collation {
    option(options, "collation").and_then(Collation::from_name).unwrap_or(Collation::DEFAULT)
}

/// Names have 1 to 64 characters and do not end with a blank.
pub(crate) fn check_name(name: &str) -> Result<()> {
    if name.chars().count() > 64 {
        return Err(SqlError::new(1059, format!("Identifier name '{name}' is too long")));
    }
    if name.is_empty() || name.ends_with(' ') {
        return Err(SqlError::new(1166, format!("Incorrect column name '{name}'")));
    }
    Ok(())
}

/// A column as written, but for its default.
pub(super) fn column(written: &ast::ColumnDef, table: Collation, context: &mut Context) -> Result<ColumnDef> {
    let ty = column_type(&written.data_type, &written.name, table, context)?;
    let moment = matches!(ty.kind, TypeKind::DateTime | TypeKind::Timestamp);
    if written.on_update.is_some_and(|fsp| !moment || fsp != ty.scale) {
        return Err(SqlError::new(1294, format!("Invalid ON UPDATE clause for '{}' column", written.name)));
    }
    if written.auto_increment {
        let number = ty.is_integer() || matches!(ty.kind, TypeKind::Float | TypeKind::Double);
        if !number {
            return Err(SqlError::new(
                1063,
                format!("Incorrect column specifier for column '{}'", written.name),
            ));
        }
        if written.default.is_some() {
            return Err(invalid_default(&written.name));
        }
    }
    if written.primary && written.nullable == Some(true) {
        return Err(null_in_primary());
    }
    Ok(ColumnDef {
        id: ColumnId(0),
        name: written.name.clone(),
        ty,
        nullable: !written.primary && !written.auto_increment && written.nullable.unwrap_or(true),
        default: None,
        on_update_now: written.on_update.is_some(),
        auto_increment: written.auto_increment,
        comment: written.comment.clone(),
        generated: None,
    })
}

fn invalid_default(name: &str) -> SqlError {
    SqlError::new(1067, format!("Invalid default value for '{name}'"))
}

/// A DEFAULT clause as a value of its column.
pub(super) fn default_of(
    written: Option<&Written>,
    column: &ColumnDef,
    all: &super::default_expr::Columns,
    context: &mut Context,
) -> Result<Option<ColumnDefault>> {
    let name = &column.name;
    match written {
        None => Ok(None),
        Some(Written::Now(fsp)) => {
            let moment = matches!(column.ty.kind, TypeKind::DateTime | TypeKind::Timestamp);
            if !moment || *fsp != column.ty.scale {
                return Err(invalid_default(name));
            }
            Ok(Some(ColumnDefault::CurrentTimestamp { fsp: *fsp }))
        }
        Some(Written::Expression(expr)) => {
            super::default_expr::text(expr, name, all, context).map(|t| Some(ColumnDefault::Expression(t)))
        }
        Some(Written::Value(expr)) => {
            let bound = crate::bind::Binder::new(context, &[]).bind(expr)?;
            let value = bound.eval(&mut crate::expr::Eval::constant(&[], context))?;
            if value.is_null() {
                return if column.nullable { Ok(None) } else { Err(invalid_default(name)) };
            }
            if column.ty.is_lob() {
                return Err(SqlError::new(
                    1101,
                    format!("BLOB, TEXT, GEOMETRY or JSON column '{name}' can't have a default value"),
                ));
            }
            let mut cx = context.convert;
            cx.mode = cx.mode.with(values::SqlMode::STRICT_TRANS_TABLES);
            match values::store(&value, &column.ty, &cx) {
                Ok(stored) => Ok(Some(ColumnDefault::Literal(stored.value))),
                Err(_) => Err(invalid_default(name)),
            }
        }
    }
}

/// The primary key's parts and the other indexes; columns of the primary key become NOT NULL.
fn indexes(create: &ast::CreateTable, columns: &mut [ColumnDef]) -> Result<(Vec<IndexPart>, Vec<NewIndex>)> {
    let all: Vec<ast::IndexDef> =
        create.columns.iter().flat_map(column_keys).chain(create.indexes.iter().cloned()).collect();
    keys(&all, |position| create.columns[position].nullable == Some(true), columns)
}

/// The value of a default as SHOW CREATE TABLE and DESCRIBE print it.
pub(crate) fn default_text(value: &Value, column: &ColumnDef, context: &Context) -> String {
    let ty = crate::expr::Ty::of(column.ty, column.nullable);
    match value {
        Value::Bytes(b) => String::from_utf8_lossy(b.as_bytes()).into_owned(),
        Value::Bit(v) => format!("b'{:b}'", v.number()),
        other => context.text_of(other, &ty).as_str().to_owned(),
    }
}

/// The same where no session is at hand: TIMESTAMPs in UTC.
pub(crate) fn default_text_utc(value: &Value, column: &ColumnDef) -> String {
    let text = |value: &Value| values::convert::text::to_text(value, column.ty.scale).as_str().to_owned();
    match value {
        Value::Bytes(b) => String::from_utf8_lossy(b.as_bytes()).into_owned(),
        Value::Timestamp(t) => text(&Value::DateTime(t.to_datetime(values::Zone::System))),
        other => text(other),
    }
}
