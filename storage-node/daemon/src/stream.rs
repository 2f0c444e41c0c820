//! One accepted stream: what it may carry, in and out.
//!
//! Invariants
//! 1. What a peer says must fit its kind: another message, another sender or another addressee ends the stream with a line that says so.
//! 2. Nothing is read from the socket while the inbox is full.

use std::sync::Arc;

use bytes::BytesMut;
use protocol::message::{Envelope, Message, Peer};
use protocol_grpc::hello::Kind;
use protocol_grpc::io::Io;
use protocol_grpc::stream::{self, StreamError};
use tokio::io::{AsyncReadExt, ReadHalf};

use crate::inbox::Inbox;
use crate::sessions::{Session, Sessions};

/// Why a stream was closed from this side.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("{0}")]
    Stream(#[from] StreamError),
    #[error("a {kind} stream may not carry this message: {what}")]
    Forbidden { kind: Kind, what: &'static str },
    #[error("another stream of the same compute node took its place, or another compute node did")]
    Superseded,
}

/// What a stream of this kind may carry to the node at `own` position.
pub(crate) fn check(kind: Kind, peer: Option<u8>, own: u8, envelope: &Envelope) -> Result<(), Broken> {
    let forbidden = |what| Err(Broken::Forbidden { kind, what });
    match envelope.to {
        Peer::Segment(to) if to.position == own => {}
        _ => return forbidden("it is addressed to another node"),
    }
    let fits = match (&envelope.from, kind) {
        (Peer::Compute(_), Kind::Log) => !matches!(
            envelope.message,
            Message::ReadPage(_)
                | Message::Gossip(_)
                | Message::CopyPages(_)
                | Message::PageBatch(_)
                | Message::Ask(_)
        ),
        (Peer::Compute(_), Kind::Reads) => {
            matches!(envelope.message, Message::ReadPage(_) | Message::Query(_))
        }
        (Peer::Segment(from), Kind::Peer) => {
            Some(from.position) == peer
                && matches!(
                    envelope.message,
                    Message::Gossip(_)
                        | Message::FetchLog(_)
                        | Message::LogSlice(_)
                        | Message::CopyPages(_)
                        | Message::PageBatch(_)
                        | Message::Query(_)
                        | Message::State(_)
                )
        }
        _ => return forbidden("its sender is of another kind"),
    };
    if fits { Ok(()) } else { forbidden("its kind belongs elsewhere") }
}

/// A stream of a compute node, until it ends.
pub(crate) async fn serve_compute(
    io: Io,
    input: BytesMut,
    own: u8,
    kind: Kind,
    session: &Arc<Session>,
    sessions: &Sessions,
    inbox: &Inbox,
) -> Result<(), Broken> {
    let (reader, writer) = tokio::io::split(io);
    let learn = |envelope: &Envelope| {
        let Peer::Compute(nonce) = envelope.from else { return Ok(()) };
        session.heard();
        match sessions.learn(session, nonce) {
            true => {
                if let Message::Told(told) = &envelope.message {
                    sessions.told(told.clone());
                }
                Ok(())
            }
            false => Err(Broken::Forbidden { kind, what: "it speaks for too many attempts" }),
        }
    };
    tokio::select! {
        ended = read(reader, input, inbox, |e| check(kind, None, own, e).and_then(|()| learn(e))) => ended,
        ended = stream::write_queue(writer, &session.bell, |out| session.take(out)) => ended.map_err(Broken::from),
        () = session.superseded() => Err(Broken::Superseded),
    }
}

/// A stream of another storage node, until it ends.
pub(crate) async fn serve_peer(
    io: Io,
    input: BytesMut,
    own: u8,
    peer: u8,
    inbox: &Inbox,
) -> Result<(), Broken> {
    let (reader, _writer) = tokio::io::split(io);
    read(reader, input, inbox, |e| check(Kind::Peer, Some(peer), own, e)).await
}

async fn read(
    mut reader: ReadHalf<Io>,
    mut input: BytesMut,
    inbox: &Inbox,
    check: impl Fn(&Envelope) -> Result<(), Broken>,
) -> Result<(), Broken> {
    let mut batch = Vec::new();
    loop {
        while let Some(envelope) = stream::take_envelope(&mut input)? {
            check(&envelope)?;
            if !matches!(envelope.message, Message::Told(_)) {
                batch.push(envelope);
            }
        }
        if !batch.is_empty() {
            inbox.admit(&mut batch).await;
        }
        stream::make_room(&mut input);
        if reader.read_buf(&mut input).await? == 0 {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use protocol::geometry::{PgId, SegmentId};
    use protocol::message::{LogSlice, PageBatch, Query, ReadPage};
    use protocol::{Lsn, PageId, VolumeEpoch, WriterId};

    fn segment(position: u8) -> Peer {
        Peer::Segment(SegmentId { pg: PgId(0), position })
    }

    fn said(from: Peer, to: u8, message: Message) -> Envelope {
        Envelope { from, to: segment(to), message }
    }

    #[test]
    fn a_stream_carries_its_own_kind_only() {
        let compute = Peer::Compute(WriterId(1));
        let page: Message =
            ReadPage { request: 1, epoch: VolumeEpoch(1), page: PageId(1), at: Lsn(1) }.into();
        let batch: Message = PageBatch { request: 1, point: Lsn(1), images: Bytes::new(), end: true }.into();
        let slice: Message = LogSlice {
            request: 0,
            head_version: Default::default(),
            after: Lsn(0),
            end: true,
            floor: Lsn(0),
            frames: Bytes::new(),
        }
        .into();
        let query: Message = Query { request: 1, candidate: None }.into();
        let ok = |kind, peer, envelope: &Envelope| check(kind, peer, 2, envelope).is_ok();
        assert!(ok(Kind::Reads, None, &said(compute, 2, page.clone())));
        assert!(!ok(Kind::Reads, None, &said(compute, 2, slice.clone())), "a replica cannot write");
        assert!(!ok(Kind::Log, None, &said(compute, 2, page)));
        assert!(ok(Kind::Log, None, &said(compute, 2, query.clone())));
        assert!(!ok(Kind::Log, None, &said(compute, 3, query.clone())), "meant for another node");
        assert!(!ok(Kind::Log, None, &said(segment(1), 2, query)), "a segment on a compute stream");
        assert!(ok(Kind::Peer, Some(1), &said(segment(1), 2, slice.clone())));
        assert!(!ok(Kind::Peer, Some(4), &said(segment(1), 2, slice)), "one peer in another's name");
        assert!(ok(Kind::Peer, Some(1), &said(segment(1), 2, batch)));
    }
}
