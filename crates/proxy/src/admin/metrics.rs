//! All that is counted, as text.

use tokio::time::Instant;

use super::Life;
use crate::gateway::Gateway;
use crate::telemetry::{
    MEMBERS_TOLD_MAX, Reading, write_compression, write_destinations, write_disk, write_leases,
    write_process, write_purges, write_redis, write_refused, write_reloads, write_routes,
    write_tiers, write_tls, write_traces, write_upstreams,
};
use crate::upstream::Destinations;

/// The counters of a gateway that connects only there, in the form that Prometheus reads.
pub(super) fn text(gateway: &Gateway, destinations: &Destinations, life: &Life) -> String {
    let telemetry = gateway.telemetry();
    let bound = gateway.config().memory_bytes;
    let dropped = telemetry.access_log.dropped();
    let mut others = vec![
        Reading::gauge("forebay_memory_max_bytes", "The bound of the memory tier.", bound),
        Reading::counter(
            "forebay_access_log_dropped_total",
            "Access log lines dropped because the reader was behind.",
            dropped,
        ),
    ];
    let cache = gateway.cache().snapshot();
    others.extend(Reading::of_cache(&cache));
    others.extend(Reading::of_server(gateway.stats()));
    let mut text = telemetry.metrics.text(&others);
    write_refused(&mut text, gateway.stats());
    if let Some(reloader) = &life.reloader {
        write_reloads(&mut text, &reloader.told());
    }
    write_destinations(&mut text, &destinations.refused());
    let in_file = gateway.lanes();
    let in_file = in_file.filter_map(|lane| Some((&*lane.name, lane.upstream().ok()?.readings())));
    let used = gateway.routes().map_or(Vec::new(), |routes| routes.used(MEMBERS_TOLD_MAX));
    let in_redis = used.iter().filter_map(|lane| Some((&*lane.name, lane.made()?.readings())));
    write_upstreams(&mut text, in_file.chain(in_redis));
    write_tiers(&mut text, &cache);
    write_compression(&mut text, &gateway.storage().compressor);
    let log = &gateway.storage().log;
    let known = log.purges().snapshot(Instant::now());
    write_purges(&mut text, &known, &log.snapshot(), cache.purged);
    if let Some(disk) = gateway.storage().disk.as_ref().and_then(|disk| disk.snapshot()) {
        write_disk(&mut text, &disk);
    }
    if let Some(shared) = &gateway.storage().shared {
        write_redis(&mut text, &shared.link.snapshot(), &shared.tier.snapshot());
        write_leases(&mut text, &shared.leases.snapshot());
    }
    write_traces(&mut text, &telemetry.tracer);
    write_process(&mut text);
    if let Some(routes) = gateway.routes() {
        write_routes(&mut text, &routes.counts());
    }
    if let Some(tls) = gateway.tls() {
        write_tls(&mut text, tls);
    }
    text
}
