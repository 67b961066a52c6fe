//! `orders` and `positions`: what is open and what is held, from the running daemon, else from its journal.

use serde_json::{Value, json};

use crate::commands::status;
use crate::config::Overrides;
use crate::output::{Answer, Failure, table};

/// The open orders.
pub fn orders(overrides: &Overrides) -> Result<Answer, Failure> {
    const COLUMNS: [&str; 10] = [
        "client_order_id",
        "strategy",
        "symbol",
        "side",
        "status",
        "order_type",
        "quantity",
        "cumulative",
        "leaves",
        "limit_price",
    ];
    shown(overrides, "open_orders", &COLUMNS, 6)
}

/// What is held.
pub fn positions(overrides: &Overrides) -> Result<Answer, Failure> {
    const COLUMNS: [&str; 8] =
        ["symbol", "quantity", "average_price", "mark", "unrealized", "realized", "external", "frozen"];
    shown(overrides, "positions", &COLUMNS, 1)
}

fn shown(overrides: &Overrides, key: &str, columns: &[&str], numbers: usize) -> Result<Answer, Failure> {
    let document = status::document(overrides, false)?;
    let rows: Vec<Value> = document[key].as_array().cloned().unwrap_or_default();
    let cell = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Number(number) if number.is_f64() => format!("{:.2}", number.as_f64().unwrap_or_default()),
        other => other.to_string(),
    };
    let cells = rows.iter().map(|row| columns.iter().map(|column| cell(&row[*column])).collect());
    let told = if rows.is_empty() { format!("no {}", key.replace('_', " ")) } else { table(columns, numbers, cells) };
    let running = document["running"] == true;
    let source = if running { "" } else { "No daemon is running; this is its journal.\n" };
    let key = if key == "open_orders" { "orders" } else { key };
    Ok(Answer::new(format!("{source}{told}"), json!({ "running": running, key: rows })))
}
