//! Questions to all nodes that share a Redis, and their answers.
//!
//! Both go over one channel that every node listens to, whoever asks included. Nothing rests on it: a
//! node that does not hear a question is one that did not answer.

use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use forebay_cache::redis::{Command, Link, LinkFailure, Push, Reply, Server};
use parking_lot::Mutex;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

/// How long answers are waited for.
pub const ANSWER_LIMIT: Duration = Duration::from_secs(1);

/// Questions of this node that wait for answers at once.
const WAITING_MAX: usize = 64;

/// Answers to one question that are counted.
const ANSWERS_MAX: usize = 1024;

/// This node's part in asking `Q` and answering `A`.
pub struct Asking<Q, A> {
    link: Arc<Link>,
    channel: Vec<u8>,
    waiting: Mutex<HashMap<String, mpsc::Sender<A>>>,
    questions: PhantomData<fn(Q)>,
}

/// What came back.
#[derive(Debug)]
pub struct Heard<A> {
    /// The answers, in the order in which they came.
    pub answers: Vec<A>,
    /// How many heard the question. In a Redis Cluster only those are counted that answered.
    pub receivers: usize,
}

/// What is said on the channel.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Said<Q, A> {
    /// A question of who waits under this token.
    Ask { token: String, question: Q },
    /// An answer to that.
    Answer { token: String, answer: A },
}

impl<Q, A> Asking<Q, A>
where
    Q: Serialize + DeserializeOwned,
    A: Serialize + DeserializeOwned,
{
    /// Over this channel.
    pub fn new(link: Arc<Link>, channel: String) -> Self {
        let (channel, waiting) = (channel.into_bytes(), Mutex::default());
        Asking { link, channel, waiting, questions: PhantomData }
    }

    /// Hears questions and answers, for ever. To be spawned.
    pub async fn listen<F: Future<Output = A>>(&self, answer: impl Fn(Q) -> F) {
        // A link has room for some; none for this one is a mistake of ours, and told by `ask`.
        let Ok(mut heard) = self.link.subscribe(&self.channel) else { return };
        loop {
            // Who asked while nothing was heard has given up by now: there is nothing to make up for.
            let Push::Message(message) = heard.next().await else { continue };
            match serde_json::from_slice::<Said<Q, A>>(&message) {
                Ok(Said::Ask { token, question }) => {
                    let answer = answer(question).await;
                    // Who asked counts only whom it hears.
                    let _ = self.say(&Said::Answer { token, answer }).await;
                }
                Ok(Said::Answer { token, answer }) => self.pass_on(&token, answer),
                Err(_) => {}
            }
        }
    }

    /// Asks all nodes, and waits until all have answered, at most [`ANSWER_LIMIT`].
    pub async fn ask(&self, question: Q) -> Result<Heard<A>, LinkFailure> {
        let until = Instant::now() + ANSWER_LIMIT;
        let mut waiting = self.wait()?;
        let token = waiting.token.clone();
        let receivers = self.say(&Said::Ask { token, question }).await?;
        // Each server of a cluster knows its own listeners alone.
        let is_cluster = matches!(self.link.options().server, Server::Cluster(_));
        let enough = if is_cluster { ANSWERS_MAX } else { receivers.min(ANSWERS_MAX) };
        let mut answers = Vec::new();
        while answers.len() < enough {
            let Ok(Some(answer)) = timeout_at(until, waiting.answers.recv()).await else { break };
            answers.push(answer);
        }
        Ok(Heard { answers, receivers })
    }

    fn wait(&self) -> Result<Waiting<'_, Q, A>, LinkFailure> {
        let token = format!("{:032x}", rand::random::<u128>());
        let (sender, answers) = mpsc::channel(ANSWERS_MAX);
        let mut waiting = self.waiting.lock();
        if waiting.len() >= WAITING_MAX {
            return Err(LinkFailure::Busy);
        }
        waiting.insert(token.clone(), sender);
        Ok(Waiting { asking: self, token, answers })
    }

    /// What nobody waits for, and what comes beyond the bound, is dropped.
    fn pass_on(&self, token: &str, answer: A) {
        if let Some(waiting) = self.waiting.lock().get(token) {
            let _ = waiting.try_send(answer);
        }
    }

    /// Says something to all, and how many have heard it.
    async fn say(&self, said: &Said<Q, A>) -> Result<usize, LinkFailure> {
        let text = serde_json::to_vec(said).map_err(|why| LinkFailure::Refused(why.to_string()))?;
        let mut command = Command::new();
        command.arg("PUBLISH").arg(&self.channel[..]).arg(text);
        match self.link.call(&command).await? {
            Reply::Int(count) => Ok(usize::try_from(count).unwrap_or(0)),
            other => Err(LinkFailure::Refused(format!("{other:?} is no count"))),
        }
    }
}

/// A question that waits for answers; dropped, it waits no more.
struct Waiting<'a, Q, A> {
    asking: &'a Asking<Q, A>,
    token: String,
    answers: mpsc::Receiver<A>,
}

impl<Q, A> Drop for Waiting<'_, Q, A> {
    fn drop(&mut self) {
        self.asking.waiting.lock().remove(&self.token);
    }
}
