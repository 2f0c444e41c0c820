//! The embedded volume: six storage nodes of one volume in this process, their folders, and the link to them.

pub mod folders;
pub mod identity;
#[cfg(test)]
mod testing;
