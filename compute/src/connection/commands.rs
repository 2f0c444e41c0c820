//! Commands: each one parsed from its payload, run on the session, answered into the output buffer.

use super::cursor::Cursor;
use super::pipe::{FLUSH_AT, Lost};
use super::statements::{unknown, wire_error};
use super::unwind::{guarded, guarded_in_place};
use super::{Connection, Desk, Figures, Seen};
use crate::backend::{Backend, Session};
use mysql_wire::{Capabilities, Command, Format, Responder, Status, WireError};
use sql::error::SqlError;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The kind of cursor that is served: CURSOR_TYPE_READ_ONLY.
const READ_ONLY: u8 = 1;
/// MySQL's max_prepared_stmt_count.
const MAX_STATEMENTS: u64 = 1_000_000;

impl<B: Backend> Connection<B> {
    /// Runs the command the inbox holds, and releases it.
    pub(super) async fn command(&mut self) -> Result<(), Lost> {
        Figures::add(&self.pipe.entry.figures.questions, 1);
        if !self.shared.lease.get().is_none_or(|lease| lease.holds()) && !self.leased().await? {
            self.inbox.release();
            return Ok(());
        }
        let payload = self.inbox.payload();
        match Command::parse(payload, self.capabilities) {
            Ok(Command::Query { .. }) => self.query().await,
            Ok(Command::StmtExecute(_)) => self.execute().await,
            Ok(Command::StmtPrepare(_)) => self.prepare().await,
            Ok(Command::StmtFetch { statement, rows }) => self.fetch(statement, rows).await,
            Ok(Command::ChangeUser(_)) => return self.change_user().await,
            Ok(Command::Quit) => Err(Lost::Done),
            Ok(Command::InitDb(_) | Command::FieldList { .. } | Command::ResetConnection) => {
                self.session_command().await
            }
            Ok(Command::Unknown(_)) => {
                self.error(&SqlError {
                    code: 1047,
                    sqlstate: "08S01",
                    message: "Unknown command".to_string(),
                });
                Ok(())
            }
            Ok(_) => {
                self.small_command();
                Ok(())
            }
            // COM_STMT_SEND_LONG_DATA and COM_STMT_CLOSE are malformed aloud, as in MySQL.
            Err(error) => {
                self.error(&wire_error(error));
                Ok(())
            }
        }?;
        self.inbox.release();
        Ok(())
    }

    /// Commands that need neither SQL nor waiting.
    fn small_command(&mut self) {
        let limit = self.shared.settings.max_allowed_packet as usize;
        let Ok(command) = Command::parse(self.inbox.payload(), self.capabilities) else { return };
        match command {
            Command::Ping => self.ok_now(),
            Command::StmtSendLongData { statement, parameter, data } => {
                self.statements.append(statement, parameter, data, limit);
            }
            Command::StmtClose(id) => self.close_statement(id),
            Command::StmtReset(id) => match self.statements.reset(id) {
                Ok(()) => self.ok_now(),
                Err(error) => self.error(&error),
            },
            Command::SetOption { multi_statements } => {
                if let Some(session) = &mut self.session {
                    session.set_multi_statements(multi_statements);
                }
                let status = self.status();
                self.answer(|out| out.eof(status, 0));
            }
            Command::Debug => {
                let status = self.status();
                self.answer(|out| out.eof(status, 0));
            }
            Command::Statistics => {
                let text = self.shared.statistics();
                self.answer(|out| out.text(&text));
            }
            other => debug_assert!(false, "{other:?} is not small"),
        }
    }

    fn close_statement(&mut self, id: u32) {
        if self.statements.remove(id) {
            self.shared.counters.prepared.fetch_sub(1, Ordering::Relaxed);
            if let Some(session) = &mut self.session {
                session.close_statement(id);
            }
        }
    }

    /// COM_STMT_FETCH: the next rows of an open cursor; it is closed by the fetch that finds fewer than it wants.
    async fn fetch(&mut self, id: u32, rows: u32) -> Result<(), Lost> {
        self.pipe.entry.begin("Fetch", None);
        let Some(mut cursor) = self.statements.take_cursor(id) else {
            let error = match self.statements.get(id) {
                Some(_) => SqlError::new(1421, format!("The statement ({id}) has no open cursor.")),
                None => unknown(id),
            };
            self.error(&error);
            return Ok(());
        };
        for _ in 0..rows {
            let sequence = self.inbox.decoder.next_sequence();
            let mut out = Responder::new(&mut self.pipe.out, sequence, self.capabilities);
            let there = tokio::task::block_in_place(|| cursor.pop(&mut out));
            let next = out.next_sequence();
            self.inbox.decoder.expect(next);
            match there {
                Ok(true) if self.pipe.out.len() >= FLUSH_AT => self.pipe.flush().await?,
                Ok(true) => {}
                Ok(false) => {
                    let status = self.status().with(Status::LAST_ROW_SENT);
                    self.answer(|out| out.eof(status, 0));
                    return Ok(());
                }
                Err(problem) => {
                    let text = format!("Error reading file 'rows of a cursor' (OS errno {problem})");
                    self.error(&SqlError::new(1024, text));
                    return Ok(());
                }
            }
        }
        self.statements.put_cursor(id, cursor);
        let status = self.status().with(Status::CURSOR_EXISTS);
        self.answer(|out| out.eof(status, 0));
        Ok(())
    }

    async fn query(&mut self) -> Result<(), Lost> {
        let Ok(Command::Query { sql, .. }) = Command::parse(self.inbox.payload(), self.capabilities) else {
            return Err(WireError::Malformed.into());
        };
        let Some(session) = &mut self.session else { return Err(Lost::Gone) };
        self.pipe.entry.begin("Query", Some(Arc::from(sql)));
        let start = (self.inbox.decoder.next_sequence(), self.capabilities, Format::Text);
        let mut sink = Self::sink(&self.shared, &mut self.pipe, &mut self.shapes, start, self.definitions);
        let result = guarded(session.query(sql, &mut sink)).await;
        let (next, seen, local) = (sink.sequence, sink.seen, sink.local);
        self.inbox.decoder.expect(next);
        if local.is_open() {
            return Err(Lost::Gone);
        }
        self.inbox.put_back(local.rest());
        self.finish_statement(result.map(|sent| sent.is_ok()).ok(), seen)
    }

    async fn execute(&mut self) -> Result<(), Lost> {
        let Ok(Command::StmtExecute(execute)) = Command::parse(self.inbox.payload(), self.capabilities)
        else {
            return Err(WireError::Malformed.into());
        };
        let Some(session) = &mut self.session else { return Err(Lost::Gone) };
        if let Err(error) = self.statements.bind(&execute, session, &mut self.params) {
            self.error(&error);
            return Ok(());
        }
        let id = execute.statement;
        let statement = self.statements.get(id);
        self.pipe.entry.begin("Execute", statement.map(|statement| statement.text.clone()));
        let start = (self.inbox.decoder.next_sequence(), self.capabilities, Format::Binary);
        let mut sink = Self::sink(&self.shared, &mut self.pipe, &mut self.shapes, start, self.definitions);
        sink.known = statement.map(|statement| &*statement.columns);
        // As MySQL: a cursor that scrolls or updates is answered with all rows at once.
        sink.cursor = (execute.cursor == READ_ONLY).then(|| Cursor::new(&self.shared.scratch));
        let result = guarded_in_place(session.execute(id, &self.params, &mut sink)).await;
        let (next, seen, cursor) = (sink.sequence, sink.seen, sink.cursor);
        if let Some(cursor) = cursor.filter(|_| seen.opened) {
            self.statements.put_cursor(id, Box::new(cursor));
        }
        self.inbox.decoder.expect(next);
        self.finish_statement(result.map(|sent| sent.is_ok()).ok(), seen)
    }

    /// `sent`: the answer is whole; `None`: the statement panicked.
    fn finish_statement(&mut self, sent: Option<bool>, seen: Seen) -> Result<(), Lost> {
        if seen.errors > 0 {
            self.shared.counters.errors.fetch_add(seen.errors, Ordering::Relaxed);
        }
        match sent {
            Some(true) if seen.shutdown => Err(Lost::Done),
            Some(true) => {
                if seen.settled && self.session.as_ref().is_some_and(|s| s.sets() != self.seen_sets) {
                    self.read_session();
                }
                if seen.schema.is_some() {
                    self.pipe.entry.set_schema(seen.schema);
                }
                if self.session.as_ref().is_some_and(Session::is_closing) { Err(Lost::Done) } else { Ok(()) }
            }
            Some(false) => Err(Lost::Gone),
            None => Err(self.panicked()),
        }
    }

    /// The session's future was dropped half-way; what it held is rolled back by its close, and the client is told.
    fn panicked(&mut self) -> Lost {
        self.shared.counters.panics.fetch_add(1, Ordering::Relaxed);
        let text = "Internal error in this statement; its session was rolled back and closed";
        self.error(&SqlError::new(1105, text));
        Lost::Done
    }

    async fn prepare(&mut self) -> Result<(), Lost> {
        let Ok(Command::StmtPrepare(sql)) = Command::parse(self.inbox.payload(), self.capabilities) else {
            return Err(WireError::Malformed.into());
        };
        let text: Arc<[u8]> = Arc::from(sql);
        self.pipe.entry.begin("Prepare", Some(text.clone()));
        if self.shared.counters.prepared.load(Ordering::Relaxed) >= MAX_STATEMENTS {
            let message = format!(
                "Can't create more than max_prepared_stmt_count statements (current value: {MAX_STATEMENTS})"
            );
            self.error(&SqlError::new(1461, message));
            return Ok(());
        }
        let Some(session) = &mut self.session else { return Err(Lost::Gone) };
        let info = match guarded(session.prepare(sql)).await {
            Err(_) => return Err(self.panicked()),
            Ok(Err(error)) => {
                self.error(&error);
                return Ok(());
            }
            Ok(Ok(info)) => info,
        };
        self.shared.counters.prepared.fetch_add(1, Ordering::Relaxed);
        let status = self.status();
        let follow = self.definitions || !self.capabilities.has(Capabilities::OPTIONAL_METADATA);
        self.answer(|out| {
            let (columns, params) = (info.columns.len() as u16, info.params.len() as u16);
            out.prepare_ok(info.id, columns, params, info.warnings, follow);
            for list in [&info.params, &info.columns] {
                for meta in list.iter().filter(|_| follow) {
                    out.column(&super::sink::column(meta));
                }
                if !list.is_empty() {
                    out.columns_end(status, 0);
                }
            }
        });
        self.statements.add(info, text);
        Ok(())
    }

    /// Commands that are one call of the session.
    async fn session_command(&mut self) -> Result<(), Lost> {
        let Some(session) = &mut self.session else { return Err(Lost::Gone) };
        let result = match Command::parse(self.inbox.payload(), self.capabilities) {
            Ok(Command::InitDb(name)) => {
                self.pipe.entry.begin("Init DB", None);
                guarded(session.init_db(name)).await.map(|result| result.map(|()| None))
            }
            Ok(Command::FieldList { table, pattern }) => {
                self.pipe.entry.begin("Field List", None);
                guarded(session.field_list(table, pattern)).await.map(|result| result.map(Some))
            }
            _ => {
                self.pipe.entry.begin("Reset Connection", None);
                let dropped = self.statements.clear();
                self.shared.counters.prepared.fetch_sub(dropped as u64, Ordering::Relaxed);
                guarded(session.reset()).await.map(|result| result.map(|()| None))
            }
        };
        match result {
            Err(_) => return Err(self.panicked()),
            Ok(Err(error)) => self.error(&error),
            Ok(Ok(None)) => self.ok_settled(),
            Ok(Ok(Some(columns))) => {
                let status = self.status();
                self.answer(|out| {
                    for meta in &columns {
                        out.column_with_default(&super::sink::column(meta), None);
                    }
                    out.eof(status, 0);
                });
            }
        }
        let schema = self.session.as_ref().and_then(Session::schema);
        self.pipe.entry.set_schema(schema);
        self.read_session();
        Ok(())
    }

    async fn change_user(&mut self) -> Result<(), Lost> {
        self.pipe.entry.begin("Change user", None);
        let desk = Desk {
            shared: &self.shared,
            pipe: &mut self.pipe,
            inbox: &mut self.inbox,
            capabilities: self.capabilities,
        };
        let info = Box::pin(desk.change_user()).await?;
        let dropped = self.statements.clear();
        self.shared.counters.prepared.fetch_sub(dropped as u64, Ordering::Relaxed);
        let Some(session) = &mut self.session else { return Err(Lost::Gone) };
        match guarded(session.change_user(info.clone())).await {
            Err(_) => return Err(self.panicked()),
            Ok(Err(error)) => {
                self.error(&error);
                self.pipe.flush().await?;
                return Err(Lost::Done);
            }
            Ok(Ok(())) => {}
        }
        self.pipe.entry.logged_in(&info.user, session.kill_handle());
        self.pipe.entry.set_schema(session.schema());
        self.info = info;
        self.read_session();
        self.ok_now();
        Ok(())
    }
}
