//! What a halt is about: everything, or a part that can be stopped by itself.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use market::Symbol;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What a halt is about. An order is under every scope that it belongs to, and the strictest wins.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum HaltScope {
    /// Everything: what a person means who says no more.
    Global,
    /// The account that this program trades.
    Account,
    /// The connection to the broker.
    Broker,
    /// One strategy instance, by its configured name.
    Strategy(String),
    /// One instrument, whoever trades it.
    Symbol(Symbol),
}

impl HaltScope {
    /// Those that concern every order of the program.
    pub const PROGRAM: [Self; 3] = [Self::Global, Self::Account, Self::Broker];

    /// Whether it concerns every order of the program.
    pub const fn is_program_wide(&self) -> bool {
        matches!(self, Self::Global | Self::Account | Self::Broker)
    }
}

/// A text that names no scope.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnknownScope(String);

impl fmt::Display for UnknownScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' is no scope: write global, account, broker, strategy:NAME or symbol:PETR4", self.0)
    }
}

impl std::error::Error for UnknownScope {}

impl fmt::Display for HaltScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Global => f.pad("global"),
            Self::Account => f.pad("account"),
            Self::Broker => f.pad("broker"),
            Self::Strategy(name) => write!(f, "strategy:{name}"),
            Self::Symbol(symbol) => write!(f, "symbol:{symbol}"),
        }
    }
}

impl FromStr for HaltScope {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || UnknownScope(text.chars().take(80).collect());
        match text.split_once(':') {
            None => Self::PROGRAM.into_iter().find(|scope| scope.to_string() == text).ok_or_else(unknown),
            Some(("strategy", name)) if !name.trim().is_empty() => Ok(Self::Strategy(name.to_owned())),
            // The exchange's are capitals; whoever stops in a hurry does not look for the shift key.
            Some(("symbol", symbol)) => symbol.to_ascii_uppercase().parse().map(Self::Symbol).map_err(|_| unknown()),
            Some(_) => Err(unknown()),
        }
    }
}

impl Serialize for HaltScope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for HaltScope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scope_reads_back_and_anything_else_is_told_how_to_write_one() {
        for text in ["global", "account", "broker", "strategy:trend", "strategy:a:b ç", "symbol:PETR4"] {
            let scope: HaltScope = text.parse().unwrap();
            assert_eq!(scope.to_string(), text);
            let json = serde_json::to_string(&scope).unwrap();
            assert_eq!(serde_json::from_str::<HaltScope>(&json).unwrap(), scope);
        }
        for text in ["", "Global", "everything", "strategy:", "strategy: ", "symbol:", "symbol:TOO LONG A NAME", "x:y"]
        {
            let error = text.parse::<HaltScope>().unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("'{text}' is no scope: write global, account, broker, strategy:NAME or symbol:PETR4")
            );
        }
    }
}
