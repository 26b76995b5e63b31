//! Puts a response into the cache: under its key, or as a variant under a key that an index knows.

use std::sync::Arc;
use std::time::Duration;

use forebay_cache::mechanism::{
    Body, BodyWriter, End, Entry, Flight, Joined, Key, Lease, Mark, Place, Stamp,
};
use forebay_semantics::variants::{VariantId, Variants, Vary};
use forebay_semantics::{Asked, Stored, Timestamp};
use http::Response;
use http_body::Body as _;

use crate::ask::Ask;
use crate::gateway::Gateway;
use crate::kept::{Kept, KeptEntry, KeptResponse, Unfilled, variant_key};
use crate::seen::Seen;
use crate::stream::{self, Pumped};
use crate::upstream::OriginBody;

type OwnFlight = Flight<Kept, Unfilled>;

type Until = forebay_cache::mechanism::Timestamp;

/// How long an index outlives the variants that it lists.
const INDEX_LONGER: Duration = Duration::from_secs(1);

/// A response that is about to be kept.
pub struct Keeping<'a> {
    /// In whose cache.
    pub gateway: &'a Gateway,
    /// The request that it answers.
    pub ask: &'a Ask,
    /// What the rules know of that request.
    pub asked: Asked,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// When its head came.
    pub received_at: Timestamp,
    /// How often the key had been spoiled when it was asked for.
    pub mark: Mark,
}

/// A response that is in the cache, or will be when its body is whole.
pub struct KeptNow {
    /// Its entry.
    pub entry: KeptEntry,
    /// Whether it will stay in the cache.
    pub stored: bool,
    /// What is left to do: its body.
    pub rest: Rest,
}

/// A body on its way from the origin into an entry.
pub struct Rest {
    body: OriginBody,
    writer: BodyWriter,
    key: Option<Key>,
    pause: Option<(Key, Duration)>,
}

impl Rest {
    /// Brings the body in; the entry comes into the cache when it ends well.
    pub async fn run(self, gateway: &Gateway) {
        let cache = gateway.cache();
        match stream::pump(self.body, self.writer).await {
            Pumped::Ended(End::Whole) => {}
            // A fetch that failed pauses refreshes (P1.5).
            broke @ (Pumped::Ended(End::Broken(_)) | Pumped::Broke(_)) => {
                let word = if let Pumped::Broke(word) = broke { word } else { "body-cut" };
                gateway
                    .telemetry()
                    .metrics
                    .origin_failed(word, "a response broke off while it was kept");
                let Some((key, pause)) = self.pause else { return };
                cache.rest(&key, pause);
            }
            // It outgrew what memory keeps. What lies there still is what the origin has replaced.
            Pumped::Ended(End::PassedThrough) => {
                if let Some(key) = self.key {
                    cache.drop_from_memory(&key);
                }
            }
            // It outgrew what is kept at all.
            Pumped::Deserted => {
                let Some(key) = self.key.filter(|key| cache.peek(key.as_bytes()).is_some()) else {
                    return;
                };
                cache.remove(&key).await;
            }
        }
    }
}

impl Keeping<'_> {
    /// Keeps a response, whose body may still be arriving, and ends the flight that fetched it.
    pub fn keep(&self, flight: Option<OwnFlight>, response: Response<OriginBody>) -> KeptNow {
        let (head, from_origin) = response.into_parts();
        let (policy, from, at) = (&self.ask.lane.route.policy, self.requested_at, self.received_at);
        let stored = Stored::new(policy, &self.asked, head.status, &head.headers, from, at);
        let kept = KeptResponse {
            stored,
            fits: None,
            fetch_duration: at.since(from),
            content: Stamp::fresh(),
        };
        let flight = self.shared(flight, &kept);
        let (place, kept) = self.place(&Vary::of(&head.headers), kept);
        let bytes_max = self.ask.lane.route.stored_body_bytes_max;
        let cache = self.gateway.cache();
        let (writer, body) = cache.arriving_within(bytes_max, from_origin.size_hint().exact());
        let until = kept.keep_until();
        let kept = Kept::Response(kept);
        let pause = flight.as_ref().map(|it| (it.key().clone(), self.ask.lane.route.retry_pause));
        let lies_at = place.as_ref().map(|place| place.key.clone());
        let rest = Rest { body: from_origin, writer, key: lies_at, pause };
        match (place, flight) {
            (Some(place), Some(flight)) => {
                let (flight, waiting) = self.joinable_as_variant(flight);
                let entry = cache.fill_under(flight, place, kept, body, until);
                if let Some(waiting) = waiting {
                    cache.hand_over(waiting, &entry);
                }
                KeptNow { entry, stored: true, rest }
            }
            (Some(place), None) => {
                let entry = Arc::new(Entry::new(kept, body, until).since(self.mark.epoch()));
                cache.insert_when_whole(place, &entry, self.ask.key.clone(), self.mark);
                KeptNow { entry, stored: true, rest }
            }
            (None, flight) => {
                if let Some(flight) = flight {
                    flight.decline(Duration::ZERO);
                }
                let entry = Arc::new(Entry::new(kept, body, until).since(self.mark.epoch()));
                KeptNow { entry, stored: false, rest }
            }
        }
    }

    /// Keeps a body that is there already under the head of this request's own variant.
    pub fn keep_beside(
        &self,
        vary: &Vary,
        kept: KeptResponse,
        body: Body,
        lease: Option<Box<dyn Lease>>,
    ) -> KeptEntry {
        let (place, kept) = self.place(vary, kept);
        let until = kept.keep_until();
        let entry = Entry::new(Kept::Response(kept), body, until).since(self.mark.epoch());
        let entry = Arc::new(entry);
        if let Some(place) = place {
            let (cache, primary) = (self.gateway.cache(), &self.ask.key);
            cache.insert_unless_removed(place, &entry, primary, self.mark, lease);
        }
        entry
    }

    /// The flight, where those who wait may be answered with this response; otherwise they are
    /// sent to ask for themselves, and so are those who come soon.
    fn shared(&self, flight: Option<OwnFlight>, kept: &KeptResponse) -> Option<OwnFlight> {
        let flight = flight?;
        let route = &self.ask.lane.route;
        if kept.is_shareable(&self.asked, &route.policy, self.gateway.now()) {
            return Some(flight);
        }
        flight.decline(route.hit_for_miss);
        None
    }

    /// The flight to be filled, and one more whose followers wait for the same. Who comes while a
    /// variant arrives knows the index already, and looks for it where that variant is wanted; the
    /// flight that brought the index was opened under the primary key.
    fn joinable_as_variant(&self, flight: OwnFlight) -> (OwnFlight, Option<OwnFlight>) {
        let cache = self.gateway.cache();
        let index = cache.peek(&self.ask.key).filter(|index| index.head().variants().is_some());
        let Some(index) = index.filter(|_| flight.key().as_bytes() == self.ask.key) else {
            return (flight, None);
        };
        match cache.join(&Seen::no_variant(index).flight_key(self.ask), None) {
            Joined::Lead(wanted) => {
                wanted.take_over_lease(&flight);
                (wanted, Some(flight))
            }
            Joined::Follow(_) | Joined::Filled(_) | Joined::Unshared => (flight, None),
        }
    }

    /// The place where a response lies; none when it was spoiled while it was fetched, or can never
    /// be found again.
    fn place(&self, vary: &Vary, mut kept: KeptResponse) -> (Option<Place<Kept>>, KeptResponse) {
        match vary {
            Vary::Nothing => {
                kept.fits = None;
                (Some(Key::from(self.ask.key.as_slice()).into()), kept)
            }
            Vary::Any => (None, kept),
            Vary::Fields(_) => {
                let until = kept.keep_until();
                let place = self.list(vary, kept.stored.etag(), until);
                let mut fits = Variants::new(0);
                fits.take_in(vary, &self.ask.fields, None, self.received_at, 1);
                kept.fits = Some(Box::new(fits));
                (place, kept)
            }
        }
    }

    /// Lists a variant in the index under the primary key.
    fn list(&self, vary: &Vary, etag: Option<&[u8]>, until: Until) -> Option<Place<Kept>> {
        let cache = self.gateway.cache();
        let index = cache.peek(&self.ask.key);
        let listed = index.as_ref().and_then(|index| index.head().variants());
        let mut variants = listed.cloned().unwrap_or_else(|| Variants::new(rand::random()));
        let (ask, max) = (self.ask, self.ask.lane.route.variants_max);
        let taken = variants.take_in(vary, &ask.fields, etag, self.received_at, max)?;
        let longest = index.filter(|index| index.head().variants().is_some());
        let until = longest.map_or(until, |index| until.max(index.keep_until()));
        let head = Kept::Variants(variants);
        let index = Entry::new(head, Body::empty(), until.plus(INDEX_LONGER));
        let index = Arc::new(index.since(self.mark.epoch()));
        let primary = Key::from(ask.key.as_slice());
        if !cache.hold_unless_removed(&primary, &index, &ask.key, self.mark) {
            return None;
        }
        self.forget(taken.dropped);
        let key = variant_key(&ask.key, taken.id);
        Some(Place { key, index: Some((primary, index)) })
    }

    /// Reclaims variants that fell out of the index; nobody can find them any more.
    fn forget(&self, dropped: Vec<VariantId>) {
        for id in dropped {
            let (cache, key) = (self.gateway.cache().clone(), variant_key(&self.ask.key, id));
            tokio::spawn(async move { cache.remove(&key).await });
        }
    }
}
