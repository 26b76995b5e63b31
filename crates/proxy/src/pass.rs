//! Requests that do not look in the cache: passed on as they are, tunnels among them.
//!
//! What they spoil is forgotten here (RFC 9111 section 4.4), and a response to POST that says that
//! it is its target's representation is kept for later GETs (RFC 9110 section 9.3.3).

use std::sync::Arc;

use forebay_cache::mechanism::{Key, Kind, Rule, Scope};
use forebay_semantics::invalidation::spoiled;
use forebay_semantics::key::KeyTarget;
use forebay_semantics::request::{Extent, MethodClass};
use forebay_semantics::status::{CacheStatus, Detail, Forward, Source};
use forebay_semantics::storing::{Storing, storing_for_get};
use forebay_semantics::tags::TagForm;
use forebay_semantics::{Timestamp, range, tags, validation};
use http::header::{self, HeaderValue};
use http::{Method, Response, StatusCode};
use http_body_util::BodyExt;
use tokio::time::Instant;

use crate::answer::AnswerBody;
use crate::ask::Ask;
use crate::failure::FetchFailure;
use crate::gateway::Gateway;
use crate::keep::Keeping;
use crate::purge::{ORDER_MAX, groups};
use crate::reply::Reply;
use crate::respond;
use crate::server::{self, InformationalSender};
use crate::upstream::{self, OriginBody, RequestBody};

/// Why a request is passed on: for `fwd` and for `detail`.
pub type Why = (Forward, &'static str);

/// Passes a request on with its body.
pub async fn pass(
    gateway: &Gateway,
    ask: &Arc<Ask>,
    body: server::RequestBody,
    why: Why,
    interim: Option<InformationalSender>,
) -> Reply {
    pass_stream(gateway, ask, onward(body), why, interim).await
}

/// Passes a request on with a body that was touched before.
pub async fn pass_stream(
    gateway: &Gateway,
    ask: &Arc<Ask>,
    body: RequestBody,
    why: Why,
    interim: Option<InformationalSender>,
) -> Reply {
    let mut request = ask.origin_request(gateway, body);
    let tracer = &gateway.telemetry().tracer;
    let fetching = tracer.fetch(&mut request, ask.here.as_ref(), || ask.url());
    let (requested_at, asked_at) = (gateway.now(), Instant::now());
    gateway.telemetry().metrics.origin_asked();
    let sent = match ask.lane.upstream() {
        Ok(upstream) => upstream.send(request, interim.map(respond::interim_to)).await,
        Err(failure) => Err(failure),
    };
    fetching.ended(&sent);
    let said = said(gateway, why);
    let response = match sent {
        Ok(response) => response,
        Err(failure) => return failed(gateway, said, &failure),
    };
    gateway.telemetry().metrics.origin_answered(asked_at.elapsed());
    let said = CacheStatus { fwd_status: Some(response.status()), ..said };
    spoil(gateway, ask, &response).await;
    match later_get(ask, &response) {
        Some(get) => keep_for_get(gateway, &get, response, requested_at, said),
        None => Reply::of(respond::passed_on(ask, response), said),
    }
}

/// The GET that a response to POST may answer later.
fn later_get(ask: &Ask, response: &Response<OriginBody>) -> Option<Ask> {
    if ask.asked.method != MethodClass::Post {
        return None;
    }
    let (target, policy) = (ask.uri()?, &ask.lane.route.policy);
    match storing_for_get(&ask.asked, &target, response.status(), response.headers(), policy) {
        Storing::Keep => {}
        Storing::Decline(_) => return None,
    }
    let key = ask.key_for(&target)?;
    let mut asked = ask.asked;
    (asked.method, asked.extent) = (MethodClass::Get, Extent::Whole);
    let mut get = Ask { method: Method::GET, asked, key, ..ask.clone() };
    // The client's conditions were the origin's to judge, and it has.
    validation::remove_conditions(&mut get.fields);
    range::remove(&mut get.fields);
    Some(get)
}

fn keep_for_get(
    gateway: &Gateway,
    get: &Ask,
    response: Response<OriginBody>,
    requested_at: Timestamp,
    said: CacheStatus<'static>,
) -> Reply {
    let now = gateway.now();
    let mark = gateway.cache().mark(&get.key);
    let keeping =
        Keeping { gateway, ask: get, asked: get.asked, requested_at, received_at: now, mark };
    let kept = keeping.keep(None, response);
    let said = CacheStatus { stored: kept.stored, ..said };
    let reply = kept.entry.head().response();
    let reply =
        reply.and_then(|head| Reply::from_entry(gateway, get, &kept.entry, head, said, now).ok());
    let gateway = gateway.clone();
    tokio::spawn(async move { kept.rest.run(&gateway).await });
    reply.unwrap_or_else(|| Reply::of(respond::precondition_failed(), said))
}

/// Sends a request for another protocol on, and joins the two connections after a 101.
pub async fn tunnel(
    gateway: &Gateway,
    ask: &Arc<Ask>,
    body: server::RequestBody,
    protocol: HeaderValue,
) -> Reply {
    let mut request = ask.origin_request(gateway, onward(body));
    request.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    request.headers_mut().insert(header::UPGRADE, protocol);
    gateway.telemetry().metrics.origin_asked();
    let said = said(gateway, (Forward::Bypass, Detail::Upgrade.word()));
    let sent = match ask.lane.upstream() {
        Ok(upstream) => upstream.send(request, None).await,
        Err(failure) => Err(failure),
    };
    let mut response = match sent {
        Ok(response) => response,
        Err(failure) => return failed(gateway, said, &failure),
    };
    let said = CacheStatus { fwd_status: Some(response.status()), ..said };
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        spoil(gateway, ask, &response).await;
        return Reply::of(respond::passed_on(ask, response), said);
    }
    let upgrade = response.headers().get(header::UPGRADE).cloned();
    match upstream::tunnel(&mut response) {
        Ok(origin) => {
            let mut answer = respond::passed_on(ask, response);
            answer.fields.extend(upgrade.map(|protocol| (header::UPGRADE, protocol)));
            answer.body = AnswerBody::None;
            answer.tunnel = Some(origin);
            Reply::of(answer, said)
        }
        Err(failure) => failed(gateway, said, &failure),
    }
}

/// A client's body as the upstream sends it.
fn onward(body: server::RequestBody) -> RequestBody {
    match body.is_empty() {
        true => RequestBody::Empty,
        false => RequestBody::Stream(body.boxed_unsync()),
    }
}

fn said(gateway: &Gateway, why: Why) -> CacheStatus<'static> {
    let source = Source::Forward(why.0);
    CacheStatus { detail: Some(why.1), ..CacheStatus::new(gateway.name(), source) }
}

fn failed(gateway: &Gateway, said: CacheStatus<'static>, failure: &FetchFailure) -> Reply {
    gateway.telemetry().metrics.origin_failed(failure.detail(), &failure.to_string());
    let said = CacheStatus { detail: Some(failure.detail()), ..said };
    Reply::of(respond::failure(failure), said).because(failure)
}

/// Forgets what a successful unsafe request has spoiled, all variants, and what is being fetched of
/// it now.
async fn spoil(gateway: &Gateway, ask: &Ask, response: &Response<OriginBody>) {
    let Some(target) = ask.uri() else { return };
    let mut is_success = false;
    for uri in spoiled(&ask.asked, &target, response.status(), response.headers()) {
        if let Some(key) = ask.key_for(&uri) {
            gateway.cache().remove(&Key::from(key.as_slice())).await;
            is_success = true;
        }
    }
    if is_success {
        spoil_groups(gateway, ask, response).await;
    }
}

/// Purges, on every node, the groups that the origin says it has changed (RFC 9875 section 3).
async fn spoil_groups(gateway: &Gateway, ask: &Ask, response: &Response<OriginBody>) {
    let policy = &ask.lane.route.policy;
    if !policy.tag_fields.iter().any(|field| field.form == TagForm::Groups) {
        return;
    }
    let names = tags::spoiled_groups(response.headers());
    let Some(target) = KeyTarget::of(&ask.key).filter(|_| !names.is_empty()) else { return };
    let group = |name: &String| Scope::Group(groups::group(&target, name));
    let scopes = match names.len() {
        1..=ORDER_MAX => names.iter().map(group).collect(),
        // More than one call takes: all of the origin, and never less than was said.
        _ => groups::below(&target, b"/").map(Scope::Prefix).into_iter().collect::<Vec<_>>(),
    };
    let rules = scopes.into_iter().map(|scope| Rule { scope, kind: Kind::Hard }).collect();
    if let Err(failure) = gateway.storage().log.append(rules).await {
        tracing::warn!("cannot purge the groups that `{}` names: {failure}", ask.url());
    }
}
