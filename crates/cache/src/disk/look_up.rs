//! Finding an entry: the index, one read, and then every check, the full key among them.
//!
//! What the page cache has is read at once; for the rest a thread waits that may.

use std::io::{self, IoSliceMut};
use std::sync::Arc;

use bytes::Bytes;

use super::Disk;
use super::files::{Name, Opened};
use super::frame::{FRAME_BYTES, Frame};
use super::index::{Form, Slot};
use super::large::{LargeBody, file_bytes};
use crate::body::Body;
use crate::clock::Timestamp;
use crate::codec::{FRONT_BYTES, Front, HeadCodec, Layout, checksum};
use crate::entry::{Entry, Key};
use crate::error::TierFailure;
use crate::tier::Looked;

/// How much longer than what comes before the head a prefix may get without being moved: most heads.
const HEAD_BYTES_TYPICAL: usize = 512;

type Found<H> = Result<Option<Arc<Entry<H>>>, TierFailure>;

/// What is looked for, and where it lies.
struct Sought<'a> {
    key: &'a Key,
    slot: Slot,
    now: Timestamp,
    prefix_len: usize,
    rest_len: usize,
}

/// What a record holds that is the key's and as it was written.
struct Stored<H> {
    front: Front,
    frame: Frame,
    head: H,
    trailer: Option<Bytes>,
    body: Bytes,
}

/// Why a record is not the key's.
enum Unread {
    OtherKey,
    Damaged,
}

/// A record on its way: what comes before the head, and the rest in a piece that is kept.
struct Pieces {
    prefix: Vec<u8>,
    rest: Box<[u8]>,
    segment_id: u64,
}

pub(super) fn look_up<'a, H: Send + Sync + 'static>(
    disk: &Arc<Disk>,
    codec: &Arc<dyn HeadCodec<H>>,
    key: &'a Key,
) -> Looked<'a, H> {
    let Some(sought) = Sought::of(disk, key) else { return Looked::AtOnce(Ok(None)) };
    let Some(pieces) = sought.read_at_once(disk) else {
        let (disk, codec) = (Arc::clone(disk), Arc::clone(codec));
        return Looked::later(async move {
            let Some(pieces) = sought.read_behind(&disk).await? else { return Ok(None) };
            match sought.stored(&disk, &*codec, pieces) {
                Some(stored) => sought.entry(&disk, stored).await,
                None => Ok(None),
            }
        });
    };
    let Some(stored) = sought.stored(disk, &**codec, pieces) else {
        return Looked::AtOnce(Ok(None));
    };
    let opened = stored.frame.large.and_then(|file| disk.files.opened(Name::Large(file.id)));
    match (sought.slot.form(), opened) {
        (Form::Small, _) => Looked::AtOnce(Ok(Some(stored.small()))),
        (Form::Large, Some(opened)) => Looked::AtOnce(Ok(sought.large(disk, stored, opened))),
        (Form::Large, None) => {
            let disk = Arc::clone(disk);
            Looked::later(async move { sought.entry(&disk, stored).await })
        }
    }
}

impl<'a> Sought<'a> {
    // `None` where nothing lies, or what is too short to be the key's.
    fn of(disk: &Disk, key: &'a Key) -> Option<Self> {
        let slot = disk.index.find(disk.hash(key.as_bytes()))?;
        let now = disk.clock.now();
        if slot.is_expired(now) {
            return None;
        }
        let prefix_len = FRAME_BYTES + FRONT_BYTES + key.as_bytes().len();
        let rest_len = (slot.len() as usize).checked_sub(prefix_len)?;
        Some(Self { key, slot, now, prefix_len, rest_len })
    }

    // `None` where it must be waited for.
    fn read_at_once(&self, disk: &Disk) -> Option<Pieces> {
        let opened = disk.files.opened(self.file())?;
        let mut pieces = Pieces::new(self.prefix_len, self.rest_len, opened.id);
        let buffers = &mut [IoSliceMut::new(&mut pieces.prefix), IoSliceMut::new(&mut pieces.rest)];
        if !opened.read_at_once(buffers, u64::from(self.slot.place.at)) {
            return None;
        }
        disk.stats.reads_at_once.one_more();
        Some(pieces)
    }

    // `None` where it was evicted meanwhile, or was cut off.
    async fn read_behind(&self, disk: &Arc<Disk>) -> Result<Option<Pieces>, TierFailure> {
        let (file, at) = (self.file(), u64::from(self.slot.place.at));
        let (prefix_len, rest_len) = (self.prefix_len, self.rest_len);
        let reader = Arc::clone(disk);
        let read = disk.read_behind(move || {
            let opened = reader.files.open(file)?;
            let mut pieces = Pieces::new(prefix_len, rest_len, opened.id);
            opened.read(&mut [&mut pieces.prefix, &mut pieces.rest], at)?;
            Ok(pieces)
        });
        match read.await {
            Ok(pieces) => Ok(Some(pieces)),
            Err(failed) => not_read(disk, &self.slot, &failed).map(|()| None),
        }
    }

    fn file(&self) -> Name {
        Name::Segment(self.slot.place.segment)
    }

    // `None` where it is another's, damaged, or its time is over.
    fn stored<H: 'static>(
        &self,
        disk: &Disk,
        codec: &dyn HeadCodec<H>,
        pieces: Pieces,
    ) -> Option<Stored<H>> {
        match read_pieces(disk, codec, &self.slot, self.key, pieces) {
            Ok(stored) => (stored.front.keep_until > self.now).then_some(stored),
            Err(Unread::OtherKey) => None,
            Err(Unread::Damaged) => {
                disk.note_damaged(self.slot.hash, self.slot.place);
                None
            }
        }
    }

    async fn entry<H>(&self, disk: &Arc<Disk>, stored: Stored<H>) -> Found<H> {
        if self.slot.form() == Form::Small {
            return Ok(Some(stored.small()));
        }
        let Some(file) = stored.frame.large else {
            disk.note_damaged(self.slot.hash, self.slot.place);
            return Ok(None);
        };
        match open_large(disk, file.id).await {
            Ok(opened) => Ok(self.large(disk, stored, opened)),
            Err(failed) => not_read(disk, &self.slot, &failed).map(|()| None),
        }
    }

    // `None` where the file is not what its record says.
    fn large<H>(
        &self,
        disk: &Arc<Disk>,
        stored: Stored<H>,
        opened: Arc<Opened>,
    ) -> Option<Arc<Entry<H>>> {
        let Stored { front, frame, head, trailer, .. } = stored;
        let (body_len, len) = (front.body_len, file_bytes(front.body_len));
        if opened.len != len || frame.large.is_none_or(|file| file.bytes != len) {
            disk.note_damaged(self.slot.hash, self.slot.place);
            return None;
        }
        let (disk, hash, place) = (Arc::clone(disk), self.slot.hash, self.slot.place);
        let large = LargeBody { disk, opened, body_len, hash, place };
        Some(entry_of(&front, head, Body::elsewhere(Arc::new(large), body_len, trailer)))
    }
}

impl<H> Stored<H> {
    fn small(self) -> Arc<Entry<H>> {
        let body = Body::in_page(self.body, self.trailer);
        entry_of(&self.front, self.head, body)
    }
}

fn entry_of<H>(front: &Front, head: H, body: Body) -> Arc<Entry<H>> {
    Arc::new(Entry::stored(head, body, front.keep_until, front.stamp, front.epoch))
}

impl Pieces {
    fn new(prefix_len: usize, rest_len: usize, segment_id: u64) -> Self {
        let mut prefix = Vec::with_capacity(prefix_len + HEAD_BYTES_TYPICAL);
        prefix.resize(prefix_len, 0);
        Self { prefix, rest: vec![0; rest_len].into(), segment_id }
    }
}

// Missing without having been evicted is damage; so is what was cut off.
fn not_read(disk: &Disk, slot: &Slot, failed: &io::Error) -> Result<(), TierFailure> {
    match failed.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData => {
            if disk.index.peek(slot.hash).is_some_and(|held| held.place == slot.place) {
                disk.note_damaged(slot.hash, slot.place);
            }
            Ok(())
        }
        _ => {
            disk.stats.read_errors.one_more();
            let root = disk.paths.root.display();
            Err(TierFailure::new(format!("cannot read from `{root}`: {failed}")))
        }
    }
}

fn read_pieces<H: 'static>(
    disk: &Disk,
    codec: &dyn HeadCodec<H>,
    slot: &Slot,
    key: &Key,
    pieces: Pieces,
) -> Result<Stored<H>, Unread> {
    let Pieces { mut prefix, rest, segment_id } = pieces;
    let frame = Frame::read(&prefix, segment_id, slot.place.at);
    let frame = frame.filter(|frame| frame.hash == slot.hash).ok_or(Unread::Damaged)?;
    let front = Front::read(&prefix[FRAME_BYTES..]).map_err(|_| Unread::Damaged)?;
    // Of another length, the key is another: then what was taken for it is not all key.
    let (key_len, head_len) = (front.key_len as usize, front.head_len as usize);
    if key_len != key.as_bytes().len() {
        return Err(Unread::OtherKey);
    }
    let after_key = front.middle_len() - key_len;
    let agrees = frame.record_bytes() == u64::from(slot.len())
        && front.total_len() == u64::from(frame.len)
        && after_key <= rest.len();
    if !agrees {
        return Err(Unread::Damaged);
    }
    // One sum over all that comes before the body: in pieces it would cost more than the copy.
    let (head_and_trailer, body) = rest.split_at(after_key);
    prefix.extend_from_slice(head_and_trailer);
    let middle = &prefix[FRAME_BYTES + FRONT_BYTES..];
    if checksum(middle) != front.middle_sum || !is_body_sound(&front, body) {
        return Err(Unread::Damaged);
    }
    if &middle[..key_len] != key.as_bytes() {
        return Err(Unread::OtherKey);
    }
    let page = disk.budget.adopt(rest);
    let trailer = front.trailer_len.map(|_| page.slice(head_len..after_key));
    let head = codec.decode(&page.slice(..head_len)).ok_or(Unread::Damaged)?;
    Ok(Stored { front, frame, head, trailer, body: page.slice(after_key..) })
}

fn is_body_sound(front: &Front, body: &[u8]) -> bool {
    match front.layout {
        Layout::Plain => checksum(body) == front.body_sum,
        Layout::Elsewhere => body.is_empty(),
        // This tier writes none.
        Layout::Compressed => false,
    }
}

async fn open_large(disk: &Arc<Disk>, id: u64) -> io::Result<Arc<Opened>> {
    if let Some(opened) = disk.files.opened(Name::Large(id)) {
        return Ok(opened);
    }
    let reader = Arc::clone(disk);
    disk.read_behind(move || reader.files.open(Name::Large(id))).await
}
