//! Asks every node that uses the same routes to read one again, and hears who uses it.
//!
//! Questions and answers go over one channel of Redis that every node listens to. Nothing rests on
//! it: a node that does not hear a question hears of the change all the same, or reads it when it
//! reads everything again. It only says to who writes a route what has become of it by now.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use forebay_cache::redis::{Command, Link, LinkFailure, Push, Reply, Server};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use crate::gateway::Gateway;
use crate::route::{DynamicRoutes, RouteState};

/// How long answers are waited for.
pub const ANSWER_LIMIT: Duration = Duration::from_secs(1);

/// Questions of this node that wait for answers at once.
const WAITING_MAX: usize = 64;

/// Answers to one question that are counted.
const ANSWERS_MAX: usize = 1024;

/// Characters of what is said of a value, or by another node.
const WORDS_MAX: usize = 500;

/// The digest of a value; none for a route that is not there.
pub type ValueDigest = Option<[u8; 32]>;

/// The digest of a value.
pub fn digest_of(value: &[u8]) -> [u8; 32] {
    Sha256::digest(value).into()
}

/// This node's part in asking and answering.
pub struct RouteAsk {
    link: Arc<Link>,
    channel: Vec<u8>,
    node: String,
    name: String,
    waiting: Mutex<HashMap<String, mpsc::Sender<NodeAnswer>>>,
}

/// What one node said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeAnswer {
    /// What tells its process from all others.
    pub node: String,
    /// What people call it.
    pub name: String,
    /// Whether it uses what was written.
    pub uses: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// What all nodes said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Asked {
    /// Their answers, by name.
    pub nodes: Vec<NodeAnswer>,
    /// How many heard the question. In a Redis Cluster only those are counted that answered.
    pub expected: usize,
    /// Whether all who heard it have answered, and use it.
    pub everywhere: bool,
}

/// What is said on the channel.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Said {
    /// Read this, and answer whether it is so.
    Ask {
        token: String,
        host: String,
        /// The digest of the value in hexadecimal digits; none when nothing shall be there.
        digest: Option<String>,
    },
    /// An answer to who asked with this token.
    Answer { token: String, answer: NodeAnswer },
}

impl RouteAsk {
    /// The part of this gateway, among those that read routes under the same prefix in the Redis
    /// behind this link.
    pub fn of(gateway: &Gateway, link: Arc<Link>) -> Arc<Self> {
        let config = gateway.config();
        let names = config.routes_redis().map_or("", |redis| &redis.prefix);
        let routes = config.dynamic.as_ref().map_or("", |dynamic| &dynamic.prefix);
        let channel = format!("{names}routes:ask:{routes}").into_bytes();
        let (node, name) = (gateway.node().to_owned(), gateway.name().to_owned());
        Arc::new(RouteAsk { link, channel, node, name, waiting: Mutex::default() })
    }

    /// Hears questions and answers, for ever. To be spawned.
    pub async fn listen(&self, routes: &DynamicRoutes) {
        // A link has room for a handful; none for this one is a mistake of ours, and told by `ask`.
        let Ok(mut heard) = self.link.subscribe(&self.channel) else { return };
        loop {
            // Who asked while nothing was heard has given up by now: there is nothing to make up for.
            let Push::Message(message) = heard.next().await else { continue };
            match serde_json::from_slice(&message) {
                Ok(Said::Ask { token, host, digest }) => {
                    let answer = self.answer(routes, &host, digest.as_deref()).await;
                    // Who asked counts only whom it hears.
                    let _ = self.say(&Said::Answer { token, answer }).await;
                }
                Ok(Said::Answer { token, answer }) => self.pass_on(&token, answer),
                Err(_) => {}
            }
        }
    }

    /// Asks all nodes to read the route of a host pattern again, and waits until all have answered,
    /// at most [`ANSWER_LIMIT`].
    pub async fn ask(&self, host: &str, digest: ValueDigest) -> Result<Asked, LinkFailure> {
        let until = Instant::now() + ANSWER_LIMIT;
        let mut waiting = self.wait()?;
        let (token, host) = (waiting.token.clone(), host.to_owned());
        let digest = digest.map(|digest| hex(&digest));
        let receivers = self.say(&Said::Ask { token, host, digest }).await?;
        // Each server of a cluster knows its own listeners alone.
        let is_cluster = matches!(self.link.options().server, Server::Cluster(_));
        let enough = if is_cluster { ANSWERS_MAX } else { receivers.min(ANSWERS_MAX) };
        let mut nodes: Vec<NodeAnswer> = Vec::new();
        while nodes.len() < enough {
            let Ok(Some(answer)) = timeout_at(until, waiting.answers.recv()).await else { break };
            if !nodes.iter().any(|node| node.node == answer.node) {
                nodes.push(answer);
            }
        }
        nodes.sort_by(|one, other| (&one.name, &one.node).cmp(&(&other.name, &other.node)));
        Ok(Asked::of(nodes, receivers))
    }

    async fn answer(&self, routes: &DynamicRoutes, host: &str, digest: Option<&str>) -> NodeAnswer {
        let why = self.why_not(routes, host, digest).await.err();
        let why = why.map(|why| shortened(&why));
        NodeAnswer { node: self.node.clone(), name: self.name.clone(), uses: why.is_none(), why }
    }

    /// Why this node does not use what was written.
    async fn why_not(
        &self,
        routes: &DynamicRoutes,
        host: &str,
        digest: Option<&str>,
    ) -> Result<(), String> {
        let line = routes.reread(host).await?;
        match (&line.state, digest) {
            (RouteState::Good, Some(digest)) => {
                let own = routes.text(host).map(|own| hex(&digest_of(&own)));
                let is_same = own.as_deref() == Some(digest);
                is_same.then_some(()).ok_or_else(|| format!("by now it uses `{}`", line.value))
            }
            (RouteState::Absent, None) => Ok(()),
            (RouteState::Absent, Some(_)) => Err("by now there is no route".to_owned()),
            (RouteState::Good, None) => Err(format!("by now it uses `{}`", line.value)),
            (RouteState::LastGood { why } | RouteState::Wrong { why }, _) => {
                Err(format!("it cannot use the value: {why}"))
            }
        }
    }

    fn wait(&self) -> Result<Waiting<'_>, LinkFailure> {
        let token = hex(&rand::random::<[u8; 16]>());
        let (sender, answers) = mpsc::channel(ANSWERS_MAX);
        let mut waiting = self.waiting.lock();
        if waiting.len() >= WAITING_MAX {
            return Err(LinkFailure::Busy);
        }
        waiting.insert(token.clone(), sender);
        Ok(Waiting { asking: self, token, answers })
    }

    /// What nobody waits for, and what comes beyond the bound, is dropped.
    fn pass_on(&self, token: &str, answer: NodeAnswer) {
        if let Some(waiting) = self.waiting.lock().get(token) {
            let why = answer.why.as_deref().map(shortened);
            let _ = waiting.try_send(NodeAnswer { why, ..answer });
        }
    }

    /// Says something to all, and how many have heard it.
    async fn say(&self, said: &Said) -> Result<usize, LinkFailure> {
        let text = serde_json::to_vec(said).map_err(|why| LinkFailure::Refused(why.to_string()))?;
        let mut command = Command::new();
        command.arg("PUBLISH").arg(&self.channel[..]).arg(text);
        match self.link.call(&command).await? {
            Reply::Int(count) => Ok(usize::try_from(count).unwrap_or(0)),
            other => Err(LinkFailure::Refused(format!("{other:?} is no count"))),
        }
    }
}

impl Asked {
    fn of(nodes: Vec<NodeAnswer>, receivers: usize) -> Self {
        let expected = receivers.max(nodes.len());
        let everywhere = nodes.len() == expected && nodes.iter().all(|node| node.uses);
        Asked { nodes, expected, everywhere }
    }
}

/// A question that waits for answers; dropped, it waits no more.
struct Waiting<'a> {
    asking: &'a RouteAsk,
    token: String,
    answers: mpsc::Receiver<NodeAnswer>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.asking.waiting.lock().remove(&self.token);
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn shortened(words: &str) -> String {
    words.chars().take(WORDS_MAX).collect()
}
