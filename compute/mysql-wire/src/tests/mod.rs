//! Tests of the crate: recorded packets of MySQL 9.7, round trips, and bytes nobody should send.

mod auth;
mod commands;
mod frames;
mod golden;
mod params;

/// What is offered, without the two ways to leave out definitions.
const PLAIN: crate::Capabilities = crate::Capabilities::OFFERED
    .without(crate::Capabilities::OPTIONAL_METADATA)
    .without(crate::Capabilities::CACHE_METADATA);
