//! The watchdog from the command line. `tests/tests/watchdog.rs` has it fire.

use std::net::TcpListener;

use crate::program::{Room, assert_documented};

/// What a watchdog reads, with nothing behind the address.
fn configure(room: &Room) {
    // Bound and let go of: nobody listens there now.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    room.write(
        "pregao.toml",
        &format!(
            "[account]\ntag = \"PAPR\"\n[broker]\nname = \"bridge\"\naddress = \"{address}\"\n\
             [watchdog]\nsilence_seconds = 10\nlogin = \"guard\"\n"
        ),
    );
}

#[test]
fn it_waits_for_a_first_sign_of_life_and_ends_when_told() {
    let room = Room::new();
    configure(&room);
    let mut watchdog = room.start(&["watchdog", "--json"]);
    watchdog.until("waiting for the first sign of life");
    // Told once, and tried again for ever.
    watchdog.until("the watchdog has no connection");
    watchdog.terminate();
    let told = watchdog.end().done().out;
    let documents: Vec<serde_json::Value> =
        serde_json::Deserializer::from_str(&told).into_iter().map(Result::unwrap).collect();
    let events: Vec<_> = documents.iter().filter_map(|document| document["event"].as_str()).collect();
    assert_eq!(events, ["phase", "disconnected"]);
    for document in &documents {
        assert_documented(document, &["watchdog"]);
    }
    let last = documents.last().unwrap();
    assert_eq!((&last["stopped"], &last["phase"]), (&"SIGTERM".into(), &"waiting".into()));
    assert_eq!((&last["fired"], &last["connected"]), (&0.into(), &false.into()));
    assert!(!room.path("pregao-data").exists(), "it makes nothing before it fires");
}

#[test]
fn without_its_section_it_says_what_to_add() {
    let room = Room::new();
    room.pregao(&["watchdog"]).failed(2, &["there is no pregao.toml here"]);
    room.pregao(&["init"]).done();
    room.pregao(&["watchdog"]).failed(2, &["there is no [watchdog] section"]);
}
