//! The review: each check at its edge, halts, replaces, and that no accepted sequence of orders ever
//! breaks a limit.

mod checked;
#[path = "../checker/mod.rs"]
mod checker;
mod checks;
mod explained;
mod exposure;
mod halts;
mod limits_hold;
mod naive;
mod parents;
mod rates;
mod sums;
mod world;
