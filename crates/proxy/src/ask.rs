//! A request as the exchange sees it: its target read, its route found, its cache key made.

use std::sync::Arc;

use forebay_semantics::Asked;
use forebay_semantics::fields::Sought;
use forebay_semantics::key::{KeyTarget, Scheme, TargetError, TargetParts};
use forebay_semantics::range::{self, Ranged};
use forebay_semantics::request::MethodClass;
use forebay_semantics::status::Detail;
use forebay_semantics::validation::Validators;
use http::{HeaderMap, Method, StatusCode, Uri, Version};
use tokio::time::Instant;

use crate::config::HostField;
use crate::forward::{self, Hop, Trust, X_FORWARDED_PROTO};
use crate::gateway::Gateway;
use crate::route::{Grounds, Lane, NotLearned, Way};
use crate::secret;
use crate::server::{Peer, Request, Transport};
use crate::traceparent::{self, Here};
use crate::upstream::{self, KeyHash, Said};

/// Bytes of a port and its colon.
const PORT_BYTES_MAX: usize = 6;

/// One request, checked and routed; without its body.
#[derive(Clone)]
pub struct Ask {
    /// Its method.
    pub method: Method,
    /// Its target as it was sent.
    pub target: Uri,
    /// Its version.
    pub version: Version,
    /// Its fields as they were sent.
    pub fields: HeaderMap,
    /// The two ends of its connection.
    pub peer: Peer,
    /// Whether the client's forwarding fields are believed.
    pub trust: Trust,
    /// The scheme of the target URI.
    pub scheme: Scheme,
    /// Where it leads.
    pub lane: Arc<Lane>,
    /// What the rules need to know of it.
    pub asked: Asked,
    /// Its primary cache key.
    pub key: Vec<u8>,
    /// When its head was read.
    pub began: Instant,
    /// Where it stands in a trace, if traces are on.
    pub here: Option<Here>,
}

/// Why a request is answered with a refusal before anything is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The status.
    pub status: StatusCode,
    /// What the client is told.
    pub words: &'static str,
    /// The one reason.
    pub detail: Detail,
}

impl Ask {
    /// Reads a request's head, waiting for nobody.
    pub fn of(
        gateway: &Gateway,
        request: Request,
        began: Instant,
        routed: Grounds,
    ) -> Result<AskedFor, Unasked> {
        let trust = Trust::of(request.peer.address, &gateway.config().trusted_peers);
        let scheme = scheme(trust, &request);
        let parts = TargetParts::of(scheme, &request.target, &request.fields)?;
        let path = if parts.path == "*" { "/" } else { parts.path };
        let lane = match gateway.way(parts.host(), path, routed) {
            Way::Lane(lane) => lane,
            Way::None => return Err(NO_ROUTE.into()),
            Way::Wrong => return Err(ROUTE_WRONG.into()),
            Way::Unknown => {
                let host = parts.host().to_owned();
                return Err(Unasked::Unrouted(Box::new(request), host));
            }
        };
        let asked = Asked::of(&request.method, &request.fields, &lane.route.policy);
        if asked.present.has(Sought::Hops) {
            refuse_loop(gateway, &request.fields)?;
        }
        let mut key = Vec::with_capacity(128);
        lane.write_key(&parts, &request.method, &request.fields, None, &mut key);
        let Request { method, target, version, fields, peer, body, informational } = request;
        let ask = Ask {
            method,
            target,
            version,
            fields,
            peer,
            trust,
            scheme,
            lane,
            asked,
            key,
            began,
            here: None,
        };
        Ok(AskedFor { ask, body, informational })
    }

    /// Reads the head of a request whose host nobody has asked for yet: asks Redis for it first. Where
    /// Redis does not say, what was known last counts.
    pub async fn learned(
        gateway: &Gateway,
        request: Request,
        host: &str,
        began: Instant,
    ) -> Result<AskedFor, Refusal> {
        let learned = gateway.learn(host).await;
        let routed = if learned.is_ok() { Grounds::Fresh } else { Grounds::Last };
        match Ask::of(gateway, request, began, routed) {
            Ok(asked_for) => Ok(asked_for),
            Err(Unasked::Refused(refusal)) => Err(refusal),
            Err(Unasked::Unrouted(..)) => Err(match learned {
                Err(NotLearned::Limited) => LOOKUPS_LIMITED,
                Err(NotLearned::Full) => ROUTES_FULL,
                // Learnt, and forgotten at once.
                Err(NotLearned::Away) | Ok(()) => ROUTES_AWAY,
            }),
        }
    }

    /// Host and port as the key holds them: lower case, no trailing dot, no port that is meant
    /// anyway. The origin is told this one spelling, or its answer to an odd one would be everybody's.
    pub fn authority(&self) -> String {
        let Some(target) = KeyTarget::of(&self.key) else { return String::new() };
        let mut authority = String::with_capacity(target.host.len() + PORT_BYTES_MAX);
        authority.push_str(target.host);
        if let Some(port) = target.odd_port() {
            authority.push(':');
            authority.push_str(itoa::Buffer::new().format(port));
        }
        authority
    }

    /// Path and query as the client wrote them.
    pub fn path_and_query(&self) -> &str {
        self.target.path_and_query().map_or("/", http::uri::PathAndQuery::as_str)
    }

    /// The target URI in full.
    pub fn url(&self) -> String {
        format!("{}://{}{}", self.scheme.word(), self.authority(), self.path_and_query())
    }

    /// The target URI in full, parsed. `None` for `*`.
    pub fn uri(&self) -> Option<Uri> {
        self.url().parse().ok()
    }

    /// The primary key that a GET for another URI of the same route would have.
    pub fn key_for(&self, uri: &Uri) -> Option<Vec<u8>> {
        let parts = TargetParts::of(self.scheme, uri, &self.fields).ok()?;
        let mut key = Vec::with_capacity(128);
        self.lane.write_key(&parts, &Method::GET, &self.fields, None, &mut key);
        Some(key)
    }

    /// Makes the key once more, now with a request body's digest in it (P1.10).
    pub fn key_with_body(&mut self, digest: &[u8; 32]) {
        let Ok(parts) = TargetParts::of(self.scheme, &self.target, &self.fields) else { return };
        self.key.clear();
        let (method, fields) = (&self.method, &self.fields);
        self.lane.write_key(&parts, method, fields, Some(digest), &mut self.key);
    }

    /// Who asked `authority` and who passes it on.
    pub fn hop<'a>(&self, gateway: &'a Gateway, authority: &'a str) -> Hop<'a> {
        Hop {
            client: self.peer.address,
            trust: self.trust,
            scheme: self.scheme.word(),
            authority,
            version: self.version,
            name: gateway.name(),
            node: gateway.node(),
        }
    }

    /// Whether this client may skip the lookup, and does (P1.9).
    pub fn skips(&self) -> bool {
        let Some(skip) = &self.lane.route.skip else { return false };
        let Some(said) = self.fields.get(&skip.field) else { return false };
        let peer_may =
            skip.peers.is_empty() || Trust::of(self.peer.address, &skip.peers) == Trust::Listed;
        let knows = |secret: &String| secret::is_same(secret.as_bytes(), said.as_bytes());
        peer_may && skip.secret.as_ref().is_none_or(knows)
    }

    /// Whether its ranges begin beyond so many bytes, or are counted from an end that is not known.
    pub fn range_begins_beyond(&self, bytes: u64) -> bool {
        let (nothing, ok) = (Validators::default(), StatusCode::OK);
        let max = self.lane.route.ranges_max;
        match range::wanted(&Method::GET, ok, &self.fields, &nothing, u64::MAX, max) {
            Ranged::Whole | Ranged::Unsatisfiable => false,
            Ranged::One(wanted) => wanted.first > bytes,
            Ranged::Many(wanted) => wanted.iter().any(|range| range.first > bytes),
        }
    }

    /// The request for the origin, with the client's own conditions and ranges.
    pub fn origin_request(
        &self,
        gateway: &Gateway,
        body: upstream::RequestBody,
    ) -> http::Request<upstream::RequestBody> {
        let route = &self.lane.route;
        let authority = self.authority();
        let mut request = http::Request::new(body);
        *request.method_mut() = self.method.clone();
        *request.headers_mut() =
            forward::passing_fields(&self.fields, self.asked.present, self.trust);
        traceparent::clean(request.headers_mut());
        if let Some(target) = self.target.path_and_query() {
            *request.uri_mut() = Uri::from(target.clone());
        }
        let lines = forward::said(&self.fields, self.asked.present, &self.hop(gateway, &authority));
        let host = (route.host_field == HostField::Client).then_some(authority);
        request.extensions_mut().insert(Said { host, lines });
        if let Some(skip) = &route.skip {
            upstream::spread(&mut request).remove(&skip.field);
        }
        if !route.request_fields.is_empty() {
            forward::change(upstream::spread(&mut request), &route.request_fields);
        }
        if self.lane.upstream().is_ok_and(|upstream| upstream.chooses_by_key()) {
            request.extensions_mut().insert(self.key_hash());
        }
        request
    }

    /// What a choice of the member by the key goes by. It is no variant's key, and for methods
    /// whose responses are not kept it is GET's: what changes a URI is to meet the member that its
    /// readers meet.
    fn key_hash(&self) -> KeyHash {
        let read = match self.asked.method {
            MethodClass::Get | MethodClass::Head | MethodClass::Listed => None,
            MethodClass::Post | MethodClass::Safe | MethodClass::Unsafe => {
                self.uri().and_then(|uri| self.key_for(&uri))
            }
        };
        KeyHash(upstream::digest(read.as_deref().unwrap_or(&self.key)))
    }
}

/// A request in its parts.
pub struct AskedFor {
    /// The head.
    pub ask: Ask,
    /// The body.
    pub body: crate::server::RequestBody,
    /// Sends 1xx responses to the client.
    pub informational: Option<crate::server::InformationalSender>,
}

/// Why a request is not an [`Ask`] yet.
pub enum Unasked {
    /// It never will be.
    Refused(Refusal),
    /// Redis has to be asked for its host.
    Unrouted(Box<Request>, String),
}

impl<T: Into<Refusal>> From<T> for Unasked {
    fn from(refusal: T) -> Self {
        Unasked::Refused(refusal.into())
    }
}

const NO_ROUTE: Refusal = Refusal {
    status: StatusCode::NOT_FOUND,
    words: "no route leads from this host and path to an origin",
    detail: Detail::NoRoute,
};

const ROUTE_WRONG: Refusal = Refusal {
    status: StatusCode::SERVICE_UNAVAILABLE,
    words: "the route of this host is not well formed",
    detail: Detail::RouteWrong,
};

const LOOKUPS_LIMITED: Refusal = Refusal {
    status: StatusCode::SERVICE_UNAVAILABLE,
    words: "too many unknown hosts are asked for",
    detail: Detail::RouteLookupsLimited,
};

const ROUTES_AWAY: Refusal = Refusal {
    status: StatusCode::SERVICE_UNAVAILABLE,
    words: "where this host is cannot be found out now",
    detail: Detail::RoutesAway,
};

const ROUTES_FULL: Refusal = Refusal {
    status: StatusCode::SERVICE_UNAVAILABLE,
    words: "no more routes have room",
    detail: Detail::RoutesFull,
};

impl From<TargetError> for Refusal {
    fn from(error: TargetError) -> Self {
        let (status, words) = match error {
            TargetError::HostAbsent => (StatusCode::BAD_REQUEST, "the request names no host"),
            TargetError::HostTwice => (StatusCode::BAD_REQUEST, "the request names two hosts"),
            TargetError::HostLength
            | TargetError::HostByte
            | TargetError::HostAddress
            | TargetError::User
            | TargetError::Port => (StatusCode::BAD_REQUEST, "the host is not well formed"),
            TargetError::Scheme => (StatusCode::BAD_REQUEST, "the scheme is not known"),
            TargetError::Misdirected => {
                (StatusCode::MISDIRECTED_REQUEST, "this connection is not secured")
            }
        };
        Refusal { status, words, detail: Detail::RequestRefused }
    }
}

fn refuse_loop(gateway: &Gateway, fields: &HeaderMap) -> Result<(), Refusal> {
    if !forward::is_loop(fields, gateway.name(), gateway.node()) {
        return Ok(());
    }
    let words = "the request came back to the gateway that had sent it";
    Err(Refusal { status: StatusCode::LOOP_DETECTED, words, detail: Detail::Loop })
}

/// The scheme of the target URI: what a listed peer says of its own side, else this connection's.
pub(crate) fn scheme(trust: Trust, request: &Request) -> Scheme {
    let own = match request.peer.transport {
        Transport::Tls => Scheme::Https,
        Transport::Plain => Scheme::Http,
    };
    match trust {
        Trust::Stranger => own,
        Trust::Listed => match request.fields.get(X_FORWARDED_PROTO) {
            Some(said) if said == "https" => Scheme::Https,
            Some(_) => Scheme::Http,
            None => own,
        },
    }
}
