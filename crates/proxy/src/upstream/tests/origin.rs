//! An origin that does exactly what its script says, one script a connection.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

use super::super::{Connect, Connecting, MemberAddress};
use crate::answer::Duplex;

/// One step of a script. After the last one the connection is closed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    /// Reads up to the end of a head.
    Read,
    /// Reads up to these bytes.
    ReadUntil(&'static str),
    /// Writes.
    Write(&'static str),
    /// Writes what is no text.
    Bytes(&'static [u8]),
    /// Does nothing any more.
    Stall,
    /// Waits.
    Pause(Duration),
    /// Closes with a reset.
    Reset,
}

/// What stands for the client's end of a connection in what was seen.
pub(super) const CLOSED: &str = "<closed>";

/// The origin; it ends with the value.
pub(super) struct Origin {
    pub(super) address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
    task: AbortHandle,
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Origin {
    /// Plays the first script on the first connection, and so on; further ones are refused by
    /// being closed.
    pub(super) async fn start(scripts: Vec<Vec<Act>>) -> Origin {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let noted = seen.clone();
        let task = tokio::spawn(async move {
            for script in scripts {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(play_tcp(stream, script, noted.clone()));
            }
        });
        Origin { address, seen, task: task.abort_handle() }
    }

    /// What was read, one text for each reading act.
    pub(super) fn seen(&self) -> Vec<String> {
        self.seen.lock().clone()
    }

    /// How often a connection was closed where a request might have come.
    pub(super) fn closed(&self) -> usize {
        self.seen.lock().iter().filter(|text| *text == CLOSED).count()
    }
}

async fn play_tcp(mut stream: TcpStream, script: Vec<Act>, seen: Arc<Mutex<Vec<String>>>) {
    if play(&mut stream, &script, &seen).await == Ending::Reset {
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    }
}

#[derive(PartialEq, Eq)]
enum Ending {
    Close,
    Reset,
}

async fn play<S>(stream: &mut S, script: &[Act], seen: &Mutex<Vec<String>>) -> Ending
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    for act in script {
        match act {
            Act::Read => read_until(stream, "\r\n\r\n", seen).await,
            Act::ReadUntil(end) => read_until(stream, end, seen).await,
            Act::Write(text) => stream.write_all(text.as_bytes()).await.unwrap_or_default(),
            Act::Bytes(bytes) => stream.write_all(bytes).await.unwrap_or_default(),
            Act::Stall => std::future::pending().await,
            Act::Pause(time) => tokio::time::sleep(*time).await,
            Act::Reset => return Ending::Reset,
        }
    }
    let _ = stream.shutdown().await;
    let _ = stream.read(&mut [0]).await;
    Ending::Close
}

async fn read_until<S>(stream: &mut S, end: &str, seen: &Mutex<Vec<String>>)
where
    S: AsyncRead + Unpin,
{
    let place = {
        let mut seen = seen.lock();
        seen.push(String::new());
        seen.len() - 1
    };
    let mut text = Vec::new();
    while !text.ends_with(end.as_bytes()) {
        let Ok(byte) = stream.read_u8().await else {
            text.extend_from_slice(CLOSED.as_bytes());
            break;
        };
        text.push(byte);
    }
    seen.lock()[place] = String::from_utf8(text).unwrap();
}

/// Members in memory, for tests in which time is not real: one script a connection.
pub(super) struct Pipes {
    scripts: Mutex<std::vec::IntoIter<Vec<Act>>>,
    seen: Arc<Mutex<Vec<String>>>,
    /// Bytes that a pipe holds.
    room: usize,
    /// See [`Connect::generation`].
    pub(super) generation: AtomicU64,
}

impl Pipes {
    pub(super) fn new(room: usize, scripts: Vec<Vec<Act>>) -> Arc<Pipes> {
        Arc::new(Pipes {
            scripts: Mutex::new(scripts.into_iter()),
            seen: Arc::default(),
            room,
            generation: AtomicU64::new(0),
        })
    }

    pub(super) fn seen(&self) -> Vec<String> {
        self.seen.lock().clone()
    }

    /// Whether every script was played.
    pub(super) fn is_spent(&self) -> bool {
        self.scripts.lock().len() == 0
    }
}

impl Connect for Pipes {
    fn connect(&self, _member: &MemberAddress) -> Connecting {
        let Some(script) = self.scripts.lock().next() else {
            return Box::pin(std::future::pending());
        };
        let (ours, mut theirs): (DuplexStream, DuplexStream) = tokio::io::duplex(self.room);
        let seen = self.seen.clone();
        tokio::spawn(async move { play(&mut theirs, &script, &seen).await });
        Box::pin(async move { Ok(Box::new(ours) as Box<dyn Duplex>) })
    }

    fn generation(&self, _member: &MemberAddress) -> u64 {
        self.generation.load(Ordering::Relaxed)
    }
}
