//! An upstream with something to decide: which member is asked, and whether another one is when
//! that comes to nothing.
//!
//! [`Choice`] says who, `retry` says whether once more, a member's `limit` whether now. What is
//! waited for on the way is a connection, an answer, or a turn in a member's queue; each wait ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::{Method, Request, Response, StatusCode};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::Observer;
use super::body::OriginBody;
use super::choice::{Choice, Health, MemberStanding, Nobody, Tried, Turn};
use super::counts::{self, Event};
use super::health::{Standing, Watch};
use super::limit::NoPlace;
use super::member::Member;
use super::pool::Wanted;
use super::request::{KeyHash, RequestBody};
use super::retry::{Again, Budget, Cost, Spent, after_answer};
use super::tries::{Entered, refused};
use crate::config::UpstreamSettings;
use crate::failure::{FailureKind, FetchFailure};

/// Members that a message names.
const NAMED_MAX: usize = 4;

/// Members among which one is chosen for each request.
pub(super) struct Several {
    /// Its members' names, as messages call it when none of them is to blame.
    name: Arc<str>,
    members: Box<[Arc<Member>]>,
    choice: Arc<Choice>,
    /// One a member, or none at all.
    watched: Box<[Watched]>,
    budget: Mutex<Budget>,
    retries: usize,
    retry_statuses: Box<[StatusCode]>,
}

/// A member's health checks, and how much of them was noted.
struct Watched {
    watch: Arc<Watch>,
    noted: AtomicU64,
}

/// How a member of an upstream stands, for metrics and operators.
#[derive(Clone, Debug)]
pub struct MemberReading {
    /// Its name, as `host:port` or a socket's path.
    pub name: Arc<str>,
    /// How it stands.
    pub standing: MemberStanding,
    /// Requests that wait for it.
    pub waiting: usize,
    /// Health checks that failed.
    pub checks_failed: u64,
}

impl Several {
    pub(super) fn new(
        members: Vec<Arc<Member>>,
        choice: Arc<Choice>,
        settings: &UpstreamSettings,
    ) -> Arc<Several> {
        let watch = |member: &Arc<Member>, terms| Watched {
            watch: member.watches.on(member, terms),
            noted: AtomicU64::new(0),
        };
        let watched = settings.health.iter();
        let watched = watched.flat_map(|terms| members.iter().map(move |one| watch(one, terms)));
        Arc::new(Several {
            name: Arc::from(names(&members)),
            watched: watched.collect(),
            choice,
            budget: Mutex::new(Budget::new(Instant::now())),
            retries: settings.retries,
            retry_statuses: settings.retry_statuses.as_slice().into(),
            members: members.into_boxed_slice(),
        })
    }

    /// The choice among its members.
    pub(super) fn choice(&self) -> &Arc<Choice> {
        &self.choice
    }

    /// Sends a request to one member after another, as far as it may be, until one answers.
    pub(super) async fn send(
        &self,
        request: &mut Request<RequestBody>,
        wanted: Wanted,
        observer: Option<&Observer>,
    ) -> Result<Response<OriginBody>, FetchFailure> {
        self.budget.lock().asked(Instant::now());
        let key = request.extensions_mut().remove().map_or(0, |KeyHash(digest)| digest);
        let mut tried = Tried::default();
        let mut entered = self.enter(key, &tried).await?;
        loop {
            let spare = self.spare(request, &tried);
            let index = entered.turn.member();
            let member = &self.members[index];
            let lost = match entered.ask(member, request, wanted, observer).await {
                Ok(response) => {
                    let Some(whole) = spare else { return Ok(response) };
                    tried.add(index);
                    let Some(next) = self.exchanged(&response, request.method(), key, &tried)
                    else {
                        return Ok(response);
                    };
                    forget(response);
                    (*request, entered) = (whole, next);
                    continue;
                }
                Err(lost) => lost,
            };
            tried.add(index);
            let may = self.may_retry(lost.again, &tried);
            entered = match may {
                May::Yes => match self.enter(key, &tried).await {
                    Ok(next) => next,
                    // That nobody is left says less than what went wrong.
                    Err(_) => return Err(lost.failure),
                },
                May::No => return Err(lost.failure),
            };
            counts::note(Event::Retried);
            tracing::debug!("{}; trying another member", lost.failure);
        }
    }

    /// A copy of a request whose answer may be exchanged for another member's.
    fn spare(&self, request: &Request<RequestBody>, tried: &Tried) -> Option<Request<RequestBody>> {
        if self.retry_statuses.is_empty()
            || tried.len() >= self.retries
            || !request.method().is_idempotent()
        {
            return None;
        }
        let mut spare = Request::new(request.body().replay()?);
        *spare.method_mut() = request.method().clone();
        *spare.uri_mut() = request.uri().clone();
        *spare.headers_mut() = request.headers().clone();
        Some(spare)
    }

    /// The member that a request goes to once more, if its answer is to be dropped for another's.
    /// What there is is better than nothing: without a member that may be asked at once it is kept.
    fn exchanged(
        &self,
        response: &Response<OriginBody>,
        method: &Method,
        key: u64,
        tried: &Tried,
    ) -> Option<Entered> {
        let again = after_answer(response.status(), &self.retry_statuses, method);
        if again == Again::No {
            return None;
        }
        let next = self.enter_at_once(key, tried).ok()?;
        match self.may_retry(again, tried) {
            May::Yes => {
                counts::note(Event::Retried);
                Some(next)
            }
            May::No => None,
        }
    }

    /// Whether one more member is tried after these.
    fn may_retry(&self, again: Again, tried: &Tried) -> May {
        let cost = match again {
            Again::Here(cost) | Again::Elsewhere(cost) => cost,
            Again::No => return May::No,
        };
        if tried.len() > self.retries || tried.len() >= self.members.len() {
            return May::No;
        }
        match cost {
            Cost::Nothing => May::Yes,
            Cost::One => match self.budget.lock().spend(Instant::now()) {
                Spent::Yes => May::Yes,
                Spent::No => {
                    counts::note(Event::RetryRefused);
                    May::No
                }
            },
        }
    }

    /// A member that may be asked, with a place among its requests. When all that may be asked are
    /// full, a turn in the queue of one of them is waited for.
    async fn enter(&self, key: u64, tried: &Tried) -> Result<Entered, FetchFailure> {
        match self.enter_at_once(key, tried) {
            Ok(entered) => Ok(entered),
            Err(NotEntered::Nobody(nobody)) => Err(self.nobody(nobody)),
            Err(NotEntered::Full) => Box::pin(self.enter_in_turn(key, tried)).await,
        }
    }

    fn enter_at_once(&self, key: u64, tried: &Tried) -> Result<Entered, NotEntered> {
        let turn = self.choose(key, tried).map_err(NotEntered::Nobody)?;
        let Some(limit) = &self.members[turn.member()].limit else {
            return Ok(Entered { turn, place: None });
        };
        if let Ok(place) = limit.enter_at_once() {
            return Ok(Entered { turn, place: Some(place) });
        }
        let mut passed = tried.clone();
        passed.add(turn.member());
        drop(turn);
        while let Ok(turn) = self.choose(key, &passed) {
            match self.members[turn.member()].limit.as_ref().map(|limit| limit.enter_at_once()) {
                None => return Ok(Entered { turn, place: None }),
                Some(Ok(place)) => return Ok(Entered { turn, place: Some(place) }),
                Some(Err(_)) => passed.add(turn.member()),
            }
        }
        Err(NotEntered::Full)
    }

    /// A place that is waited for: at the member of choice, or where its queue is full, at another.
    async fn enter_in_turn(&self, key: u64, tried: &Tried) -> Result<Entered, FetchFailure> {
        let mut passed = tried.clone();
        let mut failure = None;
        while let Ok(turn) = self.choose(key, &passed) {
            let member = &self.members[turn.member()];
            let Some(limit) = &member.limit else { return Ok(Entered { turn, place: None }) };
            let refused = match limit.enter().await {
                Ok(place) => return Ok(Entered { turn, place: Some(place) }),
                Err(refused) => refused,
            };
            failure = Some(member.because(FailureKind::MemberFull, refused.words()));
            match refused {
                NoPlace::QueueFull => passed.add(turn.member()),
                NoPlace::Late => break,
            }
        }
        counts::note(Event::QueueRefused);
        // Between two looks all may have gone down.
        Err(failure.unwrap_or_else(|| self.nobody(Nobody { probe_due: None })))
    }

    fn choose(&self, key: u64, tried: &Tried) -> Result<Turn, Nobody> {
        let now = Instant::now();
        self.heed_checks(now);
        self.choice.choose(now, key, tried)
    }

    /// Tells the choice what checks have found since it was last told.
    fn heed_checks(&self, now: Instant) {
        for (index, Watched { watch, noted }) in self.watched.iter().enumerate() {
            watch.ensure_running();
            let (found, standing) = watch.found();
            if noted.swap(found, Ordering::AcqRel) == found {
                continue;
            }
            let health = match standing {
                Standing::Up => Health::Up,
                Standing::Down => Health::Down,
            };
            self.choice.mark(index, health, now);
        }
    }

    /// That no member may be asked, and when that may be over.
    fn nobody(&self, nobody: Nobody) -> FetchFailure {
        let checks = self.watched.iter().map(|watched| watched.watch.due());
        let due = checks.chain(nobody.probe_due).min();
        refused(&self.name, due, Instant::now())
    }

    #[cfg(test)]
    pub(super) fn first(&self) -> &Arc<Member> {
        &self.members[0]
    }

    /// How each member stands.
    pub(super) fn readings(&self) -> Vec<MemberReading> {
        let now = Instant::now();
        self.heed_checks(now);
        let standings = self.choice.snapshot(now).into_iter();
        let readings = self.members.iter().zip(standings).enumerate();
        let reading =
            |(index, (member, standing)): (usize, (&Arc<Member>, MemberStanding))| MemberReading {
                name: member.name.clone(),
                standing,
                waiting: member.limit.as_ref().map_or(0, |limit| limit.waiting()),
                checks_failed: self.watched.get(index).map_or(0, |one| one.watch.failed()),
            };
        readings.map(reading).collect()
    }
}

impl MemberReading {
    /// Of a member that nobody checks.
    pub(super) fn of(member: &Member, standing: MemberStanding) -> Self {
        MemberReading {
            name: member.name.clone(),
            standing,
            waiting: member.limit.as_ref().map_or(0, |limit| limit.waiting()),
            checks_failed: 0,
        }
    }
}

/// Whether a request is tried once more.
enum May {
    Yes,
    No,
}

/// Why no member takes a request at once.
enum NotEntered {
    /// None may be asked.
    Nobody(Nobody),
    /// Those that may have as many as they may.
    Full,
}

/// Drops an answer that is exchanged for another. One that is here already leaves its connection
/// whole.
fn forget(mut response: Response<OriginBody>) {
    let _ = response.body_mut().take_whole();
}

/// The members' names, the first few of them.
fn names(members: &[Arc<Member>]) -> String {
    let first: Vec<&str> = members.iter().take(NAMED_MAX).map(|member| &*member.name).collect();
    match members.len() {
        0..=NAMED_MAX => first.join(", "),
        count => format!("{} and {} more", first.join(", "), count - NAMED_MAX),
    }
}
