//! Plays a page in a room: its blocks in their order, gateways in the background.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use crate::blocks::{Block, Fate};
use crate::origin;

/// How long a block may take, and a gateway until it listens. A page that is right needs seconds.
const PATIENCE: Duration = Duration::from_secs(120);

/// A piece of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// A gateway that runs until another block starts one.
    Gateway(String),
    /// Commands that end by themselves.
    Commands(String),
}

/// Runs a page's blocks; panics with page, line and output where one fails.
pub(crate) fn page(name: &str, text: &str, blocks: &[Block]) {
    origin::serve(3000);
    origin::serve(3001);
    let _redis = (text.contains("redis://") || text.contains("redis-cli")).then(redis);
    let mut gateways = Vec::new();
    for block in blocks {
        if let (Some(file), Fate::Run) = (&block.file, &block.fate) {
            std::fs::write(file, &block.text).unwrap();
        }
        if block.is_run() {
            let failed = run(block, &mut gateways).err();
            let failed = failed.map(|why| format!("{name}:{}: {why}", block.line));
            assert!(failed.is_none(), "{}\nthe block:\n{}", failed.unwrap(), block.text);
        }
    }
    end(&mut gateways);
}

fn run(block: &Block, gateways: &mut Vec<Child>) -> Result<(), String> {
    let steps = steps(&format!("{}{}", block.before, block.typed()));
    if steps.iter().any(|step| matches!(step, Step::Gateway(_))) {
        end(gateways);
    }
    let mut printed = String::new();
    for step in steps {
        match step {
            Step::Gateway(command) => {
                let (gateway, banner) = start(&command)?;
                gateways.push(gateway);
                printed += &banner;
            }
            Step::Commands(commands) => printed += &commands_of(block, &commands)?,
        }
    }
    match block.says.iter().find(|text| !printed.contains(text.as_str())) {
        None => Ok(()),
        Some(text) => Err(format!("it does not say `{text}`. It says:\n{printed}")),
    }
}

/// Runs commands that end; what they printed.
fn commands_of(block: &Block, commands: &str) -> Result<String, String> {
    // A block that may end in several ways has a failing command in it, and the rest goes on.
    let strict = if block.exits.is_empty() { "set -e\n" } else { "" };
    let shell = Command::new("timeout")
        .args(["--kill-after=5", &PATIENCE.as_secs().to_string(), "bash", "-c"])
        .arg(format!("{strict}set -o pipefail\n{commands}"))
        .stdin(Stdio::null())
        .output()
        .map_err(|cause| format!("cannot run bash: {cause}"))?;
    let said = [&shell.stdout[..], &shell.stderr[..]].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    let code = shell.status.code().unwrap_or(-1);
    match (code, block.exits.as_slice()) {
        (0, []) => Ok(said),
        (code, exits) if exits.contains(&code) => Ok(said),
        (124 | 137, _) => Err(format!(
            "it did not end within {PATIENCE:?}. What runs until Ctrl-C, other than `forebay run` and \
             `forebay demo`, needs a `timeout` or a remark `not run`. It said:\n{said}"
        )),
        (code, _) => Err(format!(
            "it ended with {code}. Where that is right, say `<!-- exits {code}: why -->` before the \
             block; where something must be there first, `<!-- before: commands -->`. It said:\n{said}"
        )),
    }
}

/// Starts a gateway and waits until it listens.
fn start(command: &str) -> Result<(Child, String), String> {
    let shell = Command::new("bash")
        .arg("-c")
        .arg(format!("exec {command}"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let mut gateway = shell.map_err(|cause| format!("cannot run bash: {cause}"))?;
    let lines = BufReader::new(gateway.stderr.take().unwrap()).lines();
    let (tell, heard) = mpsc::channel();
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            // Once it listens nobody hears on; it must go on all the same.
            let _ = tell.send(line);
        }
    });
    let mut banner = String::new();
    loop {
        match heard.recv_timeout(PATIENCE) {
            Ok(line) => banner += &format!("{line}\n"),
            Err(_) => {
                let _ = gateway.kill();
                let _ = gateway.wait();
                return Err(format!("`{command}` does not listen. It said:\n{banner}"));
            }
        }
        if banner.lines().last().is_some_and(|line| line.starts_with("listens on")) {
            banner.extend(heard.recv_timeout(Duration::from_secs(1)));
            return Ok((gateway, banner));
        }
    }
}

/// Ends gateways as Ctrl-C would.
fn end(gateways: &mut Vec<Child>) {
    for mut gateway in gateways.drain(..) {
        let id = gateway.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &id]).stderr(Stdio::null()).status();
        let _ = gateway.wait();
    }
}

/// A Redis that is fit for a cache.
fn redis() -> Child {
    let server = Command::new("redis-server")
        .args(["--port", "6379", "--save", "", "--maxmemory", "64mb"])
        .args(["--maxmemory-policy", "allkeys-lfu"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn();
    let mut server = server.expect("redis-server can be started: the package redis-server");
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let ready = lines.by_ref().map_while(Result::ok).find(|line| line.contains("Ready to accept"));
    assert!(ready.is_some(), "redis-server did not say that it is ready");
    // Somebody must read what it says on.
    std::thread::spawn(move || lines.by_ref().for_each(drop));
    server
}

/// The steps of what is typed: each gateway alone, what is between them together.
fn steps(typed: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    for command in commands(typed) {
        let is_gateway = is_gateway(&command);
        match steps.last_mut() {
            _ if is_gateway => steps.push(Step::Gateway(command)),
            Some(Step::Commands(before)) => *before += &format!("\n{command}"),
            Some(Step::Gateway(_)) | None => steps.push(Step::Commands(command)),
        }
    }
    steps
}

fn is_gateway(command: &str) -> bool {
    let is_assignment = |word: &&str| word.contains('=') && !word.starts_with('-');
    let words: Vec<&str> = command.split_whitespace().skip_while(is_assignment).collect();
    let asks_for_help = words.contains(&"--help");
    matches!(words.as_slice(), ["forebay", "run" | "demo", ..]) && !asks_for_help
}

/// Lines, those that end with a backslash together with what follows.
fn commands(typed: &str) -> Vec<String> {
    let joined = typed.replace("\\\n", " ");
    let lines = joined.lines().map(str::trim_end).filter(|line| !line.is_empty());
    lines.filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

#[test]
fn a_gateway_is_a_step_of_its_own() {
    let typed = "a\nb\nRUST_LOG=info forebay run --to \\\n  c\nforebay run --help\nd\n";
    let expected = [
        Step::Commands("a\nb".to_owned()),
        Step::Gateway("RUST_LOG=info forebay run --to    c".to_owned()),
        Step::Commands("forebay run --help\nd".to_owned()),
    ];
    assert_eq!(steps(typed), expected);
}

#[test]
fn commands_that_fail_are_told_with_what_they_said() {
    let block = Block { kind: "sh".to_owned(), ..Block::default() };
    let failed = commands_of(&block, "echo one; false; echo two").unwrap_err();
    assert!(failed.contains("ended with 1") && failed.contains("one\n"), "{failed}");
    let block = Block { exits: vec![1], ..block };
    assert_eq!(commands_of(&block, "echo one; false").unwrap(), "one\n");
}
