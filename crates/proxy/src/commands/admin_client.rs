//! The subcommands' way to a node: its admin listener, asked over HTTP/1.1, answering in JSON.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::cli::AdminArgs;
use crate::config;
use crate::config::defaults::ADMIN;
use crate::config::text::in_time;
use crate::guard::token;

/// How long connecting may take.
const CONNECT_PATIENCE: Duration = Duration::from_secs(3);

/// How long an answer may take, its body included. A call waits a second for other nodes.
const ANSWER_PATIENCE: Duration = Duration::from_secs(30);

/// Bytes of an answer, and of one line of an answer that goes on.
const ANSWER_BYTES_MAX: usize = 64 << 20;
const LINE_BYTES_MAX: usize = 1 << 20;

/// Says where the admin listener is.
const ADMIN_VARIABLE: &str = "FOREBAY_ADMIN";

/// Says the token.
const TOKEN_VARIABLE: &str = "FOREBAY_TOKEN";

/// Asks one node.
#[derive(Clone, Debug)]
pub struct AdminClient {
    place: String,
    token: Option<String>,
}

/// What a node answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Answered {
    /// Its status.
    pub status: StatusCode,
    /// The JSON of its body; null where there was none.
    pub value: Value,
}

/// Why there is no answer, or none that was wanted.
#[derive(Debug)]
pub enum ClientFailure {
    /// What the user said cannot be used.
    Unusable(String),
    /// Nobody could be connected to.
    Unreachable {
        /// Where.
        place: String,
        /// Why not.
        cause: String,
    },
    /// It did not answer as a node does.
    Broken {
        /// Who.
        place: String,
        /// In which way.
        cause: String,
    },
    /// It refused.
    Refused {
        /// With this status.
        status: StatusCode,
        /// In these words.
        words: String,
    },
}

impl AdminClient {
    /// A client for the node that flags and environment name; by default the one on this machine,
    /// whose token is found where `forebay run` put it.
    pub fn of(args: &AdminArgs) -> Result<Self, ClientFailure> {
        let variable = |name| std::env::var(name).ok().filter(|said| !said.is_empty());
        let said = args.admin.clone().or_else(|| variable(ADMIN_VARIABLE));
        let place = place(said.as_deref().unwrap_or(ADMIN))?;
        let token = match &args.token_file {
            Some(file) => Some(read_token(file)?),
            None => variable(TOKEN_VARIABLE).or_else(|| token::found(place.parse().ok()?)),
        };
        Ok(AdminClient { place, token })
    }

    /// Asks, and reads the whole answer. What the node refuses is a failure, but for 404, which is an
    /// answer.
    pub async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answered, ClientFailure> {
        self.ask_within(method, path, body, ANSWER_PATIENCE).await
    }

    /// The same, for a call that may take as long as this.
    pub async fn ask_within(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        patience: Duration,
    ) -> Result<Answered, ClientFailure> {
        let asking = async {
            let response = self.send(method, path, body).await?;
            let status = response.status();
            let mut lines =
                Lines { place: &self.place, body: response.into_body(), read: Vec::new() };
            let text = lines.rest().await?;
            self.judged(status, &text)
        };
        timeout(patience, asking).await.unwrap_or_else(|_| Err(self.late(patience)))
    }

    /// Asks, and gives each line of an answer to `each` as it comes, until the node ends it or `each`
    /// has had enough.
    pub async fn follow(
        &self,
        path: &str,
        mut each: impl FnMut(&Value) -> Enough,
    ) -> Result<(), ClientFailure> {
        let response = timeout(ANSWER_PATIENCE, self.send(Method::GET, path, None)).await;
        let response = response.unwrap_or_else(|_| Err(self.late(ANSWER_PATIENCE)))?;
        let status = response.status();
        let mut lines = Lines { place: &self.place, body: response.into_body(), read: Vec::new() };
        if !status.is_success() {
            let text = timeout(ANSWER_PATIENCE, lines.rest()).await;
            let text = text.unwrap_or_else(|_| Err(self.late(ANSWER_PATIENCE)))?;
            let words = self.judged(status, &text)?.value["error"].as_str().map(str::to_owned);
            let words = words.unwrap_or_else(|| "it does not say why".to_owned());
            return Err(ClientFailure::Refused { status, words });
        }
        while let Some(line) = lines.next().await? {
            // So a node says that it is still there.
            if line.is_empty() {
                continue;
            }
            let value = serde_json::from_slice(&line).map_err(|_| self.not_ours())?;
            match each(&value) {
                Enough::Yes => break,
                Enough::No => {}
            }
        }
        Ok(())
    }

    /// The status of an answer whose body is of no interest.
    pub async fn status(&self, path: &str) -> Result<StatusCode, ClientFailure> {
        let sent = timeout(CONNECT_PATIENCE, self.send(Method::GET, path, None)).await;
        Ok(sent.unwrap_or_else(|_| Err(self.late(CONNECT_PATIENCE)))?.status())
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<http::Response<Incoming>, ClientFailure> {
        let stream = timeout(CONNECT_PATIENCE, TcpStream::connect(&self.place)).await;
        let stream = stream.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let stream = stream.map_err(|error| self.unreachable(&error))?;
        let broken = |error: hyper::Error| self.broken(error.to_string());
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        // It ends when the answer was read or dropped; what went wrong is seen there.
        tokio::spawn(async move {
            let _ = connection.await;
        });
        let request = self.request(method, path, body)?;
        sender.send_request(request).await.map_err(broken)
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Request<Full<Bytes>>, ClientFailure> {
        let bytes = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, &self.place)
            .header(CONTENT_TYPE, "application/json");
        if let Some(token) = &self.token {
            let mut said = HeaderValue::try_from(format!("Bearer {token}"))
                .map_err(|_| ClientFailure::Unusable("no field can carry the token".to_owned()))?;
            said.set_sensitive(true);
            request = request.header(AUTHORIZATION, said);
        }
        request.body(Full::new(bytes)).map_err(|error| ClientFailure::Unusable(error.to_string()))
    }

    fn judged(&self, status: StatusCode, text: &[u8]) -> Result<Answered, ClientFailure> {
        let value = match text.trim_ascii() {
            b"" => Value::Null,
            text => serde_json::from_slice(text).map_err(|_| self.not_ours())?,
        };
        if status.is_success() || status == StatusCode::NOT_FOUND {
            return Ok(Answered { status, value });
        }
        let words = value["error"].as_str().unwrap_or("it does not say why").to_owned();
        Err(ClientFailure::Refused { status, words: self.with_hint(status, words) })
    }

    /// What may be done about a token that the node does not take.
    fn with_hint(&self, status: StatusCode, words: String) -> String {
        match (status, &self.token) {
            (StatusCode::UNAUTHORIZED, None) => format!(
                "{words}; none was found for `{}`: say --token-file FILE or set {TOKEN_VARIABLE}",
                self.place
            ),
            (StatusCode::UNAUTHORIZED, Some(_)) => {
                format!("{words}; the one that was said is wrong")
            }
            (_, _) => words,
        }
    }

    fn unreachable(&self, error: &io::Error) -> ClientFailure {
        let cause = match error.kind() {
            io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
            io::ErrorKind::TimedOut => format!("no answer within {}", in_time(CONNECT_PATIENCE)),
            _ => error.to_string(),
        };
        ClientFailure::Unreachable { place: self.place.clone(), cause }
    }

    fn broken(&self, cause: String) -> ClientFailure {
        ClientFailure::Broken { place: self.place.clone(), cause }
    }

    fn not_ours(&self) -> ClientFailure {
        self.broken("its answer is no JSON; is it an admin listener?".to_owned())
    }

    fn late(&self, patience: Duration) -> ClientFailure {
        self.broken(format!("no answer within {}", in_time(patience)))
    }
}

/// Whether more lines are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enough {
    /// No more.
    Yes,
    /// More.
    No,
}

/// The lines of an answer.
struct Lines<'a> {
    place: &'a str,
    body: Incoming,
    read: Vec<u8>,
}

impl Lines<'_> {
    /// The next line without its end; `None` at the end of the answer.
    async fn next(&mut self) -> Result<Option<Vec<u8>>, ClientFailure> {
        let mut seen = 0;
        loop {
            if let Some(end) = self.read[seen..].iter().position(|byte| *byte == b'\n') {
                let mut line: Vec<u8> = self.read.drain(..=seen + end).collect();
                line.pop();
                return Ok(Some(line));
            }
            seen = self.read.len();
            if !self.more(LINE_BYTES_MAX).await? {
                return Ok(None);
            }
        }
    }

    async fn rest(&mut self) -> Result<Vec<u8>, ClientFailure> {
        while self.more(ANSWER_BYTES_MAX).await? {}
        Ok(std::mem::take(&mut self.read))
    }

    /// Reads on; `false` at the end.
    async fn more(&mut self, bytes_max: usize) -> Result<bool, ClientFailure> {
        let broken = |cause| ClientFailure::Broken { place: self.place.to_owned(), cause };
        let Some(frame) = self.body.frame().await else { return Ok(false) };
        let frame = frame.map_err(|error| broken(error.to_string()))?;
        if let Ok(piece) = frame.into_data() {
            self.read.extend_from_slice(&piece);
        }
        if self.read.len() > bytes_max {
            return Err(broken("its answer is too long".to_owned()));
        }
        Ok(true)
    }
}

impl fmt::Display for ClientFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClientFailure::Unusable(why) => f.write_str(why),
            ClientFailure::Unreachable { place, cause } => write!(
                f,
                "cannot reach the admin listener on `{place}`: {cause}; is `forebay run` up?"
            ),
            ClientFailure::Broken { place, cause } => {
                write!(f, "cannot understand the admin listener on `{place}`: {cause}")
            }
            ClientFailure::Refused { status, words } => {
                write!(f, "refused with {}: {words}", status.as_u16())
            }
        }
    }
}

impl std::error::Error for ClientFailure {}

/// `host:port` of what was said, which may be a URL.
fn place(said: &str) -> Result<String, ClientFailure> {
    let refused = |why: &str| {
        let form = "write an address such as 127.0.0.1:8081";
        Err(ClientFailure::Unusable(format!(
            "cannot use `{said}` as an admin listener: {why}; {form}"
        )))
    };
    let place = said.strip_prefix("http://").unwrap_or(said).trim_end_matches('/');
    if said.starts_with("https://") {
        return refuse_tls(said);
    }
    if let Ok(address) = place.parse::<SocketAddr>() {
        return Ok(address.to_string());
    }
    let Some((host, port)) = place.rsplit_once(':') else { return refused("the port is missing") };
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if host.is_empty() || !host.chars().all(is_name) || port.parse::<u16>().is_err() {
        return refused("it is no address with a port");
    }
    Ok(place.to_owned())
}

fn refuse_tls(said: &str) -> Result<String, ClientFailure> {
    let why = "the admin listener does not speak TLS";
    Err(ClientFailure::Unusable(format!("cannot use `{said}` as an admin listener: {why}")))
}

fn read_token(file: &Path) -> Result<String, ClientFailure> {
    let text = config::read(file).map_err(ClientFailure::Unusable)?;
    let token = text.trim();
    match token.is_empty() {
        false => Ok(token.to_owned()),
        true => {
            Err(ClientFailure::Unusable(format!("cannot use `{}`: it is empty", file.display())))
        }
    }
}

#[cfg(test)]
mod tests;
