//! `replay` and `why`: a recorded run is made again, and an order tells its story.

use serde_json::Value;

use crate::program::{Room, assert_documented};

/// The example, run over half a year.
fn traded() -> Room {
    let room = Room::new().with_samples();
    room.pregao(&["init"]).done();
    room.pregao(&["run"]).done();
    room
}

#[test]
fn a_run_is_made_again_and_its_first_order_tells_its_story() {
    let room = traded();
    let all = room.pregao(&["replay", "--all", "--json"]).done().json();
    assert_documented(&all, &["replay"]);
    let count = |document: &Value, key: &str| document[key].as_u64().unwrap();
    assert!(count(&all, "decisions") > 10, "{all}");
    assert_eq!(count(&all, "decisions"), count(&all, "matched"));
    assert_eq!((&all["differences"], &all["lost_inputs"]), (&serde_json::json!([]), &serde_json::json!([])));
    let sessions = all["sessions"].as_array().unwrap();
    assert!(sessions.len() > 100, "{}", sessions.len());
    assert_eq!(sessions.iter().map(|session| count(session, "entries")).sum::<u64>(), count(&all, "entries"));

    // One session, for people and for programs.
    let busy = sessions.iter().find(|session| count(session, "decisions") > 0).unwrap();
    let date = busy["date"].as_str().unwrap();
    let one = room.pregao(&["replay", date, "--json"]).done().json();
    assert_eq!(one["sessions"], serde_json::json!([busy]));
    let again = room.pregao(&["replay", date, "--json"]).done().json();
    assert_eq!(one["fingerprint"], again["fingerprint"]);
    let shown = room.pregao(&["replay", date]).done();
    assert!(shown.out.starts_with(&format!("Session {date}: all")), "{}", shown.out);
    assert!(shown.out.contains("bit for bit") && shown.out.contains("Fingerprint"), "{}", shown.out);
    assert_eq!(shown.err, "", "no bars where nobody looks");

    // The first order of that day.
    let order = format!("PAPR-{}-000001", date.replace('-', ""));
    let story = room.pregao(&["why", &order, "--json"]).done().json();
    assert_documented(&story, &["why"]);
    assert_eq!((&story["order"], &story["halt"]), (&order.as_str().into(), &"active".into()));
    let checks = story["checks"].as_array().unwrap();
    assert_eq!(checks.len(), 2 + risk::CHECKS.len(), "two rules and every check");
    assert!(checks.iter().all(|check| check["passed"] == true), "{story}");
    for key in ["strategy", "heard", "signal", "quote", "worst_price", "state"] {
        assert!(!story[key].is_null(), "{key} is missing in {story}");
    }
    let kinds: Vec<&str> =
        story["events"].as_array().unwrap().iter().map(|event| event["entry"]["entry"].as_str().unwrap()).collect();
    assert!(kinds.starts_with(&["intent", "sent", "report"]), "{kinds:?}");
    assert_eq!(story["state"]["status"], "filled");
    let told = room.pregao(&["why", &order]).done().out;
    for words in
        ["Strategy", "Heard last", "Signal", "Halt level", "buying_power", "submit sent", "fill", "It is filled"]
    {
        assert!(told.contains(words), "{words} is not in\n{told}");
    }
}

#[test]
fn a_denied_request_tells_its_story() {
    let room = Room::new().with_samples();
    room.pregao(&["init"]).done();
    let text = std::fs::read_to_string(room.path("pregao.toml")).unwrap();
    room.write("pregao.toml", &text.replace("max_order_notional = \"150000.00\"", "max_order_notional = \"50000.00\""));
    room.pregao(&["run"]).done();
    let all = room.pregao(&["replay", "--all", "--json"]).done().json();
    assert_eq!(all["decisions"], all["matched"]);

    let none =
        room.pregao(&["why", "--denied", "1", "--json"]).failed(1, &["journal entry 1 is no denial: the nearest is"]);
    let error = none.json()["error"].as_str().unwrap().to_owned();
    let nearest = error.split("the nearest is ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap().to_owned();
    let story = room.pregao(&["why", "--denied", &nearest, "--json"]).done().json();
    assert_documented(&story, &["why"]);
    assert_eq!((&story["order"], story["denied"].to_string()), (&Value::Null, nearest.clone()));
    let denying: Vec<&Value> =
        story["checks"].as_array().unwrap().iter().filter(|check| check["passed"] == false).collect();
    assert_eq!(denying[0]["check"], "order_notional", "{story}");
    assert_eq!(denying[0]["limit"], serde_json::json!({ "money": "50000.00" }));
    let told = room.pregao(&["why", "--denied", &nearest]).done().out;
    assert!(told.contains("DENIES: worth more than one order may be"), "{told}");
}

#[test]
fn what_is_not_in_the_journal_is_met_with_what_is() {
    let room = Room::new();
    room.pregao(&["replay", "--all"]).failed(1, &["pregao-data"]);
    room.pregao(&["replay"]).failed(2, &["<SESSION>", "Usage"]);
    room.pregao(&["replay", "2017-13-01"]).failed(2, &["'2017-13-01'"]);
    room.pregao(&["why"]).failed(2, &["<ORDER>"]);
    room.pregao(&["why", "PAPR-1"]).failed(2, &["PAPR-20171228-000042"]);

    let room = room.with_samples();
    room.pregao(&["replay", "--all"]).failed(1, &["is empty: nothing has been traded there yet"]);
    room.pregao(&["init"]).done();
    let text = std::fs::read_to_string(room.path("pregao.toml")).unwrap();
    room.write("pregao.toml", &text.replace("to = \"2017-12-28\"", "to = \"2017-07-31\""));
    room.pregao(&["run"]).done();
    room.pregao(&["replay", "2017-12-20"])
        .failed(1, &["the journal has no session 2017-12-20: it has 21 from 2017-07-03 to 2017-07-31"]);
    room.pregao(&["replay", "--all", "--account", "ELSE"]).failed(2, &["no account ELSE: it has PAPR"]);
    room.pregao(&["why", "PAPR-20171220-000001"]).failed(1, &["no order PAPR-20171220-000001", "the nearest day"]);
    room.pregao(&["why", "ELSE-20170703-000001"]).failed(2, &["no account ELSE: it has PAPR"]);
}
