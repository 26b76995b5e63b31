//! Connecting: to one server, to the master that Sentinel names, to a cluster. Behind, never on the
//! path of a request, and within a time limit around all of it.

use std::sync::Arc;
use std::time::Duration;

use ::redis::cluster::ClusterClientBuilder;
use ::redis::cluster_async::ClusterConnection;
use ::redis::io::tcp::TcpSettings;
use ::redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, ErrorKind,
    IntoConnectionInfo, ProtocolVersion, PushInfo, RedisConnectionInfo, RedisError, RedisResult,
    TlsCertificates, Value,
};

use super::driven::Driven;
use super::options::{Address, LinkOptions, Server, Tls};

/// Tries of one call within a cluster, when a slot has moved.
const CLUSTER_RETRIES: u32 = 2;

/// What is done with what a server says by itself.
pub(super) type Hearing = Arc<dyn Fn(PushInfo) + Send + Sync>;

/// A connection for calls, and the one on which channels are heard: the same, but in a cluster.
/// There every node hears all that is published and one of them is enough; see [`ears_of_cluster`].
pub(super) struct Wire {
    pub(super) calls: Calls,
    pub(super) ears: Option<Driven>,
    /// The master that Sentinel named.
    pub(super) master: Option<Address>,
}

/// What calls go through. Cloning it copies nothing.
#[derive(Clone)]
pub(super) enum Calls {
    Plain(Driven),
    Cluster(ClusterConnection),
}

impl Calls {
    pub(super) async fn one(self, command: &Cmd) -> RedisResult<Value> {
        match self {
            Self::Plain(mut line) => command.query_async(&mut line).await,
            Self::Cluster(mut line) => command.query_async(&mut line).await,
        }
    }

    pub(super) async fn many(self, commands: &::redis::Pipeline) -> RedisResult<Vec<Value>> {
        match self {
            Self::Plain(mut line) => commands.query_async(&mut line).await,
            Self::Cluster(mut line) => commands.query_async(&mut line).await,
        }
    }

    /// A sign of life from the server; in a cluster from one of them by chance, so that one that
    /// is ill does not take the others with it.
    pub(super) async fn ping(self) -> RedisResult<Value> {
        use ::redis::cluster_routing::{RoutingInfo, SingleNodeRoutingInfo};
        let ping = ::redis::cmd("PING");
        match self {
            Self::Plain(mut line) => ping.query_async(&mut line).await,
            Self::Cluster(mut line) => {
                let anyone = RoutingInfo::SingleNode(SingleNodeRoutingInfo::Random);
                line.route_command(ping, anyone).await?.extract_error()
            }
        }
    }
}

/// Connects, logs in and waits for a first answer.
pub(super) async fn dial(options: &LinkOptions, hearing: Hearing) -> RedisResult<Wire> {
    let wire = match &options.server {
        Server::Single(address) => plain(options, address, hearing, None).await?,
        Server::Sentinel { .. } => {
            let master = master(options).await?;
            let wire = plain(options, &master, hearing, Some(master.clone())).await?;
            is_master(wire.calls.clone()).await?;
            wire
        }
        Server::Cluster(seeds) => cluster(options, seeds).await?,
    };
    let answered = tokio::time::timeout(options.call_timeout, wire.calls.clone().ping()).await;
    answered.map_err(|_| failed("no answer to a ping in time", String::new()))??;
    Ok(wire)
}

async fn plain(
    options: &LinkOptions,
    address: &Address,
    hearing: Hearing,
    master: Option<Address>,
) -> RedisResult<Wire> {
    let ears = connect(options, address, Some(hearing)).await?;
    Ok(Wire { calls: Calls::Plain(ears.clone()), ears: Some(ears), master })
}

async fn cluster(options: &LinkOptions, seeds: &[Address]) -> RedisResult<Wire> {
    let logins = seeds.iter().map(|seed| address_of(options, seed));
    // A node that is ill is waited for twice, and while a node is asked for the slots no call goes
    // through: neither may take so long that those who are well are taken for dead.
    let mut builder = ClusterClientBuilder::new(logins.collect::<RedisResult<Vec<_>>>()?)
        .use_protocol(ProtocolVersion::RESP3)
        .retries(CLUSTER_RETRIES)
        .connection_timeout(options.connect_timeout / 4)
        .response_timeout(options.call_timeout * 2);
    if let Some(tls) = &options.tls {
        builder = builder.certs(certificates(tls));
    }
    let calls = builder.build()?.get_async_connection().await?;
    Ok(Wire { calls: Calls::Cluster(calls), ears: None, master: None })
}

/// A connection to a node of a cluster, on which channels are heard: the first that answers,
/// beginning with one by chance, so that after a loss it is likely another.
pub(super) async fn ears_of_cluster(
    options: &LinkOptions,
    hearing: Hearing,
) -> RedisResult<Driven> {
    let Server::Cluster(seeds) = &options.server else {
        return Err(failed("no node of a cluster is named", String::new()));
    };
    let share = share_of(options.connect_timeout, seeds.len());
    let mut last = failed("no server is named", String::new());
    let first = rand::random_range(0..seeds.len().max(1));
    for seed in seeds.iter().cycle().skip(first).take(seeds.len()) {
        let connecting = connect(options, seed, Some(Arc::clone(&hearing)));
        match tokio::time::timeout(share, connecting).await {
            Ok(Ok(ears)) => return Ok(ears),
            Ok(Err(failure)) => last = failure,
            Err(_) => last = failed("no answer in time", String::new()),
        }
    }
    Err(last)
}

/// Asks the sentinels who the master is: the first that answers is believed.
pub(super) async fn master(options: &LinkOptions) -> RedisResult<Address> {
    let Server::Sentinel { sentinels, service, username, password } = &options.server else {
        return Err(failed("no sentinel is named", String::new()));
    };
    let to_sentinel = LinkOptions {
        username: username.clone(),
        password: password.clone(),
        database: 0,
        ..options.clone()
    };
    let share = share_of(options.connect_timeout / 2, sentinels.len());
    let mut last = failed("no sentinel is named", String::new());
    for sentinel in sentinels {
        let asking = named_by(&to_sentinel, sentinel, service);
        match tokio::time::timeout(share, asking).await {
            Ok(Ok(master)) => return Ok(master),
            Ok(Err(failure)) => last = failure,
            Err(_) => last = failed("no answer from a sentinel in time", String::new()),
        }
    }
    Err(last)
}

async fn named_by(
    options: &LinkOptions,
    sentinel: &Address,
    service: &str,
) -> RedisResult<Address> {
    let mut line = connect(options, sentinel, None).await?;
    let mut question = ::redis::cmd("SENTINEL");
    question.arg("GET-MASTER-ADDR-BY-NAME").arg(service);
    let answer: Option<(String, u16)> = question.query_async(&mut line).await?;
    let Some((host, port)) = answer else {
        return Err(failed("a sentinel knows no such service", service.to_owned()));
    };
    Ok(Address::Tcp(host, port))
}

// What a sentinel says may be older than a failover.
async fn is_master(line: Calls) -> RedisResult<()> {
    match line.one(&::redis::cmd("ROLE")).await? {
        Value::Array(role) if role.first() == Some(&Value::BulkString(b"master".to_vec())) => {
            Ok(())
        }
        _ => Err(failed("the server that a sentinel named is no master", String::new())),
    }
}

async fn connect(
    options: &LinkOptions,
    address: &Address,
    hearing: Option<Hearing>,
) -> RedisResult<Driven> {
    // No time limits of its own: all waits have one around them here.
    let mut config =
        AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
    if let Some(hearing) = hearing {
        config = config.set_push_sender(move |push| {
            hearing(push);
            Ok::<(), std::convert::Infallible>(())
        });
    }
    match (&options.tls, address) {
        (Some(tls), Address::Tcp(..)) => {
            let client = Client::build_with_tls(address_of(options, address)?, certificates(tls))?;
            Driven::connect_encrypted(&client, &config).await
        }
        (Some(_), Address::Unix(_)) | (None, _) => {
            Driven::connect(address, &login_of(options), config).await
        }
    }
}

fn address_of(options: &LinkOptions, address: &Address) -> RedisResult<ConnectionInfo> {
    let at = match address {
        Address::Unix(path) => ConnectionAddr::Unix(path.clone()),
        Address::Tcp(host, port) if options.tls.is_some() => {
            install_crypto();
            let host = host.clone();
            ConnectionAddr::TcpTls { host, port: *port, insecure: false, tls_params: None }
        }
        Address::Tcp(host, port) => ConnectionAddr::Tcp(host.clone(), *port),
    };
    // A question must not wait for the answer to the one before it.
    let tcp = TcpSettings::default().set_nodelay(true);
    let at = at.into_connection_info()?.set_tcp_settings(tcp);
    Ok(at.set_redis_settings(login_of(options)))
}

fn login_of(options: &LinkOptions) -> RedisConnectionInfo {
    let mut login = RedisConnectionInfo::default()
        .set_protocol(ProtocolVersion::RESP3)
        .set_db(i64::from(options.database))
        .set_skip_set_lib_name();
    if let Some(username) = &options.username {
        login = login.set_username(username);
    }
    if let Some(password) = &options.password {
        login = login.set_password(password);
    }
    login
}

// The `redis` crate takes the process's provider of cryptography. Where the program has chosen one
// already, that one stays.
fn install_crypto() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

fn certificates(tls: &Tls) -> TlsCertificates {
    TlsCertificates { client_tls: None, root_cert: tls.roots_pem.clone() }
}

fn share_of(whole: Duration, parts: usize) -> Duration {
    whole / u32::try_from(parts.max(1)).unwrap_or(u32::MAX)
}

fn failed(what: &'static str, detail: String) -> RedisError {
    RedisError::from((ErrorKind::Client, what, detail))
}
