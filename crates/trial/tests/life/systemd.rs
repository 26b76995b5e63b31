//! What systemd does with a service: passes sockets that are open already, and is told how it stands.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use forebay_trial::client::Client;
use forebay_trial::folder::Folder;
use forebay_trial::patience::until;
use forebay_trial::process;

use super::support::*;

/// A service. Dropped, it is killed, and who has succeeded it.
struct Service {
    child: Child,
    successors: Vec<u32>,
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        for pid in &self.successors {
            let _ = Command::new("kill").args(["-9", &pid.to_string()]).status();
        }
    }
}

/// Starts the program as systemd does: what is passed lies at 3 and 4, and is said to be for it.
fn start(passed: [TcpListener; 2], names: &str, notify: &str, arguments: &[&str]) -> Service {
    let [first, second] = passed.map(OwnedFd::from);
    let script = "exec 3<&0 4<&1 0</dev/null 1>&2; export LISTEN_PID=$$; exec \"$0\" \"$@\"";
    let child = Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "sh", "-c", script])
        .arg(process::forebay().unwrap())
        .args(arguments)
        .env("LISTEN_FDS", "2")
        .env("LISTEN_FDNAMES", names)
        .env("NOTIFY_SOCKET", notify)
        .stdin(Stdio::from(first))
        .stdout(Stdio::from(second))
        .spawn()
        .unwrap();
    Service { child, successors: Vec::new() }
}

/// What systemd is told next.
fn told(socket: &UnixDatagram) -> String {
    let mut bytes = [0; 4096];
    let length = socket.recv(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes[..length]).into_owned()
}

#[tokio::test]
async fn sockets_that_are_passed_are_served_and_their_backlog_with_them() {
    let one = origin("one").await;
    let (clients, operators) =
        (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
    let (address, admin) = (clients.local_addr().unwrap(), operators.local_addr().unwrap());
    // It comes before the service does.
    let mut early = Client::connect(address).await.unwrap();
    early.send(request("/pass").as_bytes(), PATIENCE).await;
    let folder = Folder::new("systemd").unwrap();
    let file = folder.write("forebay.toml", &route(&one)).unwrap();
    let place = folder.path().join("notify");
    let notify = UnixDatagram::bind(&place).unwrap();
    notify.set_read_timeout(Some(PATIENCE)).unwrap();
    let arguments = ["run", "--config", file.to_str().unwrap()];
    let place = place.to_str().unwrap();
    let mut service = start([clients, operators], "web:admin", place, &arguments);
    let main = service.child.id();
    assert!(told(&notify).starts_with("READY=1\nSTATUS="));
    assert_eq!(early.response(PATIENCE).await.unwrap().body, b"one");
    let mut operator = Client::connect(admin).await.unwrap();
    let health = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
    assert_eq!(operator.ask(health, PATIENCE).await.unwrap().body, b"ok\n");
    Command::new("kill").args(["-HUP", &main.to_string()]).status().unwrap();
    let said = told(&notify);
    let (_, since) = said.split_once("RELOADING=1\nMONOTONIC_USEC=").unwrap();
    assert!(since.lines().next().unwrap().parse::<u64>().unwrap() > 0, "{said}");
    assert!(told(&notify).starts_with("READY=1\n"));
    Command::new("kill").args(["-USR2", &main.to_string()]).status().unwrap();
    let mut said = [told(&notify), told(&notify)];
    // Both speak at the same moment.
    said.sort();
    let (_, pid) = said[0].split_once("MAINPID=").unwrap_or_else(|| panic!("{said:?}"));
    let pid: u32 = pid.lines().next().unwrap().parse().unwrap();
    service.successors.push(pid);
    assert!(said[1].starts_with("READY=1\n"), "{said:?}");
    let old_has_ended = async || !lives(main);
    until("the old one has ended", PATIENCE, old_has_ended).await.unwrap();
    let mut late = Client::connect(address).await.unwrap();
    assert_eq!(late.ask(&request("/pass"), PATIENCE).await.unwrap().body, b"one");
    Command::new("kill").args(["-TERM", &pid.to_string()]).status().unwrap();
    assert!(told(&notify).starts_with("STOPPING=1\n"));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_abstract_name_is_told_as_a_path_is() {
    use std::os::linux::net::SocketAddrExt;
    let one = origin("one").await;
    let name = format!("forebay-trial-{}", std::process::id());
    let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
    let notify = UnixDatagram::bind_addr(&address).unwrap();
    notify.set_read_timeout(Some(PATIENCE)).unwrap();
    let sockets = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let to = format!("http://{}", one.address());
    let arguments = ["run", "--admin", "off", "--to", to.as_str()];
    let _service = start(sockets, "", &format!("@{name}"), &arguments);
    assert!(told(&notify).starts_with("READY=1\n"));
}

#[test]
fn what_is_passed_and_cannot_be_used_is_said() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = Folder::new("systemd").unwrap();
    let datagram = OwnedFd::from(std::net::UdpSocket::bind("127.0.0.1:0").unwrap());
    let script = "exec 3<&0 0</dev/null; export LISTEN_PID=$$; exec \"$0\" \"$@\"";
    let run = |fd: OwnedFd, count: &str, log: &Path| {
        let status = Command::new("sh")
            .args(["-c", script])
            .arg(process::forebay().unwrap())
            .args(["run", "--admin", "off", "--to", "127.0.0.1:9"])
            .env("LISTEN_FDS", count)
            .stdin(Stdio::from(fd))
            .stderr(std::fs::File::create(log).unwrap())
            .status()
            .unwrap();
        assert_eq!(status.code(), Some(1));
        std::fs::read_to_string(log).unwrap()
    };
    let log = folder.path().join("log");
    let said = run(datagram, "1", &log);
    assert!(said.contains("it is no stream socket; write `ListenStream=`"), "{said}");
    let said = run(OwnedFd::from(listener), "many", &log);
    assert!(said.contains("cannot use `LISTEN_FDS`"), "{said}");
}
