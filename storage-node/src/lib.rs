//! Segments: hot log, chains, gossip, coalescing, page store.
