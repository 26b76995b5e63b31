//! One process with a file of its own, those that take over from it, and who asks it.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use forebay_trial::client::Client;
use forebay_trial::counting::CountingOrigin;
use forebay_trial::folder::Folder;
use forebay_trial::metrics::Metrics;
use forebay_trial::origin::Reply;
use forebay_trial::patience::until;
use forebay_trial::process::{self, Process};
use forebay_trial::real::free_address;
use forebay_trial::wire::Message;
use serde_json::Value;
use tokio::process::Command;
use tokio::task::JoinHandle;

pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
pub(crate) const TOKEN: &str = "a-token-of-the-operators";

/// A process, and its successors. Dropped, all are killed.
pub(crate) struct Life {
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) folder: Folder,
    successors: Mutex<Vec<u32>>,
}

/// What a command said, and how it ended.
#[derive(Debug)]
pub(crate) struct Typed {
    pub(crate) status: i32,
    pub(crate) said: String,
    pub(crate) complained: String,
}

impl Life {
    /// Starts a process with these tables in its file; `{folder}` is its folder.
    pub(crate) async fn start(tables: &str) -> Life {
        let (address, admin) = (free_address().unwrap(), free_address().unwrap());
        let folder = Folder::new("life").unwrap();
        write(&folder, address, admin, tables);
        let file = folder.path().join("forebay.toml");
        let arguments = ["run", "--config", file.to_str().unwrap()];
        let process = Process::start(&process::forebay().unwrap(), &arguments).unwrap();
        let mut life = Life { process, address, admin, folder, successors: Mutex::default() };
        let ready = async || {
            let ended = life.process.ended();
            assert_eq!(ended, None, "{}", life.process.output());
            life.operate("GET", "/ready", "").await.is_some_and(|it| it.0 == 200)
        };
        if let Err(why) = until("it is ready", PATIENCE, ready).await {
            panic!("{why}: {:?}\n{}", life.process.ended(), life.process.output());
        }
        life
    }

    /// Writes other tables into its file.
    pub(crate) fn write(&self, tables: &str) {
        write(&self.folder, self.address, self.admin, tables);
    }

    /// Writes another file: where clients are to be accepted, then this.
    pub(crate) fn write_at(&self, listen: &[&str], rest: &str) {
        let head = format!("listen = {listen:?}\nadmin = \"{}\"\n", self.admin);
        write_whole(&self.folder, &(head + rest));
    }

    /// Reads its file again, and says what that brought.
    pub(crate) async fn reload(&self) -> String {
        let typed = self.type_in(&["reload"]).await;
        assert_eq!(typed.status, 0, "{typed:?}\n{}", self.process.output());
        typed.said
    }

    /// The answer to a GET over a connection of its own.
    pub(crate) async fn get(&self, path: &str) -> Message {
        let mut client = Client::connect(self.address).await.unwrap();
        client.ask(&request(path), PATIENCE).await.unwrap()
    }

    /// Status and body of the answer to a GET.
    pub(crate) async fn body(&self, path: &str) -> (u16, String) {
        let answer = self.get(path).await;
        (answer.head.status().unwrap(), String::from_utf8_lossy(&answer.body).into_owned())
    }

    /// What operators are answered, if they are.
    pub(crate) async fn operate(
        &self,
        method: &str,
        path: &str,
        body: &str,
    ) -> Option<(u16, String)> {
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        let mut client = Client::connect(self.admin).await.ok()?;
        let answer = client.ask(&request, PATIENCE).await.ok()?;
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        Some((answer.head.status().ok()?, body))
    }

    /// What it has counted.
    pub(crate) async fn metrics(&self) -> Metrics {
        Metrics::parse(&self.operate("GET", "/metrics", "").await.unwrap().1).unwrap()
    }

    /// A subcommand that asks it.
    pub(crate) async fn type_in(&self, words: &[&str]) -> Typed {
        self.type_in_with(Some(TOKEN), words).await
    }

    /// The same with another token, or with that which the process made.
    pub(crate) async fn type_in_with(&self, token: Option<&str>, words: &[&str]) -> Typed {
        let mut command = Command::new(process::forebay().unwrap());
        command.args(words).args(["--admin", &self.admin.to_string()]).kill_on_drop(true);
        command.env_remove("FOREBAY_TOKEN").stdin(Stdio::null());
        command.envs(token.map(|token| ("FOREBAY_TOKEN", token)));
        let output = tokio::time::timeout(PATIENCE, command.output()).await.unwrap().unwrap();
        typed(output)
    }

    /// Has another process take over; its number.
    pub(crate) async fn upgrade(&self) -> u32 {
        let typed = self.type_in(&["upgrade", "--json"]).await;
        assert_eq!(typed.status, 0, "{typed:?}\n{}", self.process.output());
        let said: Value = serde_json::from_str(&typed.said).unwrap();
        self.succeeded_by(u32::try_from(said["pid"].as_u64().unwrap()).unwrap())
    }

    /// Notes a successor, so that it is ended.
    pub(crate) fn succeeded_by(&self, pid: u32) -> u32 {
        self.successors.lock().unwrap().push(pid);
        pid
    }

    /// Sends a signal to a process.
    pub(crate) async fn signal(&self, name: &str, pid: u32) {
        let status = Command::new("kill").args([name, &pid.to_string()]).status().await.unwrap();
        assert!(status.success(), "{name} {pid}");
    }

    /// Waits until it has said this.
    pub(crate) async fn says(&self, words: &str) {
        let said = async || self.process.output().contains(words);
        if until("it says so", PATIENCE, said).await.is_err() {
            panic!("not said: {words}\n{}", self.process.output());
        }
    }

    /// A program in its folder that does what this script says.
    pub(crate) fn program(&self, name: &str, script: &str) -> PathBuf {
        let path = self.folder.write(name, &format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        for pid in self.successors.lock().unwrap().drain(..) {
            let _ = std::process::Command::new("kill")
                .args(["-9", &pid.to_string()])
                .stderr(Stdio::null())
                .status();
        }
    }
}

fn write(folder: &Folder, address: SocketAddr, admin: SocketAddr, tables: &str) {
    let head =
        format!("listen = [\"{address}\"]\nadmin = \"{admin}\"\nadmin_token = \"{TOKEN}\"\n");
    write_whole(folder, &(head + tables));
}

fn write_whole(folder: &Folder, text: &str) {
    let text = text.replace("{folder}", &folder.path().display().to_string());
    // As editors do it: whoever reads meanwhile reads the old one or the new one.
    let new = folder.write("new.toml", &text).unwrap();
    std::fs::rename(new, folder.path().join("forebay.toml")).unwrap();
}

pub(crate) fn typed(output: Output) -> Typed {
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Typed {
        status: output.status.code().unwrap_or(-1),
        said: text(output.stdout),
        complained: text(output.stderr),
    }
}

/// A GET of this path that leaves the connection open.
pub(crate) fn request(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: example.test\r\n\r\n")
}

/// An origin that says its name, and whose answers are kept for a minute, unless the path begins
/// with `/pass`.
pub(crate) async fn origin(name: &'static str) -> CountingOrigin {
    CountingOrigin::start(move |asked: Message| {
        let kept = match asked.head.target().starts_with("/pass") {
            true => "Cache-Control: no-store",
            false => "Cache-Control: max-age=60",
        };
        std::future::ready(Reply::whole(200, &[kept], name.as_bytes()))
    })
    .await
    .unwrap()
}

/// A route for everything to this origin.
pub(crate) fn route(origin: &CountingOrigin) -> String {
    format!("[[route]]\nto = \"http://{}\"\n", origin.address())
}

/// Clients that ask without end, each over one connection as long as it lasts.
pub(crate) struct Load {
    stop: Arc<std::sync::atomic::AtomicBool>,
    clients: Vec<JoinHandle<Counted>>,
}

/// What a client has seen.
#[derive(Debug, Default)]
pub(crate) struct Counted {
    pub(crate) answers: usize,
    pub(crate) connections: usize,
    /// Requests that a reused connection ended before, without a byte: clients send them again.
    pub(crate) sent_again: usize,
    pub(crate) failures: Vec<String>,
}

impl Load {
    /// So many clients, asking for one of so many paths each time.
    pub(crate) fn begin(address: SocketAddr, clients: usize, paths: usize) -> Load {
        let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let clients = (0..clients).map(|number| {
            let stop = Arc::clone(&stop);
            tokio::spawn(async move { ask_on(address, number, paths, &stop).await })
        });
        let clients = clients.collect();
        Load { stop, clients }
    }

    /// The same over HTTP/2.
    pub(crate) fn begin_http2(address: SocketAddr, clients: usize, paths: usize) -> Load {
        let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let clients = (0..clients).map(|number| {
            let stop = Arc::clone(&stop);
            tokio::spawn(async move {
                let mut counted = Counted::default();
                let mut turn = number;
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    counted.connections += 1;
                    let asked = ask_on_http2(address, &mut turn, paths, &stop, &mut counted);
                    if let Err(why) = asked.await {
                        counted.failures.push(why);
                    }
                }
                counted
            })
        });
        let clients = clients.collect();
        Load { stop, clients }
    }

    /// Ends it; what all have seen.
    pub(crate) async fn end(self) -> Counted {
        self.stop.store(true, std::sync::atomic::Ordering::Relaxed);
        let mut all = Counted::default();
        for client in self.clients {
            let one = client.await.unwrap();
            all.answers += one.answers;
            all.connections += one.connections;
            all.sent_again += one.sent_again;
            all.failures.extend(one.failures);
        }
        all
    }
}

async fn ask_on(
    address: SocketAddr,
    number: usize,
    paths: usize,
    stop: &std::sync::atomic::AtomicBool,
) -> Counted {
    let mut counted = Counted::default();
    let mut open: Option<Client> = None;
    let mut turn = number;
    while !stop.load(std::sync::atomic::Ordering::Relaxed) {
        turn += 1;
        let (mut client, is_reused) = match open.take() {
            Some(client) => (client, true),
            None => match Client::connect(address).await {
                Ok(client) => {
                    counted.connections += 1;
                    (client, false)
                }
                Err(why) => {
                    counted.failures.push(format!("cannot connect: {why}"));
                    continue;
                }
            },
        };
        match client.ask(&request(&format!("/{}", turn % paths)), PATIENCE).await {
            Ok(answer) if answer.head.status() == Ok(200) && answer.body == b"one" => {
                counted.answers += 1;
                open = (!answer.head.closes()).then_some(client);
            }
            Ok(answer) => counted.failures.push(answer.shown()),
            Err(why) if is_reused && why.to_string().contains("without an answer") => {
                counted.sent_again += 1;
            }
            Err(why) => counted.failures.push(why.to_string()),
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    counted
}

/// Asks over one connection of HTTP/2 until it is to end, or has said that it takes no more.
async fn ask_on_http2(
    address: SocketAddr,
    turn: &mut usize,
    paths: usize,
    stop: &std::sync::atomic::AtomicBool,
    counted: &mut Counted,
) -> Result<(), String> {
    let stream = tokio::net::TcpStream::connect(address).await.map_err(|why| why.to_string())?;
    let opened = h2::client::handshake(stream).await;
    let (mut sender, connection) = opened.map_err(|why| why.to_string())?;
    tokio::spawn(connection);
    while !stop.load(std::sync::atomic::Ordering::Relaxed) {
        *turn += 1;
        let url = format!("http://example.test/{}", *turn % paths);
        let request = http::Request::get(url).body(()).unwrap();
        // What the other side has not begun is asked again elsewhere (RFC 9113 section 8.7).
        let is_unbegun =
            |why: &h2::Error| why.is_go_away() || why.reason() == Some(h2::Reason::REFUSED_STREAM);
        let ready = match sender.ready().await {
            Ok(ready) => ready,
            Err(why) if is_unbegun(&why) => return Ok(()),
            Err(why) => return Err(why.to_string()),
        };
        sender = ready;
        let answered = match sender.send_request(request, true) {
            Ok((response, _)) => response.await,
            Err(why) => Err(why),
        };
        let response = match answered {
            Ok(response) => response,
            Err(why) if is_unbegun(&why) => {
                counted.sent_again += 1;
                return Ok(());
            }
            Err(why) => return Err(why.to_string()),
        };
        let (head, mut body) = response.into_parts();
        let mut read = Vec::new();
        while let Some(piece) = body.data().await {
            read.extend_from_slice(&piece.map_err(|why| why.to_string())?);
        }
        if head.status != 200 || read != b"one" {
            return Err(format!("{head:?}"));
        }
        counted.answers += 1;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}

/// Whether a process lives.
pub(crate) fn lives(pid: u32) -> bool {
    let status = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat"));
    // One that nobody has waited for yet has ended.
    status.is_ok_and(|status| !status.contains(") Z "))
}
