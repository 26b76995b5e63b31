//! What all of these trials start and ask.

use std::net::SocketAddr;
use std::process::Output;
use std::time::Duration;

use forebay_trial::counting::CountingOrigin;
use forebay_trial::nodes::{Node, Nodes, Orders};
use forebay_trial::origin::Reply;
use forebay_trial::process;
use forebay_trial::redis::RedisServer;
use forebay_trial::wire::Message;
use serde_json::Value;
use tokio::process::Command;

/// How long anything may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The token that every node is told.
pub(crate) const TOKEN: &str = "the-operators-own-token";

/// A Redis, and nodes that read their routes there.
pub(crate) struct Fleet {
    pub(crate) store: RedisServer,
    pub(crate) nodes: Nodes,
}

impl Fleet {
    /// So many nodes, which are told a token.
    pub(crate) async fn start(count: usize) -> Self {
        Fleet::told(count, &format!("admin_token = \"{TOKEN}\"\n")).await
    }

    /// So many nodes, told this as well.
    pub(crate) async fn told(count: usize, more: &str) -> Self {
        let store = RedisServer::start().await.unwrap();
        let nodes = Nodes::start(count, |seat| {
            // No node waits long for Redis to save what nobody kept.
            Orders::File(format!(
                "{more}name = \"node-{}\"\n[routes]\nredis = \"{}\"\nprefix = \"r:\"\ntimeout = \"2s\"\n",
                seat.number,
                store.url()
            ))
        });
        Fleet { nodes: nodes.await.unwrap(), store }
    }

    /// What lies in Redis under a host.
    pub(crate) async fn stored(&self, host: &str) -> Option<String> {
        let key = format!("r:{host}");
        self.store.command(&["GET", &key]).await.unwrap().text().ok()
    }

    /// `forebay routes` with these words, asking a node.
    pub(crate) async fn type_at(&self, node: usize, words: &[&str]) -> Typed {
        type_in(self.nodes.node(node).admin(), Some(TOKEN), words).await
    }
}

/// What a command said, and how it ended.
#[derive(Debug)]
pub(crate) struct Typed {
    pub(crate) status: i32,
    pub(crate) said: String,
    pub(crate) complained: String,
}

impl Typed {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.said).unwrap_or_else(|why| panic!("{why}: {self:?}"))
    }
}

/// `forebay routes` with these words, asking there, with this token in the environment.
pub(crate) async fn type_in(admin: SocketAddr, token: Option<&str>, words: &[&str]) -> Typed {
    let mut command = Command::new(process::forebay().unwrap());
    command.args(["routes", "--admin", &admin.to_string()]).args(words).kill_on_drop(true);
    command.env("FOREBAY_TOKEN", token.unwrap_or_default());
    let output = tokio::time::timeout(PATIENCE, command.output()).await.unwrap().unwrap();
    typed(output)
}

/// What a program said that has ended.
pub(crate) fn typed(output: Output) -> Typed {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Typed {
        status: output.status.code().unwrap(),
        said: text(output.stdout),
        complained: text(output.stderr),
    }
}

/// An origin that says its name.
pub(crate) async fn origin(name: &'static str) -> CountingOrigin {
    let answer = move |_: Message| {
        std::future::ready(Reply::whole(200, &["Cache-Control: no-store"], name.as_bytes()))
    };
    CountingOrigin::start(answer).await.unwrap()
}

/// Status and body that a node answers a client of this host.
pub(crate) async fn visit(node: &Node, host: &str) -> (u16, String) {
    let answer = node.get("/", &[&format!("Host: {host}")]).await.unwrap();
    let body = String::from_utf8_lossy(&answer.body).into_owned();
    (answer.head.status().unwrap(), body)
}
