//! Local devices: the io_uring ring, aligned buffers, the thread fallback; later the second-level cache.
