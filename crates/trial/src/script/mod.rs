//! An exchange script: a story of clients, an origin and passing time, as a stranger reads it.
//!
//! The language is described in `scripts/README.md`. A script is parsed whole before anything
//! runs; what cannot be read is said with file, line, what was found and what may stand there.

mod detail;
mod nearest;
mod parse;
mod sentence;
mod template;

pub use detail::{BodyMatch, Expected, FieldMatch, Said, Sent, Wanted};
pub use parse::parse;
pub use template::Text;

use std::path::PathBuf;
use std::time::Duration;

/// A whole script.
#[derive(Clone, Debug)]
pub struct Script {
    /// The file that it was read from.
    pub path: PathBuf,
    /// What it proves: its first comment.
    pub title: String,
    /// What it puts into the gateway's configuration.
    pub tables: Vec<Table>,
    /// Whether it is told everywhere.
    pub told: Told,
    /// What happens, in order.
    pub steps: Vec<Step>,
}

/// Lines of TOML for one table of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// `route` (the one before the origin), `gateway` (the top of the file), or a table's name.
    pub name: String,
    /// Its lines.
    pub lines: Vec<String>,
}

/// On which stages a script is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// On all of them.
    Everywhere,
    /// In the simulator alone, for this reason.
    Simulated(String),
    /// Over real sockets alone, for this reason.
    Real(String),
}

/// One sentence and the lines below it.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its line in the file, counted from 1.
    pub line: usize,
    /// The sentence as written.
    pub text: String,
    /// What it means.
    pub act: Act,
}

/// Which clients a sentence is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// One, by name; the unnamed one's name is empty.
    One(String),
    /// This many new ones at once.
    Crowd(usize),
    /// Every one that waits for an answer.
    All,
}

/// A status that an answer may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// This one.
    Exact(u16),
    /// Any of this hundred: `4xx`.
    Class(u16),
}

/// What follows an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// Nothing is asked.
    Anything,
    /// The connection is closed.
    Close,
    /// The body ends before its framing says so.
    CutShort,
}

/// How the origin frames a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// `Content-Length`, unless the script says it.
    Length,
    /// Each body line a chunk.
    Chunks,
    /// The end of the connection is the end of the body.
    UntilClose,
}

/// A request line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestLine {
    /// The method.
    pub method: String,
    /// The target, byte for byte.
    pub target: String,
    /// `HTTP/1.1` unless said otherwise.
    pub version: String,
}

/// What a sentence means.
#[derive(Clone, Debug)]
pub enum Act {
    /// A request is sent; nobody waits for its answer.
    Asks(Who, RequestLine, Sent),
    /// Bytes are sent as they are.
    ClientSends(Who, Vec<Text>),
    /// A whole response is read.
    Gets(Who, Vec<Status>, Expected, After),
    /// A response's head is read, and as much of its body as the sentence shows.
    BeginsToGet(Who, Vec<Status>, Expected),
    /// What is left of such a body is read.
    GetsRest(Who, Expected, After),
    /// The connection is closed without another byte.
    GetsClose(Who),
    /// Nothing has come so far.
    GetsNothing(Who),
    /// The client closes its connection.
    Leaves(Who),
    /// The origin has been asked this, or is asked within a while.
    Hears(RequestLine, Expected, After),
    /// The origin answers: the request to this target, or the one heard last.
    Answers(Option<String>, u16, Sent, Framing),
    /// From here on the origin answers each request at once.
    AlwaysAnswers(u16, Sent, Framing),
    /// The origin sends a head and the beginning of a body.
    Begins(Option<String>, u16, Sent, Framing),
    /// It sends more of that body.
    GoesOn(Sent),
    /// That body ends well.
    Ends(Sent),
    /// The origin closes the connection of the exchange, whatever is missing.
    Closes,
    /// The origin sends bytes as they are.
    OriginSends(Vec<Text>),
    /// No request is left that the script has not told of.
    IsSilent,
    /// The origin refuses connections, and ends those that it has.
    IsDown,
    /// It takes connections again.
    IsUp,
    /// So many requests since the origin began to answer by itself.
    HasHeard(usize),
    /// Time goes by.
    Pass(Duration),
}

impl Status {
    /// Whether this status is meant.
    pub fn covers(self, status: u16) -> bool {
        match self {
            Status::Exact(wanted) => wanted == status,
            Status::Class(hundred) => hundred == status / 100,
        }
    }
}
