//! A value of Redis that is to be a route, and a table of routes from the disk.

use std::sync::Arc;

use forebay::config::{HostPattern, MemberScheme, Route, Switch};
use forebay::route::Stored;
use forebay::route::value::{Meaning, Reading, shown};
use forebay::route_watch::{decode, encode};

/// Pieces of values, as strings and as JSON.
pub const WORDS: &[&[u8]] = &[
    b"{\"to\":\"",
    b"[{\"to\":[",
    b"\"path\":\"/a\",",
    b"\"upstream\":{\"ca_file\":",
    b"\"lifetimes\":{\"200\":\"1s\"},",
    b"\"skip\":",
    b"10.0.0.5:3000",
    b"[::1]:80",
    b"https://",
    b"unix:/",
    b"\\u0000",
    b"null",
    b"1e999",
    b"18446744073709551616",
    b"[[[[[[[[",
    b"\n",
];

/// It is routes that lead to no socket and hold no secret, or a reason and a line that can be shown.
pub fn run(bytes: &[u8]) {
    let defaults = Arc::new(Route::everything_to(Vec::new(), 64 << 20));
    let reading = Reading { defaults, hipache: Switch::On };
    let host = HostPattern::Exact("shop.example.com".to_owned());
    let lines = bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    for stored in [Stored::Text(bytes.to_vec()), Stored::List(lines)] {
        let line = shown(&stored);
        assert!(line.chars().count() <= 200 && !line.contains('\n'), "{line}");
        match reading.meaning(&host, &stored) {
            Ok(Meaning::Plain(member)) => assert!(member.scheme != MemberScheme::Unix),
            Ok(Meaning::Routes(routes)) => routes.iter().for_each(|route| check(route, &host)),
            Err(why) => assert!(!why.is_empty()),
        }
    }
    if let Ok(kept) = decode("", bytes) {
        let (written, left_out) = encode("", kept.clone().into_iter());
        assert_eq!(left_out, 0);
        assert_eq!(decode("", &written), Ok(kept));
    }
}

fn check(route: &Route, host: &HostPattern) {
    assert_eq!(&route.host, host);
    assert!(route.skip.is_none() && route.upstream.ca_file.is_none());
    let members = &route.upstream.members;
    assert!(!members.is_empty() && members.iter().all(|it| it.scheme != MemberScheme::Unix));
}
