//! What a purge made stale, fetched again: the most used first, through the same collapse as if
//! clients had asked for it.

use std::future::Future;
use std::ops::RangeInclusive;
use std::pin::Pin;

use forebay_cache::mechanism::{Used, Verdict};
use forebay_semantics::key::KeyTarget;
use futures_util::StreamExt;
use futures_util::stream;
use http::{HeaderMap, Method, Uri, Version};
use http_body_util::BodyExt;

use crate::answer::AnswerBody;
use crate::gateway::Gateway;
use crate::kept::{Kept, family};
use crate::server::{Peer, Request, RequestBody, Service, Transport};

/// Entries that are fetched again at once.
const FETCHES_AT_ONCE: usize = 8;

/// Fetches again, behind, what these purges made stale in this node's memory; says how many that
/// are. What is kept under a key from which no URL can be made waits for a client.
pub(super) async fn hottest(gateway: &Gateway, purges: RangeInclusive<u64>) -> usize {
    let count = gateway.config().purge.refresh_max;
    let cache = gateway.cache();
    let is_covered = |key: &forebay_cache::mechanism::Key,
                      entry: &forebay_cache::mechanism::Entry<Kept>| {
        let verdict = cache.judge(entry, key.as_bytes());
        let by = match verdict {
            Verdict::Stale { by, .. } => Some(by),
            Verdict::Alive | Verdict::Gone { .. } | Verdict::Unproven => None,
        };
        by.is_some_and(|by| purges.contains(&by)) && entry.head().response().is_some()
    };
    let found = cache.hottest(count, is_covered).await;
    let requests: Vec<Request> = found.iter().filter_map(request_for).collect();
    let refreshed = requests.len();
    let gateway = gateway.clone();
    tokio::spawn(async move {
        stream::iter(requests)
            .for_each_concurrent(FETCHES_AT_ONCE, |request| ask(&gateway, request))
            .await;
    });
    refreshed
}

/// Asks as a client would, and lets the answer go by. Boxed, since a client's own request may be what
/// leads here.
fn ask(gateway: &Gateway, request: Request) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    let gateway = gateway.clone();
    Box::pin(async move {
        let answer = gateway.answer(request).await;
        if let AnswerBody::Stream { mut frames, .. } = answer.body {
            while let Some(Ok(_)) = frames.frame().await {}
        }
    })
}

/// The request that an entry answers.
fn request_for(used: &Used<Kept>) -> Option<Request> {
    let target = KeyTarget::of(family(used.key.as_bytes())).filter(KeyTarget::is_of_uri_alone)?;
    let uri: Uri = target.uri()?.parse().ok()?;
    let mut fields = HeaderMap::new();
    let fits = used.entry.head().response()?.fits.as_ref();
    if let Some(variant) = fits.and_then(|fits| fits.iter().next()) {
        variant.write_request(&mut fields);
    }
    fields.insert(http::header::HOST, uri.authority()?.as_str().parse().ok()?);
    let transport = Transport::of(&uri);
    Some(Request {
        method: Method::GET,
        target: uri,
        version: Version::HTTP_11,
        fields,
        body: RequestBody::empty(),
        peer: Peer { address: None, local: None, transport },
        informational: None,
    })
}
