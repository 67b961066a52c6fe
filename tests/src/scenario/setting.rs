//! What stands before the first session: money, limits, fees, who answers orders.

use std::str::FromStr;
use std::sync::Arc;

use brokers::simulated::{LimitRule, SimulationSettings};
use market::fees::Brokerage;
use market::{FeeSchedule, Instrument, InstrumentKind, Money, Universe};
use risk::{HaltLevel, KEYS, MonitorSettings, SomeLimits};

use super::words::{Words, value};

/// What stands before the first session.
pub(super) struct Setting {
    pub(super) cash: Money,
    pub(super) limits: SomeLimits,
    /// Of the one strategy.
    pub(super) own_limits: SomeLimits,
    pub(super) fees: Arc<FeeSchedule>,
    pub(super) brokerage: Brokerage,
    pub(super) exchange: Option<SimulationSettings>,
    pub(super) monitors: MonitorSettings,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            cash: Money::from_cents(10_000_000),
            limits: SomeLimits::default(),
            own_limits: SomeLimits::default(),
            fees: FeeSchedule::free(),
            brokerage: Brokerage::FREE,
            exchange: None,
            monitors: MonitorSettings::default(),
        }
    }
}

impl Setting {
    pub(super) fn read(&mut self, verb: &str, words: &mut Words<'_>) -> Result<(), String> {
        match verb {
            "cash" => self.cash = words.read("an amount")?,
            "fees" => {
                words.skip("b3")?;
                self.fees = FeeSchedule::b3();
            }
            "brokerage" => {
                self.brokerage.per_order = words.read("an amount")?;
                words.skip("iss")?;
                self.brokerage.iss = words.read("a rate")?;
            }
            "limits" => {
                while let Some((key, text)) = words.pair()? {
                    limit(&mut self.limits, key, text)?;
                }
            }
            "strategy_limits" => {
                while let Some((key, text)) = words.pair()? {
                    limit(&mut self.own_limits, key, text)?;
                }
            }
            "monitors" => {
                while let Some((key, text)) = words.pair()? {
                    match (key, HaltLevel::from_name(text)) {
                        ("drawdown_action", Some(level)) => self.monitors.drawdown_action = level,
                        ("denials", _) => self.monitors.most_denials = given(key, text)?,
                        _ => return Err(format!("unknown monitor setting '{key}={text}'")),
                    }
                }
            }
            _ => {
                let mut simulation = SimulationSettings { slippage_ticks: 0, ..SimulationSettings::default() };
                while let Some((key, text)) = words.pair()? {
                    match key {
                        "latency_milliseconds" => simulation.latency_milliseconds = given(key, text)?,
                        "slippage_ticks" => simulation.slippage_ticks = given(key, text)?,
                        "participation" => simulation.participation = given(key, text)?,
                        "limit_rule" if text == "queue" => simulation.limit_rule = LimitRule::Queue,
                        _ => return Err(format!("unknown exchange setting '{key}={text}'")),
                    }
                }
                self.exchange = Some(simulation);
            }
        }
        Ok(())
    }
}

/// One limit, as `[risk]` names it.
pub(super) fn limit(limits: &mut SomeLimits, key: &str, text: &str) -> Result<(), String> {
    let known = KEYS.iter().find(|known| known.name == key).ok_or_else(|| format!("unknown limit '{key}'"))?;
    (known.read)(limits, text).map_err(|error| format!("'{text}' is no value for {key}: {error}"))
}

fn given<T: FromStr>(key: &str, text: &str) -> Result<T, String> {
    value(text).ok_or_else(|| format!("'{text}' is no value for {key}"))
}

/// What can be traded on every stage.
pub(super) fn cast() -> Universe {
    let listed = |symbol: &str, kind| Instrument::cash(symbol.parse().expect("a symbol"), kind);
    let petrobras = listed("PETR4", InstrumentKind::Share);
    let mut universe = Universe::new();
    universe.add(petrobras.fractional_twin().expect("a share has a twin"));
    universe.add(petrobras);
    universe.add(listed("VALE3", InstrumentKind::Share));
    universe.add(listed("BOVA11", InstrumentKind::ExchangeTradedFund));
    universe
}
