//! The simulated exchange: every rule of its header as a scenario, and what must hold whatever
//! comes.

mod approve;
mod arrival;
mod auctions;
mod bars;
mod continuous;
mod floor;
mod leftovers;
mod machine;
mod restart;
mod stops;
mod volume;
