//! One `redis-server` (or sentinel) as a process.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::options::{TRIAL, Transport, socket};
use super::{Certificates, Connection, RedisOptions, Reply};
use crate::Failure;
use crate::folder::Folder;
use crate::patience::Patience;
use crate::process::Process;
use crate::real::free_address;

/// How long a server may take until it answers.
const START_PATIENCE: Duration = Duration::from_secs(15);

/// The program, found where the system keeps its programs.
const PROGRAM: &str = "redis-server";

/// A running server. Dropped, it is killed and its folder removed.
pub struct RedisServer {
    process: Process,
    address: SocketAddr,
    options: RedisOptions,
    kind: Kind,
    file: PathBuf,
    certificates: Option<Certificates>,
    // Dropped last: the process may still write into it.
    folder: Folder,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Server,
    Sentinel,
}

impl RedisServer {
    /// Starts one that is open to all and keeps nothing on disk.
    pub async fn start() -> Result<Self, Failure> {
        RedisServer::with(RedisOptions::new()).await
    }

    /// Starts one that is as these options say.
    pub async fn with(options: RedisOptions) -> Result<Self, Failure> {
        let folder = Folder::new("redis")?;
        let address = free_address()?;
        let certificates = match options.transport() {
            Transport::Plain => None,
            Transport::Tls => Some(Certificates::make(&folder)?),
        };
        let text = options.text(address, folder.path(), certificates.as_ref());
        let file = folder.write("redis.conf", &text)?;
        let process = launch(Kind::Server, &file)?;
        let kind = Kind::Server;
        let mut server =
            RedisServer { process, address, options, kind, file, certificates, folder };
        server.answers().await?;
        Ok(server)
    }

    /// Starts a sentinel that is told these lines.
    pub(super) async fn sentinel(lines: &[String]) -> Result<Self, Failure> {
        let folder = Folder::new("sentinel")?;
        let address = free_address()?;
        let place = folder.path().display();
        let head = format!("bind {}\nport {}\ndir {place}\n", address.ip(), address.port());
        let file = folder.write("sentinel.conf", &(head + &lines.join("\n") + "\n"))?;
        let process = launch(Kind::Sentinel, &file)?;
        let (kind, options) = (Kind::Sentinel, RedisOptions::new());
        let mut server =
            RedisServer { process, address, options, kind, file, certificates: None, folder };
        server.answers().await?;
        Ok(server)
    }

    /// Where it listens. It keeps this address when it is started again.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its address as a client is told it, with user and password.
    pub fn url(&self) -> String {
        self.url_through(self.address)
    }

    /// The same for a client that goes by way of another address, such as a fault proxy's.
    pub fn url_through(&self, address: SocketAddr) -> String {
        let scheme = match self.options.transport() {
            Transport::Plain => "redis",
            Transport::Tls => "rediss",
        };
        format!("{scheme}://{}{address}", self.options.credentials())
    }

    /// The authority whom a client must trust; `None` without TLS.
    pub fn authority(&self) -> Option<&Path> {
        self.certificates.as_ref().map(Certificates::authority)
    }

    /// What it has written to its log.
    pub fn output(&self) -> String {
        self.process.output()
    }

    /// Says one command, over a connection of its own, as a user who may do everything.
    pub async fn command<W: AsRef<[u8]>>(&self, words: &[W]) -> Result<Reply, Failure> {
        let spoken = async { self.connect().await?.command(words).await };
        spoken.await.map_err(|why| why.during(format!("Redis at {}", self.address)))
    }

    /// A connection for several commands, as a user who may do everything.
    pub async fn connect(&self) -> Result<Connection, Failure> {
        let mut connection = match self.options.transport() {
            Transport::Plain => Connection::tcp(self.address).await?,
            Transport::Tls => Connection::unix(&socket(self.folder.path())).await?,
        };
        if self.kind == Kind::Server {
            connection.command(&["AUTH", TRIAL, TRIAL]).await?.ok()?;
        }
        Ok(connection)
    }

    /// How many keys it has.
    pub async fn size(&self) -> Result<i64, Failure> {
        self.command(&["DBSIZE"]).await?.integer()
    }

    /// The names of all keys that fit this pattern (`*` for all), sorted.
    pub async fn keys(&self, pattern: &str) -> Result<Vec<String>, Failure> {
        let reply = self.command(&["KEYS", pattern]).await?;
        let mut keys = reply.members()?.iter().map(Reply::text).collect::<Result<Vec<_>, _>>()?;
        keys.sort();
        Ok(keys)
    }

    /// What `INFO` says of this, such as `role` or `used_memory`.
    pub async fn says(&self, of: &str) -> Result<String, Failure> {
        let text = self.command(&["INFO", "everything"]).await?.text()?;
        let found = text.lines().find_map(|line| line.strip_prefix(of)?.strip_prefix(':'));
        found.map(str::to_owned).ok_or_else(|| Failure::new(format!("INFO has no `{of}`")))
    }

    /// Kills it (SIGKILL). From here on connections are refused.
    pub async fn kill(&mut self) -> Result<(), Failure> {
        self.process.kill().await
    }

    /// Stalls it (SIGSTOP): it accepts connections, and answers nothing.
    pub async fn stall(&self) -> Result<(), Failure> {
        self.process.stall().await
    }

    /// Lets it go on (SIGCONT).
    pub async fn resume(&self) -> Result<(), Failure> {
        self.process.resume().await
    }

    /// Starts it again, at the same address, with what it had on disk; kills it first if it runs.
    pub async fn restart(&mut self) -> Result<(), Failure> {
        self.process.kill().await?;
        self.process = launch(self.kind, &self.file)?;
        self.answers().await
    }

    /// The same with nothing in it.
    pub async fn restart_empty(&mut self) -> Result<(), Failure> {
        self.process.kill().await?;
        let _ = std::fs::remove_file(self.folder.path().join("dump.rdb"));
        let _ = std::fs::remove_dir_all(self.folder.path().join("appendonlydir"));
        self.restart().await
    }

    /// Waits until it answers.
    async fn answers(&mut self) -> Result<(), Failure> {
        let mut patience = Patience::new("it answers PING", START_PATIENCE);
        while let Err(seen) = self.ping().await {
            let waited = match self.process.ended() {
                Some(status) => Err(Failure::new(format!("it ended ({status})"))),
                None => patience.again(seen).await,
            };
            waited.map_err(|why| {
                let said = self.process.output();
                why.during(format!("cannot start `{PROGRAM}`; it said:\n{said}\n"))
            })?;
        }
        Ok(())
    }

    async fn ping(&self) -> Result<(), Failure> {
        match self.command(&["PING"]).await?.text()?.as_str() {
            "PONG" => Ok(()),
            other => Err(Failure::new(format!("it says `{other}`"))),
        }
    }
}

fn launch(kind: Kind, file: &Path) -> Result<Process, Failure> {
    let path = file.to_string_lossy();
    match kind {
        Kind::Server => Process::start(Path::new(PROGRAM), &[&path]),
        Kind::Sentinel => Process::start(Path::new(PROGRAM), &[&path, "--sentinel"]),
    }
}
