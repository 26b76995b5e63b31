//! A load: the loader runs in a task of its own, which no caller can end by leaving, and ends the
//! flight for all who wait.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::timeout;
use tracing::Instrument;

use super::error::{Error, LoadError};
use super::events::Event;
use super::found::Level;
use super::kept::Kept;
use super::loaded::Loaded;
use super::settings::Call;
use super::shared::{Held, Shared};
use crate::entry::Key;
use crate::flight::Flight;
use crate::lease::{Purpose, Word};
use crate::tiers::Cleared;

/// A loader's work, begun but not yet waited for.
pub(crate) type Loading<V> = Pin<Box<dyn Future<Output = Result<Loaded<V>, Error>> + Send>>;

/// What a load ended with, for the one who began it.
pub(crate) type Outcome<V> = Result<(Held<V>, Level), Error>;

/// The flight of a load, and what the one who leads it had seen.
pub(crate) struct Lead<V: Send + Sync + 'static> {
    pub(crate) flight: Flight<Kept<V>, Error>,
    /// The entry that was seen, if there was one.
    pub(crate) seen: Option<Held<V>>,
    /// Whether that may be given if the load fails.
    pub(crate) purpose: Purpose,
}

/// Words by which a failure is told to other processes.
const FAILED: u16 = 1;
const PANICKED: u16 = 2;

/// Calls a loader. It may panic before it gives a future.
pub(crate) fn begin<V, L, T, E, W>(load: L) -> Result<Loading<V>, Error>
where
    L: FnOnce() -> W,
    W: Future<Output = Result<T, E>> + Send + 'static,
    T: Into<Loaded<V>>,
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let work = std::panic::catch_unwind(AssertUnwindSafe(load)).map_err(panicked)?;
    Ok(Box::pin(async move {
        match work.await {
            Ok(loaded) => Ok(loaded.into()),
            Err(cause) => Err(Error::Load(LoadError::new(cause.into()))),
        }
    }))
}

impl<V: Send + Sync + 'static> Shared<V> {
    /// Loads for all who wait, here and in the cluster, in a task of its own.
    pub(crate) async fn lead(
        self: Arc<Self>,
        lead: Lead<V>,
        call: Call,
        work: Loading<V>,
    ) -> Outcome<V> {
        let Lead { flight, seen, purpose } = lead;
        let (key, seen) = (flight.key().clone(), seen.as_ref().map(|entry| entry.stamp()));
        let wait = call.wait_limit.unwrap_or(self.settings.wait_limit);
        let flight = match self.tiers.clear_within(flight, &key, seen, purpose, wait).await {
            Cleared::Go(flight) | Cleared::Unshared(flight, _) => flight,
            Cleared::Elsewhere(entry) => return Ok((entry, Level::Redis)),
            Cleared::Failed(flight, code, pause) => {
                let error = of_code(code);
                self.rest(flight, &error, pause);
                return Err(error);
            }
            Cleared::Late(flight) => match purpose {
                Purpose::Need => flight,
                Purpose::Refresh => {
                    let error = Error::WaitedTooLong(wait);
                    flight.abandon(error.clone());
                    return Err(error);
                }
            },
        };
        match self.run(&key, &call, work).await {
            Ok((loaded, took)) => {
                let kept = self.keep(loaded, &call, took);
                let keep_until = kept.keep_until();
                let entry = self.tiers.fill(flight, kept, self.no_body.clone(), keep_until);
                self.teller.tell(|| Event::Loaded { key, took });
                Ok((entry, Level::Loader))
            }
            Err(error) => {
                self.fail(flight, &error, purpose);
                Err(error)
            }
        }
    }

    /// Loads for one caller alone, where no flight is to be had.
    pub(crate) async fn alone(
        self: Arc<Self>,
        key: Key,
        call: Call,
        work: Loading<V>,
    ) -> Outcome<V> {
        let mark = self.tiers.mark(key.as_bytes());
        let (loaded, took) = self
            .run(&key, &call, work)
            .await
            .inspect_err(|error| self.note_failure(&key, error))?;
        let entry = Arc::new(self.entry(self.keep(loaded, &call, took)).since(mark.epoch()));
        let place = key.clone().into();
        self.tiers.insert_unless_removed(place, &entry, key.as_bytes(), mark, None);
        self.teller.tell(|| Event::Loaded { key, took });
        Ok((entry, Level::Loader))
    }

    /// The loader's work within its limit; a panic is an error.
    async fn run(
        &self,
        key: &Key,
        call: &Call,
        work: Loading<V>,
    ) -> Result<(Loaded<V>, Duration), Error> {
        let (limit, begun) =
            (call.hard_limit.unwrap_or(self.settings.hard_limit), self.clock.now());
        let span = tracing::debug_span!("load", cache = %self.name, ?key);
        let work = timeout(limit, AssertUnwindSafe(work).catch_unwind()).instrument(span);
        let loaded = match work.await {
            Ok(Ok(loaded)) => loaded?,
            Ok(Err(words)) => return Err(panicked(words)),
            Err(_) => return Err(Error::TooSlow(limit)),
        };
        self.counts.loaded.one_more();
        Ok((loaded, self.clock.now().since(begun)))
    }

    // A refresh that failed leaves a pause, here and in the cluster; what nobody can be given instead
    // is tried again by who asks next. A panic revives nothing.
    fn fail(&self, flight: Flight<Kept<V>, Error>, error: &Error, purpose: Purpose) {
        let key = flight.key().clone();
        self.note_failure(&key, error);
        tracing::warn!(cache = %self.name, ?key, error = %Chain(error), "load failed");
        let is_revived = purpose == Purpose::Refresh && error.is_soft();
        let pause = if is_revived { self.settings.retry_pause } else { Duration::ZERO };
        let code = if matches!(error, Error::Panicked(_)) { PANICKED } else { FAILED };
        flight.tell_cluster(Word::Failed(code, pause));
        match is_revived {
            true => self.rest(flight, error, pause),
            false => flight.abandon(error.clone()),
        }
    }

    fn rest(&self, flight: Flight<Kept<V>, Error>, error: &Error, pause: Duration) {
        let key = flight.key().clone();
        self.counts.revived.one_more();
        self.teller.tell(|| Event::Revived { key, error: error.clone() });
        flight.rest(error.clone(), pause);
    }
}

fn panicked(words: Box<dyn std::any::Any + Send>) -> Error {
    Error::Panicked(words_of(&*words).into())
}

/// With which words it panicked.
pub(crate) fn words_of(panic: &(dyn std::any::Any + Send)) -> &str {
    let said = panic.downcast_ref::<&str>().copied();
    let said = said.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    said.unwrap_or("no words")
}

fn of_code(code: u16) -> Error {
    match code {
        PANICKED => Error::Panicked("in another process".into()),
        _ => Error::LoadElsewhere,
    }
}

/// An error and what caused it, once each.
struct Chain<'a>(&'a Error);

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)?;
        let mut cause = std::error::Error::source(self.0);
        while let Some(next) = cause {
            write!(f, ": {next}")?;
            cause = next.source();
        }
        Ok(())
    }
}
