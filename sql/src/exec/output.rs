//! Rows to the client: straight from row bytes where an item is a plain column, from computed values otherwise.

use super::Run;
use crate::api::{Cell, ColumnMeta, Flow, ResultSink, RowSource};
use crate::error::{Result, SqlError};
use crate::expr::{Node, Typed};
use crate::plan::meta::announced;
use crate::variable::Charset;
use engine::RowView;
use std::borrow::Cow;
use values::{ColumnType, Value, Zone, decode_cell};

/// How values become cells for this client.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Format {
    pub(crate) zone: Zone,
    /// `None`: bytes go out as they are.
    pub(crate) charset: Option<Charset>,
}

impl Format {
    pub(crate) fn of(run: &Run<'_>) -> Format {
        let settings = &run.context.settings;
        Format { zone: settings.zone, charset: settings.results }
    }

    fn text<'a>(self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        match self.charset {
            Some(charset) => charset.encode(bytes),
            None => Cow::Borrowed(bytes),
        }
    }

    /// A document's text.
    fn document(self, value: &Value) -> Vec<u8> {
        let text = values::json::Json::of(value).to_string();
        self.text(text.as_bytes()).into_owned()
    }

    /// A value as a cell.
    pub(crate) fn cell(self, value: &Value) -> Cell<'_> {
        match value {
            Value::Null => Cell::Null,
            Value::Int(v) => Cell::Int(*v),
            Value::UInt(v) => Cell::UInt(*v),
            Value::Float(v) => Cell::Float(*v),
            Value::Double(v) => Cell::Double(*v),
            Value::Decimal(v) => Cell::Decimal(v.clone()),
            Value::Text(v) => Cell::Bytes(self.text(v.as_bytes())),
            Value::Bytes(v) => Cell::Bytes(Cow::Borrowed(v.as_bytes())),
            Value::Date(v) => Cell::Date(*v),
            Value::Time(v) => Cell::Time(*v),
            Value::DateTime(v) => Cell::DateTime(*v),
            Value::Timestamp(v) => Cell::DateTime(v.to_datetime(self.zone)),
            Value::Year(v) => Cell::UInt(u64::from(v.get())),
            Value::Bit(v) => Cell::Bytes(Cow::Owned(v.bytes())),
            Value::Json(_) => Cell::Bytes(Cow::Owned(self.document(value))),
            Value::Choice(v) => Cell::Bytes(Cow::Owned(self.text(v.text().as_bytes()).into_owned())),
        }
    }

    /// A stored cell; strings stay where they are.
    fn stored<'a>(self, raw: Option<&'a [u8]>, ty: &ColumnType) -> Cell<'a> {
        let Some(raw) = raw else { return Cell::Null };
        if ty.is_character() {
            return Cell::Bytes(self.text(raw));
        }
        if ty.is_binary() {
            return Cell::Bytes(Cow::Borrowed(raw));
        }
        match decode_cell(raw, ty) {
            Ok(Value::Int(v)) => Cell::Int(v),
            Ok(Value::UInt(v)) => Cell::UInt(v),
            Ok(Value::Float(v)) => Cell::Float(v),
            Ok(Value::Double(v)) => Cell::Double(v),
            Ok(Value::Decimal(v)) => Cell::Decimal(v),
            Ok(Value::Date(v)) => Cell::Date(v),
            Ok(Value::Time(v)) => Cell::Time(v),
            Ok(Value::DateTime(v)) => Cell::DateTime(v),
            Ok(Value::Timestamp(v)) => Cell::DateTime(v.to_datetime(self.zone)),
            Ok(Value::Year(v)) => Cell::UInt(u64::from(v.get())),
            Ok(Value::Bit(v)) => Cell::Bytes(Cow::Owned(v.bytes())),
            Ok(value @ Value::Json(_)) => Cell::Bytes(Cow::Owned(self.document(&value))),
            Ok(Value::Choice(v)) => Cell::Bytes(Cow::Owned(self.text(v.text().as_bytes()).into_owned())),
            Ok(_) | Err(_) => Cell::Null,
        }
    }
}

/// A row of values.
pub(crate) struct ValuesRow<'a> {
    pub(crate) values: &'a [Value],
    pub(crate) format: Format,
}

impl RowSource for ValuesRow<'_> {
    fn cell(&self, i: usize) -> Cell<'_> {
        self.format.cell(&self.values[i])
    }
}

/// A stored row seen through a select list: `computed` holds the items that are no plain columns (others are NULL there).
pub(crate) struct ViewRow<'a> {
    pub(crate) view: RowView<'a>,
    pub(crate) items: &'a [Typed],
    pub(crate) computed: &'a [Value],
    pub(crate) format: Format,
}

impl RowSource for ViewRow<'_> {
    fn cell(&self, i: usize) -> Cell<'_> {
        match &self.items[i] {
            Typed { node: Node::Column(column), ty } => self.format.stored(self.view.raw(*column), &ty.col),
            _ => self.format.cell(&self.computed[i]),
        }
    }
}

/// The client's side of a running SELECT: counts rows, waits for durability before anything leaves.
pub(crate) struct Output<'a> {
    pub(crate) sink: &'a mut dyn ResultSink,
    pub(crate) rows: u64,
    started: bool,
}

/// Marks the error of a client that has gone: nobody will read it.
pub(crate) const CLIENT_GONE: u16 = 1160;

impl<'a> Output<'a> {
    pub(crate) fn new(sink: &'a mut dyn ResultSink) -> Output<'a> {
        Output { sink, rows: 0, started: false }
    }

    /// Announces the columns, once.
    pub(crate) fn start(&mut self, columns: &[ColumnMeta], charset: Option<Charset>) {
        if !self.started {
            self.sink.columns(&announced(columns, charset));
            self.started = true;
        }
    }

    /// Sends a row; true when [`Output::flush`] must follow.
    pub(crate) fn row(&mut self, row: &dyn RowSource) -> bool {
        self.rows += 1;
        self.sink.row(row) == Flow::Full
    }

    /// Empties the sink; what leaves is durable.
    pub(crate) async fn flush(&mut self, run: &mut Run<'_>) -> Result<()> {
        run.engine.wait_durable(run.txn.observed()).await?;
        self.sink
            .flush()
            .await
            .map_err(|_| SqlError::new(CLIENT_GONE, "Got an error writing communication packets"))
    }
}
