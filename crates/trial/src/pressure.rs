//! Clients that go on asking while something happens to the servers, and what they saw of it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::Failure;
use crate::client::Client;
use crate::nodes::request;
use crate::wire::{Ending, Message};

/// How long an answer may take.
const ANSWER_PATIENCE: Duration = Duration::from_secs(30);

/// Answers whose time is kept; further ones are counted only.
const TIMES_MAX: usize = 4 << 20;

/// Failures that are kept to be shown; further ones are counted only.
const FAILURES_MAX: usize = 20;

/// What the clients do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Whom they ask; each client stays with one.
    pub addresses: Vec<SocketAddr>,
    /// How many there are.
    pub clients: usize,
    /// What they ask for, in turn; each client begins elsewhere.
    pub paths: Vec<String>,
    /// How long from one question of a client to its next.
    pub every: Duration,
}

/// What the clients saw.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// How many whole answers of each status came.
    pub statuses: BTreeMap<u16, usize>,
    /// How many questions had no whole answer.
    pub failed: usize,
    /// What became of the first of those.
    pub failures: Vec<String>,
    times: Vec<Duration>,
}

/// Clients that ask until they are told to end. Dropped, they end as well.
pub struct Pressure {
    clients: JoinSet<()>,
    tally: Arc<Mutex<Tally>>,
}

impl Pressure {
    /// Starts them.
    pub fn start(plan: Plan) -> Self {
        let tally = Arc::new(Mutex::new(Tally::default()));
        let mut clients = JoinSet::new();
        let requests: Vec<String> = plan.paths.iter().map(|it| request("GET", it, &[])).collect();
        let requests: Arc<[String]> = requests.into();
        for (number, address) in plan.addresses.iter().cycle().take(plan.clients).enumerate() {
            let requests = Arc::clone(&requests);
            let tally = Arc::clone(&tally);
            clients.spawn(ask_on(*address, number, requests, plan.every, tally));
        }
        Pressure { clients, tally }
    }

    /// What they have seen since the last time that this was asked: so one pressure can be told
    /// before, while and after something happens.
    pub fn so_far(&self) -> Tally {
        std::mem::take(&mut *self.tally.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Ends them, and tells what they have seen since the last time that was asked.
    pub async fn end(mut self) -> Tally {
        self.clients.shutdown().await;
        self.so_far()
    }
}

impl Tally {
    /// How many questions were answered or failed.
    pub fn asked(&self) -> usize {
        self.statuses.values().sum::<usize>() + self.failed
    }

    /// How many were answered with this status.
    pub fn of(&self, status: u16) -> usize {
        self.statuses.get(&status).copied().unwrap_or(0)
    }

    /// The time that this share of the answers did not exceed: 0.5 for the median, 0.99 …
    pub fn quantile(&self, share: f64) -> Duration {
        let mut times = self.times.clone();
        times.sort_unstable();
        let last = times.len().saturating_sub(1);
        times.get(((last as f64) * share).ceil() as usize).copied().unwrap_or_default()
    }

    fn note(&mut self, answer: Result<Message, Failure>, took: Duration) {
        match answer.and_then(whole) {
            Ok(status) => {
                *self.statuses.entry(status).or_default() += 1;
                if self.times.len() < TIMES_MAX {
                    self.times.push(took);
                }
            }
            Err(why) => {
                self.failed += 1;
                if self.failures.len() < FAILURES_MAX {
                    self.failures.push(why.to_string());
                }
            }
        }
    }
}

fn whole(answer: Message) -> Result<u16, Failure> {
    match answer.ending {
        Ending::Whole => answer.head.status(),
        Ending::Cut => Err(Failure::new(format!("cut: {}", answer.shown()))),
    }
}

async fn ask_on(
    address: SocketAddr,
    number: usize,
    requests: Arc<[String]>,
    every: Duration,
    tally: Arc<Mutex<Tally>>,
) {
    let mut client = None;
    let mut beat = interval(every.max(Duration::from_micros(1)));
    // A late answer delays the next question and does not double it.
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for request in requests.iter().cycle().skip(number % requests.len().max(1)) {
        beat.tick().await;
        let begun = Instant::now();
        let answer = ask(&mut client, address, request).await;
        if answer.is_err() {
            client = None;
        }
        let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
        tally.note(answer, begun.elapsed());
    }
}

/// Asks over the connection that there is, or a new one.
async fn ask(
    client: &mut Option<Client>,
    address: SocketAddr,
    request: &str,
) -> Result<Message, Failure> {
    let connection = match client.take() {
        Some(connection) => connection,
        None => Client::connect(address).await?,
    };
    let answer = client.insert(connection).ask(request, ANSWER_PATIENCE).await?;
    if answer.head.closes() {
        *client = None;
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_a_time_that_was_seen() {
        let times = (1..=100).rev().map(Duration::from_millis).collect();
        let tally = Tally { times, ..Tally::default() };
        assert_eq!(tally.quantile(0.0), Duration::from_millis(1));
        assert_eq!(tally.quantile(0.99), Duration::from_millis(100));
        assert_eq!(tally.quantile(0.5), Duration::from_millis(51));
        assert_eq!(Tally::default().quantile(0.99), Duration::ZERO);
    }
}
