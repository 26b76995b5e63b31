//! A connection to one Redis server, step by step, so that a failure says which step it was.
//!
//! For looking at a server only. The Redis tier keeps connections of its own.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, FromRedisValue, RedisConnectionInfo, RedisError, cmd};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinHandle;

use crate::answer::Duplex;
use crate::config::{Address, RedisSettings, Switch};
use crate::upstream::tls_to;

/// How long one command may take: a server that is asked once a day may be slow to say `INFO`.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// A connection. Dropped, it is closed.
pub(super) struct Connection {
    commands: MultiplexedConnection,
    driver: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Which step failed, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// There is no connection.
    Unreachable(String),
    /// There is one, and no TLS over it.
    NoTls(String),
    /// The server wants to know who asks, or does not believe it.
    Refused(String),
    /// A command failed.
    Failed(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Unreachable(why) => write!(formatter, "cannot connect: {why}"),
            Failure::NoTls(why) => write!(formatter, "cannot speak TLS: {why}"),
            Failure::Refused(why) => write!(formatter, "it does not let us in: {why}"),
            Failure::Failed(why) => formatter.write_str(why),
        }
    }
}

impl Connection {
    /// Connects, as nobody yet.
    pub(super) async fn open(
        settings: &RedisSettings,
        address: &Address,
    ) -> Result<Connection, Failure> {
        let patience = settings.connect_timeout;
        let opening = async {
            let bytes = open_bytes(settings, address).await?;
            let who = RedisConnectionInfo::default().set_skip_set_lib_name();
            let config = AsyncConnectionConfig::new().set_response_timeout(Some(ANSWER_MAX));
            let opened = MultiplexedConnection::new_with_config(&who, bytes, config).await;
            let (commands, driver) = opened.map_err(|error| Failure::Unreachable(why(&error)))?;
            Ok(Connection { commands, driver: tokio::spawn(driver) })
        };
        within(patience, opening).await
    }

    /// Says who asks, where the settings say it.
    pub(super) async fn log_in(&mut self, settings: &RedisSettings) -> Result<(), Failure> {
        let Some(password) = &settings.password else { return Ok(()) };
        let mut auth = cmd("AUTH");
        if let Some(name) = &settings.username {
            auth.arg(name);
        }
        auth.arg(password.expose());
        let said = auth.query_async::<()>(&mut self.commands).await;
        said.map_err(|error| match error.code() {
            Some("WRONGPASS") => Failure::Refused(
                "user or password is wrong (`username`, `password_file`, or the URL)".to_owned(),
            ),
            Some(_) | None if error.to_string().contains("without any password") => {
                Failure::Refused("a password is said, and the server has none".to_owned())
            }
            Some(_) | None => Failure::Refused(why(&error)),
        })
    }

    /// Asks a command of some words.
    pub(super) async fn ask<T: FromRedisValue>(&mut self, words: &[&str]) -> Result<T, Failure> {
        let mut command = redis::Cmd::new();
        for word in words {
            command.arg(word);
        }
        command.query_async(&mut self.commands).await.map_err(|error| match error.code() {
            Some("NOAUTH") => {
                Failure::Refused("it wants a password (`password_file`, or in the URL)".to_owned())
            }
            Some("NOPERM") => {
                Failure::Failed(format!("the user may not ask `{}`", words.join(" ")))
            }
            Some(_) | None => {
                Failure::Failed(format!("cannot ask `{}`: {}", words.join(" "), why(&error)))
            }
        })
    }
}

async fn open_bytes(
    settings: &RedisSettings,
    address: &Address,
) -> Result<Box<dyn Duplex>, Failure> {
    let unreachable = |cause: std::io::Error| Failure::Unreachable(cause.to_string());
    let (host, port) = match address {
        Address::Unix(path) => {
            return Ok(Box::new(UnixStream::connect(path).await.map_err(unreachable)?));
        }
        Address::Tcp { host, port } => (host.as_str(), *port),
    };
    let stream = Box::new(TcpStream::connect((host, port)).await.map_err(unreachable)?);
    match settings.tls {
        Switch::Off => Ok(stream),
        Switch::On => {
            let ca_file = settings.ca_file.as_deref();
            tls_to(host, ca_file, stream).await.map_err(Failure::NoTls)
        }
    }
}

/// So long and no longer.
pub(super) async fn within<T>(
    patience: Duration,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let late = || Failure::Unreachable(format!("nothing happened for {patience:?}"));
    tokio::time::timeout(patience, work).await.unwrap_or_else(|_| Err(late()))
}

/// What the server or the system said.
fn why(error: &RedisError) -> String {
    match (error.code(), error.detail()) {
        (Some(code), Some(detail)) => format!("{code} {detail}"),
        (_, _) => error.to_string(),
    }
}
