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
use crate::codec::{Checksum, FRONT_BYTES, Front, HeadCodec, Layout, checksum};
use crate::entry::{Entry, Key};
use crate::error::TierFailure;

type Found<H> = Option<Arc<Entry<H>>>;

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
}

pub(super) async fn look_up<H: Send + Sync + 'static>(
    disk: &Arc<Disk>,
    codec: &dyn HeadCodec<H>,
    key: &Key,
) -> Result<Found<H>, TierFailure> {
    let hash = disk.hash(key.as_bytes());
    let Some(slot) = disk.index.find(hash) else { return Ok(None) };
    let now = disk.clock.now();
    if slot.is_expired(now) {
        return Ok(None);
    }
    let Some((pieces, segment_id)) = read_record(disk, &slot, key).await? else { return Ok(None) };
    let stored = match read_pieces(disk, codec, &slot, segment_id, key, pieces) {
        Ok(stored) if stored.front.keep_until > now => stored,
        Ok(_) | Err(Unread::OtherKey) => return Ok(None),
        Err(Unread::Damaged) => {
            disk.note_damaged(hash, slot.place);
            return Ok(None);
        }
    };
    let Stored { front, frame, head, trailer, body } = stored;
    let body = match slot.form() {
        Form::Small => Body::in_page(body, trailer),
        Form::Large => match large_body(disk, &slot, &front, &frame).await? {
            Some(large) => Body::elsewhere(Arc::new(large), front.body_len, trailer),
            None => return Ok(None),
        },
    };
    let Front { keep_until, stamp, epoch, .. } = front;
    Ok(Some(Arc::new(Entry::stored(head, body, keep_until, stamp, epoch))))
}

// `None` where it was evicted meanwhile, is too short to be the key's, or was cut off.
async fn read_record(
    disk: &Arc<Disk>,
    slot: &Slot,
    key: &Key,
) -> Result<Option<(Pieces, u64)>, TierFailure> {
    let prefix_len = FRAME_BYTES + FRONT_BYTES + key.as_bytes().len();
    let Some(rest_len) = (slot.len() as usize).checked_sub(prefix_len) else { return Ok(None) };
    let fresh = move || Pieces { prefix: vec![0; prefix_len], rest: vec![0; rest_len].into() };
    let (name, at) = (Name::Segment(slot.place.segment), u64::from(slot.place.at));
    if let Some(opened) = disk.files.opened(name) {
        let mut pieces = fresh();
        let buffers = &mut [IoSliceMut::new(&mut pieces.prefix), IoSliceMut::new(&mut pieces.rest)];
        if opened.read_at_once(buffers, at) {
            disk.stats.reads_at_once.one_more();
            return Ok(Some((pieces, opened.id)));
        }
    }
    let reader = Arc::clone(disk);
    let read = disk.read_behind(move || {
        let opened = reader.files.open(name)?;
        let mut pieces = fresh();
        opened.read(&mut [&mut pieces.prefix, &mut pieces.rest], at)?;
        Ok((pieces, opened.id))
    });
    match read.await {
        Ok(read) => Ok(Some(read)),
        Err(failed) => not_read(disk, slot, &failed).map(|()| None),
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

fn read_pieces<H: Send + Sync + 'static>(
    disk: &Disk,
    codec: &dyn HeadCodec<H>,
    slot: &Slot,
    segment_id: u64,
    key: &Key,
    pieces: Pieces,
) -> Result<Stored<H>, Unread> {
    let (frame_bytes, front_and_key) = pieces.prefix.split_at(FRAME_BYTES);
    let frame = Frame::read(frame_bytes, segment_id, slot.place.at);
    let frame = frame.filter(|frame| frame.hash == slot.hash).ok_or(Unread::Damaged)?;
    let (front_bytes, key_bytes) = front_and_key.split_at(FRONT_BYTES);
    let front = Front::read(front_bytes).map_err(|_| Unread::Damaged)?;
    // Of another length, the key is another: then what was taken for it is not all key.
    if front.key_len as usize != key.as_bytes().len() {
        return Err(Unread::OtherKey);
    }
    let (rest, head_len) = (&pieces.rest, front.head_len as usize);
    let after_key = front.middle_len() - front.key_len as usize;
    let agrees = frame.record_bytes() == u64::from(slot.len())
        && front.total_len() == u64::from(frame.len)
        && after_key <= rest.len();
    if !agrees || !is_sound(&front, key_bytes, &rest[..after_key], &rest[after_key..]) {
        return Err(Unread::Damaged);
    }
    if key_bytes != key.as_bytes() {
        return Err(Unread::OtherKey);
    }
    let page = disk.budget.adopt(pieces.rest);
    let trailer = front.trailer_len.map(|_| page.slice(head_len..after_key));
    let head = codec.decode(&page.slice(..head_len)).ok_or(Unread::Damaged)?;
    Ok(Stored { front, frame, head, trailer, body: page.slice(after_key..) })
}

fn is_sound(front: &Front, key: &[u8], head_and_trailer: &[u8], body: &[u8]) -> bool {
    let mut middle = Checksum::new();
    middle.add(key);
    middle.add(head_and_trailer);
    let is_body_sound = match front.layout {
        Layout::Plain => checksum(body) == front.body_sum,
        Layout::Elsewhere => body.is_empty(),
        // This tier writes none.
        Layout::Compressed => false,
    };
    middle.value() == front.middle_sum && is_body_sound
}

// `None` where it was evicted meanwhile, or is not what its record says.
async fn large_body(
    disk: &Arc<Disk>,
    slot: &Slot,
    front: &Front,
    frame: &Frame,
) -> Result<Option<LargeBody>, TierFailure> {
    let Some(large) = frame.large else {
        disk.note_damaged(slot.hash, slot.place);
        return Ok(None);
    };
    let opened = match open_large(disk, large.id).await {
        Ok(opened) => opened,
        Err(failed) => return not_read(disk, slot, &failed).map(|()| None),
    };
    if opened.len != large.bytes || large.bytes != file_bytes(front.body_len) {
        disk.note_damaged(slot.hash, slot.place);
        return Ok(None);
    }
    let (disk, hash, place) = (Arc::clone(disk), slot.hash, slot.place);
    Ok(Some(LargeBody { disk, opened, body_len: front.body_len, hash, place }))
}

async fn open_large(disk: &Arc<Disk>, id: u64) -> io::Result<Arc<Opened>> {
    if let Some(opened) = disk.files.opened(Name::Large(id)) {
        return Ok(opened);
    }
    let reader = Arc::clone(disk);
    disk.read_behind(move || reader.files.open(Name::Large(id))).await
}
