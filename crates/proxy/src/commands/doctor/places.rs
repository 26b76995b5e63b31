//! Whether what the configuration names can be listened on and written.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access, statvfs};
use socket2::{Domain, Protocol, Socket, Type};

use super::finding::{Examined, Finding};
use crate::config::{Config, Listen};

/// A log or a table wants a little room.
const ROOM_BYTES_LEAST: u64 = 64 << 20;

/// Looks at every address and at every folder that something is written into.
pub(super) fn examine(config: &Config) -> Vec<Examined> {
    let admin = config.admin.map(Listen::Tcp);
    let listen = config.listen.iter().chain(&config.tls.listen).chain(&admin);
    let mut all: Vec<Examined> = listen.map(address).collect();
    let table = config.dynamic.as_ref().and_then(|dynamic| dynamic.table.as_ref());
    let files = [("access log", config.access_log_file.as_ref()), ("table of routes", table)];
    all.extend(files.into_iter().filter_map(|(what, path)| Some(file(what, path?))));
    all
}

fn address(listen: &Listen) -> Examined {
    let findings = match listen {
        Listen::Tcp(address) => bind(*address).err().map(|cause| refused(&cause)),
        Listen::Unix(path) => written(path.parent().unwrap_or(Path::new("."))),
    };
    Examined::new(format!("listen {listen}"), None, findings.into_iter().collect())
}

/// Binds it, and lets go of it at once: nobody is accepted.
fn bind(address: SocketAddr) -> io::Result<()> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())
}

fn refused(cause: &io::Error) -> Finding {
    match cause.kind() {
        io::ErrorKind::AddrInUse => {
            let help = "fine if that is this gateway; otherwise choose another port";
            Finding::hint("somebody listens there already").with_help(help)
        }
        io::ErrorKind::PermissionDenied => {
            let help = "choose a port from 1024 on, give it `AmbientCapabilities=\
                        CAP_NET_BIND_SERVICE`, or let systemd open the socket";
            Finding::problem("this user may not listen there").with_help(help)
        }
        io::ErrorKind::AddrNotAvailable => {
            Finding::problem("no interface of this machine has that address")
        }
        _ => Finding::problem(format!("cannot listen there: {cause}")),
    }
}

fn file(what: &str, path: &PathBuf) -> Examined {
    let called = format!("{what} {}", path.display());
    let mut findings = Vec::new();
    if path.is_dir() {
        findings.push(Finding::problem("it is a directory").with_help("name a file"));
    } else if path.exists() {
        let allowed = access(path, Access::WRITE_OK);
        findings.extend(
            allowed
                .err()
                .map(|cause| Finding::problem(format!("this user cannot write it: {cause}"))),
        );
    } else {
        let within = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        findings.extend(written(within.unwrap_or(Path::new("."))));
    }
    let within = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Ok(room) = statvfs(within.unwrap_or(Path::new(".")))
        && room.f_bavail.saturating_mul(room.f_frsize) < ROOM_BYTES_LEAST
    {
        let free = room.f_bavail.saturating_mul(room.f_frsize) >> 20;
        findings.push(Finding::problem(format!("its disk has {free} MiB left")));
    }
    Examined::new(called, None, findings)
}

/// Whether something can be made in a directory.
fn written(directory: &Path) -> Option<Finding> {
    let shown = directory.display();
    match access(directory, Access::WRITE_OK | Access::EXEC_OK) {
        Ok(()) => None,
        Err(rustix::io::Errno::NOENT) => {
            let message = format!("`{shown}` does not exist");
            Some(Finding::problem(message).with_help(format!("`mkdir -p {shown}`")))
        }
        Err(cause) => {
            Some(Finding::problem(format!("this user cannot write into `{shown}`: {cause}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_free_taken_or_of_another_machine() {
        let said = |at: SocketAddr| address(&Listen::Tcp(at)).to_string();
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let at = taken.local_addr().unwrap();
        assert!(said(at).contains("hint     somebody listens there already"), "{}", said(at));
        drop(taken);
        assert_eq!(said(at), format!("listen {at}\n  fine\n"));
        let elsewhere = said("192.0.2.1:80".parse().unwrap());
        assert!(elsewhere.contains("no interface"), "{elsewhere}");
    }

    #[test]
    fn a_file_can_be_written_or_it_is_said_why_not() {
        let folder = std::env::temp_dir();
        let said = |path: PathBuf| file("access log", &path).to_string();
        assert!(said(folder.join("forebay-doctor-none.log")).contains("fine"));
        assert!(said(folder.clone()).contains("it is a directory"));
        let missing = said(folder.join("forebay-doctor-none/a.log"));
        assert!(missing.contains("does not exist; `mkdir -p "), "{missing}");
    }
}
