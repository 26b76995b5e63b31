//! What is a header, and what is none.

use proptest::prelude::*;

use super::*;

fn header(client: Option<&str>, length: usize) -> Result<Parsed, HeaderFault> {
    Ok(Parsed::Header { client: client.map(|client| client.parse().unwrap()), length })
}

#[test]
fn a_line_says_for_whom_a_peer_speaks() {
    let check = |text: &str, client: Option<&str>| {
        assert_eq!(parse(format!("{text}\r\nGET").as_bytes()), header(client, text.len() + 2));
    };
    check("PROXY TCP4 192.0.2.1 192.0.2.2 5000 443", Some("192.0.2.1:5000"));
    check("PROXY TCP6 2001:db8::1 2001:db8::2 0 65535", Some("[2001:db8::1]:0"));
    check("PROXY UNKNOWN", None);
    check("PROXY UNKNOWN whatever this is", None);
}

#[test]
fn a_line_that_is_not_written_so_is_refused() {
    for text in [
        "PROXY TCP4 192.0.2.1 192.0.2.2 5000 443 x",
        "PROXY TCP4 192.0.2.1 192.0.2.2 5000 443 ",
        "PROXY TCP4  192.0.2.1 192.0.2.2 5000 443",
        "PROXY TCP4 192.0.2.1 192.0.2.2 5000",
        "PROXY TCP4 192.0.2.1 192.0.2.2 05000 443",
        "PROXY TCP4 192.0.2.1 192.0.2.2 +5000 443",
        "PROXY TCP4 192.0.2.1 192.0.2.2 65536 443",
        "PROXY TCP4 192.0.2.01 192.0.2.2 5000 443",
        "PROXY TCP4 ::1 ::1 5000 443",
        "PROXY TCP6 192.0.2.1 192.0.2.2 5000 443",
        "PROXY UDP4 192.0.2.1 192.0.2.2 5000 443",
        "PROXY UNKNOWNS",
        "PROXY ",
        "PROXY tcp4 192.0.2.1 192.0.2.2 5000 443",
        "proxy TCP4 192.0.2.1 192.0.2.2 5000 443",
        "GET / HTTP/1.1",
        "\r\nGET / HTTP/1.1",
    ] {
        assert!(parse(format!("{text}\r\n").as_bytes()).is_err(), "{text}");
    }
    assert!(parse(b"PROXY UNKNOWN\n").is_err());
    assert!(parse(b"PROXY TCP4 192.0.2.1 192.0.2.2 5000 443\n").is_err());
}

#[test]
fn a_line_has_107_bytes_at_most() {
    let line = |length: usize| format!("PROXY UNKNOWN {}\r\n", "x".repeat(length - 16));
    assert_eq!(parse(line(107).as_bytes()), header(None, 107));
    assert!(parse(line(108).as_bytes()).is_err());
    assert_eq!(parse(&line(108).as_bytes()[..106]), Ok(Parsed::Hungry));
}

fn binary(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let mut bytes = SIGNATURE.to_vec();
    bytes.extend([command, family]);
    bytes.extend(u16::try_from(rest.len()).unwrap().to_be_bytes());
    bytes.extend(rest);
    bytes
}

#[test]
fn a_binary_header_says_the_same() {
    let check = |command: u8, family: u8, rest: &[u8], client: Option<&str>| {
        let bytes = binary(command, family, rest);
        assert_eq!(parse(&bytes), header(client, bytes.len()), "{command:x} {family:x}");
    };
    let four = [192, 0, 2, 1, 192, 0, 2, 2, 0x13, 0x88, 1, 0xbb];
    check(0x21, 0x11, &four, Some("192.0.2.1:5000"));
    check(0x21, 0x11, &[&four[..], &[4, 0, 1, 0]].concat(), Some("192.0.2.1:5000"));
    let mut six = [0; 36];
    (six[15], six[32]) = (1, 1);
    check(0x21, 0x21, &six, Some("[::1]:256"));
    check(0x21, 0x31, &[0; 216], None);
    check(0x21, 0x00, &[], None);
    check(0x20, 0x00, &[], None);
    check(0x20, 0xff, b"anything", None);
}

#[test]
fn a_binary_header_that_is_not_written_so_is_refused() {
    for (command, family, length) in [
        (0x11, 0x11, 12),
        (0x22, 0x11, 12),
        (0x21, 0x12, 12),
        (0x21, 0x41, 12),
        (0x21, 0x11, 11),
        (0x21, 0x11, 13),
        (0x21, 0x21, 12),
        (0x21, 0x31, 36),
        (0x20, 0x00, REST_BYTES_MAX + 1),
    ] {
        let bytes = binary(command, family, &vec![0; length]);
        assert!(parse(&bytes).is_err(), "{command:x} {family:x} {length}");
    }
    let beyond = [&[0; 12][..], &[4, 0, 2, 0]].concat();
    assert!(parse(&binary(0x21, 0x11, &beyond)).is_err());
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse(&bytes);
        let _ = parse(&[&SIGNATURE[..], &bytes].concat());
        let _ = parse(&[WORD, &bytes].concat());
    }

    #[test]
    fn what_is_written_is_read_however_it_is_cut(
        source: SocketAddr,
        destination: SocketAddr,
        tail: Vec<u8>,
    ) {
        let (word, source, destination) = match (source.ip(), destination.ip()) {
            (IpAddr::V4(_), IpAddr::V4(_)) => ("TCP4", source, destination),
            (IpAddr::V6(_), IpAddr::V6(_)) => ("TCP6", source, destination),
            _ => return Ok(()),
        };
        let (from, to) = (source.ip(), destination.ip());
        let line = format!("PROXY {word} {from} {to} {} {}\r\n", source.port(), destination.port());
        let bytes = [line.as_bytes(), &tail].concat();
        for cut in 0..line.len() {
            prop_assert_eq!(parse(&bytes[..cut]), Ok(Parsed::Hungry));
        }
        let client = SocketAddr::new(source.ip(), source.port());
        prop_assert_eq!(parse(&bytes), Ok(Parsed::Header { client: Some(client), length: line.len() }));
    }
}
