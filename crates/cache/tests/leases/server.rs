//! Redis servers of our own: one on a socket in a directory, or a cluster of two on the loopback.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use forebay_cache::redis::{Address, Link, LinkOptions, Reply, Server};
use tokio::time::{sleep, timeout};

const PATIENCE: Duration = Duration::from_secs(20);

/// A server that ends with this.
pub(crate) struct Redis {
    child: Child,
    dir: PathBuf,
    pub(crate) address: Address,
}

impl Redis {
    /// One on a socket.
    pub(crate) fn single() -> Self {
        let dir = directory();
        let socket = dir.join("socket");
        let address = Address::Unix(socket.clone());
        Self::start(dir, address, &["--port", "0", "--unixsocket", socket.to_str().unwrap()])
    }

    /// Two that share the slots.
    pub(crate) async fn cluster() -> [Self; 2] {
        let nodes = [(); 2].map(|()| Self::clustered());
        let [first, second] = [&nodes[0], &nodes[1]].map(Redis::port);
        for (node, (from, to)) in nodes.iter().zip([(0, 8_191), (8_192, 16_383)]) {
            let admin = node.admin().await;
            say(&admin, &format!("CLUSTER ADDSLOTSRANGE {from} {to}")).await;
        }
        let admin = nodes[0].admin().await;
        say(&admin, &format!("CLUSTER MEET 127.0.0.1 {second}")).await;
        assert_ne!(first, second);
        for node in &nodes {
            let admin = node.admin().await;
            while !text(&say(&admin, "CLUSTER INFO").await).contains("cluster_state:ok")
                || !text(&say(&admin, "CLUSTER NODES").await).contains("8192-16383")
            {
                sleep(Duration::from_millis(20)).await;
            }
        }
        nodes
    }

    fn clustered() -> Self {
        // The kernel's choice, below what the bus's port may be derived from.
        let port = std::iter::repeat_with(|| {
            TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
        });
        let port = port.take(1_000).find(|port| *port < 55_000).unwrap();
        let address = Address::Tcp("127.0.0.1".to_owned(), port);
        let number = port.to_string();
        let options = ["--port", &number, "--bind", "127.0.0.1", "--cluster-enabled", "yes"];
        Self::start(directory(), address, &options)
    }

    fn start(dir: PathBuf, address: Address, options: &[&str]) -> Self {
        let child = Command::new("redis-server")
            .args(["--save", "", "--appendonly", "no", "--dir", dir.to_str().unwrap()])
            .args(options)
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed");
        Self { child, dir, address }
    }

    fn port(&self) -> u16 {
        match &self.address {
            Address::Tcp(_, port) => *port,
            Address::Unix(_) => 0,
        }
    }

    /// A link to this one alone, which waits longer than a test takes.
    pub(crate) async fn admin(&self) -> Arc<Link> {
        let server = Server::Single(self.address.clone());
        let options = LinkOptions { call_timeout: PATIENCE, ..LinkOptions::new(server) };
        let link = Link::open(options);
        timeout(PATIENCE, link.connected()).await.expect("redis-server answers");
        link
    }

    /// Sends a signal to it.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

fn directory() -> PathBuf {
    let dir = std::env::temp_dir().join(format!("forebay-{:016x}", rand::random::<u64>()));
    std::fs::create_dir(&dir).unwrap();
    dir
}

/// Runs a command of words without spaces.
pub(crate) async fn say(link: &Link, words: &str) -> Reply {
    let parts: Vec<&[u8]> = words.split(' ').map(str::as_bytes).collect();
    call(link, &parts).await
}

/// Runs a command.
pub(crate) async fn call(link: &Link, parts: &[&[u8]]) -> Reply {
    let mut command = forebay_cache::redis::Command::new();
    parts.iter().for_each(|part| {
        command.arg(*part);
    });
    link.call(&command).await.unwrap()
}

/// A reply's text.
pub(crate) fn text(reply: &Reply) -> String {
    match reply {
        Reply::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Reply::SimpleString(text) | Reply::VerbatimString { text, .. } => text.clone(),
        other => panic!("no text: {other:?}"),
    }
}
