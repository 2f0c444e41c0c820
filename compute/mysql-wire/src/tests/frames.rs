//! Packets: cut anywhere, continued, pipelined, too large, out of order; any bytes at all.

use crate::frame::{Decoder, HEADER, MAX_CHUNK};
use crate::*;
use bytes::{BufMut, BytesMut};
use proptest::prelude::*;

fn packet(sequence: u8, payload: &[u8]) -> Vec<u8> {
    let [a, b, c, _] = (payload.len() as u32).to_le_bytes();
    [&[a, b, c, sequence], payload].concat()
}

/// Feeds `stream` in pieces that end at `cuts` and returns the payloads; each is a command, so it starts at sequence 0.
fn feed(stream: &[u8], cuts: &[usize], limit: usize) -> Result<Vec<Vec<u8>>, WireError> {
    let mut decoder = Decoder::new(limit);
    let mut buffer = BytesMut::new();
    let mut found = Vec::new();
    let mut at = 0;
    for cut in cuts.iter().copied().chain([stream.len()]) {
        let cut = cut.clamp(at, stream.len());
        buffer.extend_from_slice(&stream[at..cut]);
        at = cut;
        loop {
            if let Some(missing) = decoder.poll(&mut buffer)? {
                assert!(missing > 0);
                break;
            }
            found.push(decoder.payload(&buffer).to_vec());
            decoder.release(&mut buffer);
            decoder.start_command();
        }
    }
    Ok(found)
}

proptest! {
    #[test]
    fn cuts_do_not_matter(
        messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..6),
        cuts in prop::collection::vec(0usize..260, 0..12),
    ) {
        let stream: Vec<u8> = messages.iter().flat_map(|m| packet(0, m)).collect();
        let mut cuts = cuts;
        cuts.sort_unstable();
        prop_assert_eq!(feed(&stream, &cuts, 1 << 20).unwrap(), messages.clone());
        let everywhere: Vec<usize> = (0..stream.len()).collect();
        prop_assert_eq!(feed(&stream, &everywhere, 1 << 20).unwrap(), messages);
    }

    #[test]
    fn any_bytes_are_messages_or_an_error(stream in prop::collection::vec(any::<u8>(), 0..300), limit in 0usize..200) {
        if let Ok(found) = feed(&stream, &[], limit) {
            for payload in found {
                prop_assert!(payload.len() <= limit);
            }
        }
    }
}

#[test]
fn a_payload_above_the_cap_is_refused_by_its_header() {
    let mut decoder = Decoder::new(10);
    let mut input = BytesMut::from(&[11, 0, 0, 0][..]);
    assert_eq!(decoder.poll(&mut input).unwrap_err(), WireError::TooLarge);
    let mut input = BytesMut::from(&[10, 0, 0, 0][..]);
    assert_eq!(decoder.poll(&mut input), Ok(Some(10)));
}

#[test]
fn a_wrong_sequence_number_is_refused_by_its_header() {
    let mut decoder = Decoder::new(10);
    let mut input = BytesMut::from(&[1, 0, 0, 3][..]);
    assert_eq!(decoder.poll(&mut input).unwrap_err(), WireError::OutOfOrder);
}

/// A payload of two full chunks and a bit (and of exactly one chunk) is continued, and joined again.
#[test]
fn payloads_above_a_chunk_are_continued() {
    for length in [MAX_CHUNK - 1, MAX_CHUNK, MAX_CHUNK + 1, 2 * MAX_CHUNK + 5] {
        let mut out = BytesMut::new();
        let mut answer = Responder::new(&mut out, 0, Capabilities::OFFERED);
        answer.packet(|out| out.extend((0..length).map(|i| (i % 251) as u8)));
        let chunks = length / MAX_CHUNK + 1;
        assert_eq!(usize::from(answer.next_sequence()), chunks);
        assert_eq!(out.len(), length + chunks * HEADER);
        let mut decoder = Decoder::new(length);
        assert_eq!(decoder.poll(&mut out), Ok(None));
        let payload = decoder.payload(&out);
        assert_eq!(payload.len(), length);
        assert!(payload.iter().enumerate().all(|(i, b)| *b == (i % 251) as u8));
        decoder.release(&mut out);
        assert!(out.is_empty());
        assert_eq!((decoder.gathered_bytes(), usize::from(decoder.next_sequence())), (0, chunks));
    }
}

#[test]
fn a_continued_payload_counts_as_a_whole_against_the_cap() {
    let mut decoder = Decoder::new(MAX_CHUNK + 10);
    let mut input = BytesMut::from(&[0xff, 0xff, 0xff, 0][..]);
    input.put_bytes(7, MAX_CHUNK);
    input.extend_from_slice(&[11, 0, 0, 1]);
    assert_eq!(decoder.poll(&mut input).unwrap_err(), WireError::TooLarge);
}

#[test]
fn sequence_numbers_wrap() {
    let mut out = BytesMut::new();
    let mut answer = Responder::new(&mut out, 254, super::PLAIN);
    for _ in 0..4 {
        answer.column_count(1, true);
    }
    assert_eq!(out.chunks(5).map(|packet| packet[3]).collect::<Vec<_>>(), [254, 255, 0, 1]);
}
