//! Tables in HTML: the caller's, the data behind a chart, the monthly heatmap.

use super::format::{Locale, NOT_ENOUGH_DATA, escape};
use super::{Cell, Column, Table};
use crate::analytics::YearOfReturns;

/// Longer tables scroll inside their own box.
const ROWS_BEFORE_SCROLLING: usize = 14;

/// Strongest tint of the heatmap, as opacity: the figures on it must stay readable.
const STRONGEST_TINT: f64 = 0.62;

/// A value as it is written, not yet escaped.
pub(super) fn text(cell: &Cell, locale: Locale) -> String {
    match cell {
        Cell::Text(text) => text.clone(),
        // An i64 beyond 2^53 would lose digits as a float.
        Cell::Integer(value) => integer(*value, locale),
        Cell::Number(value, decimals) => locale.number(*value, usize::from(*decimals)),
        Cell::Percent(fraction) => locale.percent(*fraction, 2),
        Cell::Money(reais) => locale.money(*reais),
        Cell::Date(date) => locale.date(*date),
        Cell::Missing => NOT_ENOUGH_DATA.to_owned(),
    }
}

/// CSS classes: numbers are aligned right, missing ones are faint, losses tinted.
pub(super) fn class(cell: &Cell) -> &'static str {
    match cell {
        Cell::Text(_) => "",
        Cell::Date(_) => "date",
        Cell::Missing => "n missing",
        Cell::Number(value, _) | Cell::Percent(value) | Cell::Money(value) => {
            if !value.is_finite() {
                "n missing"
            } else if *value < 0.0 {
                "n loss"
            } else {
                "n"
            }
        }
        Cell::Integer(value) if *value < 0 => "n loss",
        Cell::Integer(_) => "n",
    }
}

/// ` title="…"`, or nothing for an empty formula.
pub(super) fn tooltip(formula: &str) -> String {
    if formula.is_empty() {
        return String::new();
    }
    format!(" title=\"{}\"", escape(formula))
}

/// A table of the caller's under its own heading.
pub(super) fn table(table: &Table, locale: Locale) -> String {
    let mut html = format!("<section class=\"card\"><h3>{}</h3>", escape(&table.title));
    if !table.note.is_empty() {
        html.push_str(&format!("<p class=\"note\">{}</p>", escape(&table.note)));
    }
    let rows = &table.rows;
    html.push_str(&grid(&table.title, &table.columns, rows, &table.totals, locale));
    html.push_str("</section>\n");
    html
}

/// The table element itself, in a box that scrolls sideways when the screen is narrow.
pub(super) fn grid(label: &str, columns: &[Column], rows: &[Vec<Cell>], totals: &[Cell], locale: Locale) -> String {
    let tall = if rows.len() > ROWS_BEFORE_SCROLLING { " tall" } else { "" };
    let mut html = format!(
        "<div class=\"scroll{tall}\" tabindex=\"0\" role=\"region\" aria-label=\"{}\"><table><thead><tr>",
        escape(label)
    );
    for (at, column) in columns.iter().enumerate() {
        // A heading is aligned like the figures below it.
        let numeric = rows.first().is_some_and(|row| class(&row[at]).starts_with('n'));
        let class = if numeric { " class=\"n\"" } else { "" };
        let (tip, title) = (tooltip(&column.formula), escape(&column.title));
        html.push_str(&format!("<th scope=\"col\"{class}{tip}>{title}</th>"));
    }
    html.push_str("</tr></thead>\n<tbody>\n");
    if rows.is_empty() {
        let width = columns.len().max(1);
        html.push_str(&format!("<tr><td class=\"missing\" colspan=\"{width}\">none</td></tr>\n"));
    }
    for row in rows {
        html.push_str(&table_row(columns, row, locale));
    }
    html.push_str("</tbody>\n");
    if !totals.is_empty() {
        html.push_str(&format!("<tfoot>{}</tfoot>\n", table_row(columns, totals, locale)));
    }
    html.push_str("</table></div>");
    html
}

fn table_row(columns: &[Column], cells: &[Cell], locale: Locale) -> String {
    let mut html = String::from("<tr>");
    for (column, cell) in columns.iter().zip(cells) {
        let class = match class(cell) {
            "" => String::new(),
            class => format!(" class=\"{class}\""),
        };
        let tip = match cell {
            Cell::Text(_) => String::new(),
            _ => tooltip(&column.formula),
        };
        html.push_str(&format!("<td{class}{tip}>{}</td>", escape(&text(cell, locale))));
    }
    html.push_str("</tr>\n");
    html
}

/// The data behind a chart, folded away. Formulas stand in the headings only: a thousand rows
/// would repeat them a thousand times.
pub(super) fn behind(label: &str, columns: &[Column], rows: &[Vec<Cell>], locale: Locale) -> String {
    let plain: Vec<Column> = columns.iter().map(|c| Column::new(c.title.clone(), "")).collect();
    let formulas: Vec<String> =
        columns.iter().filter(|c| !c.formula.is_empty()).map(|c| format!("{}: {}", c.title, c.formula)).collect();
    format!(
        "<details{}><summary>Data behind this chart</summary>{}</details>\n",
        tooltip(&formulas.join("; ")),
        grid(label, &plain, rows, &[], locale)
    )
}

/// Year × month, tinted on one scale centred at zero, with the year's total and the index's.
pub(super) fn heatmap(
    portfolio: &[YearOfReturns],
    index: &[YearOfReturns],
    index_name: &str,
    locale: Locale,
) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let strongest =
        portfolio.iter().flat_map(|row| row.months.iter().flatten()).fold(0.0_f64, |most, value| most.max(value.abs()));
    let mut html = String::from(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Monthly returns\">\
         <table class=\"heat\" title=\"Π(1 + r) − 1 over the sessions of the month or year; \
         the first and the last may be partial\"><thead><tr><th scope=\"col\">Year</th>",
    );
    for month in MONTHS {
        html.push_str(&format!("<th scope=\"col\">{month}</th>"));
    }
    html.push_str("<th scope=\"col\" class=\"total\">Year</th>");
    if !index.is_empty() {
        html.push_str(&format!("<th scope=\"col\">{}</th>", escape(index_name)));
    }
    html.push_str("</tr></thead>\n<tbody>\n");
    for row in portfolio {
        html.push_str(&format!("<tr><th scope=\"row\">{:04}</th>", row.year));
        for month in row.months {
            html.push_str(&heat_cell(month, strongest, locale));
        }
        let total = locale.percent(row.total, 1);
        html.push_str(&format!("<td class=\"total\">{total}</td>"));
        if !index.is_empty() {
            let total = index.iter().find(|i| i.year == row.year).map(|i| i.total);
            let total = total.map_or(NOT_ENOUGH_DATA.to_owned(), |t| locale.percent(t, 1));
            html.push_str(&format!("<td class=\"index\">{total}</td>"));
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</tbody></table></div>\n");
    html
}

fn heat_cell(month: Option<f64>, strongest: f64, locale: Locale) -> String {
    let Some(value) = month else {
        return "<td class=\"empty\"><span class=\"hidden\">no session</span></td>".to_owned();
    };
    let tint = if strongest > 0.0 { value.abs() / strongest * STRONGEST_TINT } else { 0.0 };
    let class = if value < 0.0 { "down" } else { "up" };
    format!("<td class=\"{class}\" style=\"--tint:{tint:.3}\">{}</td>", locale.percent(value, 1))
}

fn integer(value: i64, locale: Locale) -> String {
    if value.unsigned_abs() < 1 << 53 {
        return locale.number(value as f64, 0);
    }
    value.to_string()
}
