//! The node core against simulated disks and a simulated network, and its structures against models.

mod fences;
mod growth;
mod pages;
mod promises;
mod recovery;
mod repair;
mod sim;
mod structures;
mod tombstones;
