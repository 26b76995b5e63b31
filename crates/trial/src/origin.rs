//! An origin that speaks bytes: hears requests, keeps them in order, answers as it is told.
//!
//! It is told by a script, or answers each request by itself. It runs over whatever connection it
//! is handed: a socket, or a pipe inside the simulator.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::{Notify, mpsc};
use tokio::task::AbortHandle;

use crate::Failure;
use crate::wire::{BodyReader, Ending, Message, MessageReader, Wire};

/// Bytes that wait in one direction of a pipe inside the simulator.
const PIPE_BYTES: usize = 64 * 1024;

/// Writes that wait for a gateway that takes none.
const WRITES_MAX: usize = 4096;

/// An origin; clones are the same one.
#[derive(Clone, Default)]
pub struct Origin {
    state: Arc<Mutex<State>>,
    changed: Arc<Notify>,
}

#[derive(Default)]
struct State {
    door: Door,
    heard: VecDeque<Heard>,
    total: usize,
    faults: Vec<Failure>,
    by_itself: Option<ByItself>,
    connections: Vec<Connection>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Door {
    #[default]
    Open,
    Shut,
}

/// Makes the answer to a request, when nobody tells the origin what to say.
pub type ByItself = Arc<dyn Fn(&Message) -> Reply + Send + Sync>;

/// Bytes of an answer, and what becomes of the connection.
pub struct Reply {
    /// Everything, head first.
    pub bytes: Vec<u8>,
    /// What follows.
    pub then: Then,
}

/// What becomes of a connection after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// It is kept.
    Keep,
    /// It is closed.
    Close,
}

/// A request that the origin has heard.
#[derive(Clone)]
pub struct Heard {
    /// What was said.
    pub message: Message,
    /// Where the answer goes.
    pub connection: Connection,
}

/// A connection from the gateway; clones are the same one.
#[derive(Clone)]
pub struct Connection {
    writes: mpsc::Sender<Write>,
    tasks: Arc<Mutex<Vec<AbortHandle>>>,
}

enum Write {
    Bytes(Vec<u8>),
    Close,
}

impl Origin {
    /// An origin that takes connections.
    pub fn new() -> Self {
        Origin::default()
    }

    /// Opens a connection to it inside this process: what the simulator's gateway does.
    pub fn dial(&self) -> io::Result<Wire> {
        if self.state().door == Door::Shut {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
        self.serve(Box::new(ours));
        Ok(Box::new(theirs))
    }

    /// Serves a connection, in a task of its own, until it ends.
    pub fn serve(&self, wire: Wire) {
        let (reader, writer) = tokio::io::split(wire);
        let (writes, queue) = mpsc::channel(WRITES_MAX);
        let connection = Connection { writes, tasks: Arc::default() };
        let reading = tokio::spawn(self.clone().listen(reader, connection.clone())).abort_handle();
        let writing = tokio::spawn(write_all(writer, queue, reading.clone())).abort_handle();
        *unpoisoned(&connection.tasks) = vec![reading, writing];
        self.state().connections.push(connection);
    }

    /// Refuses connections made by [`Origin::dial`] and ends all that there are.
    pub async fn shut(&self) {
        let connections = {
            let mut state = self.state();
            state.door = Door::Shut;
            std::mem::take(&mut state.connections)
        };
        for connection in connections {
            connection.abort();
        }
        // An aborted task lets go of its connection when it is next looked at.
        tokio::task::yield_now().await;
    }

    /// Takes connections again.
    pub fn open(&self) {
        self.state().door = Door::Open;
    }

    /// From here on each request is answered at once, and only counted.
    pub fn answer_by_itself(&self, reply: ByItself) {
        let mut state = self.state();
        state.by_itself = Some(reply);
        state.total = 0;
    }

    /// The first request that fits and that nobody has taken, waiting for it so long.
    pub async fn hear(
        &self,
        patience: Duration,
        fits: impl Fn(&Message) -> bool,
    ) -> Result<Heard, Failure> {
        let found = tokio::time::timeout(patience, async {
            loop {
                let changed = self.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if let Some(found) = self.take(&fits)? {
                    return Ok(found);
                }
                changed.await;
            }
        });
        match found.await {
            Ok(found) => found,
            Err(_) => Err(Failure::new(format!("the origin has not heard it{}", self.left()))),
        }
    }

    /// Whether any request is left that nobody has taken; the error shows them.
    pub fn nothing_left(&self) -> Result<(), Failure> {
        if let Some(fault) = self.state().faults.pop() {
            return Err(fault.during("the gateway said something wrong to the origin"));
        }
        match self.left() {
            left if left.is_empty() => Ok(()),
            left => Err(Failure::new(format!("the origin was asked more than was told{left}"))),
        }
    }

    /// How many requests it has heard, or has heard since it answers by itself.
    pub fn heard_count(&self) -> usize {
        self.state().total
    }

    fn take(&self, fits: &impl Fn(&Message) -> bool) -> Result<Option<Heard>, Failure> {
        let mut state = self.state();
        if let Some(fault) = state.faults.pop() {
            return Err(fault.during("the gateway said something wrong to the origin"));
        }
        let at = state.heard.iter().position(|heard| fits(&heard.message));
        Ok(at.and_then(|at| state.heard.remove(at)))
    }

    /// What it has heard and nobody has taken.
    pub fn left(&self) -> String {
        let state = self.state();
        // A request that was cut before its end asks for nothing.
        let whole = state.heard.iter().filter(|heard| heard.message.ending == Ending::Whole);
        whole.map(|heard| format!("; heard:{}", heard.message.shown())).collect()
    }

    async fn listen(self, reader: ReadHalf<Wire>, connection: Connection) {
        let mut reader = MessageReader::new(reader);
        loop {
            let message = match read_request(&mut reader, &connection).await {
                Ok(Some(message)) => message,
                Ok(None) => return,
                Err(fault) => {
                    self.state().faults.push(fault);
                    return self.changed.notify_waiters();
                }
            };
            if let Some(reply) = self.note(message, &connection) {
                let _ = connection.write(reply.bytes);
                if reply.then == Then::Close {
                    return connection.close();
                }
            }
        }
    }

    fn note(&self, message: Message, connection: &Connection) -> Option<Reply> {
        let mut state = self.state();
        state.total += 1;
        let whole = message.ending == Ending::Whole;
        if let Some(reply) = state.by_itself.clone().filter(|_| whole) {
            drop(state);
            return Some(reply(&message));
        }
        state.heard.push_back(Heard { message, connection: connection.clone() });
        drop(state);
        self.changed.notify_waiters();
        None
    }

    fn state(&self) -> MutexGuard<'_, State> {
        unpoisoned(&self.state)
    }
}

impl Connection {
    /// Sends bytes to the gateway, as soon as it takes them.
    pub fn write(&self, bytes: Vec<u8>) -> Result<(), Failure> {
        self.writes.try_send(Write::Bytes(bytes)).map_err(|_| {
            Failure::new("the origin cannot answer: the gateway has closed this connection")
        })
    }

    /// Closes it both ways when all is written.
    pub fn close(&self) {
        let _ = self.writes.try_send(Write::Close);
    }

    /// Closes it at once.
    fn abort(&self) {
        for task in unpoisoned(&self.tasks).drain(..) {
            task.abort();
        }
    }
}

/// Writes what is told, in order; ends the reading too when it is told to close.
async fn write_all(
    mut writer: WriteHalf<Wire>,
    mut queue: mpsc::Receiver<Write>,
    reading: AbortHandle,
) {
    while let Some(Write::Bytes(bytes)) = queue.recv().await {
        // A gateway that is gone is told by what the clients get.
        if writer.write_all(&bytes).await.is_err() || writer.flush().await.is_err() {
            break;
        }
    }
    let _ = writer.shutdown().await;
    reading.abort();
}

async fn read_request(
    reader: &mut MessageReader<ReadHalf<Wire>>,
    connection: &Connection,
) -> Result<Option<Message>, Failure> {
    let Some(head) = reader.head().await? else { return Ok(None) };
    let framing = BodyReader::of_request(&head)?;
    if head.lists("expect", "100-continue") && framing != BodyReader::Length(0) {
        connection.write(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec())?;
    }
    reader.rest(head, framing).await.map(Some)
}

fn unpoisoned<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
