//! B-link trees over the buffer pool.
