//! Transactional rows.
