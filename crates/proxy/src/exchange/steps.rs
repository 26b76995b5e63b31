//! What the steps of a story come to. A reply is in a box: few steps come to one, and the others are
//! small.

use forebay_cache::mechanism::Flight;
use forebay_semantics::status::Forward;

use crate::fetch::Errand;
use crate::kept::{Kept, Unfilled};
use crate::reply::Reply;
use crate::seen::Seen;

/// Why a request goes to the origin: for `fwd` and for `detail`.
pub(super) type Why = (Forward, Option<&'static str>);

/// What to do about what was found.
pub(super) enum Judged {
    /// This is the answer.
    Reply(Box<Reply>),
    /// Go to the origin, with others.
    Fetch(Seen, Why),
    /// Go to the origin with the client's own words.
    Alone(Why),
}

/// What came of asking for the lead.
pub(super) enum Turn {
    /// Others fetched, and this is the answer.
    Reply(Box<Reply>),
    /// What they fetched does not fit: look again.
    Again,
    /// Fetch for all.
    Lead(Flight<Kept, Unfilled>),
    /// Fetch for this client.
    Alone(Errand, Option<&'static str>),
}

/// How a story ends.
pub(super) enum Course {
    /// With an answer from what is there.
    Reply(Box<Reply>),
    /// With a fetch for all.
    Lead(Seen, Why, Flight<Kept, Unfilled>),
    /// With a fetch for this client.
    Alone(Seen, Why, Errand),
}

impl Turn {
    /// Others have seen to it that this is the answer.
    pub(super) fn reply(reply: Reply) -> Self {
        Turn::Reply(Box::new(reply))
    }
}
