//! What became of requests, and how long it took.

use std::sync::atomic::Ordering::Relaxed;

use super::{Clients, Counted, Latency, Reason, Traffic};
use crate::record::Outcome;
use crate::server::{RefusalReason, ServerStats};
use crate::telemetry::{BUCKETS_MICROS, Distribution, Totals};

pub(super) fn traffic(now: &Totals) -> Traffic {
    let of = |outcome: Outcome| now.exchanges[outcome.place()].iter().sum::<u64>();
    let requests: u64 = Outcome::ALL.iter().map(|outcome| of(*outcome)).sum();
    let hits = of(Outcome::Hit) + of(Outcome::Stale);
    let results = Outcome::ALL.iter().map(|outcome| counted(outcome.word(), of(*outcome)));
    let class = |class: usize| now.exchanges.iter().map(|row| row[class]).sum();
    let statuses = (1..6).map(|digit| counted(&format!("{digit}xx"), class(digit)));
    Traffic {
        requests,
        hits,
        hit_ratio: (requests > 0).then(|| hits as f64 / requests as f64),
        results: results.collect(),
        statuses: statuses.collect(),
        body_bytes: now.body_bytes,
        origin_requests: now.origin_requests,
        origin_saved: hits + of(Outcome::Collapsed),
        origin_failures: now
            .origin_failures
            .iter()
            .map(|(it, count)| counted(it, *count))
            .collect(),
        refreshes: now.refreshes,
    }
}

pub(super) fn latency(now: &Distribution) -> Latency {
    Latency {
        count: now.count(),
        sum_micros: now.sum_micros,
        p50_micros: now.quantile(0.5),
        p90_micros: now.quantile(0.9),
        p99_micros: now.quantile(0.99),
        ends_micros: BUCKETS_MICROS.to_vec(),
        counts: now.counts.clone(),
    }
}

pub(super) fn reasons(now: &Totals) -> Vec<Reason> {
    let told = |(result, detail, count): &(&str, &str, u64)| Reason {
        result: (*result).to_owned(),
        detail: (*detail).to_owned(),
        count: *count,
    };
    let mut reasons: Vec<Reason> = now.reasons.iter().map(told).collect();
    reasons.sort_by_key(|reason| std::cmp::Reverse(reason.count));
    reasons
}

pub(super) fn clients(now: &ServerStats, flights: u64) -> Clients {
    let refused = RefusalReason::ALL.iter().map(|reason| (reason.label(), now.refused(*reason)));
    let refused = refused.filter(|(_, count)| *count > 0);
    Clients {
        connections: now.connections_open.load(Relaxed),
        exchanges: now.exchanges_open.load(Relaxed),
        flights,
        refused: refused.map(|(word, count)| counted(word, count)).collect(),
        panics: now.panics.load(Relaxed),
    }
}

fn counted(word: &str, count: u64) -> Counted {
    Counted { word: word.to_owned(), count }
}
