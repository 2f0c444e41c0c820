//! Properties of the formats in `protocol`: round trips, cuts, arbitrary bytes, and the one `apply`.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use protocol::message::{Append, Envelope, Message, Peer};
use protocol::page::{self, PAGE_BYTES, PAGE_HEADER_BYTES};
use protocol::record::{self, RecordError, RecordHeader};
use protocol::redo::{self, Op, OpsBuf, RedoError};
use protocol::{
    HeadVersion, Incarnation, Lsn, PageBuf, PageId, PageKind, PgId, Record, RecordFlags, SegmentId,
    Truncation, TruncationList, VolumeEpoch, WriterId, wire,
};

/// An operation with owned bytes, so that strategies can make it.
#[derive(Clone, Debug)]
enum Step {
    Init,
    Write(u16, Vec<u8>),
    Move(u16, u16, u16),
    Fill(u16, u16, u8),
    Discard,
}

const BODY: u16 = PAGE_HEADER_BYTES as u16;
const END: u16 = PAGE_BYTES as u16;

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => Just(Step::Init),
        8 => (BODY..END - 64, vec(any::<u8>(), 1..64)).prop_map(|(at, b)| Step::Write(at, b)),
        4 => (BODY..END - 512, BODY..END - 512, 1u16..512).prop_map(|(f, t, l)| Step::Move(f, t, l)),
        4 => (BODY..END - 512, 1u16..512, any::<u8>()).prop_map(|(o, l, b)| Step::Fill(o, l, b)),
        1 => Just(Step::Discard),
    ]
}

fn encode_steps(steps: &[Step]) -> OpsBuf {
    let mut ops = OpsBuf::new();
    for step in steps {
        ops.push(match step {
            Step::Init => Op::Init { kind: PageKind::Tree },
            Step::Write(offset, bytes) => Op::Write { offset: *offset, bytes },
            Step::Move(from, to, len) => Op::Move { from: *from, to: *to, len: *len },
            Step::Fill(offset, len, byte) => Op::Fill { offset: *offset, len: *len, byte: *byte },
            Step::Discard => Op::Discard,
        });
    }
    ops
}

/// Encodes a log of one page, one record per list of steps, and returns the frames and the page they make.
fn log_of(records: &[Vec<Step>]) -> (Vec<u8>, PageBuf) {
    let page_id = PageId(7);
    let mut image = PageBuf::blank(page_id);
    let (mut log, mut last) = (Vec::new(), Lsn::ZERO);
    for (i, steps) in records.iter().enumerate() {
        let ops = encode_steps(steps);
        let flags = if i == 0 { RecordFlags::OPENING.with(RecordFlags::CPL) } else { RecordFlags::CPL };
        let lsn = last.advance(record::frame_len(ops.bytes(), i == 0) as u64);
        let header = RecordHeader {
            epoch: VolumeEpoch(3),
            prev_pg: last,
            prev_page: last,
            prev_volume: Lsn::ZERO,
            page: page_id,
            pg: PgId(0),
            flags,
        };
        record::encode(&mut log, lsn, &header, ops.bytes());
        redo::run(image.bytes_mut(), ops.bytes()).expect("own operations run");
        redo::stamp(image.bytes_mut(), ops.bytes(), lsn).expect("own operations stamp");
        last = lsn;
    }
    (log, image)
}

proptest! {
    #[test]
    fn a_log_replayed_through_apply_makes_the_page_the_writer_had(records in vec(vec(step(), 0..12), 1..12)) {
        let (log, written) = log_of(&records);
        let decoded = Record::decode_all(&Bytes::from(log)).expect("own log decodes");
        prop_assert_eq!(decoded.len(), records.len());
        let mut replayed = PageBuf::blank(PageId(7));
        let mut before = Lsn::ZERO;
        for record in &decoded {
            prop_assert_eq!(record.prev_volume, before);
            redo::apply(replayed.bytes_mut(), record).expect("records follow one another");
            prop_assert_eq!(page::lsn(replayed.bytes()), record.lsn);
            before = record.lsn;
        }
        prop_assert_eq!(replayed, written);
    }

    #[test]
    fn any_cut_of_a_log_gives_the_same_records_up_to_it(records in vec(vec(step(), 0..8), 1..8), cut in any::<prop::sample::Index>()) {
        let (log, _) = log_of(&records);
        let whole = Record::decode_all(&Bytes::from(log.clone())).expect("own log decodes");
        let at = cut.index(log.len() + 1);
        let mut rest = Bytes::from(log[..at].to_vec());
        let mut found = Vec::new();
        while let Ok(record) = Record::decode(&rest) {
            rest = rest.slice(record.len()..);
            found.push(record);
        }
        let fitting = whole.iter().take_while(|r| r.lsn.0 as usize <= at).count();
        prop_assert_eq!(&found[..], &whole[..fitting]);
        let at_boundary = found.last().map_or(0, |r| r.lsn.0 as usize) == at;
        prop_assert_eq!(rest.is_empty(), at_boundary);
    }

    #[test]
    fn a_flipped_bit_of_a_frame_is_refused(steps in vec(step(), 0..8), bit in any::<prop::sample::Index>()) {
        let (mut log, _) = log_of(&[steps]);
        let bit = bit.index(log.len() * 8);
        log[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(Record::decode(&Bytes::from(log)).is_err());
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..2048)) {
        let shared = Bytes::from(bytes.clone());
        let _ = Record::decode(&shared);
        let _ = Envelope::decode(&shared);
        let _ = wire::unseal::<protocol::Head>(1, &shared);
        let mut image = PageBuf::blank(PageId(1));
        let _ = redo::run(image.bytes_mut(), &bytes);
        let _ = redo::stamp(image.bytes_mut(), &bytes, Lsn(9));
        // The same behind a valid frame: what a bug or an attacker with a good checksum could send.
        let mut input = wire::Input::new(shared);
        let _ = <Message as wire::Wire>::get(&mut input);
    }

    #[test]
    fn operations_never_touch_the_header(bytes in vec(any::<u8>(), 0..512)) {
        let mut image = PageBuf::blank(PageId(5));
        let before = image.bytes()[..PAGE_HEADER_BYTES].to_vec();
        if redo::run(image.bytes_mut(), &bytes).is_ok() {
            let mut after = image.bytes()[..PAGE_HEADER_BYTES].to_vec();
            after[5] = before[5]; // the kind, which init and discard set
            prop_assert_eq!(before, after);
        }
    }

    #[test]
    fn messages_round_trip(epoch in any::<u64>(), vdl in any::<u64>(), frames in vec(any::<u8>(), 0..300), position in 0u8..6) {
        let envelope = Envelope {
            from: Peer::Compute(WriterId(u128::from(epoch) << 3)),
            to: Peer::Segment(SegmentId { pg: PgId(2), position }),
            message: Append {
                epoch: VolumeEpoch(epoch),
                writer: WriterId(9),
                incarnation: Incarnation(4),
                sequence: vdl,
                sent_us: 5,
                head_version: HeadVersion { epoch: VolumeEpoch(epoch), seq: 1 },
                head: None,
                vdl: Lsn(vdl),
                pgmrpl: Lsn(vdl / 2),
                frames: Bytes::from(frames),
            }
            .into(),
        };
        let bytes = Bytes::from(envelope.encode());
        prop_assert_eq!(Envelope::decode(&bytes).expect("own message decodes"), envelope);
        let mut cut = bytes.to_vec();
        cut.pop();
        prop_assert!(Envelope::decode(&Bytes::from(cut)).is_err());
    }
}

#[test]
fn a_record_out_of_turn_is_refused() {
    let steps = vec![Step::Write(100, vec![1, 2, 3])];
    let (log, _) = log_of(&[steps.clone(), steps.clone(), steps]);
    let records = Record::decode_all(&Bytes::from(log)).expect("own log decodes");
    let mut image = PageBuf::blank(PageId(7));
    redo::apply(image.bytes_mut(), &records[0]).expect("the first follows a blank page");
    let error = redo::apply(image.bytes_mut(), &records[2]).expect_err("the second is missing");
    assert_eq!(
        error,
        RedoError::BackLink { page: PageId(7), found: records[0].lsn, expected: records[1].lsn }
    );
    let mut other = PageBuf::blank(PageId(8));
    assert!(matches!(redo::apply(other.bytes_mut(), &records[0]), Err(RedoError::OtherPage { .. })));
}

#[test]
fn a_page_number_given_out_again_starts_from_any_older_life() {
    let (bytes, mut page) = log_of(&[vec![Step::Init], vec![Step::Fill(BODY, 8, 1)]]);
    let last = Record::decode_all(&bytes.into()).unwrap().pop().unwrap().lsn;
    for (op, prev_page, lsn, fits) in [
        (Op::Init { kind: PageKind::Tree }, Lsn::ZERO, last.advance(100), true),
        (Op::Discard, Lsn::ZERO, last.advance(200), true),
        (Op::Init { kind: PageKind::Tree }, Lsn(7), last.advance(300), false),
        (Op::Fill { offset: BODY, len: 1, byte: 2 }, Lsn::ZERO, last.advance(300), false),
        (Op::Init { kind: PageKind::Tree }, Lsn::ZERO, last, false),
    ] {
        let mut ops = OpsBuf::new();
        ops.push(op);
        let header = RecordHeader {
            epoch: VolumeEpoch(1),
            prev_pg: Lsn::ZERO,
            prev_page,
            prev_volume: Lsn::ZERO,
            page: page::id(page.bytes()),
            pg: PgId(0),
            flags: RecordFlags::CPL,
        };
        let mut frame = Vec::new();
        record::encode(&mut frame, lsn, &header, ops.bytes());
        let record = Record::decode(&frame.into()).unwrap();
        assert_eq!(redo::apply(page.bytes_mut(), &record).is_ok(), fits, "{record:?}");
    }
}

#[test]
fn a_stamp_writes_the_records_own_lsn() {
    let mut ops = OpsBuf::new();
    ops.push(Op::Init { kind: PageKind::Undo });
    ops.push(Op::StampLsn { offset: 64 });
    let mut image = PageBuf::blank(PageId(1));
    redo::run(image.bytes_mut(), ops.bytes()).expect("runs");
    assert_eq!(image.bytes()[64..72], [0; 8], "run leaves the stamp undone");
    redo::stamp(image.bytes_mut(), ops.bytes(), Lsn(0x1234)).expect("stamps");
    assert_eq!(image.bytes()[64..72], 0x1234u64.to_le_bytes());
    assert_eq!(page::lsn(image.bytes()), Lsn(0x1234));
}

#[test]
#[should_panic(expected = "redo invariant 2")]
fn an_operation_over_a_stamp_is_a_bug() {
    let mut ops = OpsBuf::new();
    ops.push(Op::StampLsn { offset: 64 });
    ops.push(Op::Fill { offset: 60, len: 8, byte: 0 });
}

#[test]
fn another_version_is_named() {
    let mut ops = OpsBuf::new();
    ops.push(Op::Init { kind: PageKind::Tree });
    let header = RecordHeader {
        epoch: VolumeEpoch(1),
        prev_pg: Lsn::ZERO,
        prev_page: Lsn::ZERO,
        prev_volume: Lsn::ZERO,
        page: PageId(0),
        pg: PgId(0),
        flags: RecordFlags::CPL,
    };
    let mut frame = Vec::new();
    record::encode(&mut frame, Lsn(58), &header, ops.bytes());
    frame[52] = 9;
    let crc = crc32c::crc32c(&frame[4..]);
    frame[..4].copy_from_slice(&crc.to_le_bytes());
    assert_eq!(Record::decode(&Bytes::from(frame)), Err(RecordError::Version { version: 9 }));
}

#[test]
fn a_sealed_image_tells_what_is_wrong_with_it() {
    let mut image = PageBuf::blank(PageId(3));
    page::seal(image.bytes_mut());
    assert_eq!(page::verify(image.bytes(), PageId(3)), Ok(()));
    assert!(matches!(page::verify(image.bytes(), PageId(4)), Err(page::PageError::WrongPage { .. })));
    image.bytes_mut()[9000] ^= 1;
    assert!(matches!(page::verify(image.bytes(), PageId(3)), Err(page::PageError::Checksum { .. })));
}

#[test]
fn dead_is_an_earlier_epoch_within_the_range() {
    let list =
        TruncationList { entries: vec![Truncation { epoch: VolumeEpoch(4), lo: Lsn(100), hi: Lsn(200) }] };
    for (epoch, lsn, dead) in
        [(3, 100, false), (3, 101, true), (3, 200, true), (3, 201, false), (4, 150, false)]
    {
        assert_eq!(list.is_dead(VolumeEpoch(epoch), Lsn(lsn)), dead, "epoch {epoch} lsn {lsn}");
    }
}
