//! Requests and responses of a script as bytes.

use std::time::SystemTime;

use crate::script::{Framing, RequestLine, Sent, Text};

/// The host that a client asks for when the script does not say.
const HOST: &str = "www.example.com";

/// The bytes of a request.
pub(crate) fn request(line: &RequestLine, sent: &Sent, now: SystemTime) -> Vec<u8> {
    let mut head = format!("{} {} {}\r\n", line.method, line.target, line.version);
    if !says(sent, "host") {
        head.push_str(&format!("Host: {HOST}\r\n"));
    }
    let chunked = says(sent, "transfer-encoding");
    let expects_body = matches!(line.method.as_str(), "POST" | "PUT" | "PATCH");
    if !chunked && !says(sent, "content-length") && (!sent.body.is_empty() || expects_body) {
        head.push_str(&format!("Content-Length: {}\r\n", length(sent)));
    }
    push_fields(&mut head, sent, now);
    head.push_str("\r\n");
    let mut bytes = head.into_bytes();
    bytes.extend(if chunked { whole_in_chunks(sent, now) } else { sent.body.concat() });
    bytes
}

/// The head of a response, and how its body goes on.
pub(crate) fn response_head(
    status: u16,
    sent: &Sent,
    framing: Framing,
    now: SystemTime,
) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status} {}\r\n", reason(status));
    let interim = status < 200;
    if !interim && !says(sent, "date") {
        head.push_str(&format!("Date: {}\r\n", httpdate::fmt_http_date(now)));
    }
    let bodiless = interim || status == 204 || status == 304;
    match framing {
        Framing::Length if bodiless || says(sent, "content-length") => {}
        Framing::Length if says(sent, "transfer-encoding") => {}
        Framing::Length => head.push_str(&format!("Content-Length: {}\r\n", length(sent))),
        Framing::Chunks => head.push_str("Transfer-Encoding: chunked\r\n"),
        Framing::UntilClose => head.push_str("Connection: close\r\n"),
    }
    push_fields(&mut head, sent, now);
    head.push_str("\r\n");
    head.into_bytes()
}

/// A body as it follows a head with this framing.
pub(crate) fn body(sent: &Sent, framing: Framing) -> Vec<u8> {
    match framing {
        Framing::Length | Framing::UntilClose => sent.body.concat(),
        Framing::Chunks => sent.body.iter().flat_map(|piece| chunk(piece)).collect(),
    }
}

/// What ends a body with this framing.
pub(crate) fn body_end(sent: &Sent, framing: Framing, now: SystemTime) -> Vec<u8> {
    match framing {
        Framing::Length | Framing::UntilClose => Vec::new(),
        Framing::Chunks => {
            let mut end = "0\r\n".to_owned();
            for (name, value) in &sent.trailers {
                end.push_str(&format!("{name}: {}\r\n", value.at(now)));
            }
            (end + "\r\n").into_bytes()
        }
    }
}

/// Bytes as they are, their braces filled in.
pub(crate) fn raw(texts: &[Text], now: SystemTime) -> Vec<u8> {
    // A raw text holds one character a byte, so that no byte is lost on its way here.
    let bytes = |text: &Text| text.at(now).chars().map(|c| c as u32 as u8).collect::<Vec<u8>>();
    texts.iter().flat_map(bytes).collect()
}

/// Whether the script says this field itself.
pub(crate) fn says(sent: &Sent, name: &str) -> bool {
    sent.fields.iter().any(|(found, _)| found.eq_ignore_ascii_case(name))
}

fn whole_in_chunks(sent: &Sent, now: SystemTime) -> Vec<u8> {
    let mut bytes = body(sent, Framing::Chunks);
    bytes.extend(body_end(sent, Framing::Chunks, now));
    bytes
}

fn chunk(piece: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{:x}\r\n", piece.len()).into_bytes();
    bytes.extend_from_slice(piece);
    bytes.extend_from_slice(b"\r\n");
    bytes
}

fn length(sent: &Sent) -> usize {
    sent.body.iter().map(Vec::len).sum()
}

fn push_fields(head: &mut String, sent: &Sent, now: SystemTime) {
    for (name, value) in &sent.fields {
        if let Some(value) = value {
            head.push_str(&format!("{name}: {}\r\n", value.at(now)));
        }
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        103 => "Early Hints",
        200 => "OK",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        304 => "Not Modified",
        404 => "Not Found",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "As Told",
    }
}
