//! The monitors' figures on their way from the Account to the Limits.
//!
//! The latest wins: they are totals and levels, so a Limit that is slow sees fewer of them and misses
//! nothing that was counted. Each Limit has at most one message on its way ("look"), however often the
//! figures are brought up to date.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use market::Universe;
use risk::{Figures, LimitTable};

/// The figures of an account.
#[derive(Debug)]
pub struct FigureBoard {
    figures: Mutex<Figures>,
    /// By Limit: it has been told to look and has not looked yet.
    told: Vec<AtomicBool>,
}

impl FigureBoard {
    /// Nothing known, for so many Limits.
    pub fn new(limits: Arc<LimitTable>, universe: Arc<Universe>, readers: usize) -> Self {
        let told = (0..readers).map(|_| AtomicBool::new(false)).collect();
        Self { figures: Mutex::new(Figures::new(limits, universe)), told }
    }

    /// A new Account starts with these limits: what its predecessor counted is not to be compared with, and
    /// limits that it changed may not have become durable.
    pub fn reset(&self, limits: Arc<LimitTable>) {
        let mut figures = self.lock();
        *figures = Figures::new(limits, Arc::clone(&figures.universe));
    }

    /// Brings them up to date.
    pub fn write<T>(&self, write: impl FnOnce(&mut Figures) -> T) -> T {
        write(&mut self.lock())
    }

    /// Whether this Limit must be told to look.
    pub fn tell(&self, reader: usize) -> bool {
        self.told.get(reader).is_some_and(|told| !told.swap(true, Ordering::AcqRel))
    }

    /// A Limit starts, or could not be told: nothing is on its way to it.
    pub fn forget_told(&self, reader: usize) {
        if let Some(told) = self.told.get(reader) {
            told.store(false, Ordering::Release);
        }
    }

    /// Looks. A later change tells again.
    pub fn look<T>(&self, reader: usize, look: impl FnOnce(&Figures) -> T) -> T {
        self.forget_told(reader);
        look(&self.lock())
    }

    /// Looks without being told the next change.
    pub fn read<T>(&self, look: impl FnOnce(&Figures) -> T) -> T {
        look(&self.lock())
    }

    /// Plain values: those of a moment ago are still good if a writer has panicked.
    fn lock(&self) -> MutexGuard<'_, Figures> {
        self.figures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use market::Money;
    use risk::LimitSet;

    #[test]
    fn each_limit_is_told_once_until_it_has_looked() {
        let universe = Arc::new(Universe::new());
        let limits = Arc::new(LimitTable::uniform(LimitSet::WIDE, &universe));
        let board = FigureBoard::new(limits, universe, 2);
        board.write(|figures| figures.equity = Money::from_cents(1));
        assert!(board.tell(0) && board.tell(1) && !board.tell(0));
        board.write(|figures| figures.equity = Money::from_cents(2));
        assert_eq!(board.look(0, |figures| figures.equity), Money::from_cents(2), "the latest");
        assert!(board.tell(0) && !board.tell(1));
        board.forget_told(1);
        assert!(board.tell(1), "a successor is told anew");
        assert!(!board.tell(7));
    }
}
