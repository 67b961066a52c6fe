//! Genuine files of the exchange, and eight annual files rebuilt from them. They stay on the shelf
//! (`PREGAO_SHARED_DATA`); the same behaviour on files of our own is in the other tests.

#![allow(clippy::unwrap_used, reason = "helpers of tests, outside of any test function")]

mod support;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::Read;
use std::path::Path;

use feeds::cotahist::{self, FileError, Flag, Flags, ReadError, Summary, writer::render};
use market::{DailyRecord, InstrumentKind};
use support::{day, price, shared_data};

struct Session {
    file: &'static str,
    date: (i32, u32, u32),
    lines: u64,
    /// Records of 010, 020, 030, 012 and 013, 070, 080.
    markets: [u64; 6],
    /// PETR4: close, TOTNEG, QUATOT.
    petr4: (&'static str, u32, i64),
}

const SESSIONS: [Session; 6] = [
    Session {
        file: "DemoCotacoesHistoricas12022003.txt",
        date: (2003, 2, 12),
        lines: 553,
        markets: [188, 159, 140, 7, 53, 4],
        // 46.85 for one share then; FATCOT 1,000 is on the others.
        petr4: ("46.85", 796, 1_291_300),
    },
    Session {
        file: "COTAHIST_D04012016.TXT",
        date: (2016, 1, 4),
        lines: 1_745,
        markets: [424, 267, 90, 1, 596, 365],
        petr4: ("6.87", 24_012, 45_962_100),
    },
    Session {
        file: "COTAHIST_D29022016.TXT",
        date: (2016, 2, 29),
        lines: 1_911,
        markets: [455, 268, 93, 4, 643, 446],
        petr4: ("5.14", 36_334, 84_165_000),
    },
    Session {
        file: "COTAHIST_D25062021.TXT",
        date: (2021, 6, 25),
        lines: 7_520,
        markets: [1_086, 455, 653, 1, 2_638, 2_685],
        petr4: ("29.10", 78_340, 84_950_900),
    },
    Session {
        file: "COTAHIST_D03022022.TXT.zip",
        date: (2022, 2, 3),
        lines: 7_263,
        markets: [1_191, 429, 475, 0, 2_691, 2_475],
        petr4: ("32.07", 92_360, 51_087_800),
    },
    Session {
        file: "COTAHIST_D04022022.TXT.zip",
        date: (2022, 2, 4),
        lines: 7_524,
        markets: [1_196, 441, 415, 1, 2_735, 2_734],
        petr4: ("32.63", 94_572, 59_346_800),
    },
];

fn read(path: &Path) -> (Vec<DailyRecord>, Summary) {
    let mut records = Vec::new();
    let summary = cotahist::read(
        path,
        |_| {},
        |record| {
            records.push(*record);
            Ok::<_, Infallible>(())
        },
    );
    (records, summary.unwrap_or_else(|error| panic!("{error}")))
}

#[test]
fn every_genuine_session_imports_with_its_counts() {
    let Some(folder) = shared_data("cotahist") else { return };
    for session in SESSIONS {
        let (records, summary) = read(&folder.join(session.file));
        let date = day(session.date.0, session.date.1, session.date.2);
        assert_eq!(summary.lines, session.lines, "{}", session.file);
        assert_eq!(summary.records, session.lines - 2, "{}", session.file);
        assert_eq!(summary.sessions, BTreeMap::from([(date, session.lines - 2)]), "{}", session.file);
        let market = |number| summary.market_types.get(&number).copied().unwrap_or(0);
        let markets = [market(10), market(20), market(30), market(12) + market(13), market(70), market(80)];
        assert_eq!(markets, session.markets, "{}", session.file);
        let petr4 = records.iter().find(|record| record.symbol.as_str() == "PETR4").unwrap();
        let (close, trades, quantity) = session.petr4;
        assert_eq!(petr4.close, price(close), "{}", session.file);
        assert_eq!((petr4.trades, petr4.quantity.units()), (trades, quantity), "{}", session.file);
        assert_eq!(petr4.kind, InstrumentKind::Share);
    }
}

#[test]
fn every_genuine_line_is_rendered_byte_for_byte() {
    let Some(folder) = shared_data("cotahist") else { return };
    for session in SESSIONS {
        let text = text(&folder.join(session.file));
        let lines = text.split_inclusive(|byte| *byte == b'\n').filter(|line| line.starts_with(b"01"));
        let (records, _) = read(&folder.join(session.file));
        for (line, record) in lines.zip(&records) {
            let rendered = render(record).unwrap();
            assert_eq!(
                String::from_utf8_lossy(&rendered),
                String::from_utf8_lossy(&line[..245]),
                "{} {}",
                session.file,
                record.symbol
            );
        }
    }
}

#[test]
fn a_whole_genuine_file_is_rendered_byte_for_byte() {
    let Some(folder) = shared_data("cotahist") else { return };
    for session in SESSIONS {
        let path = folder.join(session.file);
        let (records, summary) = read(&path);
        let mut writer = cotahist::Writer::new(Vec::new(), summary.header).unwrap();
        records.iter().for_each(|record| writer.write(record).unwrap());
        assert!(writer.finish().unwrap() == text(&path), "{}", session.file);
    }
}

fn text(path: &Path) -> Vec<u8> {
    let file = std::fs::File::open(path).unwrap();
    let mut text = Vec::new();
    match zip::ZipArchive::new(&file) {
        Ok(mut zip) => zip.by_index(0).unwrap().read_to_end(&mut text).map(drop).unwrap(),
        Err(_) => text = std::fs::read(path).unwrap(),
    }
    text
}

#[test]
fn the_truncated_file_is_refused_with_both_numbers() {
    let Some(path) = shared_data("cotahist/COTAHIST_D29022016_EXCEPTION.TXT") else { return };
    let mut records = 0;
    let outcome = cotahist::read(
        &path,
        |_| {},
        |_| {
            records += 1;
            Ok::<_, Infallible>(())
        },
    );
    let Err(ReadError::Refused(refused)) = outcome else { panic!("{outcome:?}") };
    assert!(matches!(refused.file, Some(FileError::CountDiffers { .. })), "{refused}");
    let message = refused.to_string();
    assert!(message.contains("1,893") && message.contains("1,911"), "{message}");
    assert!(message.contains("COTAHIST_D29022016_EXCEPTION.TXT"), "{message}");
    // They were handed over, and whoever took them must drop them now.
    assert_eq!(records, 1_891);
}

#[test]
fn kinds_of_the_cash_market_are_told_apart() {
    use InstrumentKind as Kind;
    let Some(folder) = shared_data("cotahist") else { return };
    let mut kinds: BTreeMap<InstrumentKind, usize> = BTreeMap::new();
    for session in SESSIONS {
        let (records, _) = read(&folder.join(session.file));
        records.iter().filter(|record| matches!(record.market_type, 10 | 20)).for_each(|record| {
            *kinds.entry(record.kind).or_default() += 1;
            // The index itself, traded in 2003, is the only line that stays without a kind.
            assert!(record.kind != Kind::Other || record.symbol.as_str() == "IBOV11", "{record:?}");
        });
    }
    let expected = [
        (Kind::Share, 3_683),
        (Kind::Unit, 136),
        (Kind::DepositaryReceipt, 1_448),
        (Kind::ExchangeTradedFund, 187),
        (Kind::RealEstateFund, 901),
        (Kind::AgribusinessFund, 20),
        (Kind::OtherFund, 95),
        (Kind::SubscriptionRight, 30),
        (Kind::SubscriptionReceipt, 1),
        (Kind::SubscriptionBonus, 57),
        (Kind::Other, 1),
    ];
    assert_eq!(kinds, BTreeMap::from(expected));
}

#[test]
fn five_averages_outside_the_range_are_flagged_and_not_refused() {
    let Some(folder) = shared_data("cotahist") else { return };
    for session in SESSIONS {
        let (records, summary) = read(&folder.join(session.file));
        let expected = if session.date.0 == 2021 { 5 } else { 0 };
        let flagged = summary.flags.get(&Flag::AverageOutsideRange).copied().unwrap_or(0);
        assert_eq!(flagged, expected, "{}", session.file);
        for flag in Flag::ALL {
            let counted = records.iter().filter(|record| Flags::of(record).has(flag)).count() as u64;
            assert_eq!(counted, summary.flags.get(&flag).copied().unwrap_or(0), "{} {flag:?}", session.file);
        }
    }
}

#[test]
fn the_rebuilt_annual_files_import_with_all_their_sessions() {
    let Some(folder) = shared_data("cotahist_rebuilt_15tickers_2010_2017") else { return };
    let lines = [2_474, 2_689, 2_992, 3_258, 3_474, 3_446, 3_488, 3_478];
    let mut sessions = BTreeMap::new();
    for (year, lines) in (2_010..).zip(lines) {
        let (records, summary) = read(&folder.join(format!("COTAHIST_A{year}.ZIP")));
        assert_eq!((summary.lines, summary.header.year), (lines, year), "{year}");
        assert_eq!(records.len() as u64, lines - 2, "{year}");
        assert_eq!(summary.sessions.values().sum::<u64>(), lines - 2, "{year}");
        assert!(summary.sessions.len() > 240, "{year}: {} sessions", summary.sessions.len());
        sessions.extend(summary.sessions);
    }
    assert_eq!(sessions.values().sum::<u64>(), 25_283);
    assert_eq!(sessions.first_key_value().unwrap().0, &day(2010, 1, 4));
    assert_eq!(sessions.last_key_value().unwrap().0, &day(2017, 12, 28));
}
