//! The shared data as series, and what the rules say of each.

use std::collections::BTreeMap;
use std::path::Path;

use feeds::cotahist;
use feeds::files::{Hints, read};
use feeds::source::Item;
use history::quality::{Context, Series, check};
use market::history::{CASH_MARKET, CorporateAction, HistoryBar, IndexClose, Interval, QualityMark, SourceName};
use market::{Calendar, Date, Symbol, Timestamp};

use crate::support::shared_data;

pub(crate) const COTAHIST: SourceName = SourceName::of("b3_cotahist");

/// What one file or ticker gave.
#[derive(Default)]
pub(crate) struct Held {
    pub(crate) bars: Vec<HistoryBar>,
    pub(crate) actions: Vec<CorporateAction>,
    pub(crate) closes: Vec<IndexClose>,
    pub(crate) marks: Vec<QualityMark>,
}

pub(crate) struct Shelf {
    /// Alpha Vantage, by ticker.
    pub(crate) daily: BTreeMap<Symbol, Held>,
    /// One-minute bars, by ticker.
    pub(crate) minutes: BTreeMap<Symbol, Held>,
    pub(crate) yahoo: Held,
    pub(crate) investing: Held,
    /// The rebuilt files of the exchange, by ticker.
    pub(crate) rebuilt: BTreeMap<Symbol, Vec<HistoryBar>>,
    /// The genuine sessions since 2016, by ticker.
    pub(crate) genuine: BTreeMap<Symbol, Vec<HistoryBar>>,
}

impl Shelf {
    /// None, visibly, where it is not at hand.
    pub(crate) fn read() -> Option<Self> {
        let mut yahoo = held(&shared_data("index/BVSP_yahoo_2010_2025.csv")?);
        let mut investing = held(&shared_data("index/IBOV_investing_2000_2024_MIT.csv")?);
        let mut daily = by_ticker(&shared_data("daily_av_2010_2025")?, "_raw.csv");
        let mut minutes = by_ticker(&shared_data("intraday_m1_mt5_2020")?, ".csv");
        let index = yahoo.closes.clone();
        for held in daily.values_mut().chain(minutes.values_mut()) {
            mark(held, &index);
        }
        mark(&mut yahoo, &[]);
        mark(&mut investing, &[]);
        let mut rebuilt = BTreeMap::new();
        let folder = shared_data("cotahist_rebuilt_15tickers_2010_2017")?;
        (2010..=2017).for_each(|year| records(&folder.join(format!("COTAHIST_A{year}.ZIP")), &mut rebuilt));
        let mut genuine = BTreeMap::new();
        let folder = shared_data("cotahist")?;
        for file in ["D04012016.TXT", "D29022016.TXT", "D25062021.TXT", "D03022022.TXT.zip", "D04022022.TXT.zip"] {
            records(&folder.join(format!("COTAHIST_{file}")), &mut genuine);
        }
        Some(Self { daily, minutes, yahoo, investing, rebuilt, genuine })
    }

    pub(crate) fn of<'a>(&'a self, ticker: &str) -> &'a Held {
        &self.daily[&ticker.parse::<Symbol>().unwrap()]
    }
}

fn held(path: &Path) -> Held {
    let mut held = Held::default();
    read(path, Hints::default(), &mut |item| {
        match item {
            Item::Bar(bar) => held.bars.push(bar),
            Item::Action(action) => held.actions.push(action),
            Item::IndexClose(_, close) => held.closes.push(close),
            other => panic!("{other:?}"),
        }
        Ok(())
    })
    .unwrap_or_else(|error| panic!("{error}"));
    held
}

fn by_ticker(folder: &Path, ending: &str) -> BTreeMap<Symbol, Held> {
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let wanted = paths.filter(|path| path.to_string_lossy().ends_with(ending));
    wanted
        .map(|path| {
            let held = held(&path);
            (held.bars[0].symbol, held)
        })
        .collect()
}

fn mark(held: &mut Held, index: &[IndexClose]) {
    let HistoryBar { source, symbol, interval, .. } = held.bars[0];
    let series = Series { source, symbol, interval, bars: &held.bars };
    let context = Context { actions: &held.actions, ..Context::default() };
    held.marks = check(series, index, &Calendar::b3(), context).unwrap();
}

/// The round-lot cash market of a COTAHIST file.
fn records(path: &Path, into: &mut BTreeMap<Symbol, Vec<HistoryBar>>) {
    cotahist::read(
        path,
        |_| (),
        |record| {
            if record.market_type == CASH_MARKET {
                into.entry(record.symbol).or_default().push(HistoryBar {
                    source: COTAHIST,
                    symbol: record.symbol,
                    interval: Interval::Day,
                    begin: midnight(record.date),
                    open: record.open,
                    high: record.high,
                    low: record.low,
                    close: record.close,
                    volume: record.quantity,
                    trades: Some(record.trades),
                    turnover: Some(record.turnover),
                    adjusted_close: None,
                });
            }
            Ok::<(), std::convert::Infallible>(())
        },
    )
    .unwrap_or_else(|error| panic!("{error}"));
    into.values_mut().for_each(|bars| bars.sort_by_key(|bar| bar.begin));
}

pub(crate) fn midnight(date: Date) -> Timestamp {
    Timestamp::from_local(date.and_hms_opt(0, 0, 0).unwrap()).unwrap()
}
