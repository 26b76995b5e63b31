//! The origin's half of a story.

use std::sync::Arc;

use crate::Failure;
use crate::expect;
use crate::origin::{Reply, Then};
use crate::script::{After, Expected, Framing, RequestLine, Sent, Text};
use crate::stage::Stage;
use crate::wire::{Ending, Message};

use super::{Exchange, PATIENCE, Telling, compose};

impl<S: Stage> Telling<'_, S> {
    pub(super) async fn hears(
        &mut self,
        line: &RequestLine,
        expected: &Expected,
        after: After,
    ) -> Result<(), Failure> {
        let ending = match after {
            After::Anything | After::Close => Ending::Whole,
            After::CutShort => Ending::Cut,
        };
        let fits = |message: &Message| {
            let head = &message.head;
            let asked = head.method() == line.method && head.target() == line.target;
            asked && message.ending == ending
        };
        let heard = self.stage.origin().hear(PATIENCE, fits).await?;
        expect::message(expected, &heard.message, self.stage.now())?;
        self.open.push(Exchange { heard, begun: None });
        Ok(())
    }

    pub(super) async fn answers(
        &mut self,
        target: Option<&str>,
        status: u16,
        sent: &Sent,
        framing: Framing,
    ) -> Result<(), Failure> {
        let at = self.exchange(target)?;
        let interim = status < 200 && status != 101;
        let exchange = &self.open[at];
        let connection = exchange.heard.connection.clone();
        let method = exchange.heard.message.head.method().to_owned();
        let bytes = whole(&method, status, sent, framing, self.stage.now());
        if !interim {
            self.open.remove(at);
        }
        connection.write(bytes)?;
        if then(sent, framing) == Then::Close {
            connection.close();
        }
        self.land().await;
        Ok(())
    }

    pub(super) fn always_answers(&mut self, status: u16, sent: &Sent, framing: Framing) {
        let sent = sent.clone();
        let now = self.stage.now();
        self.stage.origin().answer_by_itself(Arc::new(move |request: &Message| Reply {
            bytes: whole(request.head.method(), status, &sent, framing, now),
            then: then(&sent, framing),
        }));
    }

    pub(super) async fn begins(
        &mut self,
        target: Option<&str>,
        status: u16,
        sent: &Sent,
        framing: Framing,
    ) -> Result<(), Failure> {
        let at = self.exchange(target)?;
        // Without a length of its own, a body that goes on later must come in chunks.
        let framing = match framing {
            Framing::Length if !compose::says(sent, "content-length") => Framing::Chunks,
            Framing::Length | Framing::Chunks | Framing::UntilClose => framing,
        };
        let mut bytes = compose::response_head(status, sent, framing, self.stage.now());
        bytes.extend(compose::body(sent, framing));
        let exchange = &mut self.open[at];
        exchange.begun = Some(framing);
        exchange.heard.connection.write(bytes)
    }

    pub(super) async fn goes_on(&mut self, sent: &Sent) -> Result<(), Failure> {
        let (at, framing) = self.begun()?;
        self.open[at].heard.connection.write(compose::body(sent, framing))
    }

    pub(super) async fn ends(&mut self, sent: &Sent) -> Result<(), Failure> {
        let (at, framing) = self.begun()?;
        let connection = self.open.remove(at).heard.connection;
        let mut bytes = compose::body(sent, framing);
        bytes.extend(compose::body_end(sent, framing, self.stage.now()));
        connection.write(bytes)?;
        if framing == Framing::UntilClose {
            connection.close();
        }
        self.land().await;
        Ok(())
    }

    pub(super) async fn closes(&mut self) -> Result<(), Failure> {
        let at = self.exchange(None)?;
        self.open.remove(at).heard.connection.close();
        self.settle().await;
        Ok(())
    }

    pub(super) async fn origin_sends(&mut self, raw: &[Text]) -> Result<(), Failure> {
        let at = self.exchange(None)?;
        let bytes = compose::raw(raw, self.stage.now());
        self.open[at].heard.connection.write(bytes)?;
        self.settle().await;
        Ok(())
    }

    pub(super) async fn is_silent(&mut self) -> Result<(), Failure> {
        self.settle().await;
        self.stage.origin().nothing_left()
    }

    pub(super) async fn has_heard(&mut self, count: usize) -> Result<(), Failure> {
        self.settle().await;
        match self.stage.origin().heard_count() {
            heard if heard == count => Ok(()),
            heard => Err(Failure::new(format!("the origin has heard {heard}"))),
        }
    }

    /// Lets an answer come home: what it leaves in the cache is there when the story goes on, even
    /// where the client's part of it ended before.
    async fn land(&self) {
        self.settle().await;
        self.stage.landed(self.open.len()).await;
    }

    /// The exchange that is meant: the one for this target, or the one heard last.
    fn exchange(&self, target: Option<&str>) -> Result<usize, Failure> {
        let meant = |open: &Exchange| {
            target.is_none_or(|target| open.heard.message.head.target() == target)
        };
        self.open.iter().rposition(meant).ok_or_else(|| {
            Failure::new("the origin has not heard a request that waits for its answer")
        })
    }

    fn begun(&self) -> Result<(usize, Framing), Failure> {
        let begun = |(at, open): (usize, &Exchange)| open.begun.map(|framing| (at, framing));
        let last = self.open.iter().enumerate().filter_map(begun).next_back();
        last.ok_or_else(|| Failure::new("the origin has not begun an answer"))
    }
}

fn whole(
    method: &str,
    status: u16,
    sent: &Sent,
    framing: Framing,
    now: std::time::SystemTime,
) -> Vec<u8> {
    let mut bytes = compose::response_head(status, sent, framing, now);
    let bodiless = method == "HEAD" || status < 200 || status == 204 || status == 304;
    if !bodiless {
        bytes.extend(compose::body(sent, framing));
        bytes.extend(compose::body_end(sent, framing, now));
    }
    bytes
}

fn then(sent: &Sent, framing: Framing) -> Then {
    let closes = |(name, value): &(String, Option<Text>)| {
        let says_close = |value: &Text| *value == Text::plain("close");
        name.eq_ignore_ascii_case("connection") && value.as_ref().is_some_and(says_close)
    };
    match framing {
        Framing::UntilClose => Then::Close,
        Framing::Length | Framing::Chunks if sent.fields.iter().any(closes) => Then::Close,
        Framing::Length | Framing::Chunks => Then::Keep,
    }
}
