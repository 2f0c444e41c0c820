//! Whole-system tests: tidy rules, golden scripts, clusters, crashes, MySQL clients.
