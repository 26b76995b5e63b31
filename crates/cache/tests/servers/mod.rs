//! Real `redis-server` processes for tests: each in a directory of its own, ended with it.

#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used)]

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long a server may take to come up.
const START_MAX: Duration = Duration::from_secs(20);

/// One server. Dropped, it is killed and its directory removed.
pub struct RedisServer {
    child: Option<Child>,
    directory: PathBuf,
    owned: Option<PathBuf>,
    arguments: Vec<String>,
    pub port: u16,
}

/// A directory that no other test has.
pub fn own_directory() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("fb-redis-{}-{number}", std::process::id()));
    fs::create_dir_all(&path).unwrap();
    path
}

/// A port that was free just now.
pub fn free_port() -> u16 {
    loop {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        // A cluster's servers speak with each other 10000 higher.
        if port < 55_000 {
            return port;
        }
    }
}

impl RedisServer {
    /// One that listens on a socket in its directory, and on no port.
    pub fn on_socket(more: &[&str]) -> Self {
        let mut arguments = vec!["--port", "0"];
        arguments.extend(more);
        Self::start(0, &arguments)
    }

    /// One that listens on a port too.
    pub fn on_port(more: &[&str]) -> Self {
        let port = free_port();
        let text = port.to_string();
        let mut arguments = vec!["--port", &text];
        arguments.extend(more);
        Self::start(port, &arguments)
    }

    /// One with these arguments.
    pub fn start(port: u16, arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|it| (*it).to_owned()).collect();
        let directory = own_directory();
        let mut server = Self { child: None, directory, owned: None, arguments, port };
        server.start_again();
        server
    }

    /// Where it listens.
    pub fn socket(&self) -> PathBuf {
        self.directory.join("s")
    }

    /// Another directory that goes with it.
    pub fn owning(mut self, directory: PathBuf) -> Self {
        self.owned = Some(directory);
        self
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Starts it, with nothing in it, and waits until it answers.
    pub fn start_again(&mut self) {
        assert!(self.child.is_none());
        let socket = self.socket();
        let child = Command::new("redis-server")
            .args(&self.arguments)
            .args(["--save", "", "--appendonly", "no", "--bind", "127.0.0.1"])
            .args(["--daemonize", "no", "--dir", self.directory.to_str().unwrap()])
            .args(["--unixsocket", socket.to_str().unwrap()])
            .stdout(fs::File::create(self.directory.join("log")).unwrap())
            .stderr(Stdio::null())
            .spawn()
            .expect("redis-server is installed");
        self.child = Some(child);
        let began = Instant::now();
        while !self.answers() {
            assert!(began.elapsed() < START_MAX, "redis-server does not answer");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn answers(&self) -> bool {
        let Ok(mut stream) = UnixStream::connect(self.socket()) else { return false };
        let mut answer = [0; 5];
        stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        // Also one that wants a password first is up.
        stream.write_all(b"PING\r\n").is_ok()
            && stream.read_exact(&mut answer).is_ok()
            && (&answer == b"+PONG" || &answer == b"-NOAU")
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        let _ = fs::remove_file(self.socket());
    }

    /// From now on it accepts, and never answers.
    pub fn stall(&self) {
        self.signal("-STOP");
    }

    /// It goes on.
    pub fn go_on(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, name: &str) {
        let id = self.child.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    }

    /// Runs a command on it by hand, and gives the answer as it came.
    pub fn ask(&self, arguments: &[&[u8]]) -> Vec<u8> {
        self.ask_after(&[arguments])
    }

    /// As [`RedisServer::ask`], some commands one after the other.
    pub fn ask_after(&self, commands: &[&[&[u8]]]) -> Vec<u8> {
        let mut stream = UnixStream::connect(self.socket()).unwrap();
        let request: Vec<u8> = commands.iter().flat_map(|words| packed(words)).collect();
        stream.write_all(&request).unwrap();
        // The server closes after the answer, so that all of it is read.
        stream.shutdown(Shutdown::Write).unwrap();
        all_of(&mut stream)
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
        let _ = fs::remove_dir_all(&self.directory);
        self.owned.iter().for_each(|directory| drop(fs::remove_dir_all(directory)));
    }
}

/// As [`RedisServer::ask`], at a port.
pub fn ask_at(port: u16, arguments: &[&[u8]]) -> Vec<u8> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(&packed(arguments)).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    all_of(&mut stream)
}

fn packed(arguments: &[&[u8]]) -> Vec<u8> {
    let mut request = format!("*{}\r\n", arguments.len()).into_bytes();
    for argument in arguments {
        request.extend_from_slice(format!("${}\r\n", argument.len()).as_bytes());
        request.extend_from_slice(argument);
        request.extend_from_slice(b"\r\n");
    }
    request
}

fn all_of(stream: &mut impl Read) -> Vec<u8> {
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    answer
}

/// Waits until it is so.
pub async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < START_MAX, "still not: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Three servers, with a third of the slots each.
pub async fn cluster_of_three() -> Vec<RedisServer> {
    let mut more = vec!["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"];
    more.extend(["--cluster-require-full-coverage", "no"]);
    let servers: Vec<_> = (0..3).map(|_| RedisServer::on_port(&more)).collect();
    for (index, server) in servers.iter().enumerate() {
        let (from, to) = (index * 16_384 / 3, (index + 1) * 16_384 / 3 - 1);
        let (from, to) = (from.to_string(), to.to_string());
        let added: [&[u8]; 4] = [b"CLUSTER", b"ADDSLOTSRANGE", from.as_bytes(), to.as_bytes()];
        assert_eq!(ask_at(server.port, &added), b"+OK\r\n");
        let port = servers[0].port.to_string();
        ask_at(server.port, &[b"CLUSTER", b"MEET", b"127.0.0.1", port.as_bytes()]);
    }
    for server in &servers {
        until("the cluster is whole", async || {
            let said = ask_at(server.port, &[b"CLUSTER", b"INFO"]);
            let said = String::from_utf8_lossy(&said);
            said.contains("cluster_state:ok") && said.contains("cluster_known_nodes:3")
        })
        .await;
    }
    servers
}
