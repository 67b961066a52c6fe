//! `status`: how the account stands, from the running daemon, or from the journal where none runs. With
//! `--reconcile` also what comparing book and broker would lead to: a dry run, nothing is changed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actors::account::{FlattenPlan, Snapshot};
use actors::halt::{Halter, establish};
use actors::journal::SharedJournal;
use actors::system::{recover, shared};
use brokers::bridge::{BridgeBroker, BridgeSettings};
use brokers::{Broker, BrokerEvent};
use desk::{Closing, Restored};
use market::{OrderReference, Statement, Universe};
use oms::Book;
use oms::reconcile::{self, Correction, Plan, Scope};
use risk::HaltSwitch;
use risk::disconnect::Agreement;
use serde_json::{Value, json};
use store::{HaltRecord, History, Ledger};

use crate::config::{BrokerConfig, Config, Overrides, load};
use crate::control::{self, Question};
use crate::histories;
use crate::output::{Answer, Failure, table};
use crate::{answers, ledger, wiring};

/// Longest wait for a broker that is asked without a daemon.
const BROKER_PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks for its answer.
const PAUSE: Duration = Duration::from_millis(20);

/// Shows how the account stands.
pub fn status(overrides: &Overrides, with_reconcile: bool) -> Result<Answer, Failure> {
    let document = document(overrides, with_reconcile)?;
    let stopped = document["halts"].as_array().is_some_and(|halts| !halts.is_empty())
        || document["breaks"].as_array().is_some_and(|breaks| !breaks.is_empty())
        || document["reconcile"].get("agrees").is_some_and(|agrees| agrees == false);
    Ok(Answer { text: shown(&document), json: document, degraded: stopped })
}

/// How the account stands, from whoever knows.
///
/// # Errors
/// The configuration is wrong, the daemon does not answer, or the journal cannot be read.
pub fn document(overrides: &Overrides, with_reconcile: bool) -> Result<Value, Failure> {
    let config = load(overrides)?;
    let question = if with_reconcile { Question::Reconcile } else { Question::Status };
    let running = control::ask(&config.data_directory, &question);
    match running.map_err(|error| Failure::Failed(error, Value::Null))? {
        Some(mut document) => {
            document["running"] = true.into();
            Ok(document)
        }
        None => without_daemon(&config, with_reconcile),
    }
}

/// The account as a running daemon sees it.
pub fn of_snapshot(snapshot: &Snapshot, strategies: &[String]) -> Value {
    let mut document = of_book(snapshot.desk.book(), snapshot.desk.universe(), strategies);
    document["halt"] = snapshot.desk.halt().level().name().into();
    document["ready"] = snapshot.ready.into();
    document["breaks"] = snapshot.breaks.clone().into();
    document["entries"] = snapshot.sequence.into();
    document["uncommitted"] = snapshot.uncommitted.into();
    document["session"] = snapshot.desk.session().to_string().into();
    document["phase"] = snapshot.desk.current_phase().name().into();
    document["cancel_on_disconnect"] = snapshot.on_disconnect.map_or(Value::Null, of_agreement);
    document
}

/// What the broker does with our orders when the connection is gone.
fn of_agreement(agreement: Agreement) -> Value {
    let granted = match agreement {
        Agreement::None | Agreement::NotGranted { .. } => None,
        Agreement::Granted { window } => Some(window.as_secs()),
    };
    json!({ "granted_seconds": granted, "text": agreement.to_string() })
}

fn of_book(book: &Book, universe: &Universe, strategies: &[String]) -> Value {
    json!({
        "equity": book.equity().to_f64(),
        "cash": book.cash().total().to_f64(),
        "open_orders": answers::open_orders(book, universe, strategies),
        "positions": answers::positions(book, universe),
    })
}

/// What is halted: how far, by whom, why, since when.
pub fn of_halts(halts: &[HaltRecord]) -> Value {
    halts
        .iter()
        .map(|halt| {
            json!({ "scope": halt.scope, "level": halt.level, "by": halt.by, "reason": halt.reason, "at": halt.at })
        })
        .collect()
}

/// What flattening would do.
pub fn of_flatten_plan(plan: &FlattenPlan, universe: &Universe) -> Value {
    let closing = |closing: &Closing| {
        json!({
            "strategy": closing.strategy,
            "symbol": universe.symbol(closing.instrument),
            "held": closing.held,
            "side": closing.order.map(|(side, _)| side),
            "quantity": closing.order.map(|(_, quantity)| quantity),
        })
    };
    json!({ "cancels": plan.cancels, "closings": plan.closings.iter().map(closing).collect::<Vec<_>>() })
}

/// What a comparison would lead to.
pub fn of_plan(plan: &Plan, universe: &Universe) -> Value {
    let correction = |correction: &Correction| match correction {
        Correction::Report(report) => {
            format!("{} {}", report.client_order_id, report.kind.name())
        }
        Correction::External(execution) => {
            let (symbol, id) = (universe.symbol(execution.instrument), &execution.execution_id);
            format!("count execution {id} of another hand: {} {} {symbol}", execution.side, execution.quantity)
        }
        Correction::Adopt { instrument, quantity } => {
            format!("leave {quantity} {} to other hands", universe.symbol(*instrument))
        }
        Correction::CancelAgain(id) => format!("{id} cancel again"),
    };
    let found = |found: &reconcile::Break| {
        let scope = match found.scope {
            Scope::Instrument(id) => universe.symbol(id).to_string(),
            Scope::Account => "account".to_owned(),
        };
        json!({ "scope": scope, "difference": found.difference })
    };
    let external = plan.external_orders.iter().map(|order| {
        let name = match &order.reference {
            OrderReference::Own(id) => id.to_string(),
            OrderReference::External(name) => name.clone(),
        };
        json!({ "order": name, "symbol": universe.symbol(order.instrument), "side": order.side, "quantity": order.quantity })
    });
    json!({
        "agrees": plan.agrees(),
        "corrections": plan.corrections.iter().map(correction).collect::<Vec<_>>(),
        "external_orders": external.collect::<Vec<_>>(),
        "breaks": plan.breaks.iter().map(found).collect::<Vec<_>>(),
    })
}

/// From the journal, and with a broker of its own to ask: nobody else is connected now.
fn without_daemon(config: &Config, with_reconcile: bool) -> Result<Value, Failure> {
    let history = histories::open_read_only(&config.places())?;
    let ledger = ledger::open_read_only(&config.places())?;
    let (restored, names, universe) = restored(config, &*history, &*ledger)?;
    let switch = HaltSwitch::default();
    let halts = ledger.halt()?;
    // In doubt it is halted, which is what shows.
    let _ = establish(&switch, halts.load_halts());
    let halt = switch.level().name();
    let halter = Halter::new(switch, shared(halts), actors::Clock::System);
    let mut document = of_book(restored.desk.book(), &universe, &names);
    document["running"] = false.into();
    document["halt"] = halt.into();
    document["halts"] = of_halts(&halter.standing());
    document["ready"] = false.into();
    document["breaks"] = restored.stopped().into();
    document["entries"] = restored.sequence.into();
    document["uncommitted"] = 0.into();
    document["session"] = restored.desk.session().to_string().into();
    document["phase"] = restored.desk.current_phase().name().into();
    document["cancel_on_disconnect"] = Value::Null;
    if with_reconcile {
        document["reconcile"] = match &config.broker {
            BrokerConfig::Bridge { address, .. } => {
                let statement = stated(config, address, &universe)?;
                of_plan(&planned(&restored, &statement), &universe)
            }
            // It lives inside the daemon and is rebuilt from the same journal.
            BrokerConfig::Simulated => of_plan(&Plan::default(), &universe),
        };
    }
    Ok(document)
}

/// The account as its journal has it, the strategies by number, and what can be traded.
///
/// # Errors
/// History or journal cannot be read, or do not go with this configuration.
pub fn restored(
    config: &Config,
    history: &dyn History,
    ledger: &dyn Ledger,
) -> Result<(Restored, Vec<String>, Arc<Universe>), Failure> {
    let symbols = wiring::symbols(&config.strategies);
    let universe = Arc::new(wiring::live_universe(history, &symbols, &config.bounds)?);
    let desk = wiring::desk(config, &universe, &config.calendar.calendar(), actors::Clock::System.now());
    let names: Vec<String> = config.strategies.iter().map(|strategy| strategy.name.clone()).collect();
    let journal: SharedJournal = shared(ledger.journal()?);
    let restored = recover(&desk, names.clone(), &journal, &HaltSwitch::default()).map_err(Failure::failed)?;
    Ok((restored, names, universe))
}

/// Every open order may have arrived by now: nobody is sending.
fn planned(restored: &Restored, statement: &Statement) -> Plan {
    let open = restored.desk.book().open_orders().into_iter().map(|order| order.intent.client_order_id);
    reconcile::plan(restored.desk.book(), statement, &restored.question(open.collect()))
}

fn stated(config: &Config, address: &str, universe: &Arc<Universe>) -> Result<Statement, Failure> {
    let failed = |reason: String| Failure::Failed(format!("the broker at {address}: {reason}"), Value::Null);
    let settings = BridgeSettings::new(address, &config.account.tag);
    let mut bridge = BridgeBroker::start(settings, universe.clone()).map_err(Failure::failed)?;
    let (began, clock) = (Instant::now(), actors::Clock::System);
    let (mut events, mut asked, mut last) = (Vec::new(), false, "no connection yet".to_owned());
    while began.elapsed() < BROKER_PATIENCE {
        bridge.poll(clock.now(), &mut events);
        for event in events.drain(..) {
            match event {
                BrokerEvent::Statement(statement) => return Ok(statement),
                BrokerEvent::Disconnected { reason } => (asked, last) = (false, reason),
                _ => {}
            }
        }
        if !asked && bridge.is_connected() {
            let request = bridge.request_statement(clock.now(), &mut events);
            request.map_err(|error| failed(error.to_string()))?;
            asked = true;
        }
        std::thread::sleep(PAUSE);
    }
    Err(failed(format!("no statement within {} s: {last}", BROKER_PATIENCE.as_secs())))
}

fn shown(document: &Value) -> String {
    let text = |key: &str| document[key].as_str().map_or_else(|| document[key].to_string(), str::to_owned);
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let amount = |key: &str| document[key].as_f64().map_or_else(|| text(key), |value| format!("{value:.2}"));
    let mut lines = vec![
        if document["running"] == true {
            "The daemon is running."
        } else {
            "No daemon is running; this is its journal."
        }
        .to_owned(),
        format!("halt {}, session {}, phase {}, ready {}", text("halt"), text("session"), text("phase"), text("ready")),
        format!("equity {} BRL, cash {} BRL, journal entry {}", amount("equity"), amount("cash"), text("entries")),
    ];
    if let Some(agreement) = document["cancel_on_disconnect"]["text"].as_str() {
        lines.push(format!("cancel on disconnect {agreement}"));
    }
    let rows = |key: &str, columns: &[&str]| -> Vec<Vec<String>> {
        let cell = |row: &Value, column: &&str| {
            row[*column].as_str().map_or_else(|| row[*column].to_string(), str::to_owned).replace("null", "")
        };
        list(&document[key]).iter().map(|row| columns.iter().map(|column| cell(row, column)).collect()).collect()
    };
    for (key, columns, numbers) in [
        ("positions", &["symbol", "quantity", "average_price", "external"][..], 1),
        (
            "open_orders",
            &["client_order_id", "symbol", "side", "status", "quantity", "cumulative", "limit_price"][..],
            4,
        ),
    ] {
        let found = rows(key, columns);
        if found.is_empty() {
            lines.push(format!("no {}", key.replace('_', " ")));
        } else {
            lines.push(table(columns, numbers, found));
        }
    }
    for halt in list(&document["halts"]) {
        let part = |key: &str| halt[key].as_str().unwrap_or_default().to_owned();
        let since = part("at").parse().map_or_else(|_| part("at"), crate::cli::local);
        lines.push(format!(
            "HALTED {} at {} since {since}, by {}: {}",
            part("scope"),
            part("level"),
            part("by"),
            part("reason")
        ));
    }
    for stop in list(&document["breaks"]) {
        lines.push(format!("STOPPED {}", stop.as_str().unwrap_or_default()));
    }
    if let Some(plan) = document.get("reconcile") {
        lines.push(match plan["agrees"] == true {
            true => "Book and broker agree.".to_owned(),
            false => "Book and broker differ; the next comparison would do this:".to_owned(),
        });
        lines.extend(list(&plan["corrections"]).iter().map(|what| format!("  {}", what.as_str().unwrap_or_default())));
        for found in list(&plan["breaks"]) {
            let scope = found["scope"].as_str().unwrap_or_default();
            lines.push(format!("  STOP {scope}: {}", found["difference"].as_str().unwrap_or_default()));
        }
        for order in list(&plan["external_orders"]) {
            let part = |key: &str| order[key].as_str().map_or_else(|| order[key].to_string(), str::to_owned);
            let (name, side) = (part("order"), part("side"));
            lines.push(format!("  external order {name}: {side} {} {}, left alone", part("quantity"), part("symbol")));
        }
    }
    lines.join("\n")
}
