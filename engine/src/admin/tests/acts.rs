//! What is changed, written down, and asked for twice.

use serde_json::{Value, json};
use store::Audit;

use crate::admin::roles::Role;

use super::stage::{Stage, request};

/// What people did; the first row of all is the start's.
async fn trail(stage: &Stage) -> Vec<Value> {
    let told = stage.ask("GET", "/v1/audit?limit=499", &stage.of(Role::Viewer), None).await;
    let mut rows = told.json()["items"].as_array().unwrap_or_else(|| panic!("{told:?}")).clone();
    assert_eq!(rows.remove(0)["origin"], "engine");
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_is_in_force_before_it_is_written_down_and_is_written_down() {
    let stage = Stage::new().await;
    let otto = stage.of(Role::Operator);
    for (body, scope, level, reason) in [
        (None, "global", "stop_new", "no reason given"),
        (Some(r#"{"reason":"strange fills","action":"cancel_all"}"#), "global", "cancel_all", "strange fills"),
        (Some(r#"{"scope":"symbol:TEST1","action":"flatten"}"#), "symbol:TEST1", "flatten", "no reason given"),
        (Some(r#"{"scope":"global","action":"stop_new"}"#), "global", "cancel_all", "no reason given"),
    ] {
        let told = stage.ask("POST", "/v1/kill", &otto, body).await;
        assert_eq!(told.status, 200, "{told:?}");
        let expected = json!({ "scope": scope, "level": level, "by": "otto", "reason": reason });
        assert_eq!(told.json(), expected);
    }
    for (body, status) in [
        (r#"{"scope":"everything"}"#, 422),
        (r#"{"scope":"symbol:"}"#, 422),
        (r#"{"action":"explode"}"#, 400),
        (r#"{"level":"halted"}"#, 400),
        ("{", 400),
    ] {
        stage.ask("POST", "/v1/kill", &otto, Some(body)).await.is_problem(status);
    }
    stage.ask("POST", "/v1/kill", &stage.of(Role::Viewer), None).await.is_problem(403);
    let state = stage.ask("GET", "/v1/state", &otto, None).await.json();
    assert_eq!(state["halt"], "cancel_all");
    let halts: Vec<[&str; 4]> = state["halts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|halt| ["scope", "level", "by", "reason"].map(|key| halt[key].as_str().unwrap()))
        .collect();
    // On the word that led there: a milder one afterwards changes nothing.
    assert_eq!(halts[0][..3], ["global", "cancel_all", "otto"]);
    assert_eq!(halts[1], ["symbol:TEST1", "flatten", "otto", "no reason given"]);

    // The rows of stops come after their answers.
    super::stage::until("every stop is written down", || {
        stage.store.audit().unwrap().page(0, 500).unwrap().len() == 11
    })
    .await;
    let rows = trail(&stage).await;
    let told: Vec<(&str, &str, &str, &str)> = rows
        .iter()
        .map(|row| {
            let text = |key: &str| row[key].as_str().unwrap();
            (text("who"), text("action"), text("target"), text("outcome"))
        })
        .collect();
    assert_eq!(told[0], ("otto", "halt", "global", "done"));
    assert_eq!(told[2], ("otto", "halt", "symbol:TEST1", "done"));
    assert_eq!(told.iter().filter(|row| **row == ("otto", "halt", "", "denied")).count(), 5);
    assert_eq!(told[9], ("vera", "halt", "", "denied"));
    assert_eq!(rows[1]["after"], json!({ "level": "cancel_all" }));
    assert_eq!((&rows[1]["role"], &rows[1]["origin"]), (&"operator".into(), &"http".into()));
    assert!(matches!(stage.store.audit().unwrap().verify().unwrap(), store::Verification::Intact { entries: 11 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_hangs_up_has_stopped_all_the_same() {
    use tokio::io::AsyncWriteExt;
    let stage = Stage::new().await;
    let bearer = format!("Authorization: Bearer {}\r\n", stage.of(Role::Operator));
    let mut stream = stage.connect().await;
    stream.write_all(request("POST", "/v1/kill", &bearer, None).as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
    drop(stream);
    super::stage::until("it is stopped", || stage.system.halt().level() == risk::HaltLevel::StopNew).await;
    super::stage::until("it is written down", || stage.store.audit().unwrap().page(0, 9).unwrap().len() == 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_request_under_its_key_is_carried_out_once() {
    let stage = Stage::new().await;
    let bearer = format!("Authorization: Bearer {}\r\nIdempotency-Key: one\r\n", stage.of(Role::Admin));
    let body = r#"{"client_id":"rui","role":"viewer","reason":"he looks after the screens"}"#;
    let first = stage.ask_with("POST", "/v1/users", &bearer, Some(body)).await;
    assert_eq!(first.status, 201, "{first:?}");
    let again = stage.ask_with("POST", "/v1/users", &bearer, Some(body)).await;
    assert_eq!((again.status, &again.body), (201, &first.body), "the answer that was lost");
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    let other = body.replace("rui", "lia");
    stage.ask_with("POST", "/v1/users", &bearer, Some(&other)).await.is_problem(409);
    // The same for another version is another request, and gets nobody's answer.
    let reload = |tag: &str| {
        let headers = bearer.replace("one", "two") + tag;
        let stage = &stage;
        async move { stage.ask_with("POST", "/v1/reload", &headers, Some(r#"{"reason":"x"}"#)).await }
    };
    assert_eq!(reload("").await.status, 200);
    reload("If-Match: \"1-other\"\r\n").await.is_problem(409);
    // A key is its owner's: somebody else's request is another one.
    let keyless = format!("Authorization: Bearer {}\r\n", stage.of(Role::Admin));
    stage.ask_with("POST", "/v1/users", &keyless, Some(body)).await.is_problem(409);
    let added =
        trail(&stage).await.iter().filter(|row| row["action"] == "user.add" && row["outcome"] == "done").count();
    assert_eq!(added, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_added_seen_and_shut_out_and_secrets_are_shown_once() {
    let stage = Stage::new().await;
    let ana = stage.of(Role::Admin);
    let body = r#"{"client_id":"rui","role":"operator","reason":"new on the desk"}"#;
    let told = stage.ask("POST", "/v1/users", &ana, Some(body)).await.json();
    let secret = told["client_secret"].as_str().unwrap().to_owned();
    assert_eq!(stage.log_in("rui", &secret).await.status, 200);
    let listed = stage.ask("GET", "/v1/users", &ana, None).await;
    assert!(listed.body.contains("\"rui\"") && !listed.body.contains("argon2") && !listed.body.contains(&secret));
    stage.ask("POST", "/v1/users/ana/disable", &ana, Some(r#"{"reason":"x"}"#)).await.is_problem(409);
    stage.ask("POST", "/v1/users/ana/role", &ana, Some(r#"{"role":"viewer","reason":"x"}"#)).await.is_problem(409);
    stage.ask("POST", "/v1/users/none/disable", &ana, Some(r#"{"reason":"x"}"#)).await.is_problem(404);
    let gone = stage.ask("POST", "/v1/users/rui/disable", &ana, Some(r#"{"reason":"left"}"#)).await;
    assert!(gone.json()["disabled"].is_string(), "{gone:?}");
    assert_eq!(stage.log_in("rui", &secret).await.status, 401);
    let rows = trail(&stage).await;
    let actions: Vec<&str> = rows.iter().filter_map(|row| row["action"].as_str()).collect();
    assert_eq!(actions, ["user.add", "user.disable", "user.role", "user.disable", "user.disable"]);
    let outcomes: Vec<&str> = rows.iter().filter_map(|row| row["outcome"].as_str()).collect();
    assert_eq!(outcomes, ["done", "denied", "denied", "denied", "done"]);
    assert!(rows.iter().all(|row| !row.to_string().contains(&secret)), "secrets are in no row");
    assert_eq!(rows[4]["reason"], "left");
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_come_in_pages() {
    let stage = Stage::new().await;
    let otto = stage.of(Role::Operator);
    for _ in 0..5 {
        stage.ask("POST", "/v1/kill", &otto, None).await;
    }
    super::stage::until("all are written down", || stage.store.audit().unwrap().page(0, 500).unwrap().len() == 6).await;
    let (mut cursor, mut seen) = (String::new(), Vec::new());
    loop {
        let page = stage.ask("GET", &format!("/v1/audit?limit=2{cursor}"), &otto, None).await.json();
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 2);
        seen.extend(items.iter().map(|row| row["number"].as_u64().unwrap()));
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, [1, 2, 3, 4, 5, 6]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_person_with_a_reason_leads_out_of_a_halt() {
    let stage = Stage::new().await;
    let (otto, vera) = (stage.of(Role::Operator), stage.of(Role::Viewer));
    let resume = |body: &'static str| stage.ask("POST", "/v1/resume", &otto, Some(body));
    resume(r#"{"reason":"nothing is halted"}"#).await.is_problem(409);
    stage.ask("POST", "/v1/kill", &otto, Some(r#"{"scope":"symbol:TEST1"}"#)).await;
    stage.ask("POST", "/v1/kill", &otto, None).await;
    for (body, status) in [
        ("{}", 400),
        (r#"{"reason":""}"#, 422),
        (r#"{"reason":"x","second":"ana"}"#, 400),
        (r#"{"reason":"x","scope":"everything"}"#, 422),
        (r#"{"reason":"x","scope":"broker"}"#, 409),
    ] {
        resume(body).await.is_problem(status);
    }
    stage.ask("POST", "/v1/resume", &vera, Some(r#"{"reason":"x"}"#)).await.is_problem(403);
    assert_eq!(stage.system.halt().level(), risk::HaltLevel::StopNew, "all of that lifted nothing");
    // What stands in the data directory is in force as long as it lies there.
    let file = stage.room.path().join("halt");
    std::fs::write(&file, "").unwrap();
    resume(r#"{"reason":"explained"}"#).await.is_problem(409);
    std::fs::remove_file(&file).unwrap();
    let told = resume(r#"{"reason":"explained"}"#).await;
    let lifted = json!({ "outcome": "lifted", "scopes": [{ "scope": "global", "level": "stop_new" }], "until": null });
    assert_eq!((told.status, told.json()), (200, lifted));
    let told = resume(r#"{"reason":"explained","scope":"symbol:TEST1"}"#).await;
    assert_eq!(told.json()["scopes"], json!([{ "scope": "symbol:TEST1", "level": "stop_new" }]));
    assert_eq!(stage.system.halt().standing(), []);
    let rows = trail(&stage).await;
    let resumed =
        |outcome: &str| rows.iter().filter(|row| row["action"] == "resume" && row["outcome"] == outcome).count();
    assert_eq!((resumed("done"), resumed("denied")), (2, 8));
}

#[tokio::test(flavor = "multi_thread")]
async fn flattening_tells_what_it_would_do_and_does_it() {
    let stage = Stage::new().await;
    let otto = stage.of(Role::Operator);
    let body = Some(r#"{"reason":"leaving for the day"}"#);
    let told = stage.ask("POST", "/v1/flatten?dry_run=true", &otto, body).await;
    let planned = json!({ "dry_run": true, "scope": "global", "level": "active", "cancels": [], "closings": [] });
    assert_eq!((told.status, told.json()), (200, planned), "{told:?}");
    assert_eq!(stage.system.halt().standing(), []);
    stage.ask("POST", "/v1/flatten?dry_run=perhaps", &otto, body).await.is_problem(400);
    let told = stage.ask("POST", "/v1/flatten", &otto, body).await;
    assert_eq!((&told.json()["level"], told.status), (&"flatten".into(), 200), "{told:?}");
    assert_eq!(stage.system.halt().level(), risk::HaltLevel::Flatten);
    let again = stage.ask("POST", "/v1/resume", &otto, Some(r#"{"reason":"back"}"#)).await;
    assert_eq!(again.json()["scopes"][0]["level"], "flatten", "{again:?}");
}

/// The example with another value of one key.
fn with(key: &str, value: &str) -> String {
    let mut found = false;
    let lines = crate::config::EXAMPLE.lines().map(|line| match line.split_once(" = ") {
        Some((name, _)) if name == key => {
            found = true;
            format!("{key} = {value}")
        }
        _ => line.to_owned(),
    });
    let text: Vec<String> = lines.collect();
    assert!(found, "{key} is not in the example");
    format!("{}\n[halt]\nsecond_person = true\n", text.join("\n"))
}

async fn put(stage: &Stage, query: &str, who: &str, tag: Option<&str>, document: &str) -> super::stage::Told {
    let token = stage.token(who, Role::Admin);
    let tag = tag.map_or_else(String::new, |tag| format!("If-Match: {tag}\r\n"));
    let body = json!({ "document": document, "reason": "a test of the limits" }).to_string();
    let headers = format!("Authorization: Bearer {token}\r\n{tag}");
    stage.ask_with("PUT", &format!("/v1/config{query}"), &headers, Some(&body)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_is_lowered_by_one_person_raised_by_two_and_taken_back() {
    let stage = Stage::new().await;
    let ana = stage.of(Role::Admin);
    let rui = r#"{"client_id":"rui","role":"admin","reason":"the second person"}"#;
    assert_eq!(stage.ask("POST", "/v1/users", &ana, Some(rui)).await.status, 201);
    let shown = stage.ask("GET", "/v1/config", &stage.of(Role::Viewer), None).await;
    let first = shown.header("etag").unwrap().to_owned();
    assert_eq!(format!("\"{}\"", shown.json()["etag"].as_str().unwrap()), first);
    let in_force = || {
        let limits = serde_json::to_value(stage.system.inquiry().limits().limits()).unwrap();
        limits["global"]["max_order_quantity"].as_u64().unwrap()
    };
    let before = in_force();

    let lower = with("max_order_quantity", "1000");
    put(&stage, "", "ana", None, &lower).await.is_problem(428);
    for no_tag in ["*", "1-other", "\"\"", "\"a\", \"b\"", "\"a b\"", "W/\"a\"", "{}"] {
        put(&stage, "", "ana", Some(no_tag), &lower).await.is_problem(400);
    }
    put(&stage, "", "ana", Some("\"1-other\""), &lower).await.is_problem(412);
    let invalid = put(&stage, "", "ana", Some(&first), &with("max_order_quantity", "\"many\"")).await.is_problem(422);
    assert!(invalid["reasons"][0].as_str().unwrap().contains("max_order_quantity"), "{invalid}");
    let restart = put(&stage, "", "ana", Some(&first), &with("cash", "\"5.00\"")).await.is_problem(409);
    assert!(restart["detail"].as_str().unwrap().contains("needs a restart"), "{restart}");
    let told = put(&stage, "?dry_run=true", "ana", Some(&first), &lower).await.json();
    assert_eq!((&told["outcome"], &told["changes"][0]["key"]), (&"dry_run".into(), &"risk.max_order_quantity".into()));
    assert_eq!(in_force(), before, "all of that changed nothing");

    let told = put(&stage, "", "ana", Some(&first), &lower).await;
    assert_eq!((told.status, &told.json()["outcome"]), (200, &"applied".into()), "{told:?}");
    assert_eq!(in_force(), 1_000);
    let second = told.header("etag").unwrap().to_owned();
    put(&stage, "", "ana", Some(&first), &lower).await.is_problem(412);

    // Back up again takes two.
    let original = with("max_order_quantity", "20000");
    let proposed = put(&stage, "", "ana", Some(&second), &original).await.json();
    assert_eq!(proposed["outcome"], "proposed", "{proposed}");
    put(&stage, "", "ana", Some(&second), &original).await.is_problem(409);
    let applied = put(&stage, "", "rui", Some(&second), &original).await.json();
    assert_eq!(applied["outcome"], "applied", "{applied}");
    assert_eq!(in_force(), 20_000);

    let back = stage.ask("POST", "/v1/config/rollback", &ana, Some(r#"{"version":2,"reason":"too much"}"#)).await;
    assert_eq!((&back.json()["outcome"], in_force()), (&"applied".into(), 1_000), "{back:?}");
    stage.ask("POST", "/v1/config/rollback", &ana, Some(r#"{"version":99,"reason":"x"}"#)).await.is_problem(404);
    // No number at all, whatever version it is meant for.
    for number in ["0", "1000000001", "4294967295"] {
        let body = format!(r#"{{"version":{number},"reason":"x"}}"#);
        stage.ask("POST", "/v1/config/rollback", &ana, Some(&body)).await.is_problem(422);
    }
    let listed = stage.ask("GET", "/v1/config/versions", &ana, None).await.json();
    let numbers: Vec<u64> =
        listed["items"].as_array().unwrap().iter().map(|row| row["version"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [4, 3, 2, 1]);
    assert_eq!((&listed["items"][1]["author"], &listed["items"][1]["second"]), (&"ana".into(), &"rui".into()));
    // Every attempt is written down, once.
    let rows = trail(&stage).await;
    let by_http = rows.iter().filter(|row| row["action"] == "configuration.apply" && row["origin"] == "http");
    let outcomes: Vec<&str> = by_http.filter_map(|row| row["outcome"].as_str()).collect();
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == "done").count(), 5, "{outcomes:?}");
    assert_eq!(outcomes.len(), 22, "{outcomes:?}");
}
