//! The director: a whole cluster in one thread from one seed.
