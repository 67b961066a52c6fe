//! Files of others: each kind as it should be, and as it should not.

#![allow(clippy::unwrap_used, reason = "helpers of tests, outside of any test function")]

mod support;

use std::path::{Path, PathBuf};

use feeds::files::export::{PanelTable, bars_csv, bars_parquet, panel_csv, panel_parquet};
use feeds::files::{Done, FileError, Hints, KINDS, Kind, Place, detect, kind_of, read};
use feeds::source::Item;
use market::history::{HistoryBar, Interval, SourceName};
use market::{Money, Price, Quantity, Symbol, Timestamp};
use proptest::prelude::*;
use support::{day, petr4, price, text_of};

const ALPHA: &str = ",open,high,low,close,adjusted_close,volume,dividend_amount,split_coefficient,ticker\n";
const RAPT: &str =
    ",1. open,2. high,3. low,4. close,5. adjusted close,6. volume,7. dividend amount,8. split coefficient\n";
const YAHOO: &str = "Date,Close,High,Low,Open,Volume\n";
const INVESTING: &str = "\u{feff}\"Data\",\"Último\",\"Abertura\",\"Máxima\",\"Mínima\",\"Vol.\",\"Var%\"\n";
const MT5: &str = "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>\n";

/// A file of that name with this in it, and the folder that keeps it.
fn file(name: &str, bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

fn items_of(path: &Path, hints: Hints) -> (Vec<Item>, Result<Done, FileError>) {
    let mut items = Vec::new();
    let done = read(path, hints, &mut |item| {
        items.push(item);
        Ok(())
    });
    (items, done)
}

/// What stands in an item, short enough for a table of tests.
fn shown(item: &Item) -> String {
    match item {
        Item::Bar(bar) => {
            let HistoryBar { source, symbol, interval, begin, open, high, low, close, volume, .. } = bar;
            let mut text =
                format!("{source} {symbol} {interval} {} {open} {high} {low} {close} {volume}", begin.local());
            text.extend(bar.turnover.map(|turnover| format!(" turnover {turnover}")));
            text.extend(bar.adjusted_close.map(|adjusted| format!(" adjusted {adjusted}")));
            text
        }
        Item::IndexClose(index, close) => format!("{index} {} {}", close.date, close.close),
        Item::Member(member) => format!("{} {} {}", member.index, member.date, member.symbol),
        Item::Action(action) => {
            let (kind, amount, ratio) = (action.kind.name(), action.amount, action.ratio);
            format!("{kind} until {} amount {amount} ratio {ratio}", action.last_date_prior)
        }
        Item::Daily(record) => format!("{} {}", record.date, record.symbol),
        other => format!("{other:?}"),
    }
}

fn no_hints() -> Hints {
    Hints::default()
}

#[test]
fn each_kind_is_known_by_its_content_and_read_oldest_first() {
    let dated = Hints { date: Some(day(2025, 11, 3)), ..no_hints() };
    let smll = Hints { index: Some("SMLL".parse().unwrap()), ..no_hints() };
    for (name, text, hints, kind, expected) in [
        (
            "a.csv",
            format!("{ALPHA}2010-07-28,27.95,28.05,27.73,27.8,6.0592,11317300,0.0,1.0,PETR4\n2010-07-29,27.84,27.95,27.63,27.74,6.0461,10324200,0.25,2.0,PETR4\n"),
            no_hints(),
            Kind::AlphaVantage,
            vec![
                "alpha_vantage PETR4 1d 2010-07-28 00:00:00 27.95 28.05 27.73 27.80 11317300 adjusted 6.0592",
                "alpha_vantage PETR4 1d 2010-07-29 00:00:00 27.84 27.95 27.63 27.74 10324200 adjusted 6.0461",
                "dividend until 2010-07-28 amount 0.25 ratio 1",
                "split until 2010-07-28 amount 0 ratio 2.0",
            ],
        ),
        (
            "RAPT4_raw.csv",
            format!("{RAPT}2025-07-07,8.69,8.85,8.69,8.79,8.79,1669400,0.0000,0.3333333333333333\n2025-07-04,8.71,8.87,8.67,8.77,8.77,567800,0.0000,1.0\n"),
            no_hints(),
            Kind::AlphaVantage,
            vec![
                "alpha_vantage RAPT4 1d 2025-07-04 00:00:00 8.71 8.87 8.67 8.77 567800 adjusted 8.77",
                "alpha_vantage RAPT4 1d 2025-07-07 00:00:00 8.69 8.85 8.69 8.79 1669400 adjusted 8.79",
                "reverse_split until 2025-07-04 amount 0 ratio 0.3333333333333333",
            ],
        ),
        (
            "b.csv",
            format!("{YAHOO}2010-01-06,70729.0,70937.0,70016.0,70237.0,2243600\n"),
            no_hints(),
            Kind::YahooIndex,
            vec![
                "yahoo IBOV 1d 2010-01-06 00:00:00 70237.00 70937.00 70016.00 70729.00 2243600",
                "IBOV 2010-01-06 70729.00",
            ],
        ),
        (
            "c.csv",
            format!("{INVESTING}\"02.02.2024\",\"127.182\",\"128.471\",\"128.878\",\"126.628\",\"10,98M\",\"-1,01%\"\n\"01.02.2024\",\"128.481,50\",\"127.752\",\"128.481\",\"127.284\",\"-\",\"0,57%\"\n"),
            smll,
            Kind::Investing,
            vec![
                "investing SMLL 1d 2024-02-01 00:00:00 127752.00 128481.00 127284.00 128481.50 0",
                "SMLL 2024-02-01 128481.50",
                "investing SMLL 1d 2024-02-02 00:00:00 128471.00 128878.00 126628.00 127182.00 10980000",
                "SMLL 2024-02-02 127182.00",
            ],
        ),
        (
            "PETR4_M5.csv",
            format!("{MT5}2020.05.04\t10:10:00\t17.43\t17.46\t17.35\t17.46\t1215\t2067200\t1\r\n2020.05.04\t10:15:00\t17.46\t17.53\t17.44\t17.49\t483\t445200\t1\r\n2020.05.05\t10:20\t1\t1\t1\t1\t1\t100\t1\r\n"),
            no_hints(),
            Kind::MetaTrader,
            vec![
                "mt5 PETR4 5m 2020-05-04 10:10:00 17.43 17.46 17.35 17.46 2067200",
                "mt5 PETR4 5m 2020-05-04 10:15:00 17.46 17.53 17.44 17.49 445200",
                "mt5 PETR4 5m 2020-05-05 10:20:00 1.00 1.00 1.00 1.00 100",
            ],
        ),
        (
            "d.csv",
            "PETR4;28/12/2017;16,05;16,20;16,00;16,10;1.610.000,00;100.000\nPETR4;27/12/2017;16,00;16,00;16,00;16,00;1600,00;100\n".to_owned(),
            no_hints(),
            Kind::Profit,
            vec![
                "profit PETR4 1d 2017-12-27 00:00:00 16.00 16.00 16.00 16.00 100 turnover 1600.00",
                "profit PETR4 1d 2017-12-28 00:00:00 16.05 16.20 16.00 16.10 100000 turnover 1610000.00",
            ],
        ),
        (
            "e.csv",
            "VALE3;28/12/2017;10:15:00;40,00;40,00;40,00;40,00;4.000,00;100\nVALE3;28/12/2017;10:00:00;40,00;40,00;40,00;40,00;4.000,00;100\n".to_owned(),
            no_hints(),
            Kind::Profit,
            vec![
                "profit VALE3 15m 2017-12-28 10:00:00 40.00 40.00 40.00 40.00 100 turnover 4000.00",
                "profit VALE3 15m 2017-12-28 10:15:00 40.00 40.00 40.00 40.00 100 turnover 4000.00",
            ],
        ),
        (
            "f.json",
            "[ {\"ticker\": \"ALOS3\", \"nome\": \"Allos\"},\n {\"ticker\": \"ABEV3\", \"nome\": \"Ambev\"} ]".to_owned(),
            dated,
            Kind::Composition,
            vec!["IBOV 2025-11-03 ALOS3", "IBOV 2025-11-03 ABEV3"],
        ),
        ("g.csv", "date,close\n2017-12-28,76402.08\n".to_owned(), no_hints(), Kind::IndexCsv, vec!["IBOV 2017-12-28 76402.08"]),
        (
            "h.txt",
            String::from_utf8(text_of(&[petr4(day(2024, 1, 2))])).unwrap(),
            no_hints(),
            Kind::Cotahist,
            vec!["2024-01-02 PETR4"],
        ),
    ] {
        let (_folder, path) = file(name, text.as_bytes());
        let (items, done) = items_of(&path, hints);
        assert_eq!(items.iter().map(shown).collect::<Vec<_>>(), expected, "{name}");
        assert_eq!(done.unwrap(), Done { kind, items: expected.len() as u64 }, "{name}");
    }
}

#[test]
fn what_is_wrong_is_named_with_its_place_and_what_to_do() {
    let good = "2010-07-28,27.95,28.05,27.73,27.8,6.0592,11317300,0.0,1.0,PETR4\n";
    for (name, text, expected) in [
        (
            "a",
            format!("{ALPHA}2010-07-28,27.95,28.05,27.73,,6.0592,11317300,0.0,1.0,PETR4\n"),
            "line 2: close = '': '' is not a decimal number",
        ),
        (
            "a",
            format!("{ALPHA}2010-07-28,27.95,28.05,27.73,0.123456789,6.0592,11317300,0.0,1.0,PETR4\n"),
            "line 2: close = '0.123456789': '0.123456789' has more than 8 decimal places",
        ),
        (
            "a",
            format!("{ALPHA}28.07.2010,27.95,28.05,27.73,27.8,6.0592,11317300,0.0,1.0,PETR4\n"),
            "line 2: date = '28.07.2010': expected a date such as 2017-12-28",
        ),
        (
            "a",
            format!("{ALPHA}{good}2010-07-29,1,1,1,1,1,1,x,1.0,PETR4\n"),
            "line 3: dividend_amount = 'x': expected a decimal number",
        ),
        (
            "a",
            format!("{ALPHA}{good}2010-07-29,1,1,1,1,1,1,0,1.0,VALE3\n"),
            "line 3: ticker = 'VALE3': this file is of PETR4",
        ),
        (
            "a",
            format!("{ALPHA}{good}{good}"),
            "line 3: date = '2010-07-28 00:00:00': stands in line 2 as well; keep one of the two",
        ),
        (
            "a",
            format!("{ALPHA}{good}2010-07-30,1,1,1,1,1,1,0,1,PETR4\n2010-07-29,1,1,1,1,1,1,0,1,PETR4\n"),
            "line 4: date = '2010-07-29 00:00:00': does not lie after that of line 3; sort the file",
        ),
        (
            "a",
            format!("{ALPHA}{good}2010-07-29,1,1,1,1,1,1,0,1.0\n"),
            "line 3: line = '2010-07-29 1 1 1 1 1 1 0 1.0': has 9 fields where 10 belong",
        ),
        ("a", ALPHA.replace("volume", "vol"), "line 1: columns = "),
        (
            "a",
            format!("{RAPT}2025-07-07,8.69,8.85,8.69,8.79,8.79,1669400,0.0000,1.0\n"),
            "it does not say of which ticker it is; give the symbol, or let the file's name begin with it",
        ),
        ("b", format!("{YAHOO}2010-01-06,x,1,1,1,1\n"), "line 2: Close = 'x': 'x' is not a decimal number"),
        (
            "c",
            format!("{INVESTING}\"02.02.2024\",\"127.18\",\"1\",\"1\",\"1\",\"1\",\"1\"\n"),
            "line 2: Último = '127.18': expected a number such as 76.402 or 76.402,08",
        ),
        (
            "c",
            format!("{INVESTING}\"02.02.2024\",\"127\",\"1\",\"1\",\"1\",\"10.98M\",\"1\"\n"),
            "line 2: Vol. = '10.98M': expected a volume such as 10,98M",
        ),
        (
            "PETR4",
            format!("{MT5}2020.05.04\t25:10:00\t1\t1\t1\t1\t1\t1\t1\n"),
            "line 2: <TIME> = '25:10:00': expected a time such as 10:14:00",
        ),
        (
            "PETR4",
            format!("{MT5}2020.05.04\t10:10:00\t1\t1\t1\t1\t1\t1\t1\n"),
            "it does not say how long its bars are, and has too few to tell; give the interval",
        ),
        (
            "PETR4",
            format!(
                "{MT5}2020.05.04\t10:10:00\t1\t1\t1\t1\t1\t1\t1\n2020.05.04\t10:15:00\t1\t1\t1\t1\t1\t1\t1\n2020.05.04\t10:22:00\t1\t1\t1\t1\t1\t1\t1\n"
            ),
            "line 4: time = '2020-05-04 10:22:00': lies 420 s after the bar before, which is no multiple of 5m",
        ),
        (
            "PETR4",
            format!("{MT5}2018.11.04\t00:10:00\t1\t1\t1\t1\t1\t1\t1\n2018.11.04\t00:20:00\t1\t1\t1\t1\t1\t1\t1\n"),
            "line 2: time = '2018-11-04 00:10:00': did not exist in São Paulo: the clocks went forward",
        ),
        (
            "d",
            "PETR4;28/12/2017;16,05;16,20;16,00;16,10;100.000;1.610.000\n".to_owned(),
            "line 1: turnover = '100.000': is not between low and high times units",
        ),
        (
            "d",
            "PETR4;28/12/2017;16.05;16,20;16,00;16,10;1.610.000;100.000\n".to_owned(),
            "line 1: open = '16.05': expected a number such as 1.234,56",
        ),
        (
            "d",
            "PETR4;28/12/2017;1;1;1;1;100;100\nPETR4;27/12/2017;10:00;1;1;1;1;100;100\n".to_owned(),
            "line 2: line = 'PETR4': has 9 fields; 8 belong to days",
        ),
        ("f", "[{\"ticker\": \"ALOS3\"}]".to_owned(), "it does not say for which day the portfolio is; give the date"),
        ("f", "[{\"ticker\": \"ALOS3\"},\n{\"nome\": \"Allos\"}]".to_owned(), "line 2: list = 'missing field `ticker`"),
        ("g", "date,close\n2017-12-28,x\n".to_owned(), "line 2: close = 'x'"),
        ("h", "00COTAHIST.2024\n".to_owned(), "its first line is no COTAHIST header"),
        ("i", "PAR1 and no more".to_owned(), "is no Parquet file that can be read"),
        (
            "j",
            "what,is,this\n".to_owned(),
            "it is of no kind that is known; it begins with 'what,is,this'. Known are: parquet (the four bytes PAR1); cotahist",
        ),
        ("k", String::new(), "it is of no kind that is known; it begins with ''"),
    ] {
        let (_folder, path) = file(name, text.as_bytes());
        let error = items_of(&path, no_hints()).1.unwrap_err().to_string();
        assert!(error.contains(expected), "{text}\n{error}");
        assert!(error.contains(&path.display().to_string()), "{error}");
    }
}

#[test]
fn every_kind_stands_in_the_list_once_and_is_found_there() {
    for (place, description) in KINDS.iter().enumerate() {
        assert_eq!(description.kind.description().name, description.name);
        assert!(KINDS.iter().take(place).all(|other| other.name != description.name), "{}", description.name);
    }
    assert_eq!(kind_of(b"\xEF\xBB\xBFdate,close\r\n"), Some(Kind::IndexCsv));
    assert_eq!(kind_of(b"\xFF\xFE\x00"), None);
    assert!(detect(Path::new("no such file")).unwrap_err().to_string().contains("check that it exists"));
}

#[test]
fn whoever_takes_may_stop() {
    let (_folder, path) = file("b.csv", format!("{YAHOO}2010-01-06,1,1,1,1,1\n2010-01-07,1,1,1,1,1\n").as_bytes());
    let mut taken = 0;
    let stopped = read(&path, no_hints(), &mut |_| {
        taken += 1;
        if taken == 2 { Err("full".into()) } else { Ok(()) }
    });
    assert!(matches!(stopped, Err(FileError::Stopped(cause)) if cause.to_string() == "full"));
    assert_eq!(taken, 2);
}

/// Bars with everything that can be there or not.
fn some_bars() -> Vec<HistoryBar> {
    let bar = |symbol: &str, at: i64, trades, turnover, adjusted_close| HistoryBar {
        source: SourceName::of("alpha_vantage"),
        symbol: symbol.parse().unwrap(),
        interval: Interval::Day,
        begin: Timestamp::from_nanos(at),
        open: price("38.10"),
        high: price("38.50"),
        low: price("0.00001"),
        close: price("38.12345678"),
        volume: Quantity::new(10_000_000_000),
        trades,
        turnover,
        adjusted_close,
    };
    vec![
        bar("PETR4", 1_514_430_000_000_000_000, Some(u32::MAX), Some(Money::from_steps(-1)), Some(price("6.0592"))),
        bar("PETR4", 1_514_516_400_000_000_001, None, None, None),
        bar("VALE3", 1_514_430_000_000_000_000, Some(0), Some(Money::from_steps(10_i128.pow(30))), None),
    ]
}

fn bars_back(path: &Path) -> Vec<HistoryBar> {
    let (items, done) = items_of(path, no_hints());
    done.unwrap();
    items
        .into_iter()
        .map(|item| match item {
            Item::Bar(bar) => bar,
            other => panic!("{other:?}"),
        })
        .collect()
}

#[test]
fn exported_bars_come_back_to_the_last_digit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bars");
    for (write, kind) in
        [(bars_csv as fn(&Path, &[HistoryBar]) -> Result<(), FileError>, Kind::BarsCsv), (bars_parquet, Kind::Parquet)]
    {
        for bars in [some_bars(), Vec::new()] {
            write(&path, &bars).unwrap();
            assert_eq!(detect(&path).unwrap(), kind);
            assert_eq!(bars_back(&path), bars);
        }
        let mut mixed = some_bars();
        mixed.swap(0, 1);
        write(&path, &mixed).unwrap();
        let error = items_of(&path, no_hints()).1.unwrap_err().to_string();
        assert!(error.contains("does not lie after"), "{error}");
    }
    let nowhere = folder.path().join("no/such/folder");
    assert!(bars_csv(&nowhere, &some_bars()).unwrap_err().to_string().contains("it cannot be written"));
}

#[test]
fn panels_leave_what_is_missing_empty() {
    let folder = tempfile::tempdir().unwrap();
    let dates = [day(2024, 1, 2), day(2024, 1, 3)];
    let (one, two): (Symbol, Symbol) = ("PETR4".parse().unwrap(), "B3SA3".parse().unwrap());
    let panel = PanelTable {
        dates: &dates,
        columns: &[(one, &[Some(price("38.10")), None]), (two, &[Some(price("13")), Some(price("13.50"))])],
    };
    let path = folder.path().join("panel");
    panel_csv(&path, panel).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text, "date,PETR4,B3SA3\n2024-01-02,38.10,13.00\n2024-01-03,,13.50\n");
    panel_parquet(&path, panel).unwrap();
    let reader = parquet::file::reader::SerializedFileReader::new(std::fs::File::open(&path).unwrap()).unwrap();
    let rows: Vec<String> = reader.into_iter().map(|row| row.unwrap().to_string()).collect();
    assert_eq!(rows[0], "{date: 2024-01-02, PETR4: 38.10000000, B3SA3: 13.00000000}");
    assert_eq!(rows[1], "{date: 2024-01-03, PETR4: null, B3SA3: 13.50000000}");
}

proptest! {
    /// Any bars at all, out and in.
    #[test]
    fn any_bars_come_back(steps in prop::collection::vec((any::<[i64; 4]>(), any::<i64>(), any::<Option<u32>>(), any::<Option<i64>>()), 0..20)) {
        let bars: Vec<HistoryBar> = steps.iter().enumerate().map(|(place, (prices, volume, trades, turnover))| HistoryBar {
            begin: Timestamp::from_nanos(place as i64 * 60_000_000_000),
            open: Price::from_steps(prices[0]),
            high: Price::from_steps(prices[1]),
            low: Price::from_steps(prices[2]),
            close: Price::from_steps(prices[3]),
            volume: Quantity::new(*volume),
            trades: *trades,
            turnover: turnover.map(|steps| Money::from_steps(i128::from(steps) * 1_000_000)),
            interval: Interval::MINUTE,
            ..some_bars()[0]
        }).collect();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bars");
        bars_parquet(&path, &bars).unwrap();
        prop_assert_eq!(&bars_back(&path), &bars);
        bars_csv(&path, &bars).unwrap();
        prop_assert_eq!(&bars_back(&path), &bars);
    }

    /// Any bytes under the first line of any kind: an error or items, never a panic; and bars that
    /// are handed over ascend.
    #[test]
    fn any_bytes_are_refused_or_read(
        head in prop::sample::select(vec![ALPHA, RAPT, YAHOO, INVESTING, MT5, "PETR4;28/12/2017;1;1;1;1;100;100\n", "[{\"ticker\":\"", "PAR1", "source,symbol,interval,begin,open,high,low,close,volume,trades,turnover,adjusted_close\n"]),
        lines in prop::collection::vec(prop::collection::vec("[0-9.,:/;\t A-Z-]{0,12}", 0..12), 0..6),
        separator in prop::sample::select(vec![",", ";", "\t"]),
        raw in prop::collection::vec(any::<u8>(), 0..20),
    ) {
        let mut bytes = head.as_bytes().to_vec();
        for line in &lines {
            bytes.extend_from_slice(line.join(separator).as_bytes());
            bytes.push(b'\n');
        }
        bytes.extend_from_slice(&raw);
        let kind = kind_of(&bytes).unwrap();
        let place = Place { path: Path::new("PETR4.csv"), hints: Hints { date: Some(day(2025, 1, 2)), interval: Some(Interval::MINUTE), ..no_hints() } };
        let mut begins = Vec::new();
        let parse = kind.description().parse.unwrap();
        let parsed = parse(&bytes, &place, &mut |item| {
            if let Item::Bar(bar) = item {
                begins.push(bar.begin);
            }
            Ok(())
        });
        match parsed {
            Ok(_) => prop_assert!(begins.is_sorted_by(|a, b| a < b)),
            Err(error) => prop_assert!(error.to_string().contains("PETR4.csv"), "{error}"),
        }
    }

    /// A Parquet file with some bytes changed or cut off: refused or read, never a panic.
    #[test]
    fn a_damaged_parquet_file_is_refused_or_read(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let mut bytes = include_bytes!("../fuzz/seeds/files_parquet/two_minutes.parquet").to_vec();
        for (place, byte) in &changes {
            let place = place.index(bytes.len());
            bytes[place] = *byte;
        }
        bytes.truncate(cut.map_or(bytes.len(), |cut| cut.index(bytes.len())));
        let place = Place { path: Path::new("bars.parquet"), hints: no_hints() };
        let mut taken = 0;
        let parsed = Kind::Parquet.description().parse.unwrap()(&bytes, &place, &mut |_| {
            taken += 1;
            Ok(())
        });
        match parsed {
            Ok(told) => prop_assert_eq!(told, taken),
            Err(error) => prop_assert!(error.to_string().starts_with("bars.parquet: "), "{error}"),
        }
    }
}
