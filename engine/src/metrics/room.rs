//! What history takes: looked at once a minute at most, however often somebody scrapes, because a store has to
//! count for it.

use std::time::{Duration, Instant};

use store::{BarFilter, Filter, HistoryStore, StoreError};
use tokio::sync::Mutex;

/// A look counts for so long, and one that failed as well.
const FRESH: Duration = Duration::from_secs(60);
/// The longest that a scrape waits for a look.
const PATIENCE: Duration = Duration::from_secs(2);

/// What it takes, by table.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Room {
    /// Bytes, with indexes.
    pub bytes: Vec<(String, u64)>,
    /// Rows.
    pub rows: Vec<(String, u64)>,
}

impl Room {
    fn of(store: &HistoryStore) -> Result<Self, StoreError> {
        let history = store.history()?;
        let bytes = history.disk_usage()?.into_iter().map(|size| (size.table, size.bytes)).collect();
        let sessions = history.coverage(&Filter::default())?.iter().map(|listing| listing.sessions).sum();
        let bars = history.bar_coverage(&BarFilter::default())?.iter().map(|series| series.bars).sum();
        Ok(Self { bytes, rows: vec![("daily_record".to_owned(), sessions), ("bars".to_owned(), bars)] })
    }
}

/// What was last seen.
#[derive(Default)]
pub struct Rooms(Mutex<Option<(Instant, Option<Room>)>>);

impl Rooms {
    /// What history takes, a minute ago at most; nothing where that cannot be told.
    pub async fn look(&self, store: &HistoryStore) -> Option<Room> {
        // Whoever comes while another one looks does without.
        let mut seen = self.0.try_lock().ok()?;
        if let Some((at, room)) = &*seen
            && at.elapsed() < FRESH
        {
            return room.clone();
        }
        let store = store.clone();
        let look = tokio::task::spawn_blocking(move || Room::of(&store));
        let room = match tokio::time::timeout(PATIENCE, look).await {
            Ok(Ok(Ok(room))) => Some(room),
            Ok(Ok(Err(error))) => {
                tracing::warn!(%error, "what history takes cannot be told");
                None
            }
            Ok(Err(_)) | Err(_) => None,
        };
        *seen = Some((Instant::now(), room.clone()));
        room
    }
}
