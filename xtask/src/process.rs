//! Other programs: run to their end, or kept running until dropped.
//!
//! None of them ever reads our standard input.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::outcome::{Outcome, Trying, fail};
use crate::workspace;

/// How long a program may take to go after it was asked to.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);
/// How many lines of a log are shown when its program failed.
const LOG_LINES_SHOWN_MAX: usize = 15;

/// Runs a command to its end; what it prints is shown.
pub(crate) fn run(command: &mut Command) -> Outcome {
    let status = command.stdin(Stdio::null()).status().trying(format!("run {}", shown(command)))?;
    if !status.success() {
        return fail(format!("{} ended with {status}", shown(command)));
    }
    Ok(())
}

/// Runs a command to its end and keeps what it writes to standard output.
pub(crate) fn capture(command: &mut Command) -> Outcome<String> {
    let captured = capture_any(command)?;
    if !captured.success {
        return fail(format!("{} failed:\n{}{}", shown(command), captured.out, captured.err));
    }
    Ok(captured.out)
}

/// What a command left behind.
pub(crate) struct Captured {
    /// Whether its exit status was 0.
    pub(crate) success: bool,
    /// Its standard output.
    pub(crate) out: String,
    /// Its standard error.
    pub(crate) err: String,
}

/// Runs a command to its end and keeps what it writes, however it ends.
pub(crate) fn capture_any(command: &mut Command) -> Outcome<Captured> {
    let output = command.stdin(Stdio::null()).output().trying(format!("run {}", shown(command)))?;
    Ok(Captured {
        success: output.status.success(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// Runs a command to its end, showing its standard output line by line and keeping it as well.
/// The command's own failure is in the second part, so that the caller can use the first.
pub(crate) fn show_and_keep(command: &mut Command) -> Outcome<(String, Outcome)> {
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().trying(format!("run {}", shown(command)))?;
    let mut kept = String::new();
    if let Some(out) = child.stdout.take() {
        for line in BufReader::new(out).split(b'\n') {
            let line = line.trying(format!("read from {}", shown(command)))?;
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            kept.push_str(&line);
            kept.push('\n');
        }
    }
    let status = child.wait().trying(format!("wait for {}", shown(command)))?;
    if status.success() {
        return Ok((kept, Ok(())));
    }
    Ok((kept, fail(format!("{} ended with {status}", shown(command)))))
}

/// A command as one would type it.
pub(crate) fn shown(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|word| word.to_string_lossy().into_owned()));
    format!("`{}`", words.join(" "))
}

/// A program that runs beside us. Dropping ends it: it is asked to go, and made to when it does not.
pub(crate) struct Running {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Running {
    /// Starts a program; what it prints goes to a log named after it.
    pub(crate) fn start(name: &str, command: &mut Command) -> Outcome<Running> {
        let log = workspace::log(name)?;
        let out = File::create(&log).trying(format!("write `{}`", log.display()))?;
        let err = out.try_clone().trying(format!("write `{}`", log.display()))?;
        command.stdin(Stdio::null()).stdout(out).stderr(err);
        let child = command.spawn().trying(format!("start {}", shown(command)))?;
        Ok(Running { name: name.to_owned(), child, log })
    }

    /// Waits until the program accepts connections, or says what it printed instead.
    pub(crate) fn wait_for_port(mut self, port: u16, limit: Duration) -> Outcome<Running> {
        let begin = Instant::now();
        while begin.elapsed() < limit {
            if let Ok(Some(status)) = self.child.try_wait() {
                return fail(format!("{} ended with {status}:\n{}", self.name, self.log_tail()));
            }
            if TcpStream::connect(local(port)).is_ok() {
                return Ok(self);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let tail = self.log_tail();
        fail(format!("{} does not listen on port {port} after {limit:?}:\n{tail}", self.name))
    }

    /// Kills it and waits for its end.
    pub(crate) fn kill(&mut self) -> Outcome {
        self.child.kill().and_then(|()| self.child.wait()).trying(format!("kill {}", self.name))?;
        Ok(())
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    fn log_tail(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES_SHOWN_MAX)..].join("\n")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Asked first: nginx and Varnish have children of their own, which only they can end.
        let id = self.child.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &id]).stderr(Stdio::null()).status();
        let begin = Instant::now();
        while asked.is_ok() && begin.elapsed() < STOP_TIMEOUT {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        // Both fail only when it is gone already, which is what we want.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A port of this machine that nobody listens on just now.
pub(crate) fn free_port() -> Outcome<u16> {
    let listener = TcpListener::bind(local(0)).trying("find a free port")?;
    Ok(listener.local_addr().trying("find a free port")?.port())
}

/// The loopback address with this port.
pub(crate) fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}
