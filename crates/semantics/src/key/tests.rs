//! What keys promise, as tables.

use http::{HeaderMap, HeaderValue, Method, Uri};
use proptest::prelude::*;

use super::*;
use crate::case::of_lines;

fn key(template: &Template, target: &str, lines: &[(&str, &str)]) -> Vec<u8> {
    let uri: Uri = target.parse().unwrap();
    let mut lines = lines.to_vec();
    if !lines.iter().any(|(name, _)| *name == "host") {
        lines.push(("host", "example.com"));
    }
    let map = of_lines(&lines);
    let target = TargetParts::of(Scheme::Http, &uri, &map).unwrap();
    let mut out = Vec::new();
    template.key(&target, &Method::GET, &map, None, &mut out);
    out
}

fn template(words: &[&str]) -> Template {
    Template::parse(words).unwrap()
}

#[test]
fn equivalent_targets_share_a_key() {
    let template = Template::default();
    let same = |a: (&str, &str), b: (&str, &str)| {
        let left = key(&template, a.0, &[("host", a.1)]);
        assert_eq!(left, key(&template, b.0, &[("host", b.1)]), "{a:?} {b:?}");
    };
    same(("/a", "Example.COM"), ("/a", "example.com"));
    same(("/a", "example.com."), ("/a", "example.com"));
    same(("/a", "example.com:80"), ("/a", "example.com"));
    same(("/a", "example.com:"), ("/a", "example.com"));
    same(("/a", "[0:0::1]"), ("/a", "[::1]"));
    same(("http://example.com/a", "example.com"), ("/a", "example.com"));
    same(("http://EXAMPLE.com:80/a?b", "other.example"), ("/a?b", "example.com"));
    same(("http://example.com", "example.com"), ("/", "example.com"));
    same(("http://example.com?q", "example.com"), ("/?q", "example.com"));
}

#[test]
fn no_two_of_the_attackers_targets_share_a_key() {
    let targets = [
        "/a",
        "/A",
        "/a/",
        "//a",
        "/a/.",
        "/a/..",
        "/a/../a",
        "/./a",
        "/%61",
        "/a%2f",
        "/a%2F",
        "/a;",
        "/a;b",
        "/a%3bb",
        "/a%00",
        "/a%00.css",
        "/a/.css",
        "/a%0d%0a",
        "/a%23",
        "/a?",
        "/a?b",
        "/a?b=",
        "/a?b&",
        "/a?b=1&b=2",
        "/a?b=2&b=1",
        "/a?b=1;b=2",
        "/a?b=1%26b=2",
        "/a%3fb",
        "*",
        "http://example.com:8080/a",
        "http://example.org/a",
        "/http://example.com/a",
    ];
    let keys: Vec<_> = targets.iter().map(|it| key(&Template::default(), it, &[])).collect();
    for (i, left) in keys.iter().enumerate() {
        for (j, right) in keys.iter().enumerate().skip(i + 1) {
            assert_ne!(left, right, "{} {}", targets[i], targets[j]);
        }
    }
}

#[test]
fn scheme_host_and_port_are_in_every_key() {
    let nothing = Template { parts: vec![] };
    let make = |scheme, host: &'static str| {
        let at = host_and_port(host.as_bytes()).unwrap();
        let mut out = Vec::new();
        let target = TargetParts::new(scheme, at, "/", None);
        nothing.key(&target, &Method::GET, &HeaderMap::new(), None, &mut out);
        out
    };
    let plain = make(Scheme::Http, "a.example:443");
    assert_ne!(plain, make(Scheme::Https, "a.example:443"));
    assert_ne!(plain, make(Scheme::Http, "b.example:443"));
    assert_ne!(plain, make(Scheme::Http, "a.example"));
}

#[test]
fn head_is_keyed_as_get_and_no_other_method_is() {
    let uri: Uri = "/".parse().unwrap();
    let map = of_lines(&[("host", "a.example")]);
    let target = TargetParts::of(Scheme::Http, &uri, &map).unwrap();
    let make = |method: &str, digest: Option<&[u8; 32]>| {
        let mut out = Vec::new();
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        Template::default().key(&target, &method, &map, digest, &mut out);
        out
    };
    assert_eq!(make("GET", None), make("HEAD", None));
    for method in ["POST", "get", "PUT", "G", "HEADGET"] {
        assert_ne!(make("GET", None), make(method, None), "{method}");
    }
    assert_ne!(make("POST", None), make("POST", Some(&[0; 32])));
    assert_ne!(make("POST", Some(&[1; 32])), make("POST", Some(&[0; 32])));
}

#[test]
fn a_query_is_read_as_the_template_says() {
    let check = |word: &str, left: &str, right: &str, same: &str| {
        let template = template(&["path", word]);
        let equal = key(&template, left, &[]) == key(&template, right, &[]);
        assert_eq!(equal, same == "same", "{word} {left} {right}");
    };
    check("query", "/?a&b", "/?b&a", "differ");
    check("query", "/?", "/", "differ");
    check("query:sorted", "/?b=1&a=2", "/?a=2&b=1", "same");
    check("query:sorted", "/?a=1&a=2", "/?a=2&a=1", "differ");
    check("query:sorted", "/?b=1&a=2&a=1", "/?a=2&b=1&a=1", "same");
    check("query:sorted", "/?A=1", "/?a=1", "differ");
    check("query:sorted", "/?a", "/?a=", "differ");
    check("query:sorted", "/?", "/", "differ");
    check("query:only(a,b)", "/?a=1&c=2", "/?c=3&a=1", "same");
    check("query:only(a,b)", "/?a=1", "/?a=2", "differ");
    check("query:only(a)", "/?c=1", "/", "same");
    check("query:without(utm_source)", "/?a=1&utm_source=x", "/?a=1", "same");
    check("query:without(utm_source)", "/?utm_source=x", "/", "same");
    check("query:without(utm_source)", "/?utm_source&a", "/?a", "same");
    check("query:without(utm_source)", "/?utm_sourcE=x", "/", "differ");
    check("query:without(utm_source)", "/?utm%5fsource=x", "/", "differ");
}

#[test]
fn a_cloaked_parameter_stays_in_the_key() {
    let check = |word: &str, left: &str, right: &str| {
        let template = template(&["path", word]);
        assert_ne!(key(&template, left, &[]), key(&template, right, &[]), "{word} {left}");
    };
    check("query:without(utm)", "/?a=1&utm=x;a=2", "/?a=1");
    check("query:only(a)", "/?a=1&c=x;a=2", "/?a=1");
    check("query:only(a)", "/?a=1&%61=2", "/?a=1");
    check("query:only(a)", "/?a=1&A=2", "/?a=1");
    check("query:only(a)", "/?a=1&a[]=2", "/?a=1");
    check("query:only(a)", "/?a=1&+a=2", "/?a=1");
    check("query:only(a_b)", "/?a_b=1&a.b=2", "/?a_b=1");
}

#[test]
fn fields_and_cookies_tell_absent_from_empty_and_lines_apart() {
    let check = |word: &str, left: &[(&str, &str)], right: &[(&str, &str)], same: &str| {
        let template = template(&[word]);
        let equal = key(&template, "/", left) == key(&template, "/", right);
        assert_eq!(equal, same == "same", "{word} {left:?} {right:?}");
    };
    check("header:x-a", &[], &[("x-a", "")], "differ");
    check("header:x-a", &[("x-a", "1")], &[("x-a", "2")], "differ");
    check("header:x-a", &[("x-a", "1"), ("x-a", "2")], &[("x-a", "1, 2")], "differ");
    check("header:x-a", &[("x-a", "1"), ("x-a", "2")], &[("x-a", "2"), ("x-a", "1")], "differ");
    check("header:x-a", &[("x-b", "1")], &[("x-b", "2")], "same");
    check("header:X-A", &[("x-a", "1")], &[("x-a", "2")], "differ");
    check("cookie:lang", &[], &[("cookie", "lang=")], "differ");
    check("cookie:lang", &[], &[("cookie", "Lang=de")], "same");
    check("cookie:lang", &[], &[("cookie", "lang")], "same");
    check("cookie:lang", &[("cookie", "lang=de")], &[("cookie", "x=1; lang=de ;y=2")], "same");
    check("cookie:lang", &[("cookie", "lang=de")], &[("cookie", "lang=de; lang=fr")], "differ");
    check(
        "cookie:lang",
        &[("cookie", "lang=de")],
        &[("cookie", "a=1"), ("cookie", "lang=de")],
        "same",
    );
    check("cookie:lang", &[("cookie", "lang=de")], &[("cookie", "xlang=de")], "differ");
    check("cookie:lang", &[("cookie", "lang=a=b")], &[("cookie", "lang=a")], "differ");
}

#[test]
fn parts_of_different_kinds_never_pass_for_each_other() {
    let lines = [("x-a", "1"), ("cookie", "x-a=1")];
    let words = ["header:x-a", "header:x-b", "cookie:x-a", "cookie:x-b", "path", "query", "method"];
    let keys: Vec<_> = words.iter().map(|word| key(&template(&[word]), "/?x-a", &lines)).collect();
    for (i, left) in keys.iter().enumerate() {
        assert!(!keys[i + 1..].contains(left), "{}", words[i]);
    }
}

#[test]
fn an_authority_is_read_strictly() {
    let good = |text: &str, host: &str, port: Option<u16>| {
        let read = host_and_port(text.as_bytes());
        assert_eq!(read, Ok(HostPort { host: host.into(), port }), "{text}");
    };
    good("example.com", "example.com", None);
    good("EXAMPLE.com.:8080", "example.com", Some(8080));
    good("localhost:", "localhost", None);
    good("a_b-c.example:00080", "a_b-c.example", Some(80));
    good("127.0.0.1:65535", "127.0.0.1", Some(65535));
    good("[::1]", "[::1]", None);
    good("[2001:DB8::0001]:443", "[2001:db8::1]", Some(443));

    let bad = |text: &[u8], error| {
        assert_eq!(host_and_port(text), Err(error), "{}", text.escape_ascii());
    };
    bad(b"", TargetError::HostLength);
    bad(b".", TargetError::HostLength);
    bad(b":80", TargetError::HostLength);
    bad(&[b'a'; 254], TargetError::HostLength);
    bad(b"a..", TargetError::HostByte);
    bad(b"a b", TargetError::HostByte);
    bad(b" a", TargetError::HostByte);
    bad(b"a\0.example", TargetError::HostByte);
    bad(b"a/b", TargetError::HostByte);
    bad(b"a%2eb", TargetError::HostByte);
    bad(b"a,b", TargetError::HostByte);
    bad("ü.example".as_bytes(), TargetError::HostByte);
    bad(b"user@example.com", TargetError::User);
    bad(b"a:b@example.com:80", TargetError::User);
    bad(b"a:0", TargetError::Port);
    bad(b"a:65536", TargetError::Port);
    bad(b"a:000080", TargetError::Port);
    bad(b"a:+80", TargetError::Port);
    bad(b"a:80:80", TargetError::Port);
    bad(b"::1", TargetError::HostLength);
    bad(b"[::1", TargetError::HostAddress);
    bad(b"[::1]80", TargetError::HostAddress);
    bad(b"[::1%25eth0]", TargetError::HostAddress);
    bad(b"[v1.a]", TargetError::HostAddress);
    bad(b"[]", TargetError::HostAddress);
}

#[test]
fn a_target_without_one_certain_host_is_refused() {
    let check = |scheme, target: &str, hosts: &[&str], error| {
        let uri: Uri = target.parse().unwrap();
        let map = of_lines(&hosts.iter().map(|host| ("host", *host)).collect::<Vec<_>>());
        assert_eq!(TargetParts::of(scheme, &uri, &map), Err(error), "{target} {hosts:?}");
    };
    check(Scheme::Http, "/", &[], TargetError::HostAbsent);
    check(Scheme::Http, "/", &["a", "a"], TargetError::HostTwice);
    check(Scheme::Http, "http://a/", &["a", "b"], TargetError::HostTwice);
    check(Scheme::Http, "/", &[""], TargetError::HostLength);
    check(Scheme::Http, "http://a/", &["b c"], TargetError::HostByte);
    check(Scheme::Http, "http://u@a/", &["a"], TargetError::User);
    check(Scheme::Http, "https://a/", &["a"], TargetError::Misdirected);
    check(Scheme::Https, "ftp://a/", &["a"], TargetError::Scheme);
}

#[test]
fn the_scheme_is_the_connections() {
    let map = of_lines(&[("host", "a")]);
    let uri: Uri = "http://a/".parse().unwrap();
    let target = TargetParts::of(Scheme::Https, &uri, &map).unwrap();
    assert_eq!((target.scheme.word(), target.port), ("https", 443));
}

#[test]
fn a_template_is_read_from_words() {
    let words = [
        "scheme",
        "host",
        "port",
        "method",
        "path",
        "query",
        "query:sorted",
        "query:only(a, b)",
        "query:without(utm_source)",
        "header:Accept-Language",
        "cookie:lang",
    ];
    let parts = vec![
        Part::Method,
        Part::Path,
        Part::Query(Query::Whole),
        Part::Query(Query::Sorted),
        Part::Query(Query::Only(vec!["a".into(), "b".into()])),
        Part::Query(Query::Without(vec!["utm_source".into()])),
        Part::Field(http::header::ACCEPT_LANGUAGE),
        Part::Cookie("lang".into()),
    ];
    assert_eq!(template(&words), Template { parts });
}

#[test]
fn a_wrong_word_is_named_with_the_nearest() {
    let check = |word: &str, message: &str| {
        let error = Template::parse(&[word]).unwrap_err().to_string();
        assert_eq!(error, format!("cannot make a key: {message}"));
    };
    check("metod", "`metod` is no part of a key; did you mean `method`?");
    check("querry", "`querry` is no part of a key; did you mean `query`?");
    check("query:sort", "`query:sort` is no part of a key; did you mean `query:sorted`?");
    check("query:omly(a)", "`query:omly(a)` is no part of a key; did you mean `query:only`?");
    check("heder:x", "`heder:x` is no part of a key; did you mean `header:`?");
    check("cookies:x", "`cookies:x` is no part of a key; did you mean `cookie:`?");
    check("xyzzy-plugh", "`xyzzy-plugh` is no part of a key");
    check("header:a b", "`header:a b` does not name a field: write `header:name`");
    check("cookie:", "`cookie:` does not name a cookie: write `cookie:name`");
    check("query:only()", "`query:only()` lists a parameter that no query can have: write `(a,b)`");
    check("a\n", "`a\\n` is no part of a key");
    let many = Template::parse(&["path"; 33]).unwrap_err().to_string();
    assert!(many.contains("one word more than the 32"), "{many}");
}

/// One request's parts, as arbitrary as its types allow.
type Parts = (bool, String, u16, String, Option<String>, Vec<Vec<u8>>, Option<Vec<u8>>);

fn parts() -> impl Strategy<Value = Parts> {
    let bytes = || proptest::collection::vec(0x21..0x7f_u8, 0..3);
    let cookie = bytes().prop_map(|b| b.into_iter().filter(|&b| b != b';').collect());
    (
        any::<bool>(),
        "[ab.]{0,2}[ab]",
        1..3_u16,
        "/[ab/?\u{0}\u{1}]{0,3}",
        proptest::option::of("[ab&=\u{0}\u{1}]{0,3}"),
        proptest::collection::vec(bytes(), 0..3),
        proptest::option::of(cookie),
    )
}

fn key_of(parts: &Parts) -> Vec<u8> {
    let (secure, host, port, path, query, lines, cookie) = parts;
    let scheme = if *secure { Scheme::Https } else { Scheme::Http };
    let at = HostPort { host: host.as_str().into(), port: Some(*port) };
    let mut map = HeaderMap::new();
    for line in lines {
        map.append("x-a", HeaderValue::from_bytes(line).unwrap());
    }
    if let Some(cookie) = cookie {
        let line = [b"c=", cookie.as_slice()].concat();
        map.append("cookie", HeaderValue::from_bytes(&line).unwrap());
    }
    let target = TargetParts::new(scheme, at, path, query.as_deref());
    let mut out = Vec::new();
    let template = template(&["method", "path", "query", "query:sorted", "header:x-a", "cookie:c"]);
    template.key(&target, &Method::GET, &map, None, &mut out);
    out
}

/// Reads a key of `key_of` back, from its bytes alone: what can be read back is injective.
fn read_back(mut key: &[u8]) -> Parts {
    let key = &mut key;
    let secure = take(key, 1)[0] == Kind::Https as u8;
    let host = text(piece(key));
    let port = u16::from_be_bytes(take(key, 2).try_into().unwrap());
    assert_eq!((take(key, 1)[0], piece(key)), (Kind::Method as u8, &b"GET"[..]));
    assert_eq!(take(key, 1)[0], Kind::Path as u8);
    let path = text(piece(key));
    let has_query = take(key, 1)[0] == Kind::QueryWhole as u8;
    let query = has_query.then(|| text(piece(key)));
    assert_eq!(take(key, 1)[0], Kind::QueryParameters as u8);
    for _ in 0..number(key) {
        piece(key);
    }
    assert_eq!((take(key, 1)[0], piece(key)), (Kind::Field as u8, &b"x-a"[..]));
    let lines = (0..number(key)).map(|_| piece(key).to_vec()).collect();
    assert_eq!((take(key, 1)[0], piece(key)), (Kind::Cookie as u8, &b"c"[..]));
    let mut values: Vec<_> = (0..number(key)).map(|_| piece(key).to_vec()).collect();
    let cookie = values.pop();
    assert!(values.is_empty(), "one cookie has one value");
    assert!(key.is_empty());
    (secure, host, port, path, query, lines, cookie)
}

fn take<'a>(key: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (taken, rest) = key.split_at(count);
    *key = rest;
    taken
}

fn number(key: &mut &[u8]) -> usize {
    let byte = take(key, 1)[0];
    if byte < 0x80 { byte.into() } else { usize::from(byte & 0x7f) | number(key) << 7 }
}

fn piece<'a>(key: &mut &'a [u8]) -> &'a [u8] {
    let length = number(key);
    take(key, length)
}

fn text(bytes: &[u8]) -> String {
    str::from_utf8(bytes).unwrap().into()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_key_says_every_part_of_its_request(parts in parts(), long in "[a-z]{0,400}") {
        let mut parts = parts;
        parts.3.push_str(&long);
        prop_assert_eq!(read_back(&key_of(&parts)), parts);
    }

    #[test]
    fn different_parts_never_make_the_same_key(left in parts(), right in parts()) {
        prop_assert_eq!(left == right, key_of(&left) == key_of(&right));
    }

    #[test]
    fn no_part_can_move_its_bytes_into_the_next(
        path in "/[a\u{0}-\u{8}]{0,6}",
        query in "[a\u{0}-\u{8}]{0,6}",
        cut in 1..6_usize,
    ) {
        let whole = format!("{path}{query}");
        prop_assume!(whole.is_char_boundary(cut) && cut < whole.len() && cut != path.len());
        let make = |path: &str, query: &str| {
            let at = HostPort { host: "a".into(), port: None };
            let target = TargetParts::new(Scheme::Http, at, path, Some(query));
            let mut out = Vec::new();
            Template::default().key(&target, &Method::GET, &HeaderMap::new(), None, &mut out);
            out
        };
        prop_assert_ne!(make(&path, &query), make(&whole[..cut], &whole[cut..]));
    }

    #[test]
    fn no_bytes_panic_the_authority_parser(bytes: Vec<u8>) {
        if let Ok(at) = host_and_port(&bytes) {
            let again = match at.port {
                Some(port) => format!("{}:{port}", at.host),
                None => at.host.to_string(),
            };
            prop_assert_eq!(host_and_port(again.as_bytes()), Ok(at.clone()));
        }
    }

    #[test]
    fn no_word_panics_the_template_parser(word in "(query|header|cookie)?[:(),a-zü]{0,80}") {
        let _ = Template::parse(&[&word]).map_err(|error| error.to_string());
    }
}
