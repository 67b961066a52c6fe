//! The audit trail: one thread that writes what people did. Whoever changes something waits for its row;
//! whoever stops trading does not, and is written down after the switch was thrown.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use store::{Audit, AuditRecord, AuditRow, StoreError};
use tokio::sync::oneshot;

/// Rows that wait to be written. More acts at once than people and their scripts can make.
const MOST_WAITING: usize = 1_024;
/// The longest that somebody waits for a row.
const PATIENCE: Duration = Duration::from_secs(5);

type Waiting = (AuditRecord, oneshot::Sender<Result<u64, StoreError>>);

/// The trail, until it is dropped.
pub struct Trail {
    rows: SyncSender<Waiting>,
    audit: Arc<Mutex<Box<dyn Audit>>>,
}

impl Trail {
    /// Begins to write.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(audit: Box<dyn Audit>) -> std::io::Result<Self> {
        let (rows, waiting) = sync_channel(MOST_WAITING);
        let audit = Arc::new(Mutex::new(audit));
        let writing = Arc::clone(&audit);
        std::thread::Builder::new().name("audit".to_owned()).spawn(move || write(&waiting, &writing))?;
        Ok(Self { rows, audit })
    }

    /// Writes a row and waits until it is durable.
    ///
    /// # Errors
    /// It is not; the log has the row.
    pub async fn write(&self, record: AuditRecord) -> Result<u64, String> {
        let written = self.leave(record)?;
        match tokio::time::timeout(PATIENCE, written).await {
            Ok(Ok(Ok(number))) => Ok(number),
            Ok(Ok(Err(error))) => Err(error.to_string()),
            Ok(Err(_)) => Err("the audit is gone".to_owned()),
            Err(_) => Err(format!("the audit does not answer within {} s", PATIENCE.as_secs())),
        }
    }

    /// Has a row written and does not wait.
    ///
    /// # Errors
    /// Too many are waiting; the log has the row.
    pub fn leave(&self, record: AuditRecord) -> Result<oneshot::Receiver<Result<u64, StoreError>>, String> {
        let (reply, written) = oneshot::channel();
        self.rows.try_send((record, reply)).map_err(|error| {
            let (TrySendError::Full((record, _)) | TrySendError::Disconnected((record, _))) = error;
            tracing::error!(?record, "an act could not be written to the audit");
            "the audit takes no more rows".to_owned()
        })?;
        Ok(written)
    }

    /// Reads rows; blocks on the store.
    ///
    /// # Errors
    /// A row that is not what was written, or a failure below.
    pub fn page(&self, after: u64, limit: usize) -> Result<Vec<AuditRow>, StoreError> {
        self.audit.lock().unwrap_or_else(PoisonError::into_inner).page(after, limit)
    }
}

fn write(waiting: &Receiver<Waiting>, audit: &Mutex<Box<dyn Audit>>) {
    while let Ok((record, reply)) = waiting.recv() {
        let written = audit.lock().unwrap_or_else(PoisonError::into_inner).append(&record);
        if let Err(error) = &written {
            tracing::error!(%error, ?record, "an act could not be written to the audit");
        }
        // Whoever stopped trading did not wait.
        let _ = reply.send(written);
    }
}
