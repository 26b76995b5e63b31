//! `POST /purge`: an order, carried out, and what came of it.

use std::time::Duration;

use forebay_cache::mechanism::Standing;
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::{body, reply};
use crate::answer::Answer;
use crate::config::{InDoubt, PurgeSettings};
use crate::gateway::Gateway;
use crate::purge::{Carried, Order, Uncarried, carry_out};
use crate::server::RequestBody;

/// What an operator is told of an order that was carried out.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Purged {
    /// Which log: sixteen hexadecimal digits.
    pub lineage: String,
    /// The number of the last purge of the order: the epoch.
    pub epoch: u64,
    /// How many purges it made.
    pub purges: u64,
    /// How many entries are being fetched again.
    pub refreshing: usize,
    /// Whether every node has applied it or is in doubt.
    pub complete: bool,
    /// What holds for the nodes that are in doubt.
    pub in_doubt: String,
    /// Each node.
    pub nodes: Vec<PurgedNode>,
}

/// How far one node is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct PurgedNode {
    /// Its name.
    pub node: String,
    /// `applied`, `behind` or `unheard`.
    pub state: String,
    /// Where it is behind: the newest that it has applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<u64>,
    /// Where it is unheard: for how long, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unheard_millis: Option<u64>,
}

/// Carries out the order that a body says.
pub(super) async fn purge(gateway: &Gateway, body: RequestBody) -> Answer {
    let order: Order = match body::json(body).await {
        Ok(order) => order,
        Err(unread) => return reply::unread(&unread),
    };
    match carry_out(gateway, &order).await {
        Ok(carried) => reply::value(StatusCode::OK, &purged(&carried, &gateway.config().purge)),
        Err(why) => reply::error(status_of(&why), &why.to_string()),
    }
}

/// The status that says why nothing came of an order.
pub(super) fn status_of(why: &Uncarried) -> StatusCode {
    match why {
        Uncarried::Order(_) | Uncarried::Wait(_) => StatusCode::UNPROCESSABLE_ENTITY,
        Uncarried::Log(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

fn purged(carried: &Carried, settings: &PurgeSettings) -> Purged {
    let nodes: Vec<PurgedNode> = carried
        .nodes
        .iter()
        .map(|node| {
            let (state, at, unheard) = match node.standing {
                Standing::Applied => ("applied", None, None),
                Standing::Behind { at } => ("behind", Some(at), None),
                Standing::Unheard { since } => ("unheard", None, Some(since)),
            };
            let unheard_millis = unheard.map(|since| since.as_millis() as u64);
            PurgedNode { node: node.node.clone(), state: state.to_owned(), at, unheard_millis }
        })
        .collect();
    Purged {
        lineage: format!("{:016x}", carried.last.lineage),
        epoch: carried.last.number,
        purges: (carried.last.number + 1).saturating_sub(carried.first),
        refreshing: carried.refreshing,
        complete: nodes.iter().all(|node| node.state != "behind"),
        in_doubt: in_doubt(settings.in_doubt, settings.doubt_after),
        nodes,
    }
}

/// What holds for a node that is in doubt.
fn in_doubt(what: InDoubt, bound: Duration) -> String {
    let bound = crate::config::text::in_time(bound);
    match what {
        InDoubt::Validate => format!(
            "it serves nothing that it has not validated within {bound}, but in place of an error"
        ),
        InDoubt::Strict => format!("it serves nothing that it has not validated within {bound}"),
        InDoubt::Serve => "it serves what it has, until it hears of purges again".to_owned(),
    }
}
