//! History on a real server: parts of tables, imports that end badly, and readers beside them.

use chrono::Days;
use market::history::HistoryBar;
use market::{DailyRecord, Date, Price, Timestamp};

use super::*;
use crate::contract::history::bars::{import_bars, minute_bar};
use crate::contract::history::{december, import, record, source, stored, symbol};
use crate::history::{COTAHIST, DEFAULT_RETENTION, Filter, ImportCounts, midnight};

fn day(text: &str) -> Date {
    text.parse().unwrap()
}

fn parts(server: &testing::Server) -> Vec<String> {
    let rows = server.sql(
        "SELECT inhrelid::regclass::text FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
         WHERE relkind = 'r' ORDER BY 1",
    );
    rows.into_iter().map(|row| row[0].clone().unwrap().replace("pregao.", "")).collect()
}

/// More than one chunk of new rows, then the same again with a correction, which takes the other way.
fn full_market(rows: u64) -> impl Iterator<Item = DailyRecord> {
    (0..rows).map(|row| record(&format!("AB{:03}3", row % 1_000), december(1) + Days::new(row / 1_000)))
}

#[test]
fn many_rows_go_in_by_chunks_and_again_by_merging() {
    let Some(server) = testing::Server::start() else { return };
    let mut history = PostgresStore::open(&server.settings("pregao")).unwrap().history();
    let first: Vec<_> = full_market(40_000).collect();
    let counts = import(&mut history, &first).unwrap();
    assert_eq!(counts, ImportCounts { inserted: 40_000, ..ImportCounts::default() });
    // A new day among them, and a correction in the last chunk.
    let mut second: Vec<_> = full_market(41_000).collect();
    second[39_999].close = Price::ZERO;
    let counts = import(&mut history, &second).unwrap();
    assert_eq!(counts, ImportCounts { inserted: 1_000, unchanged: 39_999, updated: 1, outranked: 0 });
    let coverage = history.coverage(&Filter::default()).unwrap();
    assert_eq!(coverage.len(), 1_000);
    assert!(coverage.iter().all(|listing| (listing.first, listing.sessions) == (december(1), 41)));
    assert_eq!(history.sessions(Date::MIN, Date::MAX).unwrap().len(), 41);
    assert_eq!(stored(&history, symbol("AB9993")).unwrap()[39], second[39_999]);

    // And bars, over a page of a reading.
    let begin = midnight(day("2017-11-20")).unwrap();
    let at = |minute: i64| HistoryBar { begin: begin.plus_nanos(minute * 60_000_000_000), ..minute_bar("PETR4", 0) };
    let bars: Vec<_> = (0..25_000).map(at).collect();
    assert_eq!(import_bars(&mut history, &bars).unwrap().inserted, 25_000);
    let corrected = HistoryBar { close: Price::ZERO, ..at(24_999) };
    let counts = import_bars(&mut history, &[&bars[..24_999], &[corrected, at(25_000)]].concat()).unwrap();
    assert_eq!(counts, ImportCounts { inserted: 1, unchanged: 24_999, updated: 1, outranked: 0 });
    let of = minute_bar("PETR4", 0);
    let read = history.bars(of.source, of.symbol, of.interval, Timestamp::MIN, Timestamp::MAX).unwrap();
    assert_eq!(read, [&bars[..24_999], &[corrected, at(25_000)]].concat());
}

#[test]
fn every_row_finds_its_part_and_a_whole_part_goes_at_once() {
    let Some(server) = testing::Server::start() else { return };
    let mut history = PostgresStore::open(&server.settings("pregao")).unwrap().history();
    assert_eq!(history.storage().unwrap(), "native partitions");
    assert_eq!(parts(&server), Vec::<String>::new());
    let days = ["0001-01-01", "2016-12-30", "2017-01-02", "9999-12-31"];
    import(&mut history, &days.map(|date| record("PETR4", day(date)))).unwrap();
    let midnights = ["1678-01-01", "2016-12-31", "2017-12-31", "2262-01-01"].map(|date| midnight(day(date)).unwrap());
    // The last minute of a year in São Paulo is of the next one by UTC, where the bounds are.
    let odd = midnights[2].plus_nanos(24 * 3_600_000_000_000 - 60_000_000_000);
    let bars: Vec<_> =
        midnights.into_iter().chain([odd]).map(|begin| HistoryBar { begin, ..minute_bar("PETR4", 0) }).collect();
    import_bars(&mut history, &bars).unwrap();
    let made = [
        "bar_intraday_1678_01",
        "bar_intraday_2016_12",
        "bar_intraday_2017_12",
        "bar_intraday_2018_01",
        "bar_intraday_2262_01",
        "daily_record_0001",
        "daily_record_2016",
        "daily_record_2017",
        "daily_record_9999",
    ];
    assert_eq!(parts(&server), made);

    // The Keeper's part, and that doing it twice does nothing.
    let ahead = ["daily_record_2018", "bar_daily_2017", "bar_daily_2018"];
    assert_eq!(
        history.prepare_partitions(day("2017-12-28")).unwrap(),
        ["daily_record_2018", "bar_daily_2017", "bar_daily_2018"]
    );
    assert_eq!(history.prepare_partitions(day("2017-12-28")).unwrap(), Vec::<String>::new());
    assert_eq!(
        history.prepare_partitions(day("2018-01-31")).unwrap(),
        ["daily_record_2019", "bar_daily_2019", "bar_intraday_2018_02"]
    );
    let undocumented = server.sql(
        "SELECT relname FROM pg_class WHERE relnamespace = 'pregao'::regnamespace AND relkind IN ('r', 'p')
         AND obj_description(oid) IS NULL",
    );
    assert_eq!(undocumented, Vec::<Vec<_>>::new());

    let gone = history.retain(DEFAULT_RETENTION, day("2019-01-20"), false).unwrap();
    let names: Vec<_> = gone.iter().map(|removed| removed.partition.clone()).collect();
    let whole = ["bar_intraday_1678_01", "bar_intraday_2016_12"].map(|name| Some(name.to_owned()));
    // Of December 2017 the 31st is within 400 days; one row of it is, none is older.
    assert_eq!(names, whole);
    assert!(gone.iter().all(|removed| removed.bytes > Some(0) && removed.rows == 1), "{gone:?}");
    let left = parts(&server);
    assert!(!left.contains(&made[0].to_owned()) && left.contains(&made[2].to_owned()), "{left:?}");
    assert!(ahead.iter().all(|part| left.contains(&(*part).to_owned())), "{left:?}");
}

/// Rows enough for a chunk that the server has.
fn begun(import: &mut dyn crate::Import) {
    full_market(50_000).for_each(|record| import.daily(&record).unwrap());
}

#[test]
fn an_import_that_is_cut_off_leaves_no_trace() {
    let Some(mut server) = testing::Server::start() else { return };
    let store = PostgresStore::open(&server.settings("pregao")).unwrap();
    let mut history = store.history();
    let nothing_is_there = |history: &PostgresHistory| {
        assert_eq!(history.imports().unwrap(), []);
        assert_eq!(history.coverage(&Filter::default()).unwrap(), []);
        assert_eq!(history.sessions(Date::MIN, Date::MAX).unwrap(), []);
    };

    // The server ends its process.
    let mut import = history.begin_import(&source("COTAHIST_A2017.ZIP")).unwrap();
    begun(&mut *import);
    server.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE xact_start IS NOT NULL AND pid <> pg_backend_pid()
         AND application_name = 'pregao'",
    );
    let error = import.commit().unwrap_err().to_string();
    assert!(error.contains("closed the connection; see whether the server still runs"), "{error}");
    nothing_is_there(&history);
    assert_eq!(parts(&server), Vec::<String>::new());

    // The server crashes.
    let mut import = history.begin_import(&source("COTAHIST_A2017.ZIP")).unwrap();
    begun(&mut *import);
    server.stop_at_once();
    import.commit().unwrap_err();
    server.start_again();
    nothing_is_there(&history);

    // It fails in the middle, is told so, and cannot commit what is left.
    server.sql("ALTER TABLE pregao.daily_record ADD CONSTRAINT cheap CHECK (close < 0) NOT VALID");
    let mut import = history.begin_import(&source("COTAHIST_A2017.ZIP")).unwrap();
    let failed = full_market(100_000).find_map(|record| import.daily(&record).err()).unwrap().to_string();
    assert!(failed.contains("could not import rows"), "{failed}");
    let error = import.daily(&record("VALE3", december(28))).unwrap_err().to_string();
    assert!(error.contains("an import that failed"), "{error}");
    import.commit().unwrap_err();
    server.sql("ALTER TABLE pregao.daily_record DROP CONSTRAINT cheap");
    nothing_is_there(&history);

    // And all of it works at last.
    let mut import = history.begin_import(&source("COTAHIST_A2017.ZIP")).unwrap();
    begun(&mut *import);
    assert_eq!(import.commit().unwrap().inserted, 50_000);
}

#[test]
fn readers_go_on_beside_an_import_and_a_second_one_is_refused() {
    let Some(server) = testing::Server::start() else { return };
    let store = PostgresStore::open(&server.settings("pregao")).unwrap();
    let (mut history, mut other) = (store.history(), store.history());
    import(&mut history, &[record("PETR4", day("2016-12-29"))]).unwrap();
    let mut running = history.begin_import(&source("COTAHIST_A2017.ZIP")).unwrap();
    // A part is being made, and rows of it are there but for nobody to see.
    begun(&mut *running);
    assert_eq!(stored(&other, symbol("PETR4")).unwrap().len(), 1);
    assert_eq!(other.coverage(&Filter::default()).unwrap().len(), 1);
    assert_eq!(other.sessions(Date::MIN, Date::MAX).unwrap(), [day("2016-12-29")]);
    for refused in [
        other.begin_import(&source("B.TXT")).map(|_| ()).unwrap_err(),
        other.prepare_partitions(december(28)).map(|_| ()).unwrap_err(),
    ] {
        assert!(refused.to_string().contains("wait for the running import to end"), "{refused}");
    }
    // Another schema of the same database is another history.
    let elsewhere = PostgresStore::open(&server.settings("elsewhere")).unwrap();
    import(&mut elsewhere.history(), &[record("PETR4", december(28))]).unwrap();
    running.commit().unwrap();
    assert_eq!(other.coverage(&Filter::default()).unwrap().len(), 1_001);
    assert_eq!(import(&mut other, &[record("PETR4", december(28))]).unwrap().inserted, 1);
    assert_eq!(other.imports().unwrap()[0].source.source, COTAHIST);
}

#[test]
fn a_reader_changes_nothing() {
    let Some(server) = testing::Server::start() else { return };
    PostgresStore::open(&server.settings("pregao")).unwrap();
    let mut history = PostgresStore::open_read_only(&server.settings("pregao")).unwrap().history();
    for refused in [
        import(&mut history, &[record("PETR4", december(28))]).map(|_| ()).unwrap_err(),
        history.retain(DEFAULT_RETENTION, december(28), false).map(|_| ()).unwrap_err(),
        history.prepare_partitions(december(28)).map(|_| ()).unwrap_err(),
    ] {
        assert!(refused.to_string().contains("is read-only here"), "{refused}");
    }
    assert_eq!(history.retain(DEFAULT_RETENTION, december(28), true).unwrap(), []);
    assert_eq!(history.coverage(&Filter::default()).unwrap(), []);
    // What Postgres cannot hold is refused before it is sent.
    let mut history = PostgresStore::open(&server.settings("pregao")).unwrap().history();
    let company = market::history::FixedText::from_latin1(b"A\0B").unwrap();
    let error = import(&mut history, &[DailyRecord { company, ..record("PETR4", december(28)) }]).unwrap_err();
    assert!(error.to_string().contains("company of PETR4 on 2017-12-28"), "{error}");
}
