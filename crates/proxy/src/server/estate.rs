//! Listening sockets that go from one process to the next: what is left, and what was inherited.
//!
//! Where they are from is not known here: a process that is succeeded by this one, or systemd.

use std::io;
use std::os::fd::OwnedFd;

use socket2::{Domain, Socket, Type};

use super::places::Places;
use crate::config::Listen;

/// The sockets of a server that may be left to another process: those that it has at that moment.
pub struct Estate(pub(super) Places);

/// One listening socket, and what it is for.
#[derive(Debug)]
pub struct Bequest {
    /// Who is answered there.
    pub part: Part,
    /// Where it is.
    pub listen: Listen,
    /// It.
    pub socket: OwnedFd,
}

/// Who is answered at a socket, and who wanted it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// Clients; the configuration names it.
    Clients,
    /// Clients; systemd passed it, whatever the configuration says.
    Activated,
    /// Operators; the configuration names it.
    Operators,
    /// Operators; systemd passed it.
    ActivatedOperators,
}

/// Whose a process's places are at its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// Its own.
    Bound,
    /// Another process's, which may be there still.
    Inherited,
}

/// Sockets that were inherited and that nobody has taken yet. Dropped, they are closed.
#[derive(Debug, Default)]
pub struct Inherited(pub Vec<Bequest>);

impl Estate {
    /// A second hold of each socket; none of a server that drains.
    pub fn sockets(&self) -> io::Result<Vec<(Listen, OwnedFd)>> {
        self.0.sockets()
    }

    /// Whether the server accepts no more.
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// Another process has them: the paths of Unix sockets stay where they are.
    pub fn leave(&self) {
        self.0.keep_paths();
    }
}

impl Bequest {
    /// A socket that was passed, if clients can be accepted there; or why not.
    pub fn of(part: Part, socket: OwnedFd) -> Result<Self, String> {
        let cannot = |cause: io::Error| format!("it cannot be used: {cause}");
        let socket = Socket::from(socket);
        if socket.r#type().map_err(cannot)? != Type::STREAM {
            return Err("it is no stream socket; write `ListenStream=`".to_owned());
        }
        if !socket.is_listener().map_err(cannot)? {
            return Err("it does not listen; write `Accept=no`".to_owned());
        }
        let address = socket.local_addr().map_err(cannot)?;
        let listen = match (address.domain(), address.as_socket(), address.as_pathname()) {
            (Domain::IPV4 | Domain::IPV6, Some(at), _) => Listen::Tcp(at),
            (Domain::UNIX, _, Some(path)) => Listen::Unix(path.to_owned()),
            (_, _, _) => return Err("it is neither TCP nor a Unix socket with a path".to_owned()),
        };
        socket.set_nonblocking(true).map_err(cannot)?;
        Ok(Bequest { part, listen, socket: socket.into() })
    }
}

impl Inherited {
    /// Where systemd wants somebody to be accepted, whatever the configuration says.
    pub fn activated(&self) -> Vec<Listen> {
        let is_activated = |part| match part {
            Part::Activated | Part::ActivatedOperators => true,
            Part::Clients | Part::Operators => false,
        };
        let activated = self.0.iter().filter(|one| is_activated(one.part));
        activated.map(|one| one.listen.clone()).collect()
    }

    /// Those for operators, taken out.
    pub fn of_operators(&mut self) -> Inherited {
        let is_theirs = |one: &Bequest| match one.part {
            Part::Operators | Part::ActivatedOperators => true,
            Part::Clients | Part::Activated => false,
        };
        let (operators, clients) = std::mem::take(&mut self.0).into_iter().partition(is_theirs);
        self.0 = clients;
        Inherited(operators)
    }

    /// Whose places those are that will be bound.
    pub(super) fn whence(&self) -> Origin {
        if self.0.is_empty() { Origin::Bound } else { Origin::Inherited }
    }

    /// The socket for this place, taken out.
    pub(super) fn take(&mut self, wanted: &Listen) -> Option<Bequest> {
        let exact = self.0.iter().position(|one| one.listen == *wanted);
        // Whatever port the system chose for it the last time is as good as any.
        let any = || self.0.iter().position(|one| is_any_port_of(wanted, &one.listen));
        let place = exact.or_else(any)?;
        Some(self.0.swap_remove(place))
    }
}

fn is_any_port_of(wanted: &Listen, found: &Listen) -> bool {
    match (wanted, found) {
        (Listen::Tcp(wanted), Listen::Tcp(found)) => {
            wanted.port() == 0 && wanted.ip() == found.ip()
        }
        (Listen::Tcp(_) | Listen::Unix(_), _) => false,
    }
}
