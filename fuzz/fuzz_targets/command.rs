//! `cargo +nightly fuzz run command`: the body is in tests/src/fuzz.rs.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tests::fuzz::run("command", bytes));
