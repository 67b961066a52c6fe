//! The five charts: what each draws, says aloud, and keeps behind it as a table.

use plotters::style::RGBColor;

use super::charts::{Axis, Band, Curve, HALF, NARROW, Size, TimeChart, WIDE, palette};
use super::format::{Locale, NOT_ENOUGH_DATA, escape};
use super::series::Series;
use super::tables::{behind, tooltip};
use super::{Cell, Column, ReportData, ReportError};
use crate::analytics::ROLLING_WINDOW;

/// A chart with its name, legend, spoken summary and the data behind it.
struct Figure<'a> {
    title: &'a str,
    formula: &'a str,
    /// Class of the key, text already escaped.
    legend: Vec<(&'a str, String)>,
    /// Read aloud in place of the picture.
    summary: String,
    /// Drawn large and small; `None` if there is nothing to draw.
    drawings: Option<[String; 2]>,
    /// Empty if there is nothing to draw.
    behind: String,
}

impl Figure<'_> {
    fn html(&self) -> String {
        let mut html = format!(
            "<figure class=\"card\"><figcaption><h3{}>{}</h3><ul class=\"legend\">",
            tooltip(self.formula),
            self.title
        );
        // Keys to a picture that is not there would only confuse.
        for (key, text) in self.legend.iter().filter(|_| self.drawings.is_some()) {
            html.push_str(&format!("<li><span class=\"key {key}\"></span>{text}</li>"));
        }
        html.push_str("</ul></figcaption>\n");
        match &self.drawings {
            Some([large, small]) => html.push_str(&format!(
                "<div class=\"plot\" role=\"img\" aria-label=\"{}\">\n<div class=\"large\">{large}</div>\n\
                 <div class=\"small\">{small}</div>\n</div>\n{}",
                escape(&self.summary),
                self.behind
            )),
            None => html.push_str(&format!("<p class=\"missing\">{NOT_ENOUGH_DATA}</p>\n")),
        }
        html.push_str("</figure>\n");
        html
    }
}

/// Draws a time chart large and small, or nothing without a second session.
fn drawings(chart: &TimeChart<'_>, large: Size, locale: Locale) -> Result<Option<[String; 2]>, ReportError> {
    if chart.dates.len() < 2 || chart.curves.iter().all(|c| c.values.iter().all(Option::is_none)) {
        return Ok(None);
    }
    Ok(Some([chart.svg(large, locale)?, chart.svg(NARROW, locale)?]))
}

fn curve(values: Vec<Option<f64>>, colour: RGBColor, width: f64) -> Curve {
    Curve { values, colour, width }
}

/// The part of the sessions that the run was fitted on.
fn in_sample(data: &ReportData, series: &Series) -> Option<Band> {
    let sessions = series.dates.partition_point(|date| Some(*date) <= data.in_sample_until);
    (sessions > 0).then(|| Band { from: 0, to: sessions - 1, colour: palette::IN_SAMPLE, opacity: 0.14 })
}

/// The in-sample band and its legend entry, on every chart over time.
fn shaded(data: &ReportData, series: &Series, legend: &mut Vec<(&str, String)>) -> Vec<Band> {
    let bands: Vec<Band> = in_sample(data, series).into_iter().collect();
    if !bands.is_empty() {
        legend.push(("shade area", "in sample".to_owned()));
    }
    bands
}

pub(super) fn equity(data: &ReportData, series: &Series, locale: Locale) -> Result<String, ReportError> {
    let mut chart = TimeChart {
        dates: &series.dates,
        curves: vec![curve(series.equity.clone(), palette::PORTFOLIO, 2.2)],
        bands: Vec::new(),
        fill_to: None,
        baseline: 100.0,
        axis: Axis::Number,
    };
    let last = |values: &[Option<f64>]| {
        let last = values.iter().rev().flatten().next();
        last.map_or(NOT_ENOUGH_DATA.to_owned(), |v| locale.number(*v, 1))
    };
    let mut legend = vec![("portfolio", format!("Portfolio <b>{}</b>", last(&series.equity)))];
    let mut columns = vec![
        Column::new("Session", ""),
        Column::new("Equity", "cash plus positions at market, after fees"),
        Column::new("Portfolio", "equity over its first value, times 100"),
    ];
    let mut summary = format!(
        "Line chart over {} sessions, base 100. Portfolio ends at {}",
        series.dates.len(),
        last(&series.equity)
    );
    let name = escape(&data.benchmark_name);
    if let Some(index) = &series.index {
        chart.curves.push(curve(index.clone(), palette::INDEX, 1.6));
        legend.push(("index-key", format!("{name} <b>{}</b>", last(index))));
        columns.push(Column::new(&data.benchmark_name, "index over its first level, times 100"));
        summary.push_str(&format!(", {} at {}", data.benchmark_name, last(index)));
    }
    if let Some(cash) = &series.cash {
        chart.curves.push(curve(cash.clone(), palette::RISK_FREE, 1.4));
        legend.push(("cash", format!("Risk-free <b>{}</b>", last(cash))));
        columns.push(Column::new("Risk-free", "Π(1 + rf), times 100"));
        summary.push_str(&format!(", risk-free at {}", last(cash)));
    }
    chart.bands = shaded(data, series, &mut legend);
    let row = |at: usize| {
        let mut row =
            vec![Cell::Date(series.dates[at]), Cell::Money(data.daily[at].equity), Cell::number(series.equity[at], 2)];
        let others = [&series.index, &series.cash];
        row.extend(others.into_iter().flatten().map(|values| Cell::number(values[at], 2)));
        row
    };
    let rows: Vec<_> = (0..series.dates.len()).map(row).collect();
    Ok(Figure {
        title: "Equity, base 100",
        formula: "level over the first level, times 100; the first session is the base",
        legend,
        summary: summary + ".",
        drawings: drawings(&chart, WIDE, locale)?,
        behind: behind("Equity, base 100", &columns, &rows, locale),
    }
    .html())
}

pub(super) fn underwater(data: &ReportData, series: &Series, locale: Locale) -> Result<String, ReportError> {
    let deepest = data.performance.max_drawdown;
    let deepest = deepest.map_or(NOT_ENOUGH_DATA.to_owned(), |d| locale.percent(d, 2));
    let mut legend = vec![("loss-key area", format!("deepest <b>{deepest}</b>"))];
    let mut bands = shaded(data, series, &mut legend);
    let last = series.dates.len().saturating_sub(1);
    let session = |date| series.dates.partition_point(|d| *d < date).min(last);
    for drawdown in &data.performance.worst_drawdowns {
        bands.push(Band {
            from: drawdown.peak.map_or(0, session),
            to: drawdown.recovered.map_or(last, session),
            colour: palette::LOSS,
            opacity: 0.07,
        });
    }
    if !data.performance.worst_drawdowns.is_empty() {
        let shown = data.performance.worst_drawdowns.len();
        legend.push(("loss-key faint area", format!("the {shown} worst, shaded")));
    }
    let chart = TimeChart {
        dates: &series.dates,
        curves: vec![curve(series.underwater.iter().map(|d| Some(*d)).collect(), palette::LOSS, 1.4)],
        bands,
        fill_to: Some(0.0),
        baseline: 0.0,
        axis: Axis::Percent,
    };
    let rows: Vec<_> = series
        .dates
        .iter()
        .zip(&series.underwater)
        .map(|(date, depth)| vec![Cell::Date(*date), Cell::Percent(*depth)])
        .collect();
    let formula = "E_t / max E − 1";
    let columns = [Column::new("Session", ""), Column::new("Drawdown", formula)];
    Ok(Figure {
        title: "Under water",
        formula,
        legend,
        summary: format!("Area chart of the distance below the last peak; deepest {deepest}."),
        drawings: drawings(&chart, WIDE, locale)?,
        behind: behind("Under water", &columns, &rows, locale),
    }
    .html())
}

pub(super) fn histogram(series: &Series, locale: Locale) -> Result<String, ReportError> {
    let histogram = series.histogram();
    let mut figure = Figure {
        title: "Daily returns",
        formula: "sessions per interval of return; intervals start at zero",
        legend: vec![
            ("portfolio area", "gains".to_owned()),
            ("loss-key area", "losses".to_owned()),
            ("", "normal with the same mean and spread".to_owned()),
        ],
        summary: "Histogram of daily returns.".to_owned(),
        drawings: None,
        behind: String::new(),
    };
    if let Some(histogram) = histogram {
        let rows: Vec<_> = histogram
            .bins
            .iter()
            .map(|&(from, count)| {
                vec![Cell::Percent(from), Cell::Percent(from + histogram.step), Cell::Number(count as f64, 0)]
            })
            .collect();
        let columns = ["From", "To", "Sessions"].map(|title| Column::new(title, ""));
        figure.summary = format!(
            "Histogram of {} daily returns in intervals of {}.",
            series.returns.len(),
            locale.percent(histogram.step, 2)
        );
        figure.behind = behind("Daily returns", &columns, &rows, locale);
        figure.drawings = Some([histogram.svg(HALF, locale)?, histogram.svg(NARROW, locale)?]);
    }
    Ok(figure.html())
}

pub(super) fn rolling_sharpe(data: &ReportData, series: &Series, locale: Locale) -> Result<String, ReportError> {
    let mut legend = Vec::new();
    let bands = shaded(data, series, &mut legend);
    let values = &series.rolling_sharpe;
    let last = values.last().copied().flatten();
    let last = last.map_or(NOT_ENOUGH_DATA.to_owned(), |v| locale.number(v, 2));
    legend.insert(0, ("portfolio", format!("last <b>{last}</b>")));
    let chart = TimeChart {
        dates: &series.dates,
        curves: vec![curve(values.clone(), palette::PORTFOLIO, 1.6)],
        bands,
        fill_to: None,
        baseline: 0.0,
        axis: Axis::Number,
    };
    let rows: Vec<_> = series
        .dates
        .iter()
        .zip(values)
        .filter_map(|(date, value)| Some(vec![Cell::Date(*date), Cell::Number((*value)?, 3)]))
        .collect();
    let formula = "mean(r − rf)/std(r − rf)·√252 over the trailing window, ddof 1";
    let columns = [Column::new("Session", ""), Column::new("Sharpe", formula)];
    let title = format!("Rolling Sharpe, {ROLLING_WINDOW} sessions");
    Ok(Figure {
        title: &title,
        formula,
        legend,
        summary: format!("Line chart of the Sharpe ratio over {ROLLING_WINDOW} sessions; last {last}."),
        drawings: drawings(&chart, HALF, locale)?,
        behind: behind(&title, &columns, &rows, locale),
    }
    .html())
}

pub(super) fn exposure(data: &ReportData, series: &Series, locale: Locale) -> Result<String, ReportError> {
    let time = data.performance.time_in_market;
    let time = time.map_or(NOT_ENOUGH_DATA.to_owned(), |t| locale.percent(t, 1));
    let mut legend = vec![("portfolio area", format!("in the market <b>{time}</b> of sessions"))];
    let chart = TimeChart {
        dates: &series.dates,
        bands: shaded(data, series, &mut legend),
        curves: vec![curve(series.exposure.iter().map(|e| Some(*e)).collect(), palette::PORTFOLIO, 1.2)],
        fill_to: Some(0.0),
        baseline: 0.0,
        axis: Axis::Percent,
    };
    let rows: Vec<_> = series
        .dates
        .iter()
        .zip(&series.exposure)
        .map(|(date, exposure)| vec![Cell::Date(*date), Cell::Percent(*exposure)])
        .collect();
    let formula = "Σ abs(position at market) / equity";
    let columns = [Column::new("Session", ""), Column::new("Exposure", formula)];
    Ok(Figure {
        title: "Gross exposure",
        formula,
        legend,
        summary: format!("Area chart of gross exposure over equity; exposed on {time} of sessions."),
        drawings: drawings(&chart, WIDE, locale)?,
        behind: behind("Gross exposure", &columns, &rows, locale),
    }
    .html())
}
