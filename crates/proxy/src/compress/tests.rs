//! What is said of answers in each form.

use super::*;

fn lines(form: Fields, stored: &str) -> String {
    String::from_utf8(fields_in(form, &Bytes::from(stored.to_owned())).to_vec()).unwrap()
}

#[test]
fn a_coded_form_says_its_coding_and_nothing_about_other_bytes() {
    let stored = "content-type: text/html\r\netag: \"a\"\r\naccept-ranges: bytes\r\n\
                  repr-digest: sha-256=:eA==:\r\nlast-modified: x\r\n";
    let said = lines(Fields::Coded(Coding::Gzip), stored);
    let expected = "content-type: text/html\r\netag: W/\"a\"\r\nlast-modified: x\r\n\
                    content-encoding: gzip\r\nvary: accept-encoding\r\n";
    assert_eq!(said, expected);
}

#[test]
fn the_stored_form_says_that_there_are_others() {
    assert_eq!(
        lines(Fields::Stored, "etag: \"a\"\r\n"),
        "etag: \"a\"\r\nvary: accept-encoding\r\n"
    );
    let said = "vary: Cookie, Accept-Encoding\r\n";
    assert_eq!(lines(Fields::Stored, said), said);
    let more = lines(Fields::Stored, "vary: cookie\r\n");
    assert_eq!(more, "vary: cookie\r\nvary: accept-encoding\r\n");
}

#[test]
fn a_304_about_any_form_has_a_weak_tag() {
    let said = lines(Fields::Any, "etag: \"a\"\r\n");
    assert_eq!(said, "etag: W/\"a\"\r\nvary: accept-encoding\r\n");
}
