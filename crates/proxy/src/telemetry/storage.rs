//! What the disk, the way to Redis and the leases count, as `/metrics` tells it.

use forebay_cache::disk::DiskSnapshot;
use forebay_cache::redis::{LeaseSnapshot, LinkSnapshot, LinkState, RedisTierSnapshot};

use super::readings::{Reading, write_labelled, write_rows};

/// What the disk counts.
pub fn write_disk(text: &mut String, now: &DiskSnapshot) {
    let rows = [
        Reading::gauge("forebay_disk_objects", "Entries on the disk.", now.objects),
        Reading::gauge("forebay_disk_bytes", "Bytes of all files of the disk tier.", now.bytes),
        Reading::gauge("forebay_disk_max_bytes", "The bound of the disk tier.", now.bytes_max),
        Reading::gauge("forebay_disk_index_bytes", "Its index in memory.", now.index_bytes),
        Reading::gauge(
            "forebay_disk_paused",
            "1 while writing rests after a failure.",
            now.paused.into(),
        ),
        Reading::counter("forebay_disk_evicted_total", "Entries evicted.", now.evicted),
        Reading::counter(
            "forebay_disk_carried_total",
            "Entries written anew, as they were used, when their segment went.",
            now.carried,
        ),
        Reading::counter("forebay_disk_expired_total", "Entries whose time was over.", now.expired),
        Reading::counter(
            "forebay_disk_purged_total",
            "Entries dropped for want of room before others, as they were purged.",
            now.purged,
        ),
        Reading::counter(
            "forebay_disk_damaged_total",
            "Records that did not read back as they were written.",
            now.damaged,
        ),
        Reading::counter("forebay_disk_write_errors_total", "Writes refused.", now.write_errors),
        Reading::counter("forebay_disk_read_errors_total", "Reads refused.", now.read_errors),
    ];
    write_rows(text, &rows);
    let reads = [("at-once", now.reads_at_once), ("behind", now.reads_behind)];
    let help = "Reads, from the page cache at once or on another thread.";
    write_labelled(text, "forebay_disk_reads_total", help, "how", &reads);
    let dropped = [
        ("busy", now.dropped_busy),
        ("streams", now.dropped_streams),
        ("slow", now.dropped_slow),
        ("paused", now.dropped_paused),
    ];
    let help = "Entries that the disk had no time or room for.";
    write_labelled(text, "forebay_disk_dropped_total", help, "reason", &dropped);
}

/// What is counted on the way to Redis, and of what lies there.
pub fn write_redis(text: &mut String, link: &LinkSnapshot, tier: &RedisTierSnapshot) {
    let is_up = u64::from(link.state == LinkState::Up);
    let rows = [
        Reading::gauge("forebay_redis_up", "1 while calls to Redis go through.", is_up),
        Reading::counter("forebay_redis_calls_total", "Calls to Redis.", link.calls),
        Reading::counter(
            "forebay_redis_breaker_openings_total",
            "Times that Redis was left alone for a while.",
            link.openings,
        ),
        Reading::counter("forebay_redis_connects_total", "Connections made.", link.connects),
        Reading::counter(
            "forebay_redis_values_incomplete_total",
            "Values of which a part was missing.",
            tier.incomplete,
        ),
        Reading::counter(
            "forebay_redis_values_compressed_total",
            "Values and parts stored compressed.",
            tier.compressed,
        ),
    ];
    write_rows(text, &rows);
    let failures = [
        ("failed", link.failed),
        ("late", link.late),
        ("unsent", link.unsent),
        ("connect", link.connects_failed),
    ];
    let help = "Calls to Redis that brought nothing, and failed connects.";
    write_labelled(text, "forebay_redis_failures_total", help, "reason", &failures);
    let damaged: Vec<_> = tier.damaged.iter().map(|(why, count)| (why.word(), *count)).collect();
    let help = "Values that did not read, by what is wrong with them.";
    write_labelled(text, "forebay_redis_values_damaged_total", help, "reason", &damaged);
}

/// What came of asking for leases.
pub fn write_leases(text: &mut String, now: &LeaseSnapshot) {
    let asked = [
        ("ours", now.ours),
        ("theirs", now.theirs),
        ("newer", now.newer),
        ("unshared", now.unshared),
        ("resting", now.resting),
        ("unreachable", now.unreachable),
        ("crowded", now.crowded),
    ];
    let help = "Questions whether to fetch for the cluster, by the answer.";
    write_labelled(text, "forebay_leases_total", help, "result", &asked);
    let ended = [("told", now.told), ("overdue", now.overdue), ("missed", now.missed)];
    let help = "Waits for another node's fetch, by how they ended.";
    write_labelled(text, "forebay_lease_waits_total", help, "result", &ended);
    let rows = [
        Reading::gauge("forebay_leases_held", "Leases held now.", now.held),
        Reading::counter(
            "forebay_leases_lost_total",
            "Leases that ended before their holder ended them.",
            now.lost,
        ),
    ];
    write_rows(text, &rows);
}
