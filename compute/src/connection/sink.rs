//! Results on their way to the client: SQL's [`ResultSink`] writes packets straight into the connection's output buffer.

use super::cursor::Cursor;
use super::local::LocalFile;
use super::pipe::{FLUSH_AT, Pipe};
use mysql_wire::{
    Capabilities, Column, ColumnFlags, ColumnType, DateTime, Format, OkPacket, Responder, RowWriter,
};
use mysql_wire::{SessionChange, Status, Time};
use protocol::env::BoxFuture;
use sql::api::{Cell, ColumnMeta, Done, Flow, ResultSink, RowSource, SinkClosed};
use sql::error::SqlError;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};

/// What the encoder needs to know of a result's column.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    ty: ColumnType,
    decimals: u8,
    /// Digits to fill with zeros in the text format.
    zero_fill: u16,
}

/// What an answer said that matters to the connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// Errors sent.
    pub(crate) errors: u64,
    /// The default schema, when a statement changed it.
    pub(crate) schema: Option<String>,
    /// A statement without a result set ended: it may have been a SET.
    pub(crate) settled: bool,
    /// The client was told that the server stops.
    pub(crate) shutdown: bool,
    /// A cursor was opened.
    pub(crate) opened: bool,
}

/// The packets of one answer.
pub(crate) struct PacketSink<'a> {
    pub(crate) pipe: &'a mut Pipe,
    pub(crate) sequence: u8,
    pub(crate) capabilities: Capabilities,
    pub(crate) format: Format,
    /// Kept by the connection, so that a result set allocates nothing for it.
    pub(crate) shapes: &'a mut Vec<Shape>,
    /// What the connection wants to know afterwards.
    pub(crate) seen: Seen,
    /// The server is stopping: errors of statements that were cut short say so.
    pub(crate) stopping: &'a AtomicBool,
    /// resultset_metadata = FULL.
    pub(crate) definitions: bool,
    /// The definitions the client has from its prepare.
    pub(crate) known: Option<&'a [ColumnMeta]>,
    /// Where rows go when the client asked for a cursor.
    pub(crate) cursor: Option<Cursor>,
    /// Where the answer began in the buffer and its number, while definitions of a cursor's result wait for its last row.
    pub(crate) held: Option<(usize, u8)>,
    /// The client's file that a LOAD DATA LOCAL reads.
    pub(crate) local: LocalFile,
}

impl PacketSink<'_> {
    /// Must the client be told what the columns are?
    fn definitions_follow(&self, columns: &[ColumnMeta]) -> bool {
        if self.capabilities.has(Capabilities::OPTIONAL_METADATA) {
            return self.definitions;
        }
        !(self.capabilities.has(Capabilities::CACHE_METADATA) && self.known == Some(columns))
    }

    fn note(&mut self, done: &Done) {
        if done.schema_changed.is_some() {
            self.seen.schema.clone_from(&done.schema_changed);
        }
    }

    fn answer<R>(&mut self, write: impl FnOnce(&mut Responder<'_>, &mut Vec<Shape>) -> R) -> R {
        let mut responder = Responder::new(&mut self.pipe.out, self.sequence, self.capabilities);
        let result = write(&mut responder, self.shapes);
        self.sequence = responder.next_sequence();
        result
    }
}

/// A column definition from SQL's metadata.
pub(crate) fn column(meta: &ColumnMeta) -> Column<'_> {
    let [schema, table, org_table, name, org_name] = match &meta.encoded {
        Some(names) => names.each_ref().map(Vec::as_slice),
        None => [&meta.schema, &meta.table, &meta.org_table, &meta.name, &meta.org_name]
            .map(|name| name.as_bytes()),
    };
    Column {
        schema,
        table,
        org_table,
        name,
        org_name,
        collation: meta.collation,
        length: meta.length,
        ty: ColumnType::from_wire(meta.type_code).unwrap_or(ColumnType::VarString),
        flags: ColumnFlags::from_bits(meta.flags),
        decimals: meta.decimals,
    }
}

fn shape(meta: &ColumnMeta) -> Shape {
    let column = column(meta);
    let zero_fill = if column.flags.has(ColumnFlags::ZEROFILL) { meta.length.min(250) as u16 } else { 0 };
    Shape { ty: column.ty, decimals: meta.decimals, zero_fill }
}

impl ResultSink for PacketSink<'_> {
    fn columns(&mut self, columns: &[ColumnMeta]) {
        let follow = self.definitions_follow(columns);
        if self.cursor.is_some() {
            self.held = Some((self.pipe.out.len(), self.sequence));
        }
        let with_cursor = self.cursor.is_some();
        self.answer(|out, shapes| {
            out.column_count(columns.len() as u64, follow);
            shapes.clear();
            for meta in columns {
                if follow {
                    out.column(&column(meta));
                }
                shapes.push(shape(meta));
            }
            if !with_cursor {
                out.columns_end(Status::empty(), 0);
            }
        });
    }

    fn row(&mut self, row: &dyn RowSource) -> Flow {
        if let Some(cursor) = &mut self.cursor {
            let shapes = &*self.shapes;
            let full = cursor.push(self.capabilities, shapes.len(), |writer| {
                for (i, shape) in shapes.iter().enumerate() {
                    put(writer, row.cell(i), *shape);
                }
            });
            return if full { Flow::Full } else { Flow::Go };
        }
        let format = self.format;
        self.answer(|out, shapes| {
            let mut writer = out.row(format, shapes.len());
            for (i, shape) in shapes.iter().enumerate() {
                put(&mut writer, row.cell(i), *shape);
            }
            writer.finish();
        });
        if self.pipe.out.len() >= FLUSH_AT { Flow::Full } else { Flow::Go }
    }

    fn flush(&mut self) -> BoxFuture<'_, Result<(), SinkClosed>> {
        if let Some(cursor) = &mut self.cursor {
            tokio::task::block_in_place(|| cursor.spill());
            return Box::pin(std::future::ready(Ok(())));
        }
        Box::pin(async { self.pipe.flush().await.map_err(|_| SinkClosed) })
    }

    fn takes_local_files(&self) -> bool {
        self.capabilities.has(Capabilities::LOCAL_FILES)
    }

    fn local_file<'a>(&'a mut self, name: &'a [u8]) -> BoxFuture<'a, Result<(), SinkClosed>> {
        self.answer(|out, _| out.local_file(name));
        self.local.begin(self.sequence);
        Box::pin(async { self.pipe.flush().await.map_err(|_| SinkClosed) })
    }

    fn local_chunk(&mut self) -> BoxFuture<'_, Result<Option<Vec<u8>>, SinkClosed>> {
        Box::pin(async {
            let chunk = self.local.next(self.pipe).await.map_err(|_| SinkClosed)?;
            self.sequence = self.local.next_sequence();
            Ok(chunk)
        })
    }

    fn end(&mut self, done: &Done) {
        self.note(done);
        if let Some(cursor) = &mut self.cursor {
            if let Some(problem) = cursor.failed.take() {
                let text = format!("Error writing file 'rows of a cursor' (OS errno {problem})");
                return self.error(&SqlError::new(1026, text));
            }
            self.seen.opened = true;
            let how = Status::NO_INDEX_USED.with(Status::NO_GOOD_INDEX_USED);
            let status = Status::from_bits(done.status).without(how).with(Status::CURSOR_EXISTS);
            return self.answer(|out, _| out.eof(status, done.warnings));
        }
        self.answer(|out, _| with_ok(done, |ok| out.result_end(ok)));
    }

    fn ok(&mut self, done: &Done) {
        self.note(done);
        self.seen.settled = true;
        self.answer(|out, _| with_ok(done, |ok| out.ok(ok)));
    }

    fn error(&mut self, error: &SqlError) {
        self.seen.errors += 1;
        // A cursor that did not come to be leaves no definitions.
        if let Some((start, sequence)) = self.held.take() {
            self.pipe.out.truncate(start);
            self.sequence = sequence;
        }
        let stopped = self.stopping.load(Ordering::Relaxed) && matches!(error.code, 1317 | 1105);
        self.seen.shutdown |= stopped;
        self.answer(|out, _| {
            if stopped {
                out.err(1053, "08S01", b"Server shutdown in progress");
            } else {
                out.err(error.code, error.sqlstate, error.message.as_bytes());
            }
        });
    }
}

/// Shows `done` to `write` as an OK packet.
pub(crate) fn with_ok<R>(done: &Done, write: impl FnOnce(&OkPacket<'_>) -> R) -> R {
    let mut changes = Vec::new();
    for (name, value) in &done.variables_changed {
        changes.push(SessionChange::SystemVariable { name, value });
    }
    if let Some(schema) = &done.schema_changed {
        changes.push(SessionChange::Schema(schema));
    }
    if done.state_changed {
        changes.push(SessionChange::StateChange);
    }
    if let Some(state) = &done.transaction_state {
        changes.push(SessionChange::TransactionState(state));
    }
    if let Some(text) = &done.transaction_characteristics {
        changes.push(SessionChange::TransactionCharacteristics(text));
    }
    write(&OkPacket {
        affected_rows: done.affected_rows,
        last_insert_id: done.last_insert_id,
        status: Status::from_bits(done.status),
        warnings: done.warnings,
        info: &done.info,
        changes: &changes,
    })
}

fn put(row: &mut RowWriter<'_, '_>, cell: Cell<'_>, shape: Shape) {
    match cell {
        Cell::Null => row.null(),
        Cell::Bytes(bytes) => row.bytes(&bytes),
        Cell::Int(value) => row.int(value, shape.ty),
        Cell::UInt(value) if shape.zero_fill > 0 && row.format() == Format::Text => {
            row.bytes(format!("{value:0>width$}", width = usize::from(shape.zero_fill)).as_bytes());
        }
        Cell::UInt(value) => row.uint(value, shape.ty),
        Cell::Float(value) => put_float(row, value, shape),
        Cell::Double(value) => put_double(row, value, shape),
        Cell::Decimal(value) => row.short_text(|out| {
            write!(out, "{value}").expect("invariant: a buffer takes what is written to it");
        }),
        Cell::Date(value) => row.date(&date_parts(value)),
        Cell::DateTime(value) => row.datetime(&datetime_parts(value), shape.decimals),
        Cell::Time(value) => row.time(&time_parts(value), shape.decimals),
    }
}

/// Digits behind the point are not fixed.
const NOT_FIXED: u8 = 31;

fn put_float(row: &mut RowWriter<'_, '_>, value: f32, shape: Shape) {
    match row.format() {
        Format::Binary => row.float(value, |_| ()),
        Format::Text if shape.decimals < NOT_FIXED => {
            row.bytes(values::double::fixed_text(value.into(), shape.decimals).as_bytes());
        }
        Format::Text => row.bytes(values::double::float_text(value).as_bytes()),
    }
}

fn put_double(row: &mut RowWriter<'_, '_>, value: f64, shape: Shape) {
    match row.format() {
        Format::Binary => row.double(value, |_| ()),
        Format::Text if shape.decimals < NOT_FIXED => {
            row.bytes(values::double::fixed_text(value, shape.decimals).as_bytes());
        }
        Format::Text => row.bytes(values::double::double_text(value).as_bytes()),
    }
}

fn date_parts(value: values::Date) -> DateTime {
    DateTime {
        date_only: true,
        year: value.year() as u16,
        month: value.month() as u8,
        day: value.day() as u8,
        ..DateTime::default()
    }
}

fn datetime_parts(value: values::DateTime) -> DateTime {
    DateTime {
        date_only: false,
        hour: value.hour() as u8,
        minute: value.minute() as u8,
        second: value.second() as u8,
        micros: value.micros(),
        ..date_parts(value.date())
    }
}

fn time_parts(value: values::Time) -> Time {
    Time {
        negative: value.is_negative(),
        days: value.hours() / 24,
        hours: (value.hours() % 24) as u8,
        minutes: value.minute() as u8,
        seconds: value.second() as u8,
        micros: value.fraction(),
    }
}
