//! From the first byte to a session: greeting, TLS, authentication, account, first database; and COM_CHANGE_USER.
//!
//! ```text
//!   greeting -> [TLS] -> login -> account -> Exchange <-> client -> Backend::connect -> OK
//! ```
//! Invariants: (1) until the client is who it says, payloads are capped at [`PRE_AUTH_LIMIT`] and the whole login has one time limit; (2)
//! no byte is read ahead of what a step needs, so that bytes sent before the TLS handshake meet TLS and nothing else; (3) off loopback nobody logs in without TLS; (4) a refusal never tells
//! whether the user exists.

use super::pipe::{Inbox, Lost, Pipe};
use crate::backend::{Account, Backend};
use crate::server::{Attributes, Shared, TOO_MANY};
use mysql_wire::auth::{Credential, Denied, Exchange, FastDigest, KeyPair, Plugin, Step};
use mysql_wire::collation::DEFAULT_COLLATION;
use mysql_wire::handshake::{ClientHello, Greeting, Nonce, nonce_from_random, parse_hello};
use mysql_wire::{Capabilities, Command, Responder, Status, WireError};
use parking_lot::RwLock;
use sql::api::ConnectInfo;
use sql::error::SqlError;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// User and host of an account.
type AccountName = (String, String);
/// The stored string a digest belongs to, and the digest.
type Learnt = (Vec<u8>, FastDigest);

/// What full authentications have taught: the fast digest of an account's stored string. Bounded by the number of accounts.
#[derive(Debug, Default)]
pub(crate) struct FastDigests {
    known: RwLock<HashMap<AccountName, Learnt>>,
}

impl FastDigests {
    fn get(&self, account: &Account) -> Option<FastDigest> {
        let known = self.known.read();
        let (stored, digest) = known.get(&(account.user.clone(), account.host.clone()))?;
        (*stored == account.stored).then_some(*digest)
    }

    fn put(&self, account: &Account, digest: FastDigest) {
        let key = (account.user.clone(), account.host.clone());
        self.known.write().insert(key, (account.stored.clone(), digest));
    }
}

/// Who wants in, copied out of the packet that said so.
struct Applicant {
    user: Vec<u8>,
    database: Option<Vec<u8>>,
    collation: u16,
    plugin: Option<Vec<u8>>,
    answer: Vec<u8>,
    attributes: Attributes,
    zstd_level: Option<u8>,
}

/// What the client must prove, and what it gets then.
struct Claim {
    account: Option<Account>,
    info: ConnectInfo,
}

/// A client that has proved who it is.
pub(crate) struct LoggedIn<B: Backend> {
    pub(crate) session: B::Session,
    pub(crate) info: ConnectInfo,
    pub(crate) capabilities: Capabilities,
    pub(crate) zstd_level: Option<u8>,
}

/// Bytes of connection attributes that are kept of one client (performance_schema_session_connect_attrs_size).
const ATTRIBUTE_BYTES: usize = 512;

/// What the client says of itself, as far as there is room.
fn attributes(sent: mysql_wire::handshake::Attributes<'_>) -> Attributes {
    let mut left = ATTRIBUTE_BYTES;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    sent.iter()
        .take_while(|(name, value)| {
            let size = name.len() + value.len();
            let fits = size <= left;
            left -= size.min(left);
            fits
        })
        .map(|(name, value)| (text(name), text(value)))
        .collect()
}

/// The counter where clients log in.
pub(crate) struct Desk<'a, B: Backend> {
    pub(crate) shared: &'a Arc<Shared<B>>,
    pub(crate) pipe: &'a mut Pipe,
    pub(crate) inbox: &'a mut Inbox,
    /// What both sides can do, as far as that is known.
    pub(crate) capabilities: Capabilities,
}

fn fresh_nonce() -> Result<Nonce, Lost> {
    let mut random = Nonce::default();
    crate::security::random_bytes(&mut random)?;
    Ok(nonce_from_random(random))
}

impl<B: Backend> Desk<'_, B> {
    /// Takes a new connection to its session, within the time a login may take.
    pub(crate) async fn login(mut self) -> Result<LoggedIn<B>, Lost> {
        let limit = self.time_limit();
        let work = async {
            let (info, zstd_level) = self.new_client().await?;
            let session = match self.shared.backend.connect(info.clone()).await {
                Ok(session) => session,
                Err(error) => return Err(self.refuse(&error).await),
            };
            Ok(LoggedIn { session, info, capabilities: self.capabilities, zstd_level })
        };
        tokio::time::timeout(limit, work).await.unwrap_or(Err(Lost::Gone))
    }

    /// Authenticates the COM_CHANGE_USER that the inbox holds; the caller gives the session to the new user then.
    pub(crate) async fn change_user(mut self) -> Result<ConnectInfo, Lost> {
        let limit = self.time_limit();
        let work = async {
            let applicant = match Command::parse(self.inbox.payload(), self.capabilities) {
                Ok(Command::ChangeUser(change)) => Applicant {
                    user: change.user.to_vec(),
                    database: change.database.map(<[u8]>::to_vec),
                    collation: change.collation.unwrap_or(DEFAULT_COLLATION),
                    plugin: None,
                    answer: Vec::new(),
                    attributes: attributes(change.attributes),
                    zstd_level: None,
                },
                _ => return Err(WireError::Malformed.into()),
            };
            self.inbox.release();
            let claim = self.claim(&applicant).await?;
            let (nonce, caps, tls) = (fresh_nonce()?, self.capabilities, self.pipe.is_private());
            let credential = self.credential(&claim);
            let started = self.answer(|out| Exchange::from_change_user(nonce, credential, caps, tls, out));
            self.prove(claim, started).await
        };
        tokio::time::timeout(limit, work).await.unwrap_or(Err(Lost::Gone))
    }

    fn time_limit(&self) -> Duration {
        Duration::from_secs(self.shared.limit("connect_timeout", self.shared.settings.connect_timeout))
    }

    /// What this server offers to this client.
    fn offered(&self) -> Capabilities {
        let compression = &self.shared.settings.protocol_compression_algorithms;
        let has = |name: &str| compression.split(',').any(|word| word.trim().eq_ignore_ascii_case(name));
        Capabilities::OFFERED
            .with_if(Capabilities::SSL, self.shared.tls.is_some())
            .with_if(Capabilities::COMPRESS, has("zlib"))
            .with_if(Capabilities::ZSTD, has("zstd"))
            .with(Capabilities::LOCAL_FILES)
    }

    async fn new_client(&mut self) -> Result<(ConnectInfo, Option<u8>), Lost> {
        let nonce = fresh_nonce()?;
        let offered = self.offered();
        self.greet(&nonce, offered);
        self.capabilities = Capabilities::PROTOCOL_41;
        let mut applicant = self.hello(offered).await?;
        if applicant.is_none() {
            // Bytes in our buffer ahead of the TLS handshake were not sent by who will speak inside it. (What follows the request on
            // the wire was not read: it is the handshake's.)
            let acceptor = self.shared.tls.as_ref().filter(|_| self.inbox.input.is_empty());
            self.pipe.encrypt(acceptor.ok_or(Lost::Gone)?).await?;
            applicant = self.hello(offered).await?;
        }
        let Some(applicant) = applicant else { return Err(WireError::BadHandshake.into()) };
        let tls_needed = self.shared.settings.require_secure_transport || !self.pipe.entry.peer.is_local();
        if tls_needed && !self.pipe.is_private() {
            let text =
                "Connections using insecure transport are prohibited while --require_secure_transport=ON.";
            return Err(self.refuse(&SqlError::new(3159, text)).await);
        }
        let claim = self.claim(&applicant).await?;
        let (credential, tls) = (self.credential(&claim), self.pipe.is_private());
        let plugin = applicant.plugin.as_deref();
        let started =
            self.answer(|out| Exchange::from_login(nonce, credential, plugin, &applicant.answer, tls, out));
        let info = self.prove(claim, started).await?;
        Ok((info, applicant.zstd_level))
    }

    fn greet(&mut self, nonce: &Nonce, offered: Capabilities) {
        let greeting = Greeting {
            version: crate::SERVER_VERSION,
            connection_id: self.pipe.entry.id as u32,
            nonce,
            capabilities: offered,
            collation: DEFAULT_COLLATION,
            status: Status::AUTOCOMMIT,
            plugin: Plugin::CachingSha2.name(),
        };
        self.answer(|out| greeting.write(out));
    }

    /// The client's login, or `None` when it asks for TLS first.
    async fn hello(&mut self, offered: Capabilities) -> Result<Option<Applicant>, Lost> {
        self.inbox.receive(self.pipe, 0).await?;
        let (applicant, capabilities) = match parse_hello(self.inbox.payload(), offered, self.pipe.in_tls())?
        {
            ClientHello::Ssl(capabilities) => (None, capabilities),
            ClientHello::Login(login) => {
                let applicant = Applicant {
                    user: login.user.to_vec(),
                    database: login.database.map(<[u8]>::to_vec),
                    collation: login.collation.into(),
                    plugin: login.plugin.map(<[u8]>::to_vec),
                    answer: login.auth_response.to_vec(),
                    attributes: attributes(login.attributes),
                    zstd_level: login.zstd_level,
                };
                (Some(applicant), login.capabilities)
            }
        };
        self.capabilities = capabilities;
        self.inbox.release();
        Ok(applicant)
    }

    /// Finds the account an applicant means.
    async fn claim(&mut self, applicant: &Applicant) -> Result<Claim, Lost> {
        let host = self.pipe.entry.peer.name();
        let user = String::from_utf8_lossy(&applicant.user).into_owned();
        let account = match self.shared.backend.account(&user, &host).await {
            Ok(account) => account,
            Err(error) => return Err(self.refuse(&error).await),
        };
        let matched = account.as_ref().map(|account| (account.user.clone(), account.host.clone()));
        let caps = self.capabilities;
        let info = ConnectInfo {
            id: self.pipe.entry.id,
            user,
            host,
            account: matched.unwrap_or_default(),
            schema: applicant.database.as_deref().map(|name| String::from_utf8_lossy(name).into_owned()),
            collation: applicant.collation,
            found_rows: caps.has(Capabilities::FOUND_ROWS),
            multi_statements: caps.has(Capabilities::MULTI_STATEMENTS),
            interactive: caps.has(Capabilities::INTERACTIVE),
            ignore_space: caps.has(Capabilities::IGNORE_SPACE),
            optional_metadata: caps.has(Capabilities::OPTIONAL_METADATA),
            tls: self.pipe.tls(),
        };
        self.pipe.entry.set_attributes(applicant.attributes.clone());
        Ok(Claim { account, info })
    }

    fn credential(&self, claim: &Claim) -> Credential {
        let known = claim.account.as_ref().and_then(|account| {
            let plugin = Plugin::from_name(account.plugin.as_bytes())?;
            Credential::parse(plugin, &account.stored, self.shared.fast_digests.get(account))
        });
        known.unwrap_or_else(|| Credential::decoy(Plugin::CachingSha2))
    }

    /// Runs the exchange to its end.
    async fn prove(&mut self, claim: Claim, started: (Exchange, Step)) -> Result<ConnectInfo, Lost> {
        let (mut exchange, mut step) = started;
        loop {
            match step {
                Step::Continue => step = self.next_step(&mut exchange).await?,
                Step::Accepted { learnt, used_password } => {
                    let Some(account) = &claim.account else { return Err(Lost::Gone) };
                    if let Some(digest) = learnt {
                        self.shared.fast_digests.put(account, digest);
                    }
                    if let Some(refusal) = self.refusal(account, &claim.info, used_password) {
                        return Err(self.refuse(&refusal).await);
                    }
                    self.hold_back(&claim.info).await;
                    self.shared.failed_logins.note(&claim.info.user, &claim.info.host, true);
                    return Ok(claim.info);
                }
                Step::Denied(reason) => {
                    self.hold_back(&claim.info).await;
                    self.shared.failed_logins.note(&claim.info.user, &claim.info.host, false);
                    return Err(self.refuse(&denied(&claim.info, reason)).await);
                }
            }
        }
    }

    /// Why an account whose password is right does not get in.
    fn refusal(&self, account: &Account, info: &ConnectInfo, used_password: bool) -> Option<SqlError> {
        if account.locked {
            return Some(locked(info));
        }
        if account.needs_tls && !self.pipe.in_tls() {
            return Some(denied(info, Denied::Wrong { used_password }));
        }
        if account.expired && !self.capabilities.has(Capabilities::EXPIRED_PASSWORDS) {
            let text = "Your password has expired. To log in you must change it using a client that supports expired passwords.";
            return Some(SqlError::new(1862, text));
        }
        let full = self.pipe.entry.over_limit && !account.admin;
        full.then(|| SqlError { code: 1040, sqlstate: "08004", message: TOO_MANY.to_string() })
    }

    /// Waits before the answer to somebody who has failed too often.
    async fn hold_back(&self, info: &ConnectInfo) {
        let delay = self.shared.failed_logins.delay(&info.user, &info.host);
        if !delay.is_zero() {
            self.shared.counters.delayed_logins.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            tokio::time::sleep(delay).await;
        }
    }

    async fn next_step(&mut self, exchange: &mut Exchange) -> Result<Step, Lost> {
        self.inbox.receive(self.pipe, 0).await?;
        let keys = if exchange.needs_keys() { Some(self.shared.rsa.get().await?) } else { None };
        let mut out =
            Responder::new(&mut self.pipe.out, self.inbox.decoder.next_sequence(), self.capabilities);
        let keys = keys.as_deref().map(|pair| pair as &dyn KeyPair);
        let step = exchange.packet(self.inbox.payload(), keys, &mut out);
        let next = out.next_sequence();
        self.inbox.release();
        self.inbox.decoder.expect(next);
        Ok(step)
    }

    fn answer<R>(&mut self, write: impl FnOnce(&mut Responder<'_>) -> R) -> R {
        let mut out =
            Responder::new(&mut self.pipe.out, self.inbox.decoder.next_sequence(), self.capabilities);
        let result = write(&mut out);
        let next = out.next_sequence();
        self.inbox.decoder.expect(next);
        result
    }

    /// Says no and why.
    async fn refuse(&mut self, error: &SqlError) -> Lost {
        self.answer(|out| out.err(error.code, error.sqlstate, error.message.as_bytes()));
        match self.pipe.flush().await {
            Ok(()) => Lost::Done,
            Err(lost) => lost,
        }
    }
}

fn denied(info: &ConnectInfo, reason: Denied) -> SqlError {
    match reason {
        Denied::Wrong { used_password } => {
            let used = if used_password { "YES" } else { "NO" };
            let text = format!("Access denied for user '{}'@'{}' (using password: {used})", info.user, info.host);
            SqlError { code: 1045, sqlstate: "28000", message: text }
        }
        Denied::NoPlugins => SqlError {
            code: 1251,
            sqlstate: "08004",
            message: "Client does not support authentication protocol requested by server; consider upgrading MySQL client"
                .to_string(),
        },
    }
}

fn locked(info: &ConnectInfo) -> SqlError {
    SqlError::new(3118, format!("Access denied for user '{}'@'{}'. Account is locked.", info.user, info.host))
}
