//! The history that is shipped in `samples/` is what its README says.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::path::{Path, PathBuf};

use feeds::cotahist::{self, Writer};
use feeds::index_csv;
use market::{DailyRecord, Date, InstrumentKind, Price};

const SYMBOLS: [&str; 12] =
    ["ABEV3", "BBAS3", "CSNA3", "ITUB4", "KROT3", "NATU3", "PETR4", "SANB11", "TIMP3", "UGPA3", "USIM5", "VALE3"];

#[test]
fn the_samples_are_complete_and_of_one_piece() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../samples");
    let mut sessions: BTreeSet<Date> = BTreeSet::new();
    for (year, count, of_sessions) in [(2016, 2_988, 249), (2017, 2_952, 246)] {
        let path = folder.join(format!("COTAHIST_A{year}.ZIP"));
        let mut records: Vec<DailyRecord> = Vec::new();
        let on_record = |record: &DailyRecord| {
            records.push(*record);
            Ok::<_, Infallible>(())
        };
        let summary = cotahist::read(&path, |_| {}, on_record).unwrap();
        assert_eq!((summary.header.year, summary.records, summary.sessions.len()), (year, count, of_sessions));
        assert_eq!(summary.market_types, BTreeMap::from([(10, count)]));
        assert!(summary.flags.is_empty(), "{:?}", summary.flags);

        // Twelve symbols, each on every session, each with a real price.
        let symbols: BTreeSet<&str> = records.iter().map(|record| record.symbol.as_str()).collect();
        assert_eq!(symbols, BTreeSet::from(SYMBOLS));
        assert!(summary.sessions.values().all(|records| *records == 12));
        assert!(records.iter().all(|record| record.low > Price::ZERO && record.quantity.is_positive()));
        let unit = |record: &DailyRecord| record.symbol.as_str() == "SANB11";
        assert!(records.iter().all(|record| (record.kind == InstrumentKind::Unit) == unit(record)));

        // They are in order and come out of the exporter again as they are.
        assert!(records.is_sorted_by_key(|record| (record.date, record.symbol)));
        let mut writer = Writer::new(Vec::new(), summary.header).unwrap();
        records.iter().for_each(|record| writer.write(record).unwrap());
        assert_eq!(writer.finish().unwrap().len() as u64, (count + 2) * 247);
        sessions.extend(summary.sessions.into_keys());
    }
    let closes = index_csv::read(&folder.join("ibovespa.csv")).unwrap();
    assert!(closes.iter().map(|close| close.date).eq(sessions), "the index has other sessions than the records");
    let last_session = Date::from_ymd_opt(2017, 12, 28).unwrap();
    let last = closes.last().unwrap();
    assert_eq!((last.date, last.close), (last_session, "76402".parse().unwrap()));
}

#[test]
fn the_samples_stay_small() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../samples");
    let files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    let bytes: u64 = files.iter().map(|path| path.metadata().unwrap().len()).sum();
    assert!(bytes < 2_000_000, "{bytes} bytes; the figures may take 2 MB");
}
