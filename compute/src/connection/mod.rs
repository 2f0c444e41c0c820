//! One client's connection, from accept to close.
//!
//! ```text
//!   login -> loop { receive -> Command -> session -> packets in pipe.out } -> close
//!                                                     `- sent before the next wait for bytes: one write for all requests of one read
//! ```
//! Invariants: (1) every command is answered in order, exactly once, or the connection ends; (2) a panic in a statement rolls its session
//! back, is answered with 1105 and counted, and ends this connection only; (3) a session is closed (rolled back) however its connection ends.

mod commands;
mod compress;
mod cursor;
pub(crate) mod delay;
mod leased;
mod local;
pub(crate) mod login;
pub(crate) mod pipe;
mod sink;
mod statements;
pub(crate) mod stream;
mod unwind;

use crate::backend::{Backend, Session};
use crate::server::{Ending, Entry, Figures, Shared};
use compress::Algorithm;
use local::LocalFile;
use login::{Desk, LoggedIn};
use mysql_wire::frame::PRE_AUTH_LIMIT;
use mysql_wire::{Capabilities, Format, Responder};
use pipe::{Inbox, Lost, Pipe};
use sink::{PacketSink, Seen, Shape};
use sql::api::ConnectInfo;
use sql::error::SqlError;
use statements::Statements;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use stream::Socket;
use unwind::guarded;
use values::Value;

/// Serves one client until it leaves, is told to, or breaks the protocol.
pub(crate) async fn serve<B: Backend>(shared: Arc<Shared<B>>, socket: Socket, entry: Arc<Entry>) {
    let settings = &shared.settings;
    let mut pipe = Pipe::new(socket, entry.clone(), Duration::from_secs(settings.net_write_timeout));
    let mut inbox = Inbox::new(PRE_AUTH_LIMIT, Duration::from_secs(settings.net_read_timeout));
    let desk =
        Desk { shared: &shared, pipe: &mut pipe, inbox: &mut inbox, capabilities: Capabilities::empty() };
    match Box::pin(desk.login()).await {
        Ok(client) => {
            entry.logged_in(&client.info.user, client.session.kill_handle());
            entry.set_schema(client.session.schema());
            // As in MySQL, a global change holds for those who come after it.
            inbox.logged_in(shared.limit("max_allowed_packet", settings.max_allowed_packet) as usize);
            let mut connection = Connection::new(shared.clone(), pipe, inbox, client);
            connection.run().await;
            connection.end().await;
        }
        Err(lost) => {
            if !matches!(lost, Lost::Done) {
                shared.counters.aborted_connects.fetch_add(1, Ordering::Relaxed);
            }
            farewell(&mut pipe, &inbox, Capabilities::PROTOCOL_41, &lost).await;
            pipe.close().await;
        }
    }
}

/// A connection whose client has logged in.
pub(crate) struct Connection<B: Backend> {
    shared: Arc<Shared<B>>,
    pipe: Pipe,
    inbox: Inbox,
    session: Option<B::Session>,
    info: ConnectInfo,
    capabilities: Capabilities,
    /// How the two sides compress, once the login is answered.
    compression: Option<Algorithm>,
    statements: Statements,
    /// What was read of the session's variables is as of its SET of this number.
    seen_sets: u64,
    /// resultset_metadata as the session has it.
    definitions: bool,
    /// wait_timeout as the session has it; read again after statements that may change it.
    idle_limit_s: u64,
    /// Kept between requests, so that they allocate nothing for them.
    shapes: Vec<Shape>,
    params: Vec<Value>,
}

impl<B: Backend> Connection<B> {
    fn new(shared: Arc<Shared<B>>, pipe: Pipe, inbox: Inbox, client: LoggedIn<B>) -> Self {
        let LoggedIn { session, info, capabilities, zstd_level } = client;
        let compression = if capabilities.has(Capabilities::COMPRESS) {
            Some(Algorithm::Zlib)
        } else {
            zstd_level.map(|level| Algorithm::Zstd(level.clamp(1, 22).into()))
        };
        Self {
            idle_limit_s: session.wait_timeout_s(),
            definitions: session.sends_definitions(),
            seen_sets: session.sets(),
            session: Some(session),
            statements: Statements::default(),
            shapes: Vec::new(),
            params: Vec::new(),
            shared,
            pipe,
            inbox,
            info,
            capabilities,
            compression,
        }
    }

    /// Reads what a statement may have changed and the connection acts upon.
    fn read_session(&mut self) {
        let Some(session) = &self.session else { return };
        self.seen_sets = session.sets();
        self.idle_limit_s = session.wait_timeout_s();
        self.definitions = session.sends_definitions();
        if let Some(seconds) = session.number("net_read_timeout") {
            self.inbox.read_limit = Duration::from_secs(seconds);
        }
        if let Some(seconds) = session.number("net_write_timeout") {
            self.pipe.write_limit = Duration::from_secs(seconds);
        }
    }

    async fn run(&mut self) {
        if let Err(lost) = self.commands().await {
            if matches!(lost, Lost::Gone | Lost::Wire(_)) {
                self.shared.counters.aborted_clients.fetch_add(1, Ordering::Relaxed);
            }
            farewell(&mut self.pipe, &self.inbox, self.capabilities, &lost).await;
        }
    }

    async fn commands(&mut self) -> Result<(), Lost> {
        self.ok_now();
        if let Some(algorithm) = self.compression {
            // The answer to the login is the last thing that is sent as it is.
            self.pipe.flush().await?;
            self.pipe.compress(algorithm);
        }
        loop {
            self.inbox.decoder.start_command();
            self.inbox.receive(&mut self.pipe, self.idle_limit_s).await?;
            if let Some(ending) = self.pipe.entry.ending() {
                return Err(Lost::Ending(ending));
            }
            self.command().await?;
        }
    }

    /// Appends OK with the session's status.
    fn ok_now(&mut self) {
        let status = self.status();
        self.answer(|out| out.ok(&mysql_wire::OkPacket { status, ..mysql_wire::OkPacket::default() }));
    }

    /// Appends OK with what the command changed in the session.
    fn ok_settled(&mut self) {
        let Some(session) = &mut self.session else { return };
        let done = session.settle();
        self.answer(|out| sink::with_ok(&done, |ok| out.ok(ok)));
    }

    fn status(&self) -> mysql_wire::Status {
        mysql_wire::Status::from_bits(self.session.as_ref().map_or(0, Session::status))
    }

    fn error(&mut self, error: &SqlError) {
        self.shared.counters.errors.fetch_add(1, Ordering::Relaxed);
        self.answer(|out| out.err(error.code, error.sqlstate, error.message.as_bytes()));
    }

    fn answer(&mut self, write: impl FnOnce(&mut Responder<'_>)) {
        let mut out =
            Responder::new(&mut self.pipe.out, self.inbox.decoder.next_sequence(), self.capabilities);
        write(&mut out);
        let next = out.next_sequence();
        self.inbox.decoder.expect(next);
    }

    fn sink<'a>(
        shared: &'a Shared<B>,
        pipe: &'a mut Pipe,
        shapes: &'a mut Vec<Shape>,
        start: (u8, Capabilities, Format),
        definitions: bool,
    ) -> PacketSink<'a> {
        let (sequence, capabilities, format) = start;
        let stopping = &shared.stopping;
        let settings = &shared.settings;
        let patience = Duration::from_secs(settings.net_read_timeout);
        let local = LocalFile::new(settings.max_allowed_packet as usize, patience);
        PacketSink {
            pipe,
            sequence,
            capabilities,
            format,
            shapes,
            seen: Seen::default(),
            stopping,
            definitions,
            known: None,
            cursor: None,
            held: None,
            local,
        }
    }

    /// Closes the session and the socket.
    async fn end(&mut self) {
        self.pipe.entry.begin("Quit", None);
        if let Some(session) = self.session.take()
            && guarded(session.close()).await.is_err()
        {
            self.shared.counters.panics.fetch_add(1, Ordering::Relaxed);
        }
        self.shared.counters.prepared.fetch_sub(self.statements.clear() as u64, Ordering::Relaxed);
        self.pipe.close().await;
    }
}

/// The last words to a client that is still there.
async fn farewell(pipe: &mut Pipe, inbox: &Inbox, capabilities: Capabilities, lost: &Lost) {
    let mut out = Responder::new(&mut pipe.out, inbox.decoder.next_sequence(), capabilities);
    match lost {
        Lost::Gone => return,
        Lost::Done => {}
        Lost::Wire(error) => out.wire_err(*error),
        Lost::Ending(Ending::Shutdown) => out.err(1053, "08S01", b"Server shutdown in progress"),
        Lost::Ending(Ending::Killed) => out.err(3169, "HY000", b"Session was killed"),
        Lost::Ending(Ending::Idle) => out.err(
            4031,
            "HY000",
            b"The client was disconnected by the server because of inactivity. See wait_timeout and interactive_timeout for \
              configuring this behavior.",
        ),
    }
    let _ = pipe.flush().await;
}

#[cfg(test)]
mod tests;
