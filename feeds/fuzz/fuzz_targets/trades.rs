//! Any bytes as the CSV of trades inside a ZIP, and any bytes as the ZIP: no panic, every trade of the
//! session that was asked for or of one before, and bars of them that are whole.

#![no_main]

use std::io::{Cursor, Write};

use feeds::source::{Ask, Item, Settings, Subject};
use feeds::sources::b3_trades;
use feeds::trades_to_bars::MinuteBars;
use libfuzzer_sys::fuzz_target;
use market::Date;
use market::history::Interval;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

fuzz_target!(|bytes: &[u8]| {
    let session = Date::from_ymd_opt(2026, 11, 26).expect("a day");
    let ask = Ask {
        subject: Subject::Trades,
        symbols: vec!["PETR4".parse().expect("a symbol")],
        interval: Interval::MINUTE,
        from: session,
        to: session,
        today: session,
    };
    let source = b3_trades::build(&Settings::default()).expect("a source");
    let request = source.plan(&ask).expect("a plan").remove(0);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    zip.start_file("trades.txt", stored).expect("a file");
    zip.write_all(bytes).expect("its bytes");
    let packed = zip.finish().expect("a ZIP").into_inner();
    for body in [&packed[..], bytes] {
        let mut bars = MinuteBars::new(source.facts().name);
        let mut take = |item: Item| {
            if let Item::Trade(trade) = item {
                assert!(trade.session <= session && trade.quantity.is_positive());
                bars.add(&trade);
            }
            Ok(())
        };
        if let Err(error) = source.read(&request, &mut Cursor::new(body), &mut take) {
            assert!(error.to_string().starts_with(b3_trades::NAME));
        }
        for bar in bars.finish() {
            assert!(bar.low <= bar.open.min(bar.close) && bar.open.max(bar.close) <= bar.high);
        }
    }
});
