//! Every trade of the last twenty sessions or so, from B3: one ZIP with one CSV per session.
//!
//! A row that takes a trade back (`AcaoAtualizacao` 2) names it by day, instrument and number. The file
//! is read twice: first for those rows, so that each trade comes out once and already says whether it
//! was canceled. A trade of the after-market stands in the next session's file; it belongs to the day
//! that its own column names (`DataNegocio`).
//!
//! Few tickers are asked one by one, more by the file of the whole market. An expired day answers 200
//! with nothing. Source: `market-data-sources.md` 3.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::sync::Arc;

use chrono::NaiveTime;
use market::history::{DelayClass, SourceName};
use market::{Calendar, Date, Price, Quantity, Symbol, Timestamp};
use zip::ZipArchive;

use super::json::{brazilian, price_of};
use super::{base_url, check, key};
use crate::fetch::beginning;
use crate::source::{
    Ask, Body, Expects, Facts, Item, Malformed, Nothing, Reading, Request, Settings, Source, SourceError, SourceTrade,
    Subject, Take,
};

/// Its name.
pub const NAME: &str = "b3_trades";

const FACTS: Facts = Facts {
    name: SourceName::of(NAME),
    about: "every trade of the last 20 sessions, 15 minutes old within the session, from B3",
    delay: DelayClass::Delayed,
    answers: &[Subject::Trades],
    requests_per_minute: 10,
    wants_secret: false,
    off_because: None,
};

const ADDRESS: &str = "https://arquivos.b3.com.br";

/// More tickers than this come by the file of the whole market.
const FEW_SYMBOLS: usize = 10;
/// The longest line that is one; real ones have about 100 bytes.
const MOST_LINE: u64 = 512;
/// The longest text that is unpacked; a busy day of the whole market has 1 GB.
const MOST_UNPACKED: u64 = 4 * 1024 * 1024 * 1024;
/// More trades than this are not taken back on one day; their memory is bounded by it.
const MOST_CANCELS: usize = 1_000_000;

/// More units than any trade has.
const MOST_UNITS: i64 = 1_000_000_000_000;

/// The columns that are read; others may stand between and behind them.
const COLUMNS: [&str; 9] = [
    "DataReferencia",
    "CodigoInstrumento",
    "AcaoAtualizacao",
    "PrecoNegocio",
    "QuantidadeNegociada",
    "HoraFechamento",
    "CodigoIdentificadorNegocio",
    "TipoSessaoPregao",
    "DataNegocio",
];

struct Trades {
    base: String,
    calendar: Arc<Calendar>,
}

/// Builds it.
///
/// # Errors
/// None.
pub fn build(settings: &Settings) -> Result<Box<dyn Source>, SourceError> {
    Ok(Box::new(Trades { base: base_url(settings, ADDRESS), calendar: Calendar::b3() }))
}

impl Source for Trades {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn plan(&self, ask: &Ask) -> Result<Vec<Request>, SourceError> {
        check(&FACTS, ask)?;
        let one_by_one = (1..=FEW_SYMBOLS).contains(&ask.symbols.len());
        let mut requests = Vec::new();
        for date in self.calendar.sessions(ask.from, ask.to.min(ask.today)) {
            let address = format!("{}/rapinegocios/tickercsv", self.base);
            if one_by_one {
                let request =
                    |symbol: &Symbol| self.request(&[*symbol], date, format!("{address}/{symbol}/{date}"), ask);
                requests.extend(ask.symbols.iter().map(request));
            } else {
                requests.push(self.request(&ask.symbols, date, format!("{address}/{date}"), ask));
            }
        }
        Ok(requests)
    }

    fn read(&self, request: &Request, body: &mut dyn Body, take: &mut Take<'_>) -> Result<Reading, SourceError> {
        let mut archive = ZipArchive::new(body).map_err(|error| bad_zip(&error))?;
        if archive.len() != 1 {
            return Err(malformed(WHOLE.to_owned(), "one file belongs into the ZIP", format!("{} are", archive.len())));
        }
        let mut canceled: HashMap<(Date, Symbol, u64), Option<SourceTrade>> = HashMap::new();
        let mut note = |row: Row, place: &str| {
            if row.cancels {
                let trade = SourceTrade { canceled: true, ..row.trade };
                canceled.insert(identity(&row.trade), Some(trade));
            }
            if canceled.len() > MOST_CANCELS {
                return Err(malformed(place.to_owned(), "too many trades are taken back", MOST_CANCELS.to_string()));
            }
            Ok(())
        };
        rows(request, &mut archive, &mut note)?;
        let mut items = 0;
        let mut give = |trade: SourceTrade| {
            items += 1;
            take(Item::Trade(trade)).map_err(SourceError::Stopped)
        };
        rows(request, &mut archive, &mut |row, _| {
            if row.cancels {
                return Ok(());
            }
            let taken_back = canceled.get_mut(&identity(&row.trade));
            let is_taken_back = taken_back.is_some();
            if let Some(found) = taken_back {
                *found = None;
            }
            give(SourceTrade { canceled: is_taken_back, ..row.trade })
        })?;
        // Taken back today, made in an earlier file.
        let mut earlier: Vec<SourceTrade> = canceled.into_values().flatten().collect();
        earlier.sort_by_key(|trade| (trade.symbol, trade.at, trade.trade_id));
        earlier.into_iter().try_for_each(&mut give)?;
        Ok(Reading::items(items))
    }
}

impl Trades {
    fn request(&self, symbols: &[Symbol], date: Date, url: String, ask: &Ask) -> Request {
        let meaning = format!("B3 has no trades of {date}: not yet, not any more, or nothing traded");
        Request {
            expects: Expects::Zip,
            nothing: Some(Nothing { statuses: &[404, 204], empty: true, meaning }),
            resumable: true,
            most_bytes: 1024 * 1024 * 1024,
            ..Request::json(
                key(&format!("trades {date}"), symbols),
                url,
                Ask { symbols: symbols.to_vec(), from: date, to: date, ..ask.clone() },
            )
        }
    }
}

struct Row {
    trade: SourceTrade,
    cancels: bool,
}

fn identity(trade: &SourceTrade) -> (Date, Symbol, u64) {
    (trade.session, trade.symbol, trade.trade_id)
}

/// Every row of the file that was asked for, with its place.
fn rows(
    request: &Request,
    archive: &mut ZipArchive<&mut dyn Body>,
    each: &mut dyn FnMut(Row, &str) -> Result<(), SourceError>,
) -> Result<(), SourceError> {
    let file = archive.by_index(0).map_err(|error| bad_zip(&error))?;
    let mut text = BufReader::with_capacity(128 * 1024, file.take(MOST_UNPACKED));
    let mut line = Vec::new();
    let mut columns: Option<[usize; COLUMNS.len()]> = None;
    let mut number = 0_u64;
    loop {
        line.clear();
        number += 1;
        let place = || format!("line {number}");
        let count = text
            .by_ref()
            .take(MOST_LINE)
            .read_until(b'\n', &mut line)
            .map_err(|error| malformed(place(), "it cannot be unpacked; it was cut short", error.to_string()))?;
        if count == 0 {
            break;
        }
        if line.last() != Some(&b'\n') && count as u64 == MOST_LINE {
            return Err(malformed(place(), "the line is too long", beginning(&line)));
        }
        let told = std::str::from_utf8(line.trim_ascii_end())
            .map_err(|_| malformed(place(), "the line is no text", beginning(&line)))?;
        match (&columns, told) {
            (None, header) => columns = Some(places(header, place())?),
            (Some(_), "") => {}
            (Some(columns), told) => {
                if let Some(row) = row(request, told, columns, &place)? {
                    each(row, &place())?;
                }
            }
        }
    }
    if text.get_ref().limit() == 0 {
        return Err(malformed(WHOLE.to_owned(), "it unpacks to more than 4 GiB", String::new()));
    }
    if columns.is_none() {
        return Err(malformed(WHOLE.to_owned(), "the file in the ZIP is empty", String::new()));
    }
    Ok(())
}

/// Where each column stands.
fn places(header: &str, place: String) -> Result<[usize; COLUMNS.len()], SourceError> {
    let names: Vec<&str> = header.trim_start_matches('\u{feff}').split(';').map(str::trim).collect();
    let mut places = [0; COLUMNS.len()];
    for (at, column) in places.iter_mut().zip(COLUMNS) {
        *at = names.iter().position(|name| *name == column).ok_or_else(|| {
            malformed(place.clone(), &format!("the column {column} is missing"), beginning(header.as_bytes()))
        })?;
    }
    Ok(places)
}

/// A row, unless it is of a symbol that was not asked for.
fn row(
    request: &Request,
    told: &str,
    columns: &[usize; COLUMNS.len()],
    place: &dyn Fn() -> String,
) -> Result<Option<Row>, SourceError> {
    let fields: Vec<&str> = told.split(';').map(str::trim).collect();
    let wrong = |column: usize, problem: &str| {
        let value = columns.get(column).and_then(|at| fields.get(*at)).copied().unwrap_or("nothing");
        malformed(format!("{}, {}", place(), COLUMNS[column]), problem, beginning(value.as_bytes()))
    };
    let field =
        |column: usize| fields.get(columns[column]).copied().ok_or_else(|| wrong(column, "the row is too short"));
    let date = |column: usize| -> Result<Date, SourceError> {
        field(column)?.parse().map_err(|_| wrong(column, "a day such as 2026-07-14 belongs here"))
    };
    let whole = |column: usize| -> Result<u64, SourceError> {
        field(column)?.parse().map_err(|_| wrong(column, "a whole number belongs here"))
    };
    let symbol: Symbol = field(1)?.parse().map_err(|_| wrong(1, "a ticker belongs here"))?;
    let part = &request.part;
    if !part.symbols.is_empty() && !part.symbols.contains(&symbol) {
        return Ok(None);
    }
    if date(0)? != part.from {
        return Err(wrong(0, &format!("the file of {} was asked for", part.from)));
    }
    let session = date(8)?;
    if session > part.from {
        return Err(wrong(8, "a trade cannot be of a day after its file"));
    }
    let cancels = match field(2)? {
        "0" => false,
        "2" => true,
        _ => return Err(wrong(2, "0 (new) or 2 (taken back) belongs here")),
    };
    let time = field(5)?;
    let at = time_of_day(time)
        .and_then(|time| Timestamp::from_local(session.and_time(time)))
        .ok_or_else(|| wrong(5, "a time such as 100719126 belongs here"))?;
    let price: Price =
        brazilian(field(3)?).and_then(price_of).ok_or_else(|| wrong(3, "a price such as 41,200 belongs here"))?;
    let units = i64::try_from(whole(4)?).ok().filter(|units| (1..=MOST_UNITS).contains(units));
    let quantity = Quantity::new(units.ok_or_else(|| wrong(4, "units above zero and up to 10^12 belong here"))?);
    let after_market = match field(7)? {
        "1" => false,
        "6" => true,
        _ => return Err(wrong(7, "1 (regular) or 6 (after-market) belongs here")),
    };
    let trade =
        SourceTrade { symbol, at, session, trade_id: whole(6)?, price, quantity, canceled: false, after_market };
    Ok(Some(Row { trade, cancels }))
}

/// HHMMSSmmm; a leading zero may be missing.
fn time_of_day(text: &str) -> Option<NaiveTime> {
    if !(7..=9).contains(&text.len()) || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: u32 = text.parse().ok()?;
    let (clock, milli) = (number / 1_000, number % 1_000);
    NaiveTime::from_hms_milli_opt(clock / 10_000, clock / 100 % 100, clock % 100, milli)
}

/// Where it is no line that is wrong.
const WHOLE: &str = "the whole file";

fn bad_zip(error: &zip::result::ZipError) -> SourceError {
    malformed(WHOLE.to_owned(), "it is a ZIP file that cannot be unpacked", error.to_string())
}

fn malformed(place: String, problem: &str, value: String) -> SourceError {
    Malformed {
        source_name: FACTS.name,
        place,
        problem: problem.to_owned(),
        value,
        remedy: "nothing of this file was kept; fetch it again later".to_owned(),
    }
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_may_lack_their_leading_zero() {
        for (text, expected) in [
            ("100719126", Some("10:07:19.126")),
            ("93015123", Some("09:30:15.123")),
            ("093015123", Some("09:30:15.123")),
            ("3015123", Some("00:30:15.123")),
            ("240000000", None),
            ("106000000", None),
            ("1007191260", None),
            ("1007", None),
            ("10:07:19", None),
            ("-10071912", None),
        ] {
            assert_eq!(time_of_day(text), expected.map(|time| time.parse().unwrap()), "{text}");
        }
    }
}
