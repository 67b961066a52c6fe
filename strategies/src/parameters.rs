//! A strategy's parameters: named numbers with defaults and bounds, checked before anything runs.

use std::collections::BTreeMap;

/// One parameter as a strategy declares it.
#[derive(Clone, Copy, Debug)]
pub struct ParameterSpec {
    /// Name, as in `--param fast=10`.
    pub name: &'static str,
    /// Value where none is given.
    pub default: f64,
    /// Smallest value.
    pub minimum: f64,
    /// Largest value.
    pub maximum: f64,
    /// Only whole numbers.
    pub whole: bool,
    /// What it is, with its unit.
    pub about: &'static str,
}

impl ParameterSpec {
    /// A number of bars.
    pub const fn bars(name: &'static str, default: f64, about: &'static str) -> Self {
        Self { name, default, minimum: 1.0, maximum: 10_000.0, whole: true, about }
    }

    /// A number in a range.
    pub const fn number(name: &'static str, default: f64, minimum: f64, maximum: f64, about: &'static str) -> Self {
        Self { name, default, minimum, maximum, whole: false, about }
    }
}

/// Checked parameters: every declared name has a value within its bounds.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Parameters(BTreeMap<&'static str, f64>);

/// Why parameters were refused.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum ParameterError {
    /// No such parameter.
    #[error("unknown parameter '{given}'; this strategy has {known}")]
    Unknown {
        /// What was given.
        given: String,
        /// What there is.
        known: String,
    },
    /// Outside its bounds, or not whole.
    #[error("parameter {name} = {given} is not allowed: expected {expected}")]
    Value {
        /// Which parameter.
        name: &'static str,
        /// What was given.
        given: f64,
        /// What is allowed.
        expected: String,
    },
    /// Two parameters that do not go together.
    #[error("{0}")]
    Together(String),
}

impl Parameters {
    /// Fills in defaults and checks every value.
    ///
    /// # Errors
    /// The first name that is unknown or value that is out of bounds.
    pub fn check(specs: &[ParameterSpec], given: BTreeMap<String, f64>) -> Result<Self, ParameterError> {
        let mut values: BTreeMap<&'static str, f64> = specs.iter().map(|spec| (spec.name, spec.default)).collect();
        for (name, value) in given {
            let Some(spec) = specs.iter().find(|spec| spec.name == name) else {
                let known: Vec<&str> = specs.iter().map(|spec| spec.name).collect();
                return Err(ParameterError::Unknown { given: name, known: known.join(", ") });
            };
            let fits = (spec.minimum..=spec.maximum).contains(&value) && (!spec.whole || value.fract() == 0.0);
            if !fits {
                let kind = if spec.whole { "a whole number" } else { "a number" };
                let expected = format!("{kind} from {} to {}", spec.minimum, spec.maximum);
                return Err(ParameterError::Value { name: spec.name, given: value, expected });
            }
            values.insert(spec.name, value);
        }
        Ok(Self(values))
    }

    /// The value of a declared parameter.
    ///
    /// # Panics
    /// For a name that the strategy never declared, which its own test shows at once.
    pub fn number(&self, name: &str) -> f64 {
        *self.0.get(name).unwrap_or_else(|| panic!("parameter {name} is not declared"))
    }

    /// The value of a declared whole-number parameter.
    ///
    /// # Panics
    /// As [`Self::number`].
    pub fn whole(&self, name: &str) -> usize {
        // Bounds and wholeness were checked; bounds stay far below 2^53.
        self.number(name) as usize
    }

    /// Every name with its value.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, f64)> + '_ {
        self.0.iter().map(|(name, value)| (*name, *value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPECS: &[ParameterSpec] =
        &[ParameterSpec::bars("fast", 10.0, "bars"), ParameterSpec::number("level", 30.0, 0.0, 100.0, "points")];

    fn check(given: &[(&str, f64)]) -> Result<Parameters, String> {
        let given = given.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        Parameters::check(SPECS, given).map_err(|error| error.to_string())
    }

    #[test]
    fn defaults_fill_and_bounds_hold() {
        let parameters = check(&[("fast", 5.0)]).unwrap();
        assert_eq!((parameters.whole("fast"), parameters.number("level")), (5, 30.0));
        for (given, expected) in [
            (("slow", 1.0), "unknown parameter 'slow'; this strategy has fast, level"),
            (("fast", 0.0), "parameter fast = 0 is not allowed: expected a whole number from 1 to 10000"),
            (("fast", 2.5), "parameter fast = 2.5 is not allowed: expected a whole number from 1 to 10000"),
            (("level", f64::NAN), "parameter level = NaN is not allowed: expected a number from 0 to 100"),
        ] {
            assert_eq!(check(&[given]).unwrap_err(), expected);
        }
    }
}
