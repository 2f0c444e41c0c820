//! Tests of the crate: recorded packets of MySQL 9.7, round trips, and bytes nobody should send.

mod auth;
mod commands;
mod frames;
mod golden;
mod params;
