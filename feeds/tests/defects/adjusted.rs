//! Our total return from Alpha Vantage's own dividends and splits, against its adjusted close.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use history::adjustment::{Adjusted, Options, adjust};
use market::history::QualityRule;
use market::{Calendar, Date, Price, Symbol};
use rust_decimal::prelude::ToPrimitive;

use crate::shelf::{Held, Shelf};

/// A step of the vendor's that is no further from an explanation is explained by it. Wider than the
/// rule's own tolerance, because the vendor's closes were rounded before they were divided.
const EXPLAINED: f64 = 0.002;

/// Why the vendor's adjusted close does not move as its own dividends and splits say.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Why {
    /// The adjusted close does not move at all on that day.
    NotApplied,
    /// The dividend was taken from a close that later splits had already scaled down.
    OfScaledClose,
    /// It steps away and back within two bars: a close, or its adjusted one, is off for a day.
    OneDayOff,
    /// It moves, and there is no dividend or split that day.
    NoAction,
    /// None of these.
    Other,
}

impl Why {
    const ALL: [Self; 5] = [Self::NotApplied, Self::OfScaledClose, Self::OneDayOff, Self::NoAction, Self::Other];

    fn name(self) -> &'static str {
        match self {
            Self::NotApplied => "not_applied",
            Self::OfScaledClose => "of_scaled_close",
            Self::OneDayOff => "one_day_off",
            Self::NoAction => "no_action",
            Self::Other => "other",
        }
    }

    fn meaning(self) -> &'static str {
        match self {
            Self::NotApplied => "a dividend or split is listed and the adjusted close does not move",
            Self::OfScaledClose => "the dividend was taken from a close that later splits had scaled down already",
            Self::OneDayOff => "close and adjusted close of one session do not belong together; the next ones do",
            Self::NoAction => "the adjusted close moves against the close and no dividend or split is listed",
            Self::Other => "none of these",
        }
    }
}

pub(crate) struct Disagreement {
    date: Date,
    theirs: f64,
    ours: f64,
    why: Why,
}

pub(crate) struct Ticker {
    /// Days with a dividend or split that our view applied.
    days: usize,
    disagreements: Vec<Disagreement>,
    /// How far the two adjusted closes are apart at most, over the series.
    largest: f64,
    problems: usize,
}

pub(crate) fn compare(shelf: &Shelf) -> BTreeMap<Symbol, Ticker> {
    shelf.daily.iter().map(|(symbol, held)| (*symbol, of_ticker(held))).collect()
}

fn of_ticker(held: &Held) -> Ticker {
    let options = Options::of(Adjusted::TotalReturn);
    let ours = adjust(&held.bars, &held.actions, &Calendar::b3(), &options).unwrap();
    let factor = |place: usize| ours.bars[place].cash.to_f64().unwrap() / ours.bars[place].units.to_f64();
    let vendors = |place: usize| {
        let bar = &held.bars[place];
        bar.adjusted_close.unwrap_or_default().to_f64() / bar.close.to_f64()
    };
    // The quotient of both adjustments two bars apart, around this step or the next.
    let off_for_a_day = |place: usize| {
        let level = |place: usize| vendors(place) / factor(place);
        let same = |one: usize, two: usize| (level(one) / level(two) - 1.0).abs() < EXPLAINED;
        (place + 1 < held.bars.len() && same(place - 1, place + 1)) || (place >= 2 && same(place - 2, place))
    };
    let mut disagreements = Vec::new();
    for mark in held.marks.iter().filter(|mark| mark.rule == QualityRule::AdjustmentDisagrees) {
        let place = held.bars.binary_search_by_key(&mark.at, |bar| bar.begin).unwrap();
        let (theirs, expected) = (vendors(place - 1) / vendors(place), factor(place - 1) / factor(place));
        // What later splits had made of the close before, and what was paid on it.
        let cash = ours.bars[place - 1].cash.to_f64().unwrap() / ours.bars[place].cash.to_f64().unwrap();
        let units = ours.bars[place - 1].units.to_f64() / ours.bars[place].units.to_f64();
        let later = ours.bars[place].units.to_f64();
        let near = |step: f64| (theirs / step - 1.0).abs() < EXPLAINED;
        let why = match () {
            () if (expected - 1.0).abs() < 1e-9 && off_for_a_day(place) => Why::OneDayOff,
            () if (expected - 1.0).abs() < 1e-9 => Why::NoAction,
            () if near(1.0) => Why::NotApplied,
            () if near((1.0 - (1.0 - cash) * later) / units) => Why::OfScaledClose,
            () => Why::Other,
        };
        disagreements.push(Disagreement { date: mark.at.local_date(), theirs, ours: expected, why });
    }
    let anchored = held.bars.len() - 1;
    let apart = (0..held.bars.len())
        .filter(|place| held.bars[*place].close > Price::ZERO)
        .map(|place| (vendors(place) / vendors(anchored) / factor(place) - 1.0).abs());
    let largest = apart.fold(0.0, f64::max);
    let problems = ours.problems.len();
    Ticker { days: ours.factors.len(), disagreements, largest, problems }
}

/// One line for each ticker.
pub(crate) fn by_ticker(tickers: &BTreeMap<Symbol, Ticker>) -> String {
    let mut text = String::from("ticker,days_with_actions,disagreements");
    Why::ALL.iter().for_each(|why| write!(text, ",{}", why.name()).unwrap());
    text.push_str(",largest_deviation_percent,problems\n");
    for (symbol, ticker) in tickers {
        let of = |why: Why| ticker.disagreements.iter().filter(|one| one.why == why).count();
        write!(text, "{symbol},{},{}", ticker.days, ticker.disagreements.len()).unwrap();
        Why::ALL.iter().for_each(|why| write!(text, ",{}", of(*why)).unwrap());
        writeln!(text, ",{:.2},{}", ticker.largest * 100.0, ticker.problems).unwrap();
    }
    text
}

/// What the document says of it.
pub(crate) fn summary(tickers: &BTreeMap<Symbol, Ticker>) -> String {
    let days: usize = tickers.values().map(|ticker| ticker.days).sum();
    let all: Vec<&Disagreement> = tickers.values().flat_map(|ticker| &ticker.disagreements).collect();
    let without = tickers.values().filter(|ticker| ticker.disagreements.is_empty()).count();
    let close = tickers.values().filter(|ticker| ticker.largest < 0.01).count();
    let mut text = format!(
        "{days} days with a dividend or split in {} tickers; {} steps disagree. {without} tickers agree on every \
         step, {close} stay within 1 % of the vendor's adjusted close over their whole history.\n\n\
         | why | steps | tickers | |\n|---|---:|---:|---|\n",
        tickers.len(),
        all.len()
    );
    for why in Why::ALL {
        let steps = all.iter().filter(|one| one.why == why).count();
        let of = tickers.values().filter(|ticker| ticker.disagreements.iter().any(|one| one.why == why)).count();
        writeln!(text, "| {} | {steps} | {of} | {} |", why.name(), why.meaning()).unwrap();
    }
    text
}

/// Every disagreement, into the folder that Cargo gives to tests.
pub(crate) fn write_all(tickers: &BTreeMap<Symbol, Ticker>) {
    let mut text = String::from("ticker,date,vendor_step,our_step,why\n");
    for (symbol, ticker) in tickers {
        for Disagreement { date, theirs, ours, why } in &ticker.disagreements {
            writeln!(text, "{symbol},{date},{theirs:.6},{ours:.6},{}", why.name()).unwrap();
        }
    }
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("adjustment-disagreements.csv");
    std::fs::write(&path, text).unwrap();
    eprintln!("every disagreement: {}", path.display());
}
