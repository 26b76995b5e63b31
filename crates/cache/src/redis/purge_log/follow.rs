//! Follows the log: tells where this node is, reads on, and notices when the log's history changed.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::Core;
use super::answers::Found;
use super::store::{ERA_MAX, News, Page, StoreFailure, era_of};
use crate::log::{Raise, Taken, suspended};
use crate::purge::Position;
use crate::redis::ears::{Push, Subscription};

/// Beats in a row, however much there is to read; then it is time to hear of other things.
const BEATS_IN_A_ROW_MAX: u32 = 1_000;

/// What is taken for a suspended machine, and not for a thread that had to wait between two clocks.
const SUSPENDED_MIN: Duration = Duration::from_millis(10);

/// What part of the bound the disk may take.
const JOURNAL_SHARE: u32 = 4;

/// Follows until `stopped`; then the node is in doubt, and says goodbye. Whoever waits is told each
/// position.
pub(super) async fn follow(
    core: Arc<Core>,
    moved: watch::Sender<Position>,
    mut stopped: watch::Receiver<()>,
) {
    let news = core.store.link.subscribe(&core.store.keys.news);
    let news = news.inspect_err(|why| tracing::warn!("cannot listen for purges: {why}")).ok();
    tokio::select! {
        // It ends with an error: the sender is dropped.
        _ = stopped.changed() => {}
        () = Following { core: &core, moved: &moved, told: Position::default(), journaled: 0 }.run(news) => {}
    }
    // Not before nothing more is taken can the node be taken off the roll.
    core.purges.fall_in_doubt();
    let goodbye = core.store.goodbye(core.myself.id);
    if let Ok(Err(why)) = timeout(core.options.call_timeout, goodbye).await {
        tracing::debug!("cannot say goodbye to the other nodes: {why}");
    }
}

struct Following<'a> {
    core: &'a Core,
    moved: &'a watch::Sender<Position>,
    /// What the roll was told.
    told: Position,
    /// The lineage of what the journal was last told.
    journaled: u64,
}

impl Following<'_> {
    async fn run(mut self, mut news: Option<Subscription>) {
        let mut beat = interval(self.core.options.beat_every);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = beat.tick() => {}
                () = self.core.stir.notified() => {}
                push = next(&mut news) => match push {
                    Push::Message(_) | Push::Anew => {}
                    Push::Lost => continue,
                },
            }
            if let Err(why) = self.catch_up().await {
                self.core.counts.beats_failed.one_more();
                self.core.note_failure(why.to_string());
            }
        }
    }

    /// Reads until there is nothing new, and the roll knows.
    async fn catch_up(&mut self) -> Result<(), StoreFailure> {
        for _ in 0..BEATS_IN_A_ROW_MAX {
            let at = self.core.purges.position();
            let news = if at == self.told { News::None } else { News::Moved };
            let (asked_at, suspended) = (Instant::now(), suspended::at_least());
            let page = self.core.store.beat(&self.core.myself, at, news).await?;
            self.told = at;
            self.core.counts.beats.one_more();
            // When the machine was suspended meanwhile, nobody knows when this was true.
            if suspended::at_most() > suspended + SUSPENDED_MIN {
                continue;
            }
            self.core.note_beat(page.before, page.teller, asked_at);
            if self.is_of_the_past(page.newest.lineage) {
                self.renew(page.newest.lineage, "an older log came back").await?;
                continue;
            }
            self.take(page, asked_at).await?;
            if self.core.purges.position() == self.told {
                break;
            }
        }
        Ok(())
    }

    // A log of a lower era than one that was heard of has come back from a copy, with entries lost
    // that nodes have applied. So has another of the same era, unless there are no more eras.
    fn is_of_the_past(&self, lineage: u64) -> bool {
        let (era, known) = (era_of(lineage), self.core.store.era.load(Ordering::Relaxed));
        let last = self.core.newest.lock().lineage;
        let is_another = last != lineage && era_of(last) == era && era < ERA_MAX;
        era < known || is_another
    }

    async fn take(&mut self, page: Page, asked_at: Instant) -> Result<(), StoreFailure> {
        let core = self.core;
        core.note_era(page.newest.lineage);
        *core.newest.lock() = page.newest;
        match page.found {
            Found::Whole | Found::Missing => {}
            Found::Broken => {
                core.counts.broken.one_more();
                tracing::warn!("the log of purges in redis was damaged, and begins anew");
            }
        }
        if let (Some(damage), []) = (page.damage, &page.entries[..]) {
            core.counts.damaged.one_more();
            tracing::warn!("cannot read a purge in redis: {damage}");
        }
        let taken = core.purges.take(&page.entries, page.newest, asked_at);
        if core.purges.refused().is_none() {
            self.write_down(page).await;
        }
        self.moved.send_if_modified(|last| {
            let position = core.purges.position();
            std::mem::replace(last, position) != position
        });
        match taken {
            Taken::Applied | Taken::Gap => Ok(()),
            Taken::Raised(raise) => self.note_raise(raise).await,
        }
    }

    // Before the others are told: should Redis then lose it while this node restarts, it is known
    // all the same. A disk that fails must keep nobody from hearing the log.
    async fn write_down(&mut self, page: Page) {
        let Some(journal) = &self.core.options.journal else { return };
        let lineage = page.newest.lineage;
        if page.entries.is_empty() && lineage == self.journaled {
            return;
        }
        self.journaled = lineage;
        let written = journal.write(lineage, page.entries);
        let limit = self.core.options.bound / JOURNAL_SHARE;
        let failure = match timeout(limit, written).await {
            Ok(Ok(())) => return,
            Ok(Err(why)) => why.to_string(),
            Err(_) => "cannot write down purges: the disk did not answer in time".to_owned(),
        };
        tracing::warn!("{failure}");
        self.core.counts.journal_failed.one_more();
        self.core.note_failure(failure);
    }

    async fn note_raise(&mut self, raise: Raise) -> Result<(), StoreFailure> {
        let why = raise.word();
        tracing::info!(why, "older responses are validated before they are used again");
        match self.core.purges.refused() {
            Some(lineage) => self.renew(lineage, why).await,
            None => Ok(()),
        }
    }

    async fn renew(&mut self, lineage: u64, why: &str) -> Result<(), StoreFailure> {
        self.core.store.renew(lineage).await?;
        self.core.counts.renewed.one_more();
        tracing::warn!(why, "the log of purges in redis has lost some, and begins anew");
        Ok(())
    }
}

async fn next(news: &mut Option<Subscription>) -> Push {
    match news {
        Some(news) => news.next().await,
        None => std::future::pending().await,
    }
}
