//! Keeps a tracked connection up: connects, switches tracking on, asks for signs of life, gives up
//! what is late, connects anew. In a cluster there is one for each primary, and the slots are asked
//! for again and again.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use ::redis::{PushKind, Value};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};

use super::line::Line;
use super::roster::{Node, Noted, Roster};
use super::slots::{Range, ranges_of};
use super::{Shared, TrackedOptions};
use crate::redis::breaker::Pause;
use crate::redis::dial::{self, Hearing};
use crate::redis::options::{Address, LinkOptions, Server};

/// How often Sentinel is asked for the master, and a cluster for its slots.
const WHEREABOUTS_EVERY: Duration = Duration::from_secs(1);

/// The shortest time between two questions for a cluster's slots.
const SLOTS_PAUSE_MIN: Duration = Duration::from_millis(100);

/// Until it is aborted.
pub(super) async fn keep(shared: Arc<Shared>) {
    match shared.options.link.server.clone() {
        Server::Single(_) | Server::Sentinel { .. } => {
            let nodes = shared.rosters.current().nodes.clone();
            let Some(node) = nodes.into_iter().next() else { return };
            keep_node(shared, node).await;
        }
        Server::Cluster(seeds) => keep_cluster(&shared, &seeds).await,
    }
}

async fn keep_node(shared: Arc<Shared>, node: Arc<Node>) {
    let link = &shared.options.link;
    let mut pause = Pause::new(link.retry_pause_min, link.retry_pause_max);
    loop {
        let number = node.begin();
        if let Some((line, master)) = shared.connect(&node, number).await {
            let began = Instant::now();
            let why = shared.watch(line, master).await;
            // Whoever asks from now on is told that there is nothing, before he is told to ask.
            node.fall(number);
            shared.heard.doubt();
            tracing::warn!(server = ?node.server, why, "lost the tracked connection to redis");
            shared.rosters.note(Some(why));
            // One that does not stay up for long is not better than one that does not come up.
            if began.elapsed() > link.retry_pause_max {
                pause.reset();
            }
        }
        sleep(pause.next()).await;
    }
}

impl Shared {
    async fn connect(
        self: &Arc<Self>,
        node: &Arc<Node>,
        number: u64,
    ) -> Option<(Line, Option<Address>)> {
        let options = of_node(&self.options.link, node.server.clone());
        let opening = async {
            let wire = dial::dial(&options, self.hearing(node, number)).await?;
            let Some(ears) = wire.ears else { return Ok(None) };
            let (line, ends) = Line::open(ears).await?;
            Ok::<_, ::redis::RedisError>(Some((line, ends, wire.master)))
        };
        let failure = match timeout(options.connect_timeout, opening).await {
            Ok(Ok(Some((line, ends, master)))) => {
                node.come_up(line.clone(), ends);
                self.counts.connects.fetch_add(1, Ordering::Relaxed);
                self.rosters.note(None);
                // What was read before is not tracked on this one.
                self.heard.doubt();
                tracing::info!(server = ?node.server, "hear of changes from redis");
                return Some((line, master));
            }
            Ok(Ok(None)) => "a cluster in place of one server".to_owned(),
            Ok(Err(failure)) => failure.to_string(),
            Err(_) => "not connected in time".to_owned(),
        };
        self.counts.connects_failed.fetch_add(1, Ordering::Relaxed);
        if self.rosters.note(Some(failure.clone())) == Noted::New {
            tracing::warn!(server = ?node.server, %failure, "cannot hear of changes from redis");
        }
        None
    }

    // The task of the connection holds this: it must not hold what ends the connection.
    fn hearing(self: &Arc<Self>, node: &Arc<Node>, number: u64) -> Hearing {
        let (heard, node) = (Arc::clone(&self.heard), Arc::downgrade(node));
        Arc::new(move |push| {
            if push.kind != PushKind::Disconnection {
                heard.hear(push);
            } else if let Some(node) = node.upgrade() {
                node.fall(number);
            }
        })
    }

    /// Until the line is of no use any more; gives the reason.
    async fn watch(&self, line: Line, master: Option<Address>) -> String {
        let mut ends = line.clone();
        tokio::select! {
            () = ends.ended() => "the server closed the connection".to_owned(),
            why = self.feel(line) => why,
            why = another_master(&self.options.link, master) => why,
        }
    }

    async fn feel(&self, mut line: Line) -> String {
        loop {
            sleep(self.options.ping_interval).await;
            let why = match timeout(self.options.ping_timeout, sign(&self.options, &mut line)).await
            {
                Ok(Ok(())) => continue,
                Ok(Err(why)) => why,
                Err(_) => "no sign of life in time".to_owned(),
            };
            self.counts.late_pings.fetch_add(1, Ordering::Relaxed);
            return why;
        }
    }
}

// Behind Sentinel a server must say that it is master, each time: one that was made a replica
// goes on answering.
async fn sign(options: &TrackedOptions, line: &mut Line) -> Result<(), String> {
    if !matches!(options.link.server, Server::Sentinel { .. }) {
        return line.ping().await.map_err(|failure| failure.to_string());
    }
    match line.role().await.map_err(|failure| failure.to_string())? {
        Value::Array(role) if role.first() == Some(&Value::BulkString(b"master".to_vec())) => {
            Ok(())
        }
        _ => Err("the server is no master any more".to_owned()),
    }
}

// A master that was cut off from the others does not know that there is another.
async fn another_master(options: &LinkOptions, master: Option<Address>) -> String {
    let Some(master) = master else { return std::future::pending().await };
    loop {
        sleep(WHEREABOUTS_EVERY).await;
        let named = timeout(options.connect_timeout, dial::master(options)).await;
        if let Ok(Ok(named)) = named
            && named != master
        {
            return "another server is master now".to_owned();
        }
    }
}

fn of_node(options: &LinkOptions, server: Server) -> LinkOptions {
    LinkOptions { server, ..options.clone() }
}

/// The tasks of a cluster's primaries. Dropped, they end.
#[derive(Default)]
struct Keepers {
    tasks: JoinSet<()>,
    kept: Vec<(Arc<Node>, AbortHandle)>,
}

async fn keep_cluster(shared: &Arc<Shared>, seeds: &[Address]) {
    let mut keepers = Keepers::default();
    let mut known = Vec::new();
    loop {
        match slots(shared, seeds).await {
            Ok(ranges) if ranges != known => {
                let before = shared.rosters.current();
                let roster = Arc::new(Roster::of(&ranges, &before));
                shared.rosters.replace(Arc::clone(&roster));
                keepers.follow(shared, &roster);
                // A slot that went elsewhere is not tracked there.
                shared.heard.doubt();
                known = ranges;
            }
            Ok(_) => {}
            Err(failure) => {
                if shared.rosters.note(Some(failure.clone())) == Noted::New {
                    let server = &shared.options.link.server;
                    tracing::warn!(?server, %failure, "cannot ask a cluster for its slots");
                }
            }
        }
        sleep(SLOTS_PAUSE_MIN).await;
        let _ = timeout(WHEREABOUTS_EVERY, shared.moved.notified()).await;
    }
}

impl Keepers {
    // Ends what is no primary any more, and begins what is new.
    fn follow(&mut self, shared: &Arc<Shared>, roster: &Roster) {
        self.kept.retain(|(node, task)| {
            let stays = roster.nodes.iter().any(|it| Arc::ptr_eq(it, node));
            if !stays {
                task.abort();
            }
            stays
        });
        while self.tasks.try_join_next().is_some() {}
        for node in &roster.nodes {
            if !self.kept.iter().any(|(kept, _)| Arc::ptr_eq(kept, node)) {
                let task = self.tasks.spawn(keep_node(Arc::clone(shared), Arc::clone(node)));
                self.kept.push((Arc::clone(node), task));
            }
        }
    }
}

// Asks those that are connected, else the seeds in turn: the first that answers is believed. It
// begins with one by chance, so that one that was cut off from the others is not believed for ever.
async fn slots(shared: &Shared, seeds: &[Address]) -> Result<Vec<Range>, String> {
    let limit = shared.options.ping_timeout;
    let nodes = shared.rosters.current().nodes.clone();
    let first = rand::random_range(0..nodes.len().max(1));
    for node in nodes.iter().cycle().skip(first).take(nodes.len()) {
        let (Some(mut line), Server::Single(address)) = (node.line(), &node.server) else {
            continue;
        };
        if let Ok(Ok(answer)) = timeout(limit, line.slots()).await {
            return whole(ranges_of(answer, address));
        }
    }
    let mut last = "no node of a cluster is named".to_owned();
    for seed in seeds {
        let options = of_node(&shared.options.link, Server::Single(seed.clone()));
        let asking = async {
            let wire = dial::dial(&options, Arc::new(|_| {})).await?;
            wire.calls.one(::redis::cmd("CLUSTER").arg("SLOTS")).await
        };
        match timeout(options.connect_timeout, asking).await {
            Ok(Ok(answer)) => return whole(ranges_of(answer, seed)),
            Ok(Err(failure)) => last = failure.to_string(),
            Err(_) => last = "no answer in time".to_owned(),
        }
    }
    Err(last)
}

fn whole(ranges: Vec<Range>) -> Result<Vec<Range>, String> {
    if ranges.is_empty() { Err("a cluster without slots".to_owned()) } else { Ok(ranges) }
}
