//! The open connections: how many there may be, and whose is closed when one more comes.
//!
//! One more is always let in, because it may be somebody who wants to stop trading: the oldest connection
//! of somebody who has not shown a token yet is closed for it. Whoever fills the table with silent
//! connections only pushes out his own, and those that were answered go before those that wait for an answer.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

/// How much a connection is worth; the least goes first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Worth {
    /// It was answered, and no valid token was shown.
    Answered = 0,
    /// It is new, and may be anybody's.
    New = 1,
    /// A valid token was shown.
    Known = 2,
    /// Somebody is stopping trading over it: never closed for another one.
    Stopping = 3,
}

/// One open connection. Dropped, its place is free.
pub struct Line {
    number: u64,
    worth: Arc<AtomicU8>,
    closing: Arc<Notify>,
    lines: Arc<Lines>,
}

struct Entry {
    worth: Arc<AtomicU8>,
    closing: Arc<Notify>,
}

/// All of them.
pub struct Lines {
    most: usize,
    open: Mutex<(u64, BTreeMap<u64, Entry>)>,
}

impl Lines {
    /// None yet; at most `most`.
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, open: Mutex::default() })
    }

    /// A place for one more; somebody else's may be closed for it. Nothing if everybody is stopping.
    pub fn admit(self: &Arc<Self>) -> Option<Line> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let (last, entries) = &mut *open;
        if entries.len() >= self.most {
            let worth = |entry: &Entry| entry.worth.load(Ordering::Acquire);
            // Numbers ascend, and of equals the first is taken: the oldest.
            let least =
                entries.iter().min_by_key(|(_, entry)| worth(entry)).map(|(number, entry)| (*number, worth(entry)));
            let (number, _) = least.filter(|(_, worth)| *worth < Worth::Stopping as u8)?;
            if let Some(entry) = entries.remove(&number) {
                entry.closing.notify_one();
            }
        }
        *last += 1;
        let (worth, closing) = (Arc::new(AtomicU8::new(Worth::New as u8)), Arc::<Notify>::default());
        entries.insert(*last, Entry { worth: Arc::clone(&worth), closing: Arc::clone(&closing) });
        Some(Line { number: *last, worth, closing, lines: Arc::clone(self) })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).1.len()
    }
}

impl Line {
    /// Its request was answered: it is worth less while nothing is asked over it.
    pub fn answered(&self) {
        for (before, after) in [(Worth::New, Worth::Answered), (Worth::Stopping, Worth::Known)] {
            let _ = self.worth.compare_exchange(before as u8, after as u8, Ordering::AcqRel, Ordering::Acquire);
        }
    }

    /// What it is worth at least, until it is answered.
    pub fn is_worth(&self, worth: Worth) {
        self.worth.fetch_max(worth as u8, Ordering::AcqRel);
    }

    /// Waits until it must be closed for somebody else.
    pub async fn closing(&self) {
        self.closing.notified().await;
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.lines.open.lock().unwrap_or_else(PoisonError::into_inner).1.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_closing(line: &Line) -> bool {
        use std::future::Future;
        use std::pin::pin;
        use std::task::{Context, Waker};
        pin!(line.closing()).poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    #[test]
    fn one_more_is_let_in_and_the_oldest_stranger_goes() {
        let lines = Lines::new(3);
        let [known, first, second] = [(); 3].map(|()| lines.admit().unwrap());
        known.is_worth(Worth::Known);
        let third = lines.admit().unwrap();
        assert_eq!([&known, &first, &second, &third].map(is_closing), [false, true, false, false]);
        drop(first);
        assert_eq!(lines.len(), 3);
        second.is_worth(Worth::Known);
        third.is_worth(Worth::Stopping);
        let fourth = lines.admit().unwrap();
        assert_eq!([&known, &second, &third, &fourth].map(is_closing), [true, false, false, false]);
    }

    #[test]
    fn who_was_answered_goes_before_who_waits() {
        let lines = Lines::new(3);
        let [known, first, second] = [(); 3].map(|()| lines.admit().unwrap());
        known.is_worth(Worth::Stopping);
        known.answered();
        second.answered();
        let third = lines.admit().unwrap();
        assert_eq!([&known, &first, &second, &third].map(is_closing), [false, false, true, false]);
        let fourth = lines.admit().unwrap();
        assert_eq!([&known, &first, &third, &fourth].map(is_closing), [false, true, false, false]);
    }

    #[test]
    fn who_is_stopping_is_never_closed() {
        let lines = Lines::new(2);
        let both = [(); 2].map(|()| lines.admit().unwrap());
        both.iter().for_each(|line| line.is_worth(Worth::Stopping));
        assert!(lines.admit().is_none());
        drop(both);
        assert!(lines.admit().is_some());
    }
}
