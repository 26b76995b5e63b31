//! An order carried out: written into the log, and waited for until the nodes have applied it.

use std::fmt;
use std::time::{Duration, SystemTime};

use forebay_cache::mechanism::{LogFailure, NodeStanding, Position};
use forebay_semantics::key::TargetParts;
use http::{HeaderMap, Method};

use super::order::{Order, OrderError, OrderKind};
use super::refresh;
use crate::config::text;
use crate::gateway::Gateway;
use crate::route::{Grounds, Way};
use crate::telemetry::OrderTold;

/// How much longer than a node's doubt it is waited for all of them, unless the order says how long.
const WAIT_MARGIN: Duration = Duration::from_millis(500);

/// The longest wait that an order can ask for.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// A purge that only this process would know is none.
const SUCCEEDED: &str = "cannot purge: another process has taken over from this one; ask again";

/// What came of an order.
#[derive(Clone, Debug)]
pub struct Carried {
    /// The number of its first purge.
    pub first: u64,
    /// The place of its last in the log.
    pub last: Position,
    /// How far each node is.
    pub nodes: Vec<NodeStanding>,
    /// How many entries are being fetched again.
    pub refreshing: usize,
}

/// Why nothing came of an order.
#[derive(Clone, Debug)]
pub enum Uncarried {
    /// It cannot be understood.
    Order(OrderError),
    /// Its wait cannot be: what was said, and what is allowed.
    Wait(String),
    /// It is not in the log, or not for sure.
    Log(LogFailure),
}

/// Carries out an order.
pub async fn carry_out(gateway: &Gateway, order: &Order) -> Result<Carried, Uncarried> {
    let bound = gateway.config().purge.doubt_after;
    let wait = match &order.wait {
        None => bound + WAIT_MARGIN,
        Some(said) => wait(said)?,
    };
    let rules = order.rules(|target| key_of(gateway, target)).map_err(Uncarried::Order)?;
    let log = &gateway.storage().log;
    if gateway.storage().is_without_purges() {
        return Err(Uncarried::Log(LogFailure::refused(SUCCEEDED)));
    }
    let lately = gateway.telemetry().metrics.lately();
    let appended = log.append(rules).await.map_err(|why| {
        lately.went_wrong("purge", &why.to_string(), SystemTime::now());
        Uncarried::Log(why)
    })?;
    let refreshing = match order.kind {
        OrderKind::Hard | OrderKind::Soft => 0,
        OrderKind::Refresh => {
            refresh::hottest(gateway, appended.first..=appended.last.number).await
        }
    };
    let nodes = log.applied(appended.last, wait).await;
    lately.ordered(OrderTold {
        first: appended.first,
        last: appended.last.number,
        at: SystemTime::now(),
        what: order.words(),
        kind: order.kind.word(),
        nodes: nodes.clone(),
    });
    Ok(Carried { first: appended.first, last: appended.last, nodes, refreshing })
}

fn wait(said: &str) -> Result<Duration, Uncarried> {
    let allowed = "a time span of at most 60s, such as 2s";
    let refused = || Uncarried::Wait(format!("cannot wait for `{said}`: it is not {allowed}"));
    text::span(said).ok().filter(|span| *span <= WAIT_MAX).ok_or_else(refused)
}

/// The primary key of a GET for a URL, as its route makes it; where none leads there, as one
/// without a word of its own would.
fn key_of(gateway: &Gateway, target: &TargetParts<'_>) -> Vec<u8> {
    let fields = HeaderMap::new();
    let mut key = Vec::with_capacity(128);
    match gateway.way(target.host(), target.path, Grounds::Last) {
        Way::Lane(lane) => lane.write_key(target, &Method::GET, &fields, None, &mut key),
        Way::None | Way::Wrong | Way::Unknown => {
            let template = forebay_semantics::key::Template::default();
            template.key(target, &Method::GET, &fields, None, &mut key);
        }
    }
    key
}

impl fmt::Display for Uncarried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Uncarried::Order(why) => why.fmt(f),
            Uncarried::Wait(why) => f.write_str(why),
            Uncarried::Log(why) => why.fmt(f),
        }
    }
}

impl std::error::Error for Uncarried {}
