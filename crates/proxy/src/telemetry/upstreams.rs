//! What upstreams count, and how their members stand, as `/metrics` tells it.

use std::fmt::Write;

use super::metrics::{write_head, write_single};
use super::readings::{COUNTER, GAUGE};
use crate::upstream::{Event, MemberReading, State, counted};

/// Members of which metrics tell one by one, in the order of the routes.
pub const MEMBERS_TOLD_MAX: usize = 1024;

/// Name, help and kind of a metric, and where its value stands.
type Row = (&'static str, &'static str, &'static str, fn(&MemberReading) -> u64);

const MEMBER: &[Row] = &[
    ("forebay_member_up", "1 while the member is in the usual choice.", GAUGE, |member| {
        u64::from(member.standing.state == State::Up)
    }),
    ("forebay_member_requests", "Requests that the member has, now.", GAUGE, |member| {
        u64::from(member.standing.in_flight)
    }),
    ("forebay_member_waiting", "Requests that wait for the member, now.", GAUGE, |member| {
        member.waiting as u64
    }),
    (
        "forebay_member_ejections_total",
        "Times that the member was left out, as it failed.",
        COUNTER,
        |member| member.standing.ejections,
    ),
    (
        "forebay_member_checks_failed_total",
        "Health checks that the member failed.",
        COUNTER,
        |member| member.checks_failed,
    ),
];

fn explained(event: Event) -> (&'static str, &'static str) {
    match event {
        Event::Retried => ("forebay_upstream_retries_total", "Requests tried on a further member."),
        Event::RetryRefused => (
            "forebay_upstream_retries_refused_total",
            "Requests not tried further, as too many were.",
        ),
        Event::Queued => {
            ("forebay_upstream_queued_total", "Requests that waited for a full member.")
        }
        Event::QueueRefused => (
            "forebay_upstream_queue_refused_total",
            "Requests refused, as all members and their queues were full.",
        ),
        Event::Nobody => {
            ("forebay_upstream_nobody_total", "Requests for which no member could be asked.")
        }
        Event::CheckFailed => ("forebay_health_checks_failed_total", "Health checks that failed."),
    }
}

/// What all upstreams count, and how the members of these routes stand.
pub fn write_upstreams<'a>(
    text: &mut String,
    routes: impl Iterator<Item = (&'a str, Vec<MemberReading>)>,
) {
    for event in Event::ALL {
        let (name, help) = explained(event);
        write_single(text, name, help, COUNTER, counted(event));
    }
    let members = routes.flat_map(|(route, readings)| {
        let route = escaped(route);
        readings.into_iter().map(move |reading| {
            (format!("route=\"{route}\",member=\"{}\"", escaped(&reading.name)), reading)
        })
    });
    let told: Vec<(String, MemberReading)> = members.take(MEMBERS_TOLD_MAX).collect();
    for (name, help, kind, value) in MEMBER {
        write_head(text, name, help, kind);
        for (labels, reading) in &told {
            let _ = writeln!(text, "{name}{{{labels}}} {}", value(reading));
        }
    }
}

/// A label's value, as the text form has it.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_leave_its_quotes() {
        assert_eq!(escaped("a\"b\\c\nd"), "a\\\"b\\\\c\\nd");
    }

    #[test]
    fn each_event_has_a_name_of_its_own() {
        let mut text = String::new();
        write_upstreams(&mut text, std::iter::empty());
        for event in Event::ALL {
            let head = format!("# TYPE {} counter\n", explained(event).0);
            assert_eq!(text.matches(&head).count(), 1, "{event:?}");
        }
    }
}
