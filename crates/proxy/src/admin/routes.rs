//! The calls about routes: what this node knows of them in Redis, and writing them there.
//!
//! A route is checked by the rules that read it, before it is written; one command writes it; then
//! all nodes are asked whether they use it (`route_ask`).

mod line;
mod watching;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use forebay_cache::redis::{Command, Link, LinkFailure, Reply};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{body, reply};
use crate::answer::Answer;
use crate::config::{MemberScheme, MemberSettings, Route};
use crate::gateway::Gateway;
use crate::route::{ABSENT_MAX, DynamicRoutes, RouteState};
use crate::route_ask::{Asked, RouteAsk, digest_of};
use crate::server::RequestBody;
use crate::storage::{self, StorageError};
use crate::upstream::Destinations;

pub(super) use self::watching::{Watchers, watch};

/// Routes that are listed where nothing is said, and at most.
const LISTED: usize = 1000;
const LISTED_MAX: usize = 100_000;

/// How long writing may take; longer than a look-up may, for a person waits.
const WRITE_LIMIT: Duration = Duration::from_secs(2);

/// The longest that Redis is told to keep a route.
const TTL_MAX: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// The routes in Redis as operators reach them.
#[derive(Clone)]
pub struct RoutesDesk {
    /// What is known.
    pub routes: Arc<DynamicRoutes>,
    /// Where they are written.
    pub link: Arc<Link>,
    /// The other nodes.
    pub ask: Arc<RouteAsk>,
}

impl RoutesDesk {
    /// For the routes of this gateway, if it reads any; answers what other nodes ask from here on.
    /// To be called within a runtime.
    pub fn open(gateway: &Gateway) -> Result<Option<Self>, StorageError> {
        let Some(routes) = gateway.routes() else { return Ok(None) };
        let Some(link) = storage::open_routes_link(gateway.config(), gateway.storage())? else {
            return Ok(None);
        };
        let (routes, ask) = (Arc::clone(routes), RouteAsk::of(gateway, Arc::clone(&link)));
        let (heard, asking) = (Arc::clone(&routes), Arc::clone(&ask));
        tokio::spawn(async move { asking.listen(&heard).await });
        Ok(Some(RoutesDesk { routes, link, ask }))
    }
}

/// What a route is set to.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// The value: a text, or the JSON of a route.
    value: Value,
    /// How long Redis keeps it.
    ttl_ms: Option<u64>,
}

/// What is known of the routes in Redis, and those of the file.
pub(super) fn list(gateway: &Gateway, desk: &RoutesDesk, query: Option<&str>) -> Answer {
    let limit = match limit(query) {
        Ok(limit) => limit,
        Err(words) => return reply::error(StatusCode::BAD_REQUEST, &words),
    };
    // What is only known to be absent is no route.
    let mut lines = desk.routes.snapshot(limit + 1 + ABSENT_MAX);
    lines.retain(|line| line.state != RouteState::Absent);
    let more = lines.len() > limit;
    lines.truncate(limit);
    let routes: Vec<Value> = lines.iter().map(line::value).collect();
    let file: Vec<Value> = gateway.config().routes.iter().take(limit).map(in_file).collect();
    reply::value(StatusCode::OK, &json!({ "routes": routes, "file": file, "more": more }))
}

/// One route, read again now.
pub(super) async fn read(desk: &RoutesDesk, host: &str) -> Answer {
    match desk.routes.reread(host).await {
        Ok(line) => {
            let is_there = line.state != RouteState::Absent;
            let status = if is_there { StatusCode::OK } else { StatusCode::NOT_FOUND };
            reply::value(status, &line::value(&line))
        }
        Err(words) if desk.routes.key(host).is_err() => {
            reply::error(StatusCode::UNPROCESSABLE_ENTITY, &words)
        }
        Err(words) => reply::error(StatusCode::SERVICE_UNAVAILABLE, &words),
    }
}

/// Checks a value, writes it, and says who uses it.
pub(super) async fn set(
    desk: &RoutesDesk,
    destinations: &Destinations,
    host: &str,
    body: RequestBody,
) -> Answer {
    let wanted: Wanted = match body::json(body).await {
        Ok(wanted) => wanted,
        Err(unread) => return reply::unread(&unread),
    };
    let value = match wanted.value {
        Value::String(text) => text,
        Value::Object(_) => wanted.value.to_string(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
            return unusable("`value` is a text such as 10.0.0.5:3000, or an object");
        }
    };
    let checked = desk.routes.key(host).and_then(|key| {
        let members = desk.routes.members(host, value.as_bytes())?;
        members.iter().try_for_each(|member| may_lead_to(member, destinations))?;
        Ok((key, ttl(wanted.ttl_ms)?))
    });
    let (key, ttl) = match checked {
        Ok(checked) => checked,
        Err(words) => return unusable(&words),
    };
    if let Err(failure) = desk.link.call_within(&set_command(&key, &value, ttl), WRITE_LIMIT).await
    {
        return unwritten(host, &failure);
    }
    let asked = desk.ask.ask(host, Some(digest_of(value.as_bytes()))).await;
    let said = json!({ "host": host, "key": String::from_utf8_lossy(&key), "value": value });
    asked_of(said, asked)
}

/// Deletes a route, and says who knows it.
pub(super) async fn delete(desk: &RoutesDesk, host: &str) -> Answer {
    let key = match desk.routes.key(host) {
        Ok(key) => key,
        Err(words) => return unusable(&words),
    };
    let mut command = Command::new();
    command.arg("DEL").arg(&key[..]);
    let deleted = match desk.link.call_within(&command, WRITE_LIMIT).await {
        Ok(reply) => reply == Reply::Int(1),
        Err(failure) => return unwritten(host, &failure),
    };
    let asked = desk.ask.ask(host, None).await;
    let key = String::from_utf8_lossy(&key);
    let mut answer = asked_of(json!({ "host": host, "key": key, "deleted": deleted }), asked);
    if !deleted && answer.status == StatusCode::OK {
        answer.status = StatusCode::NOT_FOUND;
    }
    answer
}

/// This gateway reads no routes in Redis.
pub(super) fn none() -> Answer {
    let words = "this node reads no routes in Redis: `[routes]` in its configuration says where";
    reply::error(StatusCode::NOT_FOUND, words)
}

/// Whether a member that is written as an address may be connected to. What a name leads to is
/// judged when it is connected to.
fn may_lead_to(member: &MemberSettings, destinations: &Destinations) -> Result<(), String> {
    match member.scheme {
        MemberScheme::Unix => return Ok(()),
        MemberScheme::Http | MemberScheme::H2c | MemberScheme::Https => {}
    }
    let Ok(ip) = member.host.parse::<IpAddr>() else { return Ok(()) };
    destinations.judge(SocketAddr::new(ip, member.port)).map_err(|refused| refused.to_string())
}

fn set_command(key: &[u8], value: &str, ttl: Option<Duration>) -> Command {
    let mut command = Command::new();
    command.arg("SET").arg(key).arg(value);
    if let Some(ttl) = ttl {
        command.arg("PX").arg(u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX));
    }
    command
}

fn ttl(millis: Option<u64>) -> Result<Option<Duration>, String> {
    let Some(millis) = millis else { return Ok(None) };
    let ttl = Duration::from_millis(millis);
    match millis > 0 && ttl <= TTL_MAX {
        true => Ok(Some(ttl)),
        false => Err(format!("`ttl_ms` is 1 to {}", TTL_MAX.as_millis())),
    }
}

/// What was written is written, whoever may have heard of it.
fn asked_of(mut said: Value, asked: Result<Asked, LinkFailure>) -> Answer {
    match asked {
        Ok(Asked { nodes, expected, everywhere }) => {
            said["nodes"] = json!(nodes);
            said["expected"] = json!(expected);
            said["everywhere"] = json!(everywhere);
        }
        Err(failure) => {
            said["nodes"] = json!([]);
            said["everywhere"] = json!(false);
            said["warning"] = json!(format!("cannot ask the nodes: {failure}"));
        }
    }
    reply::value(StatusCode::OK, &said)
}

fn unusable(words: &str) -> Answer {
    reply::error(StatusCode::UNPROCESSABLE_ENTITY, words)
}

fn unwritten(host: &str, failure: &LinkFailure) -> Answer {
    let words = format!("cannot write the route of `{host}`: {failure}");
    reply::error(StatusCode::SERVICE_UNAVAILABLE, &words)
}

fn limit(query: Option<&str>) -> Result<usize, String> {
    let Some(query) = query.filter(|query| !query.is_empty()) else { return Ok(LISTED) };
    let number = query.strip_prefix("limit=").and_then(|digits| digits.parse::<usize>().ok());
    let number = number.filter(|number| (1..=LISTED_MAX).contains(number));
    number.ok_or_else(|| format!("say `?limit=` and a number, 1 to {LISTED_MAX}, or nothing"))
}

fn in_file(route: &Route) -> Value {
    let members = route.upstream.members.iter();
    let to: Vec<String> = members.map(|member| member.to_string()).collect();
    json!({ "name": route.name, "host": route.host.to_string(), "path": route.path_prefix, "to": to })
}
