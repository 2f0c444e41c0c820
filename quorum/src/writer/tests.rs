//! The writer's log against hand-made answers.
