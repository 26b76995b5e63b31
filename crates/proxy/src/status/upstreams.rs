//! The routes of the file and their members.

use tokio::time::Instant;

use super::{MemberTold, RouteTold, RoutesInRedis};
use crate::gateway::Gateway;
use crate::route::{Lane, RoutesSnapshot};
use crate::upstream::{Cause, MemberReading, State};

/// Routes that are told of.
pub const ROUTES_TOLD_MAX: usize = 256;

/// The routes of the file, and how many are left out.
pub(super) fn routes(gateway: &Gateway) -> (Vec<RouteTold>, u64) {
    let lanes: Vec<_> = gateway.lanes().collect();
    let left_out = lanes.len().saturating_sub(ROUTES_TOLD_MAX) as u64;
    let mut told: Vec<_> = lanes.iter().take(ROUTES_TOLD_MAX).map(|lane| route(lane)).collect();
    told.sort_by(|one, other| one.name.cmp(&other.name));
    (told, left_out)
}

fn route(lane: &Lane) -> RouteTold {
    let readings = lane.upstream().map(|upstream| upstream.readings()).unwrap_or_default();
    let now = Instant::now();
    RouteTold {
        name: lane.name.to_string(),
        host: lane.route.host.to_string(),
        path: lane.route.path_prefix.clone(),
        members: readings.iter().map(|reading| member(reading, now)).collect(),
    }
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

pub(super) fn in_redis(now: &RoutesSnapshot) -> RoutesInRedis {
    RoutesInRedis {
        is_up: now.is_up,
        known: now.known,
        absent: now.absent,
        wrong: now.wrong_now,
        changes: now.told,
    }
}
