//! The indented lines below a sentence: fields, body, trailers; to send or to expect.

use super::template::{self, Text};

/// What somebody sends beside a start line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Field lines in order; `None` for one that is left out though it is usual (`Host: absent`).
    pub fields: Vec<(String, Option<Text>)>,
    /// The body; each piece is a chunk where the body is chunked.
    pub body: Vec<Vec<u8>>,
    /// Trailer fields.
    pub trailers: Vec<(String, Text)>,
}

/// What somebody is to receive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// What fields must say.
    pub fields: Vec<FieldMatch>,
    /// What the body must be.
    pub body: Vec<BodyMatch>,
    /// What trailer fields must say.
    pub trailers: Vec<FieldMatch>,
}

/// What one field must say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldMatch {
    /// Its name.
    pub name: String,
    /// Its value.
    pub wanted: Wanted,
}

/// What a field's value must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// There is no such field.
    Absent,
    /// There is one.
    Present,
    /// Exactly this, lines joined by `, `.
    Exactly(Text),
    /// This is in it.
    Contains(Text),
    /// This is not in it.
    Lacks(Text),
    /// A number, at least this.
    AtLeast(i64),
    /// A number, at most this.
    AtMost(i64),
    /// A number, this or one more or less.
    About(i64),
    /// The last member of the list has, or has not, these parameters (RFC 9211).
    Says(Vec<Said>),
}

/// A parameter that must, or must not, be said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// It stands there: `hit`, `fwd=stale`.
    There(String),
    /// It does not.
    Missing(String),
}

/// What a body must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BodyMatch {
    /// These bytes.
    Exactly(Vec<u8>),
    /// This is in it.
    Contains(String),
    /// This is not in it.
    Lacks(String),
}

/// One indented line.
enum Detail {
    Field(String, String),
    Trailer(String, String),
    Bytes(Vec<u8>),
    NoBody,
    BodyContains(String),
    BodyLacks(String),
}

/// What may stand below a sentence; said in errors.
const ALLOWED: &str = "`Name: value`, `| a line of the body`, `\"bytes of the body\"`, \
    `body N bytes`, `no body`, `body contains TEXT`, `body lacks TEXT`, `trailer Name: value`";

impl Sent {
    /// Reads the lines below a sentence that sends.
    pub(crate) fn read(lines: &[(usize, &str)]) -> Result<Sent, (usize, String)> {
        let mut sent = Sent::default();
        for (number, line) in lines {
            sent.add(detail(line).map_err(|e| (*number, e))?).map_err(|e| (*number, e))?;
        }
        Ok(sent)
    }

    fn add(&mut self, detail: Detail) -> Result<(), String> {
        match detail {
            Detail::Field(name, value) if value == "absent" => self.fields.push((name, None)),
            Detail::Field(name, value) => self.fields.push((name, Some(text(&value)?))),
            Detail::Trailer(name, value) => self.trailers.push((name, text(&value)?)),
            Detail::Bytes(bytes) => self.body.push(bytes),
            Detail::NoBody => {}
            Detail::BodyContains(_) | Detail::BodyLacks(_) => {
                return Err("found a question about a body in what is sent; allowed: \
                    `| a line`, `\"bytes\"`, `body N bytes`"
                    .to_owned());
            }
        }
        Ok(())
    }
}

impl Expected {
    /// Reads the lines below a sentence that receives.
    pub(crate) fn read(lines: &[(usize, &str)]) -> Result<Expected, (usize, String)> {
        let mut expected = Expected::default();
        let mut whole: Option<Vec<u8>> = None;
        for (number, line) in lines {
            match detail(line).map_err(|e| (*number, e))? {
                Detail::Bytes(bytes) => whole.get_or_insert_default().extend(bytes),
                Detail::NoBody => whole = Some(Vec::new()),
                Detail::BodyContains(part) => expected.body.push(BodyMatch::Contains(part)),
                Detail::BodyLacks(part) => expected.body.push(BodyMatch::Lacks(part)),
                Detail::Field(name, value) => {
                    let wanted = wanted(&value).map_err(|e| (*number, e))?;
                    expected.fields.push(FieldMatch { name, wanted });
                }
                Detail::Trailer(name, value) => {
                    let wanted = wanted(&value).map_err(|e| (*number, e))?;
                    expected.trailers.push(FieldMatch { name, wanted });
                }
            }
        }
        expected.body.extend(whole.map(BodyMatch::Exactly));
        Ok(expected)
    }
}

/// Reads the lines below a sentence about bytes as they are.
pub(crate) fn raw(lines: &[(usize, &str)]) -> Result<Vec<Text>, (usize, String)> {
    let read = |(number, line): &(usize, &str)| {
        let bytes = quoted(line).unwrap_or_else(|| {
            Err(format!(
                "found `{line}`; allowed: bytes in quotes, as in `\"GET / HTTP/1.1\\r\\n\"`"
            ))
        });
        bytes.and_then(|bytes| text(&crate::wire::latin1(&bytes))).map_err(|e| (*number, e))
    };
    lines.iter().map(read).collect()
}

fn detail(line: &str) -> Result<Detail, String> {
    if line == "|" {
        return Ok(Detail::Bytes(b"\n".to_vec()));
    }
    if let Some(body) = line.strip_prefix("| ") {
        return Ok(Detail::Bytes(format!("{body}\n").into_bytes()));
    }
    if let Some(bytes) = quoted(line) {
        return bytes.map(Detail::Bytes);
    }
    let words: Vec<&str> = line.split_whitespace().collect();
    match words[..] {
        ["no", "body"] => return Ok(Detail::NoBody),
        ["body", count, "bytes"] => return made(count),
        _ => {}
    }
    if let Some(part) = line.strip_prefix("body contains ") {
        return Ok(Detail::BodyContains(part.trim().to_owned()));
    }
    if let Some(part) = line.strip_prefix("body lacks ") {
        return Ok(Detail::BodyLacks(part.trim().to_owned()));
    }
    let field = line.strip_prefix("trailer ").unwrap_or(line);
    let Ok((name, value)) = crate::wire::field_line(field) else {
        return Err(format!("found `{line}`; allowed: {ALLOWED}"));
    };
    Ok(match field.len() == line.len() {
        true => Detail::Field(name, value),
        false => Detail::Trailer(name, value),
    })
}

fn made(count: &str) -> Result<Detail, String> {
    let length: Option<usize> = count.parse().ok().filter(|n| *n <= crate::wire::BODY_BYTES_MAX);
    let length = length.ok_or_else(|| format!("found `body {count} bytes`; allowed: a number"))?;
    Ok(Detail::Bytes(crate::wire::made_body(length)))
}

fn text(value: &str) -> Result<Text, String> {
    Text::parse(value).map_err(|found| format!("found `{found}`; allowed: {}", template::ALLOWED))
}

fn wanted(value: &str) -> Result<Wanted, String> {
    let (word, rest) = value.split_once(' ').unwrap_or((value, ""));
    match (word, rest) {
        ("absent", "") => Ok(Wanted::Absent),
        ("present", "") => Ok(Wanted::Present),
        ("=", rest) => text(rest).map(Wanted::Exactly),
        ("contains", rest) => text(rest).map(Wanted::Contains),
        ("lacks", rest) => text(rest).map(Wanted::Lacks),
        (">=", rest) => number(rest).map(Wanted::AtLeast),
        ("<=", rest) => number(rest).map(Wanted::AtMost),
        ("about", rest) => number(rest).map(Wanted::About),
        ("says", rest) => {
            let parameters = crate::expect::outside_quotes(rest, ';');
            Ok(Wanted::Says(parameters.iter().map(|one| said(one)).collect()))
        }
        ("missing" | "none" | "no", "") => Err(instead(word, "absent")),
        ("any" | "exists", "") => Err(instead(word, "present")),
        _ => text(value).map(Wanted::Exactly),
    }
}

fn instead(found: &str, meant: &str) -> String {
    format!("found `{found}`; did you mean `{meant}`? (`= {found}` is the word itself)")
}

fn said(parameter: &str) -> Said {
    let parameter = parameter.trim();
    match parameter.strip_prefix("not ") {
        Some(parameter) => Said::Missing(parameter.trim().to_owned()),
        None => Said::There(parameter.to_owned()),
    }
}

fn number(text: &str) -> Result<i64, String> {
    text.trim().parse().map_err(|_| format!("found `{text}`; allowed: a whole number"))
}

/// Bytes in quotes, with `\r \n \t \0 \\ \" \xNN`; `None` if the line is not in quotes.
fn quoted(line: &str) -> Option<Result<Vec<u8>, String>> {
    let inside = line.strip_prefix('"')?.strip_suffix('"')?;
    Some(unescaped(inside))
}

fn unescaped(inside: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut left = inside.chars();
    while let Some(char) = left.next() {
        if char != '\\' {
            bytes.extend(char.to_string().bytes());
            continue;
        }
        bytes.push(match left.next() {
            Some('r') => b'\r',
            Some('n') => b'\n',
            Some('t') => b'\t',
            Some('0') => 0,
            Some('\\') => b'\\',
            Some('"') => b'"',
            Some('x') => hex(left.by_ref().take(2).collect())?,
            other => {
                let found = other.map(String::from).unwrap_or_default();
                return Err(format!(
                    "found `\\{found}`; allowed: `\\r \\n \\t \\0 \\\\ \\\" \\xNN`"
                ));
            }
        });
    }
    Ok(bytes)
}

fn hex(digits: String) -> Result<u8, String> {
    u8::from_str_radix(&digits, 16)
        .map_err(|_| format!("found `\\x{digits}`; allowed: two hexadecimal digits"))
}
