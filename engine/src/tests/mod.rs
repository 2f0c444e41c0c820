//! Tests of the whole engine over an in-memory volume.

mod allocations;
mod basics;
mod check;
mod ddl;
mod ddl_crash;
mod durability;
mod foreign;
mod instant;
mod isolation;
mod locking;
mod locking_cases;
mod metadata;
mod model;
mod rebuild;
mod rows;
