//! The routes and their members: those of the file, and those in Redis that have been used.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use tokio::time::Instant;

use super::{MemberTold, RouteTold, RoutesInRedis};
use crate::gateway::Gateway;
use crate::route::{Lane, RoutesSnapshot};
use crate::upstream::{Cause, MemberReading, State};

/// Routes that are told of: of the file, and as many of those in Redis.
pub const ROUTES_TOLD_MAX: usize = 256;

/// Members of routes in Redis that are told of.
pub const MEMBERS_TOLD_MAX: usize = 1024;

/// Routes in Redis that are looked at, to tell of those in trouble first.
const LOOKED_AT_MAX: usize = 4096;

/// The routes of the file, and how many are left out.
pub(super) fn routes(gateway: &Gateway) -> (Vec<RouteTold>, u64) {
    let lanes: Vec<_> = gateway.lanes().collect();
    let left_out = lanes.len().saturating_sub(ROUTES_TOLD_MAX) as u64;
    let mut told: Vec<_> = lanes.iter().take(ROUTES_TOLD_MAX).map(|lane| route(lane)).collect();
    told.sort_by(|one, other| one.name.cmp(&other.name));
    (told, left_out)
}

/// The routes in Redis that have been used, and how many are left out.
pub(super) fn used(gateway: &Gateway) -> (Vec<RouteTold>, u64) {
    let lanes = gateway.routes().map_or(Vec::new(), |routes| routes.used(LOOKED_AT_MAX));
    let mut told: Vec<RouteTold> = Vec::new();
    let mut places: HashMap<_, usize> = HashMap::new();
    for lane in &lanes {
        let Some(upstream) = lane.made() else { continue };
        match places.entry(Arc::as_ptr(upstream)) {
            Entry::Occupied(place) => told[*place.get()].sharing += 1,
            Entry::Vacant(place) => {
                place.insert(told.len());
                told.push(route(lane));
            }
        }
    }
    let is_well = |route: &RouteTold| route.members.iter().all(|member| member.state == "up");
    told.sort_by(|one, other| (is_well(one), &one.name).cmp(&(is_well(other), &other.name)));
    let all = told.len();
    told.truncate(within(&told));
    let left_out = (all - told.len()) as u64;
    (told, left_out)
}

/// How many of these are told of: as many as are within both bounds.
fn within(told: &[RouteTold]) -> usize {
    let members = told.iter().take(ROUTES_TOLD_MAX).scan(0, |members, route| {
        *members += route.members.len();
        Some(*members)
    });
    members.take_while(|members| *members <= MEMBERS_TOLD_MAX).count()
}

fn route(lane: &Lane) -> RouteTold {
    let readings = lane.upstream().map(|upstream| upstream.readings()).unwrap_or_default();
    let now = Instant::now();
    RouteTold {
        name: lane.name.to_string(),
        host: host(lane),
        path: lane.route.path_prefix.clone(),
        sharing: 0,
        members: readings.iter().map(|reading| member(reading, now)).collect(),
    }
}

/// The host pattern of a lane. Routes that say no more than an address share one route, and only their
/// name tells them apart.
fn host(lane: &Lane) -> String {
    let named = lane.member.as_ref().and_then(|_| lane.name.strip_suffix(&lane.route.path_prefix));
    named.map_or_else(|| lane.route.host.to_string(), str::to_owned)
}

fn member(reading: &MemberReading, now: Instant) -> MemberTold {
    let standing = &reading.standing;
    let (state, why, until) = match standing.state {
        State::Up => ("up", None, None),
        State::Out { cause, until } => ("out", Some(word(cause)), Some(until)),
        State::Down => ("down", None, None),
        State::Draining => ("draining", None, None),
    };
    let out = until.map(|until| until.saturating_duration_since(now));
    MemberTold {
        name: reading.name.to_string(),
        state: state.to_owned(),
        why: why.map(str::to_owned),
        out_millis: out.map(|out| out.as_millis() as u64),
        requests: u64::from(standing.in_flight),
        waiting: reading.waiting as u64,
        latency_micros: standing.latency.map(|it| it.as_micros() as u64),
        ejections: standing.ejections,
        checks_failed: reading.checks_failed,
        weight: standing.weight,
    }
}

fn word(cause: Cause) -> &'static str {
    match cause {
        Cause::Rest => "rest",
        Cause::Breaker => "breaker",
        Cause::Ejection => "ejection",
    }
}

/// The routes in Redis, of which these have been used, and so many are left out.
pub(super) fn in_redis(
    now: &RoutesSnapshot,
    (used, used_left_out): (Vec<RouteTold>, u64),
) -> RoutesInRedis {
    RoutesInRedis {
        is_up: now.is_up,
        known: now.known,
        absent: now.absent,
        wrong: now.wrong_now,
        changes: now.told,
        used,
        used_left_out,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes(members: &[usize]) -> Vec<RouteTold> {
        let route = |members: &usize| RouteTold {
            members: vec![MemberTold::default(); *members],
            ..RouteTold::default()
        };
        members.iter().map(route).collect()
    }

    #[test]
    fn what_is_told_of_routes_in_redis_is_bounded() {
        let check = |members: &[usize], told: usize| assert_eq!(within(&routes(members)), told);
        check(&[], 0);
        check(&[1; ROUTES_TOLD_MAX], ROUTES_TOLD_MAX);
        check(&[1; ROUTES_TOLD_MAX + 1], ROUTES_TOLD_MAX);
        check(&[256; 4], 4);
        check(&[256, 256, 256, 256, 1], 4);
    }
}
