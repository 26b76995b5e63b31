//! systemd's two protocols: sockets that it has opened (sd_listen_fds(3)), and what it is told of the
//! service (sd_notify(3)). Without its variables in the environment neither does anything.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;

use crate::server::{Bequest, Inherited, Part};

/// The first descriptor that is passed.
const FIRST: i32 = 3;

/// More sockets than anybody listens on.
const SOCKETS_MAX: i32 = 1024;

/// The name of a socket for operators, in `FileDescriptorName=`.
const OPERATORS: &str = "admin";

/// Tells systemd how the service stands. Cloning it shares it.
#[derive(Clone, Debug, Default)]
pub struct Notify(Option<Arc<Door>>);

/// Where it is told.
#[derive(Debug)]
struct Door {
    socket: UnixDatagram,
    place: String,
}

impl Notify {
    /// As the environment says.
    pub fn from_environment() -> Self {
        let place = std::env::var("NOTIFY_SOCKET").ok().filter(|place| !place.is_empty());
        let door = place.and_then(|place| {
            Some(Arc::new(Door { socket: UnixDatagram::unbound().ok()?, place }))
        });
        Notify(door)
    }

    /// It serves.
    pub fn ready(&self) {
        self.tell(&format!("READY=1\nSTATUS=serving, process {}", std::process::id()));
    }

    /// It reads its configuration again; `ready` ends that.
    pub fn reloading(&self) {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let micros = now.tv_sec * 1_000_000 + now.tv_nsec / 1_000;
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={micros}\nSTATUS=reloading"));
    }

    /// It drains.
    pub fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=draining");
    }

    /// Another process is the service from here on.
    pub fn succeeded_by(&self, pid: u32) {
        self.tell(&format!("MAINPID={pid}\nSTATUS=serving, process {pid}"));
    }

    // Nobody waits for systemd, and who does not hear is told by what he then sees.
    fn tell(&self, words: &str) {
        let Some(door) = &self.0 else { return };
        let told = match door.place.strip_prefix('@') {
            Some(name) => send_abstract(&door.socket, name, words),
            None => door.socket.send_to(words.as_bytes(), &door.place),
        };
        if let Err(cause) = told {
            tracing::warn!("cannot tell systemd: {cause}");
        }
    }
}

#[cfg(target_os = "linux")]
fn send_abstract(socket: &UnixDatagram, name: &str, words: &str) -> std::io::Result<usize> {
    use std::os::linux::net::SocketAddrExt;
    let place = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
    socket.send_to_addr(words.as_bytes(), &place)
}

#[cfg(not(target_os = "linux"))]
fn send_abstract(_: &UnixDatagram, _: &str, _: &str) -> std::io::Result<usize> {
    Err(std::io::ErrorKind::Unsupported.into())
}

/// The sockets that were passed to this very process; or why one cannot be used.
pub fn passed() -> Result<Inherited, String> {
    let said = |name: &str| std::env::var(name).ok();
    let is_for_us = said("LISTEN_PID").is_some_and(|pid| pid == std::process::id().to_string());
    let count = said("LISTEN_FDS").filter(|_| is_for_us).map(|count| count.parse::<i32>());
    let count = match count {
        None => return Ok(Inherited::default()),
        Some(Ok(count)) if (0..=SOCKETS_MAX).contains(&count) => count,
        Some(Ok(_) | Err(_)) => {
            return Err(format!(
                "cannot use `LISTEN_FDS`: it is no number from 0 to {SOCKETS_MAX}"
            ));
        }
    };
    let names = said("LISTEN_FDNAMES").unwrap_or_default();
    let mut names = names.split(':');
    let mut passed = Vec::new();
    for number in FIRST..FIRST + count {
        let name = names.next().unwrap_or_default();
        let is_for_operators = name == OPERATORS;
        let part = if is_for_operators { Part::ActivatedOperators } else { Part::Activated };
        let refused = |why| format!("cannot use the socket `{name}` ({number}) of systemd: {why}");
        let socket = take(number).map_err(|cause| refused(untaken(&cause)))?;
        passed.push(Bequest::of(part, socket).map_err(refused)?);
    }
    Ok(Inherited(passed))
}

/// Why a socket cannot be taken. Containers often forbid what takes it.
fn untaken(cause: &std::io::Error) -> String {
    let advice = match cause.kind() {
        std::io::ErrorKind::PermissionDenied => {
            "; allow the calls `pidfd_open` and `pidfd_getfd` in the unit and in its container, or name \
             the address in `listen` and take the socket unit away"
        }
        _ => "",
    };
    format!("{cause}{advice}")
}

/// A hold of the descriptor with this number. It is not known to be one until the system has said so;
/// asking it by way of a handle of this very process does without unsafe code.
#[cfg(target_os = "linux")]
fn take(number: i32) -> std::io::Result<OwnedFd> {
    use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
    let own = pidfd_open(getpid(), PidfdFlags::empty())?;
    Ok(pidfd_getfd(&own, number, PidfdGetfdFlags::empty())?)
}

#[cfg(not(target_os = "linux"))]
fn take(_: i32) -> std::io::Result<OwnedFd> {
    Err(std::io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_not_take_a_socket_is_told_what_would_let_him() {
        let said = untaken(&std::io::Error::from_raw_os_error(1));
        assert!(
            said.contains("Operation not permitted") && said.contains("`pidfd_getfd`"),
            "{said}"
        );
        assert_eq!(untaken(&std::io::ErrorKind::NotFound.into()), "entity not found");
    }
}
