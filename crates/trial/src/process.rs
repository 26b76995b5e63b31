//! A program under trial as a process: started, listened to, stopped gently or not.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use crate::Failure;

/// Bytes of output that are kept; what came before is forgotten.
const OUTPUT_BYTES_MAX: usize = 1 << 20;

/// Ends what it starts when we end, whatever ends us; part of every Debian.
const TIE: &str = "/usr/bin/setpriv";

/// A running program. Dropped, it is killed; and on Linux also when the thread that started it
/// ends, so that not even a killed trial leaves it behind.
pub struct Process {
    child: Child,
    output: Arc<Mutex<String>>,
    listening: Vec<JoinHandle<()>>,
}

/// The built program, as `FOREBAY_BIN` names it; seen from the repository's root.
pub fn built() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    std::env::var_os("FOREBAY_BIN").map(|named| root.join(named))
}

/// The built program: as `FOREBAY_BIN` names it, or beside the test that asks.
pub fn forebay() -> Result<PathBuf, Failure> {
    if let Some(named) = built() {
        return Ok(named);
    }
    let test = std::env::current_exe()?;
    let folders = test.ancestors().skip(1).take(2);
    let found = folders.map(|folder| folder.join("forebay")).find(|program| program.is_file());
    found.ok_or_else(|| {
        Failure::new(
            "cannot find the program `forebay`: type `cargo build -p forebay`, or set FOREBAY_BIN",
        )
    })
}

impl Process {
    /// Starts a program with these arguments.
    pub fn start(program: &Path, arguments: &[&str]) -> Result<Self, Failure> {
        let mut child = tied(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|e| {
                Failure::from(e).during(format!("cannot start `{}`", program.display()))
            })?;
        let output = Arc::default();
        let mut listening = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            listening.push(tokio::spawn(listen(stdout, Arc::clone(&output))));
        }
        if let Some(stderr) = child.stderr.take() {
            listening.push(tokio::spawn(listen(stderr, Arc::clone(&output))));
        }
        Ok(Process { child, output, listening })
    }

    /// What it has written so far, standard output and errors as they came.
    pub fn output(&self) -> String {
        self.output.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Its id, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Asks it to stop (SIGTERM).
    pub async fn terminate(&self) -> Result<(), Failure> {
        self.signal("-TERM").await
    }

    /// Stalls it (SIGSTOP): its sockets stay open, and it does nothing.
    pub async fn stall(&self) -> Result<(), Failure> {
        self.signal("-STOP").await
    }

    /// Lets it go on (SIGCONT).
    pub async fn resume(&self) -> Result<(), Failure> {
        self.signal("-CONT").await
    }

    async fn signal(&self, name: &str) -> Result<(), Failure> {
        let Some(id) = self.id() else {
            return Err(Failure::new(format!("cannot send {name} to the process: it has ended")));
        };
        let status = Command::new("kill").args([name, &id.to_string()]).status().await?;
        if status.success() { Ok(()) } else { Err(Failure::new(format!("cannot signal {id}"))) }
    }

    /// Kills it (SIGKILL) and waits for its end.
    pub async fn kill(&mut self) -> Result<(), Failure> {
        self.child.kill().await.map_err(Failure::from)
    }

    /// Waits for its end and its last words, no longer than this.
    pub async fn wait(&mut self, patience: Duration) -> Result<ExitStatus, Failure> {
        let ending = async {
            let status = self.child.wait().await;
            for listening in self.listening.drain(..) {
                let _ = listening.await;
            }
            status
        };
        match tokio::time::timeout(patience, ending).await {
            Ok(status) => status.map_err(Failure::from),
            Err(_) => Err(Failure::new(format!("the process still runs after {patience:?}"))),
        }
    }
}

/// A command that ends with us, where the system can do that.
fn tied(program: &Path) -> Command {
    if !Path::new(TIE).is_file() {
        return Command::new(program);
    }
    let mut command = Command::new(TIE);
    command.args(["--pdeathsig", "KILL"]).arg(program);
    command
}

async fn listen(mut from: impl AsyncRead + Unpin, output: Arc<Mutex<String>>) {
    let mut bytes = [0; 4096];
    while let Ok(read) = from.read(&mut bytes).await
        && read > 0
    {
        let mut output = output.lock().unwrap_or_else(PoisonError::into_inner);
        output.push_str(&String::from_utf8_lossy(&bytes[..read]));
        if output.len() > OUTPUT_BYTES_MAX {
            let kept = output.ceil_char_boundary(OUTPUT_BYTES_MAX / 2);
            *output = output.split_off(kept);
        }
    }
}
