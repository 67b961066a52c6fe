//! Scenarios, parity, end to end: tests that need more than one crate.
