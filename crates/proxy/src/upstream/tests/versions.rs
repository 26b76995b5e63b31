//! HTTP/2 in the clear, TLS with either version, and Unix sockets.

use super::*;
use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::path::Path;

use futures_util::StreamExt;
use http_body_util::{Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::PrivatePkcs8KeyDer;
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::task::JoinSet;

type Reply = Response<UnsyncBoxBody<Bytes, crate::answer::BodyError>>;

/// Says what it was asked, or does what the path says.
async fn reply(request: Request<Incoming>) -> Result<Reply, Infallible> {
    let text =
        format!("{} {:?} {:?}", request.uri(), request.version(), request.headers().get("host"));
    if request.uri().path() == "/slow" {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    if request.uri().path() == "/cut" {
        let frames = futures_util::stream::iter([
            Ok(http_body::Frame::data(Bytes::from("hel"))),
            Err::<_, crate::answer::BodyError>("cut".into()),
        ]);
        let frames = frames.then(|frame| async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            frame
        });
        return Ok(Response::new(StreamBody::new(frames).boxed_unsync()));
    }
    if request.uri().path() == "/many" {
        let mut response = Response::new(Full::from("").map_err(|e| match e {}).boxed_unsync());
        for index in 0..300 {
            response.headers_mut().append("a", index.into());
        }
        return Ok(response);
    }
    if request.uri().path() == "/long" {
        let mut response = Response::new(Full::from("").map_err(|e| match e {}).boxed_unsync());
        response.headers_mut().insert("a", "b".repeat(70_000).parse().unwrap());
        return Ok(response);
    }
    if request.method() == http::Method::HEAD {
        let mut response = Response::new(Full::from("").map_err(|e| match e {}).boxed_unsync());
        response.headers_mut().insert("content-length", text.len().into());
        return Ok(response);
    }
    Ok(Response::new(Full::from(text).map_err(|e| match e {}).boxed_unsync()))
}

/// A server that speaks HTTP/2 with prior knowledge; counts its connections.
async fn h2c() -> (SocketAddr, Arc<AtomicUsize>, JoinSet<()>) {
    counting(serve_http2::<TcpStream>).await
}

/// A server that speaks HTTP/1.1; counts its connections.
pub(super) async fn http1() -> (SocketAddr, Arc<AtomicUsize>, JoinSet<()>) {
    counting(serve_http1::<TcpStream>).await
}

async fn counting<F>(serve: fn(TcpStream) -> F) -> (SocketAddr, Arc<AtomicUsize>, JoinSet<()>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = connections.clone();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut open = JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            counted.fetch_add(1, Ordering::Relaxed);
            open.spawn(serve(stream));
        }
    });
    (address, connections, tasks)
}

async fn serve_http2<S: Duplex + 'static>(stream: S) {
    let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    builder.max_concurrent_streams(8);
    let _ = builder.serve_connection(TokioIo::new(stream), service_fn(reply)).await;
}

async fn serve_http1<S: Duplex + 'static>(stream: S) {
    let builder = hyper::server::conn::http1::Builder::new();
    let _ = builder.serve_connection(TokioIo::new(stream), service_fn(reply)).await;
}

fn asking(path: &str) -> Request<RequestBody> {
    let mut request = get();
    *request.uri_mut() = path.parse().unwrap();
    request
}

#[tokio::test]
async fn many_requests_share_one_connection_of_http2() {
    let (address, connections, _server) = h2c().await;
    let settings = UpstreamSettings::to(vec![member(MemberScheme::H2c, address)]);
    let upstream = over_network(&settings);
    let asked = (0..8).map(|_| ask(&upstream, asking("/slow")));
    for heard in futures_util::future::join_all(asked).await {
        let expected = "http://www.example.com/slow HTTP/2.0 None";
        assert_eq!(heard.unwrap().body, expected);
    }
    assert_eq!(connections.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn streams_beyond_what_the_origin_allows_go_over_another_connection() {
    let (address, connections, _server) = h2c().await;
    let upstream = over_network(&UpstreamSettings::to(vec![member(MemberScheme::H2c, address)]));
    for _ in 0..2 {
        ask(&upstream, asking("/first")).await.unwrap();
    }
    let asked = (0..20).map(|_| ask(&upstream, asking("/slow")));
    for heard in futures_util::future::join_all(asked).await {
        assert_eq!(heard.unwrap().status, 200);
    }
    assert!((2..=3).contains(&connections.load(Ordering::Relaxed)));
}

#[tokio::test]
async fn no_stream_is_refused_because_we_did_not_wait_for_the_origins_limit() {
    let (address, connections, _server) = h2c().await;
    let upstream = over_network(&UpstreamSettings::to(vec![member(MemberScheme::H2c, address)]));
    let asked = (0..50).map(|_| ask(&upstream, asking("/slow")));
    for heard in futures_util::future::join_all(asked).await {
        assert_eq!(heard.unwrap().status, 200);
    }
    assert_eq!(connections.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn http2_bodies_and_heads_are_held_to_the_same_rules() {
    let (address, _, _server) = h2c().await;
    let upstream = over_network(&UpstreamSettings::to(vec![member(MemberScheme::H2c, address)]));
    let cut = ask(&upstream, asking("/cut")).await.unwrap_err();
    assert_eq!(cut.kind, FailureKind::BodyCut);
    let many = ask(&upstream, asking("/many")).await.unwrap_err();
    assert_eq!(many.kind, FailureKind::Malformed);
    let long = ask(&upstream, asking("/long")).await.unwrap_err();
    assert_eq!(long.kind, FailureKind::Malformed, "{long}");
    let mut head = asking("/head");
    *head.method_mut() = http::Method::HEAD;
    let heard = ask(&upstream, head).await.unwrap();
    assert_eq!((heard.body.as_str(), heard.fields.contains_key("content-length")), ("", true));
    assert_eq!(ask(&upstream, asking("/again")).await.unwrap().status, 200);
}

/// Frames that an HTTP/2 origin answers its first stream with (RFC 9113 section 4.1).
mod frames {
    pub(super) const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
    pub(super) const HEADERS_200: &[u8] = &[0, 0, 1, 1, 4, 0, 0, 0, 1, 0x88];
    pub(super) const BYTES: &[u8] = &[0, 0, 3, 0, 0, 0, 0, 0, 1, b'h', b'e', b'l'];
    pub(super) const LAST_BYTES: &[u8] = &[0, 0, 2, 0, 1, 0, 0, 0, 1, b'l', b'o'];
    pub(super) const RESET_NO_ERROR: &[u8] = &[0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 0];
    pub(super) const RESET_CANCEL: &[u8] = &[0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 8];
    pub(super) const REFUSED: &[u8] = &[0, 0, 4, 3, 0, 0, 0, 0, 3, 0, 0, 0, 7];
    pub(super) const THIRD_HEADERS_204: &[u8] = &[0, 0, 1, 1, 5, 0, 0, 0, 5, 0x89];
    pub(super) const GO_AWAY: &[u8] = &[0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0];
}

#[tokio::test]
async fn a_reset_is_never_the_end_of_an_http2_body() {
    use frames::*;
    let pause = Act::Pause(Duration::from_millis(50));
    let cut = Err(FailureKind::BodyCut);
    type Frames = Vec<&'static [u8]>;
    let cases: [(Frames, Result<&str, FailureKind>); 5] = [
        (vec![HEADERS_200, BYTES, LAST_BYTES], Ok("hello")),
        (vec![HEADERS_200, BYTES, RESET_NO_ERROR], cut),
        (vec![HEADERS_200, BYTES, RESET_CANCEL], cut),
        (vec![HEADERS_200, BYTES], cut),
        (vec![RESET_CANCEL], Err(FailureKind::HeadCut)),
    ];
    for (sent, expected) in cases {
        let mut script = vec![Act::Read, pause, Act::Bytes(SETTINGS)];
        script.extend(sent.iter().flat_map(|frame| [Act::Bytes(frame), pause]));
        let origin = Origin::start(vec![script]).await;
        let member = member(MemberScheme::H2c, origin.address);
        let heard = ask(&over_network(&UpstreamSettings::to(vec![member])), get()).await;
        let heard = heard.as_ref().map(|heard| heard.body.as_str()).map_err(|f| f.kind);
        assert_eq!(heard, expected, "{sent:?}");
    }
}

#[tokio::test]
async fn a_connection_that_goes_away_is_replaced_whatever_the_method() {
    use frames::*;
    let pause = Act::Pause(Duration::from_millis(50));
    let first = [SETTINGS, HEADERS_200, BYTES, LAST_BYTES, GO_AWAY];
    let mut script = vec![Act::Read, pause];
    script.extend(first.iter().map(|frame| Act::Bytes(frame)));
    script.push(Act::Stall);
    let second = [SETTINGS, HEADERS_200, LAST_BYTES];
    let mut replacing = vec![Act::Read, pause];
    replacing.extend(second.iter().map(|frame| Act::Bytes(frame)));
    replacing.push(Act::Stall);
    let origin = Origin::start(vec![script, replacing]).await;
    let member = member(MemberScheme::H2c, origin.address);
    let upstream = over_network(&UpstreamSettings::to(vec![member]));
    assert_eq!(ask(&upstream, get()).await.unwrap().body, "hello");
    tokio::time::sleep(Duration::from_millis(50)).await;
    let heard = ask(&upstream, request("POST", RequestBody::Empty)).await;
    assert_eq!(heard.unwrap().body, "lo");
}

#[tokio::test]
async fn a_refused_stream_is_begun_once_more_if_the_request_is_idempotent() {
    use frames::*;
    let pause = Act::Pause(Duration::from_millis(50));
    for (method, expected) in [("GET", Ok(204)), ("POST", Err(FailureKind::HeadCut))] {
        let mut script = vec![Act::Read, pause];
        script.extend([SETTINGS, HEADERS_200, BYTES, LAST_BYTES].map(Act::Bytes));
        script.extend([pause, pause, Act::Bytes(REFUSED), pause, Act::Bytes(THIRD_HEADERS_204)]);
        script.push(Act::Stall);
        let origin = Origin::start(vec![script]).await;
        let member = member(MemberScheme::H2c, origin.address);
        let upstream = over_network(&UpstreamSettings::to(vec![member]));
        assert_eq!(ask(&upstream, get()).await.unwrap().body, "hello");
        let heard = ask(&upstream, request(method, RequestBody::Empty)).await;
        let heard = heard.map(|heard| heard.status).map_err(|failure| failure.kind);
        assert_eq!(heard, expected, "{method}");
    }
}

#[tokio::test]
async fn a_stream_that_the_connection_left_behind_goes_over_another() {
    use frames::*;
    let pause = Act::Pause(Duration::from_millis(50));
    let mut script = vec![Act::Read, pause];
    script.extend([SETTINGS, HEADERS_200, BYTES, LAST_BYTES].map(Act::Bytes));
    script.extend([pause, pause, Act::Bytes(GO_AWAY), Act::Stall]);
    let mut replacing = vec![Act::Read, pause];
    replacing.extend([SETTINGS, HEADERS_200, LAST_BYTES].map(Act::Bytes));
    replacing.push(Act::Stall);
    let origin = Origin::start(vec![script, replacing]).await;
    let member = member(MemberScheme::H2c, origin.address);
    let upstream = over_network(&UpstreamSettings::to(vec![member]));
    assert_eq!(ask(&upstream, get()).await.unwrap().body, "hello");
    assert_eq!(ask(&upstream, get()).await.unwrap().body, "lo");
}

/// Certificates of an authority of our own.
struct Authority {
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Authority {
        let mut params = rcgen::CertificateParams::new(vec![]).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let name = format!("authority {:x}", rand::random::<u64>());
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let key = rcgen::KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Authority { issuer: rcgen::Issuer::new(params, key), pem }
    }

    /// A server's certificate for a name, valid to the end of a year.
    fn server(&self, name: &str, year: i32, protocols: &[&str]) -> tokio_rustls::TlsAcceptor {
        let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(year, 12, 31);
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            )
            .unwrap();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        Arc::new(config).into()
    }
}

/// A server that speaks TLS.
async fn tls(acceptor: tokio_rustls::TlsAcceptor) -> (SocketAddr, JoinSet<()>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut open = JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(stream) = acceptor.accept(stream).await else { continue };
            if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                open.spawn(serve_http2(stream));
            } else {
                open.spawn(serve_http1(stream));
            }
        }
    });
    (address, tasks)
}

fn https(address: SocketAddr, ca_file: &Path) -> UpstreamSettings {
    UpstreamSettings {
        ca_file: Some(ca_file.to_owned()),
        ..UpstreamSettings::to(vec![member(MemberScheme::Https, address)])
    }
}

/// A path of its own below the system's folder for such things; gone with the value.
struct Scratch(std::path::PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let name = format!("forebay-{}-{:x}-{name}", std::process::id(), rand::random::<u64>());
        Scratch(std::env::temp_dir().join(name))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[tokio::test]
async fn tls_is_verified_and_speaks_what_both_sides_can() {
    let authority = Authority::new();
    let ca = Scratch::new("ca.pem");
    std::fs::write(&ca.0, &authority.pem).unwrap();
    for (protocols, version) in [
        (&["h2", "http/1.1"][..], "HTTP/2.0 None"),
        (&["http/1.1"], "HTTP/1.1 Some(\"www.example.com\")"),
        (&[], "HTTP/1.1 Some(\"www.example.com\")"),
    ] {
        let (address, _server) = tls(authority.server("127.0.0.1", 2999, protocols)).await;
        let upstream = over_network(&https(address, &ca.0));
        for _ in 0..2 {
            let body = ask(&upstream, get()).await.unwrap().body;
            assert!(body.ends_with(version), "{body}");
        }
        let mut wish = get();
        wish.headers_mut().insert(UPGRADE, "websocket".parse().unwrap());
        let body = ask(&upstream, wish).await.unwrap().body;
        assert!(body.contains("HTTP/1.1"), "a tunnel needs HTTP/1.1: {body}");
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_to_be_trusted_says_why() {
    let (trusted, other) = (Authority::new(), Authority::new());
    let ca = Scratch::new("ca.pem");
    std::fs::write(&ca.0, &trusted.pem).unwrap();
    let cases = [
        (other.server("127.0.0.1", 2999, &[]), "authority that is not trusted (see `ca_file`)"),
        (trusted.server("127.0.0.1", 2001, &[]), "its certificate has expired"),
        (trusted.server("example.org", 2999, &[]), "its certificate is for another name"),
    ];
    for (acceptor, why) in cases {
        let (address, _server) = tls(acceptor).await;
        let failure = ask(&over_network(&https(address, &ca.0)), get()).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Tls);
        assert!(failure.to_string().contains(why), "{failure}");
    }
}

#[tokio::test]
async fn a_member_may_be_a_unix_socket() {
    let path = Scratch::new("socket");
    let listener = UnixListener::bind(&path.0).unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        serve_http1(stream).await;
    });
    let host = path.0.to_str().unwrap().to_owned();
    let unix = MemberSettings { scheme: MemberScheme::Unix, host, port: 0, weight: 1 };
    let upstream = over_network(&UpstreamSettings::to(vec![unix]));
    let mut request = get();
    request.headers_mut().remove("host");
    let body = ask(&upstream, request).await.unwrap().body;
    assert_eq!(body, "/path?query HTTP/1.1 Some(\"localhost\")");
    assert_eq!(ask(&upstream, get()).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_member_may_prove_to_be_another_name_than_its_own() {
    let authority = Authority::new();
    let ca = Scratch::new("server-name-ca.pem");
    std::fs::write(&ca.0, &authority.pem).unwrap();
    let (address, _server) = tls(authority.server("shop.internal", 2040, &["h2"])).await;
    let ask_as = async |name: Option<&str>| {
        let settings = UpstreamSettings {
            ca_file: Some(ca.0.clone()),
            server_name: name.map(str::to_owned),
            ..UpstreamSettings::to(vec![member(MemberScheme::Https, address)])
        };
        ask(&over_network(&settings), get()).await.map(|heard| heard.status)
    };
    assert_eq!(ask_as(Some("shop.internal")).await, Ok(200));
    assert_eq!(ask_as(None).await.unwrap_err().kind, FailureKind::Tls);
    assert_eq!(ask_as(Some("other.internal")).await.unwrap_err().kind, FailureKind::Tls);
}

/// Takes each connection and lets go of it when a request has come.
async fn http2_that_dies(requests: Arc<AtomicUsize>) -> (SocketAddr, JoinSet<()>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let mut connection = ::h2::server::handshake(stream).await.unwrap();
            if let Some(Ok((_request, stream))) = connection.accept().await {
                requests.fetch_add(1, Ordering::Relaxed);
                drop((stream, connection));
            }
        }
    });
    (address, tasks)
}

#[tokio::test]
async fn what_an_http2_member_left_unanswered_goes_to_another_under_its_own_name() {
    let requests = Arc::new(AtomicUsize::new(0));
    let (dies, _dying) = http2_that_dies(requests.clone()).await;
    let (stays, connections, _server) = h2c().await;
    let settings =
        UpstreamSettings::to([dies, stays].map(|at| member(MemberScheme::H2c, at)).into());
    let ask_for = async |method: &str| {
        let mut request = request(method, RequestBody::Empty);
        request.headers_mut().remove("host");
        ask(&over_network(&settings), request).await
    };
    let heard = ask_for("GET").await.unwrap();
    assert_eq!(heard.body, format!("http://{stays}/path?query HTTP/2.0 None"));
    assert_eq!(ask_for("POST").await.unwrap_err().kind, FailureKind::HeadCut);
    assert_eq!((requests.load(Ordering::Relaxed), connections.load(Ordering::Relaxed)), (2, 1));
}
