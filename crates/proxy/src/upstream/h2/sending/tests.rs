use http_body_util::combinators::UnsyncBoxBody;

use super::*;
use crate::upstream::Said;

fn shaped(host: Option<&str>, uri: &str) -> Result<String, Unsendable> {
    let member = HeaderValue::from_static("member:1");
    let mut request = Request::new(Sending::new(RequestBody::Empty));
    *request.uri_mut() = uri.parse().unwrap();
    if let Some(host) = host {
        request.headers_mut().insert(HOST, host.parse().unwrap());
    }
    shape(&mut request, Scheme::HTTPS, &member)?;
    let text =
        |request: &Request<Sending>| format!("{} {:?}", request.uri(), request.headers().get(HOST));
    let once = text(&request);
    shape(&mut request, Scheme::HTTPS, &member)?;
    assert_eq!(text(&request), once, "the second time changes nothing");
    Ok(once)
}

#[test]
fn http2_has_an_authority_and_no_host() {
    let check = |host, uri, expected: Result<&str, Unsendable>| {
        assert_eq!(shaped(host, uri), expected.map(str::to_owned), "{host:?} {uri}");
    };
    check(Some("a.example"), "/p?q", Ok("https://a.example/p?q None"));
    check(Some("a.example"), "http://b.example/p", Ok("https://a.example/p None"));
    check(None, "http://b.example:81/p", Ok("https://b.example:81/p None"));
    check(None, "/p", Ok("https://member:1/p None"));
    check(Some("a b"), "/p", Err(Unsendable));
}

#[test]
fn what_is_said_becomes_fields_and_its_host_the_authority() {
    let lines = b"Via: 1.1 x\r\nCDN-Loop: x\r\n".to_vec();
    let said = Said { host: Some("said.example".to_owned()), lines };
    let request = Request::builder().uri("/p").extension(said);
    let mut request = request.body(Sending::new(RequestBody::Empty)).unwrap();
    shape(&mut request, Scheme::HTTP, &HeaderValue::from_static("member:1")).unwrap();
    assert_eq!(request.uri(), "http://said.example/p");
    assert_eq!(request.headers()["via"], "1.1 x");
    assert_eq!(request.headers()["cdn-loop"], "x");
    assert!(request.extensions().get::<Said>().is_none());
}

#[test]
fn framing_fields_say_what_the_body_is_whatever_they_said_before() {
    let check = |method: Method, body: RequestBody, expected: &[(&str, &str)]| {
        let mut request = Request::new(Sending::new(body));
        *request.method_mut() = method;
        for (name, value) in [("expect", "100-continue"), ("transfer-encoding", "gzip")] {
            request.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        request.headers_mut().append(CONTENT_LENGTH, HeaderValue::from_static("7"));
        request.headers_mut().append(CONTENT_LENGTH, HeaderValue::from_static("8"));
        frame(&mut request).unwrap();
        let fields: Vec<_> = request
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
            .collect();
        assert_eq!(fields, expected);
    };
    let frames = futures_util::stream::pending::<Result<Frame<Bytes>, BodyError>>();
    let stream = RequestBody::Stream(UnsyncBoxBody::new(http_body_util::StreamBody::new(frames)));
    check(Method::GET, RequestBody::Empty, &[]);
    check(Method::POST, RequestBody::Empty, &[("content-length", "0")]);
    check(Method::GET, RequestBody::Whole(Bytes::from("abc")), &[("content-length", "3")]);
    check(Method::GET, stream, &[]);
}
