//! A message as it stood on the wire.

use crate::Failure;

/// The start line and the fields of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// Every byte, the empty line included.
    pub raw: Vec<u8>,
    /// The request or status line.
    pub start: String,
    /// Field lines in order, as they were written; bytes above 127 as Latin-1.
    pub fields: Vec<(String, String)>,
}

/// How a body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// As its framing says.
    Whole,
    /// The connection ended first.
    Cut,
}

/// A whole message, or what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its head.
    pub head: Head,
    /// Its content, framing taken off.
    pub body: Vec<u8>,
    /// Trailer fields.
    pub trailers: Vec<(String, String)>,
    /// How the body ended.
    pub ending: Ending,
}

impl Head {
    /// Reads the bytes of a head, up to and with its empty line.
    pub fn parse(raw: &[u8]) -> Result<Head, Failure> {
        let text = latin1(raw);
        let mut lines = text.trim_end_matches("\r\n").split("\r\n");
        let start = lines.next().unwrap_or_default().to_owned();
        let fields = lines.map(field_line).collect::<Result<_, _>>()?;
        Ok(Head { raw: raw.to_vec(), start, fields })
    }

    /// A field's value, its lines joined as RFC 9110 section 5.2 says; `None` if there is none.
    pub fn field(&self, name: &str) -> Option<String> {
        joined(&self.fields, name)
    }

    /// Whether a comma-separated field has this member, in any case.
    pub fn lists(&self, name: &str, member: &str) -> bool {
        let value = self.field(name).unwrap_or_default();
        value.split(',').any(|found| found.trim().eq_ignore_ascii_case(member))
    }

    /// The status of a status line.
    pub fn status(&self) -> Result<u16, Failure> {
        let status = self.start.split(' ').nth(1).and_then(|word| word.parse().ok());
        status.ok_or_else(|| Failure::new(format!("`{}` is no status line", self.start)))
    }

    /// The method of a request line.
    pub fn method(&self) -> &str {
        self.start.split(' ').next().unwrap_or_default()
    }

    /// The target of a request line.
    pub fn target(&self) -> &str {
        self.start.split(' ').nth(1).unwrap_or_default()
    }

    /// Whether the sender closes after this message (RFC 9112 section 9.3).
    pub fn closes(&self) -> bool {
        let old = self.start.starts_with("HTTP/1.0") || self.start.ends_with("HTTP/1.0");
        self.lists("connection", "close") || (old && !self.lists("connection", "keep-alive"))
    }
}

impl Message {
    /// What a reader of a failure wants to see: the head, and the beginning of the body.
    pub fn shown(&self) -> String {
        let body: String = latin1(&self.body).chars().take(400).collect();
        let head = latin1(&self.head.raw).replace('\r', "");
        let mut shown = String::new();
        for line in head.trim_end().lines().chain(["", &body]) {
            shown.push_str("\n    ");
            shown.push_str(line);
        }
        shown.trim_end().to_owned()
    }
}

/// Reads one field line.
pub(crate) fn field_line(line: &str) -> Result<(String, String), Failure> {
    let Some((name, value)) = line.split_once(':') else {
        return Err(Failure::new(format!("`{line}` is no field line")));
    };
    let token = !name.is_empty() && !name.contains([' ', '\t', '\r', '\n']);
    if !token || value.contains(['\r', '\n']) {
        return Err(Failure::new(format!("`{line}` is no field line")));
    }
    Ok((name.to_owned(), value.trim_matches([' ', '\t']).to_owned()))
}

/// The lines of one field, joined.
pub(crate) fn joined(fields: &[(String, String)], name: &str) -> Option<String> {
    let of_name = |(found, _): &&(String, String)| found.eq_ignore_ascii_case(name);
    let values: Vec<&str> = fields.iter().filter(of_name).map(|(_, v)| v.as_str()).collect();
    if values.is_empty() { None } else { Some(values.join(", ")) }
}

/// Bytes as text, each byte one character, so that nothing is lost.
pub(crate) fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}
