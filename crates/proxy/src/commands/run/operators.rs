//! The operators' side of `forebay run`: the admin listener.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::admin::{Admin, Desks, Phase};
use crate::config::{Config, Limits, Listen};
use crate::gateway::Live;
use crate::guard::Gate;
use crate::server::{Drained, Estate, Inherited, NextTerms, Server, Wanted};
use crate::upstream::Destinations;

/// Connections to the admin listener at once.
const ADMIN_CONNECTIONS_MAX: usize = 64;

/// How long an answer under way has to reach an operator when the process ends.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// The admin listener, bound.
pub(super) struct Operators {
    server: Server,
    address: SocketAddr,
}

/// Operators are answered until this is told that it is over.
pub(super) struct Answering {
    end: watch::Sender<bool>,
    serving: JoinHandle<Drained>,
    gate: Arc<Gate>,
}

/// The limits of the admin listener, where these are those of the gateway.
pub(super) fn limits(limits: &Limits) -> Limits {
    Limits {
        connections_max: ADMIN_CONNECTIONS_MAX,
        connections_per_address_max: None,
        ..limits.clone()
    }
}

impl Operators {
    /// Binds the listener that the configuration names, or takes the one that was inherited; none
    /// where there is neither.
    pub(super) fn bind(config: &Config, mut inherited: Inherited) -> Result<Option<Self>, String> {
        // Where systemd has opened a socket, that is the place, unless there is to be none.
        let passed = inherited.activated().into_iter().find_map(|listen| match listen {
            Listen::Tcp(address) => Some(address),
            Listen::Unix(_) => None,
        });
        let Some(asked) = config.admin.map(|named| passed.unwrap_or(named)) else {
            return Ok(None);
        };
        if !asked.ip().is_loopback() && config.admin_token.is_none() {
            return Err(format!(
                "cannot listen on {asked} for operators: others reach it, and no token guards it; \
                 write `admin_token_file`"
            ));
        }
        let wanted = Wanted { places: vec![(Listen::Tcp(asked), None)], spokesmen: None };
        let bound = Server::bind_beside(&wanted, &limits(&config.limits), &mut inherited);
        let server = bound.map_err(|cause| cause.to_string())?;
        let address = match server.listening().first() {
            Some(Listen::Tcp(address)) => *address,
            Some(Listen::Unix(_)) | None => asked,
        };
        Ok(Some(Operators { server, address }))
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The terms of its next connections.
    pub(super) fn terms(&self) -> NextTerms {
        self.server.terms()
    }

    /// Its socket.
    pub(super) fn estate(&self) -> Estate {
        self.server.estate()
    }

    /// Who guards it. To be called when no other process puts its own token in the same place.
    pub(super) fn gate(&self, config: &Config, of_predecessor: Option<&str>) -> Arc<Gate> {
        Arc::new(Gate::open(self.address, config.admin_token.as_deref(), of_predecessor))
    }

    /// What the user is told at the start.
    pub(super) fn banner(&self, gate: &Gate) -> String {
        let (at, token) = (self.address, gate.told());
        format!("dashboard   http://{at}/\nmetrics     http://{at}/metrics\n{token}")
    }

    /// Answers operators from now on, behind.
    pub(super) fn serve(
        self,
        live: Live,
        phase: watch::Receiver<Phase>,
        gate: Arc<Gate>,
        destinations: Arc<Destinations>,
        desks: Desks,
    ) -> Answering {
        let admin = Admin::new(live, phase, Arc::clone(&gate), destinations, desks);
        let server = self.server;
        let (end, mut ended) = watch::channel(false);
        let over = async move {
            // Who could tell it has gone: then it is over as well.
            let _ = ended.wait_for(|is_over| *is_over).await;
        };
        let serving = tokio::spawn(async move { server.serve(admin, over).await });
        Answering { end, serving, gate }
    }
}

impl Answering {
    /// Accepts no more: another process does.
    pub(super) fn leave(&self) {
        self.gate.leave();
        self.end.send_replace(true);
    }

    /// Accepts no more, and waits a moment for answers under way.
    pub(super) async fn end(self) {
        self.end.send_replace(true);
        // What an operator still watches is cut.
        let _ = tokio::time::timeout(LAST_WORDS, self.serving).await;
        self.gate.close();
    }
}
