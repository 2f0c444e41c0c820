//! The writer's log and the volume's quorum arithmetic, sans-io.
