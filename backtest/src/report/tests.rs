//! The page as a reader, a printer, a screen reader and an attacker meet it.

use super::*;
use crate::analytics::METRICS;

/// Text that breaks out of HTML text, a quoted attribute, or a style if any of them is unescaped.
const HOSTILE: &str = "</title></style>\"'><script>alert(1)</script><img src=x onerror=alert(1)>&";

fn date(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

/// Weekdays from 2 January 2023; returns from a small generator, so every run is the same.
fn daily(points: usize) -> Vec<DailyPoint> {
    let mut state = 42_u32;
    let mut noise = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(state >> 8) / f64::from(1 << 24) - 0.5
    };
    let (mut equity, mut index) = (100_000.0, 110_000.0);
    date("2023-01-02")
        .iter_days()
        .filter(|day| chrono::Datelike::weekday(day).num_days_from_monday() < 5)
        .take(points)
        .map(|date| {
            let market = 0.025 * noise();
            equity *= 1.0 + 0.6 * market + 0.01 * noise() + 0.0004;
            index *= 1.0 + market;
            // To the centavo, like real money: serde_json reads longer floats back within one unit
            // in the last place only.
            let [equity, index] = [equity, index].map(|level: f64| (level * 100.0).round() / 100.0);
            let exposure = if noise() > 0.3 { 0.0 } else { 0.8 };
            DailyPoint { date, equity, benchmark: Some(index), exposure, risk_free: Some(0.000_45) }
        })
        .collect()
}

fn report(points: usize) -> ReportData {
    let daily = daily(points);
    let trials = Some(Trials { count: 24, sharpe_variance: 0.002 });
    let performance = performance_of(&daily, &[], trials).expect("measured");
    ReportData {
        title: "Two averages".to_owned(),
        subtitle: "PETR4, VALE3".to_owned(),
        generated_at: "2026-11-23 18:00 -03:00".to_owned(),
        mode: "backtest".to_owned(),
        benchmark_name: "IBOV".to_owned(),
        in_sample_until: daily.get(points / 3).map(|point| point.date),
        daily,
        headline: standard_headline(&performance),
        performance,
        tables: vec![Table {
            title: "Fees".to_owned(),
            columns: vec![Column::new("Kind", ""), Column::new("Amount", "Σ fees of the kind")],
            rows: vec![vec!["exchange".into(), Cell::Money(1_234.56)], vec!["brokerage".into(), Cell::Money(-0.5)]],
            totals: vec!["total".into(), Cell::Money(1_234.06)],
            note: "Both sides of every fill.".to_owned(),
        }],
        warnings: vec!["The universe is today's: companies that left the exchange are missing.".to_owned()],
    }
}

fn page(data: &ReportData) -> String {
    html(data, Locale::En).expect("a page")
}

#[test]
fn every_part_is_there() {
    let page = page(&report(400));
    for part in [
        "Read this first",
        "Equity, base 100",
        "Under water",
        "Worst drawdowns",
        "Monthly returns",
        "Periods",
        "Daily returns",
        "Rolling Sharpe, 63 sessions",
        "Gross exposure",
        "Against the index",
        "Fees",
        "<h2 id=\"formulas\">",
        "The universe is today&#39;s",
        "Chosen among 24 trials",
        "in sample",
        "formula version 1",
    ] {
        assert!(page.contains(part), "{part} is missing");
    }
    // Five charts, each drawn large and small, each with its data and a spoken summary.
    assert_eq!(page.matches("<svg ").count(), 10);
    assert_eq!(page.matches("Data behind this chart").count(), 5);
    assert_eq!(page.matches("role=\"img\" aria-label=\"").count(), 5);
}

#[test]
fn every_metric_carries_its_formula_on_hover() {
    let page = page(&report(400));
    for metric in METRICS.iter().filter(|m| !m.key.starts_with("trades.")) {
        let row = format!("<div title=\"{}\"><dt>{}</dt>", format::escape(metric.formula), metric.label);
        assert!(page.contains(&row), "{} has no row with its formula", metric.key);
    }
}

#[test]
fn nothing_is_fetched_and_nothing_is_run() {
    let page = page(&report(400)).replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
    for forbidden in ["http:", "https:", "<script", "<link", "<img", "@import", "url(", "src=", "<iframe", " on"] {
        let found = page.match_indices(forbidden).find(|(at, _)| {
            // " on" is an event handler only inside a tag: `… onload=`.
            forbidden != " on"
                || page[*at + 3..].chars().take_while(|c| c.is_alphabetic()).count() > 0 && {
                    let name: String = page[*at + 1..].chars().take_while(|c| c.is_alphabetic()).collect();
                    page[*at + 1 + name.len()..].starts_with('=')
                }
        });
        assert_eq!(found, None, "{forbidden}");
    }
    assert!(page.contains("default-src 'none'"));
}

#[test]
fn hostile_text_stays_text() {
    let mut data = report(100);
    data.title = HOSTILE.to_owned();
    data.subtitle = HOSTILE.to_owned();
    data.generated_at = HOSTILE.to_owned();
    data.mode = HOSTILE.to_owned();
    data.benchmark_name = HOSTILE.to_owned();
    data.warnings = vec![HOSTILE.to_owned()];
    data.headline = vec![Headline { label: HOSTILE.to_owned(), value: HOSTILE.into(), formula: HOSTILE.to_owned() }];
    data.tables = vec![Table {
        title: HOSTILE.to_owned(),
        columns: vec![Column::new(HOSTILE, HOSTILE)],
        rows: vec![vec![HOSTILE.into()]],
        totals: vec![HOSTILE.into()],
        note: HOSTILE.to_owned(),
    }];
    // A hole in the index brings its name into the notes as well.
    data.daily[50].benchmark = None;
    let page = page(&data);
    assert!(!page.contains("<script") && !page.contains("<img") && !page.contains("onerror=alert(1)>"));
    assert_eq!(page.matches("</title>").count(), 1);
    assert_eq!(page.matches("</style>").count(), 1);
    assert!(page.matches("&lt;script&gt;alert(1)&lt;/script&gt;").count() >= 14);
    assert!(well_formed(&page));
}

/// Every element that is opened is closed in order, attribute quotes pair up.
fn well_formed(page: &str) -> bool {
    const VOID: [&str; 2] = ["meta", "!doctype"];
    let mut open = Vec::new();
    let without_style = {
        let (before, rest) = page.split_once("<style>").expect("a style");
        let (_, after) = rest.split_once("</style>").expect("its end");
        format!("{before}{after}")
    };
    for piece in without_style.split('<').skip(1) {
        let (tag, text) = piece.split_once('>').expect("a closed tag");
        assert!(!text.contains('>'), "stray bracket after <{tag}>");
        assert!(tag.matches('"').count().is_multiple_of(2), "quotes in <{tag}>");
        let name = tag.trim_end_matches('/').split_whitespace().next().unwrap_or_default();
        if let Some(name) = name.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "closes {name}");
        } else if !tag.ends_with('/') && !VOID.contains(&name) {
            open.push(name);
        }
    }
    open.is_empty()
}

#[test]
fn the_page_is_well_formed() {
    for points in [0, 1, 2, 20, 70, 400] {
        assert!(well_formed(&page(&report(points))), "{points} points");
    }
}

#[test]
fn too_little_data_says_so_instead_of_a_number() {
    for points in [0, 1, 2, 20] {
        let page = page(&report(points));
        assert!(page.contains("not enough data"), "{points} points");
        assert!(!page.contains("NaN") && !page.contains(">inf"), "{points} points");
    }
    let short = page(&report(20));
    assert!(short.contains("Only 19 daily returns"));
    assert!(short.contains("<dt>Sharpe</dt><dd class=\"missing\">not enough data</dd>"));
    assert!(short.contains("<dt>CAGR</dt><dd class=\"missing\">not enough data</dd>"));
    // Too short for a quarter, long enough to be seen.
    assert!(short.contains("<svg "));
}

#[test]
fn each_reader_gets_his_own_numbers() {
    let data = report(100);
    let english = html(&data, Locale::En).expect("a page");
    let brazilian = html(&data, Locale::PtBr).expect("a page");
    assert!(english.contains("R$ 1,234.56") && english.contains("2023-01-03"));
    assert!(brazilian.contains("R$ 1.234,56") && brazilian.contains("03/01/2023"));
    assert!(!brazilian.contains("2023-01-03"));
}

#[test]
fn the_same_data_gives_the_same_bytes() {
    assert_eq!(page(&report(300)), page(&report(300)));
}

#[test]
fn every_colour_drawn_has_a_light_and_a_dark_one() {
    let style = include_str!("style.css");
    let drawn = page(&report(400));
    let (_, body) = drawn.split_once("</style>").expect("a style");
    for attribute in ["fill=\"#", "stroke=\"#"] {
        for (at, _) in body.match_indices(attribute) {
            let pair = &body[at..at + attribute.len() + 7];
            assert!(style.contains(&format!("svg [{pair}]")), "{pair} has no rule");
        }
    }
}

#[test]
fn charts_and_numbers_come_from_one_series() {
    let data = report(400);
    assert_eq!(data.performance.sessions, 399);
    assert_eq!(data.performance.first_session, Some(data.daily[1].date));
    let growth = data.daily[399].equity / data.daily[0].equity - 1.0;
    assert!((data.performance.total_return.expect("a return") - growth).abs() < 1e-12);
    let series = series::Series::of(&data.daily).expect("a series");
    assert_eq!(series.rolling_sharpe[399], data.performance.rolling_sharpe_63_last);
    assert_eq!(series.histogram().expect("bins").bins.iter().map(|b| b.1).sum::<usize>(), 399);
}

#[test]
fn an_index_with_holes_is_drawn_but_not_measured() {
    let mut data = report(100);
    data.daily[40].benchmark = None;
    data.performance = performance_of(&data.daily, &[], None).expect("measured");
    assert_eq!((data.performance.beta, data.performance.benchmark_total_return), (None, None));
    let page = page(&data);
    assert!(page.contains("IBOV has a level on 99 of 100 sessions"));
    assert!(page.contains("No index level for every session."));
}

#[test]
fn json_comes_back_as_it_went() {
    let data = report(100);
    let text = json(&data).expect("JSON");
    assert!(text.contains("\"date\": \"2023-01-02\"") && text.contains("\"formula_version\": 1"));
    let back: ReportData = serde_json::from_str(&text).expect("a report");
    assert_eq!(back.daily, data.daily);
    assert_eq!(back.tables, data.tables);
}

#[test]
fn csv_has_one_line_a_session() {
    let mut data = report(3);
    data.daily[1].benchmark = None;
    let text = csv(&data).expect("CSV");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 4);
    assert_eq!(lines[0], "date,equity,benchmark,exposure,return,drawdown");
    assert!(lines.iter().all(|line| line.matches(',').count() == 5));
    assert!(lines[2].starts_with("2023-01-03,") && lines[2].contains(",,"));
}

#[test]
fn a_crooked_table_is_refused_by_name() {
    let mut data = report(3);
    data.tables[0].totals.pop();
    let refused = html(&data, Locale::En).expect_err("refused").to_string();
    assert_eq!(refused, "table \"Fees\", row 2: 1 cells for 2 columns");
}

#[test]
fn a_broken_series_is_refused() {
    let mut data = report(3);
    data.daily[1].equity = 0.0;
    assert!(matches!(
        html(&data, Locale::En),
        Err(ReportError::Daily(AnalyticsError::NotPositive { series: "equity", index: 1 }))
    ));
    let mut data = report(3);
    data.daily[2].exposure = f64::NAN;
    assert!(matches!(csv(&data), Err(ReportError::Daily(AnalyticsError::NotANumber { .. }))));
}
