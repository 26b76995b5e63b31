//! One connection to the gateway, over which one URL after the other is asked for.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http::header::{HOST, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::target::{Scheme, Target};
use crate::answer::Duplex;
use crate::config::text::in_time;
use crate::forward::X_FORWARDED_PROTO;
use crate::upstream::tls_to;

/// How long connecting may take.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);

/// How long one answer may take, its body included.
const ANSWER_PATIENCE: Duration = Duration::from_secs(120);

/// Says who asks.
const AGENT: &str = concat!("forebay-warm/", env!("CARGO_PKG_VERSION"));

/// Where it is asked, and what every request has.
#[derive(Clone, Debug)]
pub(super) struct Asks {
    /// `host:port` of the gateway.
    pub(super) place: String,
    wire: Wire,
    fields: HeaderMap,
}

/// How the gateway is spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Wire {
    Plain,
    /// Trusting these authorities, or the system's.
    Tls(Option<PathBuf>),
}

/// What one answer said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Visited {
    pub(super) status: StatusCode,
    pub(super) cache_status: String,
    pub(super) body_bytes: u64,
}

/// Why there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// The gateway cannot be connected to.
    Unreachable(String),
    /// It did not answer in time.
    Late,
    /// The connection or the body broke off.
    Broken(String),
    /// The body is longer than was asked for.
    TooLong,
}

/// What becomes of a body.
#[derive(Clone, Copy)]
enum Body {
    /// It goes by.
    Passes,
    /// It is kept, within this bound.
    Kept(usize),
}

impl Asks {
    /// Of what was typed.
    pub(super) fn of(to: &str, ca_file: Option<&Path>, fields: &[String]) -> Result<Self, String> {
        let mut all = HeaderMap::new();
        all.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        for line in fields {
            let refused = || format!("cannot use `{line}` as a field: write NAME: VALUE");
            let (name, value) = line.split_once(':').ok_or_else(refused)?;
            let name = HeaderName::from_bytes(name.trim().as_bytes()).map_err(|_| refused())?;
            let value = HeaderValue::from_str(value.trim()).map_err(|_| refused())?;
            if name == HOST {
                return Err(format!("cannot use `{line}`: each URL brings its own host"));
            }
            all.append(name, value);
        }
        let (place, scheme) = place(to)?;
        let wire = match scheme {
            Scheme::Http => Wire::Plain,
            Scheme::Https => Wire::Tls(ca_file.map(Path::to_owned)),
        };
        Ok(Asks { place, wire, fields: all })
    }
}

fn place(to: &str) -> Result<(String, Scheme), String> {
    let refused = |why: &str| format!("cannot ask `{to}`: {why}; write http://127.0.0.1:8080");
    let uri: Uri = to.parse().map_err(|_| refused("it is no URL"))?;
    let authority = uri.authority().ok_or_else(|| refused("it has no host"))?;
    let (scheme, default) = match uri.scheme_str() {
        Some("http") | None => (Scheme::Http, 80),
        Some("https") => (Scheme::Https, 443),
        Some(_) => return Err(refused("its scheme is neither http nor https")),
    };
    if uri.path().len() > 1 || uri.query().is_some() || authority.as_str().contains('@') {
        return Err(refused("a listener is a host and a port"));
    }
    let port = authority.port_u16().unwrap_or(default);
    Ok((format!("{}:{port}", authority.host()), scheme))
}

impl Lost {
    /// In one word.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Lost::Unreachable(_) => "gateway-unreachable",
            Lost::Late => "gateway-late",
            Lost::Broken(_) => "answer-broken",
            Lost::TooLong => "answer-too-long",
        }
    }

    /// In words.
    pub(super) fn words(&self, place: &str) -> String {
        match self {
            Lost::Unreachable(cause) => {
                format!("cannot reach the gateway on `{place}`: {cause}; is `forebay run` up?")
            }
            Lost::Late => format!("no answer within {}", in_time(ANSWER_PATIENCE)),
            Lost::Broken(cause) => format!("the answer broke off: {cause}"),
            Lost::TooLong => "the answer is too long".to_owned(),
        }
    }
}

/// Asks one URL after the other.
pub(super) struct Visitor {
    asks: Asks,
    connection: Option<Connection>,
}

/// A connection, and to which name it was made.
struct Connection {
    name: String,
    sender: SendRequest<Empty<Bytes>>,
}

impl Visitor {
    /// Not connected yet.
    pub(super) fn new(asks: Asks) -> Self {
        Visitor { asks, connection: None }
    }

    /// Asks for a URL, and lets its body go by.
    pub(super) async fn visit(&mut self, target: &Target) -> Result<Visited, Lost> {
        self.asked(target, Body::Passes).await.map(|(visited, _)| visited)
    }

    /// Asks for a URL, and keeps its body, if it is not longer than that.
    pub(super) async fn read(
        &mut self,
        target: &Target,
        bytes_max: usize,
    ) -> Result<(Visited, Vec<u8>), Lost> {
        self.asked(target, Body::Kept(bytes_max)).await
    }

    async fn asked(&mut self, target: &Target, body: Body) -> Result<(Visited, Vec<u8>), Lost> {
        let asked = timeout(ANSWER_PATIENCE, self.answered(target, body)).await;
        let asked = asked.unwrap_or(Err(Lost::Late));
        if asked.is_err() {
            // What is left of an answer is in the way of the next.
            self.connection = None;
        }
        asked
    }

    async fn answered(&mut self, target: &Target, body: Body) -> Result<(Visited, Vec<u8>), Lost> {
        // The gateway may close an idle connection at any time; once more on a new one.
        let kept = self.connection.take().filter(|kept| self.serves(kept, target));
        if let Some(mut kept) = kept
            && kept.sender.ready().await.is_ok()
            && let Ok(answer) = kept.sender.send_request(self.request(target)?).await
        {
            self.connection = Some(kept);
            return taken(answer, body).await;
        }
        let mut sender = self.connect(target).await?;
        let answer = sender.send_request(self.request(target)?).await;
        let answer = answer.map_err(|cause| Lost::Broken(cause.to_string()))?;
        self.connection = Some(Connection { name: target.name.clone(), sender });
        taken(answer, body).await
    }

    /// Over TLS a connection is for the host that its certificate was checked for.
    fn serves(&self, kept: &Connection, target: &Target) -> bool {
        let is_for = self.asks.wire == Wire::Plain || kept.name == target.name;
        is_for && !kept.sender.is_closed()
    }

    async fn connect(&self, target: &Target) -> Result<SendRequest<Empty<Bytes>>, Lost> {
        let connecting = timeout(CONNECT_PATIENCE, self.stream(target)).await;
        let late = || format!("no answer within {}", in_time(CONNECT_PATIENCE));
        let stream =
            connecting.map_err(|_| Lost::Unreachable(late()))?.map_err(Lost::Unreachable)?;
        let shaken = http1::handshake(TokioIo::new(stream)).await;
        let (sender, connection) = shaken.map_err(|cause| Lost::Broken(cause.to_string()))?;
        tokio::spawn(async move {
            // How it ended is told to who waits for an answer.
            let _ = connection.await;
        });
        Ok(sender)
    }

    async fn stream(&self, target: &Target) -> Result<Box<dyn Duplex>, String> {
        let stream = TcpStream::connect(&self.asks.place).await;
        let stream = stream.map_err(|cause| match cause.kind() {
            std::io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
            _ => cause.to_string(),
        })?;
        let _ = stream.set_nodelay(true);
        match &self.asks.wire {
            Wire::Plain => Ok(Box::new(stream)),
            Wire::Tls(ca_file) => tls_to(&target.name, ca_file.as_deref(), Box::new(stream)).await,
        }
    }

    fn request(&self, target: &Target) -> Result<Request<Empty<Bytes>>, Lost> {
        let request = Request::builder().method(Method::GET).uri(&target.path).body(Empty::new());
        let mut request = request.map_err(|cause| Lost::Broken(cause.to_string()))?;
        *request.headers_mut() = self.asks.fields.clone();
        request.headers_mut().insert(HOST, target.host.clone());
        // A gateway that ends no TLS itself believes whom it trusts what a client's scheme was; it is
        // part of the key.
        if target.scheme == Scheme::Https {
            let https = HeaderValue::from_static("https");
            request.headers_mut().insert(X_FORWARDED_PROTO, https);
        }
        Ok(request)
    }
}

async fn taken(answer: http::Response<Incoming>, body: Body) -> Result<(Visited, Vec<u8>), Lost> {
    let said = answer.headers().get_all("cache-status").iter();
    let said = said.map(|line| String::from_utf8_lossy(line.as_bytes()).into_owned());
    let cache_status = said.collect::<Vec<_>>().join(", ");
    let mut visited = Visited { status: answer.status(), cache_status, body_bytes: 0 };
    let (mut frames, mut read) = (answer.into_body(), Vec::new());
    while let Some(frame) = frames.frame().await {
        let frame = frame.map_err(|cause| Lost::Broken(cause.to_string()))?;
        let Ok(piece) = frame.into_data() else { continue };
        visited.body_bytes += piece.len() as u64;
        match body {
            Body::Passes => {}
            Body::Kept(max) if read.len() + piece.len() > max => return Err(Lost::TooLong),
            Body::Kept(_) => read.extend_from_slice(&piece),
        }
    }
    Ok((visited, read))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gateway_is_a_host_and_a_port() {
        let check = |to: &str, expected: &str, scheme| {
            assert_eq!(place(to), Ok((expected.to_owned(), scheme)), "{to}");
        };
        check("http://127.0.0.1:8080", "127.0.0.1:8080", Scheme::Http);
        check("http://127.0.0.1:8080/", "127.0.0.1:8080", Scheme::Http);
        check("10.0.0.7:8080", "10.0.0.7:8080", Scheme::Http);
        check("http://edge.internal", "edge.internal:80", Scheme::Http);
        check("https://edge.internal", "edge.internal:443", Scheme::Https);
        check("http://[::1]:8080", "[::1]:8080", Scheme::Http);
        for wrong in ["", "ftp://a:1", "http://a:1/b", "http://u@a:1", "/a"] {
            assert!(place(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_field_is_a_name_and_a_value_and_not_the_host() {
        let of = |line: &str| Asks::of("http://a:1", None, &[line.to_owned()]);
        assert_eq!(of("Accept-Encoding: gzip").unwrap().fields["accept-encoding"], "gzip");
        for wrong in ["no", "a b: c", "x: \u{7}", "Host: b"] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
    }
}
