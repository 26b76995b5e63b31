//! `bench routes`: a hundred thousand routes in Redis: what they cost to learn, in memory, at a start
//! without Redis, and on a hit.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::outcome::{Outcome, Trying, fail};
use crate::process;
use crate::program;
use crate::tools;
use crate::workspace;

use super::Effort;
use super::keep_alive::{self, Client};
use super::report::{Table, goal, median};
use super::servers::{self, Server};
use super::wrk::{self, Paths};

const ROUTES: usize = 100_000;
const PATH: &str = "/1024/0";
/// Until the table is on disk: it is written every two seconds, and in a part of the time only.
const SAVING: Duration = Duration::from_secs(20);

/// Measures, and returns the section for the page.
pub(crate) fn run(effort: Effort) -> Outcome<String> {
    tools::need(super::tiers::NEEDED)?;
    let program = program::release()?;
    let origin = servers::origin()?;
    let store = servers::redis("bench-routes-redis")?;
    fill(store.port, origin.port)?;
    let table = workspace::scratch("bench-routes-table")?.join("routes");
    let lines = format!(
        "[routes]\nredis = \"redis://{}\"\nlookups_per_second = 1000000\ntable = \"{}\"\n",
        process::local(store.port),
        table.display()
    );
    let with = servers::forebay_told(&program, &origin, "64MiB", "bench-routes", &lines)?;
    let before = with.resident_bytes()?;
    let begin = Instant::now();
    ask_each(with.port)?;
    let learning = begin.elapsed().as_secs_f64();
    let bytes = with.resident_bytes()?.saturating_sub(before) as f64 / ROUTES as f64;
    let hits = hits(&program, &origin, &with, effort)?;
    std::thread::sleep(SAVING);
    drop(store);
    let start = start_without_redis(with)?;
    Ok(section(learning, bytes, start, hits))
}

/// Each host leads to the origin.
fn fill(store: u16, origin: u16) -> Outcome {
    let mut connection = TcpStream::connect(process::local(store)).trying("connect to Redis")?;
    let to = process::local(origin).to_string();
    let mut commands = String::from("*1\r\n$8\r\nFLUSHALL\r\n");
    for number in 0..ROUTES {
        let host = host(number);
        let (name, value) = (host.len(), to.len());
        commands.push_str(&format!("*3\r\n$3\r\nSET\r\n${name}\r\n{host}\r\n${value}\r\n{to}\r\n"));
    }
    let mut reader = connection.try_clone().trying("connect to Redis")?;
    let reading = std::thread::spawn(move || {
        let mut left = (ROUTES + 1) * "+OK\r\n".len();
        let mut buffer = vec![0; 64 * 1024];
        while left > 0 {
            match reader.read(&mut buffer) {
                Ok(0) | Err(_) => return false,
                Ok(count) => left = left.saturating_sub(count),
            }
        }
        true
    });
    connection.write_all(commands.as_bytes()).trying("write the routes")?;
    match reading.join() {
        Ok(true) => Ok(()),
        Ok(false) | Err(_) => fail("Redis did not take the routes"),
    }
}

fn host(number: usize) -> String {
    format!("h{number}.bench.test")
}

/// Asks for every host once, over several connections. What is answered is kept for nobody.
fn ask_each(port: u16) -> Outcome {
    const CONNECTIONS: usize = 8;
    std::thread::scope(|scope| {
        let ask = |first: usize| -> Outcome {
            let mut client = Client::connect(port)?;
            (first..ROUTES).step_by(CONNECTIONS).try_for_each(|number| {
                client.answer_to(&request(&host(number), "/pass/100/0")).map(|_| ())
            })
        };
        let asking: Vec<_> = (0..CONNECTIONS).map(|at| scope.spawn(move || ask(at))).collect();
        for asking in asking {
            asking.join().map_err(|_| "it panicked").trying("ask for each host")??;
        }
        Ok(())
    })
}

fn request(host: &str, path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n")
}

/// Hits a second with no routes in Redis, and with all of them known.
fn hits(program: &Path, origin: &Server, with: &Server, effort: Effort) -> Outcome<[f64; 2]> {
    let without = servers::forebay_told(program, origin, "64MiB", "bench-routes-none", "")?;
    let paths = Paths { prefix: PATH.trim_end_matches('0').to_owned(), keys: 1 };
    let mut rates = [Vec::new(), Vec::new()];
    for server in [&without, with] {
        keep_alive::fill(server.port, &[PATH.to_owned()])?;
    }
    for _ in 0..effort.rounds {
        for (server, rates) in [&without, with].iter().zip(&mut rates) {
            rates.push(wrk::run(server.port, &paths, effort.round)?);
        }
    }
    Ok(rates.map(|rates| median(&rates)))
}

/// Milliseconds from the start of the program, with Redis gone, to the answer for the last host.
fn start_without_redis(mut server: Server) -> Outcome<f64> {
    server.kill()?;
    let begin = Instant::now();
    let server = server.again()?;
    let last = request(&host(ROUTES - 1), "/pass/100/0");
    Client::connect(server.port)?.answer_to(&last)?;
    Ok(begin.elapsed().as_secs_f64() * 1e3)
}

fn section(learning: f64, bytes: f64, start: f64, [without, with]: [f64; 2]) -> String {
    let mut table = Table::new(&["routes", "first requests for all, s", "memory a route, bytes"]);
    table.row(&[ROUTES.to_string(), format!("{learning:.1}"), format!("{bytes:.0}")]);
    let mut hits = Table::new(&["hits a second without", "with", "ratio"]);
    hits.row(&[format!("{without:.0}"), format!("{with:.0}"), format!("{:.2}", with / without)]);
    format!(
        "Routes in Redis, each asked for once over eight connections, all to one origin. A start with \
         Redis gone answers for the last of them, from the table on disk, after {start:.0} ms.\n\n{}\n\
         A hit of a host that the file has, with and without them.\n\n{}\n{}",
        table.text(),
        hits.text(),
        goal("a hit costs nothing measurable more", || with >= 0.95 * without)
    )
}
