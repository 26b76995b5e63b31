use http::header::HeaderValue;
use proptest::prelude::*;

use super::*;
use crate::case::fields;

#[test]
fn a_block_is_the_wire_form() {
    let block = FieldBlock::from_map(&fields("ETag: \"a\" | Vary: a | Vary: b | X-Empty:"));
    let text = b"etag: \"a\"\r\nvary: a\r\nvary: b\r\nx-empty: \r\n";
    assert_eq!(block.as_bytes().as_ref(), text);
    assert_eq!(block.len(), text.len());
    assert_eq!(block.first("etag"), Some(&b"\"a\""[..]));
    assert_eq!(block.first("x-empty"), Some(&b""[..]));
    assert_eq!(block.first("absent"), None);
    assert_eq!(block.all("vary").collect::<Vec<_>>(), [b"a", b"b"]);
}

#[test]
fn a_value_may_look_like_a_line() {
    let block = FieldBlock::from_map(&fields("a: etag: \"b\" | c: d"));
    assert_eq!(block.first("etag"), None);
    assert_eq!(block.first("a"), Some(&b"etag: \"b\""[..]));
}

#[test]
fn fields_of_the_connection_are_never_stored() {
    for name in [
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authentication-info",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "content-length",
        "age",
    ] {
        assert!(is_never_stored(&HeaderName::from_static(name)), "{name}");
    }
    for name in ["via", "cache-status", "proxy-status", "set-cookie", "date", "content-type"] {
        assert!(!is_never_stored(&HeaderName::from_static(name)), "{name}");
    }
}

#[test]
fn names_and_values_are_taken_as_a_map_takes_them() {
    let is_taken = |name: &[u8], value: &[u8]| {
        let line = [name, b": ", value, b"\r\n"].concat();
        FieldBlock::from_stored(line.into()).is_some()
    };
    for byte in 0..=255_u8 {
        let name = [b'a', byte];
        let taken = HeaderName::from_bytes(&name).is_ok_and(|it| it.as_str().as_bytes() == name);
        assert_eq!(is_taken(&name, b"v"), taken, "{byte}");
        for value in [[byte, b'v'], [b'v', byte]] {
            assert_eq!(is_taken(b"a", &value), HeaderValue::from_bytes(&value).is_ok(), "{byte}");
        }
    }
    for length in [0, 1, FIELD_NAME_BYTES_MAX, FIELD_NAME_BYTES_MAX + 1] {
        let name = vec![b'a'; length];
        assert_eq!(is_taken(&name, b""), HeaderName::from_bytes(&name).is_ok(), "{length}");
    }
}

#[test]
fn a_stored_block_that_is_cut_or_written_otherwise_is_nothing() {
    let lines = b"etag: \"a\"\r\nvary: \r\n";
    let whole = [0, 11, lines.len()];
    for end in 0..=lines.len() {
        let block = FieldBlock::from_stored(Bytes::copy_from_slice(&lines[..end]));
        assert_eq!(block.is_some(), whole.contains(&end), "{end}");
    }
    for text in
        ["a:b\r\n", "a\r\n", ": b\r\n", "a: b\n", "a: b\r\n\r\n", "age: 1\r\n", "a b: c\r\n"]
    {
        assert_eq!(FieldBlock::from_stored(text.into()), None, "{text:?}");
    }
}

#[test]
fn connection_names_fields_in_any_case_on_any_line() {
    let head = fields("Connection: close, X-One | Connection: x-TWO");
    let named = named_by_connection(&head);
    for (name, expected) in [("x-one", true), ("x-two", true), ("x-three", false)] {
        assert_eq!(named.contains(&HeaderName::from_static(name)), expected, "{name}");
    }
}

#[test]
fn lists_are_parted_at_commas_outside_quotes() {
    for (list, expected) in [
        ("", &[][..]),
        (" , ,", &[]),
        ("a", &["a"]),
        ("a,b , c", &["a", "b", "c"]),
        (r#"a="x, y", b"#, &[r#"a="x, y""#, "b"]),
        (r#"a="x\", y", b"#, &[r#"a="x\", y""#, "b"]),
        (r#"a="x, b"#, &[r#"a="x, b"#]),
    ] {
        let read: Vec<_> = members(list.as_bytes()).collect();
        let expected: Vec<_> = expected.iter().map(|member| member.as_bytes()).collect();
        assert_eq!(read, expected, "{list}");
    }
}

pub(crate) fn any_head() -> impl Strategy<Value = HeaderMap> {
    let name = "[a-z][a-z0-9-]{0,8}";
    let value = prop::collection::vec(prop_oneof![32..=126_u8, 128..=255_u8, Just(9)], 0..20);
    prop::collection::vec((name, value), 0..12).prop_map(|lines| {
        let mut map = HeaderMap::new();
        for (name, value) in lines {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            map.append(name, HeaderValue::from_bytes(&value).unwrap());
        }
        map
    })
}

proptest! {
    #[test]
    fn a_block_gives_back_the_map(head in any_head()) {
        let block = FieldBlock::from_map(&head);
        prop_assert_eq!(block.to_map(), head.clone());
        prop_assert_eq!(block.iter().count(), head.len());
    }

    #[test]
    fn no_list_panics(bytes: Vec<u8>) {
        prop_assert!(members(&bytes).all(|member| !member.is_empty()));
    }
}
