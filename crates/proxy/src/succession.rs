//! One process takes over from another without a request lost.
//!
//! The one that runs, the *predecessor*, starts the *successor* with the same arguments and a channel
//! as its standard input, over which listening sockets go as well. The successor takes the sockets,
//! asks for the directories that one process alone can hold, opens them, gets ready to serve, and says
//! so. Then the predecessor accepts no more and drains, and the successor begins to accept: a client
//! that comes in between waits in the backlog of a socket that is never closed. Until the successor is
//! ready it can fail in any way: the predecessor takes back what it has let go and goes on.

mod channel;
mod successor;
mod upgrade;

use serde::{Deserialize, Serialize};

use crate::server::Part;

pub use successor::Successor;
pub use upgrade::{Legacy, Upgrader, WITHIN, WITHIN_MAX, Wish};

/// Set for a successor: the version of the words below. A binary that does not know the variable, or
/// knows another version, does not get ready, and nothing is lost.
const VARIABLE: &str = "FOREBAY_SUCCEEDS";
const VERSION: &str = "1";

/// What the two say to each other, one on a line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Word {
    /// From the predecessor: a listening socket comes along.
    Socket(Part),
    /// From the predecessor: the token that it made for operators, whose file stays where it is.
    Token(String),
    /// From the predecessor: that was all.
    All,
    /// From the successor: let go of what one process alone can hold.
    LetGo,
    /// From the predecessor: it is let go.
    Gone,
    /// From the successor: it can accept clients.
    Ready,
    /// From the predecessor: it accepts no more.
    Yours,
    /// From the successor: it cannot, and ends.
    Failed(String),
}
