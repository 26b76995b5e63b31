//! Who listens to which channel, and how he is told.
//!
//! What is published while there is no connection is lost. So a listener is told of every gap, and
//! of the end of it: what he cannot have heard he must ask for.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};

use ::redis::{PushInfo, PushKind, Value};
use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc};

/// Channels that one link listens to; it is meant for a handful.
pub(super) const SUBSCRIPTIONS_MAX: usize = 64;

/// Messages that wait for a listener; with more, he is told of a gap.
const MESSAGES_MAX: usize = 4_096;

/// A longer message is not passed on; its listener is told of a gap.
const MESSAGE_BYTES_MAX: usize = 64 << 10;

/// Bytes of messages that wait for a listener; with more, he is told of a gap.
const WAITING_BYTES_MAX: usize = 4 << 20;

/// What a listener is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Push {
    /// This was said on the channel.
    Message(Bytes),
    /// From now on all is heard. What was said before may have been missed: at the begin, after a
    /// connection was lost, or because the listener was too slow.
    Anew,
    /// Nothing is heard until [`Push::Anew`].
    Lost,
}

/// A place at which one channel is listened to. Dropped, it is left.
#[derive(Debug)]
pub struct Subscription {
    messages: mpsc::Receiver<Bytes>,
    seat: Arc<Seat>,
    ears: Arc<Ears>,
}

#[derive(Debug)]
struct Seat {
    channel: Bytes,
    news: AtomicU8,
    stir: Notify,
    hears: AtomicBool,
    waiting_bytes: AtomicUsize,
}

const NOTHING: u8 = 0;
const LOST: u8 = 1;
const ANEW: u8 = 2;

/// All places of one link.
#[derive(Debug, Default)]
pub(super) struct Ears {
    seats: Mutex<Vec<(Arc<Seat>, mpsc::Sender<Bytes>)>>,
    /// Someone came or left.
    pub(super) changed: Notify,
}

impl Subscription {
    /// Waits for what comes next. Safe to drop at any moment.
    pub async fn next(&mut self) -> Push {
        loop {
            match self.seat.news.swap(NOTHING, Ordering::AcqRel) {
                LOST => return Push::Lost,
                ANEW => return Push::Anew,
                _ => {}
            }
            tokio::select! {
                biased;
                () = self.seat.stir.notified() => {}
                message = self.messages.recv() => match message {
                    Some(message) => {
                        self.seat.waiting_bytes.fetch_sub(message.len(), Ordering::Relaxed);
                        return Push::Message(message);
                    }
                    // The place in `ears` holds the sender until this is dropped.
                    None => std::future::pending::<()>().await,
                },
            }
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.ears.seats.lock().retain(|(seat, _)| !Arc::ptr_eq(seat, &self.seat));
        self.ears.changed.notify_one();
    }
}

impl Seat {
    // Counted before it is sent: the listener may take it at once.
    fn pass(&self, sender: &mpsc::Sender<Bytes>, message: &Bytes) -> bool {
        let before = self.waiting_bytes.fetch_add(message.len(), Ordering::Relaxed);
        let fits = before + message.len() <= WAITING_BYTES_MAX;
        if fits && sender.try_send(message.clone()).is_ok() {
            return true;
        }
        self.waiting_bytes.fetch_sub(message.len(), Ordering::Relaxed);
        false
    }

    fn tell(&self, news: u8) {
        self.news.store(news, Ordering::Release);
        self.stir.notify_one();
    }
}

impl Ears {
    /// Takes a place; `None` if there are too many.
    pub(super) fn sit(self: &Arc<Self>, channel: &[u8]) -> Option<Subscription> {
        let mut seats = self.seats.lock();
        if seats.len() >= SUBSCRIPTIONS_MAX {
            return None;
        }
        let (sender, messages) = mpsc::channel(MESSAGES_MAX);
        let channel = Bytes::copy_from_slice(channel);
        let seat = Arc::new(Seat {
            channel,
            news: AtomicU8::new(LOST),
            stir: Notify::new(),
            hears: AtomicBool::new(false),
            waiting_bytes: AtomicUsize::new(0),
        });
        seats.push((Arc::clone(&seat), sender));
        drop(seats);
        self.changed.notify_one();
        Some(Subscription { messages, seat, ears: Arc::clone(self) })
    }

    /// The channels that someone listens to.
    pub(super) fn wanted(&self) -> BTreeSet<Bytes> {
        self.seats.lock().iter().map(|(seat, _)| seat.channel.clone()).collect()
    }

    /// All listeners hear nothing from now on.
    pub(super) fn lost(&self) {
        for (seat, _) in self.seats.lock().iter() {
            if seat.hears.swap(false, Ordering::AcqRel) {
                seat.tell(LOST);
            }
        }
    }

    /// These channels are heard; whoever did not know it yet is told.
    pub(super) fn anew(&self, channels: &BTreeSet<Bytes>) {
        for (seat, _) in self.seats.lock().iter() {
            if channels.contains(&seat.channel) && !seat.hears.swap(true, Ordering::AcqRel) {
                seat.tell(ANEW);
            }
        }
    }

    /// Passes on what the server said of itself; called by the connection, which it must not hold up.
    pub(super) fn hear(&self, push: PushInfo) {
        let (PushKind::Message, [channel, message]) = (push.kind, &push.data[..]) else { return };
        let (Value::BulkString(channel), Value::BulkString(message)) = (channel, message) else {
            return;
        };
        let fits = message.len() <= MESSAGE_BYTES_MAX;
        let message = if fits { Bytes::copy_from_slice(message) } else { Bytes::new() };
        for (seat, sender) in
            self.seats.lock().iter().filter(|(seat, _)| seat.channel == channel[..])
        {
            if !fits || !seat.pass(sender, &message) {
                seat.tell(ANEW);
            }
        }
    }
}
