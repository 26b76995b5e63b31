//! The operators' side of `forebay run`: the admin listener, and the token that guards it.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::watch;

use crate::admin::token::MadeToken;
use crate::admin::{Admin, Desks, Guard, Phase};
use crate::config::{Config, Limits, Listen};
use crate::gateway::Gateway;
use crate::server::Server;
use crate::upstream::Destinations;

/// Connections to the admin listener at once.
const ADMIN_CONNECTIONS_MAX: usize = 64;

/// The admin listener, bound.
pub(super) struct Operators {
    server: Server,
    address: SocketAddr,
    token: Token,
}

/// Where the token is from.
enum Token {
    /// The operator set it.
    Set(String),
    /// It was made, and lies in a file.
    Made(MadeToken),
    /// It could not be put anywhere; why not.
    Missing(String),
}

/// Keeps what operators need until it is dropped.
pub(super) struct Kept {
    _made: Option<MadeToken>,
}

impl Operators {
    /// Binds the listener that the configuration names, if it names one.
    pub(super) fn bind(config: &Config) -> Result<Option<Self>, String> {
        let Some(asked) = config.admin else { return Ok(None) };
        let limits = Limits { connections_max: ADMIN_CONNECTIONS_MAX, ..config.limits.clone() };
        let bound = Server::bind(&[Listen::Tcp(asked)], &limits);
        let server = bound.map_err(|cause| cause.to_string())?;
        let address = match server.listening().first() {
            Some(Listen::Tcp(address)) => *address,
            Some(Listen::Unix(_)) | None => asked,
        };
        let token = match &config.admin_token {
            Some(token) => Token::Set(token.clone()),
            None => MadeToken::make(address).map_or_else(Token::Missing, Token::Made),
        };
        Ok(Some(Operators { server, address, token }))
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What the user is told at the start.
    pub(super) fn banner(&self) -> String {
        let metrics = format!("metrics     http://{}/metrics\n", self.address);
        match &self.token {
            Token::Set(_) => metrics,
            Token::Made(made) => {
                format!("{metrics}token       {} (admin calls)\n", made.path().display())
            }
            Token::Missing(why) => {
                format!("{metrics}token       none, so nothing can be changed: {why}\n")
            }
        }
    }

    /// Answers operators from now on, behind.
    pub(super) fn serve(
        self,
        gateway: Gateway,
        phase: watch::Receiver<Phase>,
        destinations: Arc<Destinations>,
        desks: Desks,
    ) -> Kept {
        let (guard, made) = match self.token {
            Token::Set(token) => (Guard::Set(token), None),
            Token::Made(made) => (Guard::Made(made.token().to_owned()), Some(made)),
            Token::Missing(_) => (Guard::Missing, None),
        };
        let admin = Admin::new(gateway, phase, guard, destinations, desks);
        let server = self.server;
        tokio::spawn(async move { server.serve(admin, std::future::pending()).await });
        Kept { _made: made }
    }
}
