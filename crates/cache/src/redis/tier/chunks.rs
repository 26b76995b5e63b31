//! Reading a body that lies in chunks.

use std::sync::Arc;

use ::redis::{Pipeline, Value};
use bytes::Bytes;

use super::{Absent, Shared, beside, bytes_of, chunk_read_max};
use crate::body::{Body, BodyWriter, Limits};
use crate::codec::Damage;
use crate::entry::{Head, Key};
use crate::redis::failure::LinkFailure;
use crate::redis::manifest::Manifest;

/// Bodies up to this length are read and proved whole before they are given out; of longer ones so
/// much is read at once.
const TOGETHER_BYTES: u64 = 1 << 20;

/// A body whose chunks are being read.
struct Reading<H> {
    shared: Arc<Shared<H>>,
    key: Key,
    manifest: Manifest,
    body_len: u64,
}

impl<H: Head> Shared<H> {
    pub(super) async fn body_in_chunks(
        self: &Arc<Self>,
        key: &Key,
        manifest: Manifest,
        body_len: u64,
        trailer: Option<Bytes>,
    ) -> Result<Body, Absent> {
        let (shared, key) = (Arc::clone(self), key.clone());
        let reading = Reading { shared, key, manifest, body_len };
        let (first, next) = if body_len <= TOGETHER_BYTES {
            reading.group(0, Presence::OfThese).await?
        } else {
            reading.group(0, Presence::OfAll).await?
        };
        if next >= reading.manifest.sums.len() {
            let whole = match first {
                one if one.len() == 1 => one.into_iter().next().unwrap_or_default(),
                many => many.concat().into(),
            };
            return Ok(Body::whole(&whole, trailer, &self.budget));
        }
        // What there is room for is kept, so that the tiers above can have it; else it passes
        // through a window, and the slowest reader sets the pace.
        let limits = Limits {
            kept_bytes_max: self.options.value_bytes_max,
            tapped_bytes_max: u64::MAX,
            window_bytes_max: 2 * TOGETHER_BYTES as usize,
        };
        let (writer, body) = Body::arriving(limits, &self.budget, Some(body_len));
        tokio::spawn(reading.go_on(writer, first, next, trailer));
        Ok(body)
    }
}

/// Of which chunks it is asked whether they are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Presence {
    OfThese,
    OfAll,
}

impl<H: Head> Reading<H> {
    // Ends with the body: each call has a time limit, and a body that nobody reads is given up.
    async fn go_on(
        self,
        mut writer: BodyWriter,
        mut pieces: Vec<Bytes>,
        mut next: usize,
        trailer: Option<Bytes>,
    ) {
        loop {
            for piece in pieces {
                if writer.room().await.is_err() || writer.push(piece).is_err() {
                    return;
                }
            }
            if next >= self.manifest.sums.len() {
                writer.finish(trailer);
                return;
            }
            match self.group(next, Presence::OfThese).await {
                Ok(group) => (pieces, next) = group,
                Err(absent) => return self.break_off(writer, absent),
            }
        }
    }

    fn break_off(&self, writer: BodyWriter, absent: Absent) {
        match absent {
            Absent::Failed(failure) => writer.abort(failure.to_string()),
            Absent::Nothing | Absent::Incomplete => {
                self.shared.counts.incomplete.one_more();
                writer.abort("a piece of it is not in redis any more");
            }
            Absent::Damaged(damage) => {
                self.shared.note_damage(&self.key, damage);
                writer.abort(format!("cannot read a piece of it in redis: {damage}"));
            }
        }
    }

    // So many chunks as are read together, and the index behind them.
    async fn group(&self, from: usize, presence: Presence) -> Result<(Vec<Bytes>, usize), Absent> {
        let chunk_bytes = self.manifest.chunk_bytes;
        let together = usize::try_from(TOGETHER_BYTES / u64::from(chunk_bytes)).unwrap_or(1).max(1);
        let count = self.manifest.sums.len();
        let to = from.saturating_add(together).min(count);
        let mut commands = Pipeline::new();
        for index in from..to {
            let name = self.name(index);
            commands.cmd("GETRANGE").arg(name).arg(0).arg(chunk_read_max(chunk_bytes));
        }
        if presence == Presence::OfAll {
            let all = commands.cmd("EXISTS");
            (0..count).for_each(|index| {
                all.arg(self.name(index));
            });
        }
        let read = self.shared.bulk.pipeline(&commands);
        let mut answers = match self.shared.transfer(read).await {
            Ok(answers) => answers,
            Err(LinkFailure::Refused(words)) if words.contains("WRONGTYPE") => {
                return Err(Absent::Damaged(Damage::Foreign));
            }
            Err(failure) => return Err(Absent::Failed(failure)),
        };
        if presence == Presence::OfAll && answers.pop() != i64::try_from(count).ok().map(Value::Int)
        {
            return Err(Absent::Incomplete);
        }
        let mut pieces = Vec::with_capacity(answers.len());
        for (index, answer) in (from..to).zip(answers) {
            pieces.push(self.unpacked(index, answer).await?);
        }
        Ok((pieces, to))
    }

    async fn unpacked(&self, index: usize, answer: Value) -> Result<Bytes, Absent> {
        let chunk = bytes_of(answer).ok_or(Absent::Damaged(Damage::Foreign))?;
        if chunk.is_empty() {
            return Err(Absent::Incomplete);
        }
        let (name, len) = (self.name(index), chunk.len());
        let (shared, manifest, body_len) =
            (Arc::clone(&self.shared), self.manifest.clone(), self.body_len);
        let unpacked =
            beside(len, move || manifest.unpack(index, body_len, &shared.opened(&name, &chunk)?));
        unpacked.await.unwrap_or(Err(Damage::Length)).map_err(Absent::Damaged)
    }

    fn name(&self, index: usize) -> Vec<u8> {
        // There are at most 4096 of them.
        self.shared.names.chunk(&self.key, &self.manifest.token, index as u32)
    }
}
