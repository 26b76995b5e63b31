//! A client that speaks bytes: one connection, requests out, responses in.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::io::{AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::time::timeout;

use crate::Failure;
use crate::wire::{BodyReader, Head, Message, MessageReader, Piece, Wire};

/// How long it is looked whether the gateway has closed an idle connection.
const LOOK: Duration = Duration::from_millis(1);

/// One client's connection.
pub struct Client {
    reader: MessageReader<ReadHalf<Wire>>,
    writer: WriteHalf<Wire>,
    awaited: VecDeque<String>,
    begun: Option<(Head, BodyReader)>,
    life: Life,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Life {
    Open,
    Closing,
}

impl Client {
    /// Speaks over this connection.
    pub fn over(wire: Wire) -> Self {
        let (reader, writer) = tokio::io::split(wire);
        Client {
            reader: MessageReader::new(reader),
            writer,
            awaited: VecDeque::new(),
            begun: None,
            life: Life::Open,
        }
    }

    /// Connects to this address over TCP.
    pub async fn connect(address: std::net::SocketAddr) -> std::io::Result<Self> {
        let stream = tokio::net::TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Client::over(Box::new(stream)))
    }

    /// Sends bytes as they are. That the gateway no longer reads is no failure: it may have
    /// answered already, and then the answer tells.
    pub async fn send(&mut self, bytes: &[u8], patience: Duration) {
        self.awaited.extend(method(bytes));
        let written = async {
            let _ = self.writer.write_all(bytes).await;
            let _ = self.writer.flush().await;
        };
        let _ = timeout(patience, written).await;
    }

    /// Sends a request that ends with its head, and reads the response.
    pub async fn ask(&mut self, request: &str, patience: Duration) -> Result<Message, Failure> {
        self.send(request.as_bytes(), patience).await;
        self.response(patience).await
    }

    /// Whether it waits for an answer.
    pub fn awaits(&self) -> bool {
        !self.awaited.is_empty() || self.begun.is_some()
    }

    /// Whether another request may be sent over it.
    pub async fn is_usable(&mut self) -> bool {
        if self.life == Life::Closing {
            return false;
        }
        let look = timeout(LOOK, self.reader.fill());
        look.await.unwrap_or(true)
    }

    /// The next response, whole or cut.
    pub async fn response(&mut self, patience: Duration) -> Result<Message, Failure> {
        let head = self.begin(patience).await?;
        self.rest(patience).await.map(|rest| Message { head, ..rest })
    }

    /// The next response's head. Its body is then read with [`Client::some`] and
    /// [`Client::rest`].
    pub async fn begin(&mut self, patience: Duration) -> Result<Head, Failure> {
        let Ok(read) = timeout(patience, self.reader.head()).await else {
            return Err(Failure::new(format!("no answer within {patience:?}")));
        };
        let Some(head) = read? else {
            self.life = Life::Closing;
            return Err(Failure::new("the connection was closed without an answer"));
        };
        let method = self.awaited.front().cloned().unwrap_or_default();
        let interim = head.status()? < 200 && head.status()? != 101;
        if !interim {
            self.awaited.pop_front();
        }
        if head.closes() && !interim {
            self.life = Life::Closing;
        }
        let body = BodyReader::of_response(&head, &method)
            .map_err(|fault| fault.during(format!("cannot read the answer `{}`", head.start)))?;
        if body == BodyReader::UntilClose {
            self.life = Life::Closing;
        }
        self.begun = Some((head.clone(), body));
        Ok(head)
    }

    /// At least this many bytes of the begun body, or all that it has.
    pub async fn some(&mut self, least: usize, patience: Duration) -> Result<Vec<u8>, Failure> {
        let Some((_, body)) = self.begun.as_mut() else {
            return Err(Failure::new("no answer has begun"));
        };
        let mut read = Vec::new();
        while read.len() < least {
            let piece = timeout(patience, self.reader.piece(body)).await;
            match piece {
                Ok(Ok(Piece::Bytes(bytes))) => read.extend(bytes),
                Ok(Ok(Piece::End(_) | Piece::Cut)) => break,
                Ok(Err(fault)) => return Err(fault),
                Err(_) => {
                    let so_far = read.len();
                    return Err(Failure::new(format!(
                        "{so_far} of {least} bytes of the body came within {patience:?}"
                    )));
                }
            }
        }
        Ok(read)
    }

    /// What is left of the begun response.
    pub async fn rest(&mut self, patience: Duration) -> Result<Message, Failure> {
        let Some((head, body)) = self.begun.take() else {
            return Err(Failure::new("no answer has begun"));
        };
        let start = head.start.clone();
        match timeout(patience, self.reader.rest(head, body)).await {
            Ok(read) => read,
            Err(_) => {
                Err(Failure::new(format!("the body of `{start}` did not end within {patience:?}")))
            }
        }
    }

    /// Waits for the end of the connection; an error if bytes come instead, or nothing.
    pub async fn closed(&mut self, patience: Duration) -> Result<(), Failure> {
        self.awaited.clear();
        self.life = Life::Closing;
        if !self.reader.has_bytes() {
            match timeout(patience, self.reader.fill()).await {
                Ok(false) => return Ok(()),
                Ok(true) => {}
                Err(_) => {
                    return Err(Failure::new(format!("the connection is open after {patience:?}")));
                }
            }
        }
        match self.reader.head().await {
            Ok(Some(head)) => Err(Failure::new(format!("`{}` came instead", head.start))),
            Ok(None) => Ok(()),
            Err(fault) => Err(fault),
        }
    }

    /// An error if anything comes within this span.
    pub async fn nothing(&mut self, moment: Duration) -> Result<(), Failure> {
        if !self.reader.has_bytes() {
            match timeout(moment, self.reader.fill()).await {
                Err(_) => return Ok(()),
                Ok(false) => return Err(Failure::new("the connection was closed")),
                Ok(true) => {}
            }
        }
        let head = self.begin(moment).await?;
        Err(Failure::new(format!("`{}` came", head.start)))
    }
}

/// The method of the request that these bytes begin; `None` when they go on with one.
fn method(bytes: &[u8]) -> Option<String> {
    let end = bytes.iter().position(|byte| !byte.is_ascii_uppercase())?;
    let begins = end > 0 && bytes[end] == b' ';
    begins.then(|| String::from_utf8_lossy(&bytes[..end]).into_owned())
}
