//! The review: each check at its edge, halts, replaces, and that no accepted sequence of orders ever
//! breaks a limit.

mod book_collar;
mod checked;
#[path = "../checker/mod.rs"]
mod checker;
mod checks;
mod explained;
mod exposure;
mod forecast;
mod halts;
mod last_entry;
mod limits_hold;
mod naive;
mod order_bounds;
mod parents;
mod rates;
mod self_trade;
mod short_sale;
mod sums;
mod symbol_list;
mod trading_status;
mod wide_spread;
mod world;
