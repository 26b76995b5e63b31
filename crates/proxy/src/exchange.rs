//! The story of one request: looked up, judged, collapsed, fetched, answered.
//!
//! Read this file first. The rules that it asks are in `forebay-semantics`; what it acts on is the
//! cache, the upstreams and the client. A plain hit, from memory or from what the disk has at hand, is
//! answered by `glance` without a wait.

mod door;
mod glance;
mod refusals;
mod steps;

use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use forebay_cache::mechanism::{End, Ending, Flight, Follower, Joined, Purpose, Refresh};
use forebay_semantics::fields::Sought;
use forebay_semantics::request::{Credentials, Extent, Lookup, MethodClass, lookup};
use forebay_semantics::reuse::{Failing, Reuse, reuse, stale_on_failure};
use forebay_semantics::status::{CacheStatus, Detail, Forward, Source};
use forebay_semantics::{Standing, Timestamp};
use futures_util::future::Either;
use http::StatusCode;
use tokio::time::Instant;

use self::door::{Exchange, Exit};
use self::glance::{Glance, glance, hit};
use self::refusals::{BODY_CUT, ONLY_IF_CACHED, OWN_FAILURE};
use self::steps::{Course, Judged, Turn, Why};
use crate::answer::Answer;
use crate::ask::{Ask, AskedFor, Refusal, Unasked};
use crate::cluster::{self, Cleared};
use crate::config::Switch;
use crate::failure::FetchFailure;
use crate::fetch::{Errand, Fetch, Fetched};
use crate::forward::upgrade_wish;
use crate::gateway::Gateway;
use crate::kept::{self, Found, Kept, KeptEntry, Unfilled};
use crate::keyed_body::{self, Keyed};
use crate::pass;
use crate::purge::public;
use crate::redirect;
use crate::reply::Reply;
use crate::respond::{self, Unanswered};
use crate::route::Grounds;
use crate::seen::Seen;
use crate::server::{InformationalSender, Request, RequestBody};

/// How often a request looks again because what it waited for turned out not to fit it.
const LOOKS_MAX: usize = 4;

/// A range on a miss that begins within so many bytes is answered from a fetch of the whole, which
/// is kept; one that begins beyond is asked of the origin as it is.
const RANGE_BEGIN_MAX: u64 = 1 << 20;

/// Answers one request; at once where it need not wait.
fn exchange(gateway: Gateway, request: Request) -> Exchange {
    let began = Instant::now();
    let exit = match Exit::enter(gateway, &request, began) {
        Ok(exit) => exit,
        Err(refused) => return Either::Left(ready(*refused)),
    };
    if let Some(reply) = redirect::answered(exit.gateway(), &request) {
        return Either::Left(ready(exit.with(reply, None)));
    }
    if let Some(order) = public::ordered(exit.gateway(), &request) {
        return Either::Right(Box::pin(async move {
            let reply = public::purge(exit.gateway(), order).await;
            exit.with(reply, None)
        }));
    }
    match Ask::of(exit.gateway(), request, began, Grounds::Fresh) {
        Ok(asked_for) => routed(asked_for, exit),
        Err(Unasked::Refused(refusal)) => Either::Left(ready(exit.refused(refusal))),
        Err(Unasked::Unrouted(request, host)) => Either::Right(Box::pin(async move {
            match Ask::learned(exit.gateway(), *request, &host, began).await {
                Ok(asked_for) => routed(asked_for, exit).await,
                Err(refusal) => exit.refused(refusal),
            }
        })),
    }
}

/// Goes on where it is known where the request leads.
fn routed(mut asked_for: AskedFor, exit: Exit) -> Exchange {
    asked_for.ask.here = exit.here();
    let ask = &asked_for.ask;
    let exit = exit.on(ask);
    match glance(exit.gateway(), ask) {
        Glance::Hit(reply) => Either::Left(ready(exit.with(reply, Some(ask)))),
        Glance::Other(found) => Either::Right(go(asked_for, found, exit)),
    }
}

/// Answers everything that is no plain hit. Each way is in a box of its own size.
fn go(
    asked_for: AskedFor,
    found: Option<Found>,
    exit: Exit,
) -> Pin<Box<dyn Future<Output = Answer> + Send>> {
    let AskedFor { ask, body, informational: interim } = asked_for;
    let mut ask = Arc::new(ask);
    if ask.asked.present.has(Sought::Upgrade)
        && let Some(protocol) = upgrade_wish(&ask.method, ask.version, &ask.fields)
    {
        return Box::pin(async move {
            let reply = pass::tunnel(exit.gateway(), &ask, body, protocol).await;
            exit.with(reply, Some(&ask))
        });
    }
    match lookup(&ask.asked) {
        Lookup::Pass(reason) => Box::pin(async move {
            let why = (reason.forward(), reason.detail());
            let reply = pass::pass(exit.gateway(), &ask, body, why, interim).await;
            exit.with(reply, Some(&ask))
        }),
        Lookup::Look if ask.asked.method == MethodClass::Listed => Box::pin(async move {
            let reply = go_with_body(exit.gateway(), &mut ask, body, interim).await;
            exit.with(reply, Some(&ask))
        }),
        // The body of any other request is not part of its key, so it goes nowhere (fat GET).
        Lookup::Look => Box::pin(async move {
            let story = Story { gateway: exit.gateway(), ask: &ask, body: Bytes::new() };
            let reply = story.tell(found, interim).await;
            exit.with(reply, Some(&ask))
        }),
    }
}

/// Answers a request whose body is part of its key (P1.10).
async fn go_with_body(
    gateway: &Gateway,
    ask: &mut Arc<Ask>,
    body: RequestBody,
    interim: Option<InformationalSender>,
) -> Reply {
    match keyed_body::read(body, ask.lane.route.keyed_body_bytes_max).await {
        Keyed::Whole(body) => {
            let digest = keyed_body::digest(&ask.fields, &body);
            Arc::make_mut(ask).key_with_body(&digest);
            Story { gateway, ask, body }.tell(None, interim).await
        }
        Keyed::TooLarge(body) => {
            let why = (Forward::Bypass, Detail::KeyedBodyTooLarge.word());
            pass::pass_stream(gateway, ask, body, why, interim).await
        }
        Keyed::Cut => Reply::refused(gateway, BODY_CUT),
    }
}

/// A request that looks in the cache.
struct Story<'a> {
    gateway: &'a Gateway,
    ask: &'a Arc<Ask>,
    body: Bytes,
}

impl Story<'_> {
    /// From what was found already, if anything was looked for, to the reply.
    async fn tell(self, found: Option<Found>, interim: Option<InformationalSender>) -> Reply {
        match self.course(found).await {
            Course::Reply(reply) => *reply,
            Course::Lead(seen, why, flight) => {
                Box::pin(self.lead(seen, why, flight, interim)).await
            }
            Course::Alone(seen, why, errand) => self.alone(seen, why, errand, interim).await,
        }
    }

    /// Looks, judges, and joins those who want the same, until it is clear what to do.
    async fn course(&self, mut found: Option<Found>) -> Course {
        if self.ask.skips() {
            let why = (Forward::Bypass, Some(Detail::SkipField.word()));
            return Course::Alone(Seen::default(), why, Errand::ForCache);
        }
        for _ in 0..LOOKS_MAX {
            let (seen, why) = match self.judge(self.look(found.take()).await) {
                Judged::Reply(reply) => return Course::Reply(reply),
                Judged::Fetch(seen, why) => (seen, why),
                Judged::Alone(why) => {
                    return Course::Alone(Seen::default(), why, Errand::AsAsked);
                }
            };
            match self.turn(&seen, why).await {
                Turn::Again => {}
                Turn::Reply(reply) => return Course::Reply(reply),
                Turn::Lead(flight) => return Course::Lead(seen, why, flight),
                Turn::Alone(errand, detail) => {
                    return Course::Alone(seen, (why.0, detail.or(why.1)), errand);
                }
            }
        }
        let why = (Forward::Miss, Some(Detail::CollapseAbandoned.word()));
        Course::Alone(Seen::default(), why, Errand::ForCache)
    }

    /// Looks in memory, unless that was done, and below it for what is not there.
    async fn look(&self, found: Option<Found>) -> Found {
        let found = found.unwrap_or_else(|| self.glimpse());
        match &found {
            Found::Response { .. } => found,
            Found::Nothing | Found::NoVariant(_) if self.gateway.cache().has_tiers() => {
                let (key, fields) = (&self.ask.key, &self.ask.fields);
                Box::pin(kept::find_below(self.gateway.cache(), key, fields, &found)).await
            }
            Found::Nothing | Found::NoVariant(_) => found,
        }
    }

    fn glimpse(&self) -> Found {
        let (key, fields) = (&self.ask.key, &self.ask.fields);
        kept::find(self.gateway.cache(), key, fields, self.gateway.now())
    }

    /// Question 2: may what was found answer, now?
    fn judge(&self, found: Found) -> Judged {
        let (entry, index, key, tier) = match found {
            Found::Nothing => return self.not_there(Seen::default(), Forward::UriMiss),
            Found::NoVariant(index) => {
                return self.not_there(Seen::no_variant(index), Forward::VaryMiss);
            }
            Found::Response { entry, index, key, tier } => (entry, index, key, tier),
        };
        let Some(response) = entry.head().response() else {
            return self.not_there(Seen::default(), Forward::Miss);
        };
        let Some(standing) = self.standing(&entry) else {
            let why = (Forward::UriMiss, Some(Detail::Purged.word()));
            return Judged::Fetch(Seen::default(), why);
        };
        let now = self.gateway.now();
        let policy = &self.ask.lane.route.policy;
        let seen = Seen::response(entry.clone(), index, key);
        match reuse(&self.ask.asked, &response.stored, policy, &standing, now) {
            Reuse::Serve => {
                if response.is_refreshed_early(&self.ask.lane.route, &standing, now) {
                    self.refresh_behind(&seen);
                }
                self.served(&seen, tier, &standing, now)
            }
            Reuse::ServeAndRefresh(why) => {
                self.refresh_behind(&seen);
                self.served(&seen, Some(why.detail()), &standing, now)
            }
            Reuse::Revalidate(_) if self.is_resting(&seen, now) => {
                self.served(&seen, Some(Detail::RetryPause.word()), &standing, now)
            }
            Reuse::Revalidate(why) => Judged::Fetch(seen, (why.forward(), Some(why.detail()))),
            Reuse::Refuse => self.refused(ONLY_IF_CACHED),
        }
    }

    fn not_there(&self, seen: Seen, forward: Forward) -> Judged {
        if self.ask.asked.is_only_if_cached() {
            return self.refused(ONLY_IF_CACHED);
        }
        Judged::Fetch(seen, (forward, None))
    }

    fn refused(&self, refusal: Refusal) -> Judged {
        Judged::Reply(Box::new(Reply::refused(self.gateway, refusal)))
    }

    fn served(
        &self,
        seen: &Seen,
        detail: Option<&'static str>,
        standing: &Standing,
        now: Timestamp,
    ) -> Judged {
        let alone = Judged::Alone((Forward::Request, Some(Detail::Precondition.word())));
        let Some((entry, response)) = seen.stored() else { return alone };
        let ttl = standing.ttl_seconds(response.stored.ttl_seconds(now), now);
        let said = CacheStatus { detail, ..hit(self.gateway, ttl) };
        Reply::from_entry(self.gateway, self.ask, entry, response, said, now)
            .map_or_else(|_| alone, |reply| Judged::Reply(Box::new(reply)))
    }

    /// Whether the last try to validate it failed a moment ago, and it may be served until the next
    /// (P1.5).
    fn is_resting(&self, seen: &Seen, now: Timestamp) -> bool {
        let key = seen.flight_key(self.ask);
        let Some(failure) = self.gateway.cache().resting(key.as_bytes()) else { return false };
        let failing = match failure.as_deref() {
            Some(Unfilled::Status(status)) => Failing::Status(*status),
            Some(Unfilled::Failed(_) | Unfilled::Elsewhere(_)) | None => Failing::Unreachable,
        };
        self.may_stand_in(seen, now, failing)
    }

    fn may_stand_in(&self, seen: &Seen, now: Timestamp, failing: Failing) -> bool {
        let policy = &self.ask.lane.route.policy;
        let Some((entry, response)) = seen.stored() else { return false };
        self.standing(entry).is_some_and(|standing| {
            stale_on_failure(&self.ask.asked, &response.stored, policy, &standing, now, failing)
        })
    }

    /// What purges take from an entry; `None` if one has killed it.
    fn standing(&self, entry: &KeptEntry) -> Option<Standing> {
        self.gateway.standing(entry, &self.ask.key, Instant::now())
    }

    /// Gets a newer response behind the answer, unless somebody does already (P1.4).
    fn refresh_behind(&self, seen: &Seen) {
        let Some((entry, _)) = seen.stored() else { return };
        let key = seen.flight_key(self.ask);
        let Refresh::Lead(flight) = self.gateway.cache().refresh(&key, entry) else { return };
        self.gateway.telemetry().metrics.refresh_began();
        // What is refreshed is not lost because the refresh is slow (P1.6).
        let upstream = &self.ask.lane.route.upstream;
        let longest = upstream.connect_timeout + upstream.send_timeout + upstream.read_timeout;
        entry.extend_keep(self.gateway.cache().clock().now().plus(longest));
        tokio::spawn(self.fetch(seen.clone(), Errand::ForCache).behind(flight));
    }

    /// Joins the flight for the key (P1.7).
    async fn turn(&self, seen: &Seen, why: Why) -> Turn {
        if let Some(errand) = self.stands_alone(seen) {
            return Turn::Alone(errand, None);
        }
        let key = seen.flight_key(self.ask);
        match self.gateway.cache().join(&key, seen.entry()) {
            Joined::Lead(flight) => Box::pin(self.lead_unless_late(seen, flight, why)).await,
            Joined::Follow(follower) => Box::pin(self.follow(seen, follower, why)).await,
            Joined::Filled(entry) => self.shared(seen, &entry, why),
            Joined::Unshared => {
                // What is stored and must be validated is the better reason where there is one.
                let detail = why.1.is_none().then(|| Detail::HitForMiss.word());
                Turn::Alone(errand_alone(seen), detail)
            }
        }
    }

    /// Waits for the one who leads.
    async fn follow(&self, seen: &Seen, follower: Follower<Kept, Unfilled>, why: Why) -> Turn {
        let limit = self.ask.lane.route.collapse_wait;
        match self.gateway.cache().wait(follower, limit).await {
            Ending::Filled(entry) => self.shared(seen, &entry, why),
            Ending::Lead(flight) => self.lead_unless_late(seen, flight, why).await,
            Ending::Abandoned(unfilled) => Turn::reply(self.unfilled(seen, why, &unfilled)),
            Ending::Declined => Turn::Alone(Errand::AsAsked, Some(Detail::CollapseDeclined.word())),
            Ending::TimedOut => Turn::Alone(Errand::ForCache, Some(Detail::CollapseTimeout.word())),
        }
    }

    /// Whether this request is not to wait for others, nor others for it.
    fn stands_alone(&self, seen: &Seen) -> Option<Errand> {
        let ask = self.ask;
        let is_personal = ask.asked.credentials == Credentials::Present;
        if is_personal || ask.lane.route.collapse == Switch::Off {
            return Some(Errand::ForCache);
        }
        if ask.asked.method == MethodClass::Head {
            return Some(errand_alone(seen));
        }
        let is_far = ask.asked.extent == Extent::Ranges && ask.range_begins_beyond(RANGE_BEGIN_MAX);
        let is_not_kept = ask.asked.forbids_storing() || is_far && seen.entry().is_none();
        is_not_kept.then_some(Errand::AsAsked)
    }

    /// Leads, unless somebody else was quicker between the look and the lead (P1.8), or another
    /// node of the cluster fetches.
    async fn lead_unless_late(
        &self,
        seen: &Seen,
        flight: Flight<Kept, Unfilled>,
        why: Why,
    ) -> Turn {
        if seen.is_outdated_by(&self.glimpse()) {
            return Turn::Again;
        }
        let limit = self.ask.lane.route.collapse_wait;
        let purpose = match self.may_stand_in(seen, self.gateway.now(), Failing::Unreachable) {
            true => Purpose::Refresh,
            false => Purpose::Need,
        };
        match cluster::clear(self.gateway, self.ask, seen, flight, purpose, limit).await {
            Cleared::Go(flight) => Turn::Lead(flight),
            Cleared::Elsewhere(entry) => self.shared(seen, &entry, why),
            Cleared::Unshared => {
                Turn::Alone(Errand::AsAsked, Some(Detail::CollapseDeclined.word()))
            }
            Cleared::Unfilled(unfilled) => Turn::reply(self.unfilled(seen, why, &unfilled)),
            Cleared::Late => Turn::Alone(Errand::ForCache, Some(Detail::CollapseTimeout.word())),
        }
    }

    /// Answers from what another request's fetch brought, if it fits this one.
    fn shared(&self, seen: &Seen, entry: &KeptEntry, why: Why) -> Turn {
        let Some(response) = entry.head().response() else { return Turn::Again };
        if !response.fits(&self.ask.fields) {
            return Turn::Again;
        }
        let Some(standing) = self.standing(entry) else { return Turn::Again };
        let (policy, now) = (&self.ask.lane.route.policy, self.gateway.now());
        match reuse(&self.ask.asked, &response.stored, policy, &standing, now) {
            Reuse::Serve | Reuse::ServeAndRefresh(_) => {}
            Reuse::Revalidate(_) | Reuse::Refuse => return Turn::Again,
        }
        let ttl = Some(response.stored.ttl_seconds(now));
        let said = CacheStatus { ttl, collapsed: true, ..self.forwarded(why) };
        match Reply::from_entry(self.gateway, self.ask, entry, response, said, now) {
            Ok(reply) => Turn::reply(reply),
            // What broke for the one who fetched it is not asked again by each who waited (P1.8).
            Err(Unanswered::BodyGone) if matches!(entry.body().end(), Some(End::Broken(_))) => {
                Turn::reply(self.broken_off(seen, said))
            }
            Err(Unanswered::BodyGone | Unanswered::Unwanted) => Turn::Alone(Errand::AsAsked, None),
        }
    }

    fn forwarded(&self, why: Why) -> CacheStatus<'static> {
        let source = Source::Forward(why.0);
        CacheStatus { detail: why.1, ..CacheStatus::new(self.gateway.name(), source) }
    }

    /// Answers when the fetch of another failed: stale if it may be, else with the same failure.
    fn unfilled(&self, seen: &Seen, why: Why, unfilled: &Unfilled) -> Reply {
        let said = CacheStatus { collapsed: true, ..self.forwarded(why) };
        match unfilled {
            Unfilled::Failed(failure) => self.failed(seen, said, failure),
            Unfilled::Elsewhere(status) => {
                let stale = self.stale(seen, said, Failing::Unreachable);
                stale.unwrap_or_else(|| self.failing(*status, said))
            }
            Unfilled::Status(status) => {
                let said = CacheStatus { fwd_status: Some(*status), ..said };
                let stale = self.stale(seen, said, Failing::Status(*status));
                stale.unwrap_or_else(|| self.failing(*status, said))
            }
        }
    }

    fn failing(&self, status: StatusCode, said: CacheStatus<'static>) -> Reply {
        let detail = Some(Detail::OriginError.word());
        let answer = respond::own(status, "the origin is failing");
        Reply::of(answer, CacheStatus { detail, ..said })
    }

    fn failed(&self, seen: &Seen, said: CacheStatus<'static>, failure: &FetchFailure) -> Reply {
        let reply = self.stale(seen, said, Failing::Unreachable).unwrap_or_else(|| {
            let detail = Some(failure.detail());
            Reply::of(respond::failure(failure), CacheStatus { detail, ..said })
        });
        reply.because(failure)
    }

    /// What is stored in place of a failure, where that is allowed.
    fn stale(&self, seen: &Seen, said: CacheStatus<'static>, failing: Failing) -> Option<Reply> {
        let now = self.gateway.now();
        if !self.may_stand_in(seen, now, failing) {
            return None;
        }
        let (entry, response) = seen.stored()?;
        let detail = Some(match failing {
            Failing::Unreachable => Detail::StaleWhenUnreachable.word(),
            Failing::Status(_) => Detail::StaleIfError.word(),
        });
        let ttl = Some(response.stored.ttl_seconds(now));
        Reply::from_entry(
            self.gateway,
            self.ask,
            entry,
            response,
            CacheStatus { ttl, detail, ..said },
            now,
        )
        .ok()
    }

    fn fetch(&self, seen: Seen, errand: Errand) -> Fetch {
        let (gateway, ask) = (self.gateway.clone(), Arc::clone(self.ask));
        Fetch { gateway, ask, body: self.body.clone(), seen, errand }
    }

    async fn lead(
        &self,
        seen: Seen,
        why: Why,
        flight: Flight<Kept, Unfilled>,
        interim: Option<InformationalSender>,
    ) -> Reply {
        let fetch = self.fetch(seen.clone(), Errand::ForCache);
        let fetched = fetch.lead(flight, interim).await;
        self.fetched(&seen, why, fetched)
    }

    async fn alone(
        &self,
        seen: Seen,
        why: Why,
        errand: Errand,
        interim: Option<InformationalSender>,
    ) -> Reply {
        let fetch = self.fetch(seen, errand);
        let fetched = fetch.alone(interim).await;
        self.fetched(&fetch.seen, why, fetched)
    }

    /// Answers with what this request's own fetch brought.
    fn fetched(&self, seen: &Seen, why: Why, fetched: Fetched) -> Reply {
        let said = self.forwarded(why);
        match fetched {
            Fetched::Kept { entry, status, stored, own, hold } => {
                let said = CacheStatus { fwd_status: Some(status), stored, ..said };
                let reply = self.validated(seen, &entry, said).with_fields(own);
                drop(hold);
                reply
            }
            Fetched::Passed { response, detail } => {
                let fwd_status = Some(response.status());
                let detail = detail.or(said.detail);
                let said = CacheStatus { fwd_status, detail, ..said };
                Reply::of(respond::passed_on(self.ask, response), said)
            }
            Fetched::Failing(response) => {
                let status = response.status();
                let said = CacheStatus { fwd_status: Some(status), ..said };
                let stale = self.stale(seen, said, Failing::Status(status));
                stale.unwrap_or_else(|| Reply::of(respond::passed_on(self.ask, response), said))
            }
            Fetched::Failed(failure) => self.failed(seen, said, &failure),
            Fetched::Vanished => Reply::refused(self.gateway, OWN_FAILURE),
        }
    }

    /// Answers from an entry that the origin has just given or confirmed.
    fn validated(&self, seen: &Seen, entry: &KeptEntry, said: CacheStatus<'static>) -> Reply {
        let now = self.gateway.now();
        let Some(response) = entry.head().response() else {
            return Reply::refused(self.gateway, OWN_FAILURE);
        };
        let said = CacheStatus { ttl: Some(response.stored.ttl_seconds(now)), ..said };
        match Reply::from_entry(self.gateway, self.ask, entry, response, said, now) {
            Ok(reply) => reply,
            // What the origin has just said is what the condition is about.
            Err(Unanswered::Unwanted) => Reply::of(respond::precondition_failed(), said),
            Err(Unanswered::BodyGone) => self.broken_off(seen, said),
        }
    }

    /// Answers when a body broke before its first byte was read.
    fn broken_off(&self, seen: &Seen, said: CacheStatus<'static>) -> Reply {
        let said = CacheStatus { stored: false, ttl: None, ..said };
        self.stale(seen, said, Failing::Unreachable).unwrap_or_else(|| {
            let said = CacheStatus { detail: Some(Detail::BodyBroken.word()), ..said };
            Reply::of(respond::own(StatusCode::BAD_GATEWAY, "the origin broke off"), said)
        })
    }
}

/// In whose words a request that shares nothing asks: what is stored is validated, and for what is
/// not the client's own conditions and ranges are as good as any.
fn errand_alone(seen: &Seen) -> Errand {
    if seen.entry().is_some() { Errand::ForCache } else { Errand::AsAsked }
}
