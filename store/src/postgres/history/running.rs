//! The side of an import that has the connection: one transaction, chunk by chunk.

use std::sync::mpsc::Sender;

use market::history::{CorporateAction, HistoryBar, IndexMember, SourceName};
use market::{DailyRecord, IndexClose};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_postgres::Client;

use super::super::fault::Fault;
use super::bars::BarRows;
use super::daily::DailyRows;
use super::events;
use super::partitions::Partitions;
use crate::error::StoreError;
use crate::history::exact::ExactDaily;
use crate::history::{ImportCounts, ImportSource};

/// The first number of the lock that an import holds until its end; the second is the schema's. "HIST"
/// in ASCII, which nobody else uses in this database.
const LOCK: i32 = 0x4849_5354;

/// Tells the server what an import is. A statement of one works on a bounded number of rows for less than
/// a second, but on a busy disk, and beside it waits no order: so its limit is not that of the ledger. Between
/// two statements a large file is read, or fetched. And a merge finds its rows by key: for a chunk the server
/// would rather read whole parts.
const LIMITS: &str = "SET LOCAL statement_timeout = '60s'; SET LOCAL idle_in_transaction_session_timeout = '600s';
     SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off";

/// What the caller's side sends.
pub(super) enum Step {
    Daily(Vec<(DailyRecord, ExactDaily)>),
    Bars(Vec<(HistoryBar, Option<i64>)>),
    Closes(Vec<(String, IndexClose)>),
    Members(Vec<IndexMember>),
    Actions(Vec<CorporateAction>),
    Commit,
    Abort,
}

/// What it hears, one for each step and one before the first.
pub(super) enum Answer {
    Ready,
    Taken,
    Committed(ImportCounts),
    RolledBack,
}

/// Where the answers go. Nobody may be listening any more.
pub(super) type Answers = Sender<Result<Answer, Fault>>;

struct Running<'a> {
    client: &'a Client,
    id: i64,
    source: SourceName,
    partitions: Partitions,
    daily: DailyRows,
    bars: BarRows,
    counts: ImportCounts,
}

/// Takes steps until one of them ends it; an error ends it too, and nothing is kept.
pub(super) async fn run(
    client: &Client,
    place: String,
    source: ImportSource,
    steps: UnboundedReceiver<Step>,
    answers: Answers,
) -> Result<(), Fault> {
    let ended = take_all(client, place, source, steps, answers).await;
    if ended.is_err() {
        // Told before the error is: whoever hears it may begin the next import at once. A connection that is
        // gone has rolled back by itself.
        let _ = client.batch_execute("ROLLBACK").await;
    }
    ended
}

async fn take_all(
    client: &Client,
    place: String,
    source: ImportSource,
    mut steps: UnboundedReceiver<Step>,
    answers: Answers,
) -> Result<(), Fault> {
    begin(client, place).await?;
    let mut running = Running {
        client,
        id: register(client, &source).await?,
        source: source.source,
        partitions: Partitions::look(client).await?,
        daily: DailyRows::default(),
        bars: BarRows::default(),
        counts: ImportCounts::default(),
    };
    let _ = answers.send(Ok(Answer::Ready));
    while let Some(step) = steps.recv().await {
        match step {
            Step::Abort => break,
            Step::Commit => {
                running.finish().await?;
                let _ = answers.send(Ok(Answer::Committed(running.counts)));
                return Ok(());
            }
            step => running.take(step).await?,
        }
        let _ = answers.send(Ok(Answer::Taken));
    }
    client.batch_execute("ROLLBACK").await?;
    let _ = answers.send(Ok(Answer::RolledBack));
    Ok(())
}

/// Begins the transaction, alone.
pub(super) async fn begin(client: &Client, place: String) -> Result<(), Fault> {
    client.batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
    client.batch_execute(LIMITS).await?;
    let alone =
        client.query_one("SELECT pg_try_advisory_xact_lock($1, hashtext(current_schema()::text))", &[&LOCK]).await?;
    if alone.try_get(0)? {
        return Ok(());
    }
    Err(StoreError::Unusable {
        place,
        problem: "is busy with another write of history",
        remedy: "wait for the running import to end, then try again",
        source: None,
    }
    .into())
}

async fn register(client: &Client, source: &ImportSource) -> Result<i64, Fault> {
    let size = i64::try_from(source.size).unwrap_or(i64::MAX);
    let digest = source.sha256.as_ref().map(|digest| digest.as_bytes().as_slice());
    let row = client
        .query_one(
            "INSERT INTO import (name, kind, source, size, sha256, at, inserted, unchanged, updated, outranked)
             VALUES ($1, $2, $3, $4, $5, $6, 0, 0, 0, 0) RETURNING id",
            &[&source.name, &source.kind, &source.source.as_str(), &size, &digest, &source.at.as_nanos()],
        )
        .await?;
    Ok(row.try_get(0)?)
}

impl Running<'_> {
    async fn take(&mut self, step: Step) -> Result<(), Fault> {
        let Self { client, id, source, partitions, daily, bars, counts } = self;
        match step {
            Step::Daily(rows) => daily.take(client, partitions, *id, &rows, counts).await?,
            Step::Bars(rows) => bars.take(client, partitions, *id, &rows, counts).await?,
            Step::Closes(rows) => events::closes(client, *id, *source, &rows, counts).await?,
            Step::Members(rows) => events::members(client, *id, *source, &rows, counts).await?,
            Step::Actions(rows) => events::actions(client, *id, &rows, counts).await?,
            // Handled by whoever hands the steps over.
            Step::Commit | Step::Abort => {}
        }
        Ok(())
    }

    async fn finish(&self) -> Result<(), Fault> {
        self.daily.finish(self.client).await?;
        self.bars.finish(self.client).await?;
        let count = |rows: u64| i64::try_from(rows).unwrap_or(i64::MAX);
        let ImportCounts { inserted, unchanged, updated, outranked } = self.counts;
        self.client
            .execute(
                "UPDATE import SET inserted = $2, unchanged = $3, updated = $4, outranked = $5 WHERE id = $1",
                &[&self.id, &count(inserted), &count(unchanged), &count(updated), &count(outranked)],
            )
            .await?;
        Ok(self.client.batch_execute("COMMIT").await?)
    }
}
