//! The hands of `quorum`: batching, streams and reads.
