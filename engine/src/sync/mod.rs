//! Waiting without a runtime: a place to park ([`Parker`]), a lock that may be held across awaits ([`Gate`]), and KILL ([`KillSwitch`]).
//!
//! Everything here is a plain future over its own waker list; time comes in as a sleep future of `Env`. So one executor in
//! virtual time runs it in tests, and tokio runs it in `compute`.

mod gate;
mod kill;
mod parker;

pub(crate) use gate::{Gate, Pass};
pub use kill::KillSwitch;
pub(crate) use parker::{Event, Parker, WaitEnd, wait, yield_now};
