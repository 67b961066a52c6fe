//! The audit in Postgres.

use std::sync::Arc;

use market::Timestamp;
use tokio_postgres::Row;

use super::Shared;
use super::fault::Fault;
use super::journal::digest_of;
use super::server::{Parameter, Session};
use crate::audit::{Audit, AuditHead, AuditRecord, AuditRow, LONGEST_PAGE};
use crate::digest::Digest;
use crate::error::StoreError;
use crate::journal::Break;

/// Rows are linked one behind the other, whoever writes them; readers are not kept out.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED; LOCK TABLE audit IN SHARE ROW EXCLUSIVE MODE";

const STORED: &str = "SELECT number FROM audit WHERE digest = $1";

const INSERT: &str = "INSERT INTO audit
     (number, at, who, role, origin, action, target, reason, before, after, outcome, digest, hash)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";

const HEAD: &str = "SELECT number, hash FROM audit WHERE number <= $1 ORDER BY number DESC LIMIT 1";

const PAGE: &str = "SELECT number, at, who, role, origin, action, target, reason, before, after, outcome, hash
     FROM audit WHERE number > $1 ORDER BY number LIMIT $2";

/// Audit on a server.
pub struct PostgresAudit {
    shared: Arc<Shared>,
}

impl PostgresAudit {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }
}

impl Audit for PostgresAudit {
    fn append(&mut self, record: &AuditRecord) -> Result<u64, StoreError> {
        self.shared.writable()?;
        record.check()?;
        let record = record.clone();
        self.shared.server.call("append to the audit", move |session| Box::pin(append(session, record)))
    }

    fn page(&self, after: u64, limit: usize) -> Result<Vec<AuditRow>, StoreError> {
        let limit = limit.min(LONGEST_PAGE);
        self.shared.server.call("read the audit", move |session| Box::pin(page(session, after, limit)))
    }

    fn last(&self) -> Result<Option<AuditRow>, StoreError> {
        self.shared.server.call("read the audit", |session| {
            Box::pin(async move {
                let head = head(session, i64::MAX).await?;
                Ok(page(session, head.number.saturating_sub(1), 1).await?.pop())
            })
        })
    }
}

async fn append(session: &mut Session, record: AuditRecord) -> Result<u64, Fault> {
    let digest = record.digest();
    session.client.batch_execute(BEGIN).await?;
    if let Some(row) = session.rows(STORED, &[&digest.as_bytes().as_slice()]).await?.first() {
        let number = number_of(row)?;
        session.client.batch_execute("COMMIT").await?;
        return Ok(number);
    }
    let next = head(session, i64::MAX).await?.after(&digest);
    let AuditRecord { at, who, role, origin, action, target, reason, before, after, outcome } = &record;
    let number = i64::try_from(next.number).unwrap_or(i64::MAX);
    let (at, outcome) = (at.as_nanos(), outcome.name());
    let (digest, hash) = (digest.as_bytes().as_slice(), next.hash.as_bytes().as_slice());
    let with: [Parameter<'_>; 13] =
        [&number, &at, who, role, origin, action, target, reason, before, after, &outcome, &digest, &hash];
    session.change(INSERT, &with).await?;
    session.client.batch_execute("COMMIT").await?;
    Ok(next.number)
}

async fn head(session: &mut Session, through: i64) -> Result<AuditHead, Fault> {
    let rows = session.rows(HEAD, &[&through]).await?;
    let Some(row) = rows.first() else { return Ok(AuditHead::START) };
    Ok(AuditHead { number: number_of(row)?, hash: digest_of(row, 1)? })
}

async fn page(session: &mut Session, after: u64, limit: usize) -> Result<Vec<AuditRow>, Fault> {
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    let mut head = head(session, after).await?;
    let mut page = Vec::new();
    for row in session.rows(PAGE, &[&after, &i64::try_from(limit).unwrap_or(i64::MAX)]).await? {
        let row = row_of(&row).map_err(|_| head.broken_next(Break::Unreadable))?;
        head = head.check(&row)?;
        page.push(row);
    }
    Ok(page)
}

/// From `number, at, who, role, origin, action, target, reason, before, after, outcome, hash`.
fn row_of(row: &Row) -> Result<AuditRow, Fault> {
    let outcome: &str = row.try_get(10)?;
    let record = AuditRecord {
        at: Timestamp::from_nanos(row.try_get(1)?),
        who: row.try_get(2)?,
        role: row.try_get(3)?,
        origin: row.try_get(4)?,
        action: row.try_get(5)?,
        target: row.try_get(6)?,
        reason: row.try_get(7)?,
        before: row.try_get(8)?,
        after: row.try_get(9)?,
        outcome: outcome.parse().map_err(|error| Fault::Damaged(format!("{error}")))?,
    };
    let hash: Digest = digest_of(row, 11)?;
    Ok(AuditRow { number: number_of(row)?, record, hash })
}

pub(super) fn number_of(row: &Row) -> Result<u64, Fault> {
    u64::try_from(row.try_get::<_, i64>(0)?).map_err(|_| Fault::Damaged("a number is negative".to_owned()))
}
