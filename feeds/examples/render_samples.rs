//! Renders `samples/` from figures: `cargo run -p feeds --example render_samples -- ANNUAL.ZIP…
//! INVESTING.csv OUT_DIR`.
//!
//! Reads annual COTAHIST files and a daily IBOVESPA table, keeps the records of twelve symbols and
//! the index closes of the same sessions, and writes them with our own exporter. The same input
//! gives the same bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use feeds::cotahist::{Header, Writer, read};
use feeds::index_csv;
use market::{DailyRecord, Date, IndexClose};
use zip::write::SimpleFileOptions;

/// Complete over both years, liquid every day, and free of a price jump that only a corporate
/// action explains.
const SYMBOLS: [&str; 12] =
    ["ABEV3", "BBAS3", "CSNA3", "ITUB4", "KROT3", "NATU3", "PETR4", "SANB11", "TIMP3", "UGPA3", "USIM5", "VALE3"];

fn main() -> Result<(), Box<dyn Error>> {
    let paths: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [annual @ .., index, out] = paths.as_slice() else {
        return Err("usage: render_samples ANNUAL.ZIP… INVESTING.csv OUT_DIR".into());
    };
    let mut by_year: BTreeMap<i32, Vec<DailyRecord>> = BTreeMap::new();
    for path in annual {
        read(
            path,
            |_| {},
            |record| {
                if SYMBOLS.contains(&record.symbol.as_str()) {
                    by_year.entry(chrono::Datelike::year(&record.date)).or_default().push(*record);
                }
                Ok::<(), std::convert::Infallible>(())
            },
        )?;
    }
    let mut sessions = BTreeSet::new();
    for (year, mut records) in by_year {
        records.sort_by_key(|record| (record.date, record.symbol));
        sessions.extend(records.iter().map(|record| record.date));
        write_year(out, year, &records)?;
    }
    let closes = investing_closes(index)?;
    let closes: Option<Vec<IndexClose>> =
        sessions.iter().map(|date| closes.get(date).map(|close| IndexClose { date: *date, close: *close })).collect();
    index_csv::write(&out.join("ibovespa.csv"), &closes.ok_or("the index file lacks a session")?)?;
    Ok(())
}

fn write_year(out: &Path, year: i32, records: &[DailyRecord]) -> Result<(), Box<dyn Error>> {
    let generated = records.last().map_or(Date::default(), |last| last.date);
    let header = Header { year: u16::try_from(year)?, generated };
    let mut writer = Writer::new(Vec::new(), header)?;
    for record in records {
        writer.write(record)?;
    }
    let text = writer.finish()?;
    // A fixed time inside: the same figures give the same archive.
    let options = SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Deflated)
        .compression_level(Some(9))
        .last_modified_time(zip::DateTime::default());
    let mut archive = zip::ZipWriter::new(File::create(out.join(format!("COTAHIST_A{year}.ZIP")))?);
    archive.start_file(format!("COTAHIST_A{year}.TXT"), options)?;
    archive.write_all(&text)?;
    archive.finish()?;
    Ok(())
}

/// Columns "Data" (DD.MM.YYYY) and "Último" (thousands points) of a pt-BR table.
fn investing_closes(path: &Path) -> Result<BTreeMap<Date, market::Price>, Box<dyn Error>> {
    let mut closes = BTreeMap::new();
    let mut reader = csv::Reader::from_path(path)?;
    for row in reader.records() {
        let row = row?;
        let (date, last) = (row.get(0).unwrap_or_default(), row.get(1).unwrap_or_default());
        closes.insert(Date::parse_from_str(date, "%d.%m.%Y")?, last.replace('.', "").replace(',', ".").parse()?);
    }
    Ok(closes)
}
