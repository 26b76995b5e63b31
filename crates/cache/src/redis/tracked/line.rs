//! The connection to one server: tracking is switched on before the first read, and reads are
//! questions sent together.

use ::redis::aio::ConnectionLike;
use ::redis::{Pipeline, RedisError, Value};
use futures_util::future::try_join_all;
use tokio::sync::watch;

use super::TrackedOptions;
use super::roster::Part;
use super::stored::{self, Sight, Stored};
use crate::redis::driven::Driven;
use crate::redis::failure::LinkFailure;

/// Keys that are asked for in one round trip.
const KEYS_PER_TRIP: usize = 1_024;

/// A connection that tracks what is read on it. Cloning it copies nothing.
#[derive(Clone)]
pub(super) struct Line {
    wire: Driven,
    ends: watch::Receiver<()>,
}

impl Line {
    /// Has the server track what is read on this connection.
    pub(super) async fn open(wire: Driven) -> Result<(Self, watch::Sender<()>), RedisError> {
        let (sender, ends) = watch::channel(());
        let mut line = Self { wire, ends };
        let mut tracking = ::redis::cmd("CLIENT");
        tracking.arg("TRACKING").arg("ON");
        tracking.exec_async(&mut line.wire).await?;
        Ok((line, sender))
    }

    /// Waits until it is given up.
    pub(super) async fn ended(&mut self) {
        // Nothing is ever sent: it fails when the sender is dropped.
        let _ = self.ends.changed().await;
    }

    /// A sign of life.
    pub(super) async fn ping(&mut self) -> Result<(), RedisError> {
        ::redis::cmd("PING").exec_async(&mut self.wire).await
    }

    /// What the server says it is.
    pub(super) async fn role(&mut self) -> Result<Value, RedisError> {
        ::redis::cmd("ROLE").query_async(&mut self.wire).await
    }

    /// What the server says of the slots of its cluster.
    pub(super) async fn slots(&mut self) -> Result<Value, RedisError> {
        ::redis::cmd("CLUSTER").arg("SLOTS").query_async(&mut self.wire).await
    }

    // The answers in order, refusals among them; fails as soon as the line is given up.
    async fn ask(&mut self, questions: &Pipeline, count: usize) -> Result<Vec<Value>, LinkFailure> {
        if count == 0 {
            return Ok(Vec::new());
        }
        let asked = self.wire.req_packed_commands(questions, 0, count);
        let answers = tokio::select! {
            answers = asked => answers.map_err(|why| LinkFailure::Cut(why.to_string()))?,
            _ = self.ends.changed() => {
                return Err(LinkFailure::Cut("it was given up".to_owned()));
            }
        };
        if answers.len() == count {
            Ok(answers)
        } else {
            Err(LinkFailure::Refused("more or fewer answers than questions".to_owned()))
        }
    }
}

/// What lies at all of these keys, in their order.
pub(super) async fn ask_all(
    parts: Vec<Part>,
    keys: &[Vec<u8>],
    options: &TrackedOptions,
) -> Result<Vec<Option<Stored>>, LinkFailure> {
    let asked = parts.into_iter().map(|part| ask_part(part, keys, options));
    let mut all = vec![None; keys.len()];
    for (place, value) in try_join_all(asked).await?.into_iter().flatten() {
        all[place] = value;
    }
    Ok(all)
}

async fn ask_part(
    mut part: Part,
    keys: &[Vec<u8>],
    options: &TrackedOptions,
) -> Result<Vec<(usize, Option<Stored>)>, LinkFailure> {
    let mut found = Vec::with_capacity(part.places.len());
    for places in part.places.chunks(KEYS_PER_TRIP) {
        let lists = ask_first(&mut part.line, places, keys, options, &mut found).await?;
        ask_lists(&mut part.line, &lists, keys, options, &mut found).await?;
    }
    Ok(found)
}

// Gives the places of those that are lists.
async fn ask_first(
    line: &mut Line,
    places: &[usize],
    keys: &[Vec<u8>],
    options: &TrackedOptions,
    found: &mut Vec<(usize, Option<Stored>)>,
) -> Result<Vec<usize>, LinkFailure> {
    let mut questions = Pipeline::with_capacity(places.len() * stored::ANSWERS);
    for place in places {
        stored::ask_what(&mut questions, &keys[*place], options);
    }
    let answers = line.ask(&questions, places.len() * stored::ANSWERS).await?;
    let (mut answers, mut lists) = (answers.into_iter(), Vec::new());
    for place in places {
        let (Some(kind), Some(text)) = (answers.next(), answers.next()) else { break };
        match stored::see(kind, text, options)? {
            Sight::Settled(value) => found.push((*place, value)),
            Sight::List => lists.push(*place),
        }
    }
    Ok(lists)
}

async fn ask_lists(
    line: &mut Line,
    places: &[usize],
    keys: &[Vec<u8>],
    options: &TrackedOptions,
    found: &mut Vec<(usize, Option<Stored>)>,
) -> Result<(), LinkFailure> {
    let mut questions = Pipeline::with_capacity(places.len());
    for place in places {
        stored::ask_items(&mut questions, &keys[*place], options);
    }
    let answers = line.ask(&questions, places.len()).await?;
    for (place, answer) in places.iter().zip(answers) {
        found.push((*place, stored::list(answer, options)?));
    }
    Ok(())
}
