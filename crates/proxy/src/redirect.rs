//! What is said to who comes in the clear where TLS is spoken: come again by `https`; and what is
//! said to who has come by it: do so from now on (RFC 6797).

use forebay_semantics::key::{Scheme, TargetParts};
use forebay_semantics::status::{CacheStatus, Detail, Source};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

use crate::answer::{Answer, AnswerBody};
use crate::ask::{self, Refusal};
use crate::config::{Switch, TlsSettings};
use crate::forward::Trust;
use crate::gateway::Gateway;
use crate::reply::Reply;
use crate::respond;
use crate::server::{Request, Transport};
use crate::tls::Tls;

/// The method and its body are to be sent again (RFC 9110 section 15.4.9).
const TO_HTTPS: Refusal = Refusal {
    status: StatusCode::PERMANENT_REDIRECT,
    words: "this host is asked by https",
    detail: Detail::ToHttps,
};

/// Where an authority looks whether a host leads here (RFC 8555 section 8.3).
const CHALLENGES: &str = "/.well-known/acme-challenge/";

/// What answers a request before its route is looked for, if anything does.
pub fn answered(gateway: &Gateway, request: &Request) -> Option<Reply> {
    if !gateway.config().tls.is_on() {
        return None;
    }
    match request.target.path().strip_prefix(CHALLENGES) {
        // What we are not asked to show may be the origin's own.
        Some(token) => challenge(gateway, request, token),
        None => to_https(gateway, request),
    }
}

fn challenge(gateway: &Gateway, request: &Request, token: &str) -> Option<Reply> {
    let text = gateway.tls()?.challenge(token)?;
    let detail = Some(Detail::AcmeChallenge.word());
    let said = CacheStatus { detail, ..CacheStatus::new(gateway.name(), Source::Own) };
    let mut answer = respond::own(StatusCode::OK, "");
    answer.body = match request.method {
        Method::HEAD => AnswerBody::Sized(Some(text.len() as u64)),
        _ => AnswerBody::Whole(text.into()),
    };
    Some(Reply::of(answer, said))
}

/// The redirect that answers a request in the clear, where the configuration wants one.
fn to_https(gateway: &Gateway, request: &Request) -> Option<Reply> {
    let config = gateway.config();
    if config.tls.redirect == Switch::Off {
        return None;
    }
    let trust = Trust::of(request.peer.address, &config.trusted_peers);
    match (request.peer.transport, ask::scheme(trust, request)) {
        (Transport::Tls, _) | (Transport::Plain, Scheme::Https) => return None,
        (Transport::Plain, Scheme::Http) => {}
    }
    let location = location(request, config.tls.redirect_port)?;
    let fields = HeaderMap::from_iter([(header::LOCATION, location)]);
    Some(Reply::refused(gateway, TO_HTTPS).with_fields(fields))
}

/// The same target by `https`; `None` where there is none, which is somebody else's to say.
fn location(request: &Request, port: u16) -> Option<HeaderValue> {
    let parts = TargetParts::of(Scheme::Http, &request.target, &request.fields).ok()?;
    let path = request.target.path_and_query().map_or("/", |path| path.as_str());
    let path = if path == "*" { "/" } else { path };
    let location = match port {
        443 => format!("https://{}{path}", parts.host()),
        port => format!("https://{}:{port}{path}", parts.host()),
    };
    HeaderValue::from_str(&location).ok()
}

/// Adds what browsers are to remember of this host. What the origin says of it stands before, and
/// the first is the one that counts (RFC 6797 section 8.1).
pub fn remember(settings: &TlsSettings, answer: &mut Answer) {
    const FIELD: HeaderName = header::STRICT_TRANSPORT_SECURITY;
    let Some(age) = settings.hsts else { return };
    if answer.fields.contains_key(FIELD) {
        return;
    }
    let below = match settings.hsts_subdomains {
        Switch::On => "; includeSubDomains",
        Switch::Off => "",
    };
    if let Ok(value) = HeaderValue::from_str(&format!("max-age={}{below}", age.as_secs())) {
        answer.fields.insert(FIELD, value);
    }
}

/// Adds how else the same may be asked for (RFC 7838 section 3). What the origin says of it stands before.
pub fn invite(tls: &Tls, answer: &mut Answer) {
    if let Some(value) = tls.alternative() {
        answer.fields.append(header::ALT_SVC, value);
    }
}
