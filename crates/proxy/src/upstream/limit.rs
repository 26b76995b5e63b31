//! Requests at once to one member, and the queue of those that wait for their turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::counts::{self, Event};

/// The bounds of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct LimitTerms {
    /// Requests at once.
    pub(super) requests_max: usize,
    /// Requests that wait.
    pub(super) queue_max: usize,
    /// How long one waits.
    pub(super) queue_timeout: Duration,
}

/// A place among the requests at once; dropped, it goes to whoever waits longest.
pub(super) type Place = OwnedSemaphorePermit;

/// That no place is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

/// Why a place was not waited for any longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoPlace {
    /// The queue is as long as it may be.
    QueueFull,
    /// `queue_timeout` passed.
    Late,
}

impl NoPlace {
    /// The cause, for messages.
    pub(super) fn words(self) -> &'static str {
        match self {
            NoPlace::QueueFull => "it has `requests_max`, and `queue_max` wait",
            NoPlace::Late => "it has `requests_max`, and `queue_timeout` passed",
        }
    }
}

/// The places of one member. Who waits is served in the order of coming.
pub(super) struct Limit {
    terms: LimitTerms,
    places: Arc<Semaphore>,
    waiting: AtomicUsize,
}

impl Limit {
    pub(super) fn new(terms: LimitTerms) -> Self {
        let places = terms.requests_max.clamp(1, Semaphore::MAX_PERMITS);
        Limit { terms, places: Arc::new(Semaphore::new(places)), waiting: AtomicUsize::new(0) }
    }

    /// A place that is free and that nobody waits for.
    pub(super) fn enter_at_once(&self) -> Result<Place, Full> {
        // A place that comes free goes to who waits, so nobody is passed by here.
        self.places.clone().try_acquire_owned().map_err(|_| Full)
    }

    /// A place, waited for in the queue. Dropped, the wait leaves it.
    pub(super) async fn enter(&self) -> Result<Place, NoPlace> {
        if let Ok(place) = self.enter_at_once() {
            return Ok(place);
        }
        let _waiting = Waiting::begin(self).ok_or(NoPlace::QueueFull)?;
        counts::note(Event::Queued);
        match timeout(self.terms.queue_timeout, self.places.clone().acquire_owned()).await {
            Ok(Ok(place)) => Ok(place),
            // It is never closed.
            Ok(Err(_)) | Err(_) => Err(NoPlace::Late),
        }
    }

    /// Requests that wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }
}

/// A wait in the queue; dropped, it leaves it.
struct Waiting<'a>(&'a Limit);

impl<'a> Waiting<'a> {
    fn begin(limit: &'a Limit) -> Option<Self> {
        let waiting = Waiting(limit);
        let before = limit.waiting.fetch_add(1, Ordering::Relaxed);
        (before < limit.terms.queue_max).then_some(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    fn limit(requests_max: usize, queue_max: usize) -> Arc<Limit> {
        let queue_timeout = Duration::from_secs(1);
        Arc::new(Limit::new(LimitTerms { requests_max, queue_max, queue_timeout }))
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_is_served_in_the_order_of_coming_and_never_passed_by() {
        let limit = limit(1, 8);
        let place = limit.enter_at_once().unwrap();
        let order = Arc::new(parking_lot::Mutex::new(Vec::new()));
        let mut waiting = Vec::new();
        for number in 0..3 {
            let (waits, noted) = (limit.clone(), order.clone());
            waiting.push(tokio::spawn(async move {
                let place = waits.enter().await.unwrap();
                noted.lock().push(number);
                tokio::time::sleep(Duration::from_millis(10)).await;
                drop(place);
            }));
            tokio::task::yield_now().await;
        }
        drop(place);
        assert_eq!(limit.enter_at_once().err(), Some(Full));
        for task in waiting {
            task.await.unwrap();
        }
        assert_eq!(*order.lock(), [0, 1, 2]);
        assert_eq!(limit.waiting(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn the_queue_is_bounded_in_length_and_time_and_left_by_who_leaves() {
        let limit = limit(1, 1);
        let _place = limit.enter_at_once().unwrap();
        let begun = Instant::now();
        let (first, second) = tokio::join!(limit.enter(), async {
            tokio::task::yield_now().await;
            (limit.enter().await.err(), begun.elapsed())
        });
        assert_eq!(second, (Some(NoPlace::QueueFull), Duration::ZERO));
        assert_eq!((first.err(), begun.elapsed()), (Some(NoPlace::Late), Duration::from_secs(1)));
        let leaves = timeout(Duration::from_millis(5), limit.enter()).await;
        assert!(leaves.is_err());
        assert_eq!(limit.waiting(), 0);
    }
}
