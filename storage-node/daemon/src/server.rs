//! The listener: TLS, who calls, and which conversation it is.
//!
//! Invariants
//! 1. At most [`CONNECTIONS`] at a time, and each has [`PATIENCE`] to say what it is.
//! 2. A caller that is refused reads why; the log gets one line in a few seconds, however many knock.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use protocol_grpc::hello::{self, Hello, Kind, MAGIC, Welcome};
use protocol_grpc::io::{Io, Prefixed};
use protocol_grpc::tls::Role;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::control::Door;
use crate::daemon::{Daemon, Member};
use crate::quiet::Quiet;
use crate::stream;

const CONNECTIONS: usize = 1024;
const PATIENCE: Duration = Duration::from_secs(5);

/// Accepts until the task is dropped.
pub(crate) async fn serve(listener: TcpListener, daemon: Arc<Daemon>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let quiet = Arc::new(Quiet::default());
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((socket, address)) => {
                let (daemon, quiet) = (Arc::clone(&daemon), Arc::clone(&quiet));
                tokio::spawn(async move {
                    if let Err(problem) = connection(socket, address, daemon).await
                        && let Some(left_out) = quiet.may_speak()
                    {
                        tracing::warn!(%address, problem, left_out, "a connection was refused or broke");
                    }
                    drop(place);
                });
            }
            // Out of descriptors, most likely: others must end first.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn connection(socket: TcpStream, address: SocketAddr, daemon: Arc<Daemon>) -> Result<(), String> {
    let opened = tokio::time::timeout(PATIENCE, open(socket, &daemon)).await;
    let (mut io, role, mut input) = opened.map_err(|_| "it did not say what it wants".to_string())??;
    if input[..4] != MAGIC {
        let door = Arc::new(Door::new(daemon));
        let served = protocol_grpc::control::serve(Prefixed::new(input.freeze(), io), door, role).await;
        // How an HTTP/2 connection ends is the caller's affair.
        tracing::debug!(%address, ?served, "a control connection has ended");
        return Ok(());
    }
    let _ = input.split_to(MAGIC.len());
    let greeting = tokio::time::timeout(PATIENCE, hello::receive(&mut io, &mut input)).await;
    let hello = match greeting.map_err(|_| "it did not greet".to_string())? {
        Ok(hello) => hello,
        Err(problem) => {
            let said = hello::answer(&mut io, &Welcome::refused(problem.to_string())).await;
            return said.and(Err(std::io::Error::other(problem.to_string()))).map_err(|e| e.to_string());
        }
    };
    converse(io, input, hello, role, address, &daemon).await
}

/// TLS and the first four bytes.
async fn open(socket: TcpStream, daemon: &Daemon) -> Result<(Io, Role, BytesMut), String> {
    socket.set_nodelay(true).map_err(|e| e.to_string())?;
    let (mut io, role) = match daemon.tls() {
        Some(tls) => tls.accept(socket).await.map_err(|e| e.to_string())?,
        None => (Io::Plain(socket), Role::Local),
    };
    let mut input = BytesMut::with_capacity(1024);
    while input.len() < MAGIC.len() {
        if io.read_buf(&mut input).await.map_err(|e| e.to_string())? == 0 {
            return Err("it closed without a word".to_string());
        }
    }
    if input[..4] == MAGIC || input[..4] == *b"PRI " {
        Ok((io, role, input))
    } else {
        Err("it speaks neither Sextant's streams nor HTTP/2".to_string())
    }
}

async fn converse(
    mut io: Io,
    input: BytesMut,
    hello: Hello,
    role: Role,
    address: SocketAddr,
    daemon: &Daemon,
) -> Result<(), String> {
    let member = match admit(&hello, role, daemon) {
        Ok(Some(member)) => member,
        // A blank node says so; the caller may adopt it and come again.
        Ok(None) => {
            let welcome = Welcome { az: daemon.az(), ..Welcome::refused("") };
            return hello::answer(&mut io, &welcome).await.map_err(|e| e.to_string());
        }
        Err(why) => return refuse(io, why).await,
    };
    let own = member.identity.member;
    if let (Kind::Peer, Some(peer)) = (hello.kind, hello.position) {
        hello::answer(&mut io, &member.welcome()).await.map_err(|e| e.to_string())?;
        return stream::serve_peer(io, input, own, peer, &member.inbox).await.map_err(|e| e.to_string());
    }
    let session = match daemon.sessions().open(hello.kind, hello.caller, address) {
        Ok(session) => session,
        Err(why) => return refuse(io, why).await,
    };
    let served = async {
        hello::answer(&mut io, &member.welcome()).await?;
        if hello.kind == Kind::Log {
            member.peers.learn(&hello.peers);
        }
        stream::serve_compute(io, input, own, hello.kind, &session, daemon.sessions(), &member.inbox).await
    };
    let ended = served.await;
    daemon.sessions().close(&session);
    match ended {
        Ok(()) => Ok(()),
        // A compute node that was killed resets its connections: no news.
        Err(stream::Broken::Io(problem)) => {
            tracing::debug!(%address, %problem, "a stream broke");
            Ok(())
        }
        Err(problem) => Err(problem.to_string()),
    }
}

/// May it have this stream? `None`: the node is blank.
fn admit(hello: &Hello, role: Role, daemon: &Daemon) -> Result<Option<Arc<Member>>, String> {
    if !role.may_stream(hello.kind) {
        return Err(format!("a certificate of role {role} may not open a {} stream", hello.kind));
    }
    if daemon.is_draining() {
        return Err("the node is stopping".to_string());
    }
    let Some(member) = daemon.member() else { return Ok(None) };
    if hello.volume.0 != 0 && hello.volume != member.identity.volume {
        return Err(format!(
            "this node belongs to volume {}, not to {}",
            member.identity.volume, hello.volume
        ));
    }
    if hello.kind == Kind::Peer {
        let known = hello.position.is_some_and(|p| usize::from(p) < protocol::geometry::COPIES);
        if !known || hello.volume.0 == 0 {
            return Err("a peer stream names its volume and position".to_string());
        }
    }
    Ok(Some(member))
}

async fn refuse(mut io: Io, why: String) -> Result<(), String> {
    // Whether it can still be told or not, the log says why.
    let _ = hello::answer(&mut io, &Welcome::refused(why.clone())).await;
    Err(why)
}
