//! `forebay doctor` and `forebay check` against real servers of Redis, each started here on a port of
//! its own, and against some that are none.

#![allow(clippy::unwrap_used, reason = "in a test a failure is what it is for")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use forebay_trial::process;
use forebay_trial::real::free_address;

/// How long a server may take to begin.
const PATIENCE: Duration = Duration::from_secs(20);

/// Flags of a server that is fit for a cache.
const FIT: &[&str] = &["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lfu"];

/// A folder of one test, removed with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("forebay-doctor-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A running server; dropped, it is killed.
struct Server {
    child: Child,
    address: SocketAddr,
    folder: Folder,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// A server in the clear with these flags, when it answers.
    fn start(flags: &[&str]) -> Server {
        let address = free_address().unwrap();
        let port = address.port().to_string();
        let flags = [&["--port", &port], flags].concat();
        let server = Server::spawn(&flags, address, Folder::new());
        server.until("+PONG or -NOAUTH", |server| {
            server.says("PING").is_some_and(|said| said.starts_with(['+', '-']))
        });
        server
    }

    fn spawn(flags: &[&str], address: SocketAddr, folder: Folder) -> Server {
        let child = Command::new("redis-server")
            .args(flags)
            .args(["--bind", "127.0.0.1", "--save", "", "--dir"])
            .arg(&folder.0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed");
        Server { child, address, folder }
    }

    fn until(&self, what: &str, holds: impl Fn(&Server) -> bool) {
        let begun = Instant::now();
        while !holds(self) {
            assert!(begun.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The first line that it answers to a command.
    fn says(&self, command: &str) -> Option<String> {
        let mut connection = TcpStream::connect(self.address).ok()?;
        connection.set_read_timeout(Some(PATIENCE)).ok()?;
        connection.write_all(format!("{command}\r\n").as_bytes()).ok()?;
        let mut line = String::new();
        BufReader::new(connection).read_line(&mut line).ok()?;
        Some(line)
    }

    fn url(&self) -> String {
        format!("redis://{}", self.address)
    }
}

/// The built program.
fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let built = test.parent().and_then(Path::parent).unwrap().join("forebay");
    let program = process::built().unwrap_or(built);
    assert!(
        program.is_file(),
        "`{}` is not built: type `cargo build -p forebay`",
        program.display()
    );
    program
}

fn forebay(words: &[&str]) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = Command::new(program()).args(words).output().unwrap();
    let said = String::from_utf8(stdout).unwrap() + &String::from_utf8(stderr).unwrap();
    (status.code(), said)
}

/// What doctor says of a URL: its exit status, and each of these.
fn doctor(url: &str, status: i32, says: &[&str]) -> String {
    let (found, said) = forebay(&["doctor", "--redis", url]);
    assert_eq!(found, Some(status), "{said}");
    for word in says {
        assert!(said.contains(word), "not `{word}`: {said}");
    }
    said
}

#[test]
fn a_server_as_it_comes_is_not_fit() {
    let server = Server::start(&[]);
    let said = doctor(
        &server.url(),
        1,
        &[
            &format!("redis://{}: ", server.address),
            "MiB in use, no bound\n",
            "  problem  `maxmemory` is 0: ",
            "  problem  `maxmemory-policy` is noeviction: ",
        ],
    );
    assert!(!said.contains("RESP3"), "{said}");
}

#[test]
fn a_bounded_server_is_told_nothing_of_its_memory() {
    let server = Server::start(FIT);
    let (_, said) = forebay(&["doctor", "--redis", &server.url()]);
    assert!(said.contains("in use, 100MiB\n") && !said.contains("maxmemory"), "{said}");
    assert!(!said.contains("RESP3") && !said.contains("hint"), "{said}");
}

#[test]
fn a_server_behind_a_unix_socket_is_asked() {
    let folder = Folder::new();
    let socket = folder.0.join("r.sock").to_str().unwrap().to_owned();
    let _server = Server::start(&["--unixsocket", &socket]);
    doctor(&format!("unix:{socket}"), 1, &["no bound", "`maxmemory` is 0"]);
    doctor("unix:/no/such.sock", 1, &["cannot connect: No such file or directory"]);
}

#[test]
fn settings_that_cost_a_cache_are_hints() {
    let server = Server::start(&[FIT, &["--appendonly", "yes"]].concat());
    assert_eq!(server.says("CONFIG SET save \"3600 1\"").unwrap(), "+OK\r\n");
    let url = server.url();
    doctor(&url, 1, &["  hint     it writes snapshots and a log", "`stop-writes-on-bgsave-error`"]);
}

#[test]
fn a_password_that_is_missing_wrong_or_too_many_is_said_and_never_shown() {
    let server = Server::start(&[FIT, &["--requirepass", "hunter2"]].concat());
    let at = server.address;
    doctor(&server.url(), 1, &["  problem  it does not let us in: it wants a password"]);
    let wrong = doctor(&format!("redis://:swordfish@{at}"), 1, &["user or password is wrong"]);
    assert!(!wrong.contains("swordfish"), "{wrong}");
    let (_, right) = forebay(&["doctor", "--redis", &format!("redis://default:hunter2@{at}")]);
    assert!(right.contains("in use, 100MiB") && !right.contains("hunter2"), "{right}");
    let folder = Folder::new();
    let password = folder.file("password", "hunter2\n");
    let route = "[[route]]\nto = \"a:1\"\n";
    let text = format!("{route}[redis]\nurl = \"redis://{at}\"\npassword_file = {password:?}\n");
    let file = folder.file("f.toml", &text);
    let (_, said) = forebay(&["doctor", "--config", &file]);
    assert!(said.contains("in use, 100MiB"), "{said}");
    let open = Server::start(FIT);
    let url = format!("redis://:hunter2@{}", open.address);
    doctor(&url, 1, &["a password is said, and the server has none"]);
}

#[test]
fn a_server_that_is_not_there_is_said_with_what_was_tried() {
    let nobody = free_address().unwrap();
    let url = format!("redis://{nobody}");
    doctor(&url, 1, &[&url, "cannot connect: Connection refused", "is it started"]);
    let (status, said) = forebay(&["doctor"]);
    assert_eq!(status, Some(2), "{said}");
    assert!(said.starts_with("nothing to examine"), "{said}");
}

#[test]
fn the_machine_is_looked_at_where_a_file_says_all_that_is_asked_of_it() {
    let folder = Folder::new();
    let (listen, taken) = (free_address().unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
    let admin = taken.local_addr().unwrap();
    let head = format!("listen = [\"{listen}\"]\nadmin = \"{admin}\"\nmemory = \"8MiB\"\n");
    let route = "[[route]]\nto = \"a:1\"\n[limits]\nconnections_max = 16\n";
    let file = folder.file("fine.toml", &format!("{head}{route}"));
    let (status, said) = forebay(&["doctor", "--config", &file]);
    assert_eq!(status, Some(0), "{said}");
    assert!(said.starts_with("this machine: "), "{said}");
    assert!(said.contains(&format!("listen {listen}\n  fine\n")), "{said}");
    assert!(said.contains("hint     somebody listens there already; fine if that is"), "{said}");
    let more = "access_log_file = \"/no/such/folder/a.log\"\n";
    let limits = route.replace("16", "9000000").replace("[limits]\n", "[limits]\n");
    let file = folder.file("ill.toml", &format!("{head}{more}{limits}"));
    let (status, said) = forebay(&["doctor", "--config", &file]);
    assert_eq!(status, Some(1), "{said}");
    for word in ["`connections_max` is 9000000; `LimitNOFILE=", "`mkdir -p /no/such/folder`"] {
        assert!(said.contains(word), "not `{word}`: {said}");
    }
}

#[test]
fn the_redis_of_the_routes_is_looked_at_with_a_user_of_its_own() {
    let server = Server::start(&[FIT, &["--requirepass", "hunter2"]].concat());
    let folder = Folder::new();
    let password = folder.file("password", "hunter2\n");
    let tables = format!("[routes]\nredis = \"{}\"\n", server.url());
    let file = folder.file("without.toml", &tables);
    let (status, said) = forebay(&["doctor", "--config", &file]);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("it wants a password"), "{said}");
    let more = format!("{tables}username = \"default\"\npassword_file = \"{password}\"\n");
    let file = folder.file("with.toml", &more);
    let (_, said) = forebay(&["doctor", "--config", &file]);
    assert!(said.contains("in use, 100MiB") && !said.contains("does not let us in"), "{said}");
    let (status, said) = forebay(&["check", "--config", &file]);
    assert_eq!(status, Some(0), "{said}");
    let nowhere =
        folder.file("nowhere.toml", "[routes]\nca_file = \"/a\"\n[[route]]\nto = \"a:1\"\n");
    let (status, said) = forebay(&["check", "--config", &nowhere]);
    assert_eq!(status, Some(1), "{said}");
    assert!(
        said.contains("`ca_file` does nothing: `[routes]` has no `redis` of its own"),
        "{said}"
    );
}

#[test]
fn a_cluster_is_asked_for_its_state_and_each_primary() {
    // Its default is 10 000 above the server's port, which may be beyond the last port.
    let bus = free_address().unwrap().port().to_string();
    let flags: [&[&str]; 2] = [FIT, &["--cluster-enabled", "yes", "--cluster-port", &bus]];
    let node = Server::start(&flags.concat());
    let (url, at) = (format!("redis+cluster://{}", node.address), node.address);
    doctor(&url, 1, &["the cluster's state is fail: 0 of 16384 slots", "in use, 100MiB"]);
    doctor(&node.url(), 1, &["it is a node of a cluster, and is spoken to as if it were alone"]);
    assert_eq!(node.says("CLUSTER ADDSLOTSRANGE 0 16383").unwrap(), "+OK\r\n");
    let begun = Instant::now();
    loop {
        let (_, said) = forebay(&["doctor", "--redis", &url]);
        if said.contains(&format!("{url}: 1 primaries\n  fine\n")) {
            assert!(said.contains(&format!("redis://{at}: ")), "{said}");
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{said}");
    }
    let alone = Server::start(FIT);
    doctor(&format!("redis+cluster://{}", alone.address), 1, &["it is no node of a cluster"]);
}

#[test]
fn sentinels_are_asked_for_the_primary() {
    let primary = Server::start(FIT);
    let folder = Folder::new();
    let port = primary.address.port();
    let watched = folder.file("s.conf", &format!("sentinel monitor main 127.0.0.1 {port} 1\n"));
    let sentinel = Server::start_sentinel(&watched);
    let url = |service: &str| format!("redis+sentinel://{}/{service}", sentinel.address);
    let at = primary.address;
    doctor(&url("main"), 1, &[&format!("`main` is at {at}\n  fine\n"), "in use, 100MiB"]);
    doctor(&url("other"), 1, &["it knows no service `other`"]);
    let nobody = free_address().unwrap();
    let two = format!("redis+sentinel://{nobody},{}/main", sentinel.address);
    doctor(&two, 1, &["cannot connect", "in use, 100MiB"]);
}

impl Server {
    /// A sentinel with this file, when it answers.
    fn start_sentinel(file: &str) -> Server {
        let address = free_address().unwrap();
        let port = address.port().to_string();
        let folder = Folder::new();
        let child = Command::new("redis-server")
            .args([file, "--sentinel", "--port", &port, "--bind", "127.0.0.1", "--dir"])
            .arg(&folder.0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let server = Server { child, address, folder };
        server.until("+PONG", |server| server.says("PING").is_some());
        server
    }
}

#[test]
fn tls_is_spoken_where_the_url_says_so() {
    let signed = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = Folder::new();
    let certificate = folder.file("cert.pem", &signed.cert.pem());
    let key = folder.file("key.pem", &signed.signing_key.serialize_pem());
    let address = free_address().unwrap();
    let port = address.port().to_string();
    let tls = ["--port", "0", "--tls-port", &port, "--tls-auth-clients", "no"];
    let files = ["--tls-cert-file", &certificate, "--tls-key-file", &key];
    let server = Server::spawn(&[&tls[..], &files, FIT].concat(), address, folder);
    server.until("it listens", |server| TcpStream::connect(server.address).is_ok());
    let url = format!("rediss://localhost:{port}");
    doctor(&url, 1, &["signed by an authority that is not trusted (see `ca_file`)"]);
    doctor(&format!("redis://localhost:{port}"), 1, &["  problem  cannot ask `INFO`: "]);
    let text =
        format!("[[route]]\nto = \"a:1\"\n[redis]\nurl = \"{url}\"\nca_file = {certificate:?}\n");
    let file = server.folder.file("f.toml", &text);
    let (_, said) = forebay(&["doctor", "--config", &file]);
    assert!(said.contains("in use, 100MiB"), "{said}");
    let clear = Server::start(FIT);
    let wrong = format!("rediss://localhost:{}", clear.address.port());
    doctor(
        &wrong,
        1,
        &["cannot connect: nothing happened", "write redis:// for rediss://, if not"],
    );
}

#[test]
fn check_warns_of_the_server_and_its_exit_status_stays() {
    let server = Server::start(&[]);
    let folder = Folder::new();
    let text = format!("[[route]]\nto = \"a:1\"\n[redis]\nurl = \"{}\"\n", server.url());
    let file = folder.file("f.toml", &text);
    let check = |more: &[&str]| forebay(&[&["check", "--config", &file], more].concat());
    let (status, said) = check(&[]);
    assert_eq!(status, Some(0), "{said}");
    let warning = format!("warning: {}: `maxmemory` is 0: ", server.url());
    assert!(said.contains(&warning), "{said}");
    let (status, said) = check(&["--offline"]);
    assert!(status == Some(0) && !said.contains("warning"), "{said}");
    let nobody = format!("redis://{}", free_address().unwrap());
    let (status, said) = check(&["--redis", &nobody]);
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains(&format!("warning: {nobody}: cannot connect: ")), "{said}");
}

#[test]
fn a_server_that_never_answers_holds_up_a_check_for_two_seconds() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", silent.local_addr().unwrap());
    let folder = Folder::new();
    let file = folder.file("f.toml", "[[route]]\nto = \"a:1\"\n");
    let begun = Instant::now();
    let (status, said) = forebay(&["check", "--config", &file, "--redis", &url]);
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains(&format!("warning: {url}: it did not answer within 2s")), "{said}");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

/// What a server says that speaks RESP3.
const RESP3: &[u8] = b"%1\r\n$5\r\nproto\r\n:3\r\n";

/// `INFO` of a server that nothing is known against.
const WELL: &str = "redis_version:8.8.1\r\nused_memory:1048576\r\nmaxmemory:2097152\r\n\
                    maxmemory_policy:allkeys-lfu\r\nrole:master\r\n";

fn in_bulk(text: &str) -> Vec<u8> {
    format!("${}\r\n{text}\r\n", text.len()).into_bytes()
}

/// A server that answers so, whatever else it is asked.
fn answering(info: impl Into<Vec<u8>>, hello: &'static [u8]) -> String {
    let info = info.into();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        while let Ok((mut connection, _)) = listener.accept() {
            let mut asked = [0; 4096];
            while let Ok(read) = connection.read(&mut asked)
                && read > 0
            {
                let asked = String::from_utf8_lossy(&asked[..read]).into_owned();
                let answer: &[u8] = match asked.as_str() {
                    asked if asked.contains("INFO") => &info,
                    asked if asked.contains("HELLO") => hello,
                    _ => b"*0\r\n",
                };
                if connection.write_all(answer).is_err() {
                    break;
                }
            }
        }
    });
    url
}

#[test]
fn with_a_server_that_is_well_nothing_is_wrong() {
    let url = answering(in_bulk(WELL), RESP3);
    doctor(&url, 0, &["Redis 8.8.1, 1 MiB in use, 2MiB\n  fine\n"]);
}

#[test]
fn a_server_without_resp3_is_not_fit() {
    let url = answering(in_bulk(WELL), b"-ERR unknown command 'HELLO'\r\n");
    doctor(&url, 1, &["  problem  it does not speak RESP3: cannot ask `HELLO 3`: ERR unknown"]);
}

#[test]
fn a_server_that_speaks_rubbish_is_a_problem() {
    for rubbish in [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], b"$99999999999\r\n", b"\xff\xff\r\n"]
    {
        doctor(&answering(rubbish, RESP3), 1, &["  problem  cannot ask `INFO`: "]);
    }
}

#[test]
fn a_disk_is_looked_at() {
    let folder = Folder::new();
    let path = folder.0.to_str().unwrap();
    let disk = |room: &str| forebay(&["doctor", "--disk", &format!("{path}{room}")]);
    let (status, said) = disk(":64MiB");
    assert_eq!(status, Some(0), "{said}");
    assert!(said.starts_with(&format!("{path}: ")), "{said}");
    let (status, said) = disk(":1000TiB");
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("and may hold 1000TiB; lower `size`"), "{said}");
    let (status, said) = disk("/missing:64MiB");
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("it does not exist; `mkdir -p "), "{said}");
}
