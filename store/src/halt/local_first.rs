//! A halt that is durable here at once and elsewhere as soon as it can be.
//!
//! A halt must hold when the server that keeps the journal is the very thing that failed, and nobody
//! who throws the switch may wait for that server. So a decision is written to a local store first,
//! and a thread of its own carries it to the remote one, again and again until it is there.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::{ANEW, HaltRecord, HaltStore};
use crate::error::StoreError;

/// Between two attempts to reach the remote store.
const PAUSE: Duration = Duration::from_secs(1);
/// Longest that the end of a process waits for a decision to arrive.
const FAREWELL: Duration = Duration::from_secs(2);
/// Decisions that may wait for the remote store. A halt only rises by itself, a few levels; beyond it
/// the oldest go, for the last one is the state and the local store has them all.
const MOST_WAITING: usize = 64;

/// A local halt store in front of a remote one.
pub struct LocalFirst<L> {
    local: L,
    remote: Arc<Waiting>,
    /// Decisions of the remote store as they were found at the start; an error is kept as one.
    found: Result<Vec<HaltRecord>, StoreError>,
}

#[derive(Default)]
struct Waiting {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    records: VecDeque<HaltRecord>,
    ended: bool,
}

impl<L: HaltStore> LocalFirst<L> {
    /// `local` in front of `remote`, with a thread that carries decisions over.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn new(local: L, mut remote: Box<dyn HaltStore>) -> std::io::Result<Self> {
        let found = remote.load_halts();
        let waiting = Arc::new(Waiting::default());
        // What an earlier process could not carry over any more goes first.
        if let (Ok(theirs), Ok(ours)) = (&found, local.load_halts()) {
            let is_news = |ours: &HaltRecord| theirs.iter().all(|one| one.scope != ours.scope || one.at < ours.at);
            ours.into_iter().filter(is_news).for_each(|record| waiting.push(record));
        }
        let theirs = Arc::clone(&waiting);
        thread::Builder::new().name("halt".to_owned()).spawn(move || theirs.carry(&mut *remote))?;
        Ok(Self { local, remote: waiting, found })
    }
}

impl<L: HaltStore> HaltStore for LocalFirst<L> {
    /// Of each scope the later of the two decisions. One that cannot be read halts.
    fn load_halts(&self) -> Result<Vec<HaltRecord>, StoreError> {
        let mut halts = self.local.load_halts()?;
        let remote = match &self.found {
            Ok(records) => records,
            Err(error) => {
                return Err(StoreError::Failed {
                    place: "the remote halt state".to_owned(),
                    doing: "read it",
                    source: error.to_string().into(),
                });
            }
        };
        for theirs in remote {
            match halts.iter_mut().find(|ours| ours.scope == theirs.scope) {
                Some(ours) if theirs.at > ours.at => *ours = theirs.clone(),
                Some(_) => {}
                None => halts.push(theirs.clone()),
            }
        }
        let anew = halts.iter().filter(|record| record.scope == ANEW).map(|record| record.at).max();
        halts.retain(|record| anew.is_none_or(|anew| record.at >= anew));
        Ok(halts)
    }

    fn save_halt(&mut self, record: &HaltRecord) -> Result<(), StoreError> {
        // Queued first: a local disk that fails must not keep it from the remote store.
        self.remote.push(record.clone());
        self.local.save_halt(record)
    }
}

impl<L> Drop for LocalFirst<L> {
    /// A command that decides and ends gives its decision a moment to arrive; the next process that opens
    /// the store carries over what did not.
    fn drop(&mut self) {
        let mut state = self.remote.lock();
        state.ended = true;
        self.remote.changed.notify_all();
        let arriving = |state: &mut State| !state.records.is_empty();
        drop(self.remote.changed.wait_timeout_while(state, FAREWELL, arriving));
    }
}

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Plain values, whole at any moment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, record: HaltRecord) {
        let mut state = self.lock();
        if state.records.len() == MOST_WAITING {
            state.records.pop_front();
        }
        state.records.push_back(record);
        self.changed.notify_all();
    }

    fn carry(&self, remote: &mut dyn HaltStore) {
        loop {
            let mut state = self.lock();
            while state.records.is_empty() {
                if state.ended {
                    return;
                }
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            let next = state.records.front().cloned();
            drop(state);
            let Some(record) = next else { continue };
            match remote.save_halt(&record) {
                Ok(()) => {
                    let mut state = self.lock();
                    if state.records.front() == Some(&record) {
                        state.records.pop_front();
                    }
                    self.changed.notify_all();
                }
                Err(error) => {
                    tracing::error!(%error, "a halt is in force and stored here, but not yet in the remote store");
                    let state = self.lock();
                    if state.ended {
                        return;
                    }
                    drop(self.changed.wait_timeout(state, PAUSE));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::halt::{decision, of};
    use std::sync::mpsc;

    /// A store that refuses until it is let, and shows what reached it.
    struct Gated {
        open: Arc<Mutex<bool>>,
        tried: mpsc::Sender<Result<HaltRecord, ()>>,
    }

    impl HaltStore for Gated {
        fn load_halts(&self) -> Result<Vec<HaltRecord>, StoreError> {
            Ok(vec![decision("stop_new", 5), of("symbol:PETR4", "cancel_all", 4)])
        }

        fn save_halt(&mut self, record: &HaltRecord) -> Result<(), StoreError> {
            let open = *self.open.lock().unwrap();
            self.tried.send(open.then(|| record.clone()).ok_or(())).unwrap();
            if open {
                return Ok(());
            }
            Err(StoreError::Failed { place: "there".to_owned(), doing: "save", source: "down".into() })
        }
    }

    #[derive(Default)]
    struct Local(Vec<HaltRecord>);

    impl HaltStore for Local {
        fn load_halts(&self) -> Result<Vec<HaltRecord>, StoreError> {
            let last = |record: &&HaltRecord| self.0.iter().rev().find(|one| one.scope == record.scope) == Some(record);
            Ok(self.0.iter().filter(last).cloned().collect())
        }

        fn save_halt(&mut self, record: &HaltRecord) -> Result<(), StoreError> {
            self.0.push(record.clone());
            Ok(())
        }
    }

    #[test]
    fn what_an_earlier_process_could_not_carry_over_goes_first_scope_by_scope() {
        let (tried, seen) = mpsc::channel();
        let remote = Gated { open: Arc::new(Mutex::new(true)), tried };
        let ours = [decision("flatten", 4), of("symbol:PETR4", "active", 6), of("strategy:trend", "stop_new", 1)];
        let halt = LocalFirst::new(Local(ours.to_vec()), Box::new(remote)).unwrap();
        // The server's word on everything is the later one.
        assert_eq!([seen.recv(), seen.recv()], [Ok(Ok(ours[1].clone())), Ok(Ok(ours[2].clone()))]);
        let held = [decision("stop_new", 5), ours[1].clone(), ours[2].clone()];
        assert_eq!(halt.load_halts().unwrap(), held);
    }

    #[test]
    fn a_halt_holds_here_while_the_server_is_down_and_reaches_it_when_it_is_back() {
        let (tried, seen) = mpsc::channel();
        let open = Arc::new(Mutex::new(false));
        let remote = Gated { open: Arc::clone(&open), tried };
        let mut halt = LocalFirst::new(Local::default(), Box::new(remote)).unwrap();
        let petr4 = of("symbol:PETR4", "cancel_all", 4);
        assert_eq!(halt.load_halts().unwrap(), [decision("stop_new", 5), petr4.clone()], "what the server knew");
        halt.save_halt(&decision("halted", 7)).unwrap();
        assert_eq!(halt.load_halts().unwrap(), [decision("halted", 7), petr4], "the later one of a scope counts");
        assert_eq!(seen.recv(), Ok(Err(())));
        *open.lock().unwrap() = true;
        let arrived = loop {
            if let Ok(record) = seen.recv().unwrap() {
                break record;
            }
        };
        assert_eq!(arrived, decision("halted", 7));
    }
}
