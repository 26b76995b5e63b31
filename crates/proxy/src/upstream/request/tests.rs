use super::*;

fn shaped(
    host: Option<&str>,
    uri: &str,
    shape: impl Fn(&mut Request<Sending>) -> Result<(), Unsendable>,
) -> Result<String, Unsendable> {
    let mut request = Request::new(Sending::new(RequestBody::Empty));
    *request.uri_mut() = uri.parse().unwrap();
    if let Some(host) = host {
        request.headers_mut().insert(HOST, host.parse().unwrap());
    }
    shape(&mut request)?;
    let text =
        |request: &Request<Sending>| format!("{} {:?}", request.uri(), request.headers().get(HOST));
    let once = text(&request);
    shape(&mut request)?;
    assert_eq!(text(&request), once, "the second time changes nothing");
    Ok(once)
}

#[test]
fn http1_has_a_path_and_a_host() {
    let check = |host, uri, expected: &str| {
        let member = HeaderValue::from_static("member:1");
        let heard = shaped(host, uri, |request| shape_for_http1(request, &member));
        assert_eq!(heard, Ok(expected.to_owned()), "{host:?} {uri}");
    };
    check(Some("a.example"), "/p?q", "/p?q Some(\"a.example\")");
    check(Some("a.example"), "http://b.example/p?q", "/p?q Some(\"a.example\")");
    check(None, "http://b.example:81/p", "/p Some(\"b.example:81\")");
    check(None, "/p", "/p Some(\"member:1\")");
    check(Some("a.example"), "*", "* Some(\"a.example\")");
}

#[test]
fn http2_has_an_authority_and_no_host() {
    let member = HeaderValue::from_static("member:1");
    let shape = |request: &mut Request<Sending>| shape_for_http2(request, Scheme::HTTPS, &member);
    let check = |host, uri, expected: Result<&str, Unsendable>| {
        let heard = shaped(host, uri, shape);
        assert_eq!(heard, expected.map(str::to_owned), "{host:?} {uri}");
    };
    check(Some("a.example"), "/p?q", Ok("https://a.example/p?q None"));
    check(Some("a.example"), "http://b.example/p", Ok("https://a.example/p None"));
    check(None, "http://b.example:81/p", Ok("https://b.example:81/p None"));
    check(None, "/p", Ok("https://member:1/p None"));
    check(Some("a b"), "/p", Err(Unsendable));
}

#[test]
fn framing_fields_say_what_the_body_is_whatever_they_said_before() {
    let check = |method: Method, body: RequestBody, expected: &[(&str, &str)]| {
        let mut request = Request::new(Sending::new(body));
        *request.method_mut() = method;
        *request.version_mut() = Version::HTTP_11;
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
    let stream = || {
        let frames = futures_util::stream::pending::<Result<Frame<Bytes>, BodyError>>();
        RequestBody::Stream(UnsyncBoxBody::new(http_body_util::StreamBody::new(frames)))
    };
    check(Method::GET, RequestBody::Empty, &[]);
    check(Method::POST, RequestBody::Empty, &[("content-length", "0")]);
    check(Method::GET, RequestBody::Whole(Bytes::from("abc")), &[("content-length", "3")]);
    check(Method::GET, stream(), &[("transfer-encoding", "chunked")]);
}
