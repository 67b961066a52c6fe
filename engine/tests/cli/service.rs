//! What the daemon tells its service manager, over a real datagram socket; and the probe.

use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use crate::program::{Room, Running, assert_documented};
use crate::run::quotes_file;

/// Long enough for a busy machine; it only ends a test that hangs.
const PATIENCE: Duration = Duration::from_secs(60);
/// The manager's watchdog: longer than any pause of a busy machine matters here.
const INTERVAL: &str = "400000";

/// The manager's end.
struct Manager {
    socket: UnixDatagram,
    heard: Vec<String>,
}

impl Manager {
    /// Starts the daemon under it.
    fn start(room: &Room, arguments: &[&str]) -> (Self, Running) {
        let path = room.path("notify.sock");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut command = room.command(arguments);
        command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", INTERVAL);
        (Self { socket, heard: Vec::new() }, Running::of(command))
    }

    /// The next thing it is told.
    #[track_caller]
    fn next(&mut self) -> String {
        let mut bytes = [0; 4096];
        let length = self.socket.recv(&mut bytes).unwrap_or_else(|error| panic!("{error} after {:?}", self.heard));
        let told = String::from_utf8(bytes[..length].to_vec()).unwrap();
        self.heard.push(told.clone());
        told
    }

    /// What it is told next beside signs of life.
    #[track_caller]
    fn change(&mut self) -> String {
        loop {
            let told = self.next();
            if told != "WATCHDOG=1\n" {
                return told;
            }
        }
    }
}

#[test]
fn the_manager_hears_of_start_life_reload_and_end() {
    let room = Room::new();
    quotes_file(&room);
    let (mut manager, mut daemon) = Manager::start(&room, &["run", "--json"]);
    assert_eq!(manager.next(), "READY=1\nSTATUS=running on paper, halt active\n", "nothing comes before");
    // Told last, so it has recovered.
    daemon.until("recovered");

    // As often as the pulse beats, and no oftener than is needed.
    let began = Instant::now();
    for _ in 0..5 {
        assert_eq!(manager.next(), "WATCHDOG=1\n");
    }
    assert!(began.elapsed() >= Duration::from_millis(300), "{:?}", began.elapsed());

    daemon.signal("HUP");
    let reloading = manager.change();
    let moment = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap_or_else(|| panic!("{reloading}"));
    assert!(moment.trim_end().parse::<u64>().unwrap() > 0);
    assert_eq!(manager.change(), "READY=1\nSTATUS=running; configuration version 1 is in force\n");

    // A reload that is refused ends as well, and says what stays.
    let text = std::fs::read_to_string(room.path("pregao.toml")).unwrap();
    room.write("pregao.toml", &text.replace("max_order_quantity = 20000", "max_order_quantity = \"many\""));
    daemon.signal("HUP");
    assert!(manager.change().starts_with("RELOADING=1\n"));
    let refused = manager.change();
    assert!(refused.starts_with("READY=1\nSTATUS=running; the configuration before stays in force: "), "{refused}");
    assert!(refused.contains("max_order_quantity"), "{refused}");

    daemon.terminate();
    assert_eq!(manager.change(), "STOPPING=1\nSTATUS=stopping: SIGTERM\n");
    daemon.end().done();
}

#[test]
fn a_daemon_that_stands_still_feeds_no_watchdog() {
    let room = Room::new();
    quotes_file(&room);
    let (mut manager, daemon) = Manager::start(&room, &["run"]);
    assert!(manager.next().starts_with("READY=1\n"));
    assert_eq!(manager.next(), "WATCHDOG=1\n");
    daemon.signal("STOP");
    manager.socket.set_read_timeout(Some(Duration::from_millis(900))).unwrap();
    // What was on its way still comes.
    let mut bytes = [0; 64];
    let silent = (0..4).any(|_| manager.socket.recv(&mut bytes).is_err());
    daemon.signal("CONT");
    assert!(silent, "fed while nothing ran");
    manager.socket.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(manager.next(), "WATCHDOG=1\n");
}

#[test]
fn compressed_time_asks_for_no_watchdog() {
    let room = Room::new().with_samples();
    room.pregao(&["init"]).done();
    let (mut manager, daemon) = Manager::start(&room, &["run", "--json"]);
    assert_eq!(manager.next(), "WATCHDOG_USEC=0\n");
    assert!(manager.next().starts_with("READY=1\n"));
    assert_eq!(manager.next(), "STOPPING=1\nSTATUS=stopping: end of the replay\n");
    daemon.end().done();
}

#[test]
fn the_probe_says_yes_no_and_what_is_missing() {
    let room = Room::new();
    quotes_file(&room);
    room.pregao(&["probe"]).failed(2, &["set admin.listen"]);
    let text = std::fs::read_to_string(room.path("pregao.toml")).unwrap();
    let port = {
        // Bound and let go of: the daemon takes it next.
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        free.local_addr().unwrap().port()
    };
    room.write("pregao.toml", &format!("{text}\n[admin]\nlisten = \"0.0.0.0:{port}\"\n"));
    let told = room.pregao(&["probe", "--json"]).failed(1, &[&format!("https://127.0.0.1:{port}/livez")]);
    assert_documented(&told.json(), &["probe"]);

    let mut daemon = room.start(&["run"]);
    daemon.until("running");
    let told = room.pregao(&["probe", "--json"]).done().json();
    assert_documented(&told, &["probe"]);
    assert_eq!((&told["status"], &told["answer"]["live"]), (&200.into(), &true.into()));
    room.pregao(&["kill", "--by", "Ana", "--reason", "a drill"]).done();
    let told = room.pregao(&["probe", "ready", "--json"]).failed(1, &["503"]).json();
    assert!(told["answer"]["reasons"].to_string().contains("stop_new"), "{told}");
    daemon.terminate();
    daemon.end().done();
}

#[test]
fn standing_by_takes_a_server_that_two_can_share() {
    let room = Room::new();
    quotes_file(&room);
    room.pregao(&["run", "--standby"]).failed(2, &["--standby", "[store] kind = \"postgres\""]);
}
