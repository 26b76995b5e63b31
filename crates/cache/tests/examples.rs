//! The example programs say what they should.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

fn example(name: &str) -> Command {
    let mut run = Command::new(env!("CARGO"));
    run.current_dir(env!("CARGO_MANIFEST_DIR"));
    run.args(["run", "--quiet", "--offline", "--locked", "--example", name]);
    run
}

#[test]
fn the_plain_example_loads_once_and_gives_what_is_stale_when_the_source_is_down() {
    let ran = example("plain").output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let said = String::from_utf8(ran.stdout).unwrap();
    assert_eq!(said, "100 callers, 1 load\nSome(4) degrees, Stale\n");
}

/// A server that ends with the test.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(directory: &Path) -> Self {
        let mut run = example("axum");
        run.args(["--", "127.0.0.1:0"]).arg(directory).stdout(Stdio::piped());
        // Cargo becomes the program, so that it is the program that is ended.
        let mut child = run.spawn().unwrap();
        let mut said = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut said).unwrap();
        let address = said.trim().strip_prefix("listens on ").expect(&said).to_owned();
        Self { child, address }
    }

    /// The status, where an article came from, and the body.
    fn ask(&self, method: &str, path: &str) -> (u16, String, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let more = "Host: library\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
        write!(stream, "{method} {path} HTTP/1.1\r\n{more}").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let from = head.lines().find_map(|line| line.strip_prefix("x-from: "));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, from.unwrap_or_default().to_owned(), body.to_owned())
    }

    fn is_given(&self, name: &str, status: u16, from: &str, body: &str) {
        let answer = self.ask("GET", &format!("/articles/{name}"));
        assert_eq!(answer, (status, from.to_owned(), body.to_owned()), "{name}");
    }

    fn post(&self, path: &str) {
        assert_eq!(self.ask("POST", path).0, 204, "{path}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_axum_example_serves_from_its_cache_and_answers_errors_with_a_status() {
    let directory = std::env::temp_dir().join(format!("fb-axum-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    let write = |name: &str, text: &str| fs::write(directory.join(name), text).unwrap();
    write("dams", "ann\nold");
    write("weirs", "bob\nold");
    let server = Server::start(&directory);
    for name in ["dams", "weirs"] {
        server.is_given(name, 200, "loader; Fresh", "old");
        server.is_given(name, 200, "memory; Fresh", "old");
        write(name, "bob\nnew");
    }
    server.post("/authors/ann/purge");
    server.is_given("dams", 200, "loader; Fresh", "new");
    server.is_given("weirs", 200, "memory; Fresh", "old");
    // That there is none is remembered.
    server.is_given("locks", 404, "", "no such article");
    write("locks", "ann\nhere");
    server.is_given("locks", 404, "", "no such article");
    server.is_given("..%2Fsecret", 404, "", "no such article");
    // The source fails: a directory reads as no article.
    fs::remove_file(directory.join("weirs")).unwrap();
    fs::create_dir(directory.join("weirs")).unwrap();
    server.post("/articles/weirs/changed");
    server.is_given("weirs", 200, "memory; Stale", "old");
    server.post("/authors/bob/purge");
    let (status, _, body) = server.ask("GET", "/articles/weirs");
    assert_eq!(status, 502);
    assert!(body.starts_with("cannot load the value: "), "{body}");
    drop(server);
    fs::remove_dir_all(directory).unwrap();
}
