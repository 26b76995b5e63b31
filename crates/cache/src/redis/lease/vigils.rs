//! Who in this process waits for a word about which lease.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::Instant;

use super::word::LeaseId;
use crate::lease::{Vigil, Word};
use crate::stats::Count;

/// Words that are remembered: one may come before the answer that names its lease.
const RECENT_MAX: usize = 1_024;

/// What is counted of waiting.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// Waits that a word ended.
    pub(super) told: Count,
    /// Waits that ended because the lease must have.
    pub(super) overdue: Count,
    /// Waits that ended because words may have been missed.
    pub(super) missed: Count,
}

/// All who wait, in a bound.
#[derive(Debug)]
pub(super) struct Vigils {
    table: Mutex<Table>,
    places: Arc<Semaphore>,
    heard: Heard,
}

#[derive(Debug)]
struct Table {
    // How often words may have been missed.
    gaps: u64,
    next_seat: u64,
    waiting: HashMap<LeaseId, Vec<Ear>>,
    recent: VecDeque<(LeaseId, Word)>,
}

#[derive(Debug)]
struct Ear {
    seat: u64,
    ended: oneshot::Sender<Ended>,
}

#[derive(Clone, Copy, Debug)]
enum Ended {
    Told(Word),
    Gap,
}

/// A place for one who may have to wait, and the moment at which he asked.
#[derive(Debug)]
pub(super) struct Place {
    vigils: Arc<Vigils>,
    gaps: u64,
    permit: OwnedSemaphorePermit,
}

impl Vigils {
    /// Room for so many who wait at once.
    pub(super) fn new(vigils_max: usize) -> Arc<Self> {
        let (waiting, recent) = (HashMap::new(), VecDeque::new());
        Arc::new(Self {
            table: Mutex::new(Table { gaps: 0, next_seat: 0, waiting, recent }),
            places: Arc::new(Semaphore::new(vigils_max.min(Semaphore::MAX_PERMITS))),
            heard: Heard::default(),
        })
    }

    /// A place, to be had before a lease is asked for; `None` if there is no room.
    pub(super) fn place(self: &Arc<Self>) -> Option<Place> {
        let permit = Arc::clone(&self.places).try_acquire_owned().ok()?;
        let gaps = self.table.lock().gaps;
        Some(Place { vigils: Arc::clone(self), gaps, permit })
    }

    /// Tells all who wait for this lease.
    pub(super) fn tell(&self, lease: LeaseId, word: Word) {
        let mut table = self.table.lock();
        if table.recent.len() >= RECENT_MAX {
            table.recent.pop_front();
        }
        table.recent.push_back((lease, word));
        let ears = table.waiting.remove(&lease).unwrap_or_default();
        drop(table);
        ears.into_iter().for_each(|ear| ear.tell(Ended::Told(word)));
    }

    /// Words may have been missed: whoever waits has to ask again.
    pub(super) fn gap(&self) {
        let mut table = self.table.lock();
        table.gaps += 1;
        table.recent.clear();
        let all = std::mem::take(&mut table.waiting);
        drop(table);
        all.into_values().flatten().for_each(|ear| ear.tell(Ended::Gap));
    }

    /// How many wait now.
    pub(super) fn waiting(&self) -> usize {
        self.table.lock().waiting.values().map(Vec::len).sum()
    }

    /// What was counted.
    pub(super) fn heard(&self) -> &Heard {
        &self.heard
    }
}

impl Ear {
    // Who left meanwhile hears nothing.
    fn tell(self, ended: Ended) {
        let _ = self.ended.send(ended);
    }
}

impl Place {
    /// Waits there for the end of this lease, which comes within so long if it is not renewed.
    pub(super) fn watch(self, lease: LeaseId, within: Duration) -> Watch {
        let (sender, ended) = oneshot::channel();
        let mut table = self.vigils.table.lock();
        table.next_seat += 1;
        let ear = Ear { seat: table.next_seat, ended: sender };
        let seat =
            Seat { lease, number: ear.seat, _permit: self.permit, vigils: self.vigils.clone() };
        let said = table.recent.iter().find(|(about, _)| *about == lease).map(|(_, word)| *word);
        match said {
            Some(word) => ear.tell(Ended::Told(word)),
            // The word may have been said while nothing was heard.
            None if table.gaps != self.gaps => ear.tell(Ended::Gap),
            None => table.waiting.entry(lease).or_default().push(ear),
        }
        drop(table);
        Watch { seat, ended, deadline: Instant::now() + within }
    }
}

/// One who waits. Dropped, it leaves the queue.
pub(super) struct Watch {
    seat: Seat,
    ended: oneshot::Receiver<Ended>,
    deadline: Instant,
}

struct Seat {
    vigils: Arc<Vigils>,
    lease: LeaseId,
    number: u64,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut table = self.vigils.table.lock();
        let Some(waiting) = table.waiting.get_mut(&self.lease) else { return };
        waiting.retain(|ear| ear.seat != self.number);
        if waiting.is_empty() {
            table.waiting.remove(&self.lease);
        }
    }
}

impl Vigil for Watch {
    fn told(self: Box<Self>) -> Pin<Box<dyn Future<Output = Word> + Send>> {
        Box::pin(async move {
            let Self { seat, ended, deadline } = *self;
            let heard = &seat.vigils.heard;
            match tokio::time::timeout_at(deadline, ended).await {
                Ok(Ok(Ended::Told(word))) => {
                    heard.told.one_more();
                    word
                }
                // Nobody is left to tell: that is a gap as well.
                Ok(Ok(Ended::Gap) | Err(_)) => {
                    heard.missed.one_more();
                    Word::Left
                }
                Err(_) => {
                    heard.overdue.one_more();
                    Word::Left
                }
            }
        })
    }
}

#[cfg(test)]
#[cfg(not(shuttle))]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(9);

    fn lease(digit: char) -> LeaseId {
        LeaseId::read(String::from(digit).repeat(32).as_bytes()).unwrap()
    }

    async fn told(watch: Watch) -> (Word, Duration) {
        let began = Instant::now();
        (Box::new(watch).told().await, began.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_is_told_and_who_waits_for_another_is_not() {
        let vigils = Vigils::new(9);
        let [one, two, other] =
            ['a', 'a', 'b'].map(|it| vigils.place().unwrap().watch(lease(it), LONG));
        vigils.tell(lease('a'), Word::Stored);
        assert_eq!(told(one).await, (Word::Stored, Duration::ZERO));
        assert_eq!(told(two).await, (Word::Stored, Duration::ZERO));
        assert_eq!(told(other).await, (Word::Left, LONG));
        assert_eq!(vigils.waiting(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_word_that_came_before_the_answer_is_heard() {
        let vigils = Vigils::new(9);
        let place = vigils.place().unwrap();
        vigils.tell(lease('a'), Word::Local);
        assert_eq!(told(place.watch(lease('a'), LONG)).await, (Word::Local, Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn a_gap_ends_every_wait_also_of_who_asked_before_it() {
        let vigils = Vigils::new(9);
        let waits = vigils.place().unwrap().watch(lease('a'), LONG);
        let asked = vigils.place().unwrap();
        vigils.tell(lease('b'), Word::Stored);
        vigils.gap();
        assert_eq!(told(waits).await, (Word::Left, Duration::ZERO));
        assert_eq!(told(asked.watch(lease('b'), LONG)).await, (Word::Left, Duration::ZERO));
        let later = vigils.place().unwrap().watch(lease('b'), LONG);
        assert_eq!(told(later).await, (Word::Left, LONG));
    }

    #[tokio::test(start_paused = true)]
    async fn who_leaves_takes_nobody_with_him_and_makes_room() {
        let vigils = Vigils::new(2);
        let [leaves, stays] = [(); 2].map(|()| vigils.place().unwrap().watch(lease('a'), LONG));
        assert!(vigils.place().is_none());
        drop(leaves);
        assert_eq!(vigils.waiting(), 1);
        assert!(vigils.place().is_some());
        vigils.tell(lease('a'), Word::Left);
        assert_eq!(told(stays).await, (Word::Left, Duration::ZERO));
        assert_eq!(vigils.heard().told.now(), 1);
    }

    #[test]
    fn words_that_nobody_waits_for_stay_in_their_bound() {
        let vigils = Vigils::new(2);
        (0..2 * RECENT_MAX).for_each(|_| vigils.tell(lease('c'), Word::Stored));
        assert_eq!(vigils.table.lock().recent.len(), RECENT_MAX);
    }
}
