//! The page: what stands where, and in which words.

use super::figures::{equity, exposure, histogram, rolling_sharpe, underwater};
use super::format::{Locale, NOT_ENOUGH_DATA, escape};
use super::series::Series;
use super::tables::{class, grid, heatmap, table, text, tooltip};
use super::{Cell, Column, ReportData, ReportError};
use crate::analytics::{
    Group, METRICS, MINIMUM_OBSERVATIONS, MINIMUM_SESSIONS_TO_ANNUALISE, Metric, PeriodStatistics, calendar,
};

const STYLE: &str = include_str!("style.css");

/// Forbids every request and every script: the file is what it is.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// Characters that fit into a headline card at full size.
const LONGEST_LARGE_NUMBER: usize = 10;

/// Parts of the page, for the links at the top: anchor and name.
const PARTS: [(&str, &str); 6] = [
    ("curves", "Curves"),
    ("months", "Months"),
    ("distribution", "Distribution"),
    ("numbers", "Numbers"),
    ("ledgers", "Ledgers"),
    ("formulas", "Formulas"),
];

pub(super) fn page(data: &ReportData, series: &Series, locale: Locale) -> Result<String, ReportError> {
    let title = escape(&data.title);
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<div class=\"wrap\">\n\
         <a class=\"skip\" href=\"#numbers\">Skip to the numbers</a>\n"
    );
    html.push_str(&header(data, series, locale));
    html.push_str("<main>\n");
    html.push_str(&headline(data, locale));
    html.push_str(&honesty(data, series, locale));
    html.push_str("<h2 id=\"curves\">Curves</h2>\n");
    html.push_str(&equity(data, series, locale)?);
    html.push_str(&underwater(data, series, locale)?);
    html.push_str(&worst_drawdowns(data, locale));
    html.push_str(&months(data, series, locale));
    html.push_str("<h2 id=\"distribution\">Distribution, risk and exposure</h2>\n<div class=\"pair\">\n");
    html.push_str(&histogram(series, locale)?);
    html.push_str(&rolling_sharpe(data, series, locale)?);
    html.push_str("</div>\n");
    html.push_str(&exposure(data, series, locale)?);
    html.push_str(&numbers(data, series, locale));
    html.push_str("<h2 id=\"ledgers\">Ledgers</h2>\n");
    if data.tables.is_empty() {
        html.push_str("<p class=\"missing\">This run kept no ledgers.</p>\n");
    }
    for ledger in &data.tables {
        html.push_str(&table(ledger, locale));
    }
    html.push_str(&formulas(data, locale));
    html.push_str("</main>\n");
    html.push_str(&format!(
        "<footer>Pregão · formula version {} · {}</footer>\n</div>\n</body>\n</html>\n",
        data.performance.formula_version,
        escape(&data.generated_at),
    ));
    Ok(html)
}

fn header(data: &ReportData, series: &Series, locale: Locale) -> String {
    let mut html = format!(
        "<header>\n<span class=\"badge\">{}</span>\n<h1>{}</h1>\n<p class=\"subtitle\">{}</p>\n<ul class=\"facts\">",
        escape(&data.mode),
        escape(&data.title),
        escape(&data.subtitle),
    );
    if let (Some(first), Some(last)) = (series.return_dates().first(), series.dates.last()) {
        let sessions = locale.number(series.returns.len() as f64, 0);
        html.push_str(&format!(
            "<li><b>{}</b> to <b>{}</b></li><li><b>{sessions}</b> sessions</li>",
            locale.date(*first),
            locale.date(*last),
        ));
    }
    if let (Some(first), Some(last)) = (data.daily.first(), data.daily.last()) {
        html.push_str(&format!(
            "<li title=\"cash plus positions at market, after fees\">equity <b>{}</b> → <b>{}</b></li>",
            locale.money(first.equity),
            locale.money(last.equity),
        ));
    }
    html.push_str(&format!(
        "<li>generated {}</li></ul>\n</header>\n<nav aria-label=\"Parts of the report\">",
        escape(&data.generated_at)
    ));
    for (anchor, name) in PARTS {
        html.push_str(&format!("<a href=\"#{anchor}\">{name}</a>"));
    }
    html.push_str("</nav>\n");
    html
}

fn headline(data: &ReportData, locale: Locale) -> String {
    if data.headline.is_empty() {
        return String::new();
    }
    // As few rows as five columns allow, filled evenly: six numbers are two rows of three.
    let rows = data.headline.len().div_ceil(5);
    let columns = data.headline.len().div_ceil(rows);
    let mut html = format!("<dl class=\"headline\" style=\"--columns:{columns}\" aria-label=\"Headline\">\n");
    for row in &data.headline {
        let label = escape(&row.label);
        html.push_str(&format!(
            "<div{}><dt>{label}</dt>{}</div>\n",
            tooltip(&row.formula),
            definition(&row.value, locale)
        ));
    }
    html.push_str("</dl>\n");
    html
}

fn definition(value: &Cell, locale: Locale) -> String {
    let text = escape(&text(value, locale));
    // Millions of reais need a smaller letter to stay on one line.
    let long = if text.chars().count() > LONGEST_LARGE_NUMBER { " long" } else { "" };
    match class(value) {
        "n missing" => format!("<dd class=\"missing\">{text}</dd>"),
        "n loss" => format!("<dd class=\"loss{long}\">{text}</dd>"),
        _ => format!("<dd class=\"gain{long}\">{text}</dd>"),
    }
}

/// The caller's warnings, and what the data itself gives away.
fn honesty(data: &ReportData, series: &Series, locale: Locale) -> String {
    let mut notes = data.warnings.clone();
    let returns = series.returns.len();
    if returns < MINIMUM_SESSIONS_TO_ANNUALISE {
        notes.push(format!(
            "Only {returns} daily returns: a number scaled to a year needs {MINIMUM_SESSIONS_TO_ANNUALISE}, \
             a ratio needs {MINIMUM_OBSERVATIONS}."
        ));
    }
    let with_index = data.daily.iter().filter(|p| p.benchmark.is_some()).count();
    if with_index < data.daily.len() {
        notes.push(format!(
            "{} has a level on {with_index} of {} sessions: numbers against the index are left out.",
            data.benchmark_name,
            data.daily.len()
        ));
    }
    if series.risk_free.is_none() {
        notes.push("No risk-free rate for every session: excess ratios use 0.".to_owned());
    }
    notes.push(match data.performance.trials {
        Some(trials) => format!(
            "Chosen among {} trials: read the deflated Sharpe ratio beside the Sharpe ratio.",
            locale.number(trials as f64, 0)
        ),
        None => "How many variants were tried before this one was not stated, so the Sharpe ratio \
                 is not deflated."
            .to_owned(),
    });
    if let Some(until) = data.in_sample_until {
        notes.push(format!("Sessions up to {} are in sample (shaded): fitted on, not evidence.", locale.date(until)));
    }
    let mut html = String::from(
        "<section class=\"honesty\" aria-labelledby=\"honesty\"><h2 id=\"honesty\">Read this first</h2><ul>\n",
    );
    for note in notes {
        html.push_str(&format!("<li>{}</li>\n", escape(&note)));
    }
    html.push_str("</ul></section>\n");
    html
}

fn worst_drawdowns(data: &ReportData, locale: Locale) -> String {
    let columns = [
        Column::new("Peak", "last session at the peak"),
        Column::new("Trough", "session of the lowest equity"),
        Column::new("Recovered", "first session back at the peak"),
        Column::new("Depth", "E_trough / E_peak − 1"),
        Column::new("Sessions", "sessions below the peak; open ones to the end"),
        Column::new("To trough", "sessions from the peak to the trough"),
    ];
    let rows: Vec<_> = data
        .performance
        .worst_drawdowns
        .iter()
        .map(|d| {
            vec![
                d.peak.map_or("start".into(), Cell::Date),
                Cell::Date(d.trough),
                d.recovered.map_or("still open".into(), Cell::Date),
                Cell::Percent(d.depth),
                Cell::Number(d.sessions as f64, 0),
                Cell::Number(d.sessions_to_trough as f64, 0),
            ]
        })
        .collect();
    format!(
        "<section class=\"card\"><h3>Worst drawdowns</h3>{}</section>\n",
        grid("Worst drawdowns", &columns, &rows, &[], locale)
    )
}

fn months(data: &ReportData, series: &Series, locale: Locale) -> String {
    let mut html = String::from("<h2 id=\"months\">Months</h2>\n<section class=\"card\"><h3>Monthly returns</h3>\n");
    if data.performance.monthly_returns.is_empty() {
        html.push_str(&format!("<p class=\"missing\">{NOT_ENOUGH_DATA}</p>\n"));
    } else {
        let index = series.index_returns.as_deref().unwrap_or_default();
        let index = calendar::monthly_matrix(series.return_dates(), index);
        let months = &data.performance.monthly_returns;
        html.push_str(&heatmap(months, &index, &data.benchmark_name, locale));
        html.push_str("<p class=\"scale\" aria-hidden=\"true\">loss <i></i> gain</p>\n");
    }
    html.push_str("</section>\n<section class=\"card\"><h3>Periods</h3>");
    html.push_str(&periods(data, locale));
    html.push_str("</section>\n");
    html
}

fn periods(data: &ReportData, locale: Locale) -> String {
    let columns = [
        Column::new("Period", ""),
        Column::new("Won", "periods with a positive return, of all"),
        Column::new("Win rate", "won / (won + lost); needs 30"),
        Column::new("Best", "highest compounded return"),
        Column::new("Worst", "lowest compounded return"),
        Column::new("Average up", "mean of the positive periods"),
        Column::new("Average down", "mean of the negative periods"),
    ];
    let row = |name: &str, period: &PeriodStatistics| {
        let count = |n: usize| locale.number(n as f64, 0);
        vec![
            name.into(),
            Cell::Text(format!("{} of {}", count(period.won), count(period.count))),
            Cell::percent(period.win_rate),
            Cell::percent(period.best),
            Cell::percent(period.worst),
            Cell::percent(period.average_up),
            Cell::percent(period.average_down),
        ]
    };
    let periods = &data.performance.periods;
    let rows = [
        row("Day", &periods.day),
        row("Month", &periods.month),
        row("Quarter", &periods.quarter),
        row("Year", &periods.year),
    ];
    grid("Periods", &columns, &rows, &[], locale)
}

fn numbers(data: &ReportData, series: &Series, locale: Locale) -> String {
    let mut html = String::from("<h2 id=\"numbers\">Numbers</h2>\n<div class=\"groups\">\n");
    for group in Group::ALL {
        html.push_str(&format!("<section class=\"card\"><h3>{}</h3>", group.title()));
        match empty_group(group, data, series) {
            Some(reason) => html.push_str(&format!("<p class=\"missing\">{reason}</p>")),
            None => html.push_str(&metrics(group, data, series, locale)),
        }
        html.push_str("</section>\n");
    }
    html.push_str("</div>\n");
    html
}

/// Why a whole group has nothing to show: one sentence instead of a column of the same words.
fn empty_group(group: Group, data: &ReportData, series: &Series) -> Option<&'static str> {
    match group {
        Group::Trades if data.performance.trades.count == 0 => Some("No trade was closed."),
        Group::Benchmark if series.index_returns.is_none() => Some("No index level for every session."),
        _ => None,
    }
}

fn metrics(group: Group, data: &ReportData, series: &Series, locale: Locale) -> String {
    let performance = &data.performance;
    let mut html = String::from("<dl class=\"metrics\">\n");
    for metric in METRICS.iter().filter(|metric| metric.group == group) {
        let value = match Cell::metric(metric, performance) {
            Cell::Missing => {
                let reason = absent(metric, data, series);
                format!("<dd class=\"missing\">{reason}</dd>")
            }
            value => definition(&value, locale),
        };
        html.push_str(&format!("<div{}><dt>{}</dt>{value}</div>\n", tooltip(metric.formula), metric.label));
    }
    html.push_str("</dl>");
    html
}

/// Why a metric has no value, where the reason is not the length of the series.
fn absent(metric: &Metric, data: &ReportData, series: &Series) -> &'static str {
    match metric.key {
        "trials" | "deflated_sharpe" if data.performance.trials.is_none() => "trials not stated",
        "risk_free_annual" if series.risk_free.is_none() => "not given, 0 used",
        "average_drawdown" if data.performance.max_drawdown == Some(0.0) => "no drawdown",
        _ => NOT_ENOUGH_DATA,
    }
}

fn formulas(data: &ReportData, locale: Locale) -> String {
    let columns = [Column::new("Number", ""), Column::new("Formula", "")];
    let headline = data.headline.iter().filter(|h| !h.formula.is_empty());
    let headline = headline.map(|h| (h.label.as_str(), h.formula.as_str()));
    let mut lines: Vec<(&str, &str)> = METRICS.iter().map(|m| (m.label, m.formula)).collect();
    lines.extend(headline.filter(|line| !METRICS.iter().any(|m| (m.label, m.formula) == *line)));
    let rows: Vec<_> = lines.iter().map(|(name, formula)| vec![(*name).into(), (*formula).into()]).collect();
    format!(
        "<h2 id=\"formulas\">Formulas</h2>\n<section class=\"card\"><p class=\"note\">Libraries disagree, so \
         every number says how it is computed: here, and on hover wherever it stands. r are simple daily \
         returns, b the index's, rf the risk-free rate of the session, E_t = Π(1 + r), n sessions; a year has \
         252 sessions. A ratio needs {MINIMUM_OBSERVATIONS} observations, a number scaled to a year \
         {MINIMUM_SESSIONS_TO_ANNUALISE} sessions.</p>{}</section>\n",
        grid("Formulas", &columns, &rows, &[], locale)
    )
}
