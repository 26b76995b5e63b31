//! A client that asks at a fixed rate, whatever the server does.
//!
//! Latency counts from the moment at which a request was due, not from when it could be sent: a
//! server that stalls is charged for all who would have come meanwhile. The client spins on its
//! own core, because waking up would cost more than what is measured; it runs as a process of its
//! own, so that it can be bound to that core.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::outcome::{Outcome, Trying, fail};
use crate::process;

use super::keep_alive::{measure, request};
use super::servers;

const CONNECTIONS: usize = 64;
/// Beyond this many due requests unsent, the rate cannot be held and the run is void.
const LATE_MAX: usize = 100_000;
/// How long the last answers may take after the last request.
const DRAIN: Duration = Duration::from_secs(5);

/// Latencies of one run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Latency {
    /// Half are faster.
    pub(crate) p50: Duration,
    /// 99 of a hundred are faster.
    pub(crate) p99: Duration,
}

/// Runs the client on its core against a path.
pub(crate) fn run(port: u16, path: &str, rate: u32, length: Duration) -> Outcome<Latency> {
    let program = std::env::current_exe().trying("find our own program")?;
    let mut command = servers::on_client_core(&program);
    command.args(["fixed-rate-client", &port.to_string(), path]);
    command.args([rate.to_string(), length.as_millis().to_string()]);
    let printed = process::capture(&mut command)?;
    let mut numbers = printed.split_whitespace().filter_map(|word| word.parse().ok());
    match (numbers.next(), numbers.next()) {
        (Some(p50), Some(p99)) => {
            Ok(Latency { p50: Duration::from_nanos(p50), p99: Duration::from_nanos(p99) })
        }
        _ => fail(format!("the client printed `{printed}`")),
    }
}

/// What the process of its own does: measures, and prints p50 and p99 in nanoseconds.
pub(crate) fn serve_command(options: &[&str]) -> Outcome {
    let [port, path, rate, millis] = options else { return fail("PORT PATH RATE MILLISECONDS") };
    let port = port.parse().trying("read the port")?;
    let rate: u32 = rate.parse().trying("read the rate")?;
    let length = Duration::from_millis(millis.parse().trying("read the length")?);
    let mut latencies = drive(port, &request(path), Duration::from_secs(1) / rate.max(1), length)?;
    latencies.sort_unstable();
    let at =
        |part: usize| latencies.get(latencies.len() * part / 100).map_or(0, Duration::as_nanos);
    println!("{} {}", at(50), at(99));
    Ok(())
}

fn drive(port: u16, request: &[u8], pace: Duration, length: Duration) -> Outcome<Vec<Duration>> {
    let mut idle = (0..CONNECTIONS).map(|_| Connection::open(port)).collect::<Outcome<Vec<_>>>()?;
    let mut busy: Vec<Connection> = Vec::new();
    let mut late: VecDeque<Instant> = VecDeque::new();
    let mut latencies = Vec::new();
    let begin = Instant::now();
    let mut due = begin;
    loop {
        let now = Instant::now();
        let is_over = now.duration_since(begin) >= length;
        while due <= now && !is_over {
            late.push_back(due);
            due += pace;
        }
        if late.len() > LATE_MAX || now.duration_since(begin) > length + DRAIN {
            return fail("the server cannot hold the rate");
        }
        if is_over && late.is_empty() && busy.is_empty() {
            return Ok(latencies);
        }
        while !late.is_empty() && !idle.is_empty() {
            if let (Some(due), Some(mut connection)) = (late.pop_front(), idle.pop()) {
                connection.send(request, due)?;
                busy.push(connection);
            }
        }
        let mut index = 0;
        while index < busy.len() {
            match busy[index].advance()? {
                Progress::Waiting => index += 1,
                Progress::Whole(latency) => {
                    latencies.push(latency);
                    idle.push(busy.swap_remove(index));
                }
            }
        }
    }
}

enum Progress {
    Waiting,
    Whole(Duration),
}

struct Connection {
    stream: TcpStream,
    due: Instant,
    seen: Vec<u8>,
}

impl Connection {
    fn open(port: u16) -> Outcome<Connection> {
        let stream = TcpStream::connect(process::local(port)).trying("connect")?;
        stream.set_nodelay(true).trying("connect")?;
        stream.set_nonblocking(true).trying("connect")?;
        Ok(Connection { stream, due: Instant::now(), seen: Vec::new() })
    }

    fn send(&mut self, request: &[u8], due: Instant) -> Outcome {
        self.due = due;
        self.seen.clear();
        // So short a request always fits into an empty socket's buffer.
        self.stream.write_all(request).trying("send a request")
    }

    fn advance(&mut self) -> Outcome<Progress> {
        let mut buffer = [0; 16 * 1024];
        match self.stream.read(&mut buffer) {
            Ok(0) => return fail("the server closed a connection"),
            Ok(count) => self.seen.extend_from_slice(&buffer[..count]),
            Err(cause) if cause.kind() == ErrorKind::WouldBlock => return Ok(Progress::Waiting),
            Err(cause) => return fail(format!("cannot read an answer: {cause}")),
        }
        match measure(&self.seen)? {
            Some(answer) if answer.head_bytes + answer.body_bytes <= self.seen.len() => {
                Ok(Progress::Whole(self.due.elapsed()))
            }
            _ => Ok(Progress::Waiting),
        }
    }
}
