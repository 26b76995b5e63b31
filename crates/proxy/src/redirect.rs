//! What is said to who comes in the clear where TLS is spoken: come again by `https`; and what is
//! said to who has come by it: do so from now on (RFC 6797).

use forebay_semantics::key::{Scheme, TargetParts};
use forebay_semantics::status::Detail;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use crate::answer::Answer;
use crate::ask::{self, Refusal};
use crate::config::{Switch, TlsSettings};
use crate::forward::Trust;
use crate::gateway::Gateway;
use crate::reply::Reply;
use crate::server::{Request, Transport};

/// The method and its body are to be sent again (RFC 9110 section 15.4.9).
const TO_HTTPS: Refusal = Refusal {
    status: StatusCode::PERMANENT_REDIRECT,
    words: "this host is asked by https",
    detail: Detail::ToHttps,
};

/// The redirect that answers a request in the clear, where the configuration wants one.
pub fn to_https(gateway: &Gateway, request: &Request) -> Option<Reply> {
    let config = gateway.config();
    if config.tls.redirect == Switch::Off || !config.tls.is_on() {
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
