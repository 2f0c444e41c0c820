//! Measurements: the ledger, side-by-side runs and micro-benchmarks.
