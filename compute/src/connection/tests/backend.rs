//! A SQL of a few words: `rows N`, `load FILE`, `echo TEXT`, `fail`, `panic`, `wait`, `use NAME`.

use crate::backend::{Account, Backend, Kill, Session};
use mysql_wire::auth::{Plugin, stored_form};
use sql::api::{Cell, ColumnMeta, ConnectInfo, Done, PreparedInfo, ResultSink, RowSource, SinkClosed};
use sql::error::SqlError;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use values::Value;

#[derive(Default)]
pub(super) struct Little {
    /// Sessions closed properly.
    pub(super) closed: AtomicU64,
}

/// Ends `wait`.
#[derive(Default)]
pub(super) struct Switch {
    on: AtomicBool,
    woken: tokio::sync::Notify,
}

impl Kill for Switch {
    fn kill_query(&self) {
        self.on.store(true, Ordering::Release);
        self.woken.notify_one();
    }
    fn kill_connection(&self) {
        self.kill_query();
    }
}

pub(super) struct LittleSession {
    backend: Arc<Little>,
    pub(super) info: ConnectInfo,
    schema: Option<String>,
    next: AtomicU32,
    /// Texts of prepared statements.
    texts: Vec<String>,
    kill: Arc<Switch>,
}

struct One(Vec<u8>);

impl RowSource for One {
    fn cell(&self, _: usize) -> Cell<'_> {
        Cell::Bytes((&self.0[..]).into())
    }
}

fn column(name: &str) -> ColumnMeta {
    let empty: Arc<str> = "".into();
    ColumnMeta {
        schema: empty.clone(),
        table: empty.clone(),
        org_table: empty.clone(),
        name: name.into(),
        org_name: empty,
        collation: 255,
        length: 80,
        type_code: 253,
        flags: 0,
        decimals: 31,
        encoded: None,
    }
}

impl Backend for Little {
    type Session = LittleSession;

    async fn account(&self, user: &str, host: &str) -> Result<Option<Account>, SqlError> {
        let (plugin, password) = match user {
            "root" => (Plugin::CachingSha2, ""),
            "sha" => (Plugin::CachingSha2, "secret"),
            "native" => (Plugin::Native, "secret"),
            "locked" | "tls" | "expired" => (Plugin::Native, ""),
            _ => return Ok(None),
        };
        assert_eq!(host, "localhost");
        Ok(Some(Account {
            user: user.to_string(),
            host: "localhost".to_string(),
            plugin: plugin.name().to_string(),
            stored: stored_form(plugin, password.as_bytes(), [3; 20]),
            locked: user == "locked",
            admin: user == "root",
            needs_tls: user == "tls",
            expired: user == "expired",
        }))
    }

    async fn connect(self: &Arc<Self>, info: ConnectInfo) -> Result<LittleSession, SqlError> {
        if info.schema.as_deref() == Some("nope") {
            return Err(SqlError::new(1049, "Unknown database 'nope'"));
        }
        let schema = info.schema.clone();
        Ok(LittleSession {
            backend: self.clone(),
            info,
            schema,
            next: AtomicU32::new(1),
            texts: Vec::new(),
            kill: Arc::default(),
        })
    }
}

impl LittleSession {
    fn done(&self) -> Done {
        Done { status: 2, ..Done::default() }
    }

    async fn rows(&self, n: u64, value: &[u8], sink: &mut dyn ResultSink) -> Result<(), SinkClosed> {
        sink.columns(&[column("v")]);
        let row = One(value.to_vec());
        for _ in 0..n {
            if sink.row(&row) == sql::api::Flow::Full {
                sink.flush().await?;
            }
        }
        sink.end(&self.done());
        Ok(())
    }

    async fn run(
        &mut self,
        text: &str,
        params: &[Value],
        sink: &mut dyn ResultSink,
    ) -> Result<(), SinkClosed> {
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        match word {
            "rows" => self.rows(rest.parse().unwrap(), b"0123456789", sink).await?,
            "echo" if !params.is_empty() => {
                let text: Vec<String> = params.iter().map(|v| format!("{v:?}")).collect();
                self.rows(1, text.join(",").as_bytes(), sink).await?;
            }
            "echo" => self.rows(1, rest.as_bytes(), sink).await?,
            "fail" => sink.error(&SqlError::new(1064, "no")),
            "panic" => panic!("as told"),
            "load" => {
                if !sink.takes_local_files() {
                    sink.error(&SqlError::new(3948, "no files"));
                    return Ok(());
                }
                sink.local_file(rest.as_bytes()).await?;
                let mut size = 0;
                while let Some(chunk) = sink.local_chunk().await? {
                    size += chunk.len() as u64;
                }
                sink.ok(&Done { affected_rows: size, ..self.done() });
            }
            "use" => {
                self.schema = Some(rest.to_string());
                sink.ok(&Done { schema_changed: self.schema.clone(), ..self.done() });
            }
            "wait" => {
                while !self.kill.on.swap(false, Ordering::AcqRel) {
                    self.kill.woken.notified().await;
                }
                sink.error(&SqlError::new(1317, "Query execution was interrupted"));
            }
            _ => sink.ok(&self.done()),
        }
        Ok(())
    }
}

impl Session for LittleSession {
    async fn query(&mut self, text: &[u8], sink: &mut dyn ResultSink) -> Result<(), SinkClosed> {
        let text = String::from_utf8_lossy(text).into_owned();
        self.run(&text, &[], sink).await
    }

    async fn prepare(&mut self, text: &[u8]) -> Result<PreparedInfo, SqlError> {
        let marks = text.iter().filter(|b| **b == b'?').count();
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        self.texts.push(String::from_utf8_lossy(text).into_owned());
        Ok(PreparedInfo { id, params: vec![column("?"); marks], columns: vec![column("v")], warnings: 0 })
    }

    async fn execute(
        &mut self,
        id: u32,
        params: &[Value],
        sink: &mut dyn ResultSink,
    ) -> Result<(), SinkClosed> {
        let text = self.texts[id as usize - 1].clone();
        let text = if params.is_empty() { text.as_str() } else { "echo" };
        self.run(text, params, sink).await
    }

    fn text_param(&self, text: &[u8]) -> Value {
        Value::text(&String::from_utf8_lossy(text))
    }

    fn close_statement(&mut self, _: u32) {}

    async fn init_db(&mut self, name: &[u8]) -> Result<(), SqlError> {
        self.schema = Some(String::from_utf8_lossy(name).into_owned());
        Ok(())
    }

    async fn field_list(&mut self, _: &[u8], _: &[u8]) -> Result<Vec<ColumnMeta>, SqlError> {
        Ok(vec![column("v")])
    }

    async fn reset(&mut self) -> Result<(), SqlError> {
        Ok(())
    }

    async fn change_user(&mut self, info: ConnectInfo) -> Result<(), SqlError> {
        self.schema.clone_from(&info.schema);
        self.info = info;
        Ok(())
    }

    fn set_multi_statements(&mut self, _: bool) {}

    fn status(&self) -> u16 {
        2
    }

    fn schema(&self) -> Option<String> {
        self.schema.clone()
    }

    fn settle(&mut self) -> Done {
        self.done()
    }

    fn wait_timeout_s(&self) -> u64 {
        if self.info.interactive { 1 } else { 28800 }
    }

    fn kill_handle(&self) -> Arc<dyn Kill> {
        self.kill.clone()
    }

    async fn close(self) {
        self.backend.closed.fetch_add(1, Ordering::Relaxed);
    }
}
