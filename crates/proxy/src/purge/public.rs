//! `PURGE` where clients are accepted: for who may, as a stranger's POST is not.
//!
//! It purges its target, or the tags that its own tag fields name. `Purge-Kind` says `soft` or
//! `refresh`. Where nobody may purge here, `PURGE` is a method as any other.

use forebay_semantics::key::{Scheme, TargetParts};
use forebay_semantics::status::{CacheStatus, Detail, Source};
use forebay_semantics::{Policy, Tags};
use http::{HeaderName, StatusCode};

use super::carry::{Uncarried, carry_out};
use super::order::{Order, OrderKind};
use crate::ask::Refusal;
use crate::config::PublicPurge;
use crate::forward::Trust;
use crate::gateway::Gateway;
use crate::reply::Reply;
use crate::respond;
use crate::secret;
use crate::server::Request;

/// The method.
const PURGE: &str = "PURGE";

/// Says how.
const KIND: HeaderName = HeaderName::from_static("purge-kind");

/// What a request orders to be purged here, if whoever sent it may; `None` if it is no such request.
pub fn ordered(gateway: &Gateway, request: &Request) -> Option<Result<Order, Refusal>> {
    let who = gateway.config().purge.public.as_ref()?;
    if request.method.as_str() != PURGE {
        return None;
    }
    Some(match who.may(request) {
        true => order(request).ok_or(MALFORMED),
        false => Err(FORBIDDEN),
    })
}

/// Carries out what was ordered.
pub async fn purge(gateway: &Gateway, order: Result<Order, Refusal>) -> Reply {
    let order = match order {
        Ok(order) => order,
        Err(refusal) => return Reply::refused(gateway, refusal),
    };
    let (status, words) = match carry_out(gateway, &order).await {
        Ok(carried) => {
            let nodes = carried.nodes.len();
            (StatusCode::OK, format!("purge {} is in force, {nodes} nodes", carried.last.number))
        }
        Err(why @ (Uncarried::Order(_) | Uncarried::Wait(_))) => {
            (StatusCode::UNPROCESSABLE_ENTITY, why.to_string())
        }
        Err(why @ Uncarried::Log(_)) => (StatusCode::SERVICE_UNAVAILABLE, why.to_string()),
    };
    let said = CacheStatus::new(gateway.name(), Source::Own);
    Reply::of(respond::own(status, &words), said)
}

impl PublicPurge {
    /// Whether whoever sent a request may purge.
    fn may(&self, request: &Request) -> bool {
        let is_listed =
            self.peers.is_empty() || Trust::of(request.peer.address, &self.peers) == Trust::Listed;
        let knows = self.secret.as_ref().is_none_or(|(field, word)| {
            let said = request.fields.get(field).map(http::HeaderValue::as_bytes);
            secret::is_same(word.as_bytes(), said.unwrap_or_default())
        });
        is_listed && knows
    }
}

fn order(request: &Request) -> Option<Order> {
    let kind = match request.fields.get(KIND).map(http::HeaderValue::as_bytes) {
        None | Some(b"hard") => OrderKind::Hard,
        Some(b"soft") => OrderKind::Soft,
        Some(b"refresh") => OrderKind::Refresh,
        Some(_) => return None,
    };
    let tags = Tags::of(&request.fields, &Policy::default()).ok()?;
    let tags: Vec<String> = tags.iter().map(|tag| tag.name.to_owned()).collect();
    let urls = if tags.is_empty() { vec![url(request)?] } else { Vec::new() };
    Some(Order { urls, tags, kind, ..Order::default() })
}

/// Its target in full. The scheme does not matter to a purge.
fn url(request: &Request) -> Option<String> {
    let parts = TargetParts::of(Scheme::Http, &request.target, &request.fields).ok()?;
    let query = parts.query.map(|query| format!("?{query}")).unwrap_or_default();
    Some(format!("http://{}:{}{}{query}", parts.host(), parts.port, parts.path))
}

const FORBIDDEN: Refusal = Refusal {
    status: StatusCode::FORBIDDEN,
    words: "not everybody may purge here",
    detail: Detail::RequestRefused,
};

const MALFORMED: Refusal = Refusal {
    status: StatusCode::BAD_REQUEST,
    words: "purge a URL, or the tags that a tag field names; `Purge-Kind` is hard, soft or refresh",
    detail: Detail::RequestRefused,
};
