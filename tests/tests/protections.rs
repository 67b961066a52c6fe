//! Does a scenario fail without what protects us? Each file of `tests/protections/` takes one
//! protection away: an exact piece of source, and what stands in its place. Its scenario must then fail.
//!
//! `scripts/without-protection` does it, in a copy of the workspace; minutes, so by hand. That every
//! piece still stands where it is looked for, once, is an ordinary test.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

/// One protection, and the scenario that lives on it.
struct Removal {
    name: String,
    why: String,
    scenario: String,
    file: String,
    find: String,
    replace: String,
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a folder above this crate's").to_owned()
}

fn removals() -> io::Result<Vec<Removal>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(workspace().join("tests/protections"))? {
        paths.push(entry?.path());
    }
    paths.sort();
    paths.iter().map(|path| Removal::read(path)).collect()
}

impl Removal {
    fn read(path: &Path) -> io::Result<Self> {
        let wrong = |problem: String| io::Error::other(format!("{}: {problem}", path.display()));
        let table: toml::Table = fs::read_to_string(path)?.parse().map_err(|error| wrong(format!("{error}")))?;
        let text = |key: &str| {
            let value = table.get(key).and_then(toml::Value::as_str).map(str::to_owned);
            value.ok_or_else(|| wrong(format!("there is no '{key}'")))
        };
        Ok(Self {
            name: path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
            why: text("why")?,
            scenario: text("scenario")?,
            file: text("file")?,
            find: text("find")?,
            replace: text("replace")?,
        })
    }
}

#[test]
fn every_protection_stands_where_it_is_looked_for() {
    let (removals, mut wrong) = (removals().unwrap(), Vec::new());
    for Removal { name, scenario, file, find, .. } in &removals {
        let found = fs::read_to_string(workspace().join(file)).map_or(0, |text| text.matches(find.as_str()).count());
        if found != 1 {
            wrong.push(format!("{name}: what it takes away stands {found} times in {file}"));
        }
        if !workspace().join(format!("tests/scenarios/{scenario}.txt")).is_file() {
            wrong.push(format!("{name}: there is no scenario '{scenario}'"));
        }
    }
    // An incident that others had must have failed once here, too.
    for entry in fs::read_dir(workspace().join("tests/scenarios")).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        let scenario = name.trim_end_matches(".txt");
        if scenario.starts_with("incident_") && !removals.iter().any(|removal| removal.scenario == scenario) {
            wrong.push(format!("{scenario}: nothing in tests/protections shows that it would fail"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
#[ignore = "builds the workspace once for each protection: scripts/without-protection"]
fn scenarios_fail_without_their_protection() {
    let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join("without-protection");
    copy_changed(&workspace(), &copy).unwrap();
    let only = std::env::var("PROTECTION").unwrap_or_default();
    let removals: Vec<Removal> =
        removals().unwrap().into_iter().filter(|removal| removal.name.contains(&only)).collect();
    for Removal { scenario, .. } in &removals {
        assert_eq!(run(&copy, scenario), Ok(None), "{scenario} must hold before anything is taken away");
    }
    let mut not_caught = Vec::new();
    for Removal { name, why, scenario, file, find, replace } in &removals {
        let (path, whole) = (copy.join(file), fs::read_to_string(workspace().join(file)).unwrap());
        fs::write(&path, whole.replacen(find.as_str(), replace, 1)).unwrap();
        let led_to = run(&copy, scenario);
        fs::write(&path, whole).unwrap();
        let (told, how) = match &led_to {
            Ok(Some(how)) => ("caught", how.as_str()),
            Ok(None) => ("NOT caught", ""),
            Err(words) => ("DOES NOT BUILD", words.as_str()),
        };
        println!("{told:<14} {scenario}\n               without {name}: {why}\n               {how}");
        if told != "caught" {
            not_caught.push(format!("{name}: {told}"));
        }
    }
    assert!(not_caught.is_empty(), "{}", not_caught.join("\n"));
}

/// How the scenario fails in the copy, if it does; the compiler's words if it cannot be built.
fn run(copy: &Path, scenario: &str) -> Result<Option<String>, String> {
    let cargo = |last: &[&str]| {
        // One target folder with everything else, so that only our own crates are built again.
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap_or(Path::new("target"));
        let mut command = Command::new(env!("CARGO"));
        command.args(["test", "--quiet", "--offline", "-p", "tests", "--test", "scenarios"]).args(last);
        command.current_dir(copy).env("CARGO_TARGET_DIR", target).env("SCENARIO", scenario);
        command.output().map_err(|error| error.to_string())
    };
    let built = cargo(&["--no-run"])?;
    if !built.status.success() {
        return Err(String::from_utf8_lossy(&built.stderr).into_owned());
    }
    let played = cargo(&[])?;
    if played.status.success() {
        return Ok(None);
    }
    // The line that differs; of a panic its first words.
    let told = String::from_utf8_lossy(&played.stdout).into_owned() + &String::from_utf8_lossy(&played.stderr);
    let tells = |line: &&str| line.starts_with("scenarios/") || line.contains("used twice");
    Ok(Some(told.lines().find(tells).unwrap_or("it panics").to_owned()))
}

/// Copies what differs and leaves the rest alone, so that nothing is built without need. What is gone
/// from the workspace goes from the copy.
fn copy_changed(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(to)? {
        let entry = entry?;
        let path = entry.path();
        if !from.join(entry.file_name()).exists() {
            if path.is_dir() { fs::remove_dir_all(path)? } else { fs::remove_file(path)? }
        }
    }
    for entry in fs::read_dir(from)? {
        let name = entry?.file_name();
        if [".git", "target", "corpus"].iter().any(|skipped| name == *skipped) {
            continue;
        }
        let (source, copy) = (from.join(&name), to.join(&name));
        if source.is_dir() {
            copy_changed(&source, &copy)?;
        } else {
            let text = fs::read(&source)?;
            if fs::read(&copy).ok().as_ref() != Some(&text) {
                fs::write(&copy, text)?;
            }
        }
    }
    Ok(())
}
