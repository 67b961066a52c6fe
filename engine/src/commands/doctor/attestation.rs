//! Whether what would run is what was approved.

use risk::attestation::Running;

use super::{Finding, Patient};
use crate::reload;

pub(super) fn check(patient: &Patient) -> Vec<Finding> {
    let approved = &patient.config.attestation;
    if approved.is_empty() {
        let fix = "[attestation] names the builds and configurations that may trade";
        return vec![Finding::not_configured("every build and configuration may trade", fix)];
    }
    let running =
        Running { build: reload::own_build().ok(), configuration: Some(patient.effective.hash().to_string()) };
    vec![match approved.check(&running) {
        Ok(()) => Finding::ok("this program and this configuration are approved"),
        Err(refused) => Finding::failed(refused.to_string(), "run what was approved, or approve this in [attestation]"),
    }]
}
