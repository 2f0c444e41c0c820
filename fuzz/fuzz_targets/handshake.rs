//! `cargo +nightly fuzz run handshake`: the body is in tests/src/fuzz.rs.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tests::fuzz::run("handshake", bytes));
