//! The short way of a plain hit: from memory, or from what the disk has at hand, without a wait.

use std::sync::Arc;

use bytes::Bytes;
use forebay_semantics::Timestamp;
use forebay_semantics::fields::Sought;
use forebay_semantics::request::MethodClass;
use forebay_semantics::reuse::{Reuse, reuse};
use forebay_semantics::status::{CacheStatus, Source};

use super::Story;
use crate::ask::Ask;
use crate::gateway::Gateway;
use crate::kept::{self, Found};
use crate::reply::Reply;
use crate::seen::Seen;

/// What a first look gives.
#[expect(
    clippy::large_enum_variant,
    reason = "it is matched where it is made, and a box would cost each hit an allocation"
)]
pub(super) enum Glance {
    /// A plain hit.
    Hit(Reply),
    /// All else, with what lies there where that was looked at.
    Other(Option<Found>),
}

/// Answers a plain hit that need not be waited for.
pub(super) fn glance(gateway: &Gateway, ask: &Ask) -> Glance {
    match ask.asked.method {
        MethodClass::Get | MethodClass::Head => {}
        MethodClass::Listed | MethodClass::Post | MethodClass::Safe | MethodClass::Unsafe => {
            return Glance::Other(None);
        }
    }
    if ask.lane.route.skip.is_some() || ask.asked.present.has(Sought::Upgrade) {
        return Glance::Other(None);
    }
    let now = gateway.now();
    let found = match kept::find(gateway.cache(), &ask.key, &ask.fields, now) {
        Found::Nothing => kept::find_at_once(gateway.cache(), &ask.key),
        found @ (Found::NoVariant(_) | Found::Response { .. }) => found,
    };
    plain_hit(gateway, ask, &found, now).map_or_else(|| Glance::Other(Some(found)), Glance::Hit)
}

fn plain_hit(gateway: &Gateway, ask: &Ask, found: &Found, now: Timestamp) -> Option<Reply> {
    let Found::Response { entry, index, key, tier } = found else { return None };
    let response = entry.head().response()?;
    let standing = gateway.standing(entry, &ask.key, ask.began)?;
    match reuse(&ask.asked, &response.stored, &ask.lane.route.policy, &standing, now) {
        Reuse::Serve => {}
        Reuse::ServeAndRefresh(_) | Reuse::Revalidate(_) | Reuse::Refuse => return None,
    }
    let ttl = standing.ttl_seconds(response.stored.ttl_seconds(now), now);
    let said = CacheStatus { detail: *tier, ..hit(gateway, ttl) };
    if response.is_refreshed_early(&ask.lane.route, &standing, now) {
        let seen = Seen::response(entry.clone(), index.clone(), key.clone());
        let ask = Arc::new(ask.clone());
        Story { gateway, ask: &ask, body: Bytes::new() }.refresh_behind(&seen);
    }
    Reply::from_entry(gateway, ask, entry, response, said, now).ok()
}

/// What is said of an answer from what is stored.
pub(super) fn hit(gateway: &Gateway, ttl: i64) -> CacheStatus<'static> {
    CacheStatus { ttl: Some(ttl), ..CacheStatus::new(gateway.name(), Source::Hit) }
}
