//! A TCP proxy between any two that does to their connection what networks do: late, silent, cut,
//! slow. What it does can be changed while it runs, and counts for connections that are there.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};

use crate::Failure;
use crate::door::Door;

/// Bytes read at once.
const PIECE_BYTES: usize = 16 * 1024;

/// Pieces under way in one direction of one connection; then the sender is not read.
const PIECES_MAX: usize = 64;

/// How long the target may take to accept.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);

/// What the proxy does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// Forwards everything at once.
    Pass,
    /// Forwards everything, so much later.
    Latency {
        /// From client to target.
        there: Duration,
        /// From target to client.
        back: Duration,
    },
    /// Accepts, and forwards nothing; what waits is forwarded when the mood is better.
    Stall,
    /// Ends all connections now, and refuses new ones.
    Cut,
    /// Accepts and reads, and forwards nothing, ever. Connections that lost bytes so are ended
    /// when the mood changes.
    HalfOpen,
    /// Forwards no more than so many bytes an interval, each way.
    Drip {
        /// How many bytes.
        bytes: usize,
        /// The interval.
        every: Duration,
    },
}

/// A proxy before one target. Dropped, all of its connections end.
pub struct FaultProxy {
    door: Door,
    mood: watch::Sender<Mood>,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    there: AtomicU64,
    back: AtomicU64,
}

/// Bytes, and when they came.
type Piece = (Instant, Vec<u8>);

/// Which way bytes go.
#[derive(Clone, Copy)]
enum Way {
    There,
    Back,
}

impl FaultProxy {
    /// Starts one before this target that passes everything.
    pub async fn start(target: SocketAddr) -> Result<Self, Failure> {
        let (mood, changes) = watch::channel(Mood::Pass);
        let seen = Arc::new(Seen::default());
        let counted = Arc::clone(&seen);
        let door = Door::open(move |client| {
            counted.connections.fetch_add(1, Ordering::SeqCst);
            carry(client, target, changes.clone(), Arc::clone(&counted))
        });
        Ok(FaultProxy { door: door.await?, mood, seen })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.door.address()
    }

    /// What it does from now on. When this returns from [`Mood::Cut`], connections are refused.
    pub async fn set(&mut self, mood: Mood) -> Result<(), Failure> {
        self.mood.send_replace(mood);
        match mood {
            Mood::Cut => self.door.shut().await,
            Mood::Pass
            | Mood::Latency { .. }
            | Mood::Stall
            | Mood::HalfOpen
            | Mood::Drip { .. } => self.door.reopen().await,
        }
    }

    /// How many connections it has accepted.
    pub fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }

    /// How many bytes it has forwarded to the target.
    pub fn bytes_there(&self) -> u64 {
        self.seen.there.load(Ordering::SeqCst)
    }

    /// How many bytes it has forwarded back to clients.
    pub fn bytes_back(&self) -> u64 {
        self.seen.back.load(Ordering::SeqCst)
    }
}

/// One connection, from its accept to its end.
async fn carry(
    mut client: TcpStream,
    target: SocketAddr,
    mut mood: watch::Receiver<Mood>,
    seen: Arc<Seen>,
) {
    loop {
        let now = *mood.borrow_and_update();
        match now {
            Mood::Stall => {
                if mood.changed().await.is_err() {
                    return;
                }
            }
            Mood::HalfOpen => match swallow(&mut client, &mut mood).await {
                Ok(()) => {}
                Err(Lost) => return,
            },
            Mood::Cut => return,
            Mood::Pass | Mood::Latency { .. } | Mood::Drip { .. } => break,
        }
    }
    let Ok(Ok(upstream)) = timeout(CONNECT_PATIENCE, TcpStream::connect(target)).await else {
        return;
    };
    let _ = upstream.set_nodelay(true);
    let (from_client, to_client) = client.into_split();
    let (from_target, to_target) = upstream.into_split();
    let there = direction(Way::There, from_client, to_target, mood.clone(), &seen);
    let back = direction(Way::Back, from_target, to_client, mood, &seen);
    // Each direction may end by itself; a lost one takes the other with it.
    let _ = tokio::try_join!(there, back);
}

/// A direction that cannot go on: the connection is to end.
struct Lost;

async fn direction(
    way: Way,
    from: impl AsyncRead + Unpin,
    to: impl AsyncWrite + Unpin,
    mood: watch::Receiver<Mood>,
    seen: &Seen,
) -> Result<(), Lost> {
    let (pieces, queue) = mpsc::channel(PIECES_MAX);
    let reading = take_in(from, pieces, mood.clone());
    let writing = give_out(way, queue, to, mood, seen);
    tokio::try_join!(reading, writing).map(|_| ())
}

/// Reads pieces and notes when they came.
async fn take_in(
    mut from: impl AsyncRead + Unpin,
    pieces: mpsc::Sender<Piece>,
    mut mood: watch::Receiver<Mood>,
) -> Result<(), Lost> {
    loop {
        // A stalled network takes no more than what it has.
        mood.wait_for(|mood| *mood != Mood::Stall).await.map_err(|_| Lost)?;
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        if from.read_buf(&mut piece).await.map_err(|_| Lost)? == 0 {
            return Ok(());
        }
        pieces.send((Instant::now(), piece)).await.map_err(|_| Lost)?;
    }
}

/// Forwards the pieces as the mood of the moment says.
async fn give_out(
    way: Way,
    mut queue: mpsc::Receiver<Piece>,
    mut to: impl AsyncWrite + Unpin,
    mut mood: watch::Receiver<Mood>,
    seen: &Seen,
) -> Result<(), Lost> {
    while let Some((came, piece)) = queue.recv().await {
        let mut left = piece.as_slice();
        while !left.is_empty() {
            let now = *mood.borrow_and_update();
            let may = may_go(now, came + way.latency(now));
            let count = match may {
                May::Go(count) => count.min(left.len()),
                May::Wait(until) => {
                    or_change(until, &mut mood).await?;
                    continue;
                }
                May::Never => return forget(&mut queue, &mut mood).await,
            };
            to.write_all(&left[..count]).await.map_err(|_| Lost)?;
            way.count(seen).fetch_add(count as u64, Ordering::SeqCst);
            left = &left[count..];
            if let Mood::Drip { every, .. } = now {
                or_change(Some(Instant::now() + every), &mut mood).await?;
            }
        }
    }
    // The sender has said all; whether the other side still listens is its own affair.
    let _ = to.shutdown().await;
    Ok(())
}

/// Whether bytes may go on.
enum May {
    /// So many of them.
    Go(usize),
    /// Not before this moment, or not before the mood changes.
    Wait(Option<Instant>),
    /// They are lost.
    Never,
}

fn may_go(mood: Mood, due: Instant) -> May {
    match mood {
        Mood::Pass => May::Go(usize::MAX),
        Mood::Latency { .. } if due > Instant::now() => May::Wait(Some(due)),
        Mood::Latency { .. } => May::Go(usize::MAX),
        Mood::Drip { bytes, .. } => May::Go(bytes.max(1)),
        Mood::Stall => May::Wait(None),
        Mood::HalfOpen | Mood::Cut => May::Never,
    }
}

/// Takes what still comes and forgets it, until the mood changes: then the connection is lost.
async fn forget(
    queue: &mut mpsc::Receiver<Piece>,
    mood: &mut watch::Receiver<Mood>,
) -> Result<(), Lost> {
    let better = mood.wait_for(|mood| *mood != Mood::HalfOpen);
    tokio::pin!(better);
    loop {
        tokio::select! {
            _ = &mut better => return Err(Lost),
            Some(_) = queue.recv() => {}
        }
    }
}

/// Waits until this moment, but no longer than the mood lasts.
async fn or_change(until: Option<Instant>, mood: &mut watch::Receiver<Mood>) -> Result<(), Lost> {
    let waiting = async {
        match until {
            Some(moment) => sleep_until(moment).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = waiting => Ok(()),
        changed = mood.changed() => changed.map_err(|_| Lost),
    }
}

/// Reads and forgets, until the mood changes or the client goes. Lost, unless nothing was read.
async fn swallow(client: &mut TcpStream, mood: &mut watch::Receiver<Mood>) -> Result<(), Lost> {
    let mut piece = [0; 4096];
    let mut swallowed = 0;
    loop {
        tokio::select! {
            read = client.read(&mut piece) => match read {
                Ok(0) | Err(_) => return Err(Lost),
                Ok(count) => swallowed += count,
            },
            changed = mood.wait_for(|mood| *mood != Mood::HalfOpen) => {
                let better = changed.is_ok() && swallowed == 0;
                return if better { Ok(()) } else { Err(Lost) };
            }
        }
    }
}

impl Way {
    fn latency(self, mood: Mood) -> Duration {
        match (self, mood) {
            (Way::There, Mood::Latency { there, .. }) => there,
            (Way::Back, Mood::Latency { back, .. }) => back,
            (
                Way::There | Way::Back,
                Mood::Pass | Mood::Stall | Mood::Cut | Mood::HalfOpen | Mood::Drip { .. },
            ) => Duration::ZERO,
        }
    }

    fn count(self, seen: &Seen) -> &AtomicU64 {
        match self {
            Way::There => &seen.there,
            Way::Back => &seen.back,
        }
    }
}
