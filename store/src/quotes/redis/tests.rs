//! Against a real server: the contract, and what the server may do to it.

use std::collections::BTreeMap;

use super::*;
use crate::contract::{self, quotes::quote};
use crate::quotes::InProcessQuotes;
use crate::testing::RedisServer;

const LONG: Duration = Duration::from_secs(600);
/// What nothing answers within.
const SOON: Duration = Duration::from_millis(200);

fn symbol() -> Symbol {
    "PETR4".parse().expect("a symbol")
}

fn fresh(number: i64) -> Fresh {
    Fresh { quote: quote("PETR4", number), until: Instant::now() + LONG }
}

fn publish(quotes: &RedisQuotes, number: i64) -> Result<Kept, StoreError> {
    quotes.publish(&[fresh(number)], Instant::now())
}

fn open(server: &RedisServer) -> RedisQuotes {
    RedisQuotes::open(&server.settings("this")).expect("settings that can be used")
}

#[test]
fn in_process_keeps_the_contract() {
    contract::check(contract::quotes::ALL, || {
        Box::new(|| {
            let symbols = ["PETR4", "VALE3"].map(|symbol| symbol.parse().expect("a symbol"));
            Box::new(InProcessQuotes::new(symbols.to_vec(), LONG, Instant::now()))
        })
    });
}

#[test]
fn redis_keeps_the_contract() {
    let Some(server) = RedisServer::start() else { return };
    let settings = server.settings("this");
    contract::check(contract::quotes::ALL, || {
        let settings = settings.clone();
        server.ask::<()>("FLUSHALL");
        Box::new(move || Box::new(RedisQuotes::open(&settings).expect("settings that can be used")))
    });
}

#[test]
fn hash_channel_and_writer_are_as_documented() {
    let Some(server) = RedisServer::start() else { return };
    let quotes = open(&server);
    let mut listener = server.connection();
    let mut channel = listener.as_pubsub();
    channel.subscribe(CHANNEL).expect("a channel");
    publish(&quotes, 3).expect("published");
    let hash: BTreeMap<String, String> = server.ask("HGETALL pregao:quote:PETR4");
    assert_eq!(hash, wire::fields(&quote("PETR4", 3)).map(|(name, text)| (name.to_owned(), text)).into());
    let told: String = channel.get_message().and_then(|message| message.get_payload()).expect("a message");
    assert_eq!(told, wire::message(&quote("PETR4", 3)));
    let left: i64 = server.ask("PTTL pregao:quote:PETR4");
    assert!((1..=600_000).contains(&left), "{left}");
    assert_eq!(server.ask::<String>("GET pregao:quotes:writer"), "this");
    let left: i64 = server.ask("PTTL pregao:quotes:writer");
    assert!((1..=10_000).contains(&left), "{left}");
}

#[test]
fn one_batch_is_one_transaction_on_one_connection() {
    let Some(server) = RedisServer::start() else { return };
    let quotes = open(&server);
    let count = |name: &str| {
        let told: String = server.ask("INFO commandstats");
        let line = told.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{name}:calls=")));
        line.and_then(|rest| rest.split(',').next()?.parse::<u64>().ok()).unwrap_or(0)
    };
    let batch: Vec<Fresh> = (1..=500).map(fresh).collect();
    for _ in 0..10 {
        quotes.publish(&batch, Instant::now()).expect("published");
    }
    assert_eq!((count("exec"), count("hset"), count("pexpire"), count("publish")), (10, 5_000, 5_000, 5_000));
    assert_eq!(count("ping"), 1, "of a new connection, and nothing between batches");
}

#[test]
fn a_wipe_is_noticed_and_so_is_another_writer() {
    let Some(server) = RedisServer::start() else { return };
    let quotes = open(&server);
    let told = |number| publish(&quotes, number).expect("published");
    assert_eq!((told(1), told(2)), (Kept::Nothing, Kept::AsBefore));
    server.ask::<()>("FLUSHALL");
    assert_eq!((told(3), told(4)), (Kept::Nothing, Kept::AsBefore));
    let other = RedisQuotes::open(&server.settings("other")).expect("settings that can be used");
    assert_eq!(publish(&other, 5).expect("published"), Kept::WithAnother);
    assert_eq!((told(6), told(7)), (Kept::WithAnother, Kept::AsBefore));
}

#[test]
fn what_others_put_there_is_told_and_written_over() {
    let Some(server) = RedisServer::start() else { return };
    let quotes = open(&server);
    for (garbage, problem) in
        [("SET pregao:quote:PETR4 x", "WRONGTYPE"), ("HSET pregao:quote:PETR4 bid x", "field at is missing")]
    {
        server.ask::<()>("FLUSHALL");
        server.ask::<redis_value::Any>(garbage);
        let error = quotes.newest(symbol(), Instant::now()).expect_err("it is no quote");
        assert!(format!("{error}: {error:?}").contains(problem), "{error:?}");
        publish(&quotes, 1).expect("published");
        assert_eq!(quotes.newest(symbol(), Instant::now()).expect("an answer"), Some(quote("PETR4", 1)));
    }
    // The writer's key, too: one batch says so, the next is right.
    server.ask::<()>("DEL pregao:quotes:writer");
    server.ask::<()>("RPUSH pregao:quotes:writer x");
    assert!(publish(&quotes, 2).is_err());
    assert_eq!(publish(&quotes, 3).expect("published"), Kept::AsBefore);
}

/// What a command answers, whatever it is.
mod redis_value {
    use deadpool_redis::redis::{FromRedisValue, ParsingError, Value};

    pub(super) struct Any;

    impl FromRedisValue for Any {
        fn from_redis_value(_: Value) -> Result<Self, ParsingError> {
            Ok(Self)
        }
    }
}

#[test]
fn a_full_server_takes_nothing_of_a_batch_and_all_of_it_later() {
    let Some(server) = RedisServer::start_with(&["--maxmemory-policy", "noeviction"]) else { return };
    let quotes = open(&server);
    publish(&quotes, 1).expect("published");
    server.ask::<()>("CONFIG SET maxmemory 1");
    let error = publish(&quotes, 2).expect_err("there is no room");
    assert!(error.to_string().contains("has no memory left"), "{error}: {error:?}");
    let newest = || quotes.newest(symbol(), Instant::now()).expect("an answer");
    assert_eq!(newest(), Some(quote("PETR4", 1)), "all or none");
    server.ask::<()>("CONFIG SET maxmemory 0");
    publish(&quotes, 3).expect("published");
    assert_eq!(newest(), Some(quote("PETR4", 3)));
}

#[test]
fn a_password_is_needed_and_never_shown() {
    let Some(server) = RedisServer::start() else { return };
    let settings =
        |password: Option<&str>| RedisSettings { password: password.map(str::to_owned), ..server.settings("this") };
    let quotes = open(&server);
    publish(&quotes, 1).expect("published");
    server.ask::<()>("CONFIG SET requirepass hunter2");
    server_kicks(&server, "hunter2");
    for password in [None, Some("hunter3")] {
        let quotes = RedisQuotes::open(&settings(password)).expect("settings that can be used");
        let error = publish(&quotes, 2).expect_err("it is refused");
        let told = format!("{error} {error:?} {quotes:?} {:?}", settings(password));
        assert!(told.contains("refuses the user, the password"), "{told}");
        assert!(!told.contains("hunter"), "{told}");
    }
    let known = RedisQuotes::open(&settings(Some("hunter2"))).expect("settings that can be used");
    assert_eq!(publish(&known, 3).expect("published"), Kept::AsBefore);
}

/// Ends every other connection, as an administrator does who has set a password.
fn server_kicks(server: &RedisServer, password: &str) {
    let url = format!("redis+unix://{}?pass={password}", server.socket().display());
    let client = deadpool_redis::redis::Client::open(url).expect("a URL");
    let mut connection = client.get_connection().expect("a connection");
    let kicked: u32 = cmd("CLIENT").arg("KILL").arg("TYPE").arg("normal").query(&mut connection).expect("an answer");
    assert!(kicked > 0);
}

#[test]
fn a_user_with_the_documented_rights_can_publish_and_nothing_else() {
    let Some(server) = RedisServer::start() else { return };
    let document = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/redis.md"));
    let document = document.expect("docs/redis.md");
    for (user, reads) in [("pregao", false), ("grafana", true)] {
        let start = format!("ACL SETUSER {user} ");
        let line = document.lines().find(|line| line.starts_with(&start)).expect("the user's rights");
        server.ask::<()>(line);
        let mut settings = server.settings("this");
        settings.url = format!("{}?user={user}", settings.url);
        settings.password = Some("PASSWORD".to_owned());
        let quotes = RedisQuotes::open(&settings).expect("settings that can be used");
        if reads {
            assert_eq!(quotes.newest(symbol(), Instant::now()).expect("an answer"), Some(quote("PETR4", 1)));
            let error = publish(&quotes, 2).expect_err("it may not");
            assert!(error.to_string().contains("refuses the user"), "{error}: {error:?}");
            quotes.check().expect_err("nor try");
        } else {
            quotes.check().expect("it may");
            assert_eq!(
                server.ask::<i64>("EXISTS pregao:quotes:writer pregao:quotes:check"),
                0,
                "nothing is left of it"
            );
            assert_eq!(publish(&quotes, 1).expect("published"), Kept::Nothing);
            assert_eq!(publish(&quotes, 1).expect("published"), Kept::AsBefore);
        }
    }
}

#[test]
fn a_server_that_is_away_is_told_and_found_again() {
    let Some(mut server) = RedisServer::start() else { return };
    let quotes = open(&server);
    publish(&quotes, 1).expect("published");
    server.kill();
    for _ in 0..3 {
        let error = publish(&quotes, 2).expect_err("nobody is there");
        assert!(error.to_string().contains("cannot be reached"), "{error}: {error:?}");
    }
    server.start_again();
    assert_eq!(publish(&quotes, 3).expect("published"), Kept::Nothing, "nothing was kept on disk");
}

#[test]
fn a_server_that_stands_still_ends_the_call_and_leaves_nothing_behind() {
    let Some(server) = RedisServer::start() else { return };
    let settings = RedisSettings { answer_limit: SOON, ..server.settings("this") };
    let quotes = RedisQuotes::open(&settings).expect("settings that can be used");
    publish(&quotes, 1).expect("published");
    server.pause();
    // More than a socket takes, so that the client cannot even get rid of it.
    let large: Vec<Fresh> = (0..5_000).map(fresh).collect();
    for _ in 0..8 {
        let error = quotes.publish(&large, Instant::now()).expect_err("nobody answers");
        assert!(error.to_string().contains("did not answer in time"), "{error}: {error:?}");
    }
    let tasks = || quotes.runtime.as_ref().map_or(0, |runtime| runtime.metrics().num_alive_tasks());
    let until = Instant::now() + LONG;
    while tasks() > 0 {
        assert!(Instant::now() < until, "{} tasks are left of the calls that were given up", tasks());
        std::thread::yield_now();
    }
    server.go_on();
    // What was on its way may still arrive; the newest is told after it.
    while publish(&quotes, 9).is_err() {
        assert!(Instant::now() < until, "it never came back");
    }
    assert_eq!(quotes.newest(symbol(), Instant::now()).expect("an answer"), Some(quote("PETR4", 9)));
}

#[test]
fn over_tls_only_a_server_with_the_right_certificate_is_told_anything() {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let directory = tempfile::tempdir().expect("a directory");
    let file = |name: &str, text: String| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path.display().to_string()
    };
    let (certificate, key) = (file("c.pem", own.cert.pem()), file("k.pem", own.signing_key.serialize_pem()));
    // The port is free now; nobody else is asked for one.
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let port = free.expect("a port").port().to_string();
    let options = ["--tls-port", &port, "--tls-cert-file", &certificate, "--tls-key-file", &key];
    let Some(server) = RedisServer::start_with(&[&options[..], &["--tls-auth-clients", "no"]].concat()) else { return };
    let open = |authorities: Option<String>| {
        let mut settings = server.settings("this");
        settings.url = format!("rediss://localhost:{port}");
        settings.authorities = authorities.map(String::into_bytes);
        RedisQuotes::open(&settings).expect("settings that can be used")
    };
    for stranger in [None, Some(other.cert.pem())] {
        let error = publish(&open(stranger), 1).expect_err("it is not known");
        assert!(error.to_string().contains("cannot be reached"), "{error}: {error:?}");
    }
    assert_eq!(server.ask::<u64>("DBSIZE"), 0);
    let known = open(Some(own.cert.pem()));
    assert!(known.place().contains("over TLS"), "{}", known.place());
    publish(&known, 1).expect("published");
    assert_eq!(known.newest(symbol(), Instant::now()).expect("an answer"), Some(quote("PETR4", 1)));
}
