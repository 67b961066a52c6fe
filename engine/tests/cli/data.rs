//! `data`: history in, whole or not at all, and what is there.

use std::fs;

use crate::program::{Room, assert_documented, samples, shared_data};

#[test]
fn the_samples_go_in_once() {
    let room = Room::new();
    let files = samples().map(|path| path.display().to_string());
    let import = ["data", "import", "--json", &files[0], &files[1], &files[2]];
    let first = room.pregao(&import).done().json();
    assert_documented(&first, &["data import"]);
    assert_eq!(first["refused"], 0);
    let count = |file: &serde_json::Value, what: &str| file[what].as_u64().unwrap();
    for file in first["files"].as_array().unwrap() {
        assert!(count(file, "records") > 0 && count(file, "inserted") == count(file, "records"), "{file}");
    }
    for file in room.pregao(&import).done().json()["files"].as_array().unwrap() {
        let what = ["inserted", "updated", "unchanged"].map(|what| count(file, what));
        assert_eq!(what, [0, 0, count(file, "records")], "{file}");
    }

    let status = room.pregao(&["data", "status", "--json"]).done().json();
    assert_documented(&status, &["data status"]);
    assert_eq!(status["listings"].as_array().unwrap().len(), 12);
    assert_eq!((&status["first"], &status["last"]), (&"2016-01-04".into(), &"2017-12-28".into()));
    assert_eq!(status["index"]["closes"], status["sessions"]);
    assert_eq!(status["imports"].as_array().unwrap().len(), 6);
    let one = room.pregao(&["data", "status", "--json", "--symbols", "PETR4"]).done().json();
    assert_eq!(one["listings"].as_array().unwrap().len(), 1);

    let verified = room.pregao(&["data", "verify", "--json"]).done().json();
    assert_documented(&verified, &["data verify"]);
    assert_eq!((&verified["symbols"], &verified["faulty"]), (&12.into(), &serde_json::json!([])));
    assert_eq!(verified["common"]["from"], "2016-01-04");
    room.pregao(&["data", "verify", "--symbols", "PETR5"]).failed(2, &["no cash-market history of PETR5"]);
}

#[test]
fn a_hole_in_the_history_is_found() {
    let room = Room::new();
    let [first, second, _] = samples().map(|path| path.display().to_string());
    let Some(daily) = shared_data("cotahist") else { return };
    room.pregao(&["data", "import", &first, &second]).done();
    // A single day of 2021 leaves three years of sessions missing in between.
    room.pregao(&["data", "import", &daily.join("COTAHIST_D25062021.TXT").display().to_string()]).done();
    let told = room.pregao(&["data", "verify", "--json", "--symbols", "PETR4,VALE3"]);
    assert_eq!(told.code, Some(3), "degraded: {told:?}");
    let faulty = &told.json()["faulty"];
    assert_eq!(faulty[0]["missing"][0], "2018-01-02");
    assert_eq!(faulty.as_array().unwrap().len(), 2);
}

#[test]
fn every_cotahist_file_at_hand_goes_in() {
    // Records: lines of the file less header and trailer, as data/README.md of the shelf counts them.
    let genuine = [
        ("COTAHIST_D04012016.TXT", 1_743),
        ("COTAHIST_D29022016.TXT", 1_909),
        ("COTAHIST_D25062021.TXT", 7_518),
        ("COTAHIST_D03022022.TXT.zip", 7_261),
        ("COTAHIST_D04022022.TXT.zip", 7_522),
        ("DemoCotacoesHistoricas12022003.txt", 551),
    ];
    let rebuilt = [2_472, 2_687, 2_990, 3_256, 3_472, 3_444, 3_486, 3_476];
    let (Some(days), Some(years)) = (shared_data("cotahist"), shared_data("cotahist_rebuilt_15tickers_2010_2017"))
    else {
        return;
    };
    let mut files: Vec<(String, u64)> =
        genuine.iter().map(|(name, records)| (days.join(name).display().to_string(), *records)).collect();
    let year = |(year, records)| (years.join(format!("COTAHIST_A{year}.ZIP")).display().to_string(), records);
    files.extend((2010..).zip(rebuilt).map(year));

    let room = Room::new();
    let mut arguments = vec!["data", "import", "--json"];
    arguments.extend(files.iter().map(|(name, _)| name.as_str()));
    let document = room.pregao(&arguments).done().json();
    for ((name, records), told) in files.iter().zip(document["files"].as_array().unwrap()) {
        assert_eq!((told["imported"].as_bool(), told["records"].as_u64()), (Some(true), Some(*records)), "{name}");
        // Days that a genuine and a rebuilt file both tell are told alike.
        assert_eq!(told["updated"], 0, "{name}");
    }
    let overlap = document["files"].as_array().unwrap().iter().find(|file| file["unchanged"] != 0).unwrap();
    assert!(overlap["file"].as_str().unwrap().contains("A2016"), "{overlap}");
}

#[test]
fn a_truncated_file_is_refused_and_leaves_nothing() {
    let Some(folder) = shared_data("cotahist") else { return };
    let room = Room::new();
    let path = |name: &str| folder.join(name).display().to_string();
    room.pregao(&["data", "import", &path("COTAHIST_D04012016.TXT")]).done();
    let before = room.pregao(&["data", "status", "--all", "--json"]).done().json();
    let truncated = path("COTAHIST_D29022016_EXCEPTION.TXT");
    let told = room.pregao(&["data", "import", &truncated, "--json"]).failed(1, &[&truncated, "1,911", "1,893"]);
    let file = &told.json()["files"][0];
    assert_eq!((&file["imported"], &file["inserted"]), (&false.into(), &0.into()));
    assert_eq!(room.pregao(&["data", "status", "--all", "--json"]).done().json(), before);

    // A good file beside it is taken, and people are told both.
    let good = path("COTAHIST_D29022016.TXT");
    let both = room.pregao(&["data", "import", &truncated, &good]);
    both.failed(1, &["1,911", "1 of 2 files refused", "the other 1 imported"]);
    let after = room.pregao(&["data", "status", "--json"]).done().json();
    assert_eq!(after["last"], "2016-02-29");
}

#[test]
fn what_is_no_history_is_refused_with_its_place() {
    let room = Room::new();
    let zip = fs::read(&samples()[0]).unwrap();
    fs::write(room.path("half.zip"), &zip[..zip.len() / 2]).unwrap();
    room.write("notes.txt", "Dear diary\n");
    room.write("empty.txt", "");
    room.write("index.csv", "date,close\n2017-12-27,76072.54\n2017-12-28,76.402,08\n");
    for (name, said) in [
        ("half.zip", &["half.zip"][..]),
        ("notes.txt", &["notes.txt", "Dear diary"]),
        ("empty.txt", &["empty.txt"]),
        ("index.csv", &["index.csv", "line 3", "close"]),
        ("none.zip", &["none.zip"]),
    ] {
        let told = room.pregao(&["data", "import", name, "--json"]).failed(1, said);
        let document = told.json();
        assert_eq!(document["refused"], 1, "{name}");
        assert!(document["files"][0]["error"].as_str().is_some_and(|error| error.contains(name)), "{document}");
    }
    let status = room.pregao(&["data", "status", "--all", "--json"]).done().json();
    assert_eq!((&status["sessions"], &status["imports"]), (&0.into(), &serde_json::json!([])));
}

#[test]
fn a_data_directory_that_cannot_be_used_is_named() {
    let room = Room::new();
    room.write("file", "I am not a directory");
    let index = samples()[2].display().to_string();
    for directory in ["file", "file/below"] {
        for command in [&["data", "import", index.as_str()][..], &["data", "status"], &["demo"]] {
            let mut arguments = vec!["--data-dir", directory, "--json"];
            arguments.extend(command);
            let told = room.pregao(&arguments).failed(1, &["file"]);
            assert!(told.json()["error"].as_str().unwrap().contains("file"), "{command:?}");
        }
    }
    assert_eq!(fs::read_to_string(room.path("file")).unwrap(), "I am not a directory");

    let locked = room.path("locked");
    fs::create_dir(&locked).unwrap();
    let mut permissions = fs::metadata(&locked).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&locked, permissions).unwrap();
    if fs::write(locked.join("probe"), "").is_ok() {
        eprintln!("SKIPPED: root may write everywhere, so a read-only directory cannot be tried");
        return;
    }
    room.pregao(&["--data-dir", "locked", "data", "import", &index]).failed(1, &["locked"]);
}
