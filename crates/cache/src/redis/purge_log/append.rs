//! Writes the log: what is appended at once by many callers goes to Redis in one step.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, timeout_at};

use super::Core;
use super::answers;
use super::store::{StoreFailure, era_of};
use crate::clock::Timestamp;
use crate::log::{APPENDED_MAX, Appended, LogFailure};
use crate::purge::{LogEntry, Position, Rule};
use crate::redis::failure::LinkFailure;
use crate::redis::link::Link;

/// Tries of one step, if other nodes come before it each time.
const TRIES_MAX: u32 = 64;

/// Tries of one call, if the log begins anew each time before this node has read what it wrote.
const LOGS_MAX: u32 = 3;

/// Bytes of rules in one step; one call alone may have more.
const STEP_BYTES_MAX: usize = 1 << 20;

/// One call, and who waits for it.
pub(super) struct Job {
    rules: Arc<[Rule]>,
    bytes: usize,
    until: Instant,
    written: oneshot::Sender<Result<Appended, LogFailure>>,
}

/// Writes these purges, and waits until this node has applied them.
pub(super) async fn append(
    core: &Core,
    jobs: &mpsc::Sender<Job>,
    mut followed: watch::Receiver<Position>,
    rules: Vec<Rule>,
) -> Result<Appended, LogFailure> {
    let (count, until) = (rules.len() as u64, Instant::now() + core.options.append_timeout);
    let appended = append_until(jobs, &mut followed, rules, until).await;
    match &appended {
        Ok(_) => core.counts.appended.more(count),
        Err(why) => {
            core.counts.refused.more(count);
            core.note_failure(why.to_string());
        }
    }
    appended
}

async fn append_until(
    jobs: &mpsc::Sender<Job>,
    followed: &mut watch::Receiver<Position>,
    rules: Vec<Rule>,
    until: Instant,
) -> Result<Appended, LogFailure> {
    within_bound(&rules)?;
    let bytes = rules.iter().map(|rule| rule.to_bytes().len()).sum();
    let rules: Arc<[Rule]> = rules.into();
    for _ in 0..LOGS_MAX {
        let (written, answer) = oneshot::channel();
        let job = Job { rules: Arc::clone(&rules), bytes, until, written };
        jobs.try_send(job).map_err(|why| {
            LogFailure::refused(match why {
                mpsc::error::TrySendError::Full(_) => {
                    "cannot purge: too many purges are being written"
                }
                mpsc::error::TrySendError::Closed(_) => "cannot purge: this node is stopping",
            })
        })?;
        let gone = |_| LogFailure::unsure("cannot purge: this node is stopping");
        let appended = answer.await.map_err(gone)??;
        match timeout_at(until, applied_here(followed, appended.last)).await {
            Ok(Applied::Yes) => return Ok(appended),
            Ok(Applied::Lost) => {}
            Err(_) => {
                return Err(LogFailure::unsure(
                    "cannot purge: it is written to redis, but this node has not read it in time",
                ));
            }
        }
    }
    Err(LogFailure::unsure("cannot purge: the log in redis begins anew again and again"))
}

fn within_bound(rules: &[Rule]) -> Result<(), LogFailure> {
    match rules.len() {
        0 => Err(LogFailure::refused("cannot purge: there is nothing to purge")),
        1..=APPENDED_MAX => Ok(()),
        many => Err(LogFailure::refused(format!(
            "cannot purge {many} at once: more than {APPENDED_MAX}"
        ))),
    }
}

enum Applied {
    Yes,
    /// The log has begun anew since.
    Lost,
}

async fn applied_here(followed: &mut watch::Receiver<Position>, last: Position) -> Applied {
    let has_ended = |at: &Position| reaches(*at, last) || is_later_log(at.lineage, last.lineage);
    let at = followed.wait_for(has_ended).await.map(|at| *at);
    match at {
        Ok(at) if reaches(at, last) => Applied::Yes,
        Ok(_) => Applied::Lost,
        // Nobody follows any more: the caller's time limit ends this.
        Err(_) => std::future::pending().await,
    }
}

/// Whether a node that is there has applied the log up to this. One with another entry under the
/// same number is on a history that the log has lost, and does not know it yet.
pub(super) fn reaches(at: Position, last: Position) -> bool {
    let is_same = at.number != last.number || at.token == last.token;
    at.lineage == last.lineage && at.number >= last.number && is_same
}

/// Whether the log has begun anew since it was of that lineage.
pub(super) fn is_later_log(now: u64, then: u64) -> bool {
    now != then && era_of(now) > era_of(then)
}

/// Writes what is appended, until nobody can append any more.
pub(super) async fn write(core: Arc<Core>, mut queue: mpsc::Receiver<Job>) {
    let (mut guess, mut held) = (Position::default(), None);
    loop {
        let first = match held.take() {
            Some(job) => job,
            None => match queue.recv().await {
                Some(job) => job,
                None => return,
            },
        };
        let jobs = gather(first, &mut queue, &mut held);
        let until = jobs.iter().map(|job| job.until).max().unwrap_or_else(Instant::now);
        let step = write_step(&core, &mut guess, &jobs);
        let written = timeout_at(until, step).await.unwrap_or_else(|_| {
            Err(LogFailure::unsure("cannot purge: redis did not answer in time"))
        });
        core.stir.notify_one();
        tell(jobs, &written);
    }
}

// As many calls as fit into one step. The first that does not is held for the next.
fn gather(first: Job, queue: &mut mpsc::Receiver<Job>, held: &mut Option<Job>) -> Vec<Job> {
    let (mut count, mut bytes) = (first.rules.len(), first.bytes);
    let mut jobs = vec![first];
    while let Ok(job) = queue.try_recv() {
        count += job.rules.len();
        bytes += job.bytes;
        if count > APPENDED_MAX || bytes > STEP_BYTES_MAX {
            *held = Some(job);
            break;
        }
        jobs.push(job);
    }
    jobs
}

/// The places of what one step wrote, in the order of its calls.
struct Written(Vec<Position>);

// The server refuses what does not follow on its newest entry, and tells which that is.
async fn write_step(
    core: &Core,
    guess: &mut Position,
    jobs: &[Job],
) -> Result<Written, LogFailure> {
    let link: &Link = core.waiting.as_ref().unwrap_or(&core.store.link);
    let heard = *core.newest.lock();
    if heard.lineage != guess.lineage || heard.number > guess.number {
        *guess = heard;
    }
    let mut server_millis = None;
    for _ in 0..TRIES_MAX {
        let entries = numbered(*guess, core.log_time(server_millis), jobs);
        match core.store.append(link, *guess, &entries).await.map_err(failed)? {
            answers::Appended::Up(_) => {
                let places: Vec<_> = entries.iter().map(|entry| guess.at(entry)).collect();
                *guess = places.last().copied().unwrap_or(*guess);
                return replicated(core, link).await.map(|()| Written(places));
            }
            answers::Appended::Moved(newest, millis, found) => {
                core.counts.contended.one_more();
                if found == answers::Found::Broken {
                    core.counts.broken.one_more();
                }
                (*guess, server_millis) = (newest, Some(millis));
            }
        }
    }
    Err(LogFailure::refused("cannot purge: other nodes were faster each time"))
}

fn numbered(after: Position, at: Timestamp, jobs: &[Job]) -> Vec<LogEntry> {
    let mut last = after;
    let rules = jobs.iter().flat_map(|job| job.rules.iter());
    let next = rules.map(|rule| {
        let (number, previous, token) = (last.number + 1, last.token, fresh_token());
        let entry = LogEntry { number, token, previous, at, rule: rule.clone() };
        last = last.at(&entry);
        entry
    });
    next.collect()
}

// 0 stands for the token before the first.
fn fresh_token() -> u64 {
    rand::random_range(1..=u64::MAX)
}

// On a connection of its own: it answers nothing else meanwhile.
async fn replicated(core: &Core, link: &Link) -> Result<(), LogFailure> {
    if core.waiting.is_none() {
        return Ok(());
    }
    let (wanted, wait) = (core.options.replicas, core.options.replicas_wait);
    let mut command = ::redis::cmd("WAIT");
    command.arg(wanted).arg(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1));
    let limit = wait + core.options.call_timeout;
    match link.call_within(&command, limit).await {
        Ok(::redis::Value::Int(having)) if having >= i64::from(wanted) => Ok(()),
        Ok(::redis::Value::Int(having)) => Err(LogFailure::unsure(format!(
            "cannot purge for sure: {having} of {wanted} replicas have it"
        ))),
        Ok(_) => Err(LogFailure::unsure("cannot purge for sure: redis does not say who has it")),
        Err(why) => Err(LogFailure::unsure(format!("cannot purge for sure: {why}"))),
    }
}

fn failed(failure: StoreFailure) -> LogFailure {
    let text = format!("cannot purge: {failure}");
    match failure {
        StoreFailure::Link(LinkFailure::Late | LinkFailure::Cut(_)) | StoreFailure::Foreign => {
            LogFailure::unsure(text)
        }
        StoreFailure::Link(LinkFailure::Away | LinkFailure::Busy | LinkFailure::Refused(_))
        | StoreFailure::Crowded => LogFailure::refused(text),
    }
}

// Who does not wait any more is told nothing.
fn tell(jobs: Vec<Job>, written: &Result<Written, LogFailure>) {
    let mut before = 0;
    for job in jobs {
        let behind = before + job.rules.len();
        let answer = match written {
            Ok(Written(places)) => {
                Ok(Appended { first: places[before].number, last: places[behind - 1] })
            }
            Err(why) => Err(why.clone()),
        };
        before = behind;
        let _ = job.written.send(answer);
    }
}
