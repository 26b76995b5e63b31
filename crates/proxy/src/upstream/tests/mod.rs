//! A member as it really behaves: scripted byte by byte, or a server that can do no wrong.

mod bounds;
mod http1;
mod origin;
mod resending;
mod several;
mod timeouts;
mod truncation;
mod tunnels;
mod versions;

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;

use self::origin::{Act, Origin};
use super::*;
use crate::config::{MemberSettings, UpstreamSettings};

/// What a test wants to know of a response.
#[derive(Debug)]
struct Heard {
    status: u16,
    fields: HeaderMap,
    body: String,
    trailers: Option<HeaderMap>,
}

fn member(scheme: MemberScheme, address: SocketAddr) -> MemberSettings {
    MemberSettings { scheme, host: address.ip().to_string(), port: address.port(), weight: 1 }
}

fn http(address: SocketAddr) -> UpstreamSettings {
    UpstreamSettings::to(vec![member(MemberScheme::Http, address)])
}

fn network() -> Arc<dyn Connect> {
    Arc::new(Network::new(Duration::from_secs(10), Arc::default()))
}

fn over_network(settings: &UpstreamSettings) -> Arc<Upstream> {
    Upstream::new(settings, network()).unwrap()
}

fn request(method: &str, body: RequestBody) -> Request<RequestBody> {
    Request::builder()
        .method(method)
        .uri("/path?query")
        .header("host", "www.example.com")
        .body(body)
        .unwrap()
}

fn get() -> Request<RequestBody> {
    request("GET", RequestBody::Empty)
}

async fn hear(response: Response<OriginBody>) -> Result<Heard, FetchFailure> {
    let (head, body) = response.into_parts();
    let body = body.collect().await?;
    Ok(Heard {
        status: head.status.as_u16(),
        fields: head.headers,
        trailers: body.trailers().cloned(),
        body: String::from_utf8(body.to_bytes().to_vec()).unwrap(),
    })
}

async fn ask(upstream: &Upstream, request: Request<RequestBody>) -> Result<Heard, FetchFailure> {
    hear(upstream.send(request, None).await?).await
}

/// Sends a GET to an origin that plays one script, and reads everything.
async fn ask_once(acts: &[Act]) -> Result<Heard, FetchFailure> {
    let origin = Origin::start(vec![acts.to_vec()]).await;
    ask(&over_network(&http(origin.address)), get()).await
}

#[tokio::test]
async fn a_request_goes_out_as_given_and_the_response_comes_back() {
    let reply = Act::Write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nETag: \"x\"\r\n\r\nok");
    let origin = Origin::start(vec![vec![Act::Read, reply]]).await;
    let heard = ask(&over_network(&http(origin.address)), get()).await.unwrap();
    assert_eq!((heard.status, heard.body.as_str()), (200, "ok"));
    assert_eq!(heard.fields["etag"], "\"x\"");
    assert_eq!(origin.seen(), ["GET /path?query HTTP/1.1\r\nHost: www.example.com\r\n\r\n"]);
}

#[test]
fn an_exchange_may_move_between_threads() {
    fn check(_: impl Send) {}
    let upstream = over_network(&http("127.0.0.1:1".parse().unwrap()));
    check(upstream.send(get(), None));
    check(async move {
        let mut response = upstream.send(get(), None).await?;
        tunnel(&mut response)
    });
}

#[tokio::test]
async fn trailers_are_the_last_frame() {
    let reply = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: digest\r\n\r\n\
                 2\r\nok\r\n0\r\nDigest: yes\r\n\r\n";
    let heard = ask_once(&[Act::Read, Act::Write(reply)]).await.unwrap();
    assert_eq!(heard.body, "ok");
    assert_eq!(heard.trailers.unwrap()["digest"], "yes");
}

#[tokio::test]
async fn early_responses_but_100_are_told_and_bounded() {
    let mut reply = "HTTP/1.1 100 Continue\r\n\r\n".to_owned();
    reply.push_str(&"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".repeat(20));
    reply.push_str("HTTP/1.1 204 No Content\r\n\r\n");
    let origin = Origin::start(vec![vec![Act::Read, Act::Write(reply.leak())]]).await;
    let told = Arc::new(parking_lot::Mutex::new(Vec::new()));
    let telling = told.clone();
    let observe: Informational = Box::new(move |status, fields| {
        telling.lock().push((status.as_u16(), fields["link"].clone()));
    });
    let upstream = over_network(&http(origin.address));
    let response = upstream.send(get(), Some(observe)).await.unwrap();
    assert_eq!(response.status(), 204);
    let told = told.lock();
    assert_eq!(told.len(), INFORMATIONAL_MAX);
    assert!(told.iter().all(|(status, link)| *status == 103 && link == "</a>"));
}

#[tokio::test]
async fn a_member_that_cannot_be_reached_is_passed_over() {
    let reply = Act::Write("HTTP/1.1 204 No Content\r\n\r\n");
    let origin = Origin::start(vec![vec![Act::Read, reply, Act::Read, reply]]).await;
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let mut settings = http(nobody);
    settings.members.push(member(MemberScheme::Http, origin.address));
    let upstream = over_network(&settings);
    for _ in 0..2 {
        assert_eq!(ask(&upstream, get()).await.unwrap().status, 204);
    }
}

#[tokio::test]
async fn a_refused_connection_says_so() {
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let failure = ask(&over_network(&http(nobody)), get()).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Connect);
    assert_eq!(failure.to_string(), format!("cannot connect to `{nobody}`: connection refused"));
}

#[tokio::test]
async fn a_body_is_framed_by_what_it_is() {
    let stream = |text: &'static str| {
        let frames = futures_util::stream::iter([Ok::<_, crate::answer::BodyError>(
            http_body::Frame::data(Bytes::from_static(text.as_bytes())),
        )]);
        RequestBody::Stream(http_body_util::StreamBody::new(frames).boxed_unsync())
    };
    let cases = [
        ("POST", RequestBody::Empty, "Content-Length: 0\r\n\r\n"),
        ("POST", RequestBody::Whole(Bytes::from("abc")), "Content-Length: 3\r\n\r\nabc"),
        ("POST", stream("abc"), "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
        ("GET", stream("abc"), "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
    ];
    for (method, body, end) in cases {
        let reply = Act::Write("HTTP/1.1 204 No Content\r\n\r\n");
        let origin = Origin::start(vec![vec![Act::ReadUntil(end), reply]]).await;
        let mut request = request(method, body);
        request.headers_mut().insert("expect", "100-continue".parse().unwrap());
        ask(&over_network(&http(origin.address)), request).await.unwrap();
        let head = format!("{method} /path?query HTTP/1.1\r\nHost: www.example.com\r\n");
        assert_eq!(origin.seen(), [format!("{head}{end}")]);
    }
}
