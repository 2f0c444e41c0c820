//! Every fuzz body over random bytes, a few thousand a target: what `cargo fuzz` does for hours, for seconds, on stable.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tests::fuzz::TARGETS;

/// Bytes as an attacker or a rotten disk would have them: any at all, or few different ones, or long runs with a few odd ones.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(any::<u8>(), 0..600),
        vec(
            prop_oneof![Just(0u8), Just(1), Just(2), Just(0x7f), Just(0x80), Just(0xff), any::<u8>()],
            0..600
        ),
        (vec(any::<u8>(), 0..40), any::<u8>(), 0usize..9000).prop_map(|(mut head, fill, len)| {
            head.resize(head.len() + len, fill);
            head
        }),
    ]
}

#[test]
fn no_bytes_bring_a_decoder_down() {
    let cases = 2000;
    for (name, target) in TARGETS {
        let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
        let run = runner.run(&bytes(), |bytes| {
            target(&bytes);
            Ok(())
        });
        if let Err(why) = run {
            panic!("{name}: {why}");
        }
    }
    println!("{} targets, {cases} inputs each", TARGETS.len());
}

/// cargo-fuzz has one file per target; none is forgotten.
#[test]
fn every_target_can_be_fuzzed_by_hand() {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/fuzz_targets");
    for (name, _) in TARGETS {
        let text = std::fs::read_to_string(dir.join(format!("{name}.rs"))).unwrap_or_default();
        assert!(
            text.contains("fuzz_target!") && text.contains(&format!("\"{name}\"")),
            "fuzz/fuzz_targets/{name}.rs"
        );
    }
}
