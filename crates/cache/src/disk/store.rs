//! Taking an entry: a small body is gathered and becomes one record, a large one flows into a file
//! of its own while it arrives. Only what ended properly is handed to the writer.
//!
//! Dropped at any moment, it leaves nothing, or the writer has the whole entry already. What is not
//! taken although it could be had leaves nothing older under its key either.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::Disk;
use super::frame::FRAME_BYTES;
use super::frame::LargeFile;
use super::large::{Draft, Failed, LargeBody};
use super::queue::{Lies, Message, Store};
use crate::body::{Body, End, Reader};
use crate::codec::{HeadCodec, Record, StoredBody};
use crate::entry::{Entry, Head, Key};
use crate::error::TierFailure;
use crate::tier::Admitted;

/// An entry on its way to the disk.
struct Taking<'a, H> {
    disk: &'a Arc<Disk>,
    codec: &'a dyn HeadCodec<H>,
    key: &'a Key,
    hash: u64,
    mark: u64,
    entry: Arc<Entry<H>>,
}

/// Why an entry is not taken.
enum Refusal {
    As(Admitted),
    System(TierFailure),
}

/// What was read of a body before it was known to be large.
enum Gathered {
    All(Vec<u8>),
    TooMuch(Vec<u8>),
}

type Taken<T> = Result<T, Refusal>;

pub(super) async fn put<H: Head>(
    disk: &Arc<Disk>,
    codec: &dyn HeadCodec<H>,
    key: &Key,
    entry: Arc<Entry<H>>,
) -> Result<Admitted, TierFailure> {
    let hash = disk.hash(key.as_bytes());
    let taking = Taking { disk, codec, key, hash, mark: disk.mark(hash), entry };
    match taking.take().await {
        Ok(admitted) => Ok(admitted),
        Err(Refusal::System(failure)) => {
            disk.forget_older(hash);
            Err(failure)
        }
        Err(Refusal::As(refused)) => {
            match refused {
                Admitted::TooLarge | Admitted::Expired | Admitted::Busy => disk.forget_older(hash),
                Admitted::Kept | Admitted::NotWhole | Admitted::Fenced | Admitted::NotYet => {}
            }
            Ok(refused)
        }
    }
}

impl<H: Head> Taking<'_, H> {
    async fn take(self) -> Result<Admitted, Refusal> {
        let body = self.entry.body().clone();
        if let Some((large, body_len)) = self.already_here(&body) {
            return self.store_elsewhere(Lies::Already(large), body_len, None).await;
        }
        // Joined before anything else: what passes by does not wait.
        let Some(reader) = body.tap() else { return Err(Refusal::As(Admitted::NotWhole)) };
        let len = body.len_known();
        self.refuse_expired()?;
        if len.is_some_and(|len| len > self.disk.body_bytes_max) {
            return Err(Refusal::As(Admitted::TooLarge));
        }
        if self.disk.is_paused.load(std::sync::atomic::Ordering::Relaxed) {
            self.disk.stats.dropped_paused.one_more();
            return Err(Refusal::As(Admitted::Busy));
        }
        match len {
            Some(len) if len > self.disk.inline_bytes_max => {
                self.stream(reader, Vec::new(), Some(len)).await
            }
            Some(_) | None => self.gather(reader, len).await,
        }
    }

    fn refuse_expired(&self) -> Taken<()> {
        match self.entry.is_expired(self.disk.clock.now()) {
            true => Err(Refusal::As(Admitted::Expired)),
            false => Ok(()),
        }
    }

    // Its file, if the body lies in one of this very tier: then only the head is new.
    fn already_here(&self, body: &Body) -> Option<(LargeFile, u64)> {
        let large = body.source()?.as_any().downcast_ref::<LargeBody>()?;
        let file = LargeFile { id: large.opened.id, bytes: large.opened.len };
        Arc::ptr_eq(&large.disk, self.disk).then_some((file, large.body_len))
    }

    async fn gather(self, mut reader: Reader, len: Option<u64>) -> Result<Admitted, Refusal> {
        let bytes_max = len.unwrap_or(self.disk.inline_bytes_max) as usize;
        let permit = self.room(bytes_max)?;
        let body = match self.read_up_to(&mut reader, bytes_max).await? {
            Gathered::All(body) => body,
            Gathered::TooMuch(begin) => {
                drop(permit);
                return self.stream(reader, begin, None).await;
            }
        };
        let trailer = reader.trailer();
        drop(reader);
        let record = self.record(StoredBody::Plain(&body), trailer.as_deref())?;
        drop(body);
        self.hand_over(record, Lies::Within, permit).await
    }

    async fn read_up_to(&self, reader: &mut Reader, bytes_max: usize) -> Taken<Gathered> {
        let mut gathered = Vec::new();
        while let Some(piece) = reader.next().await {
            let piece = piece.map_err(|_| self.broken())?;
            gathered.extend_from_slice(&piece);
            if gathered.len() > bytes_max {
                return Ok(Gathered::TooMuch(gathered));
            }
        }
        Ok(Gathered::All(gathered))
    }

    // The body broke; or the disk was too slow for it, and all others had what it lost.
    fn broken(&self) -> Refusal {
        if matches!(self.entry.body().end(), Some(End::Broken(_))) {
            return Refusal::As(Admitted::NotWhole);
        }
        self.disk.stats.dropped_slow.one_more();
        Refusal::As(Admitted::Busy)
    }

    async fn stream(
        self,
        mut reader: Reader,
        begin: Vec<u8>,
        len: Option<u64>,
    ) -> Result<Admitted, Refusal> {
        let Ok(_stream) = Arc::clone(&self.disk.streams).try_acquire_owned() else {
            self.disk.stats.dropped_streams.one_more();
            return Err(Refusal::As(Admitted::Busy));
        };
        let failed = |failed| self.failed(failed);
        let mut draft = Draft::begin(self.disk, len).await.map_err(failed)?;
        draft.push(&begin).await.map_err(failed)?;
        while let Some(piece) = reader.next().await {
            let piece = piece.map_err(|_| self.broken())?;
            if draft.body_len().saturating_add(piece.len() as u64) > self.disk.body_bytes_max {
                return Err(Refusal::As(Admitted::TooLarge));
            }
            draft.push(&piece).await.map_err(failed)?;
        }
        let trailer = reader.trailer();
        drop(reader);
        draft.finish().await.map_err(failed)?;
        let body_len = draft.body_len();
        self.store_elsewhere(Lies::Written(draft), body_len, trailer.as_deref()).await
    }

    fn failed(&self, failed: Failed) -> Refusal {
        match failed {
            Failed::NoRoom => {
                self.disk.stats.dropped_busy.one_more();
                Refusal::As(Admitted::Busy)
            }
            Failed::System(error) => {
                self.disk.stats.write_errors.one_more();
                let root = self.disk.paths.root.display();
                Refusal::System(TierFailure::new(format!("cannot write to `{root}`: {error}")))
            }
        }
    }

    async fn store_elsewhere(
        self,
        lies: Lies,
        body_len: u64,
        trailer: Option<&[u8]>,
    ) -> Result<Admitted, Refusal> {
        let permit = self.room(0)?;
        let record = self.record(StoredBody::Elsewhere { body_len }, trailer)?;
        self.hand_over(record, lies, permit).await
    }

    fn room(&self, body_bytes: usize) -> Taken<tokio::sync::OwnedSemaphorePermit> {
        let head_bytes = self.entry.head().weight_bytes();
        let bytes = body_bytes.saturating_add(head_bytes).saturating_add(self.key.as_bytes().len());
        self.disk.queue.room(bytes).ok_or_else(|| {
            self.disk.stats.dropped_busy.one_more();
            Refusal::As(Admitted::Busy)
        })
    }

    // Room for a frame, and the stored form.
    fn record(&self, body: StoredBody<'_>, trailer: Option<&[u8]>) -> Taken<Vec<u8>> {
        let (mut head, mut record) = (Vec::new(), vec![0; FRAME_BYTES]);
        self.codec.encode(self.entry.head(), &mut head);
        let stored = Record {
            key: self.key.as_bytes(),
            head: &head,
            trailer,
            body,
            keep_until: self.entry.keep_until(),
            stamp: self.entry.stamp(),
            epoch: self.entry.epoch(),
        };
        let is_written = stored.write(&mut record).is_ok();
        if !is_written || record.len() as u64 > self.disk.segment_bytes / 2 {
            return Err(Refusal::As(Admitted::TooLarge));
        }
        Ok(record)
    }

    async fn hand_over(
        self,
        record: Vec<u8>,
        lies: Lies,
        permit: tokio::sync::OwnedSemaphorePermit,
    ) -> Result<Admitted, Refusal> {
        self.refuse_expired()?;
        let (reply, answer) = oneshot::channel();
        let (hash, mark, now) = (self.hash, self.mark, self.disk.clock.now());
        let keep_until = self.entry.keep_until();
        let store = Store { record, hash, keep_until, lies, mark, now, reply, permit };
        self.disk.queue.push(Message::Store(Box::new(store)));
        match answer.await {
            Ok(Ok(admitted)) => Ok(admitted),
            // Counted by the writer already.
            Ok(Err(failure)) => Err(Refusal::System(failure)),
            Err(_) => {
                Err(Refusal::System(TierFailure::new("cannot write to the disk: it is closed")))
            }
        }
    }
}
