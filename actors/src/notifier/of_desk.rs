//! What the order protocol wants a person to hear, as an alert.

use desk::Alert as Told;
use market::Timestamp;

use super::Alert;

impl Alert {
    /// What the order protocol tells; the Account has logged it.
    pub(crate) fn of_desk(told: &Told, at: Timestamp) -> Self {
        let (name, reason) = match told {
            Told::OrderUnknown { client_order_id, reason } => ("order_unknown", format!("{client_order_id}: {reason}")),
            Told::Break { symbol: Some(symbol), difference } => ("break", format!("{symbol}: {difference}")),
            Told::Break { symbol: None, difference } => ("break", difference.clone()),
            Told::ReportNotApplied { reason } => ("report_not_applied", reason.clone()),
            Told::LateFill { client_order_id } => {
                ("late_fill", format!("{client_order_id} was filled after it had ended"))
            }
            Told::TradeRevoked { client_order_id } => {
                ("trade_revoked", format!("a trade of {client_order_id} was taken back or corrected"))
            }
            Told::JournalDown { reason } => ("journal_down", reason.clone()),
            Told::JournalBack => ("journal_back", "new orders stay stopped until a person resumes".to_owned()),
            Told::BrokerDown { reason } => ("broker_down", reason.clone()),
            Told::StrategyStopped { strategy, symbol, rule, .. } => {
                let of = symbol.map(|symbol| format!(" in {symbol}")).unwrap_or_default();
                ("strategy_stopped", format!("{strategy} is stopped{of} by {} until a person resumes it", rule.name()))
            }
            Told::NothingOpen => {
                ("nothing_open", "everything that the halt takes back has ended; the broker lists no more".to_owned())
            }
            Told::NotClosed { symbol, reason } => {
                let symbol = symbol.map(|symbol| format!("{symbol}: ")).unwrap_or_default();
                ("not_closed", format!("{symbol}{reason}; it is tried again"))
            }
            Told::NotCanceledOnDisconnect { client_order_id, orders } => {
                ("not_canceled_on_disconnect", format!("{client_order_id} and others, {orders} in all, are still open"))
            }
        };
        let severity = if matches!(told, Told::JournalBack | Told::NothingOpen) { "warning" } else { "error" };
        Self { severity, logged: true, ..Self::error(name, at, "account", reason) }
    }
}
