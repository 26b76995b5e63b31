//! Tells a script on a stage, step by step, and stops at the first thing that is not as told.
//!
//! One engine for every stage: what differs between the simulator and real sockets is in
//! [`Stage`], and nowhere else.

mod clients;
mod compose;
mod origin_side;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::Failure;
use crate::client::Client;
use crate::origin::Heard;
use crate::script::{Act, Framing, Script, Step};
use crate::stage::{Passed, Stage};

/// How long anything that is told may take to happen.
const PATIENCE: Duration = Duration::from_secs(6);

/// How far a script was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// To its end.
    Whole,
    /// Up to this line, which lets more time pass than anybody waits here.
    Until(usize),
}

/// A script being told.
struct Telling<'a, S> {
    stage: &'a mut S,
    clients: BTreeMap<String, Client>,
    crowds: usize,
    open: Vec<Exchange>,
}

/// A request that the origin has heard and not answered to the end.
struct Exchange {
    heard: Heard,
    begun: Option<Framing>,
}

/// Tells a script. The error names its file, the line and what came instead.
pub async fn tell<S: Stage>(script: &Script, stage: &mut S) -> Result<Ending, Failure> {
    let mut telling = Telling { stage, clients: BTreeMap::new(), crowds: 0, open: Vec::new() };
    for step in &script.steps {
        if let Act::Pass(span) = step.act
            && telling.stage.pass(span).await == Passed::TooLong
        {
            return Ok(Ending::Until(step.line));
        }
        telling.act(step).await.map_err(|failure| {
            failure.during(format!("{}:{}: {}", script.path.display(), step.line, step.text))
        })?;
    }
    let left = telling.is_silent().await;
    left.map_err(|failure| failure.during(format!("{}: at its end", script.path.display())))?;
    Ok(Ending::Whole)
}

impl<S: Stage> Telling<'_, S> {
    async fn act(&mut self, step: &Step) -> Result<(), Failure> {
        match &step.act {
            Act::Asks(who, line, sent) => self.asks(who, line, sent).await,
            Act::ClientSends(who, bytes) => self.client_sends(who, bytes).await,
            Act::Gets(who, statuses, expected, after) => {
                self.gets(who, statuses, expected, *after).await
            }
            Act::BeginsToGet(who, statuses, expected) => {
                self.begins_to_get(who, statuses, expected).await
            }
            Act::GetsRest(who, expected, after) => self.gets_rest(who, expected, *after).await,
            Act::GetsClose(who) => self.gets_close(who).await,
            Act::GetsNothing(who) => self.gets_nothing(who).await,
            Act::Leaves(who) => self.leaves(who).await,
            Act::Hears(line, expected, after) => self.hears(line, expected, *after).await,
            Act::Answers(target, status, sent, framing) => {
                self.answers(target.as_deref(), *status, sent, *framing).await
            }
            Act::AlwaysAnswers(status, sent, framing) => {
                self.always_answers(*status, sent, *framing);
                Ok(())
            }
            Act::Begins(target, status, sent, framing) => {
                self.begins(target.as_deref(), *status, sent, *framing).await
            }
            Act::GoesOn(sent) => self.goes_on(sent).await,
            Act::Ends(sent) => self.ends(sent).await,
            Act::Closes => self.closes().await,
            Act::OriginSends(bytes) => self.origin_sends(bytes).await,
            Act::IsSilent => self.is_silent().await,
            Act::IsDown => self.stage.shut_origin().await,
            Act::IsUp => self.stage.open_origin().await,
            Act::HasHeard(count) => self.has_heard(*count).await,
            Act::Pass(_) => Ok(()),
        }
    }

    /// Lets what was just said reach whom it concerns, where nobody reads an answer to it.
    async fn settle(&self) {
        self.stage.pass(self.stage.moment()).await;
    }
}
