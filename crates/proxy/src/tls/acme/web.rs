//! How an authority is spoken to: HTTP/1.1 over TLS, a connection a request, always verified.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http::header::{HOST, HeaderValue};
use http::uri::PathAndQuery;
use http::{Request, Uri};
use http_body_util::{BodyExt, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::upstream::tls_to;

/// How long one request may take, connecting included.
const LIMIT: Duration = Duration::from_secs(30);

/// Bytes of an answer; a chain of certificates has some ten thousand.
const BODY_BYTES_MAX: usize = 1 << 20;

/// Speaks to authorities, known by the system's authorities and those of a file.
pub(super) struct Web(pub(super) Option<PathBuf>);

impl HttpClient for Web {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let ca_file = self.0.clone();
        Box::pin(async move {
            let uri = request.uri().clone();
            let asked = timeout(LIMIT, ask(request, ca_file)).await;
            let answered = asked.unwrap_or_else(|_| Err(format!("no answer in {LIMIT:?}")));
            answered.map_err(|why| Error::Other(format!("cannot ask {uri}: {why}").into()))
        })
    }
}

/// Drives a connection until this is dropped.
struct Driven(JoinHandle<()>);

impl Drop for Driven {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn ask(
    mut request: Request<BodyWrapper<Bytes>>,
    ca_file: Option<PathBuf>,
) -> Result<BytesResponse, String> {
    let uri = request.uri().clone();
    let (Some("https"), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err("it is no https URL".to_owned());
    };
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let port = authority.port_u16().unwrap_or(443);
    let stream = TcpStream::connect((host, port)).await.map_err(|error| error.to_string())?;
    let secured = tls_to(host, ca_file.as_deref(), Box::new(stream)).await?;
    let shaken = http1::handshake(TokioIo::new(secured)).await;
    let (mut sender, connection) = shaken.map_err(|error| error.to_string())?;
    let _driven = Driven(tokio::spawn(async move {
        // Whoever waits for the answer hears of it too.
        let _ = connection.await;
    }));
    let field = HeaderValue::from_str(authority.as_str()).map_err(|error| error.to_string())?;
    request.headers_mut().insert(HOST, field);
    let path = uri.path_and_query().cloned();
    *request.uri_mut() = Uri::from(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
    let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
    let (parts, body) = response.into_parts();
    let body = Limited::new(body, BODY_BYTES_MAX).collect().await;
    let body = body.map_err(|error| error.to_string())?.to_bytes();
    Ok(BytesResponse { parts, body: Box::new(body) })
}
