//! A fetch for the cache: what is asked of the origin, and what its answer means.
//!
//! A fetch that leads a flight runs in a task of its own: it belongs to the flight and not to the
//! client that caused it, who may leave.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use forebay_cache::mechanism::{Entry, Flight, Mark, Purpose, Verdict as Purged, Word};
use forebay_semantics::cache_control::CacheControl;
use forebay_semantics::date::http_date;
use forebay_semantics::request::{Extent, MethodClass};
use forebay_semantics::reuse::{Failing, stale_on_failure};
use forebay_semantics::status::Detail;
use forebay_semantics::stored::HeadEffect;
use forebay_semantics::storing::{DeclineReason, Storing, storing};
use forebay_semantics::validation::{self, Condition, Validators, Verdict};
use forebay_semantics::{Asked, Policy, Timestamp, fields, partial, range};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::Body as _;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::ask::Ask;
use crate::cluster::{self, Cleared};
use crate::failure::FetchFailure;
use crate::gateway::Gateway;
use crate::keep::{Keeping, Rest};
use crate::kept::{Kept, KeptEntry, KeptResponse, Unfilled, variant_key};
use crate::respond::{self, Hold};
use crate::seen::Seen;
use crate::server::InformationalSender;
use crate::upstream::{OriginBody, RequestBody};

/// A fetch that is about to be made.
pub struct Fetch {
    /// Whose cache it is for.
    pub gateway: Gateway,
    /// The request that caused it.
    pub ask: Arc<Ask>,
    /// The body that is part of its key; empty but for listed methods.
    pub body: Bytes,
    /// What was found and could not be used.
    pub seen: Seen,
    /// In whose words the origin is asked.
    pub errand: Errand,
}

/// In whose words the origin is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errand {
    /// In the cache's: for the whole, with its own conditions.
    ForCache,
    /// In the client's, conditions and ranges included.
    AsAsked,
}

/// What a fetch brought.
pub enum Fetched {
    /// An entry, new or confirmed; its body may still be arriving.
    Kept {
        /// The entry.
        entry: KeptEntry,
        /// The origin's status.
        status: StatusCode,
        /// Whether it is in the cache now, or will be when it is whole.
        stored: bool,
        /// Fields of the response that are not stored, for the client that caused the fetch.
        own: HeaderMap,
        /// Keeps the body there until the client reads it.
        hold: Hold,
    },
    /// A response that is not kept.
    Passed {
        /// The response.
        response: Response<OriginBody>,
        /// Why not.
        detail: Option<&'static str>,
    },
    /// A response that says that the origin is failing, where a stored one may stand in.
    Failing(Response<OriginBody>),
    /// No response.
    Failed(FetchFailure),
    /// The fetch ended without a word; it panicked.
    Vanished,
}

type OwnFlight = Flight<Kept, Unfilled>;

/// A response that has arrived, and when.
struct Arrived {
    response: Response<OriginBody>,
    requested_at: Timestamp,
    received_at: Timestamp,
    mark: Mark,
}

/// Whether a response that is not kept takes the place of what is stored, which is not served any
/// more then. Of what may not be kept, only a response to a plain GET can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Replaced {
    No,
    Yes,
}

impl Fetch {
    /// Fetches for all who wait.
    pub async fn lead(self, flight: OwnFlight, interim: Option<InformationalSender>) -> Fetched {
        let (tell, told) = oneshot::channel();
        tokio::spawn(async move {
            let (fetched, rest) = self.run(Some(flight), interim).await;
            // A client that has left does not end the fetch.
            let _ = tell.send(fetched);
            if let Some(rest) = rest {
                rest.run(&self.gateway).await;
            }
        });
        told.await.unwrap_or(Fetched::Vanished)
    }

    /// Fetches behind an answer that has been given.
    pub async fn behind(self, flight: OwnFlight) {
        let (gateway, ask) = (&self.gateway, &self.ask);
        let limit = ask.lane.route.collapse_wait;
        let flight = match cluster::clear(gateway, ask, &self.seen, flight, Purpose::Refresh, limit)
            .await
        {
            Cleared::Go(flight) => flight,
            Cleared::Elsewhere(_) | Cleared::Unshared | Cleared::Unfilled(_) | Cleared::Late => {
                return;
            }
        };
        let (fetched, rest) = self.run(Some(flight), None).await;
        drop(fetched);
        if let Some(rest) = rest {
            rest.run(&self.gateway).await;
        }
    }

    /// Fetches for one client; what comes may be kept all the same.
    pub async fn alone(&self, interim: Option<InformationalSender>) -> Fetched {
        let (fetched, rest) = self.run(None, interim).await;
        if let Some(rest) = rest {
            let gateway = self.gateway.clone();
            tokio::spawn(async move { rest.run(&gateway).await });
        }
        fetched
    }

    async fn run(
        &self,
        flight: Option<OwnFlight>,
        interim: Option<InformationalSender>,
    ) -> (Fetched, Option<Box<Rest>>) {
        let condition = self.condition();
        let is_conditional = condition.is_some();
        let arrived = match self.send(&flight, condition, interim).await {
            Ok(arrived) => arrived,
            Err(failure) => return (self.failed(flight, failure), None),
        };
        if is_conditional && arrived.response.status() == StatusCode::NOT_MODIFIED {
            return Box::pin(self.confirm(flight, arrived)).await;
        }
        self.settle_and_forget(flight, arrived).await
    }

    /// A 304: what is stored holds, or else the origin is asked again.
    async fn confirm(
        &self,
        flight: Option<OwnFlight>,
        arrived: Arrived,
    ) -> (Fetched, Option<Box<Rest>>) {
        let confirmed = match self.was_purged_before(&arrived) {
            true => None,
            false => self.freshen(&arrived, flight.as_ref()).await,
        };
        if let Some(entry) = confirmed {
            let stored = self.seen.entry().is_none_or(|seen| !Arc::ptr_eq(seen, &entry));
            self.share(flight, &entry);
            let status = StatusCode::NOT_MODIFIED;
            let own = HeaderMap::new();
            return (Fetched::Kept { entry, status, stored, own, hold: None }, None);
        }
        // It is about nothing that is stored: ask again, for the whole.
        match self.send(&flight, None, None).await {
            Ok(arrived) => self.settle_and_forget(flight, arrived).await,
            Err(failure) => (self.failed(flight, failure), None),
        }
    }

    /// Whether a purge had killed what is stored when the origin was asked: it is gone whatever the
    /// origin says of it. One that came later kills what is freshened as well, by its epoch.
    fn was_purged_before(&self, arrived: &Arrived) -> bool {
        let Some(entry) = self.seen.entry() else { return false };
        let verdict = self.gateway.cache().judge(entry, &self.ask.key);
        matches!(verdict, Purged::Gone { by } if by <= arrived.mark.epoch().number())
    }

    /// How to ask whether what is stored still holds (RFC 9111 section 4.3.1).
    fn condition(&self) -> Option<Condition> {
        if self.errand == Errand::AsAsked {
            return None;
        }
        let chosen = self.seen.stored().map(|(_, kept)| respond::validators(&kept.stored));
        let variants = self.seen.index().and_then(|index| index.head().variants());
        let tags = variants.map(|variants| variants.etags()).unwrap_or_default();
        validation::ask(chosen.as_ref(), tags.into_iter().map(|tag| &tag[..]))
    }

    async fn send(
        &self,
        flight: &Option<OwnFlight>,
        condition: Option<Condition>,
        interim: Option<InformationalSender>,
    ) -> Result<Arrived, FetchFailure> {
        let mut request = self.request(flight, condition);
        let ask = &self.ask;
        let tracer = &self.gateway.telemetry().tracer;
        let fetching = tracer.fetch(&mut request, ask.here.as_ref(), || ask.url());
        let mark = self.gateway.cache().mark(&self.ask.key);
        let (requested_at, asked_at) = (self.gateway.now(), Instant::now());
        let metrics = &self.gateway.telemetry().metrics;
        metrics.origin_asked();
        let observe = interim.map(respond::interim_to);
        let sent = match self.ask.lane.upstream() {
            Ok(upstream) => upstream.send(request, observe).await,
            Err(failure) => Err(failure),
        };
        fetching.ended(&sent);
        let mut response = sent.inspect_err(|failure| {
            metrics.origin_failed(failure.detail(), &failure.to_string());
        })?;
        metrics.origin_answered(asked_at.elapsed());
        let received_at = self.gateway.now();
        date(response.headers_mut(), received_at);
        Ok(Arrived { response, requested_at, received_at, mark })
    }

    /// What the origin is asked.
    fn request(
        &self,
        flight: &Option<OwnFlight>,
        condition: Option<Condition>,
    ) -> Request<RequestBody> {
        let mut request = self.ask.origin_request(&self.gateway, self.request_body());
        if self.errand == Errand::ForCache {
            range::remove(request.headers_mut());
            validation::remove_conditions(request.headers_mut());
        }
        if flight.is_some() && self.ask.method == Method::HEAD {
            *request.method_mut() = Method::GET;
        }
        if let Some(condition) = condition {
            condition.apply(request.headers_mut());
        }
        request
    }

    fn request_body(&self) -> RequestBody {
        if self.body.is_empty() {
            RequestBody::Empty
        } else {
            RequestBody::Whole(self.body.clone())
        }
    }

    /// What the rules know of the request; a fetch for a flight is a GET for the whole.
    fn asked(&self, flight: &Option<OwnFlight>) -> Asked {
        let mut asked = self.ask.asked;
        if flight.is_some() && asked.method == MethodClass::Head {
            asked.method = MethodClass::Get;
        }
        if self.errand == Errand::ForCache {
            asked.extent = Extent::Whole;
        }
        asked
    }

    fn failed(&self, flight: Option<OwnFlight>, failure: FetchFailure) -> Fetched {
        if let Some(flight) = flight {
            cluster::rest(flight, Unfilled::Failed(failure.clone()), &self.ask);
        }
        Fetched::Failed(failure)
    }

    async fn settle_and_forget(
        &self,
        flight: Option<OwnFlight>,
        arrived: Arrived,
    ) -> (Fetched, Option<Box<Rest>>) {
        let (fetched, rest, replaced) = self.settle(flight, arrived);
        match replaced {
            Replaced::No => {}
            Replaced::Yes => self.forget_seen().await,
        }
        (fetched, rest)
    }

    /// Question 3, for a response that is no confirmation: keep it, or pass it on.
    fn settle(
        &self,
        flight: Option<OwnFlight>,
        mut arrived: Arrived,
    ) -> (Fetched, Option<Box<Rest>>, Replaced) {
        let asked = self.asked(&flight);
        let status = arrived.response.status();
        if self.stands_in(status) {
            self.rest(flight, status);
            return (Fetched::Failing(arrived.response), None, Replaced::No);
        }
        if asked.method == MethodClass::Head {
            self.heed_head(&arrived);
        }
        if status == StatusCode::PARTIAL_CONTENT {
            make_whole(&mut arrived.response);
        }
        let route = &self.ask.lane.route;
        let head = (arrived.response.status(), arrived.response.headers());
        match storing(&asked, head.0, head.1, &route.policy) {
            Storing::Decline(reason) => {
                let replaced = self.decline(flight, status, reason);
                return (passed(arrived.response, reason.detail()), None, replaced);
            }
            Storing::Keep => {}
        }
        let length = arrived.response.body().size_hint().exact();
        let bytes_max = route.stored_body_bytes_max.min(self.gateway.cache().kept_bytes_max());
        if length.is_some_and(|length| length > bytes_max) {
            if let Some(flight) = flight {
                flight.decline(route.hit_for_miss);
            }
            let detail = Detail::BodyTooLarge.word();
            return (passed(arrived.response, detail), None, Replaced::Yes);
        }
        let (fetched, rest) = self.keep(flight, asked, arrived, status);
        (fetched, Some(rest), Replaced::No)
    }

    fn keep(
        &self,
        flight: Option<OwnFlight>,
        asked: Asked,
        arrived: Arrived,
        status: StatusCode,
    ) -> (Fetched, Box<Rest>) {
        let own = withheld(arrived.response.headers(), &self.ask.lane.route.policy);
        let kept = self.keeping(asked, &arrived).keep(flight, arrived.response);
        let hold = kept.entry.body().reader();
        let fetched = Fetched::Kept { entry: kept.entry, status, stored: kept.stored, own, hold };
        (fetched, Box::new(kept.rest))
    }

    /// Ends a flight with an entry that was confirmed, where those who wait may use it.
    fn share(&self, flight: Option<OwnFlight>, entry: &KeptEntry) {
        let Some(flight) = flight else { return };
        let route = &self.ask.lane.route;
        let is_shareable = entry.head().response().is_some_and(|kept| {
            kept.is_shareable(&self.asked(&None), &route.policy, self.gateway.now())
        });
        match is_shareable {
            true => self.gateway.cache().hand_over(flight, entry),
            false => flight.decline(route.hit_for_miss),
        }
    }

    /// The stored response that a 304 is about, with its new head (RFC 9111 section 4.3.4).
    async fn freshen(&self, arrived: &Arrived, flight: Option<&OwnFlight>) -> Option<KeptEntry> {
        let answer = Validators::of(arrived.response.headers(), arrived.received_at);
        let Some((entry, kept)) = self.seen.stored() else {
            return self.adopt_variant(arrived, answer.etag?, flight).await;
        };
        let stored = [respond::validators(&kept.stored)];
        let verdict = validation::verdict(StatusCode::NOT_MODIFIED, &answer, &stored, Some(0));
        if self.asks_of_others(kept) && (answer.etag.is_none() || verdict == Verdict::PassOn304) {
            // It is about one of several, and not for sure about the one that fits.
            return self.adopt_variant(arrived, answer.etag?, flight).await;
        }
        match verdict {
            Verdict::Freshen(_) => {}
            // The origin says that ours is good, and names another. It is good for this answer, and
            // nothing is updated (RFC 9111 section 4.3.4).
            Verdict::Replace | Verdict::Failed | Verdict::PassOn304 => return Some(entry.clone()),
        }
        let head = self.freshened(kept, arrived);
        let vary = head.stored.vary();
        if vary != kept.stored.vary() {
            // The 304 has made another variant of it.
            let keeping = self.keeping(self.asked(&None), arrived);
            let lease = flight.and_then(Flight::take_lease);
            return Some(keeping.keep_beside(&vary, head, entry.body().clone(), lease));
        }
        let until = head.keep_until();
        let key = self.seen.own_key(&self.ask);
        let cache = self.gateway.cache();
        let head = Kept::Response(head);
        let fresh = cache
            .replace_head(&key, entry, head, until, arrived.mark.epoch(), flight)
            .or_else(|| {
                // Evicted meanwhile, and still good: the body is here.
                let head = Kept::Response(self.freshened(kept, arrived));
                let fresh = Entry::new(head, entry.body().clone(), until);
                let fresh = Arc::new(fresh.since(arrived.mark.epoch()));
                let (primary, mark) = (&self.ask.key, arrived.mark);
                let lease = flight.and_then(Flight::take_lease);
                cache.insert_unless_removed(key.clone().into(), &fresh, primary, mark, lease);
                Some(fresh)
            });
        if let Some(index) = self.seen.index() {
            index.extend_keep(until);
        }
        fresh
    }

    /// Whether the origin was asked of more than the response that fits.
    fn asks_of_others(&self, own: &KeptResponse) -> bool {
        let variants = self.seen.index().and_then(|index| index.head().variants());
        let others = |tag: &&Bytes| Some(&tag[..]) != own.stored.etag();
        variants.is_some_and(|variants| variants.etags().iter().any(others))
    }

    fn freshened(&self, kept: &KeptResponse, arrived: &Arrived) -> KeptResponse {
        let policy = &self.ask.lane.route.policy;
        let (fields, at) = (arrived.response.headers(), arrived.received_at);
        KeptResponse {
            stored: kept.stored.freshen(policy, fields, arrived.requested_at, at),
            fits: kept.fits.clone(),
            content: kept.content,
            fetch_duration: arrived.received_at.since(arrived.requested_at),
        }
    }

    /// A 304 that names a variant of other requests: its body answers this one as well.
    async fn adopt_variant(
        &self,
        arrived: &Arrived,
        etag: &[u8],
        flight: Option<&OwnFlight>,
    ) -> Option<KeptEntry> {
        let variants = self.seen.index()?.head().variants()?;
        let key = variant_key(&self.ask.key, variants.with_etag(etag)?.id());
        let other = self.gateway.cache().look_up(&key).await?.entry;
        // The index hears of a new tag with its head; its body may never have come whole.
        let named = other.head().response().filter(|kept| kept.stored.etag() == Some(etag))?;
        let head = self.freshened(named, arrived);
        let keeping = self.keeping(self.asked(&None), arrived);
        let vary = head.stored.vary();
        let lease = flight.and_then(Flight::take_lease);
        Some(keeping.keep_beside(&vary, head, other.body().clone(), lease))
    }

    fn keeping<'a>(&'a self, asked: Asked, arrived: &Arrived) -> Keeping<'a> {
        Keeping {
            gateway: &self.gateway,
            ask: &self.ask,
            asked,
            requested_at: arrived.requested_at,
            received_at: arrived.received_at,
            mark: arrived.mark,
        }
    }

    /// Whether what is stored may stand in for a response with this status.
    fn stands_in(&self, status: StatusCode) -> bool {
        let Some((entry, kept)) = self.seen.stored() else { return false };
        let standing = self.gateway.standing(entry, &self.ask.key, Instant::now());
        let Some(standing) = standing else { return false };
        let (policy, now) = (&self.ask.lane.route.policy, self.gateway.now());
        stale_on_failure(
            &self.ask.asked,
            &kept.stored,
            policy,
            &standing,
            now,
            Failing::Status(status),
        )
    }

    /// Ends the flight of what may not be kept.
    fn decline(
        &self,
        flight: Option<OwnFlight>,
        status: StatusCode,
        reason: DeclineReason,
    ) -> Replaced {
        if is_failing(status) && self.is_answered_meanwhile() {
            self.rest(flight, status);
            return Replaced::No;
        }
        if is_failing(status) {
            // No pause: what is stored would answer in it, and may not.
            if let Some(flight) = flight {
                flight.tell_cluster(Word::Failed(status.as_u16(), Duration::ZERO));
                flight.abandon(Unfilled::Status(status));
            }
            return Replaced::No;
        }
        let is_worth = reason.is_worth_remembering();
        if let Some(flight) = flight {
            let remember = self.ask.lane.route.hit_for_miss;
            flight.decline(if is_worth { remember } else { Duration::ZERO });
        }
        if is_worth { Replaced::Yes } else { Replaced::No }
    }

    /// Whether what is stored answers without the origin, so that a refresh of it may wait.
    fn is_answered_meanwhile(&self) -> bool {
        let Some((_, kept)) = self.seen.stored() else { return false };
        kept.is_shareable(&self.ask.asked, &self.ask.lane.route.policy, self.gateway.now())
    }

    async fn forget_seen(&self) {
        if self.seen.entry().is_some() {
            Box::pin(self.gateway.cache().remove(&self.seen.own_key(&self.ask))).await;
        }
    }

    /// What a response to HEAD says of the stored response to GET (RFC 9111 section 4.3.5).
    fn heed_head(&self, arrived: &Arrived) {
        let Some((entry, kept)) = self.seen.stored() else { return };
        if arrived.response.status() != StatusCode::OK {
            return;
        }
        let (policy, fields) = (&self.ask.lane.route.policy, arrived.response.headers());
        let length = entry.body().len_known().unwrap_or(0);
        let (from, at) = (arrived.requested_at, arrived.received_at);
        let effect = kept.stored.freshened_by_head(policy, fields, length, from, at);
        let (stored, validated) = match effect {
            HeadEffect::Freshened(stored) => (stored, arrived.mark.epoch()),
            // No purge is answered by this.
            HeadEffect::MadeStale(stored) => (stored, entry.epoch()),
        };
        let fetch_duration = kept.fetch_duration;
        let (fits, content) = (kept.fits.clone(), kept.content);
        let head = KeptResponse { stored, fits, fetch_duration, content };
        let (key, until) = (self.seen.own_key(&self.ask), head.keep_until());
        let head = Kept::Response(head);
        self.gateway.cache().replace_head(&key, entry, head, until, validated, None);
    }

    /// Tells all who wait that the origin is failing, and pauses refreshes (P1.5).
    fn rest(&self, flight: Option<OwnFlight>, status: StatusCode) {
        if let Some(flight) = flight {
            cluster::rest(flight, Unfilled::Status(status), &self.ask);
        }
    }
}

fn passed(response: Response<OriginBody>, detail: &'static str) -> Fetched {
    Fetched::Passed { response, detail: Some(detail) }
}

/// Whether a status says that the origin is failing, and that asking again at once is no help.
fn is_failing(status: StatusCode) -> bool {
    matches!(status.as_u16(), 500 | 502 | 503 | 504)
}

/// The fields that a response says not to store (`private="…"`, `no-cache="…"`).
fn withheld(fields: &HeaderMap, policy: &Policy) -> HeaderMap {
    let names = CacheControl::of_response(fields, &policy.targeted_fields).withheld;
    let own = |(name, _): &(&HeaderName, &HeaderValue)| {
        names.contains(name) && !fields::is_never_stored(name)
    };
    fields.iter().filter(own).map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Makes of a 206 whose one part is the whole the 200 that it stands for.
fn make_whole(response: &mut Response<OriginBody>) {
    if let Some(total) = partial::as_whole(response.headers()) {
        partial::make_whole(response.headers_mut(), total);
        *response.status_mut() = StatusCode::OK;
    }
}

/// A response without a date gets that of its arrival (RFC 9110 section 6.6.1).
fn date(fields: &mut HeaderMap, received_at: Timestamp) {
    if fields.contains_key(header::DATE) {
        return;
    }
    if let Ok(value) = http_date(received_at).parse() {
        fields.insert(header::DATE, value);
    }
}
