//! Index closes, members of indices and corporate actions of a running import: few rows each.

use rusqlite::{Connection, OptionalExtension, Statement, params};

use market::history::{CorporateAction, IndexMember, SourceName};
use market::{IndexClose, Isin, Symbol};

use super::super::database::Fault;
use super::super::row;
use super::{Change, Upsert};
use crate::history::rank::rank;

pub(super) struct EventImport<'a> {
    find_close: Statement<'a>,
    insert_close: Statement<'a>,
    update_close: Statement<'a>,
    members: Upsert<'a>,
    actions: Upsert<'a>,
}

impl<'a> EventImport<'a> {
    pub(super) fn begin(connection: &'a Connection) -> Result<Self, Fault> {
        Ok(Self {
            find_close: connection.prepare("SELECT source, close FROM index_close WHERE name = ?1 AND day = ?2")?,
            insert_close: connection
                .prepare("INSERT INTO index_close (name, day, import, source, close) VALUES (?1, ?2, ?3, ?4, ?5)")?,
            update_close: connection
                .prepare("UPDATE index_close SET import = ?3, source = ?4, close = ?5 WHERE name = ?1 AND day = ?2")?,
            members: Upsert {
                insert: connection.prepare(
                    "INSERT INTO index_member (name, day, source, symbol, import, theoretical_quantity,
                         weight_percent, reductor)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (name, day, source, symbol) DO NOTHING",
                )?,
                update: connection.prepare(
                    "UPDATE index_member SET (import, theoretical_quantity, weight_percent, reductor)
                         = (?5, ?6, ?7, ?8)
                     WHERE name = ?1 AND day = ?2 AND source = ?3 AND symbol = ?4
                         AND (theoretical_quantity, weight_percent, reductor) IS NOT (?6, ?7, ?8)",
                )?,
            },
            actions: Upsert {
                insert: connection.prepare(
                    "INSERT INTO corporate_action (source, isin, symbol, kind, last_date_prior, amount, ratio,
                         import, approved_on, payment_date, label)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
                     ON CONFLICT (source, isin, symbol, kind, last_date_prior, amount, ratio) DO NOTHING",
                )?,
                update: connection.prepare(
                    "UPDATE corporate_action SET (import, approved_on, payment_date, label)
                         = (?8, coalesce(?9, approved_on), coalesce(?10, payment_date), ?11)
                     WHERE source = ?1 AND isin = ?2 AND symbol = ?3 AND kind = ?4 AND last_date_prior = ?5
                         AND amount = ?6 AND ratio = ?7
                         AND (approved_on, payment_date, label)
                             IS NOT (coalesce(?9, approved_on), coalesce(?10, payment_date), ?11)",
                )?,
            },
        })
    }

    /// The better source's close stays, whichever came first.
    pub(super) fn index_close(
        &mut self,
        index: &str,
        close: &IndexClose,
        source: SourceName,
        import: i64,
    ) -> Result<Change, Fault> {
        let (day, steps) = (row::day_bound(close.date), close.close.steps());
        let known = self
            .find_close
            .query_row(params![index, day], |found| Ok((row::source(&found.get::<_, String>(0)?)?, found.get(1)?)))
            .optional()?;
        let row = params![index, day, import, source.as_str(), steps];
        Ok(match known {
            None => {
                self.insert_close.execute(row)?;
                Change::Inserted
            }
            Some(known) if known == (source, steps) => Change::Unchanged,
            Some((better, _)) if rank(better) < rank(source) => Change::Outranked,
            Some(_) => {
                self.update_close.execute(row)?;
                Change::Updated
            }
        })
    }

    pub(super) fn member(&mut self, member: &IndexMember, source: SourceName, import: i64) -> Result<Change, Fault> {
        self.members.put(|statement| {
            statement.raw_bind_parameter(1, member.index.as_str())?;
            statement.raw_bind_parameter(2, row::day_bound(member.date))?;
            statement.raw_bind_parameter(3, source.as_str())?;
            statement.raw_bind_parameter(4, member.symbol.as_str())?;
            statement.raw_bind_parameter(5, import)?;
            statement.raw_bind_parameter(6, member.theoretical_quantity.normalize().to_string())?;
            statement.raw_bind_parameter(7, member.weight_percent.normalize().to_string())?;
            statement.raw_bind_parameter(8, member.reductor.map(|reductor| reductor.normalize().to_string()))
        })
    }

    pub(super) fn action(&mut self, action: &CorporateAction, import: i64) -> Result<Change, Fault> {
        self.actions.put(|statement| {
            statement.raw_bind_parameter(1, action.source.as_str())?;
            statement.raw_bind_parameter(2, action.isin.as_ref().map_or("", Isin::as_str))?;
            statement.raw_bind_parameter(3, action.symbol.as_ref().map_or("", Symbol::as_str))?;
            statement.raw_bind_parameter(4, action.kind.name())?;
            statement.raw_bind_parameter(5, row::day_bound(action.last_date_prior))?;
            // One text for one number: 0.50 is 0.5.
            statement.raw_bind_parameter(6, action.amount.normalize().to_string())?;
            statement.raw_bind_parameter(7, action.ratio.normalize().to_string())?;
            statement.raw_bind_parameter(8, import)?;
            statement.raw_bind_parameter(9, action.approved_on.map(row::day_bound))?;
            statement.raw_bind_parameter(10, action.payment_date.map(row::day_bound))?;
            statement.raw_bind_parameter(11, &action.label)
        })
    }
}
