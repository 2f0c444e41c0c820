//! Every decoder of this crate: round trips, cuts anywhere, arbitrary bytes, lengths checked before room is made.

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use prost::Message as _;
use protocol::geometry::{PgId, SegmentId};
use protocol::head::HeadVersion;
use protocol::message::{
    Acked, Append, Envelope, FetchLog, LogSlice, MESSAGE_VERSION, Message, PageRead, PageRefusal,
    PageRefused, Peer, ReadPage,
};
use protocol::{Incarnation, Lsn, NodeId, PageId, VolumeEpoch, VolumeId, WriterId};
use protocol_grpc::control::{AdoptRequest, Metric, SegmentStatus, StatusReply, bytes128, id128};
use protocol_grpc::hello::{Hello, Kind, LINK_VERSION, MAX_HELLO_BYTES, PeerAddress, Welcome};
use protocol_grpc::stream::{
    MAX_ENVELOPE_BYTES, STEP_BYTES, StreamError, put, put_envelope, take, take_envelope,
};

fn payload() -> impl Strategy<Value = Bytes> {
    prop::collection::vec(any::<u8>(), 0..3000).prop_map(Bytes::from)
}

fn message() -> impl Strategy<Value = Message> {
    prop_oneof![
        (any::<[u64; 6]>(), any::<u128>(), payload()).prop_map(|(n, id, frames)| {
            Append {
                epoch: VolumeEpoch(n[0]),
                writer: WriterId(id),
                incarnation: Incarnation(id.rotate_left(7)),
                sequence: n[1],
                sent_us: n[2],
                head_version: HeadVersion { epoch: VolumeEpoch(n[3]), seq: n[4] },
                head: None,
                vdl: Lsn(n[5]),
                pgmrpl: Lsn(n[5] / 2),
                frames,
            }
            .into()
        }),
        (any::<[u64; 6]>(), any::<u128>(), any::<bool>()).prop_map(|(n, id, full)| {
            Acked {
                epoch: VolumeEpoch(n[0]),
                incarnation: Incarnation(id),
                sequence: n[1],
                sent_us: n[2],
                scl: Lsn(n[3]),
                head_version: HeadVersion { epoch: VolumeEpoch(n[4]), seq: n[5] },
                page_point: Lsn(n[3] / 3),
                full,
                promised_ms: id as u64,
            }
            .into()
        }),
        (any::<[u64; 4]>(), any::<u32>()).prop_map(|(n, max_bytes)| {
            FetchLog { request: n[0], after: Lsn(n[1]), through: Lsn(n[2]), max_bytes }.into()
        }),
        (any::<[u64; 4]>(), any::<bool>(), payload()).prop_map(|(n, end, frames)| {
            let head_version = HeadVersion { epoch: VolumeEpoch(n[3]), seq: n[1] };
            let (after, floor) = (Lsn(n[1]), Lsn(n[2]));
            LogSlice { request: n[0], head_version, after, end, floor, frames }.into()
        }),
        any::<[u64; 4]>().prop_map(|n| {
            let epoch = VolumeEpoch(n[1]);
            ReadPage { request: n[0], epoch, page: PageId(n[2]), at: Lsn(n[3]) }.into()
        }),
        (any::<[u64; 2]>(), payload()).prop_map(|(n, image)| PageRead {
            request: n[0],
            page: PageId(n[1]),
            image
        }
        .into()),
        any::<[u64; 3]>().prop_map(|n| {
            let reason = PageRefusal::Behind;
            PageRefused { request: n[0], page: PageId(n[1]), reason, scl: Lsn(n[2]) }.into()
        }),
    ]
}

fn envelope() -> impl Strategy<Value = Envelope> {
    (any::<u128>(), any::<u32>(), 0u8..6, any::<bool>(), message()).prop_map(
        |(writer, pg, position, down, message)| {
            let compute = Peer::Compute(WriterId(writer));
            let segment = Peer::Segment(SegmentId { pg: PgId(pg), position });
            let (from, to) = if down { (compute, segment) } else { (segment, compute) };
            Envelope { from, to, message }
        },
    )
}

fn hello() -> impl Strategy<Value = Hello> {
    let kind = prop_oneof![Just(Kind::Log), Just(Kind::Reads), Just(Kind::Peer)];
    let peers = prop::collection::vec((0u8..6, "[a-z0-9.:]{0,40}"), 0..6);
    (kind, any::<[u128; 2]>(), prop::option::of(0u8..6), peers).prop_map(|(kind, ids, position, peers)| {
        Hello {
            kind,
            volume: VolumeId(ids[0]),
            caller: WriterId(ids[1]),
            position,
            peers: peers.into_iter().map(|(position, address)| PeerAddress { position, address }).collect(),
        }
    })
}

proptest! {
    #[test]
    fn envelopes_come_out_as_they_went_in_however_the_stream_is_cut(
        sent in prop::collection::vec(envelope(), 1..8),
        cut in 1usize..700,
    ) {
        let mut bytes = Vec::new();
        for envelope in &sent {
            let before = bytes.len();
            put_envelope(envelope, &mut bytes);
            prop_assert_eq!(&bytes[before..], &envelope.encode()[..], "the seal is the stored one");
        }
        let (mut input, mut got) = (BytesMut::new(), Vec::new());
        for piece in bytes.chunks(cut) {
            input.extend_from_slice(piece);
            while let Some(envelope) = take_envelope(&mut input).expect("a whole stream") {
                got.push(envelope);
            }
        }
        prop_assert_eq!(got, sent);
        prop_assert!(input.is_empty());
    }

    #[test]
    fn greetings_come_out_as_they_went_in(hello in hello(), refusal in ".{0,80}", ids in any::<[u128; 2]>()) {
        let mut bytes = Vec::new();
        put(LINK_VERSION, &hello, &mut bytes);
        let welcome = Welcome { refusal, volume: VolumeId(ids[0]), node: NodeId(ids[1]), az: 2, position: 3 };
        put(LINK_VERSION, &welcome, &mut bytes);
        let mut input = BytesMut::from(&bytes[..]);
        prop_assert_eq!(take::<Hello>(LINK_VERSION, MAX_HELLO_BYTES, &mut input), Ok(Some(hello)));
        prop_assert_eq!(take::<Welcome>(LINK_VERSION, MAX_HELLO_BYTES, &mut input), Ok(Some(welcome)));
    }

    #[test]
    fn arbitrary_bytes_are_an_error_or_a_wait_never_a_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..400),
        as_ours in any::<bool>(),
    ) {
        let mut bytes = bytes;
        if let (Some(first), true) = (bytes.first_mut(), as_ours) {
            *first = MESSAGE_VERSION;
        }
        let mut input = BytesMut::from(&bytes[..]);
        while let Ok(Some(_)) = take_envelope(&mut input) {}
        prop_assert!(input.capacity() <= bytes.len() + 2 * STEP_BYTES, "no room for what was only announced");
        let mut input = BytesMut::from(&bytes[..]);
        while let Ok(Some(_)) = take::<Hello>(LINK_VERSION, MAX_HELLO_BYTES, &mut input) {}
        let _ = take::<Welcome>(LINK_VERSION, MAX_HELLO_BYTES, &mut BytesMut::from(&bytes[..]));
        let _ = StatusReply::decode(&bytes[..]);
        let _ = AdoptRequest::decode(&bytes[..]);
    }

    #[test]
    fn a_flipped_bit_is_noticed(sent in envelope(), at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let mut bytes = Vec::new();
        put_envelope(&sent, &mut bytes);
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let got = take_envelope(&mut BytesMut::from(&bytes[..]));
        prop_assert!(!matches!(got, Ok(Some(_))), "byte {at} bit {bit}: {got:?}");
    }

    #[test]
    fn control_messages_come_out_as_they_went_in(
        ids in any::<[u128; 3]>(), numbers in any::<[u64; 6]>(), words in any::<[u32; 4]>(), text in ".{0,40}",
    ) {
        let segment = SegmentStatus {
            pg: words[0], position: words[1], incarnation: bytes128(ids[2]), full: true, epoch: numbers[0], scl: numbers[1],
            claim: numbers[2], page_point: numbers[3], vdl: numbers[4], floor: numbers[5], repair_messages: 1, repair_bytes: 2,
        };
        let reply = StatusReply {
            version: text.clone(), volume: bytes128(ids[0]), node: bytes128(ids[1]), az: words[2], position: words[3],
            phase: text.clone(), problem: String::new(), folder: text.clone(), segments: vec![segment],
            metrics: vec![Metric { name: text, value: numbers[0] }], head_epoch: numbers[1], head_seq: numbers[2],
            writer: String::new(), pid: words[0], head_known: true, head: bytes128(ids[1]),
        };
        prop_assert_eq!(StatusReply::decode(&reply.encode_to_vec()[..]), Ok(reply));
        prop_assert_eq!(id128(&bytes128(ids[0])), Some(ids[0]));
    }
}

#[test]
fn too_long_is_refused_by_its_header_alone() {
    let mut input = BytesMut::from(&[MESSAGE_VERSION, 0xff, 0xff, 0xff, 0x7f][..]);
    let capacity = input.capacity();
    let got = take_envelope(&mut input);
    assert_eq!(got, Err(StreamError::TooLong { len: 0x7fff_ffff, limit: MAX_ENVELOPE_BYTES }));
    assert_eq!(input.capacity(), capacity);
    let text = got.unwrap_err().to_string();
    assert_eq!(text, "a message of 2147483647 bytes was announced, at most 16777216 are taken");
}

#[test]
fn what_is_announced_and_not_sent_holds_little() {
    let mut input = BytesMut::new();
    input.extend_from_slice(&[MESSAGE_VERSION]);
    input.extend_from_slice(&(8u32 << 20).to_le_bytes());
    assert_eq!(take_envelope(&mut input), Ok(None));
    assert!(input.capacity() <= 2 * STEP_BYTES, "{}", input.capacity());
}

#[test]
fn the_proto_file_says_what_the_code_says() {
    let proto = include_str!("../proto/control.proto");
    let code = include_str!("../src/control/mod.rs");
    let (mut message, mut fields) = (String::new(), 0);
    for line in proto.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("message ") {
            message = name.split([' ', '{']).next().unwrap_or_default().to_string();
        } else if let Some((field, number)) = line.strip_suffix(';').and_then(|l| l.split_once(" = ")) {
            let Some(name) = field.split(' ').next_back().filter(|_| !message.is_empty()) else { continue };
            let body = code.split(&format!("pub struct {message} {{")).nth(1).expect("the struct is there");
            let body = body.split("\n}").next().unwrap_or_default();
            let before = body.split(&format!("pub {name}: ")).next().unwrap_or_default();
            let tag = before.rsplit("tag = \"").next().and_then(|t| t.split('"').next());
            assert_eq!(tag, Some(number), "{message}.{name}");
            fields += 1;
        }
    }
    assert!(fields > 25, "only {fields} fields were compared");
}
