//! Columns of a row as the market's words.

use market::history::FixedText;
use market::{InstrumentKind, Isin, Price, Symbol};
use rust_decimal::Decimal;
use tokio_postgres::Row;

use super::super::fault::Fault;
use super::copy::damaged;
use crate::history::exact;

pub(super) fn price(row: &Row, column: usize) -> Result<Price, Fault> {
    Ok(Price::from_steps(row.try_get(column)?))
}

pub(super) fn small(row: &Row, column: usize) -> Result<u16, Fault> {
    u16::try_from(row.try_get::<_, i32>(column)?).map_err(|_| damaged("small number"))
}

pub(super) fn number(row: &Row, column: usize) -> Result<u32, Fault> {
    u32::try_from(row.try_get::<_, i64>(column)?).map_err(|_| damaged("number"))
}

pub(super) fn count(row: &Row, column: usize) -> Result<u64, Fault> {
    u64::try_from(row.try_get::<_, i64>(column)?).map_err(|_| damaged("count"))
}

pub(super) fn symbol(row: &Row, column: usize) -> Result<Symbol, Fault> {
    row.try_get::<_, &str>(column)?.parse().map_err(|_| damaged("symbol"))
}

pub(super) fn isin(row: &Row, column: usize) -> Result<Option<Isin>, Fault> {
    let text: Option<&str> = row.try_get(column)?;
    text.map(|text| text.parse().map_err(|_| damaged("ISIN"))).transpose()
}

pub(super) fn kind(row: &Row, column: usize) -> Result<InstrumentKind, Fault> {
    InstrumentKind::from_name(row.try_get(column)?).ok_or_else(|| damaged("kind"))
}

pub(super) fn fixed<const N: usize>(row: &Row, column: usize) -> Result<FixedText<N>, Fault> {
    exact::fixed_from(row.try_get(column)?).ok_or_else(|| damaged("fixed-width text"))
}

pub(super) fn decimal(text: &str) -> Result<Decimal, Fault> {
    text.parse().map_err(|_| damaged("decimal"))
}
