//! Changes as they happen: an answer that goes on, one JSON object a line.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::StatusCode;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::{RoutesDesk, line};
use crate::admin::reply::{self, Kind};
use crate::answer::{Answer, AnswerBody, BodyError};
use crate::route::{Change, Changes};

/// Who watches at once.
const WATCHERS_MAX: usize = 16;

/// After so much silence there is an empty line, by which both ends see that the other is there.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// The places of those who watch.
#[derive(Clone)]
pub(in crate::admin) struct Watchers(Arc<Semaphore>);

impl Default for Watchers {
    fn default() -> Self {
        Watchers(Arc::new(Semaphore::new(WATCHERS_MAX)))
    }
}

/// One who watches.
struct Watcher {
    changes: Changes,
    /// What is said first.
    first: Option<Value>,
    _place: OwnedSemaphorePermit,
}

/// The changes from now on.
pub(in crate::admin) fn watch(desk: &RoutesDesk, watchers: &Watchers) -> Answer {
    let Ok(place) = watchers.0.clone().try_acquire_owned() else {
        let words = format!("{WATCHERS_MAX} watch already");
        return reply::error(StatusCode::SERVICE_UNAVAILABLE, &words);
    };
    let changes = desk.routes.changes();
    let first = json!({ "event": "watching", "known": desk.routes.count() });
    let watcher = Watcher { changes, first: Some(first), _place: place };
    let lines = stream::unfold(watcher, async |mut watcher: Watcher| {
        let line = watcher.next().await;
        Some((Ok::<_, BodyError>(Frame::data(Bytes::from(line))), watcher))
    });
    let frames = StreamBody::new(lines).boxed_unsync();
    reply::of(StatusCode::OK, Kind::Lines, AnswerBody::Stream { length: None, frames })
}

impl Watcher {
    async fn next(&mut self) -> String {
        if let Some(first) = self.first.take() {
            return format!("{first}\n");
        }
        let value = match timeout(SILENCE_MAX, self.changes.next()).await {
            Ok(Change::Line(line)) => line::value(&line),
            Ok(Change::Gap) => json!({ "event": "gap" }),
            Err(_) => return "\n".to_owned(),
        };
        format!("{value}\n")
    }
}
