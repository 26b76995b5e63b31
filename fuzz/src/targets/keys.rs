//! Cache keys, and what an unsafe request spoils.
//!
//! An input is a template's words, a line with the target, and fields: the request's, an empty
//! line, and those of the response to it.

use forebay_semantics::invalidation::spoiled;
use forebay_semantics::key::{Scheme, TargetParts, Template, host_and_port};
use forebay_semantics::{Asked, Policy};
use http::{HeaderMap, Method, Uri};

use crate::head;

/// Pieces of templates and targets.
pub const WORDS: &[&[u8]] = &[
    b"method ",
    b"path ",
    b"query ",
    b"query:sorted ",
    b"query:only(a,b) ",
    b"query:without(a,b) ",
    b"header:accept ",
    b"cookie:a ",
    b"http://example.com",
    b"https://",
    b"Host: ",
    b"Cookie: a=b; ",
    b"Location: ",
    b"Content-Location: ",
    b"//",
    b"/../",
    b"[::1]",
    b"[::ffff:1.2.3.4]",
    b":80",
    b":65536",
    b"@",
    b"?",
    b"&a=b",
    b"%41",
    b"#",
    b".",
    b"\n",
    b"\n\n",
];

/// A key is the same however often it is made, and nothing on another host is spoiled.
pub fn run(bytes: &[u8]) {
    let (words, rest) = head::line(bytes);
    let (target, heads) = head::line(rest);
    let (request, response) = head::split(heads);
    let (request, response) = (head::fields(request), head::fields(response));
    authority(target);
    let Ok(target) = Uri::try_from(target) else { return };
    if let Some(authority) = target.authority() {
        self::authority(authority.as_str().as_bytes());
    }
    keys(&template(words), &target, &request);
    spoils(&target, &request, &response);
}

fn template(words: &[u8]) -> Template {
    let words = String::from_utf8_lossy(words);
    let words: Vec<&str> = words.split(' ').filter(|word| !word.is_empty()).collect();
    match Template::parse(&words) {
        Ok(template) => template,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            Template::default()
        }
    }
}

/// What names a host names it again once it is tidied up.
fn authority(bytes: &[u8]) {
    let Ok(at) = host_and_port(bytes) else { return };
    let again = host_and_port(at.host.as_bytes()).expect("a tidy host is a host");
    assert_eq!(again.host, at.host);
}

fn keys(template: &Template, target: &Uri, request: &HeaderMap) {
    for scheme in [Scheme::Http, Scheme::Https] {
        let Ok(target) = TargetParts::of(scheme, target, request) else { continue };
        let key = |method: &Method| {
            let mut key = Vec::new();
            template.key(&target, method, request, Some(&[7; 32]), &mut key);
            key
        };
        assert_eq!(key(&Method::GET), key(&Method::HEAD));
    }
}

fn spoils(target: &Uri, request: &HeaderMap, response: &HeaderMap) {
    let asked = Asked::of(&Method::POST, request, &Policy::default());
    let uris = spoiled(&asked, target, http::StatusCode::OK, response);
    assert!((1..=3).contains(&uris.len()), "{uris:?}");
    assert!(uris.iter().all(|uri| uri.authority() == target.authority()), "{uris:?}");
}
