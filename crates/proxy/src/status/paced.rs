//! A reading that costs something: made at most once a pause, however many ask.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// The last reading.
pub(super) struct Paced<T> {
    pause: Duration,
    last: Mutex<Option<(Instant, Arc<T>)>>,
    /// Who makes the next. Others are given the last meanwhile, and wait only for the first.
    making: tokio::sync::Mutex<()>,
}

impl<T> Paced<T> {
    pub(super) fn new(pause: Duration) -> Self {
        Paced { pause, last: Mutex::default(), making: tokio::sync::Mutex::default() }
    }

    /// The last reading, or a new one where that is older than the pause. Who leaves while he makes
    /// one leaves it to the next.
    pub(super) async fn read(&self, make: impl Future<Output = T>) -> Arc<T> {
        if let Some(fresh) = self.fresh() {
            return fresh;
        }
        let turn = match (self.making.try_lock(), self.last()) {
            (Ok(turn), _) => turn,
            (Err(_), Some(last)) => return last,
            (Err(_), None) => self.making.lock().await,
        };
        // Another may have made it while this one waited.
        if let Some(fresh) = self.fresh() {
            return fresh;
        }
        let made = Arc::new(make.await);
        *self.last.lock() = Some((Instant::now(), Arc::clone(&made)));
        drop(turn);
        made
    }

    fn fresh(&self) -> Option<Arc<T>> {
        let last = self.last.lock();
        last.as_ref().filter(|(at, _)| at.elapsed() < self.pause).map(|(_, it)| Arc::clone(it))
    }

    fn last(&self) -> Option<Arc<T>> {
        self.last.lock().as_ref().map(|(_, it)| Arc::clone(it))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    const PAUSE: Duration = Duration::from_secs(5);

    #[tokio::test(start_paused = true)]
    async fn however_many_ask_it_is_read_once_a_pause() {
        let (paced, reads) = (Arc::new(Paced::new(PAUSE)), Arc::new(AtomicU64::new(0)));
        let ask = async || {
            let askers = (0..50).map(|_| {
                let (paced, reads) = (Arc::clone(&paced), Arc::clone(&reads));
                tokio::spawn(async move {
                    let make = async {
                        tokio::time::sleep(Duration::from_millis(10)).await;
                        reads.fetch_add(1, Ordering::Relaxed) + 1
                    };
                    *paced.read(make).await
                })
            });
            let mut read = Vec::new();
            for asker in askers.collect::<Vec<_>>() {
                read.push(asker.await.unwrap());
            }
            read
        };
        assert_eq!(ask().await, [1; 50]);
        assert_eq!(ask().await, [1; 50]);
        tokio::time::advance(PAUSE).await;
        // One of them makes the next; the others do not wait for it.
        let read = ask().await;
        assert_eq!(read.iter().filter(|it| **it == 2).count(), 1, "{read:?}");
        assert_eq!(ask().await, [2; 50]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_leaves_leaves_it_to_the_next() {
        let paced = Paced::new(PAUSE);
        let gone = paced.read(std::future::pending::<u64>());
        assert!(tokio::time::timeout(Duration::from_secs(1), gone).await.is_err());
        assert_eq!(*paced.read(async { 7 }).await, 7);
    }
}
