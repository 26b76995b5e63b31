//! In the place of HTTP/3 where the program is built without it: nobody is accepted by UDP.

use std::future::pending;
use std::sync::Arc;

use super::listen::BindError;
use super::request::Service;
use super::terms::Terms;
use crate::config::Listen;
use crate::tls::Tls;

/// No sockets.
pub(super) struct Endpoints;

/// A client that does not come.
pub(super) enum Attempt {}

/// Where a listener is from.
pub(super) enum Origin {
    Bound,
    Inherited,
}

impl Endpoints {
    pub(super) fn none() -> Self {
        Endpoints
    }

    pub(super) fn add(&mut self, _: &Listen, _: &Arc<Tls>, _: Origin) -> Result<(), BindError> {
        Ok(())
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
