//! One try at a member: a turn that was chosen, a connection, an exchange, and what the choice is
//! told of it.

use std::sync::Arc;

use http::{Request, Response};
use tokio::time::Instant;

use super::Observer;
use super::attempt::Lost;
use super::body::OriginBody;
use super::choice::{Choice, Outcome, Tried, Turn};
use super::counts::{self, Event};
use super::limit::Place;
use super::member::Member;
use super::pool::Wanted;
use super::request::RequestBody;
use crate::failure::{FailureKind, FetchFailure};

/// A request that may go to the member of its turn.
pub(super) struct Entered {
    pub(super) turn: Turn,
    /// Where requests at once are bounded.
    pub(super) place: Option<Place>,
}

/// What a request holds at a member until its response has ended or is dropped.
pub(super) struct Under {
    turn: Turn,
    _place: Option<Place>,
}

impl Entered {
    /// The member's answer, which holds the turn until it has ended.
    pub(super) async fn ask(
        mut self,
        member: &Member,
        request: &mut Request<RequestBody>,
        wanted: Wanted,
        observer: Option<&Observer>,
    ) -> Result<Response<OriginBody>, Lost> {
        let answered = match member.connection(wanted).await {
            Ok(held) => {
                if self.turn.is_probe() {
                    self.turn.tell(Instant::now(), Outcome::Reached);
                }
                member.exchange(held, request, wanted, observer).await
            }
            Err(failure) => Err(Lost::unsent(failure, request.method())),
        };
        let now = Instant::now();
        match answered {
            Ok(mut response) => {
                self.turn.tell(now, Outcome::Answered(response.status()));
                response.body_mut().hold(Under { turn: self.turn, _place: self.place });
                Ok(response)
            }
            Err(lost) => {
                self.turn.end(now, Outcome::of(&lost.failure));
                Err(lost)
            }
        }
    }
}

impl Under {
    /// The response broke off.
    pub(super) fn broke(mut self, failure: &FetchFailure) {
        self.turn.tell(Instant::now(), Outcome::of(failure));
    }
}

/// The turn of the only member that there is.
pub(super) fn enter_only(member: &Member, choice: &Arc<Choice>) -> Result<Entered, FetchFailure> {
    let now = Instant::now();
    let chosen = choice.choose(now, 0, &Tried::default());
    let turn = chosen.map_err(|nobody| refused(&member.name, nobody.probe_due, now))?;
    Ok(Entered { turn, place: None })
}

/// That no member may be asked, and when that may be over.
pub(super) fn refused(members: &Arc<str>, due: Option<Instant>, now: Instant) -> FetchFailure {
    counts::note(Event::Nobody);
    let wait = due.map(|due| due.saturating_duration_since(now));
    FetchFailure::new(FailureKind::NoMember, members).until(wait.unwrap_or_default())
}
