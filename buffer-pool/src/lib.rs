//! Frames, latches, eviction, fetch and mini-transactions.
