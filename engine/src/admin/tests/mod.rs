//! The interface as its users and its enemies meet it: a real server on a port of its own, real TLS, a real
//! tree of actors on the simulated exchange, a real store.
//!
//! - `stage`: builds all that, and speaks HTTP byte by byte
//! - `forged`: tokens that were made up, changed, borrowed, or have had their day
//! - `roles`: every path with every role
//! - `abuse`: what does not keep to HTTP, or to its limits
//! - `dripping`: one byte after the other
//! - `secrets`: guessing, flooding, and stopping all the same
//! - `acts`: what is changed, written down, and asked for twice
//! - `streams`: WebSockets
//! - `tools`: probes, metrics, certificates

mod abuse;
mod acts;
mod dripping;
mod forged;
mod roles;
mod secrets;
mod stage;
mod streams;
mod tools;
