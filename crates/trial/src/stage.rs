//! Where a script is told: how a client reaches the gateway, what is behind it, how time passes.
//!
//! All else is shared by the simulator and by real sockets.

use std::future::Future;
use std::io;
use std::time::{Duration, SystemTime};

use crate::Failure;
use crate::origin::Origin;
use crate::wire::Wire;

/// A gateway with an origin behind it.
pub trait Stage {
    /// Opens a client's connection to the gateway.
    fn dial(&self) -> impl Future<Output = io::Result<Wire>>;

    /// The origin behind it.
    fn origin(&self) -> &Origin;

    /// From here on the origin refuses connections; those that it has are ended.
    fn shut_origin(&mut self) -> impl Future<Output = Result<(), Failure>>;

    /// The origin takes connections again, at the same address.
    fn open_origin(&mut self) -> impl Future<Output = Result<(), Failure>>;

    /// The wall clock, as gateway and origin see it.
    fn now(&self) -> SystemTime;

    /// Lets time go by.
    fn pass(&self, span: Duration) -> impl Future<Output = Passed>;

    /// Waits, as far as that can be seen from outside, until the gateway has brought home what was
    /// answered: no more fetches are under way than are open at the origin. A fetch that the story
    /// has not come to yet is not waited for long.
    fn landed(&self, _open: usize) -> impl Future<Output = ()> {
        async {}
    }

    /// How long nothing must happen until it is believed that nothing will.
    fn moment(&self) -> Duration;
}

/// Whether time went by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passed {
    /// It did.
    Gone,
    /// So long nobody waits here.
    TooLong,
}
