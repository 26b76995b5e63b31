//! Redis as a tier that all nodes of a cluster see, and the link to it that others use too.
//!
//! [`Link`] is the connection: every call has a time limit of its own and a breaker around it,
//! connecting happens behind. [`Names`] says under which keys things lie. What is stored is a miss
//! when it is damaged, foreign or of another version, never an error and never a wrong body.

mod breaker;
mod dial;
mod driven;
mod ears;
mod failure;
mod lease;
mod link;
mod manifest;
mod names;
mod options;
mod purge_log;
mod roll;
mod script;
mod tier;
mod tracked;

pub use ::redis::{Cmd as Command, Pipeline, Value as Reply};
pub use ears::{Push, Subscription};
pub use failure::LinkFailure;
pub use lease::{LeaseOptions, LeaseSnapshot, RedisLeases};
pub use link::{Link, LinkSnapshot, LinkState};
pub use names::{Family, Names};
pub use options::{Address, Admission, LinkOptions, RedisOptions, Server, Tls};
pub use purge_log::{InDoubt, RedisLog, RedisLogOptions, RedisLogSnapshot};
pub use roll::{Listed, NodeLine, NodeName, Roll};
pub use script::Script;
pub use tier::{RedisTier, RedisTierSnapshot};
pub use tracked::{Stored, Told, Tracked, TrackedOptions, TrackedSnapshot};
