//! The channel between the two: lines of JSON over a Unix socket, with descriptors beside them
//! (SCM_RIGHTS).

use std::collections::VecDeque;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

use super::Word;

/// Bytes of one line.
const LINE_BYTES_MAX: usize = 64 << 10;

/// Descriptors that come with one read. The other side sends one with each line.
const SOCKETS_AT_ONCE: usize = 8;

/// How long the other side may take nothing.
const SEND_LIMIT: Duration = Duration::from_secs(5);

/// One end.
pub(super) struct Channel {
    stream: UnixStream,
    read: Vec<u8>,
    sockets: VecDeque<OwnedFd>,
}

impl Channel {
    /// Over this stream.
    pub(super) fn over(stream: UnixStream) -> io::Result<Self> {
        stream.set_write_timeout(Some(SEND_LIMIT))?;
        Ok(Channel { stream, read: Vec::new(), sockets: VecDeque::new() })
    }

    /// Says a word.
    pub(super) fn say(&mut self, word: &Word) -> io::Result<()> {
        self.send(word, None)
    }

    /// Says a word with which a descriptor goes.
    pub(super) fn say_with(&mut self, word: &Word, socket: BorrowedFd<'_>) -> io::Result<()> {
        self.send(word, Some(socket))
    }

    fn send(&mut self, word: &Word, socket: Option<BorrowedFd<'_>>) -> io::Result<()> {
        let mut line = serde_json::to_vec(word)?;
        line.push(b'\n');
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut beside = SendAncillaryBuffer::new(&mut space);
        let sockets: Vec<BorrowedFd<'_>> = socket.into_iter().collect();
        if !sockets.is_empty() {
            beside.push(SendAncillaryMessage::ScmRights(&sockets));
        }
        // Who has ended is no reason for a signal.
        let flags = SendFlags::NOSIGNAL;
        let sent = sendmsg(&self.stream, &[IoSlice::new(&line)], &mut beside, flags)?;
        let mut rest = &line[sent..];
        while !rest.is_empty() {
            let sent = rustix::net::send(&self.stream, rest, flags)?;
            rest = &rest[sent..];
        }
        Ok(())
    }

    /// The next word; `None` when the other side has ended. Waits until then at most.
    pub(super) fn next(&mut self, until: Instant) -> io::Result<Option<Word>> {
        loop {
            if let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.read.drain(..=end).collect();
                return Ok(Some(serde_json::from_slice(&line)?));
            }
            if self.read.len() > LINE_BYTES_MAX {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "its line is too long"));
            }
            if !self.more(until)? {
                return Ok(None);
            }
        }
    }

    /// The descriptor that came with the word before.
    pub(super) fn take_socket(&mut self) -> Option<OwnedFd> {
        self.sockets.pop_front()
    }

    /// Reads on; `false` at the end.
    fn more(&mut self, until: Instant) -> io::Result<bool> {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.stream.set_read_timeout(Some(left))?;
        let mut bytes = [0; 4096];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS_AT_ONCE))];
        let mut beside = RecvAncillaryBuffer::new(&mut space);
        let into = &mut [IoSliceMut::new(&mut bytes)];
        let got = recvmsg(self.stream.as_fd(), into, &mut beside, RecvFlags::CMSG_CLOEXEC);
        let count = match got {
            Ok(got) => got.bytes,
            Err(rustix::io::Errno::INTR) => return Ok(true),
            Err(rustix::io::Errno::AGAIN) => return Err(io::ErrorKind::TimedOut.into()),
            // It has ended with words of ours unread.
            Err(rustix::io::Errno::CONNRESET) => return Ok(false),
            Err(refused) => return Err(refused.into()),
        };
        for message in beside.drain() {
            if let RecvAncillaryMessage::ScmRights(sockets) = message {
                self.sockets.extend(sockets);
            }
        }
        self.read.extend_from_slice(&bytes[..count]);
        Ok(count > 0)
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::fd::AsFd;

    use super::*;
    use crate::server::{Bequest, Part};

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(10)
    }

    #[test]
    fn sockets_come_with_the_words_that_they_were_sent_with() {
        let (one, other) = UnixStream::pair().unwrap();
        let (mut one, mut other) = (Channel::over(one).unwrap(), Channel::over(other).unwrap());
        let listeners: Vec<TcpListener> =
            (0..20).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        for listener in &listeners {
            one.say_with(&Word::Socket(Part::Clients), listener.as_fd()).unwrap();
        }
        one.say(&Word::All).unwrap();
        for listener in &listeners {
            assert!(matches!(other.next(soon()).unwrap(), Some(Word::Socket(Part::Clients))));
            let socket = other.take_socket().unwrap();
            let bequest = Bequest::of(Part::Clients, socket).unwrap();
            let at = listener.local_addr().unwrap();
            assert_eq!(bequest.listen, crate::config::Listen::Tcp(at));
        }
        assert!(matches!(other.next(soon()).unwrap(), Some(Word::All)));
        assert!(other.take_socket().is_none());
        drop(one);
        assert!(other.next(soon()).unwrap().is_none());
    }

    #[test]
    fn what_is_no_word_is_an_error_and_silence_ends() {
        use std::io::Write;
        let (mut one, other) = UnixStream::pair().unwrap();
        let mut other = Channel::over(other).unwrap();
        let silent = other.next(Instant::now() + Duration::from_millis(20)).unwrap_err();
        assert_eq!(silent.kind(), io::ErrorKind::TimedOut);
        one.write_all(b"\"nonsense\"\n").unwrap();
        assert_eq!(other.next(soon()).unwrap_err().kind(), io::ErrorKind::InvalidData);
        one.write_all(&[b'x'; LINE_BYTES_MAX + 4096]).unwrap();
        assert_eq!(other.next(soon()).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
