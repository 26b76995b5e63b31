//! Storing an entry: its body first, while it arrives; what tells where it lies last, in one step
//! with the question whether it may.

use std::sync::Arc;
use std::time::Duration;

use ::redis::{Pipeline, Value};
use bytes::Bytes;
use tokio::time::timeout;

use super::{Shared, beside, bytes_of, steps, taken_apart};
use crate::body::Reader;
use crate::codec::{Record, StoredBody, checksum, compressed};
use crate::entry::{Entry, Head, Key};
use crate::error::TierFailure;
use crate::lease::Fence;
use crate::redis::failure::LinkFailure;
use crate::redis::manifest::{Manifest, Packing, packed};
use crate::redis::options::Admission;
use crate::tier::Admitted;

/// How long a chunk is kept whose entry is not stored yet: that of a fetch that was left behind.
const DRAFT_KEPT: Duration = Duration::from_secs(10 * 60);

/// How much longer than their manifest chunks are kept, for those who read them then.
const CHUNKS_OUTLIVE: Duration = Duration::from_secs(60);

/// How long the chunks of an entry that is there no more are kept, for those who read them now.
const READ_OUT: Duration = Duration::from_secs(30);

/// The chunks of a body that are in Redis already.
struct Draft {
    token: [u8; 16],
    sums: Vec<u64>,
    len: u64,
}

/// Why nothing is stored.
enum Stop {
    With(Admitted),
    Failed(LinkFailure),
}

impl From<LinkFailure> for Stop {
    fn from(failure: LinkFailure) -> Self {
        Self::Failed(failure)
    }
}

/// An entry on its way.
struct Store<'a, H> {
    shared: &'a Arc<Shared<H>>,
    key: &'a Key,
    entry: &'a Arc<Entry<H>>,
    fence: Option<&'a Fence>,
    packing: Packing,
}

impl<H: Head> Shared<H> {
    pub(super) async fn put(
        self: &Arc<Self>,
        key: &Key,
        entry: Arc<Entry<H>>,
        fence: Option<&Fence>,
    ) -> Result<Admitted, TierFailure> {
        // Before the first wait: what arrives is not held for long.
        let Some(reader) = entry.body().tap() else { return Ok(Admitted::NotWhole) };
        let packing = match self.codec.is_compressible(entry.head()) {
            true => Packing::IfSmaller,
            false => Packing::Never,
        };
        let store = Store { shared: self, key, entry: &entry, fence, packing };
        match store.run(reader).await {
            Ok(admitted) => Ok(admitted),
            Err(Stop::With(admitted)) => {
                match admitted {
                    Admitted::Fenced => self.counts.fenced.one_more(),
                    Admitted::NotYet => self.counts.not_yet.one_more(),
                    Admitted::Kept
                    | Admitted::TooLarge
                    | Admitted::Expired
                    | Admitted::NotWhole
                    | Admitted::Busy => {}
                }
                Ok(admitted)
            }
            Err(Stop::Failed(failure)) => Err(failure.into()),
        }
    }

    pub(super) async fn remove(self: &Arc<Self>, key: &Key) -> Result<(), TierFailure> {
        let (entry, lease) = (self.names.entry(key), self.names.lease(key));
        let old = self.link.run(&steps::REMOVE, &[&entry, &lease], &[]).await?;
        self.read_out(key, old).await;
        Ok(())
    }

    // Chunks that nobody finds any more go when those who read them have had them. If that fails
    // they go when their time is over.
    async fn read_out(&self, key: &Key, old: Value) {
        let Some(value) = bytes_of(old) else { return };
        let opened = self.opened(&self.names.entry(key), &value);
        let Ok((_, Some(manifest))) = opened.and_then(|value| taken_apart(&value)) else { return };
        let mut commands = Pipeline::new();
        for index in 0..manifest.sums.len() {
            let name = self.names.chunk(key, &manifest.token, index as u32);
            commands.cmd("PEXPIRE").arg(name).arg(millis(READ_OUT)).ignore();
        }
        let _ = self.link.pipeline_within(&commands, self.options.transfer_timeout).await;
    }
}

impl<H: Head> Store<'_, H> {
    async fn run(&self, reader: Reader) -> Result<Admitted, Stop> {
        let shared = self.shared;
        if shared.left(self.entry.keep_until()).is_none() {
            return Err(Stop::With(Admitted::Expired));
        }
        let len_known = self.entry.body().len_known();
        if len_known.is_some_and(|len| len > shared.options.value_bytes_max) {
            return Err(self.too_large().await);
        }
        if !shared.link.is_up() || !shared.bulk.is_up() {
            return Err(LinkFailure::Away.into());
        }
        let permit = timeout(shared.options.transfer_timeout, shared.puts.acquire()).await;
        let Ok(Ok(_permit)) = permit else { return Err(Stop::With(Admitted::Busy)) };
        if let Admission::SecondUse(within) = shared.options.admission {
            self.sight(within).await?;
        }
        let token = rand::random();
        let mut draft = Draft { token, sums: Vec::new(), len: 0 };
        let stored = self.body_and_entry(reader, &mut draft).await;
        if !matches!(stored, Ok(Admitted::Kept)) {
            self.unlink(&draft).await;
        }
        match stored {
            Err(Stop::With(Admitted::TooLarge)) => Err(self.too_large().await),
            stored => stored,
        }
    }

    async fn body_and_entry(
        &self,
        mut reader: Reader,
        draft: &mut Draft,
    ) -> Result<Admitted, Stop> {
        let options = &self.shared.options;
        let (mut rest, mut one_value_max) = (Vec::new(), options.one_value_bytes_max);
        while let Some(slice) = reader.next().await {
            let Ok(mut slice) = slice else { return Err(Stop::With(Admitted::NotWhole)) };
            let len = draft.len + rest.len() as u64 + slice.len() as u64;
            if len > options.value_bytes_max {
                return Err(Stop::With(Admitted::TooLarge));
            }
            if rest.len() + slice.len() <= one_value_max {
                rest.extend_from_slice(&slice);
                continue;
            }
            one_value_max = 0;
            while rest.len() + slice.len() >= options.chunk_bytes {
                let missing = options.chunk_bytes.saturating_sub(rest.len());
                rest.extend_from_slice(&slice.split_to(missing.min(slice.len())));
                let beyond = rest.split_off(options.chunk_bytes.min(rest.len()));
                self.send_chunk(std::mem::replace(&mut rest, beyond), draft).await?;
            }
            rest.extend_from_slice(&slice);
        }
        let trailer = reader.trailer();
        if one_value_max > 0 {
            let value = self.value_of(rest, trailer).await?;
            return self.send_entry(value).await;
        }
        while !rest.is_empty() {
            let beyond = rest.split_off(options.chunk_bytes.min(rest.len()));
            self.send_chunk(std::mem::replace(&mut rest, beyond), draft).await?;
        }
        self.lengthen(draft).await?;
        let value = self.value_of_chunks(draft, trailer)?;
        self.send_entry(value).await
    }

    // What is too long to be taken leaves nothing behind that would be older.
    async fn too_large(&self) -> Stop {
        let (entry, lease) = self.names();
        let keys: [&[u8]; 2] = [&entry, &lease];
        let limit = self.shared.options.transfer_timeout;
        let done =
            self.shared.link.run_within(&steps::GIVE_UP, &keys, &[self.token()], limit).await;
        match done {
            Ok(Value::Int(0)) => Stop::With(Admitted::Fenced),
            Ok(old) => {
                self.shared.read_out(self.key, old).await;
                Stop::With(Admitted::TooLarge)
            }
            Err(failure) => failure.into(),
        }
    }

    // All that one fetch offers is one sighting: an index and its variant come together.
    async fn sight(&self, within: Duration) -> Result<(), Stop> {
        let names = &self.shared.names;
        let sighting = names.sighting(&names.family_of(self.key));
        let (entry, by_chance) = (names.entry(self.key), rand::random::<[u8; 16]>());
        let fetch = self.fence.map_or(&by_chance, |fence| &fence.token);
        let within = millis(within.max(Duration::from_millis(1)));
        let keys: [&[u8]; 2] = [&entry, &sighting];
        let arguments: [&[u8]; 2] = [fetch, within.as_bytes()];
        let limit = self.shared.options.transfer_timeout;
        match self.shared.link.run_within(&steps::SIGHT, &keys, &arguments, limit).await? {
            Value::Int(0) => Err(Stop::With(Admitted::NotYet)),
            _ => Ok(()),
        }
    }

    async fn send_chunk(&self, bytes: Vec<u8>, draft: &mut Draft) -> Result<(), Stop> {
        // A body within its bound has at most 4096 of them.
        let name = self.shared.names.chunk(self.key, &draft.token, draft.sums.len() as u32);
        draft.len += bytes.len() as u64;
        let (shared, sealed_for) = (Arc::clone(self.shared), name.clone());
        let packing = self.packing;
        let work = beside(bytes.len(), move || {
            let mut chunk = packed(&bytes, packing);
            if chunk.len() < bytes.len() {
                shared.counts.compressed.one_more();
            }
            let sum = checksum(&chunk);
            if let Some(seal) = &shared.seal {
                seal.close(&sealed_for, &mut chunk);
            }
            (chunk, sum)
        });
        let Some((chunk, sum)) = work.await else { return Err(Stop::With(Admitted::Busy)) };
        draft.sums.push(sum);
        let mut command = ::redis::cmd("SET");
        command.arg(name).arg(chunk).arg("PX").arg(millis(DRAFT_KEPT));
        self.shared.transfer(self.shared.bulk.call(&command)).await?;
        Ok(())
    }

    // Chunks are kept for as long as their entry from now on; one that is gone already ends it.
    async fn lengthen(&self, draft: &Draft) -> Result<(), Stop> {
        let left = self.shared.left(self.entry.keep_until());
        let kept = left.ok_or(Stop::With(Admitted::Expired))? + CHUNKS_OUTLIVE;
        let mut commands = Pipeline::new();
        for name in self.chunk_names(draft) {
            commands.cmd("PEXPIRE").arg(name).arg(millis(kept));
        }
        let limit = self.shared.options.transfer_timeout;
        let there = self.shared.link.pipeline_within(&commands, limit).await?;
        match there.iter().all(|answer| *answer == Value::Int(1)) {
            true => Ok(()),
            false => Err(Stop::With(Admitted::NotWhole)),
        }
    }

    async fn unlink(&self, draft: &Draft) {
        if draft.sums.is_empty() {
            return;
        }
        let mut command = ::redis::cmd("UNLINK");
        self.chunk_names(draft).for_each(|name| {
            command.arg(name);
        });
        // If it fails they go when their time is over.
        let _ = self.shared.link.call(&command).await;
    }

    fn chunk_names<'d>(&'d self, draft: &'d Draft) -> impl Iterator<Item = Vec<u8>> + 'd {
        let names = &self.shared.names;
        (0..draft.sums.len()).map(|index| names.chunk(self.key, &draft.token, index as u32))
    }

    async fn value_of(&self, body: Vec<u8>, trailer: Option<Bytes>) -> Result<Vec<u8>, Stop> {
        let (shared, key, entry) =
            (Arc::clone(self.shared), self.key.clone(), Arc::clone(self.entry));
        let packs =
            self.packing == Packing::IfSmaller && body.len() >= shared.options.compress_from;
        let work = beside(body.len(), move || {
            let small = if packs { compressed(&body) } else { None };
            if small.is_some() {
                shared.counts.compressed.one_more();
            }
            let stored = match &small {
                Some(bytes) => StoredBody::Compressed { bytes, body_len: body.len() as u64 },
                None => StoredBody::Plain(&body),
            };
            shared.written(&key, &entry, trailer.as_deref(), stored, None)
        });
        work.await.unwrap_or(Err(Stop::With(Admitted::Busy)))
    }

    fn value_of_chunks(&self, draft: &Draft, trailer: Option<Bytes>) -> Result<Vec<u8>, Stop> {
        let manifest = Manifest {
            token: draft.token,
            // It is at most 4 MiB.
            chunk_bytes: self.shared.options.chunk_bytes as u32,
            sums: draft.sums.clone(),
        };
        let body = StoredBody::Elsewhere { body_len: draft.len };
        self.shared.written(self.key, self.entry, trailer.as_deref(), body, Some(&manifest))
    }

    async fn send_entry(&self, value: Vec<u8>) -> Result<Admitted, Stop> {
        let left = self.shared.left(self.entry.keep_until());
        let kept = millis(left.ok_or(Stop::With(Admitted::Expired))?);
        let (entry, lease) = self.names();
        let keys: [&[u8]; 2] = [&entry, &lease];
        let arguments: [&[u8]; 3] = [self.token(), &value, kept.as_bytes()];
        let store = self.shared.bulk.run(&steps::STORE, &keys, &arguments);
        match self.shared.transfer(store).await? {
            Value::Int(0) => Err(Stop::With(Admitted::Fenced)),
            old => {
                self.shared.read_out(self.key, old).await;
                Ok(Admitted::Kept)
            }
        }
    }

    // The entry's name, and that of the lease that must stand, or must not be another's.
    fn names(&self) -> (Vec<u8>, Vec<u8>) {
        let names = &self.shared.names;
        let lease = match self.fence {
            Some(fence) => names.lease(&fence.key),
            None => names.lease(&names.family_of(self.key)),
        };
        (names.entry(self.key), lease)
    }

    fn token(&self) -> &[u8] {
        self.fence.map_or(&[], |fence| &fence.token)
    }
}

impl<H: Head> Shared<H> {
    fn written(
        &self,
        key: &Key,
        entry: &Entry<H>,
        trailer: Option<&[u8]>,
        body: StoredBody<'_>,
        manifest: Option<&Manifest>,
    ) -> Result<Vec<u8>, Stop> {
        let mut head = Vec::new();
        self.codec.encode(entry.head(), &mut head);
        let record = Record {
            key: key.as_bytes(),
            head: &head,
            trailer,
            body,
            keep_until: entry.keep_until(),
            stamp: entry.stamp(),
            epoch: entry.epoch(),
        };
        let mut value = Vec::new();
        record.write(&mut value).map_err(|_| Stop::With(Admitted::TooLarge))?;
        if let Some(manifest) = manifest {
            manifest.write(&mut value);
        }
        if let Some(seal) = &self.seal {
            seal.close(&self.names.entry(key), &mut value);
        }
        Ok(value)
    }
}

fn millis(span: Duration) -> String {
    span.as_millis().max(1).to_string()
}
