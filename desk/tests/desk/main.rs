//! One account's decisions: the host that turns wishes into requests, the desk that takes them, the
//! entries it leaves, the desk rebuilt from them, and the record of a run.

mod account;
mod entries;
mod host;
mod rebuilding;
mod record;
mod replaying;
mod world;
