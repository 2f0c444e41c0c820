//! Tests of the whole engine over an in-memory volume.

mod basics;
