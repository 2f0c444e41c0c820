//! Openings against hand-made answers.
