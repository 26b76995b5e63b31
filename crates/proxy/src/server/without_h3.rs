//! In the place of HTTP/3 where the program is built without it: nobody is accepted by UDP.

use std::future::pending;
use std::sync::Arc;

use super::estate::Origin;
use super::listen::BindError;
use super::places::Places;
use super::request::Service;
use super::terms::Terms;

/// No sockets.
pub(super) struct Endpoints;

/// A client that does not come.
pub(super) enum Attempt {}

impl Endpoints {
    pub(super) fn beside(_: &Places, _: Origin) -> Result<Self, BindError> {
        Ok(Endpoints)
    }

    pub(super) async fn accept(&mut self) -> Attempt {
        pending().await
    }

    pub(super) async fn refuse(&mut self) -> ! {
        pending().await
    }

    pub(super) async fn close(self) {}
}

impl Attempt {
    pub(super) fn refuse(self) {
        match self {}
    }

    pub(super) async fn serve<S: Service>(self, _: Arc<Terms>, _: S) {
        match self {}
    }
}
