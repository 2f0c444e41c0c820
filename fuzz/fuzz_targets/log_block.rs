//! `cargo +nightly fuzz run log_block`: the body is in tests/src/fuzz.rs.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tests::fuzz::run("log_block", bytes));
