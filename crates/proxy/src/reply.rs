//! An answer with what is said of it, until both leave.

use forebay_semantics::Timestamp;
use forebay_semantics::status::{CacheStatus, Source};
use http::HeaderMap;

use crate::answer::Answer;
use crate::ask::{Ask, Refusal};
use crate::compress;
use crate::compressor::Saving;
use crate::failure::FetchFailure;
use crate::gateway::Gateway;
use crate::kept::{KeptEntry, KeptResponse};
use crate::respond::{self, Unanswered};
use crate::telemetry::Telling;

/// An answer that is not signed yet.
pub struct Reply {
    answer: Answer,
    said: CacheStatus<'static>,
    age_seconds: Option<u64>,
    failure: Option<FetchFailure>,
    coded: Option<Saving>,
}

impl Reply {
    /// An answer that is not from a stored response.
    pub fn of(answer: Answer, said: CacheStatus<'static>) -> Self {
        Reply { answer, said, age_seconds: None, failure: None, coded: None }
    }

    /// An answer from an entry, or why there is none.
    pub fn from_entry(
        gateway: &Gateway,
        ask: &Ask,
        entry: &KeptEntry,
        response: &KeptResponse,
        said: CacheStatus<'static>,
        now: Timestamp,
    ) -> Result<Self, Unanswered> {
        let (answer, coded) = compress::from_entry(gateway, ask, entry, response)?;
        let age_seconds = respond::age_said(response, &said, now);
        Ok(Reply { answer, said, age_seconds, failure: None, coded })
    }

    /// The same with fields that are for this client alone, and not stored.
    pub fn with_fields(mut self, own: HeaderMap) -> Self {
        self.answer.fields.extend(own);
        self
    }

    /// A refusal of the gateway's own.
    pub fn refused(gateway: &Gateway, refusal: Refusal) -> Self {
        let detail = Some(refusal.detail.word());
        let said = CacheStatus { detail, ..CacheStatus::new(gateway.name(), Source::Own) };
        Reply::of(respond::refusal(refusal), said)
    }

    /// The same, with what went wrong on the way, for the log.
    pub fn because(self, failure: &FetchFailure) -> Self {
        Reply { failure: Some(failure.clone()), ..self }
    }

    /// Signs the answer, and sees to it that the exchange is told of when it ends.
    pub fn into_answer(mut self, gateway: &Gateway, ask: Option<&Ask>, telling: Telling) -> Answer {
        respond::sign(gateway, ask, &mut self.answer, &self.said, self.age_seconds);
        telling.watch(&mut self.answer, self.said, self.failure, self.coded);
        self.answer
    }
}
