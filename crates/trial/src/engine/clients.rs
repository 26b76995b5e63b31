//! The clients' half of a story.

use crate::Failure;
use crate::client::Client;
use crate::expect;
use crate::script::{After, BodyMatch, Expected, RequestLine, Sent, Status, Text, Who};
use crate::stage::Stage;
use crate::wire::{Ending, Message};

use super::{PATIENCE, Telling, compose};

impl<S: Stage> Telling<'_, S> {
    pub(super) async fn asks(
        &mut self,
        who: &Who,
        line: &RequestLine,
        sent: &Sent,
    ) -> Result<(), Failure> {
        let bytes = compose::request(line, sent, self.stage.now());
        for name in self.asking(who) {
            self.connected(&name).await?.send(&bytes, PATIENCE).await;
        }
        Ok(())
    }

    pub(super) async fn client_sends(&mut self, who: &Who, raw: &[Text]) -> Result<(), Failure> {
        let bytes = compose::raw(raw, self.stage.now());
        for name in self.asking(who) {
            self.connected(&name).await?.send(&bytes, PATIENCE).await;
        }
        Ok(())
    }

    pub(super) async fn gets(
        &mut self,
        who: &Who,
        statuses: &[Status],
        expected: &Expected,
        after: After,
    ) -> Result<(), Failure> {
        let now = self.stage.now();
        for name in self.waiting(who)? {
            let response = self.known(&name)?.response(PATIENCE).await;
            let message = response.map_err(|f| self.unanswered(&name, f))?;
            status_is(statuses, &message)
                .and_then(|()| expect::message(expected, &message, now))
                .and_then(|()| ending_is(after, &message))
                .map_err(|failure| named(&name, failure))?;
            self.check_close(&name, after).await?;
        }
        Ok(())
    }

    pub(super) async fn begins_to_get(
        &mut self,
        who: &Who,
        statuses: &[Status],
        expected: &Expected,
    ) -> Result<(), Failure> {
        let now = self.stage.now();
        let least = shown_bytes(expected);
        for name in self.waiting(who)? {
            let client = self.known(&name)?;
            let head = client.begin(PATIENCE).await?;
            let body = client.some(least, PATIENCE).await.map_err(|f| named(&name, f))?;
            let message = Message { head, body, trailers: Vec::new(), ending: Ending::Whole };
            status_is(statuses, &message)
                .and_then(|()| expect::message(expected, &message, now))
                .map_err(|failure| named(&name, failure))?;
        }
        Ok(())
    }

    pub(super) async fn gets_rest(
        &mut self,
        who: &Who,
        expected: &Expected,
        after: After,
    ) -> Result<(), Failure> {
        let now = self.stage.now();
        for name in self.waiting(who)? {
            let message = self.known(&name)?.rest(PATIENCE).await.map_err(|f| named(&name, f))?;
            expect::message(expected, &message, now)
                .and_then(|()| ending_is(after, &message))
                .map_err(|failure| named(&name, failure))?;
            self.check_close(&name, after).await?;
        }
        Ok(())
    }

    pub(super) async fn gets_close(&mut self, who: &Who) -> Result<(), Failure> {
        for name in self.waiting(who)? {
            self.known(&name)?.closed(PATIENCE).await.map_err(|f| named(&name, f))?;
        }
        Ok(())
    }

    pub(super) async fn gets_nothing(&mut self, who: &Who) -> Result<(), Failure> {
        let moment = self.stage.moment();
        for name in self.waiting(who)? {
            self.known(&name)?.nothing(moment).await.map_err(|f| named(&name, f))?;
        }
        Ok(())
    }

    pub(super) async fn leaves(&mut self, who: &Who) -> Result<(), Failure> {
        for name in self.waiting(who)? {
            self.clients.remove(&name);
        }
        self.settle().await;
        Ok(())
    }

    /// A client without an answer, with what the origin has heard meanwhile.
    fn unanswered(&self, name: &str, failure: Failure) -> Failure {
        named(name, Failure::new(format!("{failure}{}", self.stage.origin().left())))
    }

    async fn check_close(&mut self, name: &str, after: After) -> Result<(), Failure> {
        match after {
            After::Anything | After::CutShort => Ok(()),
            After::Close => {
                self.known(name)?.closed(PATIENCE).await.map_err(|failure| named(name, failure))
            }
        }
    }

    /// The client's connection, opened anew where there is none that can be used.
    async fn connected(&mut self, name: &str) -> Result<&mut Client, Failure> {
        let usable = match self.clients.get_mut(name) {
            Some(client) => client.awaits() || client.is_usable().await,
            None => false,
        };
        if !usable {
            let wire = self.stage.dial().await;
            let wire = wire.map_err(|e| Failure::from(e).during("cannot reach the gateway"))?;
            self.clients.insert(name.to_owned(), Client::over(wire));
        }
        self.known(name)
    }

    fn known(&mut self, name: &str) -> Result<&mut Client, Failure> {
        self.clients.get_mut(name).ok_or_else(|| {
            Failure::new(format!("client `{name}` has not asked anything in this script"))
        })
    }

    fn asking(&mut self, who: &Who) -> Vec<String> {
        match who {
            Who::One(name) => vec![name.clone()],
            Who::Crowd(count) => {
                self.crowds += 1;
                (1..=*count).map(|number| format!("{number} of crowd {}", self.crowds)).collect()
            }
            Who::All => self.clients.keys().cloned().collect(),
        }
    }

    fn waiting(&self, who: &Who) -> Result<Vec<String>, Failure> {
        let names: Vec<String> = match who {
            Who::One(name) => vec![name.clone()],
            Who::Crowd(_) | Who::All => {
                let waiting = self.clients.iter().filter(|(_, client)| client.awaits());
                waiting.map(|(name, _)| name.clone()).collect()
            }
        };
        if names.is_empty() {
            Err(Failure::new("no client waits for an answer"))
        } else {
            Ok(names)
        }
    }
}

fn named(name: &str, failure: Failure) -> Failure {
    if name.is_empty() { failure } else { failure.during(format!("client {name}")) }
}

fn status_is(statuses: &[Status], message: &Message) -> Result<(), Failure> {
    let status = message.head.status()?;
    if statuses.iter().any(|wanted| wanted.covers(status)) {
        return Ok(());
    }
    Err(Failure::new(format!("the status is {status}; it got:{}", message.shown())))
}

fn ending_is(after: After, message: &Message) -> Result<(), Failure> {
    let wanted = match after {
        After::Anything | After::Close => Ending::Whole,
        After::CutShort => Ending::Cut,
    };
    if message.ending == wanted {
        return Ok(());
    }
    let ended = match message.ending {
        Ending::Whole => "the body came whole",
        Ending::Cut => "the body was cut short",
    };
    Err(Failure::new(format!("{ended}; it got:{}", message.shown())))
}

fn shown_bytes(expected: &Expected) -> usize {
    let length = |body: &BodyMatch| match body {
        BodyMatch::Exactly(bytes) => bytes.len(),
        BodyMatch::Contains(part) => part.len(),
        BodyMatch::Lacks(_) => 0,
    };
    expected.body.iter().map(length).max().unwrap_or(0)
}
