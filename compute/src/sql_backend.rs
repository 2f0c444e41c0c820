//! SQL as connections use it: the product's [`Backend`].

use crate::backend::{Account, Backend, Kill, Session};
use sql::api::{ColumnMeta, ConnectInfo, Done, PreparedInfo, ResultSink, SinkClosed};
use sql::error::SqlError;
use std::sync::Arc;
use values::Value;

impl Kill for sql::KillHandle {
    fn kill_query(&self) {
        sql::KillHandle::kill_query(self);
    }

    fn kill_connection(&self) {
        sql::KillHandle::kill_connection(self);
    }
}

fn unix_seconds() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

impl Backend for sql::Server {
    type Session = sql::Session;

    async fn account(&self, user: &str, host: &str) -> Result<Option<Account>, SqlError> {
        let found = sql::Server::account(self, user, host).await?;
        Ok(found.map(|account| Account {
            admin: account.is_superuser(),
            needs_tls: account.needs_tls(),
            expired: account.is_expired(unix_seconds()),
            user: account.user,
            host: account.host,
            plugin: account.plugin,
            stored: account.hash,
            locked: account.locked,
        }))
    }

    fn global_number(&self, name: &str) -> Option<u64> {
        self.global(name).parse().ok()
    }

    async fn connect(self: &Arc<Self>, info: ConnectInfo) -> Result<sql::Session, SqlError> {
        sql::Server::connect(self, info).await
    }
}

impl Session for sql::Session {
    async fn query(&mut self, text: &[u8], sink: &mut dyn ResultSink) -> Result<(), SinkClosed> {
        sql::Session::query(self, text, sink).await
    }

    async fn prepare(&mut self, text: &[u8]) -> Result<PreparedInfo, SqlError> {
        sql::Session::prepare(self, text).await
    }

    async fn execute(
        &mut self,
        id: u32,
        params: &[Value],
        sink: &mut dyn ResultSink,
    ) -> Result<(), SinkClosed> {
        sql::Session::execute(self, id, params, sink).await
    }

    fn text_param(&self, text: &[u8]) -> Value {
        sql::Session::text_param(self, text)
    }

    fn close_statement(&mut self, id: u32) {
        sql::Session::close_statement(self, id);
    }

    async fn init_db(&mut self, name: &[u8]) -> Result<(), SqlError> {
        sql::Session::init_db(self, &String::from_utf8_lossy(name)).await
    }

    async fn field_list(&mut self, table: &[u8], pattern: &[u8]) -> Result<Vec<ColumnMeta>, SqlError> {
        sql::Session::field_list(self, table, pattern).await
    }

    async fn reset(&mut self) -> Result<(), SqlError> {
        sql::Session::reset(self).await
    }

    async fn change_user(&mut self, info: ConnectInfo) -> Result<(), SqlError> {
        sql::Session::change_user(self, info).await
    }

    fn set_multi_statements(&mut self, on: bool) {
        self.set_option_multi_statements(on);
    }

    fn status(&self) -> u16 {
        sql::Session::status(self)
    }

    fn schema(&self) -> Option<String> {
        sql::Session::schema(self)
    }

    fn settle(&mut self) -> Done {
        sql::Session::settle(self)
    }

    fn sets(&self) -> u64 {
        sql::Session::sets(self)
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.variable(name)?.parse().ok()
    }

    fn sends_definitions(&self) -> bool {
        self.variable("resultset_metadata").is_none_or(|value| value == "FULL")
    }

    fn wait_timeout_s(&self) -> u64 {
        sql::Session::wait_timeout_s(self)
    }

    fn is_closing(&self) -> bool {
        sql::Session::is_closing(self)
    }

    fn kill_handle(&self) -> Arc<dyn Kill> {
        sql::Session::kill_handle(self)
    }

    async fn close(self) {
        sql::Session::close(self).await;
    }
}
