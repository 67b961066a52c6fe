//! Every text in `tests/scenarios/` holds: one rule or one bad day each, in a trader's words. The
//! language is described in [`tests::scenario`]; a fixed bug leaves its scenario there.

use std::fs;
use std::path::Path;

use tests::scenario::play;

#[test]
fn every_scenario_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut texts: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    // `SCENARIO=halt cargo test -p tests --test scenarios`: those whose name contains this.
    let only = std::env::var("SCENARIO").unwrap_or_default();
    texts.retain(|path| path.file_name().unwrap().to_string_lossy().contains(&only));
    texts.sort();
    assert!(!texts.is_empty(), "no scenario in {}", folder.display());
    let mut differences = Vec::new();
    for path in &texts {
        let name = format!("scenarios/{}", path.file_name().unwrap().to_string_lossy());
        if let Err(difference) = play(&name, &fs::read_to_string(path).unwrap()) {
            differences.push(difference.to_string());
        }
    }
    assert!(differences.is_empty(), "{} of {} fail:\n{}", differences.len(), texts.len(), differences.join("\n"));
}
