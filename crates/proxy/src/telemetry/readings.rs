//! What the cache and the server count themselves, as `/metrics` tells it.

use std::fmt::Write;
use std::sync::atomic::Ordering::Relaxed;

use forebay_cache::mechanism::Snapshot;

use super::metrics::{write_head, write_single};
use crate::server::{RefusalReason, ServerStats};

pub(super) const COUNTER: &str = "counter";
pub(super) const GAUGE: &str = "gauge";

/// A value that is read when somebody asks, and how it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Its name.
    pub name: &'static str,
    /// What it says, as a sentence.
    pub help: &'static str,
    /// Its type in Prometheus's terms.
    pub kind: &'static str,
    /// What it is now.
    pub value: u64,
}

/// Name, help, kind, and where the value stands.
type Row<T> = (&'static str, &'static str, &'static str, fn(&T) -> u64);

impl Reading {
    /// A value that goes up and down.
    pub fn gauge(name: &'static str, help: &'static str, value: u64) -> Self {
        Reading { name, help, kind: GAUGE, value }
    }

    /// A value that only grows.
    pub fn counter(name: &'static str, help: &'static str, value: u64) -> Self {
        Reading { name, help, kind: COUNTER, value }
    }

    /// All that the cache counts.
    pub fn of_cache(now: &Snapshot) -> impl Iterator<Item = Reading> + '_ {
        read(CACHE, now)
    }

    /// All that the server counts.
    pub fn of_server(now: &ServerStats) -> impl Iterator<Item = Reading> + '_ {
        read(SERVER, now)
    }
}

fn read<'a, T>(rows: &'static [Row<T>], now: &'a T) -> impl Iterator<Item = Reading> + 'a {
    rows.iter().map(|&(name, help, kind, value)| Reading { name, help, kind, value: value(now) })
}

const CACHE: &[Row<Snapshot>] = &[
    ("forebay_memory_bytes", "Bytes that memory holds, overhead counted.", GAUGE, |now| {
        now.memory_bytes
    }),
    ("forebay_memory_entries", "Entries that memory holds.", GAUGE, |now| now.entries),
    ("forebay_body_bytes", "Body bytes alive: kept, arriving or still read.", GAUGE, |now| {
        now.body_bytes
    }),
    ("forebay_memory_hits_total", "Look-ups that memory answered.", COUNTER, |now| now.memory_hits),
    ("forebay_memory_inserts_total", "Entries taken into memory.", COUNTER, |now| now.inserts),
    ("forebay_memory_refused_total", "Entries too large for memory.", COUNTER, |now| now.refused),
    ("forebay_memory_evicted_total", "Entries evicted for want of room.", COUNTER, |now| {
        now.evicted
    }),
    ("forebay_memory_expired_total", "Entries reclaimed after their time.", COUNTER, |now| {
        now.expired
    }),
    ("forebay_flights", "Fetches that several requests may share, now.", GAUGE, |now| now.flights),
    ("forebay_flights_led_total", "Fetches led.", COUNTER, |now| now.led),
    ("forebay_flights_followed_total", "Requests that shared another's fetch.", COUNTER, |now| {
        now.followed
    }),
    ("forebay_flights_declined_total", "Fetches that were not shareable.", COUNTER, |now| {
        now.declined
    }),
    (
        "forebay_flights_abandoned_total",
        "Fetches that failed for all who waited.",
        COUNTER,
        |now| now.abandoned,
    ),
    (
        "forebay_flights_timed_out_total",
        "Requests that waited too long for another's fetch.",
        COUNTER,
        |now| now.timed_out,
    ),
    (
        "forebay_flights_unshared_total",
        "Requests for keys known as not shareable.",
        COUNTER,
        |now| now.unshared,
    ),
    (
        "forebay_bodies_windowed_total",
        "Bodies that outgrew their bound and passed through.",
        COUNTER,
        |now| now.windowed,
    ),
];

const SERVER: &[Row<ServerStats>] = &[
    ("forebay_connections", "Client connections, now.", GAUGE, |now| {
        now.connections_open.load(Relaxed)
    }),
    ("forebay_connections_total", "Client connections accepted.", COUNTER, |now| {
        now.connections_accepted.load(Relaxed)
    }),
    ("forebay_connections_h2_total", "Client connections that spoke HTTP/2.", COUNTER, |now| {
        now.connections_h2.load(Relaxed)
    }),
    ("forebay_connections_h3_total", "Client connections that spoke HTTP/3.", COUNTER, |now| {
        now.connections_h3.load(Relaxed)
    }),
    ("forebay_accepts_failed_total", "Accepts that failed.", COUNTER, |now| {
        now.accepts_failed.load(Relaxed)
    }),
    ("forebay_requests", "Exchanges under way, now.", GAUGE, |now| {
        now.exchanges_open.load(Relaxed)
    }),
    ("forebay_requests_total", "Requests whose head was accepted.", COUNTER, |now| {
        now.requests.load(Relaxed)
    }),
    ("forebay_panics_total", "Exchanges that ended in a panic.", COUNTER, |now| {
        now.panics.load(Relaxed)
    }),
    ("forebay_answers_cut_total", "Answers whose client went or stalled.", COUNTER, |now| {
        now.answers_cut.load(Relaxed)
    }),
    ("forebay_answers_broken_total", "Answers whose body broke on its way.", COUNTER, |now| {
        now.answers_broken.load(Relaxed)
    }),
    ("forebay_clients_gone_total", "Clients that left before their answer.", COUNTER, |now| {
        now.clients_gone.load(Relaxed)
    }),
    (
        "forebay_h2_stalls_total",
        "HTTP/2 connections closed as nobody took an answer.",
        COUNTER,
        |now| now.stalls.load(Relaxed),
    ),
    ("forebay_h2_floods_total", "HTTP/2 connections closed for too many resets.", COUNTER, |now| {
        now.floods.load(Relaxed)
    }),
    ("forebay_h3_stalls_total", "HTTP/3 streams reset as nobody took an answer.", COUNTER, |now| {
        now.h3_stalls.load(Relaxed)
    }),
    ("forebay_h3_floods_total", "HTTP/3 connections closed for too many resets.", COUNTER, |now| {
        now.h3_floods.load(Relaxed)
    }),
];

/// How many requests were refused before they were any, by reason.
pub fn write_refused(text: &mut String, now: &ServerStats) {
    let rows = RefusalReason::ALL.map(|reason| (reason.label(), now.refused(reason)));
    let help = "Requests that broke the rules of HTTP or a bound.";
    write_labelled(text, "forebay_requests_refused_total", help, "reason", &rows);
}

/// How many addresses were not connected to, by reason.
pub fn write_destinations(text: &mut String, refused: &[(&str, u64)]) {
    let help = "Addresses of origins that were not connected to.";
    write_labelled(text, "forebay_destinations_refused_total", help, "reason", refused);
}

/// Single numbers, one after the other.
pub(super) fn write_rows(text: &mut String, rows: &[Reading]) {
    for row in rows {
        write_single(text, row.name, row.help, row.kind, row.value);
    }
}

/// A counter by the values of one label.
pub(super) fn write_labelled(
    text: &mut String,
    name: &str,
    help: &str,
    label: &str,
    rows: &[(&str, u64)],
) {
    write_head(text, name, help, COUNTER);
    for (value, count) in rows {
        let _ = writeln!(text, "{name}{{{label}=\"{value}\"}} {count}");
    }
}
