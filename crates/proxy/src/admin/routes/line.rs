//! One route, as it is told.

use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::route::{RouteLine, RouteSource, RouteState};
use crate::telemetry::rfc3339;

/// A line as JSON.
pub(super) fn value(line: &RouteLine) -> Value {
    let (state, why) = match &line.state {
        RouteState::Good => ("good", None),
        RouteState::LastGood { why } => ("last-good", Some(why)),
        RouteState::Wrong { why } => ("wrong", Some(why)),
        RouteState::Absent => ("absent", None),
    };
    let from = match line.from {
        RouteSource::Redis => "redis",
        RouteSource::Disk => "disk",
    };
    let since = rfc3339(UNIX_EPOCH + Duration::from_millis(line.since.unix_millis()));
    let mut value = json!({
        "host": line.host,
        "key": line.key,
        "value": line.value,
        "state": state,
        "from": from,
        "since": since,
    });
    if let Some(why) = why {
        value["why"] = json!(why);
    }
    value
}
