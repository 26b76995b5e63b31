use bytes::Bytes;
use http_body::Frame;
use http_body_util::StreamBody;
use http_body_util::combinators::UnsyncBoxBody;

use super::*;
use crate::answer::BodyError;

fn written(request: Request<RequestBody>) -> Result<String, Unsendable> {
    let framing = Framing::of(&request)?;
    let mut out = Vec::new();
    append_head(&mut out, &request, framing, &HeaderValue::from_static("member:1"));
    Ok(String::from_utf8(out).unwrap())
}

fn stream() -> RequestBody {
    let frames = futures_util::stream::pending::<Result<Frame<Bytes>, BodyError>>();
    RequestBody::Stream(UnsyncBoxBody::new(StreamBody::new(frames)))
}

#[test]
fn a_head_has_a_path_and_a_host() {
    let check = |host: Option<&str>, uri: &str, expected: &str| {
        let mut request = Request::builder().uri(uri);
        if let Some(host) = host {
            request = request.header("host", host);
        }
        let head = written(request.body(RequestBody::Empty).unwrap());
        assert_eq!(head, Ok(format!("GET {expected}\r\n\r\n")), "{host:?} {uri}");
    };
    check(Some("a.example"), "/p?q", "/p?q HTTP/1.1\r\nHost: a.example");
    check(Some("a.example"), "http://b.example/p?q", "/p?q HTTP/1.1\r\nHost: a.example");
    check(None, "http://b.example:81/p", "/p HTTP/1.1\r\nHost: b.example:81");
    check(None, "/p", "/p HTTP/1.1\r\nHost: member:1");
    check(Some("a.example"), "*", "* HTTP/1.1\r\nHost: a.example");
}

#[test]
fn what_is_said_follows_the_fields_and_its_host_counts_where_they_have_none() {
    let check = |host: Option<&str>, said: Option<&str>, expected: &str| {
        let mut request = Request::builder().uri("http://b.example/p").header("accept", "*/*");
        if let Some(host) = host {
            request = request.header("host", host);
        }
        let lines = b"Via: 1.1 x\r\n".to_vec();
        let said = Said { host: said.map(str::to_owned), lines };
        let head = written(request.extension(said).body(RequestBody::Empty).unwrap());
        let start = format!("GET /p HTTP/1.1\r\nHost: {expected}\r\n");
        assert_eq!(head, Ok(format!("{start}Accept: */*\r\nVia: 1.1 x\r\n\r\n")), "{host:?}");
    };
    check(None, Some("said.example"), "said.example");
    check(Some("a.example"), Some("said.example"), "a.example");
    check(None, None, "b.example");
}

#[test]
fn framing_fields_say_what_the_body_is_whatever_they_said_before() {
    let check = |method: &str, body: RequestBody, lengths: &[&str], expected: &str| {
        let mut request = Request::builder()
            .method(method)
            .header("host", "a")
            .header("expect", "100-continue")
            .header("connection", "close")
            .header("transfer-encoding", "gzip");
        for length in lengths {
            request = request.header("content-length", *length);
        }
        let head = written(request.body(body).unwrap());
        let expected = format!("{method} / HTTP/1.1\r\nHost: a\r\n{expected}\r\n");
        assert_eq!(head, Ok(expected), "{lengths:?}");
    };
    let two = &["7", "8"];
    check("GET", RequestBody::Empty, two, "");
    check("POST", RequestBody::Empty, two, "Content-Length: 0\r\n");
    check("PUT", RequestBody::Whole(Bytes::new()), two, "Content-Length: 0\r\n");
    check("GET", RequestBody::Whole(Bytes::from("abc")), two, "Content-Length: 3\r\n");
    check("GET", stream(), two, "Transfer-Encoding: chunked\r\n");
    check("GET", stream(), &[], "Transfer-Encoding: chunked\r\n");
    check("GET", stream(), &["+7"], "Transfer-Encoding: chunked\r\n");
    check("GET", stream(), &["7"], "Content-Length: 7\r\n");
}

#[test]
fn names_are_cased_as_everybody_writes_them() {
    let check = |name: &'static str, expected: &str| {
        let mut out = Vec::new();
        append_field(&mut out, &HeaderName::from_static(name), &HeaderValue::from_static("V-v"));
        assert_eq!(String::from_utf8(out).unwrap(), format!("{expected}: V-v\r\n"));
    };
    check("accept", "Accept");
    check("x-forwarded-for", "X-Forwarded-For");
    check("etag", "Etag");
    check("1a--b", "1a--B");
}

#[test]
fn connect_cannot_be_said() {
    let request = Request::builder().method("CONNECT").uri("a:1").body(RequestBody::Empty);
    assert_eq!(written(request.unwrap()), Err(Unsendable));
}
