//! What a server of a trial is told before it starts.

use std::net::SocketAddr;
use std::path::Path;

use super::{Certificates, RedisServer};
use crate::Failure;

/// The user as whom the trial itself speaks, whatever others are allowed; the password too.
pub(super) const TRIAL: &str = "trial";

/// How a server is to be; by default open to all, without persistence, TLS or a memory limit.
#[derive(Clone, Debug, Default)]
pub struct RedisOptions {
    entry: Entry,
    transport: Transport,
    persistence: Persistence,
    lines: Vec<String>,
}

/// Who may speak to the server.
#[derive(Clone, Debug, Default)]
enum Entry {
    #[default]
    Everybody,
    Password(String),
    User {
        name: String,
        password: String,
    },
}

/// How clients connect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Transport {
    /// Over TCP.
    #[default]
    Plain,
    /// Over TLS alone.
    Tls,
}

#[derive(Clone, Copy, Debug, Default)]
enum Persistence {
    #[default]
    None,
    EveryWrite,
}

impl RedisOptions {
    /// A server that is open to all.
    pub fn new() -> Self {
        RedisOptions::default()
    }

    /// Clients must say this password (`requirepass`).
    pub fn password(mut self, password: &str) -> Self {
        self.entry = Entry::Password(password.to_owned());
        self
    }

    /// Clients must be this user, who may do everything.
    pub fn user(self, name: &str, password: &str) -> Self {
        self.user_with(name, password, "~* &* +@all")
    }

    /// Clients must be this user, who may do what these ACL rules say.
    pub fn user_with(mut self, name: &str, password: &str, rules: &str) -> Self {
        self.entry = Entry::User { name: name.to_owned(), password: password.to_owned() };
        self.line(&format!("user {name} on >{password} {rules}")).line("user default off")
    }

    /// Clients must speak TLS, with certificates made for this server.
    pub fn tls(mut self) -> Self {
        self.transport = Transport::Tls;
        self
    }

    /// Every write is on disk before it is answered, and is there after [`RedisServer::restart`].
    pub fn persistent(mut self) -> Self {
        self.persistence = Persistence::EveryWrite;
        self
    }

    /// No more memory than this, and what to do then: `noeviction`, `allkeys-lru`, …
    pub fn memory_max(self, bytes: u64, policy: &str) -> Self {
        self.line(&format!("maxmemory {bytes}")).line(&format!("maxmemory-policy {policy}"))
    }

    /// A line of `redis.conf` as it is.
    pub fn line(mut self, line: &str) -> Self {
        self.lines.push(line.to_owned());
        self
    }

    /// Starts a server that is so.
    pub async fn start(self) -> Result<RedisServer, Failure> {
        RedisServer::with(self).await
    }

    pub(super) fn transport(&self) -> Transport {
        self.transport
    }

    /// What is said before the address in a URL.
    pub(super) fn credentials(&self) -> String {
        match &self.entry {
            Entry::Everybody => String::new(),
            Entry::Password(password) => format!(":{password}@"),
            Entry::User { name, password } => format!("{name}:{password}@"),
        }
    }

    /// The text of `redis.conf`.
    pub(super) fn text(
        &self,
        address: SocketAddr,
        folder: &Path,
        certificates: Option<&Certificates>,
    ) -> String {
        let mut lines = vec![
            format!("bind {}", address.ip()),
            format!("dir {}", folder.display()),
            "daemonize no".to_owned(),
            format!("user {TRIAL} on >{TRIAL} ~* &* +@all"),
            // For replicas: they speak to their primary as the trial does.
            format!("masteruser {TRIAL}"),
            format!("masterauth {TRIAL}"),
            "save \"\"".to_owned(),
        ];
        match certificates {
            Some(certificates) => lines.extend(with_tls(address, folder, certificates)),
            None => lines.push(format!("port {}", address.port())),
        }
        match &self.entry {
            Entry::Password(password) => lines.push(format!("requirepass {password}")),
            Entry::Everybody | Entry::User { .. } => {}
        }
        match self.persistence {
            Persistence::EveryWrite => {
                lines.extend(["appendonly yes".to_owned(), "appendfsync always".to_owned()]);
            }
            Persistence::None => {}
        }
        lines.extend_from_slice(&self.lines);
        lines.join("\n") + "\n"
    }
}

/// The trial itself speaks over a socket in the folder, so that it needs no TLS of its own.
pub(super) fn socket(folder: &Path) -> std::path::PathBuf {
    folder.join("redis.sock")
}

fn with_tls(address: SocketAddr, folder: &Path, certificates: &Certificates) -> [String; 7] {
    [
        "port 0".to_owned(),
        format!("tls-port {}", address.port()),
        format!("tls-ca-cert-file {}", certificates.authority().display()),
        format!("tls-cert-file {}", certificates.certificate().display()),
        format!("tls-key-file {}", certificates.key().display()),
        "tls-auth-clients no".to_owned(),
        format!("unixsocket {}", socket(folder).display()),
    ]
}
