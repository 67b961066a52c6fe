//! `backup` and `restore`: the data directory, and with a server its schema, into a directory of its own and back.

use std::path::Path;

use actors::Clock;
use serde_json::json;

use crate::archive::{self, Manifest, Wanted};
use crate::config::{Overrides, places};
use crate::output::{Answer, Failure, table};

/// Makes a backup, also beside a running daemon.
pub fn backup(overrides: &Overrides, to: &Path) -> Result<Answer, Failure> {
    let places = places(overrides)?;
    let manifest = archive::make(&places, to, Clock::System.now().to_string())?;
    let mut json = json!({ "backup": to });
    describe(&mut json, &manifest);
    let rows = manifest.files.iter().map(|file| vec![file.name.clone(), file.bytes.to_string()]);
    let text = format!("Backed up to {}.\n{}", to.display(), table(&["File", "Bytes"], 1, rows));
    Ok(Answer::new(text, json))
}

/// Makes a data directory of a backup. It begins halted.
pub fn restore(overrides: &Overrides, from: &Path, replace: bool, by: Option<&str>) -> Result<Answer, Failure> {
    let places = places(overrides)?;
    let by = super::kill::person(by);
    let restored = archive::restore(&places, &Wanted { from, replace, by: &by, at: Clock::System.now() })?;
    let mut json = json!({ "restored": places.data_directory, "from": from, "by": by, "before": restored.before });
    describe(&mut json, &restored.manifest);
    json["accounts"] = json!(restored.accounts);
    json["halt"] = "halted".into();
    json["schema_before"] = restored.schema_before.clone().into();
    let mut kept = restored.before.map_or_else(String::new, |before| {
        format!(" What was there before is in {}; remove it when you no longer need it.", before.display())
    });
    if let Some(schema) = restored.schema_before {
        kept.push_str(&format!(" The schema of before is called {schema} now."));
    }
    let text = format!(
        "Restored {} as it was at {}.{kept}\nIt is halted: start it, compare with the broker (pregao status \
         --reconcile), then resume.",
        places.data_directory.display(),
        restored.manifest.at
    );
    Ok(Answer::new(text, json))
}

fn describe(json: &mut serde_json::Value, manifest: &Manifest) {
    json["at"] = manifest.at.clone().into();
    json["program"] = manifest.program.clone().into();
    json["store"] = manifest.store.clone().into();
    json["place"] = manifest.place.clone().into();
    json["accounts"] = json!(manifest.accounts);
    json["files"] = json!(manifest.files);
}
