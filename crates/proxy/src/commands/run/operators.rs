//! The operators' side of `forebay run`: the admin listener, and the token that guards it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::admin::{Admin, Desks, Phase};
use crate::config::{Config, Limits, Listen};
use crate::gateway::Live;
use crate::guard::Guard;
use crate::guard::token::MadeToken;
use crate::server::{Drained, Estate, Inherited, NextTerms, Server};
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

/// The token that guards the listener, and where it is from.
pub(super) enum Token {
    /// The operator set it.
    Set(String),
    /// It was made, and lies in a file.
    Made(MadeToken),
    /// It could not be put anywhere; why not.
    Missing(String),
}

/// Operators are answered until this is told that it is over.
pub(super) struct Answering {
    end: watch::Sender<bool>,
    serving: JoinHandle<Drained>,
    token: Option<MadeToken>,
}

/// The limits of the admin listener, where these are those of the gateway.
pub(super) fn limits(limits: &Limits) -> Limits {
    Limits { connections_max: ADMIN_CONNECTIONS_MAX, ..limits.clone() }
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
        let place = [(Listen::Tcp(asked), None)];
        let bound = Server::bind_beside(&place, &limits(&config.limits), None, &mut inherited);
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

    /// The token that the configuration sets, or one that is made; the predecessor's, if there was
    /// one. To be called when no other process puts its own in the same place.
    pub(super) fn token(&self, config: &Config, of_predecessor: Option<&str>) -> Token {
        let made = match (&config.admin_token, of_predecessor) {
            (Some(token), _) => return Token::Set(token.clone()),
            (None, Some(token)) => MadeToken::keep(self.address, token),
            (None, None) => MadeToken::make(self.address),
        };
        made.map_or_else(Token::Missing, Token::Made)
    }

    /// What the user is told at the start.
    pub(super) fn banner(&self, token: &Token) -> String {
        let at = self.address;
        let places = format!("dashboard   http://{at}/\nmetrics     http://{at}/metrics\n");
        match token {
            Token::Set(_) => places,
            Token::Made(made) => {
                format!("{places}token       {} (admin calls)\n", made.path().display())
            }
            Token::Missing(why) => {
                format!("{places}token       none, so nothing can be changed: {why}\n")
            }
        }
    }

    /// Answers operators from now on, behind.
    pub(super) fn serve(
        self,
        live: Live,
        phase: watch::Receiver<Phase>,
        token: Token,
        destinations: Arc<Destinations>,
        desks: Desks,
    ) -> Answering {
        let (guard, token) = match token {
            Token::Set(token) => (Guard::Set(token), None),
            Token::Made(made) => (Guard::Made(made.token().to_owned()), Some(made)),
            Token::Missing(_) => (Guard::Missing, None),
        };
        let admin = Admin::new(live, phase, guard, destinations, desks);
        let server = self.server;
        let (end, mut ended) = watch::channel(false);
        let over = async move {
            // Who could tell it has gone: then it is over as well.
            let _ = ended.wait_for(|is_over| *is_over).await;
        };
        let serving = tokio::spawn(async move { server.serve(admin, over).await });
        Answering { end, serving, token }
    }
}

impl Token {
    /// The one that was made, for who takes over.
    pub(super) fn made(&self) -> Option<String> {
        match self {
            Token::Made(made) => Some(made.token().to_owned()),
            Token::Set(_) | Token::Missing(_) => None,
        }
    }
}

impl Answering {
    /// Accepts no more: another process does.
    pub(super) fn leave(&self) {
        self.token.iter().for_each(MadeToken::leave);
        self.end.send_replace(true);
    }

    /// Accepts no more, and waits a moment for answers under way.
    pub(super) async fn end(self) {
        self.end.send_replace(true);
        // What an operator still watches is cut.
        let _ = tokio::time::timeout(LAST_WORDS, self.serving).await;
    }
}
