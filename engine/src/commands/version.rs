//! `version`: what is running, for bug reports and for the log.

use crate::output::Answer;

/// Version and build. The program's hash takes a moment, so only programs are told.
pub fn version(with_hash: bool) -> Answer {
    let version = env!("CARGO_PKG_VERSION");
    let build = if cfg!(debug_assertions) { "debug" } else { "release" };
    let target = format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS);
    let mut json = serde_json::json!({
        "version": version,
        "build": build,
        "target": target,
        "strategies": strategies::STRATEGIES.iter().map(|entry| entry.name).collect::<Vec<_>>(),
        "brokers": brokers::BROKERS.iter().map(|entry| entry.name).collect::<Vec<_>>(),
        "checks": risk::CHECKS.iter().map(|check| check.name).collect::<Vec<_>>(),
        "calendar_until": market::Calendar::b3().horizon().to_string(),
    });
    if with_hash {
        json["sha256"] = crate::reload::own_build().ok().into();
    }
    if cfg!(feature = "crash_points") {
        json["crash_points"] = store::crash::POINTS.iter().map(|place| place.name).collect();
    }
    Answer::new(format!("pregao {version} ({build}, {target})"), json)
}
