//! Many clients that ask at the same moment, each over a connection of its own.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::Failure;
use crate::client::Client;
use crate::nodes::request;
use crate::wire::{Ending, Head};

/// How long an answer may take, head or body.
const ANSWER_PATIENCE: Duration = Duration::from_secs(60);

/// Clients at once: more than a process has descriptors for, with all else it holds, is a mistake.
pub const CLIENTS_MAX: usize = 4096;

/// One client's question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Whom it asks.
    pub address: SocketAddr,
    /// The bytes of the request, which ends with its head.
    pub request: Arc<str>,
}

/// A question and what came of it.
#[derive(Debug)]
pub struct Asked {
    /// The question.
    pub ask: Ask,
    /// The answer, or why there was none.
    pub answer: Result<Answer, Failure>,
}

/// An answer and how long it took, counted from when the request began to be sent.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its head.
    pub head: Head,
    /// Its body; equal bodies of one load share their bytes.
    pub body: Arc<[u8]>,
    /// How the body ended.
    pub ending: Ending,
    /// `Cache-Status`, empty if there is none.
    pub cache_status: String,
    /// Until the head was there.
    pub head_took: Duration,
    /// Until all was there.
    pub took: Duration,
}

impl Ask {
    /// A plain request for a path.
    pub fn path(address: SocketAddr, path: &str) -> Self {
        Ask { address, request: request("GET", path, &[]).into() }
    }
}

/// So many clients, spread evenly over these addresses, ask for one path at the same moment.
pub async fn stampede(
    addresses: &[SocketAddr],
    clients: usize,
    path: &str,
) -> Result<Vec<Asked>, Failure> {
    let asks = addresses.iter().cycle().take(clients);
    at_once(asks.map(|address| Ask::path(*address, path)).collect()).await
}

/// All of these are asked at the same moment: first all connect, then all send. The answers are
/// in the order of the questions. The load goes on until the slowest has its answer.
pub async fn at_once(asks: Vec<Ask>) -> Result<Vec<Asked>, Failure> {
    start(asks).await?.answers().await
}

/// Clients that have asked. Dropped, they leave.
pub struct Load {
    asking: Vec<(Ask, JoinHandle<Result<Answer, Failure>>)>,
}

/// The same, not waiting for the answers: so that something can be done meanwhile.
pub async fn start(asks: Vec<Ask>) -> Result<Load, Failure> {
    if asks.len() > CLIENTS_MAX {
        return Err(Failure::new(format!("cannot start {} clients: too many", asks.len())));
    }
    let go = watch::Sender::new(Signal::Wait);
    let bodies = Arc::new(Bodies::default());
    let mut asking = Vec::with_capacity(asks.len());
    for ask in asks {
        let client = Client::connect(ask.address).await.map_err(Failure::from);
        let client = client.map_err(|why| why.during(format!("cannot connect to {}", ask.address)));
        let request = Arc::clone(&ask.request);
        let answer = answer(client, request, go.subscribe(), Arc::clone(&bodies));
        asking.push((ask, tokio::spawn(answer)));
    }
    go.send_replace(Signal::Go);
    Ok(Load { asking })
}

impl Load {
    /// All answers, in the order of the questions.
    pub async fn answers(mut self) -> Result<Vec<Asked>, Failure> {
        let mut asked = Vec::with_capacity(self.asking.len());
        for (ask, task) in self.asking.drain(..) {
            let answer = task.await.unwrap_or_else(|error| {
                Err(Failure::new(format!("a client did not finish: {error}")))
            });
            asked.push(Asked { ask, answer });
        }
        Ok(asked)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        for (_, task) in &self.asking {
            task.abort();
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Signal {
    Wait,
    Go,
}

async fn answer(
    client: Result<Client, Failure>,
    request: Arc<str>,
    mut go: watch::Receiver<Signal>,
    bodies: Arc<Bodies>,
) -> Result<Answer, Failure> {
    let mut client = client?;
    let gone = go.wait_for(|signal| *signal == Signal::Go).await.map(|_| ());
    gone.map_err(|_| Failure::new("the load ended before it began"))?;
    let begun = Instant::now();
    client.send(request.as_bytes(), ANSWER_PATIENCE).await;
    let head = client.begin(ANSWER_PATIENCE).await?;
    let head_took = begun.elapsed();
    let rest = client.rest(ANSWER_PATIENCE).await?;
    Ok(Answer {
        status: head.status()?,
        cache_status: head.field("cache-status").unwrap_or_default(),
        head,
        body: bodies.shared(&rest.body),
        ending: rest.ending,
        head_took,
        took: begun.elapsed(),
    })
}

/// Each body once, so that a thousand equal ones do not fill the memory.
#[derive(Default)]
struct Bodies(Mutex<HashSet<Arc<[u8]>>>);

impl Bodies {
    fn shared(&self, body: &[u8]) -> Arc<[u8]> {
        let mut bodies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = bodies.get(body) {
            return Arc::clone(known);
        }
        let body: Arc<[u8]> = body.into();
        bodies.insert(Arc::clone(&body));
        body
    }
}
