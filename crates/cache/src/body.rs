//! Bytes that may still be arriving: one writer, many readers, each at its own pace.
#![allow(unused_variables, dead_code, clippy::todo)]
use std::borrow::Cow;
use std::ops::Range;
use std::task::{Context, Poll};

use bytes::Bytes;

use crate::budget::Budget;
use crate::error::{Broken, NobodyReads};

/// How much of a body is kept, and how much of one that is not kept may wait for its readers.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The longest body that is kept.
    pub kept_bytes_max: u64,
    /// Bytes between the writer and the slowest reader of a body that is not kept.
    pub window_bytes_max: usize,
}

/// How a body ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// All of it is held.
    Whole,
    /// All of it went by; it was too large to be kept.
    PassedThrough,
    /// It was cut off.
    Broken(Broken),
}

/// Bytes that may still be arriving. Cloning it copies nothing.
#[derive(Clone, Debug)]
pub struct Body {}

impl Body {
    /// A body that is there already. Copied into a page of its own and counted.
    pub fn whole(bytes: Bytes, budget: &Budget) -> Self {
        todo!()
    }
    /// A body of no bytes.
    pub fn empty() -> Self {
        todo!()
    }
    /// A body that its writer sends. Make the leader's own reader before the first push: a body
    /// that is not kept and that nobody reads ends at once.
    pub fn arriving(
        limits: Limits,
        budget: &Budget,
        expected_len: Option<u64>,
    ) -> (BodyWriter, Self) {
        todo!()
    }
    /// A reader from the first byte; `None` if the begin has gone, and who asks must go himself.
    pub fn reader(&self) -> Option<Reader> {
        todo!()
    }
    /// A reader of a byte range (cut at the body's end); `None` if its begin has gone.
    pub fn reader_of(&self, range: Range<u64>) -> Option<Reader> {
        todo!()
    }
    /// All of it, if it is whole.
    pub fn as_whole(&self) -> Option<&Whole> {
        todo!()
    }
    /// Its length, if it is whole or was announced.
    pub fn len_known(&self) -> Option<u64> {
        todo!()
    }
    /// How it ended; `None` while it arrives.
    pub fn end(&self) -> Option<End> {
        todo!()
    }
    /// Waits until it ended.
    pub async fn ended(&self) -> End {
        todo!()
    }
}

/// A body that is all there.
#[derive(Debug)]
pub struct Whole {}
impl Whole {
    /// Its length.
    pub fn len(&self) -> u64 {
        todo!()
    }
    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        todo!()
    }
    /// All of it as one slice; always so up to 1 MiB unless memory was short.
    pub fn as_bytes(&self) -> Option<&Bytes> {
        todo!()
    }
    /// All of it, in order.
    pub fn chunks(&self) -> &[Bytes] {
        todo!()
    }
    /// The slices of a range, cut at the end.
    pub fn slices(&self, range: Range<u64>) -> impl Iterator<Item = Bytes> + '_ {
        std::iter::empty()
    }
    /// What followed it, in the caller's own encoding.
    pub fn trailer(&self) -> Option<&Bytes> {
        todo!()
    }
}

/// Sends a body. Dropping it before [`BodyWriter::finish`] breaks the body.
#[derive(Debug)]
pub struct BodyWriter {}
impl BodyWriter {
    /// Waits until a further push is due: at once while the body is kept, otherwise when the slowest reader
    /// has made room. Safe to drop at any moment.
    pub async fn room(&mut self) -> Result<(), NobodyReads> {
        todo!()
    }
    /// Adds bytes, now. `Err` means that the body is not kept and all readers left: end the fetch.
    pub fn push(&mut self, bytes: Bytes) -> Result<(), NobodyReads> {
        todo!()
    }
    /// Waits until the body is not kept and nobody reads it; forever while it is kept.
    /// For `select!` beside a silent origin.
    pub async fn deserted(&mut self) {
        todo!()
    }
    /// Ends the body properly. A length other than the announced one breaks it instead.
    pub fn finish(self, trailer: Option<Bytes>) -> End {
        todo!()
    }
    /// Breaks the body.
    pub fn abort(self, reason: impl Into<Cow<'static, str>>) {
        todo!()
    }
}

/// Reads a body. A broken body ends with an error, on every further call again.
#[derive(Debug)]
pub struct Reader {}
impl Reader {
    /// The next bytes, shared and not copied; `None` is the proper end.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        todo!()
    }
    /// As [`Reader::poll_next`], to be awaited. Safe to drop at any moment.
    pub async fn next(&mut self) -> Option<Result<Bytes, Broken>> {
        todo!()
    }
    /// What followed the body, after its proper end.
    pub fn trailer(&self) -> Option<Bytes> {
        todo!()
    }
}
