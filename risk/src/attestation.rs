//! C35: whether what runs is what was approved. Knight Capital lost its money on one server of eight
//! that ran another program; a list of approved builds and configurations would have kept it from trading.

use std::fmt;

/// What was approved, as hexadecimal SHA-256 values. An empty list approves everything: attestation was not
/// asked for there.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Attestation {
    /// Of programs.
    pub builds: Vec<String>,
    /// Of configurations.
    pub configurations: Vec<String>,
}

/// What runs; `None` for what could not be established.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Running {
    /// Of the program.
    pub build: Option<String>,
    /// Of the configuration in force.
    pub configuration: Option<String>,
}

/// What runs and was not approved.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NotApproved {
    /// The build, if it is that.
    pub build: Option<String>,
    /// The configuration, if it is that.
    pub configuration: Option<String>,
}

const UNKNOWN: &str = "unknown";

impl Attestation {
    /// Whether there is nothing to attest.
    pub fn is_empty(&self) -> bool {
        self.builds.is_empty() && self.configurations.is_empty()
    }

    /// Whether what runs was approved, in all that is asked for.
    ///
    /// # Errors
    /// What was not; what could not be established was not.
    pub fn check(&self, running: &Running) -> Result<(), NotApproved> {
        let refused = |approved: &[String], found: &Option<String>| {
            let is_approved = found
                .as_ref()
                .is_some_and(|found| approved.iter().any(|approved| approved.trim().eq_ignore_ascii_case(found)));
            (!approved.is_empty() && !is_approved).then(|| found.clone().unwrap_or_else(|| UNKNOWN.to_owned()))
        };
        let build = refused(&self.builds, &running.build);
        let configuration = refused(&self.configurations, &running.configuration);
        if build.is_none() && configuration.is_none() { Ok(()) } else { Err(NotApproved { build, configuration }) }
    }
}

impl fmt::Display for NotApproved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = [("build", "builds", &self.build), ("configuration", "configurations", &self.configuration)];
        let told = told.into_iter().filter_map(|(what, list, found)| {
            let found = found.as_ref()?;
            Some(format!("the {what} {found} is not among attestation.{list}"))
        });
        f.write_str(&told.collect::<Vec<_>>().join("; "))
    }
}

impl std::error::Error for NotApproved {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_approved_does_not_trade() {
        let list = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let some = |text: &str| Some(text.to_owned());
        for (builds, configurations, build, configuration, refused) in [
            // Nothing asked for.
            (list(&[]), list(&[]), some("b1"), some("c1"), ""),
            (list(&[]), list(&[]), None, None, ""),
            // One, the other, both.
            (list(&["b1"]), list(&[]), some("b1"), some("c9"), ""),
            (list(&["b0", "b1"]), list(&["c1"]), some("b1"), some("c1"), ""),
            (list(&["B1 "]), list(&[]), some("b1"), None, ""),
            (list(&["b1"]), list(&[]), some("b2"), some("c1"), "the build b2 is not among attestation.builds"),
            (
                list(&[]),
                list(&["c1"]),
                some("b2"),
                some("c2"),
                "the configuration c2 is not among attestation.configurations",
            ),
            (
                list(&["b1"]),
                list(&["c1"]),
                some("b2"),
                some("c2"),
                "the build b2 is not among attestation.builds; the configuration c2 is not among \
                 attestation.configurations",
            ),
            // What cannot be established was not approved; nor was a beginning of it.
            (list(&["b1"]), list(&[]), None, some("c1"), "the build unknown is not among attestation.builds"),
            (list(&["b1"]), list(&[]), some("b"), some("c1"), "the build b is not among attestation.builds"),
            (list(&[""]), list(&[]), some("b"), some("c1"), "the build b is not among attestation.builds"),
        ] {
            let attestation = Attestation { builds, configurations };
            let told = attestation.check(&Running { build, configuration }).err();
            assert_eq!(told.map(|told| told.to_string()).unwrap_or_default(), refused, "{attestation:?}");
        }
    }
}
