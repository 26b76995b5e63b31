//! Active health checks: each member is asked now and then whether it is well, apart from what
//! clients ask.
//!
//! Upstreams that lead to the same member and check it in the same way share one [`Watch`], and so
//! one task. It runs as long as one of them is there, and keeps none of them alive. When a member is
//! down is a pure rule, [`Streak`].

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use http::header::{HOST, USER_AGENT};
use http::{HeaderValue, Method, Request};
use parking_lot::Mutex;
use rand::Rng;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout};

use super::counts::{self, Event};
use super::member::Member;
use super::pool::Wanted;
use super::request::RequestBody;
use crate::config::{HealthMethod, HealthSettings};

/// Checks under way in this process; further ones wait.
const CHECKS_MAX: usize = 64;
/// A check comes so much earlier or later than `interval` says, so that those of many nodes and
/// members do not come together: a tenth.
const JITTER: f64 = 0.1;

static CHECKS: Semaphore = Semaphore::const_new(CHECKS_MAX);

/// What checks found a member to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It may be asked.
    Up,
    /// It may not.
    Down,
}

/// What one check found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Check {
    /// The member is well.
    Passed,
    /// It is not, or nobody knows.
    Failed,
}

/// How checks in a row make a member up or down; pure. A member is up until checks say otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Streak {
    standing: Standing,
    /// Checks in a row that speak against the standing.
    against: u32,
}

impl Streak {
    /// Of a member that nobody has checked.
    pub(super) const NEW: Streak = Streak { standing: Standing::Up, against: 0 };

    /// One more check: how the member stands now, if that is a change.
    pub(super) fn heard(&mut self, check: Check, terms: &HealthSettings) -> Option<Standing> {
        let (other, after) = match (self.standing, check) {
            (Standing::Up, Check::Passed) | (Standing::Down, Check::Failed) => {
                self.against = 0;
                return None;
            }
            (Standing::Up, Check::Failed) => (Standing::Down, terms.unhealthy_after),
            (Standing::Down, Check::Passed) => (Standing::Up, terms.healthy_after),
        };
        self.against += 1;
        if self.against < after {
            return None;
        }
        *self = Streak { standing: other, against: 0 };
        Some(other)
    }
}

/// Checks of one member. Dropped, they end.
pub(super) struct Watch {
    /// The member once more, with a connection of its own.
    apart: Member,
    terms: HealthSettings,
    /// Twice the number of findings that matter, and one more while the member is down.
    found: AtomicU64,
    /// When the next check begins.
    due: Mutex<Instant>,
    failed: AtomicU64,
    task: OnceLock<AbortHandle>,
}

impl Watch {
    fn begin(member: &Member, terms: &HealthSettings) -> Arc<Watch> {
        let watch = Arc::new(Watch {
            apart: member.apart(terms.timeout),
            terms: terms.clone(),
            found: AtomicU64::new(0),
            due: Mutex::new(Instant::now()),
            failed: AtomicU64::new(0),
            task: OnceLock::new(),
        });
        watch.ensure_running();
        watch
    }

    /// Begins to check, unless it has begun; where nothing runs yet, the first request does it.
    pub(super) fn ensure_running(self: &Arc<Self>) {
        if self.task.get().is_some() {
            return;
        }
        let Ok(runtime) = Handle::try_current() else { return };
        self.task.get_or_init(|| runtime.spawn(run(Arc::downgrade(self))).abort_handle());
    }

    /// How the member stands, and a number that is another with each finding: a check that passes
    /// is one even where the member was up, for it may have been at rest.
    pub(super) fn found(&self) -> (u64, Standing) {
        let found = self.found.load(Ordering::Acquire);
        (found, if found.is_multiple_of(2) { Standing::Up } else { Standing::Down })
    }

    /// Only the task of the checks finds.
    fn find(&self, standing: Standing) {
        let findings = self.found.load(Ordering::Relaxed) / 2 + 1;
        let down = match standing {
            Standing::Up => 0,
            Standing::Down => 1,
        };
        self.found.store(findings * 2 + down, Ordering::Release);
    }

    /// When the next check begins.
    pub(super) fn due(&self) -> Instant {
        *self.due.lock()
    }

    /// Checks that failed.
    pub(super) fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// One check.
    async fn check(&self, streak: &mut Streak) {
        let found = match CHECKS.acquire().await {
            Ok(_turn) => timeout(self.terms.timeout, self.ask()).await,
            // It is never closed.
            Err(_) => return,
        };
        let found = found.unwrap_or_else(|_| Err(format!("no answer in {:?}", self.terms.timeout)));
        let check = match &found {
            Ok(()) => Check::Passed,
            Err(_) => Check::Failed,
        };
        if check == Check::Failed {
            self.failed.fetch_add(1, Ordering::Relaxed);
            counts::note(Event::CheckFailed);
        }
        match (streak.heard(check, &self.terms), found) {
            (None, Ok(())) if streak.standing == Standing::Up => self.find(Standing::Up),
            (None, _) => {}
            (Some(Standing::Up), _) => {
                self.find(Standing::Up);
                tracing::warn!("member `{}` is up again, as {self} found", self.apart.name);
            }
            (Some(Standing::Down), found) => {
                self.find(Standing::Down);
                let why = found.err().unwrap_or_default();
                tracing::warn!("member `{}` is down, as {self} found: {why}", self.apart.name);
            }
        }
    }

    /// Asks the member; why it is not well, if it is not.
    async fn ask(&self) -> Result<(), String> {
        let mut request = self.question()?;
        let held =
            self.apart.connection(Wanted::Any).await.map_err(|failure| failure.to_string())?;
        let answered = self.apart.exchange(held, &mut request, Wanted::Any, None).await;
        let status = answered.map_err(|lost| lost.failure.to_string())?.status();
        match self.terms.expect.iter().any(|range| range.contains(status)) {
            true => Ok(()),
            false => Err(format!("it said {}", status.as_u16())),
        }
    }

    fn question(&self) -> Result<Request<RequestBody>, String> {
        let method = match self.terms.method {
            HealthMethod::Head => Method::HEAD,
            HealthMethod::Get => Method::GET,
        };
        let host = match &self.terms.host {
            Some(host) => HeaderValue::try_from(host).map_err(|error| error.to_string())?,
            None => self.apart.host.clone(),
        };
        let request = Request::builder().method(method).uri(&*self.terms.path);
        let request = request.header(HOST, host).header(USER_AGENT, "forebay-health");
        request.body(RequestBody::Empty).map_err(|error| error.to_string())
    }

    fn pause(&self) -> Duration {
        let jitter = rand::rng().random_range(-JITTER..=JITTER);
        self.terms.interval.mul_f64(1.0 + jitter)
    }
}

/// Checks a member for as long as somebody wants to know.
async fn run(watch: Weak<Watch>) {
    let Some(spread) = watch.upgrade().map(|watch| {
        let spread = watch.terms.interval.mul_f64(rand::rng().random_range(0.0..=1.0));
        *watch.due.lock() = Instant::now() + spread;
        spread
    }) else {
        return;
    };
    let mut pause = spread;
    let mut streak = Streak::NEW;
    loop {
        sleep(pause).await;
        let Some(watch) = watch.upgrade() else { return };
        watch.check(&mut streak).await;
        pause = watch.pause();
        *watch.due.lock() = Instant::now() + pause;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }
}

impl fmt::Display for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let method = match self.terms.method {
            HealthMethod::Head => "HEAD",
            HealthMethod::Get => "GET",
        };
        write!(f, "`{method} {}`", self.terms.path)
    }
}

/// The watches of one member, of which there is mostly none.
#[derive(Default)]
pub(super) struct Watches(OnceLock<Box<Mutex<Vec<Weak<Watch>>>>>);

impl Watches {
    /// The watch on these terms: one that is there already, or a new one.
    pub(super) fn on(&self, member: &Member, terms: &HealthSettings) -> Arc<Watch> {
        let mut watches = self.0.get_or_init(Box::default).lock();
        watches.retain(|watch| watch.strong_count() > 0);
        let mut alive = watches.iter().filter_map(Weak::upgrade);
        if let Some(watch) = alive.find(|watch| watch.terms == *terms) {
            return watch;
        }
        let watch = Watch::begin(member, terms);
        watches.push(Arc::downgrade(&watch));
        watch
    }
}

#[cfg(test)]
mod tests;
