//! The files by which the program is deployed, against the program: commands and flags exist, configurations are
//! valid, ports and versions agree, nothing is unpinned. What tools know better is in `scripts/check-deployment`.

use std::path::PathBuf;
use std::process::Command;

use store::testing::Server;

use crate::program::{Room, Running, workspace};

const COMPOSE: &str = "docker-compose.yml";
const UNITS: [&str; 2] = ["deploy/systemd/pregao.service", "deploy/systemd/pregao-watchdog.service"];
const CONFIGURATIONS: [&str; 2] = ["deploy/compose/pregao.toml", "deploy/kubernetes/base/pregao.toml"];
const STATEFUL_SET: &str = "deploy/kubernetes/base/stateful-set.yaml";
const WORKFLOWS: [&str; 4] = [
    ".github/workflows/ci.yml",
    ".github/workflows/release.yml",
    ".github/workflows/deploy.yml",
    ".github/actions/tell/action.yml",
];

fn read(name: &str) -> String {
    let path = workspace().join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What stands behind these words, in each line that begins with them.
fn behind(text: &str, words: &str) -> Vec<String> {
    let lines = text.lines().filter_map(|line| line.trim_start().strip_prefix(words));
    lines.map(|rest| rest.trim().to_owned()).collect()
}

/// A list of words as YAML, TOML and Dockerfiles write it.
fn list(text: &str) -> Vec<String> {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// The lines of one service of the compose file.
fn service(name: &str) -> String {
    let text = read(COMPOSE);
    let (_, rest) = text.split_once(&format!("\n  {name}:\n")).unwrap_or_else(|| panic!("no service {name}"));
    let lines = rest.lines().take_while(|line| line.is_empty() || line.starts_with("    "));
    lines.collect::<Vec<_>>().join("\n")
}

fn services() -> Vec<String> {
    let text = read(COMPOSE);
    let (_, rest) = text.split_once("\nservices:\n").unwrap();
    let (services, _) = rest.split_once("\nnetworks:\n").unwrap();
    let named = services.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let named = named.filter_map(|line| line.trim().strip_suffix(':')).map(str::to_owned);
    named.filter(|name| !name.starts_with('#')).collect()
}

#[test]
fn every_command_that_they_use_exists() {
    let mut used: Vec<Vec<String>> = Vec::new();
    for unit in UNITS {
        for key in ["ExecStart=", "ExecReload="] {
            let lines = behind(&read(unit), &format!("{key}/usr/bin/pregao "));
            used.extend(lines.iter().map(|line| line.split_whitespace().map(str::to_owned).collect()));
        }
    }
    let dockerfile = read("Dockerfile");
    used.extend(behind(&dockerfile, "CMD ").iter().map(|line| list(line)));
    let (_, health) = dockerfile.split_once(" CMD [\"/usr/bin/pregao\"").unwrap();
    used.push(list(&format!("[{}", health.lines().next().unwrap().trim_start_matches(", "))));
    used.extend(behind(&service("pregao"), "command: ").iter().map(|line| list(line)));
    used.extend(behind(&read(STATEFUL_SET), "args: ").iter().map(|line| list(line)));
    assert_eq!(used.len(), 7, "three lines of units, two of the image, compose and cluster: {used:?}");
    let room = Room::new();
    for arguments in used {
        let mut asked: Vec<&str> = arguments.iter().map(String::as_str).collect();
        // Words that are not understood are told before help is.
        asked.push("--help");
        room.pregao(&asked).done();
        asked.insert(asked.len() - 1, "--no-such-flag");
        room.pregao(&asked).failed(2, &["--no-such-flag"]);
    }
}

#[test]
fn the_configurations_are_valid_and_a_standby_is_in_time() {
    let room = Room::new();
    for name in CONFIGURATIONS {
        let path = workspace().join(name).display().to_string();
        let told = room.pregao(&["-c", &path, "check", "--json"]).done().json();
        assert_eq!(told["data_directory"], "/var/lib/pregao", "{name}");
        // A takeover waits for the lease and then starts: fifteen seconds are promised.
        assert_eq!(behind(&read(name), "lease_seconds = ")[0].split(' ').next(), Some("10"), "{name}");
    }
    // The image's environment is made of keys as well.
    let mut check = room.command(&["check"]);
    for (name, value) in [("PREGAO_CONFIG", CONFIGURATIONS[0]), ("PREGAO__DATA_DIRECTORY", "/var/lib/pregao")] {
        assert!(read("Dockerfile").contains(&format!("{name}=/")), "{name}");
        let path = workspace().join(value);
        check.env(name, if value.starts_with('/') { PathBuf::from(value) } else { path });
    }
    assert!(check.output().unwrap().status.success());
}

#[test]
fn the_stacks_configuration_runs_beside_a_real_server() {
    let Some(server) = Server::start() else { return };
    let room = Room::new();
    room.write("password", "not asked for on a socket\n");
    for (name, flags) in CONFIGURATIONS.into_iter().zip([&["run"][..], &["run", "--standby"]]) {
        // A certificate of its own, instead of the cluster's secret.
        let lines = read(name);
        let lines = lines.lines().filter(|line| !line.contains("_file = \"/run/secrets/tls"));
        room.write("pregao.toml", &lines.collect::<Vec<_>>().join("\n"));
        let mut command = room.command(&["--data-dir", &format!("data-{}", flags.len())]);
        command.args(flags).env("PREGAO__STORE__URL", server.settings("pregao").url);
        command.env("PREGAO__STORE__PASSWORD_FILE", "password").env("PREGAO__FEED__PATH", "quotes.csv");
        command.env("PREGAO__ADMIN__LISTEN", "127.0.0.1:0");
        let mut daemon = Running::of(command);
        daemon.until("running");
        daemon.terminate();
        daemon.end().done();
    }
}

#[test]
fn the_port_is_the_same_everywhere_and_published_on_loopback_only() {
    for name in CONFIGURATIONS {
        assert_eq!(behind(&read(name), "listen = \"0.0.0.0:").first().map(|rest| &rest[..4]), Some("8443"), "{name}");
    }
    assert_eq!(behind(&read("Dockerfile"), "EXPOSE "), ["8443"]);
    assert_eq!(behind(&read(STATEFUL_SET), "containerPort: "), ["8443"]);
    assert_eq!(behind(&read("deploy/kubernetes/base/service.yaml"), "port: "), ["8443"]);
    assert!(read("grafana/prometheus/prometheus.yml").contains("\"pregao:8443\""));
    let published: Vec<String> = services().iter().flat_map(|name| behind(&service(name), "ports: ")).collect();
    let published: Vec<String> = published.iter().flat_map(|line| list(line)).collect();
    for port in ["8443", "3000", "9090", "9093"] {
        assert!(published.contains(&format!("127.0.0.1:{port}:{port}")), "{port}: {published:?}");
    }
    assert_eq!(published.len(), 4, "nothing else is published: {published:?}");
}

#[test]
fn every_service_is_pinned_hardened_and_limited() {
    let names = services();
    assert_eq!(names, ["secrets", "postgres", "redis", "pregao", "prometheus", "alertmanager", "grafana"]);
    for name in names {
        let text = service(&name);
        assert!(text.contains("<<: *hardened"), "{name}");
        assert!(text.contains("memory: ") && text.contains("cpus: ") && text.contains("pids: "), "{name}: {text}");
        let image = behind(&text, "image: ").remove(0);
        let (_, version) = image.split_once(':').unwrap_or_else(|| panic!("{name}: {image} has no version"));
        assert!(version.contains('.') && version != "latest", "{name}: {image}");
        // What is mounted from here is here.
        for source in behind(&text, "- ./") {
            let source = source.split(':').next().unwrap();
            assert!(workspace().join(source).exists(), "{name} mounts {source}");
        }
    }
    let hardened = read(COMPOSE);
    let (_, hardened) = hardened.split_once("x-hardened:").unwrap();
    let (hardened, _) = hardened.split_once("\nservices:").unwrap();
    for word in ["read_only: true", "cap_drop: [ALL]", "no-new-privileges:true"] {
        assert!(hardened.contains(word), "{word}");
    }
    let cluster = read(STATEFUL_SET);
    for word in ["readOnlyRootFilesystem: true", "drop: [ALL]", "allowPrivilegeEscalation: false", "RuntimeDefault"] {
        assert!(cluster.contains(word), "{word}");
    }
}

#[test]
fn every_action_is_pinned_by_its_commit() {
    let mut count = 0;
    for name in WORKFLOWS {
        for used in read(name).lines().filter_map(|line| line.split_once("uses: ")).map(|(_, used)| used) {
            if used.starts_with("./") {
                assert!(workspace().join(used).join("action.yml").is_file(), "{name}: {used}");
                continue;
            }
            count += 1;
            let (_, pin) = used.split_once('@').unwrap_or_else(|| panic!("{name}: {used}"));
            let (commit, version) = pin.split_once(" # v").unwrap_or_else(|| panic!("{name}: {used} names no version"));
            let is_commit = commit.len() == 40 && commit.chars().all(|letter| letter.is_ascii_hexdigit());
            assert!(is_commit && version.starts_with(|first: char| first.is_ascii_digit()), "{name}: {used}");
        }
    }
    assert!(count > 10, "they were found: {count}");
}

#[test]
fn image_and_workflows_build_with_the_toolchain_of_this_repository() {
    let toolchain = behind(&read("rust-toolchain.toml"), "channel = ").remove(0);
    let version = toolchain.trim_matches('"');
    assert!(read("Dockerfile").contains(&format!("FROM rust:{version}-slim-bookworm")));
    assert!(read("Dockerfile").contains(&format!("RUSTUP_TOOLCHAIN={version}")));
    assert!(read(".github/workflows/release.yml").contains(&format!("container: rust:{version}-slim-bookworm")));
    // What a build reads goes to the builder: the workspace's members, and what they take in at compile time.
    let ignored = read(".dockerignore");
    let manifest = read("Cargo.toml");
    let (_, members) = manifest.split_once("members = [").unwrap();
    let (members, _) = members.split_once(']').unwrap();
    let members: Vec<&str> = members.split(',').map(|name| name.trim().trim_matches('"')).collect();
    for name in members.iter().filter(|name| !name.is_empty()).chain(&["migrations", "samples", ".cargo"]) {
        assert!(ignored.lines().any(|line| line == format!("!{name}")), ".dockerignore keeps {name} out");
    }
    let version = env!("CARGO_PKG_VERSION");
    assert!(service("pregao").contains(&format!("image: pregao:{version}\n")), "docker-compose.yml");
    assert!(read("deploy/kubernetes/base/kustomization.yaml").contains(&format!("newTag: {version}\n")));
}

#[test]
fn the_units_are_hardened() {
    let analyze = |arguments: &[&str]| Command::new("systemd-analyze").args(arguments).output();
    if analyze(&["--version"]).is_err() {
        eprintln!("SKIPPED: no systemd-analyze; install systemd");
        return;
    }
    for unit in UNITS {
        let path = workspace().join(unit).display().to_string();
        // The option takes tenths.
        let told = analyze(&["security", "--offline=true", "--threshold=15", "--no-pager", &path]).unwrap();
        assert!(told.status.success(), "{unit} is more open than 1.5: {}", String::from_utf8_lossy(&told.stdout));
        assert!(String::from_utf8_lossy(&told.stdout).contains("Overall exposure level"), "{told:?}");
    }
    let daemon = read(UNITS[0]);
    for line in ["Type=notify-reload", "WatchdogSec=30", "LoadCredential=secret:/etc/pregao/secrets"] {
        assert!(daemon.lines().any(|found| found == line), "{line}");
    }
    // Otherwise the daemon could not read how well the clock is kept, and would take no new risk.
    assert!(!daemon.lines().any(|line| line == "ProtectClock=yes"));
}
