//! `cargo +nightly fuzz run log_recovery`: the body is in tests/src/fuzz.rs.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tests::fuzz::run("log_recovery", bytes));
