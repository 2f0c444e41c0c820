//! The composition root: listener, connections, volume, configuration.
