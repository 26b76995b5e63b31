//! Why a request would be answered as it would, now, by this node: what lies where, what is said of
//! it, and what would happen. Nothing is fetched, promoted or reclaimed.

use std::sync::Arc;

use forebay_cache::mechanism::{Found, Key, Verdict};
use forebay_semantics::coding::Coding;
use forebay_semantics::request::{Lookup, lookup};
use forebay_semantics::reuse::{Reuse, reuse};
use forebay_semantics::status::{CacheStatus, Forward, Source};
use forebay_semantics::{Standing, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::ask::Ask;
use crate::compress::{self, Form};
use crate::config::text::in_time;
use crate::gateway::Gateway;
use crate::kept::{Kept, KeptEntry, KeptResponse, coded_key, variant_key};

/// Bytes of a key that are shown.
const KEY_BYTES_SHOWN: usize = 1_024;

/// What one node says of one request.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Why {
    /// The node.
    pub node: String,
    /// The URL, as the key has it.
    pub url: String,
    /// The route.
    pub route: String,
    /// The cache key, its bytes escaped.
    pub key: String,
    /// What would be in `Cache-Status`, but for what only the origin can say.
    pub cache_status: String,
    /// What would happen and why, in one sentence.
    pub because: String,
    /// Whether purges have not been heard of for the bound.
    pub in_doubt: bool,
    /// The newest purge that the node has applied.
    pub epoch: u64,
    /// What lies under the key.
    pub found: Vec<Lying>,
}

/// What a tier holds.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Lying {
    /// The tier.
    pub tier: String,
    /// A response, the index of variants, or a coded form of a response.
    pub kind: String,
    /// The coding of a form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coding: Option<String>,
    /// Bytes of a form; none at all where it would not be shorter than what it is a form of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_bytes: Option<u64>,
    /// How many variants an index knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variants: Option<usize>,
    /// Whether it fits the request, as far as `Vary` goes; of a form, whether it is one of a response
    /// that lies there.
    pub fits: bool,
    /// Its status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Seconds since it was made or validated at the origin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age: Option<u64>,
    /// Seconds that it is fresh in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<u64>,
    /// Seconds that it may be served stale while it is refreshed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale_while_revalidate: Option<u64>,
    /// Seconds that it may be served stale in place of an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale_if_error: Option<u64>,
    /// The newest purge that was known when it was fetched.
    pub epoch: u64,
    /// What purges say of it.
    pub purged: String,
    /// Its tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

/// What this node says of a request.
pub async fn why(gateway: &Gateway, ask: &Ask) -> Why {
    let now = gateway.now();
    let mut survey = Survey { gateway, ask, now, found: Vec::new(), best: Best::Nothing };
    survey.look().await;
    let Survey { found, best, .. } = survey;
    let (said, because) = judged(gateway, ask, &best, now);
    let mut status = Vec::new();
    said.write(&mut status);
    let purges = gateway.storage().log.purges().snapshot(Instant::now());
    Why {
        node: gateway.storage().node_name().to_owned(),
        url: ask.url(),
        route: ask.lane.name.to_string(),
        key: ask.key[..ask.key.len().min(KEY_BYTES_SHOWN)].escape_ascii().to_string(),
        cache_status: String::from_utf8_lossy(&status).into_owned(),
        because,
        in_doubt: purges.trust == forebay_cache::mechanism::Trust::Doubt,
        epoch: purges.position.number,
        found,
    }
}

/// What lies where, as far as it was looked.
struct Survey<'a> {
    gateway: &'a Gateway,
    ask: &'a Ask,
    now: Timestamp,
    found: Vec<Lying>,
    best: Best,
}

impl Survey<'_> {
    async fn look(&mut self) {
        let primary = Key::from(self.ask.key.as_slice());
        let mut variants: Vec<Key> = Vec::new();
        for lying in self.look_at(&primary).await {
            let Some(index) = lying.entry.head().variants() else { continue };
            match index.choose(&self.ask.fields).map(|it| variant_key(&self.ask.key, it.id())) {
                // Tiers may know of different ones.
                Some(key) if variants.contains(&key) => {}
                Some(key) => variants.push(key),
                None => {
                    self.better(|best, it| best.or_no_variant(it.gateway, it.ask, &lying.entry))
                }
            }
        }
        for key in variants {
            self.look_at(&key).await;
        }
    }

    /// What lies under a key, and the coded forms of that.
    async fn look_at(&mut self, key: &Key) -> Vec<Found<Kept>> {
        let all = self.gateway.cache().survey(key).await;
        for lying in &all {
            self.found.push(line(self.gateway, self.ask, &lying.entry, lying.tier, self.now));
            if lying.entry.head().response().is_some() {
                self.better(|best, it| best.or(it.gateway, it.ask, &lying.entry, lying.tier));
            }
        }
        let responses: Vec<_> = all.iter().filter_map(|it| it.entry.head().response()).collect();
        if !responses.is_empty() && !self.ask.lane.route.compress.codings.is_empty() {
            self.look_for_forms(key, &responses).await;
        }
        all
    }

    async fn look_for_forms(&mut self, key: &Key, responses: &[&KeptResponse]) {
        for coding in Coding::ALL {
            for lying in self.gateway.cache().survey(&coded_key(key.as_bytes(), coding)).await {
                let mut line = line(self.gateway, self.ask, &lying.entry, lying.tier, self.now);
                line.coding = Some(coding.word().to_owned());
                line.body_bytes = lying.entry.body().len_known();
                line.fits = responses.iter().any(|it| lying.entry.head().is_form_of(it));
                self.found.push(line);
            }
        }
    }

    fn better(&mut self, than: impl FnOnce(Best, &Self) -> Best) {
        let best = std::mem::replace(&mut self.best, Best::Nothing);
        self.best = than(best, self);
    }
}

/// The best of what was found.
enum Best {
    Nothing,
    /// All of it is dead; the number of the purge that killed the first.
    Purged(u64),
    /// An index of so many variants, none of which fits.
    NoVariant(usize),
    /// A response that fits, in this tier.
    Response(KeptEntry, &'static str, Standing),
}

impl Best {
    fn or(self, gateway: &Gateway, ask: &Ask, entry: &KeptEntry, tier: &'static str) -> Self {
        if let Best::Response(..) = self {
            return self;
        }
        match gateway.standing(entry, &ask.key, Instant::now()) {
            Some(standing) => Best::Response(Arc::clone(entry), tier, standing),
            None => self.or_killed(gateway, ask, entry),
        }
    }

    fn or_no_variant(self, gateway: &Gateway, ask: &Ask, index: &KeptEntry) -> Self {
        let count = index.head().variants().map_or(0, |variants| variants.iter().count());
        match (&self, gateway.cache().judge(index, &ask.key)) {
            (Best::Response(..), _) => self,
            (_, Verdict::Gone { .. }) => self.or_killed(gateway, ask, index),
            (_, Verdict::Alive | Verdict::Stale { .. } | Verdict::Unproven) => {
                Best::NoVariant(count)
            }
        }
    }

    fn or_killed(self, gateway: &Gateway, ask: &Ask, entry: &KeptEntry) -> Self {
        match (&self, gateway.cache().judge(entry, &ask.key)) {
            (Best::Nothing, Verdict::Gone { by }) => Best::Purged(by),
            (_, _) => self,
        }
    }
}

fn line(
    gateway: &Gateway,
    ask: &Ask,
    entry: &KeptEntry,
    tier: &'static str,
    now: Timestamp,
) -> Lying {
    let mut line = Lying {
        tier: tier.to_owned(),
        kind: String::new(),
        coding: None,
        body_bytes: None,
        variants: None,
        fits: true,
        status: None,
        age: None,
        lifetime: None,
        stale_while_revalidate: None,
        stale_if_error: None,
        epoch: entry.epoch().number(),
        purged: purged(gateway.cache().judge(entry, &ask.key), now),
        tags: Vec::new(),
    };
    match entry.head() {
        Kept::Variants(variants) => {
            line.kind = "variants".to_owned();
            line.variants = Some(variants.iter().count());
            line.fits = variants.choose(&ask.fields).is_some();
        }
        // What it is a form of is known to who looked for it.
        Kept::Coded(_) => line.kind = "coded".to_owned(),
        Kept::Response(response) => describe(&mut line, response, ask, now),
    }
    line
}

fn describe(line: &mut Lying, response: &KeptResponse, ask: &Ask, now: Timestamp) {
    let (stored, policy) = (&response.stored, &ask.lane.route.policy);
    line.kind = "response".to_owned();
    line.fits = response.fits(&ask.fields);
    line.status = Some(stored.status().as_u16());
    line.age = Some(stored.age(now).as_secs());
    line.lifetime = Some(stored.lifetime().as_secs());
    line.stale_while_revalidate = Some(stored.revalidate_window(policy).as_secs());
    line.stale_if_error = Some(stored.error_window(policy).as_secs());
    line.tags = stored.tags().iter().map(|tag| tag.name.to_owned()).collect();
}

fn purged(verdict: Verdict, now: Timestamp) -> String {
    match verdict {
        Verdict::Alive => "no".to_owned(),
        Verdict::Gone { by } => format!("by purge {by}"),
        Verdict::Stale { since, by } => {
            let ago = now.since(crate::kept::moment(since));
            format!("softly by purge {by}, {} ago", seconds(ago.as_secs()))
        }
        Verdict::Unproven => "perhaps: a purge of it may have been missed".to_owned(),
    }
}

/// What would be said and why.
fn judged(
    gateway: &Gateway,
    ask: &Ask,
    best: &Best,
    now: Timestamp,
) -> (CacheStatus<'static>, String) {
    let forward = |forward, detail| CacheStatus {
        detail,
        ..CacheStatus::new(gateway.name(), Source::Forward(forward))
    };
    if let Lookup::Pass(reason) = lookup(&ask.asked) {
        let said = forward(reason.forward(), Some(reason.detail()));
        return (said, "it would be passed to the origin: its method is not answered".to_owned());
    }
    let (entry, tier, standing) = match best {
        Best::Response(entry, tier, standing) => (entry, *tier, standing),
        Best::Nothing => {
            let words = "it would be fetched: nothing is stored under this key";
            return (forward(Forward::UriMiss, None), words.to_owned());
        }
        Best::Purged(by) => {
            let words = format!("it would be fetched: purge {by} killed what was stored");
            return (forward(Forward::UriMiss, Some("purged")), words);
        }
        Best::NoVariant(count) => {
            let words = format!("it would be fetched: none of {count} stored variants fits it");
            return (forward(Forward::VaryMiss, None), words);
        }
    };
    let Some(response) = entry.head().response() else {
        return (forward(Forward::Miss, None), "it would be fetched".to_owned());
    };
    let policy = &ask.lane.route.policy;
    let own = response.stored.ttl_seconds(now);
    let ttl = standing.ttl_seconds(own, now);
    let detail = (tier != "memory").then_some(tier);
    let hit =
        CacheStatus { ttl: Some(ttl), detail, ..CacheStatus::new(gateway.name(), Source::Hit) };
    match reuse(&ask.asked, &response.stored, policy, standing, now) {
        Reuse::Serve => {
            let words = match ttl {
                1.. => format!("fresh for {} more", seconds(ttl.unsigned_abs())),
                _ => "stale, which the client accepts".to_owned(),
            };
            let form = form(gateway, ask, entry, response);
            (hit, format!("it would be served from {tier}{form}: {words}"))
        }
        Reuse::ServeAndRefresh(why) => {
            let (form, ago) = (form(gateway, ask, entry, response), seconds(ttl.unsigned_abs()));
            let words = format!(
                "it would be served from {tier}{form}, stale for {ago}, and refreshed behind the \
                 answer"
            );
            (CacheStatus { detail: Some(why.detail()), ..hit }, words)
        }
        Reuse::Revalidate(why) => {
            let words = format!("it would be validated with the origin first: {}", why.words());
            (CacheStatus { ttl: Some(ttl), ..forward(why.forward(), Some(why.detail())) }, words)
        }
        Reuse::Refuse => {
            let said = CacheStatus {
                detail: Some("only-if-cached"),
                ..CacheStatus::new(gateway.name(), Source::Own)
            };
            (said, "it would be refused: it wants nothing from the origin".to_owned())
        }
    }
}

/// In which form it would be served, where that is a coded one or is to be.
fn form(gateway: &Gateway, ask: &Ask, entry: &KeptEntry, response: &KeptResponse) -> String {
    match compress::form(gateway, ask, entry, response) {
        Form::AsStored => String::new(),
        Form::Coded(coding) => format!(" in {}", coding.word()),
        Form::ToBeCoded(coding) => {
            format!(" as it is stored, and its {} form made behind the answer", coding.word())
        }
    }
}

fn seconds(seconds: u64) -> String {
    in_time(std::time::Duration::from_secs(seconds))
}
