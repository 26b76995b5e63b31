//! A client of one connection: sends a request, reads its answer, keeps the connection.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::outcome::{Outcome, Trying, fail};
use crate::process;

const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// What an answer measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    /// Bytes of status line, fields and the empty line.
    pub(crate) head_bytes: usize,
    /// Bytes of its body, as `Content-Length` says.
    pub(crate) body_bytes: usize,
}

/// Whom all our clients ask for. It is part of most caches' keys.
pub(crate) const HOST: &str = "bench.test";

/// The bytes of a request as all our clients send it.
pub(crate) fn request(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n").into_bytes()
}

/// Reads the measure of an answer off its first bytes, as soon as its head is whole.
pub(crate) fn measure(bytes: &[u8]) -> Outcome<Option<Answer>> {
    let Some(head_end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = String::from_utf8_lossy(&bytes[..head_end]);
    if !head.starts_with("HTTP/1.1 200") {
        return fail(format!("the answer is no 200 but:\n{head}"));
    }
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    match length {
        Some(body_bytes) => Ok(Some(Answer { head_bytes: head_end + 4, body_bytes })),
        None => fail(format!("the answer has no Content-Length:\n{head}")),
    }
}

/// A connection that is kept.
pub(crate) struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    /// Connects to a port of this machine.
    pub(crate) fn connect(port: u16) -> Outcome<Client> {
        let stream = TcpStream::connect(process::local(port)).trying("connect")?;
        stream.set_nodelay(true).trying("connect")?;
        stream.set_read_timeout(Some(ANSWER_TIMEOUT)).trying("connect")?;
        Ok(Client { stream, buffer: vec![0; 256 * 1024] })
    }

    /// One exchange.
    pub(crate) fn exchange(&mut self, path: &str) -> Outcome<Answer> {
        self.stream.write_all(&request(path)).trying(format!("ask for `{path}`"))?;
        let mut seen = Vec::new();
        let answer = loop {
            let more = self.read(path)?;
            seen.extend_from_slice(&self.buffer[..more]);
            if let Some(answer) = measure(&seen)? {
                break answer;
            }
        };
        let mut missing = answer.head_bytes + answer.body_bytes - seen.len();
        while missing > 0 {
            missing -= self.read(path)?;
        }
        Ok(answer)
    }

    /// The text that answers a request, which is written out, however long.
    pub(crate) fn answer_to(&mut self, request: &str) -> Outcome<String> {
        let line = request.lines().next().unwrap_or_default();
        self.stream.write_all(request.as_bytes()).trying(format!("ask for `{line}`"))?;
        let mut seen = Vec::new();
        loop {
            let more = self.read(line)?;
            seen.extend_from_slice(&self.buffer[..more]);
            if let Some(answer) = measure(&seen)?
                && seen.len() >= answer.head_bytes + answer.body_bytes
            {
                return Ok(String::from_utf8_lossy(&seen[answer.head_bytes..]).into_owned());
            }
        }
    }

    fn read(&mut self, path: &str) -> Outcome<usize> {
        let count = self.stream.read(&mut self.buffer).trying(format!("read `{path}`"))?;
        if count == 0 {
            return fail(format!("the connection closed within the answer to `{path}`"));
        }
        Ok(count)
    }

    /// One exchange whose answer is text.
    pub(crate) fn text(&mut self, path: &str) -> Outcome<String> {
        self.stream.write_all(&request(path)).trying(format!("ask for `{path}`"))?;
        let count = self.read(path)?;
        Ok(String::from_utf8_lossy(&self.buffer[..count]).into_owned())
    }
}

/// Asks for every path once, over several connections at a time.
pub(crate) fn fill(port: u16, paths: &[String]) -> Outcome {
    const CONNECTIONS: usize = 4;
    let share = paths.len().div_ceil(CONNECTIONS).max(1);
    std::thread::scope(|scope| {
        let fillers: Vec<_> = (paths.chunks(share))
            .map(|paths| {
                scope.spawn(move || {
                    let mut client = Client::connect(port)?;
                    paths.iter().try_for_each(|path| client.exchange(path).map(|_| ()))
                })
            })
            .collect();
        for filler in fillers {
            match filler.join() {
                Ok(outcome) => outcome?,
                Err(_) => return fail("a filling client panicked"),
            }
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_measured_once_its_head_is_whole() {
        assert!(measure(b"HTTP/1.1 200 OK\r\nContent-Le").unwrap().is_none());
        let answer = measure(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\na").unwrap().unwrap();
        assert_eq!((answer.head_bytes, answer.body_bytes), (38, 3));
        assert!(measure(b"HTTP/1.1 502 Bad\r\ncontent-length: 3\r\n\r\n").is_err());
        assert!(measure(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }
}
