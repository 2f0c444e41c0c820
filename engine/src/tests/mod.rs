//! Tests of the whole engine over an in-memory volume.

mod basics;
mod ddl;
mod isolation;
mod locking;
mod model;
mod rows;
