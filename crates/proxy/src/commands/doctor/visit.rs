//! Goes to each server of a Redis and asks what the rules want to know.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::future::join_all;

use super::connect::{Connection, Failure};
use super::finding::{Examined, Finding};
use super::server::{self, Described, Place};
use crate::config::{Address, RedisServers, RedisSettings, Switch};

/// Nodes of one cluster that are looked at.
const NODES_MAX: usize = 64;

/// Settings of a server that say what it writes to its disk.
const SETTINGS: [&str; 2] = ["save", "stop-writes-on-bgsave-error"];

/// Looks at every server that the settings name.
pub(super) async fn examine(settings: &RedisSettings) -> Vec<Examined> {
    match &settings.servers {
        RedisServers::One(address) => vec![server(settings, address, Place::Alone).await],
        RedisServers::Sentinel { sentinels, service } => {
            watched(settings, sentinels, service).await
        }
        RedisServers::Cluster(seeds) => cluster(settings, seeds).await,
    }
}

/// How messages call a server.
fn called(settings: &RedisSettings, address: &Address) -> String {
    match (address, settings.tls) {
        (Address::Unix(_), _) => address.to_string(),
        (Address::Tcp { .. }, Switch::On) => format!("rediss://{address}"),
        (Address::Tcp { .. }, Switch::Off) => format!("redis://{address}"),
    }
}

async fn server(settings: &RedisSettings, address: &Address, place: Place) -> Examined {
    let called = called(settings, address);
    match describe(settings, address, place).await {
        Ok((is, findings)) => Examined::new(called, Some(is), findings),
        Err(failure) => Examined::new(called, None, vec![advised(settings, failure)]),
    }
}

fn advised(settings: &RedisSettings, failure: Failure) -> Finding {
    let finding = Finding::problem(failure.to_string());
    let is_started = "is it started, and does it listen there for this machine";
    match (failure, settings.tls) {
        (Failure::NoTls(why), _) if why.contains("corrupt") => {
            finding.with_help("does it speak TLS there? write redis:// for rediss://, if not")
        }
        (Failure::Unreachable(_), Switch::On) => finding.with_help(format!(
            "{is_started}, and does it speak TLS? write redis:// for rediss://, if not"
        )),
        (Failure::Unreachable(_), Switch::Off) => finding.with_help(format!("{is_started}?")),
        (Failure::NoTls(_) | Failure::Refused(_) | Failure::Failed(_), _) => finding,
    }
}

async fn describe(
    settings: &RedisSettings,
    address: &Address,
    place: Place,
) -> Result<(String, Vec<Finding>), Failure> {
    let mut connection = Connection::open(settings, address).await?;
    connection.log_in(settings).await?;
    let info: String = connection.ask(&["INFO"]).await?;
    let mut pairs = Vec::new();
    for name in SETTINGS {
        // Many servers do not let users ask this; then it is not judged.
        let pair = connection.ask::<Vec<(String, String)>>(&["CONFIG", "GET", name]).await;
        pairs.extend(pair.unwrap_or_default());
    }
    let described = Described::new(&info, &pairs);
    let mut findings = described.findings(place);
    findings.extend(clock(&mut connection).await);
    findings.extend(usable(settings, &mut connection).await);
    Ok((described.in_short(), findings))
}

/// How far the server's clock is from ours. Ages of responses that other nodes have stored are
/// counted from when those say that they received them.
async fn clock(connection: &mut Connection) -> Option<Finding> {
    let asked = SystemTime::now();
    // Some servers do not let users ask this; then it is not judged.
    let (seconds, micros): (u64, u64) = connection.ask(&["TIME"]).await.ok()?;
    let told = UNIX_EPOCH + Duration::from_secs(seconds) + Duration::from_micros(micros);
    server::of_clocks(asked, told, SystemTime::now())
}

/// Whether the database and the protocol are there.
async fn usable(settings: &RedisSettings, connection: &mut Connection) -> Vec<Finding> {
    let mut findings = Vec::new();
    if settings.database != 0 {
        let number = settings.database.to_string();
        if let Err(failure) = connection.ask::<()>(&["SELECT", &number]).await {
            findings.push(Finding::problem(failure.to_string()));
        }
    }
    // Last, for the answers after it have another form.
    if let Err(failure) = connection.ask::<redis::Value>(&["HELLO", "3"]).await {
        findings.push(Finding::problem(format!("it does not speak RESP3: {failure}")));
    }
    findings
}

/// The sentinels, and the primary that they name.
async fn watched(settings: &RedisSettings, sentinels: &[Address], service: &str) -> Vec<Examined> {
    let asked = join_all(sentinels.iter().map(|at| primary(settings, at, service))).await;
    let named = asked.iter().find_map(|answer| answer.as_ref().ok()?.clone());
    let examined = sentinels.iter().zip(asked).map(|(sentinel, answer)| {
        let called = format!("sentinel {}", called(settings, sentinel));
        match answer {
            Ok(Some(primary)) => {
                let is = format!("`{service}` is at {primary}");
                Examined::new(called, Some(is), differs(&primary, &named))
            }
            Ok(None) => {
                let unknown = Finding::problem(format!("it knows no service `{service}`"));
                Examined::new(called, None, vec![unknown])
            }
            Err(failure) => Examined::new(called, None, vec![advised(settings, failure)]),
        }
    });
    let mut examined: Vec<Examined> = examined.collect();
    if let Some(primary) = &named {
        examined.push(server(settings, primary, Place::Alone).await);
    }
    examined
}

fn differs(primary: &Address, named: &Option<Address>) -> Vec<Finding> {
    match named {
        Some(named) if named != primary => {
            vec![Finding::problem(format!("another sentinel says that it is at {named}"))]
        }
        Some(_) | None => Vec::new(),
    }
}

async fn primary(
    settings: &RedisSettings,
    sentinel: &Address,
    service: &str,
) -> Result<Option<Address>, Failure> {
    let question = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", service];
    let mut connection = Connection::open(settings, sentinel).await?;
    let mut said = connection.ask::<Option<(String, u16)>>(&question).await;
    // Most sentinels want no password, and refuse one. Those that do are told the server's.
    if matches!(said, Err(Failure::Refused(_))) && settings.password.is_some() {
        connection.log_in(settings).await?;
        said = connection.ask(&question).await;
    }
    Ok(said?.map(|(host, port)| Address::Tcp { host, port }))
}

/// The cluster as one of its nodes sees it, and each of its primaries.
async fn cluster(settings: &RedisSettings, seeds: &[Address]) -> Vec<Examined> {
    let seen = join_all(seeds.iter().map(|seed| seen_by(settings, seed))).await;
    let mut all: Vec<Address> = Vec::new();
    let mut whole = None;
    for (seed, seen) in seeds.iter().zip(seen) {
        // Who cannot say what he sees is looked at himself, and it is said there.
        let Ok((state, nodes)) = seen else {
            all.push(seed.clone());
            continue;
        };
        whole.get_or_insert(state);
        for node in nodes {
            if !all.contains(&node) {
                all.push(node);
            }
        }
    }
    all.truncate(NODES_MAX);
    let mut examined = Vec::new();
    if let Some(state) = whole {
        let is = format!("{} primaries", all.len());
        examined.push(Examined::new(settings.url(), Some(is), server::of_cluster(&state)));
    }
    examined.extend(join_all(all.iter().map(|at| server(settings, at, Place::InCluster))).await);
    examined
}

async fn seen_by(
    settings: &RedisSettings,
    seed: &Address,
) -> Result<(String, Vec<Address>), Failure> {
    let mut connection = Connection::open(settings, seed).await?;
    connection.log_in(settings).await?;
    let state: String = connection.ask(&["CLUSTER", "INFO"]).await?;
    let nodes: String = connection.ask(&["CLUSTER", "NODES"]).await?;
    // A node that was told no address of its own is where it was asked.
    let address = |(host, port): (String, u16)| match seed {
        Address::Tcp { host: asked, .. } if host.is_empty() => {
            Address::Tcp { host: asked.clone(), port }
        }
        Address::Tcp { .. } | Address::Unix(_) => Address::Tcp { host, port },
    };
    let nodes = server::primaries(&nodes, NODES_MAX).into_iter().map(address);
    Ok((state, nodes.collect()))
}
