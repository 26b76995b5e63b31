//! Waits for the other nodes: who is on the roll, how far each is, and who is in doubt by now.
//!
//! The roll is read by one task for all who wait: when they begin, when a node has moved (it tells,
//! while somebody wants to hear it), and at a slow pace beside.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout_at};

use super::Core;
use super::append::{is_later_log, reaches};
use crate::log::{NodeStanding, Standing};
use crate::purge::Position;
use crate::redis::ears::{Push, Subscription};
use crate::redis::roll::{Listed, NodeLine};

/// How often the roll is read for those who wait, if nothing is told.
const READ_EVERY: Duration = Duration::from_millis(100);

/// The shortest pause between two readings of the roll.
const READ_PAUSE: Duration = Duration::from_millis(1);

/// How much longer than its bound a node is not heard before it is taken for one in doubt: its clock
/// may go slower, and the moments are cut to milliseconds.
const BOUND_MARGIN: Duration = Duration::from_millis(20);

/// The roll, as it was read last, and who waits for it.
pub(super) struct Watched {
    /// The channel on which nodes tell that they have moved.
    channel: Vec<u8>,
    waiting: AtomicUsize,
    wanted: Notify,
    read: watch::Sender<Reading>,
}

/// The roll, and when it was asked for.
#[derive(Clone, Default)]
struct Reading(Option<(Instant, Arc<Listed>)>);

impl Watched {
    pub(super) fn new(channel: Vec<u8>) -> Self {
        let (waiting, wanted) = (AtomicUsize::new(0), Notify::new());
        Self { channel, waiting, wanted, read: watch::Sender::default() }
    }
}

/// One who waits. Dropped, it does not any more.
struct Waiting<'a>(&'a Watched);

impl<'a> Waiting<'a> {
    fn new(watched: &'a Watched) -> Self {
        watched.waiting.fetch_add(1, Ordering::AcqRel);
        watched.wanted.notify_one();
        Self(watched)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Reads the roll while somebody waits, until `stopped`.
pub(super) async fn watch(core: Arc<Core>, mut stopped: watch::Receiver<()>) {
    let told = core.store.link.subscribe(&core.watched.channel);
    let told = told.inspect_err(|why| tracing::warn!("cannot listen for nodes: {why}")).ok();
    tokio::select! {
        _ = stopped.changed() => {}
        () = read_while_wanted(&core, told) => {}
    }
}

async fn read_while_wanted(core: &Core, mut told: Option<Subscription>) {
    let watched = &core.watched;
    loop {
        if watched.waiting.load(Ordering::Acquire) == 0 {
            watched.wanted.notified().await;
            continue;
        }
        let asked_at = Instant::now();
        match core.store.listed(&watched.channel).await {
            Ok((listed, millis)) => {
                core.note_told(millis, asked_at);
                watched.read.send_replace(Reading(Some((asked_at, Arc::new(listed)))));
            }
            Err(why) => core.note_failure(why.to_string()),
        }
        sleep(READ_PAUSE).await;
        tokio::select! {
            () = sleep(READ_EVERY) => {}
            () = watched.wanted.notified() => {}
            () = moved(&mut told) => {}
        }
    }
}

// What waits is heard with the next reading.
async fn moved(told: &mut Option<Subscription>) {
    let Some(told) = told else { return std::future::pending().await };
    while told.next().await == Push::Lost {}
}

/// Waits until every live node is there, for so long at most; then says of each how far it is. Where
/// it cannot be known who the nodes are, this one is not said to be there.
pub(super) async fn applied(core: &Core, up_to: Position, wait: Duration) -> Vec<NodeStanding> {
    let (asked_at, until) = (Instant::now(), Instant::now() + wait);
    let mut read = core.watched.read.subscribe();
    let _waiting = Waiting::new(&core.watched);
    let mut last = None;
    let all_there = async {
        loop {
            let listed = reading_since(&mut read, asked_at).await;
            let judged = core.judge(&listed, up_to);
            let has_ended = judged.has_ended;
            last = Some(judged);
            if has_ended {
                return;
            }
        }
    };
    // What was read last tells how it ended.
    let _ = timeout_at(until, all_there).await;
    match last {
        Some(judged) if judged.has_ended || judged.someone_is_behind() => judged.named(),
        Some(judged) => core.not_known(judged.named()),
        None => core.not_known(Vec::new()),
    }
}

// The next that was not taken yet, and was asked for since then.
async fn reading_since(read: &mut watch::Receiver<Reading>, since: Instant) -> Arc<Listed> {
    loop {
        if read.changed().await.is_err() {
            // The sender lives as long as `core`.
            std::future::pending::<()>().await;
        }
        if let Some((at, listed)) = &read.borrow_and_update().0
            && *at >= since
        {
            return Arc::clone(listed);
        }
    }
}

/// Whether it can be told how long ago something was written to the roll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ages {
    Known,
    /// The server's clock has gone ahead, or it may be one that does not know the newest: nodes may
    /// have been heard later than it says.
    Unsure,
}

/// Whether the log has what a node has followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum History {
    Known,
    /// A failover has lost it, and the node does not know it yet.
    Lost,
}

impl History {
    fn of(node: &NodeLine, listed: &Listed) -> Self {
        if listed.astray.contains(&node.id) { Self::Lost } else { Self::Known }
    }
}

/// What a reading of the roll says.
struct Judged {
    standings: Vec<(NodeStanding, u64)>,
    has_ended: bool,
}

impl Judged {
    fn someone_is_behind(&self) -> bool {
        self.standings.iter().any(|(it, _)| matches!(it.standing, Standing::Behind { .. }))
    }

    fn named(self) -> Vec<NodeStanding> {
        self.standings.into_iter().map(|(standing, _)| standing).collect()
    }
}

impl Core {
    fn judge(&self, listed: &Listed, up_to: Position) -> Judged {
        let ages = self.ages();
        let standing = |node: &NodeLine| {
            let history = History::of(node, listed);
            let standing = self.standing(node, history, up_to, ages);
            (NodeStanding { node: node.name.clone(), standing }, node.id)
        };
        let standings = listed.nodes.iter().map(standing).collect();
        let mut judged = Judged { standings, has_ended: false };
        let is_old_enough = listed.age > self.options.bound + BOUND_MARGIN && ages == Ages::Known;
        let is_listed = judged.standings.iter().any(|(_, id)| *id == self.myself.id);
        let knows_all = is_old_enough && is_listed && !judged.someone_is_behind();
        let is_lost = listed.lineage.is_some_and(|now| is_later_log(now, up_to.lineage));
        judged.has_ended = knows_all || is_lost;
        judged
    }

    fn standing(&self, node: &NodeLine, history: History, up_to: Position, ages: Ages) -> Standing {
        let bound = node.bound.unwrap_or(self.options.bound);
        let at = node.position.number;
        if history == History::Known && reaches(node.position, up_to) {
            return Standing::Applied;
        }
        if node.heard_ago > bound + BOUND_MARGIN && ages == Ages::Known {
            return Standing::Unheard { since: node.heard_ago };
        }
        match history {
            History::Known => Standing::Behind { at },
            // Its number may be higher than what was asked for.
            History::Lost => Standing::Behind { at: at.min(up_to.number.saturating_sub(1)) },
        }
    }

    fn ages(&self) -> Ages {
        let shaken = self.server.lock().shaken;
        let is_over = shaken.elapsed() > self.options.bound + BOUND_MARGIN;
        if is_over { Ages::Known } else { Ages::Unsure }
    }

    fn not_known(&self, mut standings: Vec<NodeStanding>) -> Vec<NodeStanding> {
        let standing = Standing::Behind { at: self.purges.position().number };
        let node = self.myself.name.name.clone();
        standings.retain(|it| it.node != node);
        standings.push(NodeStanding { node, standing });
        standings
    }
}
