//! HTTP/3 in the table `tls`.

use super::*;

/// A file that speaks TLS, with these lines in its table.
fn file(lines: &str) -> String {
    let certificate = "[[tls.certificate]]\ncertificate_file = \"/c\"\nkey_file = \"/k\"\n";
    format!("[tls]\nlisten = [\"127.0.0.1:8443\"]\n{lines}\n{certificate}{ROUTE}")
}

#[cfg(not(feature = "http3"))]
#[test]
fn a_program_without_http_3_says_so() {
    let said = "f:1:1: `http3` of `tls` is on, and this program is built without HTTP/3; write `http3 = \
                \"off\"`, or build it with `cargo build --release --features http3`\n";
    assert_eq!(problems(&file("http3 = \"on\"")), said);
    assert_eq!(fine(&file("http3 = \"off\"")).tls.http3, Switch::Off);
}

#[cfg(feature = "http3")]
#[test]
fn a_program_with_http_3_speaks_it_where_it_is_asked_to() {
    assert_eq!(fine(&file("")).tls.http3, Switch::Off);
    let tls = fine(&file("http3 = \"on\"")).tls;
    assert_eq!((tls.http3, tls.http3_port), (Switch::On, None));
    let tls = fine(&file("http3 = \"on\"\nhttp3_port = 443")).tls;
    assert_eq!((tls.http3, tls.http3_port), (Switch::On, Some(443)));
}

#[test]
fn the_port_that_clients_are_told_is_a_port() {
    for (port, why) in [("0", "it is too small"), ("65536", "it is too large")] {
        let said = problems(&file(&format!("http3_port = {port}")));
        let expected =
            format!("f:3:14: `http3_port` cannot be `{port}`: {why}; allowed: 1 to 65535\n");
        assert_eq!(said, expected);
    }
}
