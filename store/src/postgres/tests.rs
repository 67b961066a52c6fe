//! On a real server, in its good and bad hours. Without one installed these pass and say that they
//! were skipped.

mod history;

use std::error::Error as _;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use super::*;
use crate::EmbeddedStore;
use crate::contract::halt::decision;
use crate::contract::journal::{entry, snapshot, stored};
use crate::contract::{self, Make};
use crate::journal::{Break, Verification};
use crate::testing;
use crate::{Audit, ConfigVersions, HaltStore, History, Journal, LocalFirstAudit, MetaStore, Users};

fn paper() -> AccountTag {
    "PAPR".parse().unwrap()
}

fn entries(sequences: std::ops::RangeInclusive<u64>) -> Vec<crate::JournalEntry> {
    sequences.map(|sequence| entry(paper(), sequence)).collect()
}

/// Limits that a test can wait for.
fn quick(server: &testing::Server) -> PostgresSettings {
    PostgresSettings {
        statement_timeout: Duration::from_secs(2),
        connect_timeout: Duration::from_secs(2),
        ..server.settings("pregao")
    }
}

/// A store whose journal may be written.
fn leased(settings: &PostgresSettings) -> (PostgresStore, PostgresJournal, PostgresLease) {
    let store = PostgresStore::open(settings).unwrap();
    let lease = store.lease(paper()).unwrap();
    let journal = store.journal();
    (store, journal, lease)
}

/// A new schema for each contract; each `make` opens it anew, as a process that starts after another
/// has crashed and its leases have run out.
fn fresh<'a, T: ?Sized + 'static>(
    server: &'a testing::Server,
    open: fn(&PostgresStore) -> Box<T>,
) -> impl Fn() -> Box<Make<T>> + 'a {
    static CONTRACTS: AtomicU32 = AtomicU32::new(1);
    move || {
        let schema = format!("contract_{}", CONTRACTS.fetch_add(1, Ordering::Relaxed));
        let settings = server.settings(&schema);
        PostgresStore::open(&settings).unwrap();
        let settings = PostgresSettings { lease_term: Duration::ZERO, ..settings };
        Box::new(move || {
            let store = PostgresStore::open(&settings).unwrap();
            for account in ["PAPR", "REAL"] {
                store.lease(account.parse().unwrap()).unwrap();
            }
            open(&store)
        })
    }
}

#[test]
fn keeps_the_contracts() {
    let Some(server) = testing::Server::start() else { return };
    contract::check(contract::journal::ALL, fresh::<dyn Journal>(&server, |store| Box::new(store.journal())));
    contract::check(contract::halt::ALL, fresh::<dyn HaltStore>(&server, |store| Box::new(store.halt())));
    contract::check(contract::meta::ALL, fresh::<dyn MetaStore>(&server, |store| Box::new(store.meta())));
    contract::check(contract::audit::ALL, fresh::<dyn Audit>(&server, |store| Box::new(store.audit())));
    contract::check(contract::users::ALL, fresh::<dyn Users>(&server, |store| Box::new(store.users())));
    let versions = fresh::<dyn ConfigVersions>(&server, |store| Box::new(store.config_versions()));
    contract::check(contract::config_versions::ALL, versions);
}

#[test]
fn keeps_the_history_contract() {
    let Some(server) = testing::Server::start() else { return };
    contract::check(contract::history::ALL, fresh::<dyn History>(&server, |store| Box::new(store.history())));
}

#[test]
fn every_table_and_column_is_documented() {
    let Some(server) = testing::Server::start() else { return };
    PostgresStore::open(&server.settings("pregao")).unwrap();
    let described = server.sql(
        "SELECT relname, attname, obj_description(pg_class.oid), col_description(pg_class.oid, attnum)
         FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
         WHERE relnamespace = 'pregao'::regnamespace AND relkind IN ('r', 'p', 'v', 'm')
         AND attnum > 0 AND NOT attisdropped",
    );
    assert!(described.len() >= 25, "{described:?}");
    for column in described {
        assert!(column.iter().all(Option::is_some), "{column:?}");
    }
}

#[test]
fn what_was_changed_is_found_and_named() {
    let Some(server) = testing::Server::start() else { return };
    for (number, (change, reason)) in [
        ("UPDATE journal SET payload = replace(payload, 'PETR4', 'VALE3') WHERE sequence = 5", Break::Altered),
        ("UPDATE journal SET kind = 'cancel_intent' WHERE sequence = 5", Break::Altered),
        ("UPDATE journal SET at = at + 1 WHERE sequence = 5", Break::Altered),
        ("UPDATE journal SET hash = decode(repeat('00', 32), 'hex') WHERE sequence = 5", Break::Altered),
        ("DELETE FROM journal WHERE sequence = 5", Break::Missing),
        ("UPDATE journal SET account = 'REAL' WHERE sequence = 5", Break::Missing),
    ]
    .into_iter()
    .enumerate()
    {
        let schema = format!("tampered_{number}");
        let (store, mut journal, _lease) = leased(&server.settings(&schema));
        journal.append(&entries(1..=9)).unwrap();
        for sequence in [4, 5] {
            journal.save_snapshot(&snapshot(paper(), sequence)).unwrap();
        }
        server.sql(&format!("SET search_path = {schema}; {change}"));
        let reader = PostgresStore::open_read_only(&server.settings(&schema)).unwrap().journal();
        assert_eq!(reader.verify(paper()).unwrap(), Verification::Broken { sequence: 5, reason }, "{change}");
        let mut handed_over = Vec::new();
        let error = reader.read(paper(), 1, &mut |entry| {
            handed_over.push(entry.sequence);
            Ok(())
        });
        assert!(error.unwrap_err().to_string().contains("journal of PAPR: entry 5 "), "{change}");
        assert_eq!(handed_over, [1, 2, 3, 4], "{change}");
        // A snapshot is bound to the link of its entry.
        let link_holds = !change.contains("hash") && reason == Break::Altered;
        let latest = if link_holds { 5 } else { 4 };
        assert_eq!(reader.latest_snapshot(paper(), 9).unwrap(), Some(snapshot(paper(), latest)), "{change}");

        server.sql(&format!("UPDATE {schema}.snapshot SET payload = payload || ' ' WHERE sequence = {latest}"));
        let before = (latest == 5).then(|| snapshot(paper(), 4));
        assert_eq!(reader.latest_snapshot(paper(), 9).unwrap(), before, "{change}");

        store.halt().save_halt(&decision("cancel_all", 1)).unwrap();
        server.sql(&format!("UPDATE {schema}.halt SET level = 'active'"));
        let error = store.halt().load_halts().unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");

        // As it was written before there were scopes.
        let old = decision("flatten", 2);
        let digest: String = old.digest_without_scope().as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        server.sql(&format!(
            "INSERT INTO {schema}.halt (level, reason, decided_by, at, digest) \
             VALUES ('{}', '{}', '{}', 2, '\\x{digest}')",
            old.level, old.reason, old.by
        ));
        assert_eq!(store.halt().load_halts().unwrap(), [old]);
    }
}

/// What nobody may change, the server refuses; what was changed all the same is found and named.
#[test]
fn audit_users_and_versions_are_kept_as_they_are() {
    use contract::{audit::act, config_versions::version, users::user};
    let Some(server) = testing::Server::start() else { return };
    let store = PostgresStore::open(&server.settings("pregao")).unwrap();
    let mut audit = store.audit();
    for number in 1..=9 {
        audit.append(&act(number)).unwrap();
    }
    store.users().create(&user("maria")).unwrap();
    store.config_versions().append(0, &version(1)).unwrap();
    let refused = |change: &str| {
        let guarded =
            format!("DO $$ BEGIN {change}; RAISE EXCEPTION 'done'; EXCEPTION WHEN restrict_violation THEN END $$");
        server.sql(&format!("SET search_path = pregao; {guarded}"));
    };
    for change in [
        "UPDATE audit SET who = 'nobody'",
        "DELETE FROM audit WHERE number = 9",
        "TRUNCATE audit",
        "DELETE FROM users",
        "TRUNCATE users",
        "UPDATE config_version SET author = 'zeca'",
        "DELETE FROM config_version",
        "TRUNCATE config_version",
    ] {
        refused(change);
    }
    assert_eq!(audit.verify().unwrap(), Verification::Intact { entries: 9 });
    server.sql("ALTER TABLE pregao.audit DISABLE TRIGGER USER; ALTER TABLE pregao.config_version DISABLE TRIGGER USER");
    for (change, reason) in [
        ("UPDATE pregao.audit SET reason = '' WHERE number = 7", Break::Altered),
        ("UPDATE pregao.audit SET outcome = 'failed' WHERE number = 6", Break::Altered),
        ("UPDATE pregao.audit SET hash = decode(repeat('00', 32), 'hex') WHERE number = 5", Break::Altered),
        ("DELETE FROM pregao.audit WHERE number = 4", Break::Missing),
    ] {
        server.sql(change);
        let number = change.chars().last().and_then(|digit| digit.to_digit(10)).unwrap().into();
        assert_eq!(audit.verify().unwrap(), Verification::Broken { sequence: number, reason }, "{change}");
    }
    server.sql("UPDATE pregao.config_version SET document = ''");
    let error = store.config_versions().current().unwrap_err().to_string();
    assert!(error.contains("version 1 of the configuration is not what was written"), "{error}");
}

#[test]
fn many_writers_link_their_acts_one_behind_the_other() {
    let Some(server) = testing::Server::start() else { return };
    let store = PostgresStore::open(&server.settings("pregao")).unwrap();
    std::thread::scope(|scope| {
        for writer in 0..3 {
            let mut audit = store.audit();
            scope.spawn(move || {
                // Every second act is also another writer's.
                for number in 1..=20 {
                    let own = if number % 2 == 0 { 0 } else { writer * 100 };
                    audit.append(&contract::audit::act(number + own)).unwrap();
                }
            });
        }
    });
    assert_eq!(store.audit().verify().unwrap(), Verification::Intact { entries: 10 + 3 * 10 });
}

#[test]
fn acts_wait_in_the_data_directory_while_the_server_is_away() {
    let Some(mut server) = testing::Server::start() else { return };
    let place = tempfile::tempdir().unwrap();
    let local = EmbeddedStore::open(place.path()).unwrap();
    let remote = PostgresStore::open(&quick(&server)).unwrap();
    let handle = || Box::new(local.audit().unwrap());
    let mut audit =
        LocalFirstAudit::new(handle(), handle(), Box::new(local.meta().unwrap()), Box::new(remote.audit())).unwrap();
    audit.append(&contract::audit::act(1)).unwrap();
    server.stop_at_once();
    for number in 2..=5 {
        audit.append(&contract::audit::act(number)).unwrap();
    }
    server.start_again();
    let begun = Instant::now();
    while audit.waiting() > 0 {
        assert!(begun.elapsed() < Duration::from_secs(60), "the rows do not arrive");
        std::thread::yield_now();
    }
    assert_eq!(remote.audit().page(0, 9).unwrap(), audit.page(0, 9).unwrap());
}

#[test]
fn one_process_writes_an_account_and_the_others_wait_their_turn() {
    let Some(server) = testing::Server::start() else { return };
    let settings = |holder: &str| PostgresSettings { holder: holder.to_owned(), ..server.settings("pregao") };
    let (first, mut journal, mut lease) = leased(&settings("first"));
    assert_eq!((lease.epoch(), lease.term()), (1, Some(LEASE_TERM)));
    journal.append(&entries(1..=2)).unwrap();

    let second = PostgresStore::open(&settings("second")).unwrap();
    let error = second.lease(paper()).err().unwrap();
    assert!(matches!(&error, StoreError::LeaseHeld { epoch: 1, .. }), "{error}");
    assert!(error.to_string().contains("account PAPR is traded by first, since 20"), "{error}");
    // Who has no lease reads, and does not write.
    let error = second.journal().append(&entries(3..=3)).unwrap_err().to_string();
    assert!(error.contains("account PAPR: is not leased by this process; take the account's lease"), "{error}");
    let error = second.journal().save_snapshot(&snapshot(paper(), 1)).unwrap_err().to_string();
    assert!(error.contains("is not leased by this process"), "{error}");
    assert_eq!(stored(&second.journal(), paper(), 1).unwrap(), entries(1..=2));
    // Accounts are apart, and an account may start again within its process.
    second.lease("REAL".parse().unwrap()).unwrap();
    let mut again = first.lease(paper()).unwrap();
    assert_eq!(again.epoch(), 2);
    assert!(matches!(lease.renew(), Err(StoreError::LeaseLost { epoch: 2, .. })));
    lease.release().unwrap();
    journal.append(&entries(3..=3)).unwrap();
    again.renew().unwrap();

    // Released, it is free at once, and the one who had it writes no more.
    again.release().unwrap();
    let third = second.lease(paper()).unwrap();
    assert_eq!(third.epoch(), 3);
    let error = journal.append(&entries(4..=4)).unwrap_err().to_string();
    assert!(error.contains("is not leased by this process"), "{error}");
    second.journal().append(&entries(4..=4)).unwrap();
}

#[test]
fn a_data_directory_takes_its_own_lease_over_at_once() {
    let Some(server) = testing::Server::start() else { return };
    let place = tempfile::tempdir().unwrap();
    let name = EmbeddedStore::open(place.path()).unwrap().identity().unwrap();
    assert_eq!(EmbeddedStore::open(place.path()).unwrap().identity().unwrap(), name, "kept");
    let other = tempfile::tempdir().unwrap();
    let elsewhere = EmbeddedStore::open(other.path()).unwrap().identity().unwrap();
    assert_ne!(elsewhere, name);

    let of = |directory: &str| PostgresSettings { directory: Some(directory.into()), ..server.settings("pregao") };
    // Killed: nothing was released, and the term has just begun.
    let (_killed, mut late, _lease) = leased(&of(&name));
    late.append(&entries(1..=1)).unwrap();
    let second = PostgresStore::open(&of(&elsewhere)).unwrap();
    assert!(matches!(second.lease(paper()).err().unwrap(), StoreError::LeaseHeld { epoch: 1, .. }));
    let (_again, mut journal, lease) = leased(&of(&name));
    assert_eq!(lease.epoch(), 2);
    // Even where the directory was copied and both live, one of them writes.
    assert!(matches!(late.append(&entries(2..=2)), Err(StoreError::LeaseLost { epoch: 2, .. })));
    journal.append(&entries(2..=2)).unwrap();
    // One that says no name takes nothing over, from nobody.
    let nameless = PostgresStore::open(&server.settings("pregao")).unwrap();
    assert!(matches!(nameless.lease(paper()).err().unwrap(), StoreError::LeaseHeld { .. }));
}

#[test]
fn of_many_that_ask_at_once_one_gets_the_lease() {
    let Some(server) = testing::Server::start() else { return };
    let stores: Vec<_> = (0..6).map(|_| PostgresStore::open(&server.settings("pregao")).unwrap()).collect();
    for epoch in 1..=5 {
        let outcomes: Vec<_> = std::thread::scope(|scope| {
            let asking: Vec<_> = stores.iter().map(|store| scope.spawn(|| store.lease(paper()))).collect();
            asking.into_iter().map(|asking| asking.join().unwrap()).collect()
        });
        let (held, refused): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
        assert_eq!((held.len(), refused.len()), (1, 5));
        for error in refused.into_iter().filter_map(Result::err) {
            assert!(matches!(error, StoreError::LeaseHeld { epoch: found, .. } if found == epoch), "{error}");
        }
        let mut lease = held.into_iter().find_map(Result::ok).unwrap();
        assert_eq!(lease.epoch(), epoch);
        lease.release().unwrap();
    }
}

#[test]
fn a_holder_that_wakes_after_a_takeover_writes_nothing() {
    let Some(server) = testing::Server::start() else { return };
    let settings = |holder: &str| PostgresSettings { holder: holder.to_owned(), ..server.settings("pregao") };
    let (_first, mut paused, mut lease) = leased(&settings("paused"));
    paused.append(&entries(1..=2)).unwrap();
    // Its time runs out while it sleeps, and another takes over.
    server.sql("UPDATE pregao.lease SET expires_at = clock_timestamp()");
    let (_second, mut successor, _held) = leased(&settings("successor"));
    successor.append(&entries(3..=3)).unwrap();

    let refusals = [
        paused.append(&entries(4..=4)).unwrap_err(),
        // Not even what is stored already is confirmed to it.
        paused.append(&entries(2..=2)).unwrap_err(),
        paused.save_snapshot(&snapshot(paper(), 1)).unwrap_err(),
        lease.renew().unwrap_err(),
    ];
    for error in refusals {
        assert!(matches!(&error, StoreError::LeaseLost { epoch: 2, .. }), "{error}");
        assert!(error.to_string().contains("account PAPR was taken over by successor"), "{error}");
    }
    // Its release frees nothing that is another's.
    lease.release().unwrap();
    successor.append(&entries(4..=5)).unwrap();
    assert_eq!(successor.verify(paper()).unwrap(), Verification::Intact { entries: 5 });
    assert_eq!(successor.latest_snapshot(paper(), 9).unwrap(), None);
}

/// The first holder has its rows locked and is then paused in the middle of its transaction: the
/// server ends that transaction, and nobody is kept out for longer than a statement may last.
#[test]
fn a_holder_paused_in_its_transaction_keeps_nobody_out() {
    let Some(server) = testing::Server::start() else { return };
    let settings = quick(&server);
    let (store, mut journal, _lease) = leased(&settings);
    journal.append(&entries(1..=1)).unwrap();
    let paused = store.shared.server.call("pause", |session| {
        Box::pin(async move {
            session.client.batch_execute("BEGIN; SELECT * FROM lease FOR UPDATE").await?;
            // Longer than the server allows, shorter than the call's own limit.
            tokio::time::sleep(Duration::from_secs(3)).await;
            Ok(session.client.batch_execute("COMMIT").await?)
        })
    });
    paused.unwrap_err();
    server.sql("UPDATE pregao.lease SET expires_at = clock_timestamp()");
    let (_second, mut successor, lease) = leased(&settings);
    assert_eq!(lease.epoch(), 2);
    successor.append(&entries(2..=2)).unwrap();
}

#[test]
fn a_server_that_stops_is_named_and_the_next_call_after_its_return_works() {
    let Some(mut server) = testing::Server::start() else { return };
    let (store, mut journal, mut lease) = leased(&quick(&server));
    journal.append(&entries(1..=3)).unwrap();
    store.meta().set_meta("colour", "verde").unwrap();
    server.stop_at_once();
    for error in [journal.append(&entries(4..=4)).unwrap_err(), lease.renew().unwrap_err()] {
        let text = error.to_string();
        assert!(text.starts_with("Postgres at ") && text.contains("database postgres, schema pregao: "), "{text}");
        assert!(text.contains("cannot be reached; start the server"), "{text}: {:?}", error.source());
    }
    // While it comes up every refusal is one that says what to do.
    let started = Instant::now();
    std::thread::scope(|scope| {
        let starting = scope.spawn(|| server.start_again());
        while let Err(error) = journal.append(&entries(3..=5)) {
            assert!(matches!(&error, StoreError::Unusable { .. }), "{error}: {:?}", error.source());
            assert!(started.elapsed() < Duration::from_secs(60), "{error}");
        }
        starting.join().unwrap();
    });
    lease.renew().unwrap();
    assert_eq!(stored(&journal, paper(), 1).unwrap(), entries(1..=5));
    assert_eq!(store.meta().meta("colour").unwrap().as_deref(), Some("verde"));
}

#[test]
fn a_connection_that_was_ended_is_replaced() {
    let Some(server) = testing::Server::start() else { return };
    let (_store, mut journal, _lease) = leased(&server.settings("pregao"));
    for sequence in 1..=20 {
        server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pregao'");
        // Either side may be first to notice; then the caller does what the text says.
        if let Err(error) = journal.append(&entries(sequence..=sequence)) {
            assert!(error.to_string().contains("closed the connection"), "{error}: {:?}", error.source());
            assert!(error.to_string().contains("send the same again"), "{error}");
            journal.append(&entries(sequence..=sequence)).unwrap();
        }
    }
    assert_eq!(journal.verify(paper()).unwrap(), Verification::Intact { entries: 20 });
}

#[test]
fn a_full_disk_refuses_the_batch_and_the_journal_goes_on_once_there_is_room() {
    let Some(server) = testing::Server::start() else { return };
    let Some(disk) = testing::Disk::mount("2m") else { return };
    let ballast = disk.path().join("ballast");
    std::fs::write(&ballast, vec![1; 256 * 1024]).unwrap();
    let space = disk.path().join("space");
    std::fs::create_dir(&space).unwrap();
    server.give(&space);
    let (_store, mut journal, _lease) = leased(&server.settings("pregao"));
    server.sql(&format!("CREATE TABLESPACE small LOCATION '{}'", space.display()));
    server.sql("ALTER TABLE pregao.journal SET TABLESPACE small");
    let mut last = 0;
    let error = loop {
        match journal.append(&entries(last + 1..=last + 100)) {
            Ok(()) => last += 100,
            Err(error) => break error,
        }
        assert!(last < 100_000, "the disk does not fill");
    };
    assert!(matches!(error, StoreError::Full { .. }), "{error}: {:?}", error.source());
    assert!(last > 100, "it was full at once");
    assert_eq!(journal.verify(paper()).unwrap(), Verification::Intact { entries: last });
    std::fs::remove_file(&ballast).unwrap();
    journal.append(&entries(last + 1..=last + 100)).unwrap();
    assert_eq!(journal.verify(paper()).unwrap(), Verification::Intact { entries: last + 100 });
}

#[test]
fn a_server_that_does_not_answer_ends_the_call_in_time_and_a_resend_doubles_nothing() {
    let Some(server) = testing::Server::start() else { return };
    let settings = quick(&server);
    let (_store, mut journal, _lease) = leased(&settings);
    journal.append(&entries(1..=3)).unwrap();
    server.pause();
    let begun = Instant::now();
    let error = journal.append(&entries(4..=6)).unwrap_err().to_string();
    let limit = settings.call_limit() + Duration::from_secs(1);
    assert!(begun.elapsed() < limit, "{:?}", begun.elapsed());
    assert!(error.contains("did not answer in time") && error.contains("send the same again"), "{error}");
    // With that connection gone, a new one is not had either.
    let begun = Instant::now();
    let error = journal.append(&entries(4..=6)).unwrap_err().to_string();
    assert!(begun.elapsed() < limit, "{:?}", begun.elapsed());
    assert!(error.contains("does not answer to a new connection"), "{error}");
    server.go_on();
    journal.append(&entries(4..=6)).unwrap();
    assert_eq!(stored(&journal, paper(), 1).unwrap(), entries(1..=6));
    assert_eq!(journal.verify(paper()).unwrap(), Verification::Intact { entries: 6 });
}

/// A proxy that passes everything on, until it is told to cut a connection right after it has
/// forwarded a commit: the server commits, and its answer is lost.
mod proxy {
    use std::io::{Read, Write};
    use std::net::Shutdown;
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::path::{Path, PathBuf};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    const SOCKET: &str = ".s.PGSQL.5432";

    /// Returns the switch: true cuts the next commit.
    pub(super) fn start(server: &Path, own: &Path) -> Arc<AtomicBool> {
        let cut = Arc::new(AtomicBool::new(false));
        let listener = UnixListener::bind(own.join(SOCKET)).unwrap();
        let (switch, server): (_, PathBuf) = (Arc::clone(&cut), server.join(SOCKET));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let upstream = UnixStream::connect(&server).unwrap();
                pass_on(client, upstream, Arc::clone(&switch));
            }
        });
        cut
    }

    fn pass_on(client: UnixStream, server: UnixStream, cut: Arc<AtomicBool>) {
        let (mut from_client, mut to_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        let (mut from_server, mut to_client) = (server, client);
        thread::spawn(move || {
            let mut bytes = [0; 65536];
            while let Ok(count @ 1..) = from_client.read(&mut bytes) {
                // With the end of the text: BEGIN says READ COMMITTED.
                let commits = bytes[..count].windows(7).any(|window| window == b"COMMIT\0");
                let cuts = commits && cut.swap(false, Ordering::SeqCst);
                if cuts {
                    // No answer gets through from here on.
                    let _ = from_client.shutdown(Shutdown::Both);
                }
                if to_server.write_all(&bytes[..count]).is_err() {
                    break;
                }
                if cuts {
                    return;
                }
            }
            let _ = to_server.shutdown(Shutdown::Write);
        });
        thread::spawn(move || {
            let mut bytes = [0; 65536];
            // Also after a cut: a server that cannot send gives up before it commits.
            while let Ok(count @ 1..) = from_server.read(&mut bytes) {
                let _ = to_client.write_all(&bytes[..count]);
            }
            let _ = to_client.shutdown(Shutdown::Both);
        });
    }
}

#[test]
fn an_answer_lost_at_commit_is_an_error_and_the_same_entries_again_change_nothing() {
    let Some(server) = testing::Server::start() else { return };
    let own = tempfile::tempdir().unwrap();
    let cut = proxy::start(server.socket_directory(), own.path());
    let settings = server.settings_through(own.path(), "pregao");
    let (_store, mut journal, _lease) = leased(&settings);
    journal.append(&entries(1..=2)).unwrap();
    cut.store(true, Ordering::SeqCst);
    let error = journal.append(&entries(3..=5)).unwrap_err().to_string();
    assert!(error.contains("may be stored or not: send the same again"), "{error}");
    assert!(!cut.load(Ordering::SeqCst), "nothing was cut");
    // It was stored, as whoever asks the server directly sees once the server is done with it.
    let begun = Instant::now();
    while server.sql("SELECT count(*) FROM pregao.journal") != [[Some("5".to_owned())]] {
        assert!(begun.elapsed() < Duration::from_secs(10), "the commit did not arrive");
    }
    journal.append(&entries(3..=6)).unwrap();
    assert_eq!(stored(&journal, paper(), 1).unwrap(), entries(1..=6));
    // What differs is still told from what was lost.
    let mut other = entry(paper(), 5);
    other.payload.push(' ');
    assert!(matches!(journal.append(&[other]), Err(StoreError::JournalConflict { sequence: 5, .. })));
    assert_eq!(journal.verify(paper()).unwrap(), Verification::Intact { entries: 6 });
}

#[test]
fn two_handles_never_fork_the_chain() {
    let Some(server) = testing::Server::start() else { return };
    let (store, mut journal, _lease) = leased(&server.settings("pregao"));
    journal.append(&entries(1..=1)).unwrap();
    // Both write the same entries as fast as they can: one is first, the other finds them there.
    std::thread::scope(|scope| {
        for mut journal in [store.journal(), store.journal()] {
            scope.spawn(move || {
                for sequence in 2..=60 {
                    journal.append(&entries(sequence..=sequence)).unwrap();
                }
            });
        }
    });
    assert_eq!(journal.verify(paper()).unwrap(), Verification::Intact { entries: 60 });
}

/// The traits are synchronous, whoever calls them.
#[test]
fn may_be_used_and_dropped_inside_another_runtime() {
    let Some(server) = testing::Server::start() else { return };
    let settings = server.settings("pregao");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async move {
        let (store, mut journal, _lease) = leased(&settings);
        journal.append(&entries(1..=1)).unwrap();
        drop(store);
    });
}

#[test]
fn a_read_only_server_is_named() {
    let Some(server) = testing::Server::start() else { return };
    let (_store, mut journal, mut lease) = leased(&server.settings("pregao"));
    journal.append(&entries(1..=1)).unwrap();
    server.sql("ALTER SYSTEM SET default_transaction_read_only = on");
    server.sql("SELECT pg_reload_conf()");
    let begun = Instant::now();
    let error = loop {
        // The sessions hear of it a moment later.
        match journal.append(&entries(2..=2)) {
            Err(error) => break error,
            Ok(()) => assert!(begun.elapsed() < Duration::from_secs(10), "the server still takes writes"),
        }
    };
    let texts = [
        error.to_string(),
        lease.renew().unwrap_err().to_string(),
        PostgresStore::open(&server.settings("pregao")).unwrap_err().to_string(),
        PostgresStore::open(&server.settings("another")).unwrap_err().to_string(),
    ];
    for text in texts {
        assert!(text.contains("takes no writes: it is read-only; connect to the primary"), "{text}");
    }
    PostgresStore::open_read_only(&server.settings("pregao")).unwrap();
}

#[test]
fn a_server_without_connections_left_is_named() {
    let options = ["max_connections=4", "superuser_reserved_connections=0", "max_wal_senders=0"];
    let Some(server) = testing::Server::start_with(&options) else { return };
    let (store, mut journal, _lease) = leased(&quick(&server));
    journal.append(&entries(1..=1)).unwrap();
    // Four others take every connection but the one that this store has.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let url = quick(&server).url;
    let others: Vec<_> = (0..8)
        .map_while(|_| {
            let connected = runtime.block_on(tokio_postgres::connect(&url, tokio_postgres::NoTls));
            let (client, connection) = connected.ok()?;
            runtime.spawn(connection);
            Some(client)
        })
        .collect();
    assert!(!others.is_empty());
    let error = PostgresStore::open(&quick(&server)).unwrap_err().to_string();
    assert!(error.contains("has no connection left; raise max_connections"), "{error}");
    // What has its connection goes on.
    journal.append(&entries(2..=2)).unwrap();
    store.meta().set_meta("colour", "verde").unwrap();
}

#[test]
fn a_slow_statement_ends_in_time() {
    let Some(server) = testing::Server::start() else { return };
    let settings = PostgresSettings { statement_timeout: Duration::from_millis(300), ..quick(&server) };
    let (_store, mut journal, _lease) = leased(&settings);
    journal.append(&entries(1..=1)).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (client, connection) = runtime.block_on(tokio_postgres::connect(&settings.url, tokio_postgres::NoTls)).unwrap();
    runtime.spawn(connection);
    runtime.block_on(client.batch_execute("BEGIN; LOCK TABLE pregao.journal")).unwrap();
    let error = journal.append(&entries(2..=2)).unwrap_err().to_string();
    assert!(error.contains("did not finish a statement in time; look for a lock"), "{error}");
    runtime.block_on(client.batch_execute("ROLLBACK")).unwrap();
    journal.append(&entries(2..=2)).unwrap();
    assert_eq!(journal.verify(paper()).unwrap(), Verification::Intact { entries: 2 });
}

#[test]
fn schemas_that_are_newer_missing_or_edited_are_refused() {
    let Some(server) = testing::Server::start() else { return };
    let settings = server.settings("pregao");
    let error = PostgresStore::open_read_only(&settings).unwrap_err().to_string();
    assert!(error.contains("does not hold pregao's tables; open it for writing once"), "{error}");
    PostgresStore::open(&settings).unwrap();
    PostgresStore::open(&settings).unwrap();
    let reader = PostgresStore::open_read_only(&settings).unwrap();

    let refusals = [
        reader.journal().append(&entries(1..=1)).unwrap_err(),
        reader.halt().save_halt(&decision("active", 1)).unwrap_err(),
        reader.meta().set_meta("colour", "verde").unwrap_err(),
        reader.audit().append(&contract::audit::act(1)).unwrap_err(),
        reader.users().create(&contract::users::user("maria")).unwrap_err(),
        reader.users().disable("maria", market::Timestamp::MIN).unwrap_err(),
        reader.config_versions().append(0, &contract::config_versions::version(1)).unwrap_err(),
        reader.lease(paper()).err().unwrap(),
    ];
    for error in refusals {
        assert!(error.to_string().contains("is read-only here; open it for writing"), "{error}");
    }

    server.sql("INSERT INTO pregao.refinery_schema_history VALUES (99, 'later', '2026-01-01T00:00:00Z', '1')");
    for error in [PostgresStore::open(&settings).unwrap_err(), PostgresStore::open_read_only(&settings).unwrap_err()] {
        assert!(matches!(&error, StoreError::NewerSchema { found: 99, .. }), "{error}");
        assert!(error.to_string().contains("was written by a newer pregao: schema 99 > "), "{error}");
    }
    server.sql("CREATE DATABASE narrow ENCODING 'SQL_ASCII' TEMPLATE template0");
    let url = settings.url.replace("dbname=postgres", "dbname=narrow");
    let error = PostgresStore::open(&PostgresSettings { url, ..settings }).unwrap_err().to_string();
    assert!(error.contains("cannot hold every text; create one with ENCODING 'UTF8'"), "{error}");
}

#[test]
fn whoever_may_not_connect_is_told_why_and_never_shown_the_password() {
    let Some(server) = testing::Server::start() else { return };
    server.sql("CREATE ROLE maria LOGIN PASSWORD 'saudade123'");
    server.admit("local all maria scram-sha-256");
    let directory = server.socket_directory().display();
    let opened = |url: String, password: Option<&str>| {
        let password = password.map(str::to_owned);
        let settings = PostgresSettings { password, ..PostgresSettings::new(url) };
        let shown = format!("{settings:?}");
        let error = PostgresStore::open(&settings).err();
        let mut texts = vec![shown];
        let mut cause: Option<&dyn std::error::Error> = error.as_ref().map(|error| error as _);
        while let Some(error) = cause {
            texts.push(format!("{error} {error:?}"));
            cause = error.source();
        }
        for text in &texts {
            assert!(!text.contains("saudade"), "{text}");
        }
        error.map(|error| error.to_string()).unwrap_or_default()
    };
    let by_maria = format!("host={directory} dbname=postgres user=maria");
    let refusals = [
        (by_maria.clone(), Some("saudade999"), "refuses this user or its password; correct user and password"),
        // The right one, but she may not create a schema here.
        (by_maria.clone(), Some("saudade123"), "denies this user what it needs; grant it CREATE"),
        (format!("{by_maria} password=saudade999"), None, "refuses this user or its password"),
        (format!("host={directory} dbname=nowhere user=pregao"), None, "does not exist; create the database"),
        ("postgres://maria:saudade123@127.0.0.1:1/postgres".to_owned(), None, "cannot be reached; start the server"),
        ("postgres://maria:saudade123@127.0.0.1/postgres?sslmode=require".to_owned(), None, "asks for TLS"),
        ("postgres://maria:saudade123@127.0.0.1/postgres?sslmode=verify-full".to_owned(), None, "asks for TLS"),
        ("postgres://maria:x@saudade@127.0.0.1/postgres".to_owned(), None, "percent-encoded"),
        ("host=127.0.0.1 password=x saudade".to_owned(), None, "cannot be read"),
        ("postgres://maria:saudade123@".to_owned(), None, "names no host"),
    ];
    for (url, password, expected) in refusals {
        let error = opened(url, password);
        assert!(error.contains(expected), "{expected}: {error}");
    }
    server.sql("GRANT CREATE ON DATABASE postgres TO maria");
    assert_eq!(opened(by_maria, Some("saudade123")), "");
    for schema in ["", "Pregao", "pg_catalog", "1st", "a\"; DROP TABLE x; --"] {
        let error = PostgresStore::open(&server.settings(schema)).unwrap_err().to_string();
        assert!(error.contains("the schema's name cannot be one"), "{schema}: {error}");
    }
}

#[test]
fn a_text_that_postgres_cannot_hold_is_refused_before_it_is_sent() {
    let Some(server) = testing::Server::start() else { return };
    let (_store, mut journal, _lease) = leased(&server.settings("pregao"));
    let mut strange = entry(paper(), 1);
    strange.payload.push('\0');
    let error = journal.append(&[strange]).unwrap_err().to_string();
    assert!(error.contains("payload of entry 1 of PAPR cannot be stored exactly"), "{error}");
}

#[test]
fn who_holds_an_account_is_told_and_a_restored_schema_takes_it_from_everybody() {
    let Some(server) = testing::Server::start() else { return };
    let settings = |holder: &str| PostgresSettings { holder: holder.to_owned(), ..server.settings("pregao") };
    let (first, mut journal, mut lease) = leased(&settings("first"));
    journal.append(&entries(1..=1)).unwrap();
    let reader = PostgresStore::open_read_only(&settings("reader")).unwrap();
    let holder = || reader.holder(paper()).unwrap();
    assert!(holder().unwrap().starts_with("first, since 20") && holder().unwrap().ends_with("(epoch 1)"));
    assert_eq!(reader.holder("REAL".parse().unwrap()).unwrap(), None);
    assert!(reader.take_back_leases().is_err(), "a reader takes nothing");

    PostgresStore::open(&settings("restorer")).unwrap().take_back_leases().unwrap();
    assert_eq!(holder(), None);
    assert!(matches!(lease.renew(), Err(StoreError::LeaseLost { .. })));
    assert!(journal.append(&entries(2..=2)).is_err(), "whoever wakes writes nothing");
    let second = PostgresStore::open(&settings("second")).unwrap().lease(paper()).unwrap();
    assert!(second.epoch() > 1_000, "no number comes twice: {}", second.epoch());
    drop(first);
}

#[test]
fn a_schema_makes_room_for_another_and_keeps_what_it_holds() {
    let Some(server) = testing::Server::start() else { return };
    let settings = server.settings("pregao");
    let (_store, mut journal, _lease) = leased(&settings);
    journal.append(&entries(1..=2)).unwrap();
    assert!(PostgresStore::rename_schema(&settings, "pregao_before").unwrap());
    assert!(!PostgresStore::rename_schema(&settings, "pregao_before").unwrap(), "there is none any more");
    let kept = PostgresSettings { schema: "pregao_before".to_owned(), ..settings.clone() };
    assert_eq!(stored(&PostgresStore::open(&kept).unwrap().journal(), paper(), 1).unwrap(), entries(1..=2));
    PostgresStore::open(&settings).unwrap();
    assert!(PostgresStore::rename_schema(&settings, "pregao_before").is_err(), "a name that is taken");
}
