//! The link to Redis: one multiplexed connection that is kept up behind, and calls through it that
//! never wait for it to come up.
//!
//! While there is no connection a call fails at once. Every call has a time limit around all of it.
//! Too many calls without an answer, in a row or of all, open the breaker: the connection is
//! dropped, and one try after the other connects anew and asks for a sign of life; the first that
//! gets one closes the breaker. So a server that accepts and never answers is left alone, and a
//! dead socket does not stay.

mod keeper;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ::redis::{Cmd, ErrorKind, Pipeline, RedisError, RedisResult, ServerErrorKind, Value};
use parking_lot::Mutex;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::AbortHandle;

use super::breaker::{Breaker, Verdict};
use super::dial::Calls;
use super::ears::{Ears, Subscription};
use super::failure::LinkFailure;
use super::options::{LinkOptions, Server};
use super::script::Script;

/// Whether calls go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// Not connected yet, or no more; it is being tried.
    Connecting,
    /// Calls go through.
    Up,
    /// The server did not answer; for a while it is left alone.
    Open,
    /// The server did not answer; one question to it is under way.
    Probing,
}

/// All counts of a link at one moment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LinkSnapshot {
    /// Whether calls go through now.
    pub state: LinkState,
    /// Calls that were sent; a pipeline is one.
    pub calls: u64,
    /// Calls that failed, whatever the reason but time.
    pub failed: u64,
    /// Calls whose time was over.
    pub late: u64,
    /// Calls that were not sent, for want of a connection or because too many were under way.
    pub unsent: u64,
    /// How often the breaker opened.
    pub openings: u64,
    /// Connections made.
    pub connects: u64,
    /// Tries to connect that failed.
    pub connects_failed: u64,
    /// Why there was no connection when it was last tried.
    pub last_failure: Option<String>,
}

/// The link. It is kept up by a task of its own until it is dropped.
pub struct Link {
    shared: Arc<Shared>,
    keeper: AbortHandle,
}

struct Shared {
    options: LinkOptions,
    line: Mutex<Line>,
    ears: Arc<Ears>,
    permits: Semaphore,
    /// The connection was given up; the keeper is to make another.
    fallen: Notify,
    /// The connection on which a cluster is listened to was lost.
    ears_fallen: Notify,
    /// Tells those connections apart.
    ears_number: AtomicU64,
    is_up: watch::Sender<bool>,
    counts: Counts,
}

struct Line {
    state: LinkState,
    /// Tells connections apart: what is heard of an older one says nothing of this.
    number: u64,
    calls: Option<Calls>,
    breaker: Breaker,
    last_failure: Option<String>,
}

#[derive(Default)]
struct Counts {
    calls: AtomicU64,
    failed: AtomicU64,
    late: AtomicU64,
    unsent: AtomicU64,
    openings: AtomicU64,
    connects: AtomicU64,
    connects_failed: AtomicU64,
}

impl Link {
    /// A link that is being connected, behind. To be called within a tokio runtime.
    pub fn open(options: LinkOptions) -> Arc<Self> {
        let breaker = breaker_for(&options);
        let line = Line {
            state: LinkState::Connecting,
            number: 0,
            calls: None,
            breaker,
            last_failure: None,
        };
        let shared = Arc::new(Shared {
            permits: Semaphore::new(options.calls_max.min(Semaphore::MAX_PERMITS)),
            options,
            line: Mutex::new(line),
            ears: Arc::default(),
            fallen: Notify::new(),
            ears_fallen: Notify::new(),
            ears_number: AtomicU64::new(0),
            is_up: watch::Sender::new(false),
            counts: Counts::default(),
        });
        let keeper = tokio::spawn(keeper::keep(Arc::clone(&shared))).abort_handle();
        Arc::new(Self { shared, keeper })
    }

    /// Runs one command, within the link's time limit.
    pub async fn call(&self, command: &Cmd) -> Result<Value, LinkFailure> {
        let limit = self.shared.options.call_timeout;
        self.call_within(command, limit).await
    }

    /// Runs one command, within a time limit.
    pub async fn call_within(&self, command: &Cmd, limit: Duration) -> Result<Value, LinkFailure> {
        self.shared.ask(limit, async |calls: Calls| calls.one(command).await).await
    }

    /// Sends commands together, within the link's time limit; one that is refused fails all. In a
    /// cluster their keys share a hash tag.
    pub async fn pipeline(&self, commands: &Pipeline) -> Result<Vec<Value>, LinkFailure> {
        let limit = self.shared.options.call_timeout;
        self.pipeline_within(commands, limit).await
    }

    /// Sends commands together, within a time limit.
    pub async fn pipeline_within(
        &self,
        commands: &Pipeline,
        limit: Duration,
    ) -> Result<Vec<Value>, LinkFailure> {
        self.shared.ask(limit, async |calls: Calls| calls.many(commands).await).await
    }

    /// Runs a script as one step, within the link's time limit. All keys share a hash tag.
    pub async fn run(
        &self,
        script: &Script,
        keys: &[&[u8]],
        arguments: &[&[u8]],
    ) -> Result<Value, LinkFailure> {
        let limit = self.shared.options.call_timeout;
        self.run_within(script, keys, arguments, limit).await
    }

    /// Runs a script as one step, within a time limit.
    pub async fn run_within(
        &self,
        script: &Script,
        keys: &[&[u8]],
        arguments: &[&[u8]],
        limit: Duration,
    ) -> Result<Value, LinkFailure> {
        let run = async |calls: Calls| {
            let known = script.by_digest(keys, arguments);
            match calls.clone().one(&known).await {
                Err(failure) if failure.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                    calls.one(&script.in_full(keys, arguments)).await
                }
                answered => answered,
            }
        };
        self.shared.ask(limit, run).await
    }

    /// Listens to a channel; `Err` if too many are listened to. The first that is told is
    /// [`super::Push::Lost`], then [`super::Push::Anew`] when it is heard.
    pub fn subscribe(&self, channel: &[u8]) -> Result<Subscription, LinkFailure> {
        self.shared.ears.sit(channel).ok_or(LinkFailure::Busy)
    }

    /// Waits until calls go through. The caller sets a limit.
    pub async fn connected(&self) {
        // The sender lives as long as `self`.
        let _ = self.shared.is_up.subscribe().wait_for(|up| *up).await;
    }

    /// Whether calls go through now.
    pub fn is_up(&self) -> bool {
        self.shared.line.lock().state == LinkState::Up
    }

    /// What the link was told to keep to.
    pub fn options(&self) -> &LinkOptions {
        &self.shared.options
    }

    /// All counts now.
    pub fn snapshot(&self) -> LinkSnapshot {
        let (state, last_failure) = {
            let line = self.shared.line.lock();
            (line.state, line.last_failure.clone())
        };
        let counts = &self.shared.counts;
        LinkSnapshot {
            state,
            calls: counts.calls.load(Ordering::Relaxed),
            failed: counts.failed.load(Ordering::Relaxed),
            late: counts.late.load(Ordering::Relaxed),
            unsent: counts.unsent.load(Ordering::Relaxed),
            openings: counts.openings.load(Ordering::Relaxed),
            connects: counts.connects.load(Ordering::Relaxed),
            connects_failed: counts.connects_failed.load(Ordering::Relaxed),
            last_failure,
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("server", &self.shared.options.server).finish_non_exhaustive()
    }
}

/// What an answer says about the connection.
enum Meaning {
    /// It is well.
    Well,
    /// It did not answer as it should; a few more of these, and it is given up.
    Missed,
    /// It is of no use any more.
    Useless,
}

impl Shared {
    async fn ask<T>(
        &self,
        limit: Duration,
        act: impl AsyncFnOnce(Calls) -> RedisResult<T>,
    ) -> Result<T, LinkFailure> {
        let sent = self.permits.try_acquire().map_err(|_| LinkFailure::Busy);
        let line = sent.and_then(|permit| Ok((permit, self.line().ok_or(LinkFailure::Away)?)));
        let (_permit, (number, calls)) = line.inspect_err(|_| one_more(&self.counts.unsent))?;
        one_more(&self.counts.calls);
        let mut wait = Wait { shared: self, number, began: Instant::now(), limit, ended: false };
        let answer = tokio::time::timeout(limit, act(calls)).await;
        wait.ended = true;
        match answer {
            Ok(Ok(value)) => {
                self.note(number, &Meaning::Well, "");
                Ok(value)
            }
            Ok(Err(failure)) => {
                one_more(&self.counts.failed);
                let (meaning, failure) = self.judge(&failure);
                self.note(number, &meaning, &failure.to_string());
                Err(failure)
            }
            Err(_) => {
                one_more(&self.counts.late);
                self.note(number, &Meaning::Missed, "no answer in time");
                Err(LinkFailure::Late)
            }
        }
    }

    fn is_cluster(&self) -> bool {
        matches!(self.options.server, Server::Cluster(_))
    }

    fn line(&self) -> Option<(u64, Calls)> {
        let line = self.line.lock();
        Some((line.number, line.calls.clone()?))
    }

    // In a cluster one node's failure is not the connection's: it mends itself.
    fn judge(&self, failure: &RedisError) -> (Meaning, LinkFailure) {
        let words = failure.to_string();
        let is_sentinel = matches!(self.options.server, Server::Sentinel { .. });
        let broken = if self.is_cluster() { Meaning::Missed } else { Meaning::Useless };
        match failure.kind() {
            ErrorKind::Server(kind) => match kind {
                ServerErrorKind::ReadOnly if is_sentinel => {
                    (Meaning::Useless, LinkFailure::Refused(words))
                }
                ServerErrorKind::BusyLoading
                | ServerErrorKind::MasterDown
                | ServerErrorKind::ClusterDown => (Meaning::Missed, LinkFailure::Refused(words)),
                _ => (Meaning::Well, LinkFailure::Refused(words)),
            },
            ErrorKind::Extension | ErrorKind::UnexpectedReturnType => {
                (Meaning::Well, LinkFailure::Refused(words))
            }
            _ if failure.is_timeout() => (Meaning::Missed, LinkFailure::Late),
            _ => (broken, LinkFailure::Cut(words)),
        }
    }

    fn note(&self, number: u64, meaning: &Meaning, why: &str) {
        let mut line = self.line.lock();
        if line.number != number || line.calls.is_none() {
            return;
        }
        let now = Instant::now();
        match meaning {
            Meaning::Well => line.breaker.heard(now),
            Meaning::Missed => {
                if line.breaker.missed(now) == Verdict::Open {
                    one_more(&self.counts.openings);
                    self.fall(&mut line, LinkState::Open, why);
                }
            }
            Meaning::Useless => self.fall(&mut line, LinkState::Connecting, why),
        }
    }

    fn fall(&self, line: &mut Line, state: LinkState, why: &str) {
        (line.state, line.calls, line.last_failure) = (state, None, Some(why.to_owned()));
        self.is_up.send_replace(false);
        self.ears.lost();
        self.fallen.notify_one();
    }
}

// The calls to one node of a cluster fail together, in a row, while the others answer: there only
// their share counts.
fn breaker_for(options: &LinkOptions) -> Breaker {
    let in_a_row_max = match options.server {
        Server::Single(_) | Server::Sentinel { .. } => options.failures_max,
        Server::Cluster(_) => u32::MAX,
    };
    Breaker::new(in_a_row_max, Instant::now())
}

/// A call under way. Who leaves one that has gone on for long tells as much as a time limit would.
struct Wait<'a> {
    shared: &'a Shared,
    number: u64,
    began: Instant,
    limit: Duration,
    ended: bool,
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        if !self.ended && self.began.elapsed() >= self.limit / 2 {
            one_more(&self.shared.counts.late);
            self.shared.note(self.number, &Meaning::Missed, "no answer in time");
        }
    }
}

fn one_more(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}
