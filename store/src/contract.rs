//! The tests that every implementation must pass, as functions: the embedded store and Postgres
//! are the same to whoever is above, and this is where "the same" is written down.
//!
//! A contract gets `make`, which opens one store, empty at first; calling it again opens the same
//! store anew, as after a restart. A contract has dropped what it opened before it does so.
//!
//! ```text
//! #[test]
//! fn keeps_the_journal_contract() {
//!     contract::check(contract::journal::ALL, || {
//!         let place = an_empty_place();
//!         Box::new(move || Box::new(MyJournal::open(&place)))
//!     });
//! }
//! ```

pub mod audit;
pub mod config_versions;
pub mod halt;
pub mod history;
pub mod journal;
pub mod meta;
pub mod quotes;
pub mod users;

use crate::error::StoreError;

/// Opens the store under test.
pub type Make<T> = dyn Fn() -> Box<T>;

/// One contract: what it demands, and the function that tries it.
pub type Contract<T> = (&'static str, fn(&Make<T>) -> Result<(), StoreError>);

/// Tries every contract of a list, each on a store of its own.
///
/// # Panics
/// At the first contract that is not kept.
pub fn check<T: ?Sized>(contracts: &[Contract<T>], fresh: impl Fn() -> Box<Make<T>>) {
    for (demand, contract) in contracts {
        if let Err(error) = contract(&*fresh()) {
            panic!("not kept: {demand}: {error}: {error:?}");
        }
    }
}

/// What this should have failed with.
#[track_caller]
fn refused<T>(result: Result<T, StoreError>) -> StoreError {
    match result {
        Ok(_) => panic!("this should have been refused"),
        Err(error) => error,
    }
}
