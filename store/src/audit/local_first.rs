//! An audit that is durable here at once and on a server as soon as it can be.
//!
//! Nobody who stops trading waits for a server to write down that he did. A row is written to the local
//! store, and a thread of its own carries it over. What waits to be carried is not held in memory: it is
//! the local rows after the last that arrived, whose number is kept as a named value. So nothing is lost
//! with the process, and nothing grows while the server is away but a file on disk.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::{Audit, AuditRecord, AuditRow};
use crate::error::StoreError;
use crate::meta::MetaStore;

/// Between two attempts to reach the server.
const PAUSE: Duration = Duration::from_secs(1);
/// Longest that the end of a process waits for its rows to arrive; the next start carries the rest.
const FAREWELL: Duration = Duration::from_secs(2);
/// Rows that are read at once to be carried.
const CARRIED_AT_ONCE: usize = 64;
/// Under which name the last row that arrived is kept.
const ARRIVED: &str = "audit_arrived";

/// A local audit in front of a remote one. Reads are local: every row of this data directory, whether or
/// not the server can be reached. The server has those of all.
pub struct LocalFirstAudit {
    local: Box<dyn Audit>,
    bell: Arc<Bell>,
}

/// What the thread is told.
#[derive(Default)]
struct Bell {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The last local row.
    written: u64,
    /// The last row that is known to be on the server.
    arrived: u64,
    ended: bool,
}

/// What carries.
struct Carrier {
    local: Box<dyn Audit>,
    arrived: Box<dyn MetaStore>,
    remote: Box<dyn Audit>,
}

impl LocalFirstAudit {
    /// `local` in front of `remote`, with a thread that carries rows over. `carried` is another handle on
    /// the local audit, and `arrived` one on its named values, for that thread.
    ///
    /// # Errors
    /// The local store cannot be read, or the system gives no thread.
    pub fn new(
        local: Box<dyn Audit>,
        carried: Box<dyn Audit>,
        arrived: Box<dyn MetaStore>,
        remote: Box<dyn Audit>,
    ) -> Result<Self, StoreError> {
        let written = local.last()?.map_or(0, |row| row.number);
        // A number that cannot be read costs time: rows that are there already are recognised.
        let known = arrived.meta(ARRIVED)?.and_then(|text| text.parse().ok()).unwrap_or(0).min(written);
        let bell = Arc::new(Bell::default());
        {
            let mut state = bell.lock();
            (state.written, state.arrived) = (written, known);
        }
        let (theirs, mut carrier) = (Arc::clone(&bell), Carrier { local: carried, arrived, remote });
        let started = thread::Builder::new().name("audit".to_owned()).spawn(move || theirs.carry(&mut carrier));
        started.map_err(|error| StoreError::Failed {
            place: "this process".to_owned(),
            doing: "start the thread that carries audit rows to the server",
            source: error.into(),
        })?;
        Ok(Self { local, bell })
    }

    /// Rows that are not known to be on the server.
    pub fn waiting(&self) -> u64 {
        let state = self.bell.lock();
        state.written - state.arrived
    }
}

impl Audit for LocalFirstAudit {
    fn append(&mut self, record: &AuditRecord) -> Result<u64, StoreError> {
        let number = self.local.append(record)?;
        let mut state = self.bell.lock();
        state.written = state.written.max(number);
        self.bell.changed.notify_all();
        Ok(number)
    }

    fn page(&self, after: u64, limit: usize) -> Result<Vec<AuditRow>, StoreError> {
        self.local.page(after, limit)
    }

    fn last(&self) -> Result<Option<AuditRow>, StoreError> {
        self.local.last()
    }
}

impl Drop for LocalFirstAudit {
    fn drop(&mut self) {
        let mut state = self.bell.lock();
        state.ended = true;
        self.bell.changed.notify_all();
        let arriving = |state: &mut State| state.arrived < state.written;
        drop(self.bell.changed.wait_timeout_while(state, FAREWELL, arriving));
    }
}

impl Bell {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Plain numbers, whole at any moment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn carry(&self, carrier: &mut Carrier) {
        let mut is_away = false;
        loop {
            let mut state = self.lock();
            while state.arrived >= state.written {
                if state.ended {
                    return;
                }
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            let after = state.arrived;
            drop(state);
            match carrier.some(after) {
                Ok(arrived) => {
                    if std::mem::take(&mut is_away) {
                        tracing::info!(arrived, "the server takes audit rows again");
                    }
                    let mut state = self.lock();
                    state.arrived = arrived;
                    self.changed.notify_all();
                }
                Err(error) => {
                    if !std::mem::replace(&mut is_away, true) {
                        tracing::error!(%error, after, "audit rows are stored here, but not yet on the server");
                    }
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

impl Carrier {
    /// Carries the rows after this one, as many as one reading brings; the last that arrived.
    fn some(&mut self, after: u64) -> Result<u64, StoreError> {
        let rows = self.local.page(after, CARRIED_AT_ONCE)?;
        let last = rows.last().map_or(after, |row| row.number);
        for row in &rows {
            self.remote.append(&row.record)?;
        }
        // Written after the rows: what a crash leaves to be carried again is recognised there.
        self.arrived.set_meta(ARRIVED, &last.to_string())?;
        Ok(last)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::EmbeddedStore;
    use crate::contract::audit::act;

    /// A server that refuses until it is let, and shows what reached it.
    struct Gated {
        open: Arc<Mutex<bool>>,
        tried: mpsc::Sender<Result<AuditRecord, ()>>,
    }

    impl Audit for Gated {
        fn append(&mut self, record: &AuditRecord) -> Result<u64, StoreError> {
            let open = *self.open.lock().unwrap();
            // The test may have ended.
            let _ = self.tried.send(open.then(|| record.clone()).ok_or(()));
            if open {
                return Ok(1);
            }
            Err(StoreError::Failed { place: "there".to_owned(), doing: "append", source: "down".into() })
        }

        fn page(&self, _after: u64, _limit: usize) -> Result<Vec<AuditRow>, StoreError> {
            Ok(Vec::new())
        }

        fn last(&self) -> Result<Option<AuditRow>, StoreError> {
            Ok(None)
        }
    }

    fn local_first(
        store: &EmbeddedStore,
        open: &Arc<Mutex<bool>>,
    ) -> (LocalFirstAudit, mpsc::Receiver<Result<AuditRecord, ()>>) {
        let (tried, seen) = mpsc::channel();
        let remote = Box::new(Gated { open: Arc::clone(open), tried });
        let handle = || Box::new(store.audit().unwrap());
        let audit = LocalFirstAudit::new(handle(), handle(), Box::new(store.meta().unwrap()), remote).unwrap();
        (audit, seen)
    }

    /// The next rows that reach the server.
    fn arriving(seen: &mpsc::Receiver<Result<AuditRecord, ()>>, count: usize) -> Vec<AuditRecord> {
        seen.iter().filter_map(Result::ok).take(count).collect()
    }

    #[test]
    fn rows_are_kept_here_while_the_server_is_down_and_all_reach_it_when_it_is_back() {
        let directory = tempfile::tempdir().unwrap();
        let store = EmbeddedStore::open(directory.path()).unwrap();
        let open = Arc::new(Mutex::new(false));
        let (mut audit, seen) = local_first(&store, &open);
        // More than are carried at once, and none of them in memory.
        let acts: Vec<AuditRecord> = (1..=150).map(act).collect();
        for act in &acts {
            audit.append(act).unwrap();
        }
        assert_eq!(seen.recv(), Ok(Err(())));
        assert_eq!((audit.waiting(), audit.last().unwrap().unwrap().number), (150, 150));
        *open.lock().unwrap() = true;
        assert_eq!(arriving(&seen, 150), acts);
    }

    #[test]
    fn what_one_process_could_not_carry_the_next_one_does() {
        let directory = tempfile::tempdir().unwrap();
        let store = EmbeddedStore::open(directory.path()).unwrap();
        let open = Arc::new(Mutex::new(false));
        let (mut audit, seen) = local_first(&store, &open);
        audit.append(&act(1)).unwrap();
        audit.append(&act(2)).unwrap();
        assert_eq!(seen.recv(), Ok(Err(())));
        drop(audit);
        *open.lock().unwrap() = true;
        let (audit, seen) = local_first(&store, &open);
        assert_eq!(arriving(&seen, 2), [act(1), act(2)]);
        // Its end waits for the number to be kept: nothing is carried again.
        drop(audit);
        let (mut audit, seen) = local_first(&store, &open);
        assert_eq!(audit.waiting(), 0);
        audit.append(&act(3)).unwrap();
        assert_eq!(arriving(&seen, 1), [act(3)]);
    }
}
