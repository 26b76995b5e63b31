//! A large body's file: blocks of 64 KiB, each with a checksum behind it, so that any piece is
//! verified before it is served and a range reads only what it needs.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::num::NonZeroU64;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::Disk;
use super::files::Opened;
use super::frame::LargeFile;
use super::index::Place;
use super::queue::Message;
use super::spare::{Buffer, SPARE_BYTES};
use super::sum::sum;
use crate::body::{Reading, Source};
use crate::error::Broken;

/// The bytes of a body that one sum stands for.
pub(super) const BLOCK_BYTES: usize = 64 << 10;
const SUM_BYTES: usize = 8;
/// Blocks that are read at once, and written at once.
const BLOCKS_AT_ONCE: usize = SPARE_BYTES / BLOCK_BYTES;
const BLOCKS_WRITTEN: usize = 4;
/// What the system is asked to fetch behind a read that had to wait for the disk.
const READ_AHEAD_BYTES: u64 = 2 << 20;
/// What is reserved at a time for a body of unknown length.
const STEP_BYTES: u64 = 4 << 20;

/// The bytes of the file of a body.
pub(super) fn file_bytes(body_len: u64) -> u64 {
    body_len.saturating_add(body_len.div_ceil(BLOCK_BYTES as u64).saturating_mul(SUM_BYTES as u64))
}

/// A large body that is being written. Dropped before it is stored, nothing is left of it.
pub(super) struct Draft {
    disk: Arc<Disk>,
    id: u64,
    // There from the first room that was given.
    file: Option<Arc<File>>,
    reserved: u64,
    written: u64,
    blocks: u64,
    buffer: Vec<u8>,
    block_bytes: usize,
    body_len: u64,
    is_handed_over: bool,
}

/// Why a draft did not come to be.
pub(super) enum Failed {
    NoRoom,
    System(io::Error),
}

impl Draft {
    /// A new file, with room for so long a body if that is known.
    pub(super) async fn begin(disk: &Arc<Disk>, body_len: Option<u64>) -> Result<Self, Failed> {
        let mut draft = Self {
            disk: Arc::clone(disk),
            id: rand::random(),
            file: None,
            reserved: 0,
            written: 0,
            blocks: 0,
            buffer: Vec::new(),
            block_bytes: 0,
            body_len: 0,
            is_handed_over: false,
        };
        draft.reserve(body_len.map_or(STEP_BYTES, file_bytes)).await?;
        Ok(draft)
    }

    /// Appends to the body.
    pub(super) async fn push(&mut self, mut bytes: &[u8]) -> Result<(), Failed> {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(BLOCK_BYTES - self.block_bytes));
            self.buffer.extend_from_slice(now);
            self.block_bytes += now.len();
            self.body_len += now.len() as u64;
            bytes = later;
            if self.block_bytes == BLOCK_BYTES {
                self.end_block();
            }
            if self.buffer.len() >= BLOCKS_WRITTEN * (BLOCK_BYTES + SUM_BYTES) {
                self.write().await?;
            }
        }
        Ok(())
    }

    /// Ends the body; all of it is durable then.
    pub(super) async fn finish(&mut self) -> Result<(), Failed> {
        if self.block_bytes > 0 {
            self.end_block();
        }
        self.write().await?;
        let (disk, path) = (Arc::clone(&self.disk), self.disk.paths.large(self.id));
        let Some(file) = self.file.clone() else { return Err(Failed::NoRoom) };
        behind(move || disk.medium.sync(&file, &path)).await.map_err(Failed::System)
    }

    pub(super) fn body_len(&self) -> u64 {
        self.body_len
    }

    /// The file's name and its bytes: it is the writer's now.
    pub(super) fn hand_over(mut self) -> LargeFile {
        self.is_handed_over = true;
        LargeFile { id: self.id, bytes: self.written }
    }

    fn end_block(&mut self) {
        let begin = self.buffer.len() - self.block_bytes;
        let seal = sum(&self.buffer[begin..], self.id, self.blocks);
        self.buffer.extend(seal.to_le_bytes());
        self.blocks += 1;
        self.block_bytes = 0;
    }

    // Dropped while this waits, the write goes on, into a file that will have no name.
    async fn write(&mut self) -> Result<(), Failed> {
        let bytes = std::mem::take(&mut self.buffer);
        let (at, end) = (self.written, self.written + bytes.len() as u64);
        if end > self.reserved {
            self.reserve((end - self.reserved).max(STEP_BYTES)).await?;
        }
        let (disk, path) = (Arc::clone(&self.disk), self.disk.paths.large(self.id));
        let Some(file) = self.file.clone() else { return Err(Failed::NoRoom) };
        let write = move || disk.medium.write_at(&file, &path, &bytes, at);
        behind(write).await.map_err(Failed::System)?;
        self.written = end;
        Ok(())
    }

    async fn reserve(&mut self, bytes: u64) -> Result<(), Failed> {
        let bytes = super::blocks(bytes);
        let (reply, answer) = oneshot::channel();
        let (id, now) = (self.id, self.disk.clock.now());
        self.disk.queue.push(Message::Reserve { id, bytes, now, reply });
        // Dropped meanwhile: the writer gives the room back when it is told of the end.
        match answer.await {
            Ok(Some(file)) => self.file = Some(file),
            Ok(None) | Err(_) => return Err(Failed::NoRoom),
        }
        self.reserved += bytes;
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.is_handed_over {
            self.disk.queue.push(Message::Discard { id: self.id });
        }
    }
}

/// Does what may wait for the disk on a thread that may.
pub(super) async fn behind<T: Send + 'static>(
    act: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(act).await.unwrap_or_else(|ended| Err(io::Error::other(ended)))
}

/// A large body on this disk.
pub(super) struct LargeBody {
    pub(super) disk: Arc<Disk>,
    pub(super) opened: Arc<Opened>,
    pub(super) body_len: u64,
    /// Whose it is, and where its record lay: to be forgotten if it is damaged.
    pub(super) hash: u64,
    pub(super) place: Place,
}

/// The blocks that hold a piece of a body.
struct Blocks {
    first: u64,
    bytes: Buffer,
    sums: [[u8; SUM_BYTES]; BLOCKS_AT_ONCE],
}

impl LargeBody {
    // As many blocks from that which holds `at` on as may be asked for at once.
    fn blocks_at(&self, at: u64, bytes_max: usize) -> Blocks {
        let block = BLOCK_BYTES as u64;
        let first = at / block;
        let wanted = (at % block).saturating_add(bytes_max as u64).div_ceil(block);
        let blocks = wanted.clamp(1, BLOCKS_AT_ONCE as u64);
        let end = ((first + blocks) * block).min(self.body_len);
        let bytes = self.disk.spares.take(end.saturating_sub(first * block) as usize);
        Blocks { first, bytes, sums: [[0; SUM_BYTES]; BLOCKS_AT_ONCE] }
    }

    // Who takes as much as there is at once will want what comes next.
    fn read_ahead(&self, file_at: u64, bytes_max: usize) {
        let ahead = READ_AHEAD_BYTES.min(self.opened.len.saturating_sub(file_at));
        if bytes_max >= SPARE_BYTES
            && let Some(ahead) = NonZeroU64::new(ahead)
        {
            self.opened.read_ahead(file_at, ahead);
        }
    }

    // What of them was asked for, if all of them are as they were written.
    fn checked(&self, blocks: Blocks, at: u64, bytes_max: usize) -> Result<Bytes, Broken> {
        let places = blocks.first..;
        let read = blocks.bytes.bytes().chunks(BLOCK_BYTES);
        for ((block, seal), place) in read.zip(blocks.sums).zip(places) {
            if sum(block, self.opened.id, place).to_le_bytes() != seal {
                self.disk.note_damaged(self.hash, self.place);
                return Err(Broken::new("a checksum on the disk differs"));
            }
        }
        let from = (at - blocks.first * BLOCK_BYTES as u64) as usize;
        let bytes = blocks.bytes.freeze();
        let to = from.saturating_add(bytes_max).min(bytes.len());
        Ok(bytes.slice(from.min(to)..to))
    }
}

impl Blocks {
    fn file_at(&self) -> u64 {
        self.first * (BLOCK_BYTES + SUM_BYTES) as u64
    }

    // The body's bytes into one piece, the sums aside.
    fn buffers(&mut self) -> Vec<&mut [u8]> {
        let blocks = self.bytes.bytes_mut().chunks_mut(BLOCK_BYTES).zip(&mut self.sums);
        blocks.flat_map(|(block, seal)| [block, &mut seal[..]]).collect()
    }
}

impl Source for LargeBody {
    fn read_at_once(&self, at: u64, bytes_max: usize) -> Option<Result<Bytes, Broken>> {
        let mut blocks = self.blocks_at(at, bytes_max);
        let file_at = blocks.file_at();
        let mut buffers: Vec<_> = blocks.buffers().into_iter().map(IoSliceMut::new).collect();
        if !self.opened.read_at_once(&mut buffers, file_at) {
            return None;
        }
        drop(buffers);
        self.disk.stats.reads_at_once.one_more();
        Some(self.checked(blocks, at, bytes_max))
    }

    fn read(self: Arc<Self>, at: u64, bytes_max: usize) -> Reading {
        Box::pin(async move {
            let disk = Arc::clone(&self.disk);
            let read = disk.read_behind(move || {
                let mut blocks = self.blocks_at(at, bytes_max);
                let file_at = blocks.file_at();
                self.read_ahead(file_at, bytes_max);
                self.opened.read(&mut blocks.buffers(), file_at)?;
                Ok(self.checked(blocks, at, bytes_max))
            });
            match read.await {
                Ok(piece) => piece,
                Err(failed) => Err(Broken::new(format!("cannot read it from the disk: {failed}"))),
            }
        })
    }

    fn as_any(&self) -> &(dyn std::any::Any + Send + Sync) {
        self
    }
}
