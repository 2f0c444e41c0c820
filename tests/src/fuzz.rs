//! Every decoder against any bytes: plain functions, run by proptest in CI (tests/tests/fuzz.rs) and by `cargo fuzz` by hand (fuzz/).
//!
//! Bytes come from sockets and disks, so nobody vouches for them: a decoder answers with an error or a value, and never panics, never loops,
//! never reserves what was not received. Where a checksum would stop almost all input at the door, there is a second body that
//! puts the bytes behind a good checksum.

use bytes::{Bytes, BytesMut};
use mysql_wire::frame::Decoder;
use mysql_wire::handshake::parse_hello;
use mysql_wire::{Capabilities, Command};
use protocol::geometry::{Incarnation, NodeId, PgId, SegmentId, VolumeId};
use protocol::lsn::{Lsn, VolumeEpoch};
use protocol::page::{PageBuf, PageId};
use protocol::record::{self, Record, RecordFlags, RecordHeader};
use protocol::{head::HeadVersion, message, redo, wire};
use storage_node::block::{self, BlockBuilder, BlockHeader, Claim, Owner};
use storage_node::journal::{self, JournalOwner};
use storage_node::scan::Scanner;
use storage_node::superblock::Superblock;
use values::types::ENCODED_TYPE_LEN;
use values::{ColumnType, KeyPart};

/// A fuzz target: its name and its body.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: &[Target] = &[
    ("handshake", handshake),
    ("command", command),
    ("packets", packets),
    ("record", record_decode),
    ("redo_apply", redo_apply),
    ("envelope", envelope),
    ("head", head),
    ("log_block", log_block),
    ("log_recovery", log_recovery),
    ("superblock", superblock),
    ("page_journal", page_journal),
    ("cell", cell),
    ("key", key),
    ("literals", literals),
];

/// Runs the target of that name.
///
/// # Panics
/// When there is none, or when the target finds something.
pub fn run(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|t| t.0 == name).expect("a target of that name");
    (target.1)(bytes);
}

const SEGMENT: SegmentId = SegmentId { pg: PgId(0), position: 0 };
const OWNER: Owner = Owner { volume: VolumeId(7), node: NodeId(1) };

/// The first packet of a client.
pub fn handshake(bytes: &[u8]) {
    let caps = Capabilities::from_bits(bytes.iter().take(8).fold(0, |n, b| n << 8 | u64::from(*b)));
    let _ = parse_hello(bytes, caps, false);
    let _ = parse_hello(bytes, Capabilities::OFFERED, true);
}

/// A command's payload, with the parameters of a prepared statement.
pub fn command(bytes: &[u8]) {
    let few = Capabilities::OFFERED.without(Capabilities::QUERY_ATTRIBUTES);
    for caps in [Capabilities::OFFERED, few] {
        let _ = Command::parse(bytes, caps);
        for code in [0x03, 0x11, 0x17, 0x18, 0x1c] {
            let coded: Vec<u8> = std::iter::once(code).chain(bytes.iter().copied()).collect();
            let _ = Command::parse(&coded, caps);
        }
    }
}

/// Packets out of a stream, cut at every place that the bytes name.
pub fn packets(bytes: &[u8]) {
    let mut decoder = Decoder::new(1 << 16);
    let mut input = BytesMut::new();
    let step = bytes.first().map_or(1, |b| usize::from(*b) % 7 + 1);
    for piece in bytes.chunks(step) {
        input.extend_from_slice(piece);
        while let Ok(None) = decoder.poll(&mut input) {
            assert!(decoder.payload(&input).len() <= bytes.len(), "a payload larger than what was sent");
            decoder.release(&mut input);
            decoder.start_command();
        }
    }
    assert!(decoder.gathered_bytes() <= bytes.len(), "more gathered than was sent");
}

/// A redo record's frame.
pub fn record_decode(bytes: &[u8]) {
    let shared = Bytes::copy_from_slice(bytes);
    if let Ok(found) = Record::decode(&shared) {
        assert!(found.len() <= bytes.len(), "a record larger than its bytes");
    }
    let _ = Record::decode_all(&shared);
}

/// Operations behind a good checksum, decoded and applied to a page.
pub fn redo_apply(bytes: &[u8]) {
    let mut image = PageBuf::blank(PageId(7));
    let _ = redo::run(image.bytes_mut(), bytes);
    let _ = redo::stamp(image.bytes_mut(), bytes, Lsn(9));
    if bytes.len() > 8192 {
        return; // longer than the operations of one record may be
    }
    let header = RecordHeader {
        epoch: VolumeEpoch(3),
        prev_pg: Lsn::ZERO,
        prev_page: Lsn::ZERO,
        prev_volume: Lsn::ZERO,
        page: PageId(7),
        pg: PgId(0),
        flags: RecordFlags::CPL,
    };
    let mut log = Vec::new();
    record::encode(&mut log, Lsn(record::frame_len(bytes, true) as u64), &header, bytes);
    if let Ok(found) = Record::decode(&Bytes::from(log)) {
        let mut image = PageBuf::blank(PageId(7));
        let _ = redo::apply(image.bytes_mut(), &found);
    }
}

/// A message between compute and storage, with and without its envelope.
pub fn envelope(bytes: &[u8]) {
    let shared = Bytes::copy_from_slice(bytes);
    let _ = message::Envelope::decode(&shared);
    let mut input = wire::Input::new(shared);
    let _ = <message::Message as wire::Wire>::get(&mut input);
}

/// The head of a volume.
pub fn head(bytes: &[u8]) {
    let shared = Bytes::copy_from_slice(bytes);
    let _ = wire::unseal::<protocol::Head>(1, &shared);
    let mut input = wire::Input::new(shared);
    let _ = <protocol::Head as wire::Wire>::get(&mut input);
}

/// A block of the hot log as it is, and the bytes as records in a block with a good checksum.
pub fn log_block(bytes: &[u8]) {
    let _ = block::decode(&Bytes::copy_from_slice(bytes), OWNER, 0);
    if bytes.len() > 60_000 {
        return;
    }
    let incarnation = Incarnation(3);
    let claim = Claim { segment: SEGMENT, incarnation, scl: Lsn(5), epoch: VolumeEpoch(1) };
    let mut builder = BlockBuilder::new(&[claim], &[(SEGMENT, incarnation, bytes.len())]);
    builder.frame(bytes);
    let header = BlockHeader { position: 0, sequence: 1, vdl: Lsn(5), head_version: HeadVersion::default() };
    let sealed = Bytes::from(builder.finish(OWNER, &header).to_vec());
    let _ = block::decode(&sealed, OWNER, 0);
}

/// What a node reads at its start.
pub fn log_recovery(bytes: &[u8]) {
    let mut scanner = Scanner::new(OWNER, 1 << 20, 0, 1);
    let mut file = bytes.to_vec();
    file.resize(file.len().next_multiple_of(4096), 0);
    let _ = scanner.file(0, &Bytes::from(file));
}

/// A node's superblock.
pub fn superblock(bytes: &[u8]) {
    let shared = Bytes::copy_from_slice(bytes);
    let _ = Superblock::newest(&shared);
    let _ = Superblock::decode(&shared);
}

/// The page store's journal.
pub fn page_journal(bytes: &[u8]) {
    let owner = JournalOwner { segment: SEGMENT, incarnation: Incarnation(1) };
    let _ = journal::replay(owner, &Bytes::copy_from_slice(bytes));
}

/// A type out of the first bytes, and a value of it out of the rest.
fn typed(bytes: &[u8]) -> Option<(ColumnType, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<ENCODED_TYPE_LEN>()?;
    Some((ColumnType::decode(head)?, rest))
}

/// A value in a row.
pub fn cell(bytes: &[u8]) {
    if let Some((ty, rest)) = typed(bytes) {
        let _ = values::decode_cell(rest, &ty);
    }
}

/// A value in a key.
pub fn key(bytes: &[u8]) {
    if let Some((ty, rest)) = typed(bytes) {
        for (nullable, descending) in [(false, false), (true, false), (false, true), (true, true)] {
            let _ = values::key::decode_key(rest, &KeyPart { ty, nullable, descending, prefix: None });
        }
    }
}

/// Texts that are read as numbers and times.
pub fn literals(bytes: &[u8]) {
    let _ = values::Decimal::parse(bytes);
    let (_, used) = values::double::parse_double(bytes);
    assert!(used <= bytes.len(), "more read than there was");
    let _ = values::temporal::time_text::read(bytes);
}
