//! Rows as the binary form of COPY wants them, and sending them.

use std::io::Cursor;
use std::pin::pin;

use chrono::{DateTime, Datelike, Utc};
use futures_util::SinkExt;
use market::{Date, Timestamp};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::super::fault::Fault;

/// Sixteen thousand rows with room to spare.
const USUAL_SIZE: usize = 4 << 20;

/// Signature, flags, and the length of no extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// Days from year 1 to 2000-01-01, where Postgres counts from.
const DAYS_TO_2000: i32 = 730_120;

/// Microseconds from 1970 to 2000, the same.
const MICROS_TO_2000: i64 = 946_684_800_000_000;

/// Rows, encoded.
pub(super) struct Rows(Vec<u8>);

impl Rows {
    pub(super) fn new() -> Self {
        let mut bytes = Vec::with_capacity(USUAL_SIZE);
        bytes.extend_from_slice(HEADER);
        Self(bytes)
    }

    pub(super) fn row(&mut self, columns: i16) {
        self.0.extend_from_slice(&columns.to_be_bytes());
    }

    pub(super) fn integer(&mut self, value: i32) {
        self.field(&value.to_be_bytes());
    }

    pub(super) fn bigint(&mut self, value: i64) {
        self.field(&value.to_be_bytes());
    }

    pub(super) fn maybe_bigint(&mut self, value: Option<i64>) {
        match value {
            Some(value) => self.bigint(value),
            None => self.null(),
        }
    }

    pub(super) fn date(&mut self, date: Date) {
        self.integer(date.num_days_from_ce() - DAYS_TO_2000);
    }

    pub(super) fn moment(&mut self, at: Timestamp) {
        // Whole microseconds only get here, so nothing is cut off.
        self.bigint(at.as_nanos() / 1_000 - MICROS_TO_2000);
    }

    pub(super) fn text(&mut self, text: &str) {
        self.field(text.as_bytes());
    }

    pub(super) fn null(&mut self) {
        self.0.extend_from_slice(&(-1_i32).to_be_bytes());
    }

    fn field(&mut self, bytes: &[u8]) {
        // The longest text is a short company name.
        self.0.extend_from_slice(&i32::try_from(bytes.len()).unwrap_or(i32::MAX).to_be_bytes());
        self.0.extend_from_slice(bytes);
    }

    /// Sends all to `COPY … FROM STDIN BINARY`.
    pub(super) async fn send(mut self, client: &Client, statement: &str) -> Result<u64, Fault> {
        self.0.extend_from_slice(&(-1_i16).to_be_bytes());
        let mut sink = pin!(client.copy_in::<_, Cursor<Vec<u8>>>(statement).await?);
        sink.send(Cursor::new(self.0)).await?;
        Ok(sink.as_mut().finish().await?)
    }

    /// Sends all to a table where none of the rows may be; `false`, and nothing sent, if one is.
    pub(super) async fn send_if_new(self, client: &Client, statement: &str) -> Result<bool, Fault> {
        client.batch_execute("SAVEPOINT chunk").await?;
        match self.send(client, statement).await {
            Ok(_) => {
                client.batch_execute("RELEASE chunk").await?;
                Ok(true)
            }
            Err(Fault::Sql(error)) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => {
                client.batch_execute("ROLLBACK TO chunk; RELEASE chunk").await?;
                Ok(false)
            }
            Err(fault) => Err(fault),
        }
    }
}

/// A bound of a range of dates, as near as Postgres can count.
pub(super) fn bound(date: Date) -> Date {
    let beyond = |year, month, day| Date::from_ymd_opt(year, month, day).unwrap_or(date);
    // Nothing is stored before year 1 or after 9999.
    date.clamp(beyond(0, 12, 31), beyond(10_000, 1, 1))
}

/// The lower bound of a range of times, in whole microseconds.
pub(super) fn lower(from: Timestamp) -> DateTime<Utc> {
    let nanos = from.as_nanos();
    let up = nanos.rem_euclid(1_000);
    Timestamp::from_nanos(if up == 0 { nanos } else { nanos.saturating_add(1_000 - up) }).utc()
}

/// The upper bound of a range of times, in whole microseconds.
pub(super) fn upper(to: Timestamp) -> DateTime<Utc> {
    let nanos = to.as_nanos();
    Timestamp::from_nanos(nanos.saturating_sub(nanos.rem_euclid(1_000))).utc()
}

/// The time of a row.
pub(super) fn timestamp(at: DateTime<Utc>) -> Result<Timestamp, Fault> {
    let nanos = at.timestamp_nanos_opt().ok_or_else(|| damaged("time"))?;
    Ok(Timestamp::from_nanos(nanos))
}

/// A stored value that no row could have had.
pub(super) fn damaged(what: &str) -> Fault {
    Fault::Damaged(format!("a stored {what} is not one"))
}
