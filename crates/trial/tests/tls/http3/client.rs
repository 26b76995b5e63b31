//! A client of HTTP/3 that writes raw bytes (RFC 9114, RFC 9204), so that it can break every rule.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use forebay::server::h3::qpack::{Bounds, decode};
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{
    Connection, ConnectionError, Endpoint, ReadError, ReadToEndError, RecvStream, SendStream,
};
use tokio::time::timeout;
use tokio_rustls::rustls::version;

use crate::support::{PATIENCE, Stage};

/// DATA, in the words of the RFC.
pub(super) const CONTENT: u64 = 0x0;
pub(super) const HEADERS: u64 = 0x1;
pub(super) const SETTINGS: u64 = 0x4;
pub(super) const GOAWAY: u64 = 0x7;

/// What is on by the lines of every stage here.
pub(super) const ON: (&str, &str) = ("tls", "http3 = \"on\"");

/// Bytes of an answer.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// A client with one connection. Dropped, it leaves.
pub(super) struct Client {
    pub(super) connection: Connection,
    /// Its control stream, with settings on it.
    pub(super) control: SendStream,
    _endpoint: Endpoint,
}

/// Fields in their order.
pub(super) type Fields = Vec<(String, String)>;

/// An answer that came whole.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// Heads: interim ones, then the last.
    pub(super) heads: Vec<Fields>,
    pub(super) body: Vec<u8>,
    pub(super) trailers: Option<Fields>,
}

impl Answer {
    /// The status of its last head.
    pub(super) fn status(&self) -> u16 {
        self.field(":status").and_then(|status| status.parse().ok()).expect("a status")
    }

    /// A field of its last head.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        field(self.heads.last()?, name)
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// The value of a field.
pub(super) fn field<'a>(fields: &'a Fields, name: &str) -> Option<&'a str> {
    fields.iter().find(|field| field.0 == name).map(|field| field.1.as_str())
}

/// How a request came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// Its stream was reset with this code.
    Reset(u64),
    /// The connection was closed with this code.
    Closed(u64),
    /// The connection ended otherwise.
    Lost,
}

impl From<&ConnectionError> for Ended {
    fn from(error: &ConnectionError) -> Self {
        match error {
            ConnectionError::ApplicationClosed(close) => {
                Ended::Closed(close.error_code.into_inner())
            }
            _ => Ended::Lost,
        }
    }
}

impl From<ReadError> for Ended {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Reset(code) => Ended::Reset(code.into_inner()),
            ReadError::ConnectionLost(error) => Ended::from(&error),
            other => panic!("{other}"),
        }
    }
}

/// Shakes hands as a client of this host.
pub(super) async fn shake(
    stage: &Stage,
    host: &str,
) -> Result<(Endpoint, Connection), ConnectionError> {
    shake_at(stage, stage.secured, host, quinn::TransportConfig::default()).await
}

/// The same at this address, with these bounds.
pub(super) async fn shake_at(
    stage: &Stage,
    address: SocketAddr,
    host: &str,
    transport: quinn::TransportConfig,
) -> Result<(Endpoint, Connection), ConnectionError> {
    let tls = stage.terms_of(&["h3"], &[&version::TLS13]);
    let tls = QuicClientConfig::try_from(tls).expect("a suite for QUIC");
    let mut config = quinn::ClientConfig::new(Arc::new(tls));
    config.transport_config(Arc::new(transport));
    let endpoint = Endpoint::client((Ipv4Addr::LOCALHOST, 0).into()).expect("a free port");
    let connecting = endpoint.connect_with(config, address, host).expect("a host");
    let connection = timeout(PATIENCE, connecting).await.expect("the handshake ends")?;
    Ok((endpoint, connection))
}

impl Client {
    /// A client of this host.
    pub(super) async fn of(stage: &Stage, host: &str) -> Self {
        Client::with(stage, host, quinn::TransportConfig::default()).await
    }

    /// The same with these bounds.
    pub(super) async fn with(stage: &Stage, host: &str, transport: quinn::TransportConfig) -> Self {
        let shaken = shake_at(stage, stage.secured, host, transport).await;
        let (endpoint, connection) =
            shaken.unwrap_or_else(|error| panic!("{error}{}", stage.words()));
        Client::over(endpoint, connection).await
    }

    /// The same over a connection that is there.
    pub(super) async fn over(endpoint: Endpoint, connection: Connection) -> Self {
        let control = beside(&connection, &[&[0][..], &frame(SETTINGS, &[])].concat()).await;
        Client { connection, control, _endpoint: endpoint }
    }

    /// Sends bytes as a request, and ends it.
    pub(super) async fn send(&self, bytes: &[u8]) -> RecvStream {
        let (mut send, receive) = self.begin(bytes).await;
        // The gateway may have refused it already.
        let _ = send.finish();
        receive
    }

    /// Sends bytes as a request, and does not end it.
    pub(super) async fn begin(&self, bytes: &[u8]) -> (SendStream, RecvStream) {
        let (mut send, receive) = self.connection.open_bi().await.expect("a stream");
        let _ = send.write_all(bytes).await;
        (send, receive)
    }

    /// What is answered to these bytes, as a whole request.
    pub(super) async fn ask(&self, bytes: &[u8]) -> Result<Answer, Ended> {
        answer(&mut self.send(bytes).await).await
    }

    /// What is answered to a GET.
    pub(super) async fn get(&self, host: &str, path: &str) -> Answer {
        self.ask(&get(host, path)).await.unwrap_or_else(|ended| panic!("{path}: {ended:?}"))
    }

    /// With which code the connection is closed, which it must be.
    pub(super) async fn closed(&self) -> Ended {
        let error = timeout(PATIENCE, self.connection.closed()).await.expect("it is closed");
        Ended::from(&error)
    }
}

/// Opens a stream beside requests and sends these bytes.
pub(super) async fn beside(connection: &Connection, bytes: &[u8]) -> SendStream {
    let mut stream = connection.open_uni().await.expect("a stream");
    let _ = stream.write_all(bytes).await;
    stream
}

/// An answer to its end.
pub(super) async fn answer(receive: &mut RecvStream) -> Result<Answer, Ended> {
    let read = timeout(PATIENCE, receive.read_to_end(ANSWER_BYTES_MAX)).await;
    let bytes = read.expect("it is answered").map_err(|error| match error {
        ReadToEndError::Read(error) => Ended::from(error),
        ReadToEndError::TooLong => panic!("an answer without an end"),
    })?;
    Ok(parse(&bytes))
}

fn parse(mut bytes: &[u8]) -> Answer {
    let mut all = Answer::default();
    while !bytes.is_empty() {
        let kind = integer(&mut bytes);
        let length = usize::try_from(integer(&mut bytes)).expect("a length");
        let (payload, rest) = bytes.split_at(length);
        bytes = rest;
        match kind {
            HEADERS => {
                let fields = fields(payload);
                match field(&fields, ":status") {
                    Some(_) => all.heads.push(fields),
                    None => all.trailers = Some(fields),
                }
            }
            CONTENT => all.body.extend_from_slice(payload),
            other => panic!("a frame of type {other}"),
        }
    }
    all
}

fn fields(section: &[u8]) -> Fields {
    let bounds = Bounds { bytes_max: 1 << 20, fields_max: 1000 };
    let fields = decode(section.to_vec().into(), bounds).expect("a field section");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    fields.iter().map(|field| (text(&field.name), text(&field.value))).collect()
}

/// An integer of QUIC, taken off bytes that hold it.
pub(super) fn integer(bytes: &mut &[u8]) -> u64 {
    let (own, rest) = bytes.split_at(1 << (bytes[0] >> 6));
    *bytes = rest;
    own[1..].iter().fold(u64::from(own[0] & 0x3f), |value, byte| value << 8 | u64::from(*byte))
}

/// A frame; its length in four bytes, as no shorter one is needed.
pub(super) fn frame(kind: u64, payload: &[u8]) -> Vec<u8> {
    let kind = u8::try_from(kind).ok().filter(|kind| *kind < 0x40).expect("a short type");
    let length = u32::try_from(payload.len()).expect("a short frame") | 0x8000_0000;
    [&[kind][..], &length.to_be_bytes(), payload].concat()
}

/// A field section with each line written out: `name: value`.
pub(super) fn section(lines: &[&str]) -> Vec<u8> {
    let mut out = vec![0, 0];
    for line in lines {
        let colon = line[1..].find(':').expect("a colon") + 1;
        let (name, value) = (&line[..colon], line[colon + 1..].trim_start_matches(' '));
        literal(&mut out, 0x20, 3, name.as_bytes());
        literal(&mut out, 0, 7, value.as_bytes());
    }
    out
}

fn literal(out: &mut Vec<u8>, flags: u8, bits: u32, text: &[u8]) {
    let most = (1 << bits) - 1;
    match text.len() {
        short if short < most => out.push(flags | short as u8),
        long => {
            out.push(flags | most as u8);
            let mut rest = long - most;
            while rest >= 128 {
                out.push(rest as u8 | 128);
                rest >>= 7;
            }
            out.push(rest as u8);
        }
    }
    out.extend_from_slice(text);
}

/// A HEADERS frame with these lines.
pub(super) fn head(lines: &[&str]) -> Vec<u8> {
    frame(HEADERS, &section(lines))
}

/// A request's head for this host, with further lines.
pub(super) fn request(method: &str, host: &str, path: &str, more: &[&str]) -> Vec<u8> {
    let (method, host) = (format!(":method: {method}"), format!(":authority: {host}"));
    let path = format!(":path: {path}");
    let own = [method.as_str(), ":scheme: https", &host, &path];
    head(&[&own[..], more].concat())
}

pub(super) fn get(host: &str, path: &str) -> Vec<u8> {
    request("GET", host, path, &[])
}
