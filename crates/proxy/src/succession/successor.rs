//! The side of the process that takes over.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use super::channel::Channel;
use super::{VARIABLE, VERSION, Word};
use crate::server::{Bequest, Inherited};

/// How long the predecessor may be silent. It waits for the disk at most.
const PATIENCE: Duration = Duration::from_secs(60);

/// A process that takes over from the one that started it.
pub struct Successor {
    channel: Channel,
    /// The token that the predecessor made for operators.
    pub token: Option<String>,
}

impl Successor {
    /// What the environment says this process is: a successor, with the sockets that it was left, or
    /// a process like any other.
    pub fn from_environment() -> Result<Option<(Self, Inherited)>, String> {
        let Some(version) = std::env::var_os(VARIABLE) else { return Ok(None) };
        if version != VERSION {
            return Err(format!("cannot take over: `{VARIABLE}` is not {VERSION}"));
        }
        let cannot = |cause: io::Error| format!("cannot take over: {cause}");
        let stdin = io::stdin().as_fd().try_clone_to_owned().map_err(cannot)?;
        let channel = Channel::over(UnixStream::from(stdin)).map_err(cannot)?;
        let mut successor = Successor { channel, token: None };
        let mut inherited = Inherited::default();
        loop {
            match successor.hear().map_err(cannot)? {
                Word::Socket(part) => {
                    let socket = successor.channel.take_socket();
                    let socket = socket.ok_or("cannot take over: a socket is missing")?;
                    inherited.0.push(Bequest::of(part, socket)?);
                }
                Word::Token(token) => successor.token = Some(token),
                Word::All => return Ok(Some((successor, inherited))),
                word => return Err(unexpected(&word)),
            }
        }
    }

    /// Waits until the predecessor has let go of what one process alone can hold.
    pub fn wait_for_storage(&mut self) -> Result<(), String> {
        self.ask(&Word::LetGo, |word| matches!(word, Word::Gone))
    }

    /// Says that clients can be accepted, and waits until the predecessor does so no more. One that
    /// has died meanwhile does so no more; of one that is silent it is not known.
    pub fn take_over(mut self) -> Result<(), String> {
        let cannot = |cause: io::Error| format!("cannot take over: {cause}");
        let said = self.channel.say(&Word::Ready);
        match said.and_then(|()| self.channel.next(Instant::now() + PATIENCE)) {
            Ok(Some(Word::Yours) | None) => Ok(()),
            Ok(Some(word)) => Err(unexpected(&word)),
            Err(cause) if cause.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            Err(cause) => Err(cannot(cause)),
        }
    }

    /// Says that it cannot be.
    pub fn give_up(mut self, why: &str) {
        // Who does not hear it sees this process end.
        let _ = self.channel.say(&Word::Failed(why.to_owned()));
    }

    fn ask(&mut self, word: &Word, is_answer: fn(&Word) -> bool) -> Result<(), String> {
        let cannot = |cause: io::Error| format!("cannot take over: {cause}");
        self.channel.say(word).map_err(cannot)?;
        match self.hear().map_err(cannot)? {
            answer if is_answer(&answer) => Ok(()),
            word => Err(unexpected(&word)),
        }
    }

    fn hear(&mut self) -> io::Result<Word> {
        let word = self.channel.next(Instant::now() + PATIENCE)?;
        word.ok_or_else(|| io::Error::new(io::ErrorKind::UnexpectedEof, "the other has ended"))
    }
}

fn unexpected(word: &Word) -> String {
    format!("cannot take over: `{word:?}` was not expected")
}
