//! The bridge against a scripted venue on this machine: nothing sleeps, everything waited for is
//! signalled.

#[path = "../simulated/approve.rs"]
mod approve;
mod connection;
mod conversation;
mod counterpart;
mod promises;
mod translation;
