//! The table `purge`: how long purges may go unheard, what is done then, and who may purge where
//! clients are accepted.

use std::ops::RangeInclusive;
use std::time::Duration;

use http::HeaderName;

use super::fields;
use super::problem::Problem;
use super::raw::{Placed, Section, count, said, span, word};
use super::words::{networks, secret};
use super::{Network, RedisServers, RedisSettings};

/// How purges are kept and heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PurgeSettings {
    /// How long a node that hears nothing of purges trusts what it has.
    pub doubt_after: Duration,
    /// What it does after that.
    pub in_doubt: InDoubt,
    /// Rules that are known at once; beyond it the oldest leave, and what is older than they were
    /// is validated.
    pub rules_max: usize,
    /// Purges that the log holds, so that nodes can catch up.
    pub log_max: usize,
    /// Replicas of Redis that must have a purge before it is in force.
    pub replicas: u32,
    /// Entries that one purge with a refresh fetches again.
    pub refresh_max: usize,
    /// Who may say `PURGE` where clients are accepted; nobody unless this is there.
    pub public: Option<PublicPurge>,
}

/// What a node does that hears nothing of purges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InDoubt {
    /// It validates what it has not validated within the bound; what cannot be validated may stand
    /// in for an error, as ever.
    Validate,
    /// It validates, and what is not validated answers nothing.
    Strict,
    /// It trusts what it has.
    Serve,
}

/// Who may say `PURGE` where clients are accepted: peers, or who knows the secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicPurge {
    /// Peers that may; with a secret, they must know it as well.
    pub peers: Vec<Network>,
    /// The request field and what it must say.
    pub secret: Option<(HeaderName, String)>,
}

impl Default for PurgeSettings {
    fn default() -> Self {
        PurgeSettings {
            doubt_after: Duration::from_secs(2),
            in_doubt: InDoubt::Validate,
            rules_max: 100_000,
            log_max: 100_000,
            replicas: 0,
            refresh_max: 100,
            public: None,
        }
    }
}

const IN_DOUBT: &[(&str, InDoubt)] =
    &[("validate", InDoubt::Validate), ("strict", InDoubt::Strict), ("serve", InDoubt::Serve)];

/// Shorter than two beats of a node's heart, it would be in doubt whenever one is late.
const DOUBT: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3600);

/// Reads the table.
pub(super) fn read(root: &mut Section<'_>, redis: Option<&RedisSettings>) -> PurgeSettings {
    let mut settings = PurgeSettings::default();
    let Some(mut table) = root.section("purge") else { return settings };
    table.set("doubt_after", span(DOUBT), &mut settings.doubt_after);
    table.set("in_doubt", word(IN_DOUBT), &mut settings.in_doubt);
    table.set("rules_max", count(1_000..=10_000_000), &mut settings.rules_max);
    table.set("log_max", count(1_000..=1_000_000), &mut settings.log_max);
    table.set("refresh_max", count(0..=10_000), &mut settings.refresh_max);
    let replicas = table.read("replicas", count(0..=100));
    refuse_replicas_of_a_cluster(&table, &replicas, redis);
    settings.replicas = replicas.map_or(settings.replicas, |replicas| replicas.value as u32);
    settings.public = public(&mut table);
    table.finish();
    settings
}

/// `WAIT` holds up the connection on which it is said and counts what was written there. In a cluster
/// the connection to a primary may be another one meanwhile, and would say well of nothing.
fn refuse_replicas_of_a_cluster(
    table: &Section<'_>,
    replicas: &Option<Placed<usize>>,
    redis: Option<&RedisSettings>,
) {
    let Some(replicas) = replicas.as_ref().filter(|replicas| replicas.value > 0) else { return };
    if redis.is_some_and(|redis| matches!(redis.servers, RedisServers::Cluster(_))) {
        let message = format!("`replicas` cannot be `{}` with a Redis Cluster", replicas.value);
        let help = "leave it out, and set `min-replicas-to-write` in Redis itself";
        let place = replicas.place.clone();
        table.findings().add(Problem { message, help: Some(help.to_owned()), place });
    }
}

/// Whoever may purge may empty the cache, so nobody may who is not named.
fn public(table: &mut Section<'_>) -> Option<PublicPurge> {
    let is_field_said = table.value("field").is_some();
    let is_secret_said = table.value("secret").is_some();
    let peers = networks(table, "peers");
    let field = table.read("field", said(fields::request_field)).map(|field| field.value);
    let secret = table.read("secret", said(secret)).map(|secret| secret.value);
    if is_field_said != is_secret_said {
        let message = match is_field_said {
            true => "`purge` has a `field` and no `secret` that it must say",
            false => "`purge` has a `secret` and no `field` to say it in",
        };
        table.findings().add(Problem::at(table.place(), message));
    }
    if peers.as_ref().is_some_and(Vec::is_empty) && !is_secret_said {
        let message = "`peers` is empty: nobody may purge, as without it";
        table.findings().add(Problem::at(table.place(), message));
    }
    let secret = field.zip(secret);
    let is_said = peers.is_some() || secret.is_some();
    is_said.then(|| PublicPurge { peers: peers.unwrap_or_default(), secret })
}
