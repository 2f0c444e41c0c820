//! Undo: where changes remember what they replaced.

pub(crate) mod log;
pub(crate) mod read;
pub(crate) mod space;
