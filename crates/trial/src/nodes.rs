//! Several nodes: real `forebay` processes, each with ports and a folder of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use tokio::net::TcpStream;

use crate::Failure;
use crate::client::Client;
use crate::folder::Folder;
use crate::metrics::Metrics;
use crate::patience::Patience;
use crate::process::{self, Process};
use crate::real::free_address;
use crate::wire::Message;

/// How long a node may take until it accepts connections.
const START_PATIENCE: Duration = Duration::from_secs(15);

/// How long an answer may take.
const ANSWER_PATIENCE: Duration = Duration::from_secs(30);

/// How long the last words of a process may be on their way.
const LAST_WORDS: Duration = Duration::from_millis(80);

/// The host that requests are for, unless they say another one.
pub const HOST: &str = "example.test";

/// What a node is told beside its listeners.
#[derive(Clone, Debug)]
pub enum Orders {
    /// Flags of `forebay run`.
    Flags(Vec<String>),
    /// A configuration file without listeners.
    File(String),
}

/// Where a node is, before it is started.
#[derive(Clone, Debug)]
pub struct Seat {
    /// Its number, from 0.
    pub number: usize,
    /// Where clients are accepted.
    pub address: SocketAddr,
    /// Where operators are answered.
    pub admin: SocketAddr,
    /// A folder of its own, which stays when it is restarted.
    pub folder: PathBuf,
}

/// Nodes. Dropped, all are killed and their folders removed.
pub struct Nodes {
    nodes: Vec<Node>,
}

/// One node.
pub struct Node {
    seat: Seat,
    program: PathBuf,
    arguments: Vec<String>,
    process: Process,
    // Dropped last: the process may still write into it.
    _folder: Folder,
}

impl Nodes {
    /// Starts so many, each told what this says for its seat, and waits until all accept.
    pub async fn start(count: usize, told: impl Fn(&Seat) -> Orders) -> Result<Self, Failure> {
        let program = process::forebay()?;
        let mut nodes = Vec::with_capacity(count);
        for number in 0..count {
            nodes.push(Node::launch(&program, number, &told)?);
        }
        for node in &mut nodes {
            node.accepts().await?;
        }
        Ok(Nodes { nodes })
    }

    /// Starts so many before one origin, all with the same further flags. `{folder}` in a flag
    /// stands for the node's own.
    pub async fn before(count: usize, origin: SocketAddr, flags: &[&str]) -> Result<Self, Failure> {
        Nodes::start(count, |seat| {
            let folder = seat.folder.display().to_string();
            let flags = flags.iter().map(|flag| flag.replace("{folder}", &folder));
            Orders::Flags(
                ["--to".to_owned(), format!("http://{origin}")].into_iter().chain(flags).collect(),
            )
        })
        .await
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.nodes.len()
    }

    /// Where they accept clients.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.nodes.iter().map(Node::address).collect()
    }

    /// One of them.
    pub fn node(&self, number: usize) -> &Node {
        &self.nodes[number]
    }

    /// One of them, to be ended or started.
    pub fn node_mut(&mut self, number: usize) -> &mut Node {
        &mut self.nodes[number]
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter()
    }

    /// What all of them together have counted under this name and these labels.
    pub async fn sum(&self, name: &str, labels: &[(&str, &str)]) -> Result<u64, Failure> {
        let mut sum = 0;
        for node in &self.nodes {
            sum += node.metrics().await?.count(name, labels);
        }
        Ok(sum)
    }
}

impl Node {
    fn launch(
        program: &Path,
        number: usize,
        told: &impl Fn(&Seat) -> Orders,
    ) -> Result<Self, Failure> {
        let folder = Folder::new("node")?;
        let (address, admin) = (free_address()?, free_address()?);
        let seat = Seat { number, address, admin, folder: folder.path().to_owned() };
        let mut arguments = vec!["run".to_owned()];
        match told(&seat) {
            Orders::Flags(flags) => {
                arguments.extend(["--listen".to_owned(), address.to_string()]);
                arguments.extend(["--admin".to_owned(), admin.to_string()]);
                arguments.extend(flags);
            }
            Orders::File(text) => {
                let listeners = format!("listen = [\"{address}\"]\nadmin = \"{admin}\"\n");
                let file = folder.write("forebay.toml", &(listeners + &text))?;
                arguments.extend(["--config".to_owned(), file.to_string_lossy().into_owned()]);
            }
        }
        let process = spawn(program, &arguments)?;
        Ok(Node { seat, program: program.to_owned(), arguments, process, _folder: folder })
    }

    /// Its number, from 0.
    pub fn number(&self) -> usize {
        self.seat.number
    }

    /// Where it accepts clients. It keeps this address when it is started again.
    pub fn address(&self) -> SocketAddr {
        self.seat.address
    }

    /// Where it answers operators.
    pub fn admin(&self) -> SocketAddr {
        self.seat.admin
    }

    /// Its own folder.
    pub fn folder(&self) -> &Path {
        &self.seat.folder
    }

    /// What it has written since it was last started.
    pub fn output(&self) -> String {
        self.process.output()
    }

    /// Its process's id, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.process.id()
    }

    /// The answer to a request for this path, with these further field lines.
    pub async fn get(&self, path: &str, fields: &[&str]) -> Result<Message, Failure> {
        self.ask(&request("GET", path, fields)).await
    }

    /// The answer to this request, which ends with its head, over a connection of its own.
    pub async fn ask(&self, request: &str) -> Result<Message, Failure> {
        self.answered(self.seat.address, request).await
    }

    /// What operators get for this request line's method and path, sent to this machine.
    pub async fn operate(
        &self,
        method: &str,
        path: &str,
        fields: &[&str],
    ) -> Result<Message, Failure> {
        let fields: Vec<&str> = ["Host: localhost"].iter().chain(fields).copied().collect();
        self.answered(self.seat.admin, &request(method, path, &fields)).await
    }

    /// What it has counted.
    pub async fn metrics(&self) -> Result<Metrics, Failure> {
        let answer = self.operate("GET", "/metrics", &[]).await?;
        Metrics::parse(&String::from_utf8_lossy(&answer.body))
    }

    /// Kills it (SIGKILL) and waits for its end.
    pub async fn kill(&mut self) -> Result<(), Failure> {
        self.process.kill().await
    }

    /// Asks it to stop (SIGTERM) and waits for its end.
    pub async fn terminate(&mut self) -> Result<ExitStatus, Failure> {
        self.process.terminate().await?;
        self.process.wait(ANSWER_PATIENCE).await
    }

    /// Stalls it (SIGSTOP).
    pub async fn stall(&self) -> Result<(), Failure> {
        self.process.stall().await
    }

    /// Lets it go on (SIGCONT).
    pub async fn resume(&self) -> Result<(), Failure> {
        self.process.resume().await
    }

    /// Starts it again at the same addresses, told the same, with what its folder holds; kills it
    /// first if it runs.
    pub async fn restart(&mut self) -> Result<(), Failure> {
        self.process.kill().await?;
        self.process = spawn(&self.program, &self.arguments)?;
        self.accepts().await
    }

    async fn answered(&self, address: SocketAddr, request: &str) -> Result<Message, Failure> {
        let asked = async { Client::connect(address).await?.ask(request, ANSWER_PATIENCE).await };
        asked.await.map_err(|why| why.during(format!("node {} at {address}", self.seat.number)))
    }

    async fn accepts(&mut self) -> Result<(), Failure> {
        let mut patience = Patience::new("it accepts connections", START_PATIENCE);
        while let Err(error) = TcpStream::connect(self.seat.address).await {
            let waited = match self.process.ended() {
                Some(status) => Err(Failure::new(format!("it ended ({status})"))),
                None => patience.again(error.into()).await,
            };
            if let Err(why) = waited {
                tokio::time::sleep(LAST_WORDS).await;
                let (number, said) = (self.seat.number, self.process.output());
                return Err(why.during(format!("cannot start node {number}; it said:\n{said}\n")));
            }
        }
        Ok(())
    }
}

fn spawn(program: &Path, arguments: &[String]) -> Result<Process, Failure> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    Process::start(program, &arguments)
}

/// A request that ends with its head. It is for [`HOST`] unless a field says otherwise.
pub fn request(method: &str, path: &str, fields: &[&str]) -> String {
    let mut request = format!("{method} {path} HTTP/1.1\r\n");
    let names_host = |field: &&str| field.to_ascii_lowercase().starts_with("host:");
    if !fields.iter().any(names_host) {
        request.push_str(&format!("Host: {HOST}\r\n"));
    }
    for field in fields {
        request.push_str(field);
        request.push_str("\r\n");
    }
    request + "\r\n"
}
