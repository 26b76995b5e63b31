//! Asks every node that uses the same routes to read one again, and hears who uses it.
//!
//! Questions and answers go over one channel of Redis that every node listens to. Nothing rests on
//! it: a node that does not hear a question hears of the change all the same, or reads it when it
//! reads everything again. It only says to who writes a route what has become of it by now.

use std::fmt::Write;
use std::sync::Arc;

use forebay_cache::redis::{Link, LinkFailure};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::asking::{Asking, Heard};
use crate::gateway::Gateway;
use crate::route::{DynamicRoutes, RouteState};

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
    asking: Asking<RouteQuestion, NodeAnswer>,
    node: String,
    name: String,
}

/// Read this, and say whether it is so.
#[derive(Debug, Serialize, Deserialize)]
struct RouteQuestion {
    host: String,
    /// The digest of the value in hexadecimal digits; none when nothing shall be there.
    digest: Option<String>,
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

impl RouteAsk {
    /// The part of this gateway, among those that read routes under the same prefix in the Redis
    /// behind this link.
    pub fn of(gateway: &Gateway, link: Arc<Link>) -> Arc<Self> {
        let config = gateway.config();
        let names = config.routes_redis().map_or("", |redis| &redis.prefix);
        let routes = config.dynamic.as_ref().map_or("", |dynamic| &dynamic.prefix);
        let asking = Asking::new(link, format!("{names}routes:ask:{routes}"));
        let (node, name) = (gateway.node().to_owned(), gateway.name().to_owned());
        Arc::new(RouteAsk { asking, node, name })
    }

    /// Hears questions and answers, for ever. To be spawned.
    pub async fn listen(&self, routes: &DynamicRoutes) {
        self.asking.listen(|asked| self.answer(routes, asked)).await;
    }

    /// Asks all nodes to read the route of a host pattern again, and waits until all have answered,
    /// at most [`crate::asking::ANSWER_LIMIT`].
    pub async fn ask(&self, host: &str, digest: ValueDigest) -> Result<Asked, LinkFailure> {
        let (host, digest) = (host.to_owned(), digest.map(|digest| hex(&digest)));
        Ok(Asked::of(self.asking.ask(RouteQuestion { host, digest }).await?))
    }

    async fn answer(&self, routes: &DynamicRoutes, asked: RouteQuestion) -> NodeAnswer {
        let why = self.why_not(routes, &asked.host, asked.digest.as_deref()).await.err();
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
}

impl Asked {
    fn of(heard: Heard<NodeAnswer>) -> Self {
        let mut nodes: Vec<NodeAnswer> = heard.answers;
        nodes.iter_mut().for_each(|node| node.why = node.why.as_deref().map(shortened));
        nodes.sort_by(|one, other| (&one.name, &one.node).cmp(&(&other.name, &other.node)));
        nodes.dedup_by(|one, other| one.node == other.node);
        let expected = heard.receivers.max(nodes.len());
        let everywhere = nodes.len() == expected && nodes.iter().all(|node| node.uses);
        Asked { nodes, expected, everywhere }
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
